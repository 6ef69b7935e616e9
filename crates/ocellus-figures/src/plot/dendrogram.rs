use crate::{
    Color, Error, Figure, Result,
    canvas::{Canvas, Stroke},
    chart::{Axis, Chart, Legend, Mark, Plane},
    check,
};

/// How samples were merged into clusters, step by step, from the bottom to the top.
///
/// Of many samples only the last merges are drawn; what was merged before them is one leaf. Below
/// each leaf stands how many samples it holds (as a bar, beside the largest) or, with classes, of
/// which shares of them.
///
/// # Examples
///
/// ```
/// use ocellus_figures::DendrogramPlot;
///
/// // Samples 0 and 1 make cluster 4, samples 2 and 3 cluster 5, both of them all.
/// let merges = [(0, 1, 0.5), (2, 3, 0.8), (4, 5, 3.0)];
/// let figure = DendrogramPlot::new(&merges)
///     .with_classes(&["gradable", "ungradable"], &[0, 0, 1, 0])
///     .with_cut(1.5)
///     .draw()?;
/// assert!(figure.description().contains("4 samples"));
/// assert!(figure.to_svg()?.contains("2 clusters"));
/// # Ok::<(), ocellus_figures::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct DendrogramPlot {
    title: String,
    merges: Vec<(usize, usize, f64)>,
    leaves: usize,
    cut: Option<f64>,
    classes: Option<(Vec<String>, Vec<usize>)>,
}

/// A cluster as it is drawn.
#[derive(Clone, Copy, Debug)]
struct Branch {
    x: f64,
    height: f64,
}

/// The share of the plane below the leaves, for what they hold.
const STRIP: f64 = 0.14;

impl DendrogramPlot {
    /// The merges of n samples, n − 1 of them: `(cluster, cluster, height)`. Clusters 0 to n − 1 are
    /// the samples, n + i is what merge i makes: SciPy's order.
    #[must_use]
    pub fn new(merges: &[(usize, usize, f64)]) -> Self {
        let (title, merges) = (String::new(), merges.to_vec());
        Self { title, merges, leaves: 30, cut: None, classes: None }
    }

    /// Sets the title.
    #[must_use]
    pub fn with_title(mut self, title: impl Into<String>) -> Self {
        self.title = title.into();
        self
    }

    /// Sets how many leaves are drawn at most, 2 to 500; 30 otherwise.
    #[must_use]
    pub fn with_leaves(mut self, leaves: usize) -> Self {
        self.leaves = leaves;
        self
    }

    /// Draws the height at which the tree is cut into clusters, and each of them in its color.
    #[must_use]
    pub fn with_cut(mut self, height: f64) -> Self {
        self.cut = Some(height);
        self
    }

    /// Sets the class of each sample, an index into their names.
    #[must_use]
    pub fn with_classes<S: AsRef<str>>(mut self, names: &[S], labels: &[usize]) -> Self {
        let names = names.iter().map(|name| name.as_ref().to_owned()).collect();
        self.classes = Some((names, labels.to_vec()));
        self
    }

    /// Draws the tree.
    ///
    /// # Errors
    ///
    /// If there are no merges, one is of a cluster that does not exist yet or was merged before, a
    /// height is negative, NaN or beyond 1e30, the leaves are not 2 to 500, or the classes do not
    /// fit the samples.
    pub fn draw(&self) -> Result<Figure> {
        self.check()?;
        let leaves = self.order();
        let heights = self.merges.iter().map(|merge| merge.2).chain(self.cut);
        let mut y = Axis::from_zero("Height of the merge", heights, 5);
        y.range.0 = -STRIP * y.range.1 / (1.0 - STRIP);
        y.ticks.retain(|(value, _)| *value >= 0.0);
        let mut x = Axis::spanning("", -0.5, leaves.len() as f64 - 0.5, 1);
        x.ticks.clear();
        let chart = Chart {
            title: &self.title,
            x,
            y,
            size: ((leaves.len() as f64 * 16.0).clamp(320.0, 900.0), 300.0),
            left: 0.0,
            legend: self.legend(),
        };
        chart.draw(self.describe(&leaves), |canvas, plane| {
            self.draw_branches(canvas, plane, &leaves);
            self.draw_strip(canvas, plane, &leaves, -chart.y.range.0);
            if let Some(cut) = self.cut {
                let (from, to) = (plane.at(-0.5, cut), plane.at(leaves.len() as f64 - 0.5, cut));
                canvas.line(from, to, Stroke::new(Color::INK, 1.4).dashed(4.0, 3.0));
            }
        })
    }

    fn samples(&self) -> usize {
        self.merges.len() + 1
    }

