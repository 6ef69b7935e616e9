use std::collections::{HashMap, VecDeque};

/// A corner of pixels: column and row.
pub(crate) type Corner = [u32; 2];

const NONE: u32 = u32::MAX;

/// Borders of regions that are being traced from row to row: chains of corners, open at two ends,
/// that meet and close to rings.
///
/// A border has its region on the right, seen along its way with rows downward. Each end waits in a
/// slot: on the edge below a corner of the last row, or on the edge right of the last corner.
#[derive(Debug)]
pub(crate) struct Chains {
    chains: Vec<Chain>,
    free: Vec<u32>,
    /// The chain that goes on along the edge of this slot.
    out: Vec<u32>,
    /// The chain that comes along the edge of this slot.
    into: Vec<u32>,
}

#[derive(Debug, Default)]
struct Chain {
    corners: VecDeque<Corner>,
    out: usize,
    into: usize,
}

/// Where a border comes to a corner, or goes from it.
#[derive(Clone, Copy, Debug)]
pub(crate) enum End {
    /// Along an edge that was met before: the slot where the chain waits.
    Old(usize),
    /// Along an edge that is met first: the slot where the chain shall wait.
    New(usize),
}

impl Chains {
    pub(crate) fn new(slots: usize) -> Self {
        Self {
            chains: Vec::new(),
            free: Vec::new(),
            out: vec![NONE; slots],
            into: vec![NONE; slots],
        }
    }

    /// Leads a border over a corner, which it remembers if it turns there. Gives the ring if that
    /// closes one.
    pub(crate) fn lead(
        &mut self,
        from: End,
        to: End,
        corner: Corner,
        turns: bool,
    ) -> Option<Vec<Corner>> {
        match (from, to) {
            (End::New(from), End::New(to)) => {
                let id = self.add(corner);
                self.set_into(from, id);
                self.set_out(to, id);
            }
            (End::Old(from), End::New(to)) => {
                let id = self.out[from];
                if turns {
                    self.chains[id as usize].corners.push_back(corner);
                }
                self.set_out(to, id);
            }
            (End::New(from), End::Old(to)) => {
                let id = self.into[to];
                if turns {
                    self.chains[id as usize].corners.push_front(corner);
                }
                self.set_into(from, id);
            }
            (End::Old(from), End::Old(to)) => {
                let (first, second) = (self.out[from], self.into[to]);
                if turns {
                    self.chains[first as usize].corners.push_back(corner);
                }
                if first == second {
                    self.free.push(first);
                    return Some(std::mem::take(&mut self.chains[first as usize].corners).into());
                }
                self.join(first, second);
            }
        }
        None
    }

    fn add(&mut self, corner: Corner) -> u32 {
        let chain = Chain { corners: VecDeque::from([corner]), ..Chain::default() };
        match self.free.pop() {
            Some(id) => {
                self.chains[id as usize] = chain;
                id
            }
            None => {
                self.chains.push(chain);
                (self.chains.len() - 1) as u32
            }
        }
    }

    fn set_out(&mut self, slot: usize, id: u32) {
        self.out[slot] = id;
        self.chains[id as usize].out = slot;
    }

    fn set_into(&mut self, slot: usize, id: u32) {
        self.into[slot] = id;
        self.chains[id as usize].into = slot;
    }

    /// Puts the second chain behind the first; the longer one stays where it is.
    fn join(&mut self, first: u32, second: u32) {
        let (head, tail) = (first as usize, second as usize);
        if self.chains[head].corners.len() >= self.chains[tail].corners.len() {
            let moved = std::mem::take(&mut self.chains[tail].corners);
            self.chains[head].corners.extend(moved);
            self.set_out(self.chains[tail].out, first);
            self.free.push(second);
        } else {
            let moved = std::mem::take(&mut self.chains[head].corners);
            moved.into_iter().rev().for_each(|c| self.chains[tail].corners.push_front(c));
            self.set_into(self.chains[head].into, second);
            self.free.push(first);
        }
    }
}

/// Cuts a ring where it touches itself, so that no part of it does.
pub(crate) fn split(ring: Vec<Corner>, mut part: impl FnMut(Vec<Corner>)) {
    let mut seen = HashMap::with_capacity(ring.len());
    let mut open: Vec<Corner> = Vec::with_capacity(ring.len());
    for corner in ring {
        if let Some(&at) = seen.get(&corner) {
            let closed: Vec<Corner> = open.drain(at..).collect();
            closed.iter().for_each(|corner| {
                seen.remove(corner);
            });
            part(closed);
        }
        seen.insert(corner, open.len());
        open.push(corner);
    }
    part(open);
}

/// Twice the area that a ring encloses; positive if it has it on its right, rows downward.
pub(crate) fn doubled_area(ring: &[Corner]) -> i128 {
    let next = ring.iter().cycle().skip(1);
    ring.iter()
        .zip(next)
        .map(|(a, b)| i128::from(a[0]) * i128::from(b[1]) - i128::from(b[0]) * i128::from(a[1]))
        .sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_ring_that_touches_itself_becomes_two() {
        let ring = vec![[0, 0], [2, 0], [2, 2], [3, 2], [3, 4], [2, 4], [2, 2], [0, 2]];
        let mut parts = Vec::new();
        split(ring, |part| parts.push(part));
        assert_eq!(parts[0], [[2, 2], [3, 2], [3, 4], [2, 4]]);
        assert_eq!(parts[1], [[0, 0], [2, 0], [2, 2], [0, 2]]);
        assert_eq!(doubled_area(&parts[1]), 8);
        parts[1].reverse();
        assert_eq!(doubled_area(&parts[1]), -8);
    }
}
