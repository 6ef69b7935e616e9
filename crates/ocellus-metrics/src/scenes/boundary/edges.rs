use crate::scenes::pixels::{INSIDE, OTHER};

/// Finds the boundary pixels of rows that come one after another.
#[derive(Debug, Default)]
pub(super) struct Edges {
    /// States of the last row but one, and of the last row, whose lower neighbors are not known yet;
    /// empty before there are any.
    above: Vec<u8>,
    last: Vec<u8>,
}

impl Edges {
    /// Takes the states of the next row, and appends the boundary of the row before, if there is
    /// one, to `edges`: 1 at its pixels, else 0.
    pub(super) fn push(&mut self, states: &[u8], edges: &mut Vec<u8>) {
        self.finish(states, edges);
        std::mem::swap(&mut self.above, &mut self.last);
        self.last.clear();
        self.last.extend_from_slice(states);
    }

    /// Appends the boundary of the last row, with the states below it: none at the end of the image.
    pub(super) fn finish(&self, below: &[u8], edges: &mut Vec<u8>) {
        let first = edges.len();
        edges.extend(self.last.iter().map(|_| 0));
        let edges = &mut edges[first..];
        for other in [&self.above, below] {
            mark(edges, other);
        }
        if let Some((_, right)) = self.last.split_first() {
            mark(edges, right);
            mark(&mut edges[1..], &self.last);
        }
        for (edge, &state) in edges.iter_mut().zip(&self.last) {
            *edge &= u8::from(state == INSIDE);
        }
    }
}

/// Marks the pixels whose neighbor is of another class.
fn mark(edges: &mut [u8], neighbors: &[u8]) {
    for (edge, &neighbor) in edges.iter_mut().zip(neighbors) {
        *edge |= u8::from(neighbor == OTHER);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scenes::pixels::VOID;

    #[test]
    fn a_boundary_is_inside_and_ends_with_the_image_and_the_void() {
        let image = ["..###", ".####", ".##?#", ".####"];
        let state = |pixel: char| match pixel {
            '#' => INSIDE,
            '?' => VOID,
            _ => OTHER,
        };
        let mut edges = Edges::default();
        let mut found = Vec::new();
        for (y, row) in image.iter().enumerate() {
            let states: Vec<u8> = row.chars().map(state).collect();
            edges.push(&states, &mut found);
            assert_eq!(found.len(), y * 5);
        }
        edges.finish(&[], &mut found);
        let rows: Vec<String> = found
            .chunks(5)
            .map(|row| row.iter().map(|&e| if e == 1 { '#' } else { '.' }).collect())
            .collect();
        assert_eq!(rows, ["..#..", ".#...", ".#...", ".#..."]);
    }
}
