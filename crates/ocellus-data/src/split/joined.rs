use std::collections::BTreeMap;

/// Sets of indices that are joined step by step (union-find).
#[derive(Clone, Debug)]
pub(crate) struct Joined {
    parent: Vec<usize>,
}

impl Joined {
    pub(crate) fn new(count: usize) -> Self {
        Self { parent: (0..count).collect() }
    }

    /// The least index of the set that holds `i`.
    pub(crate) fn root(&mut self, mut i: usize) -> usize {
        while self.parent[i] != i {
            self.parent[i] = self.parent[self.parent[i]];
            i = self.parent[i];
        }
        i
    }

    pub(crate) fn join(&mut self, a: usize, b: usize) {
        let (a, b) = (self.root(a), self.root(b));
        self.parent[a.max(b)] = a.min(b);
    }

    /// The sets, each sorted, by their least index.
    pub(crate) fn groups(&mut self) -> Vec<Vec<usize>> {
        let mut groups: BTreeMap<usize, Vec<usize>> = BTreeMap::new();
        for i in 0..self.parent.len() {
            let root = self.root(i);
            groups.entry(root).or_default().push(i);
        }
        groups.into_values().collect()
    }
}
