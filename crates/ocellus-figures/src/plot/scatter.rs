use crate::{
    Color, Figure, Result,
    chart::{Axis, Chart, Legend, Mark, Shape, draw_cross},
    check,
};

/// Points in a plane, such as features reduced to two components: colored by class, shaped by the
/// cluster that they were put into, with the clusters' centers.
///
/// # Examples
///
/// ```
/// use ocellus_figures::ScatterPlot;
///
/// let figure = ScatterPlot::new("First component", "Second component")
///     .with_group("gradable", &[(0.1, 0.2), (0.3, 0.1)])
///     .with_group("ungradable", &[(2.0, 1.9)])
///     .with_clusters(&[0, 0, 1])
///     .with_centers(&[(0.2, 0.15), (2.0, 1.9)])
///     .draw()?;
/// assert!(figure.to_svg()?.contains("gradable (n = 2)"));
/// # Ok::<(), ocellus_figures::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct ScatterPlot {
    title: String,
    labels: [String; 2],
    groups: Vec<(String, Vec<(f64, f64)>)>,
    clusters: Option<Vec<usize>>,
    centers: Vec<(f64, f64)>,
}

impl ScatterPlot {
    /// A plot without points; `x` and `y` say what the axes are.
    #[must_use]
    pub fn new(x: impl Into<String>, y: impl Into<String>) -> Self {
        let labels = [x.into(), y.into()];
        let (title, groups, centers) = (String::new(), Vec::new(), Vec::new());
        Self { title, labels, groups, clusters: None, centers }
    }

    /// Sets the title.
    #[must_use]
    pub fn with_title(mut self, title: impl Into<String>) -> Self {
        self.title = title.into();
        self
    }

    /// Adds the points of a class, in its color.
    #[must_use]
    pub fn with_group(mut self, name: impl Into<String>, points: &[(f64, f64)]) -> Self {
        self.groups.push((name.into(), points.to_vec()));
        self
    }

    /// Sets the cluster of each point, in the order in which they were added: its shape.
    #[must_use]
    pub fn with_clusters(mut self, clusters: &[usize]) -> Self {
        self.clusters = Some(clusters.to_vec());
        self
    }

    /// Marks the centers of the clusters with crosses.
    #[must_use]
    pub fn with_centers(mut self, centers: &[(f64, f64)]) -> Self {
        self.centers = centers.to_vec();
        self
    }

    /// Draws the points; those of the smallest class last, so that they are not covered.
    ///
    /// # Errors
    ///
    /// If there is no group or one without points, there are not as many clusters as points, or a
    /// coordinate is NaN, infinite or beyond 1e30.
    pub fn draw(&self) -> Result<Figure> {
        self.check()?;
        let all = || self.groups.iter().flat_map(|(_, points)| points).chain(&self.centers);
        let chart = Chart {
            title: &self.title,
            x: Axis::fitted(&self.labels[0], all().map(|p| p.0), 6),
            y: Axis::fitted(&self.labels[1], all().map(|p| p.1), 6),
            size: (420.0, 360.0),
            left: 0.0,
            legend: self.legend(),
        };
        let count = all().count() - self.centers.len();
        let radius = if count > 800 { 2.6 } else { 3.6 };
        chart.draw(self.describe(), |canvas, plane| {
            let mut first = 0;
            let mut order: Vec<_> = Vec::new();
            for (group, (_, points)) in self.groups.iter().enumerate() {
                order.push((points.len(), group, first));
                first += points.len();
            }
            order.sort_by_key(|(len, ..)| std::cmp::Reverse(*len));
            for (_, group, first) in order {
                for (i, &(x, y)) in self.groups[group].1.iter().enumerate() {
                    let cluster = self.clusters.as_ref().map_or(0, |c| c[first + i]);
                    let color = Color::palette(group);
                    Shape::of(cluster).draw(canvas, plane.at(x, y), radius, color);
                }
            }
            for &(x, y) in &self.centers {
                draw_cross(canvas, plane.at(x, y));
            }
        })
    }

    fn check(&self) -> Result<()> {
        check::not_empty("the list of groups", &self.groups)?;
        let mut count = 0;
        for (name, points) in &self.groups {
            check::not_empty(&format!("the points of {name:?}"), points)?;
            check_points(&format!("of {name:?}"), points)?;
            count += points.len();
        }
        check_points("of the centers", &self.centers)?;
        match &self.clusters {
            Some(clusters) => check::same_length("the list of clusters", clusters.len(), count),
            None => Ok(()),
        }
    }

    fn legend(&self) -> Legend {
        let mut legend = Legend::default();
        for (i, (name, points)) in self.groups.iter().enumerate() {
            let text = format!("{name} (n = {})", points.len());
            legend.push(Mark::Point(Color::palette(i), Shape::Circle), text);
        }
        let mut clusters = self.clusters.clone().unwrap_or_default();
        clusters.sort_unstable();
        clusters.dedup();
        for cluster in clusters.into_iter().take(12) {
            let mark = Mark::Point(Color::GRAY, Shape::of(cluster));
            legend.push(mark, format!("cluster {}", cluster.saturating_add(1)));
        }
        if !self.centers.is_empty() {
            legend.push(Mark::Cross, "centers of clusters");
        }
        legend
    }

    fn describe(&self) -> String {
        let groups = self.groups.iter().map(|(name, points)| format!("{} of {name}", points.len()));
        let groups = groups.collect::<Vec<_>>().join(", ");
        let [x, y] = &self.labels;
        format!("Points in a plane of {x} and {y}: {groups}.")
    }
}

fn check_points(what: &str, points: &[(f64, f64)]) -> Result<()> {
    let (x, y): (Vec<f64>, Vec<f64>) = points.iter().copied().unzip();
    check::finite(&format!("the x {what}"), &x)?;
    check::finite(&format!("the y {what}"), &y)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn colors_are_classes_and_shapes_are_clusters() {
        let plot = ScatterPlot::new("x", "y").with_title("t");
        let plot = plot.with_group("a", &[(0.0, 0.0), (1.0, 1.0)]).with_group("b", &[(2.0, 0.5)]);
        let svg = plot.clone().with_clusters(&[0, 3, 3]).draw().unwrap().to_svg().unwrap();
        for text in ["a (n = 2)", "b (n = 1)", "cluster 1", "cluster 4"] {
            assert!(svg.contains(text), "{text}");
        }
        assert!(!svg.contains("cluster 2") && !svg.contains("centers"));
        let svg = plot.with_centers(&[(0.5, 0.5)]).draw().unwrap().to_svg().unwrap();
        assert!(svg.contains("centers of clusters"));
    }

    #[test]
    fn rejects_what_cannot_be_drawn() {
        let plot = ScatterPlot::new("x", "y");
        assert!(plot.draw().is_err());
        assert!(plot.clone().with_group("a", &[]).draw().is_err());
        let one = plot.clone().with_group("a", &[(0.0, 0.0)]);
        let error = one.clone().with_clusters(&[0, 1]).draw().unwrap_err().to_string();
        assert_eq!(error, "the list of clusters has 2 values where 1 are needed");
        let error = plot.with_group("a", &[(0.0, f64::NAN)]).draw().unwrap_err().to_string();
        assert!(error.contains("the y of \"a\" is NaN"), "{error}");
        assert!(one.with_centers(&[(f64::INFINITY, 0.0)]).draw().is_err());
    }
}
