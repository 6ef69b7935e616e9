use rand::Rng;
use rand_chacha::ChaCha8Rng;

use super::DecisionTree;
use super::ranked::Column;
use super::split::{Member, Search, Split};
use super::tree_model::{DecisionTreeModel, Node};

/// Grows a tree, depth first and left before right.
pub(super) struct Grower<'a> {
    settings: &'a DecisionTree,
    columns: &'a [Column],
    /// In the order of the last draw.
    features: Vec<u32>,
    tries: usize,
    rng: ChaCha8Rng,
    search: Search,
    classes: usize,
    nodes: Vec<Node>,
    leaves: Vec<f64>,
    importances: Vec<f64>,
}

/// A node that is still to be grown: some of the samples.
struct Open {
    start: usize,
    end: usize,
    depth: usize,
    /// Whose right side it is.
    parent: Option<usize>,
}

impl<'a> Grower<'a> {
    pub(super) fn new(
        settings: &'a DecisionTree,
        columns: &'a [Column],
        tries: usize,
        classes: usize,
        rng: ChaCha8Rng,
    ) -> Self {
        Self {
            settings,
            columns,
            features: (0..columns.len() as u32).collect(),
            tries,
            rng,
            search: Search::new(settings.criterion, settings.min_samples_leaf, classes),
            classes,
            nodes: Vec::new(),
            leaves: Vec::new(),
            importances: vec![0.; columns.len()],
        }
    }

    /// Of `samples`, which are indices of `members`.
    pub(super) fn grow(mut self, members: Vec<Member>, mut samples: Vec<u32>) -> DecisionTreeModel {
        let mut spare = Vec::with_capacity(samples.len());
        let mut open = vec![Open { start: 0, end: samples.len(), depth: 0, parent: None }];
        while let Some(Open { start, end, depth, parent }) = open.pop() {
            let index = self.nodes.len();
            if let Some(Node::Split(_, _, right)) = parent.and_then(|p| self.nodes.get_mut(p)) {
                *right = index as u32;
            }
            let part = &mut samples[start..end];
            let totals = self.totals(part, &members);
            let Some(split) = self.split(part, &members, &totals, depth) else {
                let total: f64 = totals.iter().sum();
                self.nodes.push(Node::Leaf((self.leaves.len() / self.classes) as u32));
                self.leaves.extend(totals.iter().map(|weight| weight / total));
                continue;
            };
            self.nodes.push(Node::Split(split.feature as u32, split.threshold, 0));
            let ranks = &self.columns[split.feature].ranks;
            let middle = part_samples(part, ranks, split.rank, &mut spare);
            let left = self.totals(&part[..middle], &members);
            self.importances[split.feature] += self.gain(&totals, &left);
            let middle = start + middle;
            open.push(Open { start: middle, end, depth: depth + 1, parent: Some(index) });
            open.push(Open { start, end: middle, depth: depth + 1, parent: None });
        }
        normalize(&mut self.importances);
        DecisionTreeModel {
            classes: self.classes,
            nodes: self.nodes,
            leaves: self.leaves,
            importances: self.importances,
        }
    }

    fn totals(&self, samples: &[u32], members: &[Member]) -> Vec<f64> {
        let mut totals = vec![0.; self.classes];
        for &sample in samples {
            let member = members[sample as usize];
            totals[member.class as usize] += member.weight;
        }
        totals
    }

    /// What a split takes off the impurity, times the weight of the node.
    fn gain(&self, totals: &[f64], left: &[f64]) -> f64 {
        let right: Vec<f64> = totals.iter().zip(left).map(|(total, left)| total - left).collect();
        let impurity = |weights: &[f64]| {
            weights.iter().sum::<f64>() * self.settings.criterion.impurity(weights)
        };
        impurity(totals) - impurity(left) - impurity(&right)
    }

    /// Where to part a node, if it is no leaf.
    fn split(
        &mut self,
        samples: &[u32],
        members: &[Member],
        totals: &[f64],
        depth: usize,
    ) -> Option<Split> {
        let settings = self.settings;
        let few = settings.min_samples_split.max(2 * settings.min_samples_leaf);
        let deep = settings.max_depth.is_some_and(|most| depth >= most);
        if deep || samples.len() < few || settings.criterion.impurity(totals) <= f64::EPSILON {
            return None;
        }
        let (mut best, mut varied) = (None, false);
        let all = self.tries == self.features.len();
        for place in 0..self.features.len() {
            if place >= self.tries && varied {
                break;
            }
            if !all {
                let drawn = self.rng.random_range(place..self.features.len());
                self.features.swap(place, drawn);
            }
            let feature = self.features[place] as usize;
            let column = (feature, &self.columns[feature]);
            varied |= self.search.feature(column, samples, members, totals, &mut best);
        }
        best
    }
}

/// Puts samples up to a rank before the others, both in order; tells how many they are.
fn part_samples(samples: &mut [u32], ranks: &[u32], most: u32, spare: &mut Vec<u32>) -> usize {
    spare.clear();
    let mut left = 0;
    for i in 0..samples.len() {
        let sample = samples[i];
        if ranks[sample as usize] <= most {
            samples[left] = sample;
            left += 1;
        } else {
            spare.push(sample);
        }
    }
    samples[left..].copy_from_slice(spare);
    left
}

/// Divides by the sum, if it is not 0.
pub(super) fn normalize(values: &mut [f64]) {
    let total: f64 = values.iter().sum();
    if total > 0. {
        values.iter_mut().for_each(|value| *value /= total);
    }
}
