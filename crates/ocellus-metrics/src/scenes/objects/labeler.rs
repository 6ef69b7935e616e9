use super::Connectivity;
use crate::scenes::pixels::INSIDE;

/// Pixels of a row that belong to one object.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Run {
    pub(crate) start: usize,
    pub(crate) end: usize,
    /// An index into the objects, or into what was merged into one.
    pub(crate) object: usize,
}

/// An object, or a part of one that has since been found to be another's.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Object {
    parent: usize,
    pub(crate) area: u64,
    /// Its first pixel, in the order of rows.
    pub(crate) first: u64,
}

/// Finds the connected components of rows that come one after another.
#[derive(Debug)]
pub(crate) struct Labeler {
    /// How many columns beside a run those of the next row may lie.
    reach: usize,
    pub(crate) objects: Vec<Object>,
    /// The runs of the last row.
    pub(crate) runs: Vec<Run>,
    above: Vec<Run>,
}

impl Labeler {
    pub(crate) fn new(connectivity: Connectivity) -> Self {
        let reach = usize::from(connectivity == Connectivity::Eight);
        Self { reach, objects: Vec::new(), runs: Vec::new(), above: Vec::new() }
    }

    /// Takes the next row, the first pixel of which is `first` of the scene's.
    pub(crate) fn push(&mut self, states: &[u8], first: u64) {
        std::mem::swap(&mut self.runs, &mut self.above);
        self.runs.clear();
        let (mut left, mut start) = (0, 0);
        while let Some(skipped) = states[start..].iter().position(|&s| s == INSIDE) {
            start += skipped;
            let len = states[start..].iter().position(|&s| s != INSIDE);
            let end = len.map_or(states.len(), |len| start + len);
            let object = self.object_of(start, end, first + start as u64, &mut left);
            self.objects[object].area += (end - start) as u64;
            self.runs.push(Run { start, end, object });
            start = end;
        }
    }

    /// The object of all runs above that touch this one, or a new one. `left` is the first run
    /// above that does not end before it.
    fn object_of(&mut self, start: usize, end: usize, first: u64, left: &mut usize) -> usize {
        while self.above.get(*left).is_some_and(|run| run.end + self.reach <= start) {
            *left += 1;
        }
        let mut found = None;
        for i in *left..self.above.len() {
            let run = self.above[i];
            if run.start >= end + self.reach {
                break;
            }
            found = Some(match found {
                None => self.root(run.object),
                Some(object) => self.unite(object, run.object),
            });
        }
        found.unwrap_or_else(|| {
            self.objects.push(Object { parent: self.objects.len(), area: 0, first });
            self.objects.len() - 1
        })
    }

    /// The object that a part belongs to now.
    pub(crate) fn root(&mut self, mut part: usize) -> usize {
        while self.objects[part].parent != part {
            let grandparent = self.objects[self.objects[part].parent].parent;
            self.objects[part].parent = grandparent;
            part = grandparent;
        }
        part
    }

    fn unite(&mut self, a: usize, b: usize) -> usize {
        let (a, b) = (self.root(a), self.root(b));
        if a == b {
            return a;
        }
        // The one that began first takes the other.
        let (a, b) = if self.objects[a].first < self.objects[b].first { (a, b) } else { (b, a) };
        let part = self.objects[b];
        self.objects[b].parent = a;
        self.objects[a].area += part.area;
        a
    }

    /// Whether each entry is an object, not a part that belongs to one.
    pub(crate) fn is_root(&self, index: usize) -> bool {
        self.objects[index].parent == index
    }

    /// Keeps the objects that `keep` says, and returns their new indices; the runs of the last row
    /// must be of kept ones.
    pub(crate) fn retain(&mut self, keep: &[bool]) -> Vec<usize> {
        for i in 0..self.runs.len() {
            self.runs[i].object = self.root(self.runs[i].object);
        }
        let mut kept = Vec::new();
        let mut renamed = vec![usize::MAX; self.objects.len()];
        for (i, object) in self.objects.iter().enumerate() {
            if keep[i] && object.parent == i {
                renamed[i] = kept.len();
                kept.push(Object { parent: kept.len(), ..*object });
            }
        }
        self.objects = kept;
        for run in &mut self.runs {
            run.object = renamed[run.object];
        }
        renamed
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn areas(image: &[&str], connectivity: Connectivity) -> Vec<(u64, u64)> {
        let mut labeler = Labeler::new(connectivity);
        for (y, row) in image.iter().enumerate() {
            let states: Vec<u8> = row.bytes().map(|c| u8::from(c == b'#')).collect();
            labeler.push(&states, (y * row.len()) as u64);
        }
        let roots = (0..labeler.objects.len()).filter(|&i| labeler.is_root(i));
        roots.map(|i| (labeler.objects[i].first, labeler.objects[i].area)).collect()
    }

    #[test]
    fn corners_connect_where_they_shall() {
        let image = ["#..#", ".##.", "#..#"];
        let four = areas(&image, Connectivity::Four);
        assert_eq!(four, [(0, 1), (3, 1), (5, 2), (8, 1), (11, 1)]);
        assert_eq!(areas(&image, Connectivity::Eight), [(0, 6)]);
    }

    #[test]
    fn a_comb_is_one_object() {
        let image = ["#.#.#.#", "#.#.#.#", "#.###.#", "#...#.#", "#####.#"];
        assert_eq!(areas(&image, Connectivity::Four), [(0, 17), (6, 5)]);
    }
}