    fn check(&self) -> Result<()> {
        check::not_empty("the list of merges", &self.merges)?;
        let heights: Vec<f64> = self.merges.iter().map(|m| m.2).chain(self.cut).collect();
        check::finite("the heights of merges and cut", &heights)?;
        let wrong = |what, value: String, remedy| Err(Error::Setting { what, value, remedy });
        if let Some(height) = heights.iter().find(|height| **height < 0.0) {
            return wrong("a height", height.to_string(), "give 0 or more");
        }
        if !(2..=500).contains(&self.leaves) {
            return wrong("the number of leaves", self.leaves.to_string(), "give 2 to 500");
        }
        let mut merged = vec![false; self.samples() + self.merges.len()];
        for (i, &(a, b, _)) in self.merges.iter().enumerate() {
            for cluster in [a, b] {
                if cluster >= self.samples() + i || std::mem::replace(&mut merged[cluster], true) {
                    let value = format!("of cluster {cluster} at step {i}");
                    return wrong("a merge", value, "merge clusters that are there, each once");
                }
            }
        }
        let Some((names, labels)) = &self.classes else { return Ok(()) };
        check::same_length("the list of labels", labels.len(), self.samples())?;
        match labels.iter().find(|label| **label >= names.len()) {
            Some(label) => wrong("a label", label.to_string(), "give the index of a class"),
            None => Ok(()),
        }
    }

    /// The clusters that are drawn as leaves, from left to right.
    fn order(&self) -> Vec<usize> {
        let (samples, total) = (self.samples(), self.samples() + self.merges.len());
        // The last merges are drawn; each adds a leaf.
        let drawn = total - (self.leaves - 1).min(self.merges.len());
        let (mut leaves, mut waiting) = (Vec::new(), vec![total - 1]);
        while let Some(cluster) = waiting.pop() {
            if cluster >= drawn {
                let (a, b, _) = self.merges[cluster - samples];
                waiting.extend([b, a]);
            } else {
                leaves.push(cluster);
            }
        }
        leaves
    }

    /// The samples of a cluster.
    fn members(&self, cluster: usize) -> Vec<usize> {
        let (mut members, mut waiting) = (Vec::new(), vec![cluster]);
        while let Some(cluster) = waiting.pop() {
            match cluster.checked_sub(self.samples()) {
                Some(merge) => waiting.extend([self.merges[merge].0, self.merges[merge].1]),
                None => members.push(cluster),
            }
        }
        members
    }

    fn draw_branches(&self, canvas: &mut Canvas, plane: &Plane, leaves: &[usize]) {
        let samples = self.samples();
        let mut branches: Vec<Option<Branch>> = vec![None; samples + self.merges.len()];
        for (x, &leaf) in leaves.iter().enumerate() {
            branches[leaf] = Some(Branch { x: x as f64, height: 0.0 });
        }
        let colors = self.colors();
        // Classes have the colors that they have in every other plot, clusters those that follow.
        let classes = self.classes.as_ref().map_or(0, |(names, _)| names.len());
        for (i, &(a, b, height)) in self.merges.iter().enumerate() {
            let (Some(left), Some(right)) = (branches[a], branches[b]) else { continue };
            branches[samples + i] = Some(Branch { x: 0.5 * (left.x + right.x), height });
            let points = vec![
                plane.at(left.x, left.height),
                plane.at(left.x, height),
                plane.at(right.x, height),
                plane.at(right.x, right.height),
            ];
            let color = colors[samples + i]
                .map_or(Color::MUTED, |cluster| Color::palette(classes + cluster));
            canvas.path(points, Stroke::new(color, 1.6));
        }
    }

    /// For each cluster that lies below the cut the index of the one that the cut leaves it in.
    fn colors(&self) -> Vec<Option<usize>> {
        let samples = self.samples();
        let mut colors = vec![None; samples + self.merges.len()];
        let Some(cut) = self.cut else { return colors };
        let mut next = 0;
        for (i, &(a, b, height)) in self.merges.iter().enumerate().rev() {
            if height > cut {
                continue;
            }
            let color = *colors[samples + i].get_or_insert_with(|| {
                next += 1;
                next - 1
            });
            (colors[a], colors[b]) = (Some(color), Some(color));
        }
        colors
    }

    fn draw_strip(&self, canvas: &mut Canvas, plane: &Plane, leaves: &[usize], room: f64) {
        let members: Vec<_> = leaves.iter().map(|&leaf| self.members(leaf)).collect();
        let most = members.iter().map(Vec::len).max().unwrap_or(1) as f64;
        let (top, bottom) = (-0.15 * room, -0.92 * room);
        let mut bar = |x: usize, from: f64, to: f64, color: Color| {
            let height = |share: f64| bottom + share * (top - bottom);
            let (left, above) = plane.at(x as f64 - 0.36, height(to));
            let (right, below) = plane.at(x as f64 + 0.36, height(from));
            canvas.rect((left, above), (right - left, below - above), Some(color), None);
        };
        for (x, members) in members.iter().enumerate() {
            let Some((names, labels)) = &self.classes else {
                bar(x, 0.0, members.len() as f64 / most, Color::AXIS);
                continue;
            };
            let mut from = 0.0;
            for class in 0..names.len() {
                let count = members.iter().filter(|&&sample| labels[sample] == class).count();
                let to = from + count as f64 / members.len() as f64;
                if count > 0 {
                    bar(x, from, to, Color::palette(class));
                }
                from = to;
            }
        }
    }

    fn clusters(&self, cut: f64) -> usize {
        1 + self.merges.iter().filter(|merge| merge.2 > cut).count()
    }

    fn legend(&self) -> Legend {
        let mut legend = Legend::default();
        for (class, name) in self.classes.iter().flat_map(|(names, _)| names).enumerate() {
            legend.push(Mark::Box(Color::palette(class)), name.as_str());
        }
        if self.classes.is_none() {
            legend.push(Mark::Box(Color::AXIS), "samples of each leaf");
        }
        if let Some(cut) = self.cut {
            let line = Stroke::new(Color::INK, 1.4).dashed(4.0, 3.0);
            legend.push(Mark::Line(line), format!("cut into {} clusters", self.clusters(cut)));
        }
        legend
    }

    fn describe(&self, leaves: &[usize]) -> String {
        let cut = self.cut.map(|cut| format!(", cut into {} clusters", self.clusters(cut)));
        let (samples, cut) = (self.samples(), cut.unwrap_or_default());
        format!("The merges of {samples} samples from {} leaves on{cut}.", leaves.len())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// 6 samples: 0-1, 2-3, then 4 joins the first pair, 5 the second, then all.
    const MERGES: [(usize, usize, f64); 5] =
        [(0, 1, 1.0), (2, 3, 1.5), (6, 4, 2.0), (7, 5, 3.0), (8, 9, 7.0)];

    #[test]
    fn truncated_leaves_hold_the_rest() {
        let whole = DendrogramPlot::new(&MERGES);
        assert_eq!(whole.order(), [0, 1, 4, 2, 3, 5]);
        let truncated = whole.with_leaves(3);
        assert_eq!(truncated.order(), [8, 7, 5]);
        let mut members = truncated.members(8);
        members.sort_unstable();
        assert_eq!(members, [0, 1, 4]);
    }

    #[test]
    fn the_cut_colors_what_lies_below() {
        let plot = DendrogramPlot::new(&MERGES).with_cut(2.5);
        assert_eq!(plot.clusters(2.5), 3);
        let colors = plot.colors();
        assert_eq!(colors[8], colors[6]);
        assert_eq!(colors[8], colors[0]);
        assert_ne!(colors[8], colors[7]);
        assert_eq!((colors[9], colors[10]), (None, None));
    }

    #[test]
    fn a_long_chain_does_not_overflow_the_stack() {
        let n = 20_000;
        let chain: Vec<_> =
            (0..n - 1).map(|i| (if i == 0 { 0 } else { n + i - 1 }, i + 1, i as f64)).collect();
        let labels: Vec<usize> = (0..n).map(|i| i % 3).collect();
        let plot = DendrogramPlot::new(&chain).with_classes(&["a", "b", "c"], &labels);
        assert!(plot.draw().unwrap().description().contains("20000 samples from 30 leaves"));
    }

    #[test]
    fn rejects_trees_that_are_none() {
        let message = |merges: &[(usize, usize, f64)]| {
            DendrogramPlot::new(merges).draw().unwrap_err().to_string()
        };
        assert!(message(&[]).contains("empty"));
        assert!(message(&[(0, 0, 1.0)]).contains("cluster 0 at step 0"));
        assert!(message(&[(0, 3, 1.0), (1, 2, 1.0)]).contains("cluster 3 at step 0"));
        assert!(message(&[(0, 1, -1.0)]).contains("a height is -1"));
        assert!(message(&[(0, 1, f64::NAN)]).contains("NaN"));
        let plot = DendrogramPlot::new(&MERGES);
        assert!(plot.clone().with_leaves(1).draw().is_err());
        assert!(plot.clone().with_classes(&["a"], &[0; 5]).draw().is_err());
        assert!(plot.with_classes(&["a"], &[1; 6]).draw().is_err());
    }
}
