//! The figures: overlays, scores, reduced features, the tree.

use anyhow::Result;
use ocellus::{
    anomaly::{AnomalyDetector, Calibration, Detector},
    candle::Device,
    data::{Image, synthetic::OctaGrade},
    figures::{
        ConfusionPlot, DendrogramPlot, Figure, ImagePlot, Panels, Picture, ScatterPlot, ScorePlot,
        Section,
    },
    metrics::ConfusionMatrix,
    octa::Graded,
};

use crate::{
    common::files,
    examined::{Examined, Protocol},
    run::Run,
};

/// How many images of each grade are shown.
const SHOWN: usize = 2;

/// An image, and how strange its pixels are.
pub(crate) struct Overlay {
    picture: Picture,
    size: (usize, usize),
    map: Vec<f32>,
}

impl Overlay {
    pub(crate) fn new(detector: &Detector, image: &Image) -> Result<Self> {
        let batch = Image::stack(std::slice::from_ref(image), &Device::Cpu)?;
        let map = detector.score(&batch)?.maps;
        let (_, _, height, width) = map.dims4()?;
        let (channels, rows, columns) = image.dims();
        Ok(Self {
            picture: Picture::from_planes(channels, rows, columns, image.data())?,
            size: (width, height),
            map: map.flatten_all()?.to_vec1()?,
        })
    }

    pub(crate) fn draw(&self, title: &str, (low, high): (f64, f64)) -> Result<Figure> {
        let (width, height) = self.size;
        let plot = ImagePlot::new(&self.picture).with_map(width, height, &self.map);
        Ok(plot.with_range(low, high).with_ends("normal", "strange").with_title(title).draw()?)
    }
}

/// From the middle of outstanding pixels to the strangest one that is shown.
pub(crate) fn range(calibration: &Calibration, shown: &[Overlay]) -> Result<(f64, f64)> {
    let low = calibration.pixels.quantile(0.5)?;
    let all = shown.iter().flat_map(|overlay| &overlay.map).copied();
    let high = f64::from(all.fold(f32::NEG_INFINITY, f32::max));
    Ok((low, if high > low { high } else { low + 1. }))
}

/// All figures of a detector and the grades that were given by it.
pub(crate) fn sections(
    run: &Run,
    examined: &Examined,
    graded: &Graded,
    protocol: Protocol,
) -> Result<Vec<Section>> {
    let name = examined.method.name();
    let keep = |name: &str, figure: &Figure| {
        files::write(run.out.join(format!("{name}.png")), figure.to_png_scaled(2.)?)
    };
    let overlays = overlays(run, examined, graded)?;
    keep("overlays", &Panels::new(SHOWN).draw(&overlays)?)?;
    let scores = scores(examined, protocol)?;
    keep("scores", &scores)?;
    let confusion = confusion(examined, graded)?;
    keep("confusion", &confusion)?;
    let mut sections = vec![
        Section::new(format!("Where {name} sees what is strange"))
            .with_figures(&overlays, "Two images of each grade: the truth, then what was said.")?,
        Section::new(format!("Scores of {name}")).with_figures(
            &[scores, confusion],
            format!("The threshold is {}.", protocol.title()),
        )?,
    ];
    let mut clusters = Vec::new();
    if let Some(scatter) = scatter(examined, graded)? {
        keep("features", &scatter)?;
        clusters.push(scatter);
    }
    if let Some(tree) = tree(examined, graded)? {
        keep("dendrogram", &tree)?;
        clusters.push(tree);
    }
    if !clusters.is_empty() {
        sections.push(Section::new("Clusters of what is not outstanding").with_figures(
            &clusters,
            "Colors are true grades, shapes are what was said. The grades were not seen.",
        )?);
    }
    Ok(sections)
}

fn overlays(run: &Run, examined: &Examined, graded: &Graded) -> Result<Vec<Figure>> {
    let mut shown = Vec::new();
    for grade in OctaGrade::ALL {
        let of_grade = (0..examined.grades.len()).filter(|&i| examined.grades[i] == grade);
        for image in of_grade.take(SHOWN) {
            let overlay = Overlay::new(&examined.detector, &run.sets.test.load(image)?)?;
            let said = graded.grades()[image].name();
            shown.push((format!("{}: {said}", grade.name()), overlay));
        }
    }
    let (titles, overlays): (Vec<_>, Vec<_>) = shown.into_iter().unzip();
    let range = range(examined.detector.calibration(), &overlays)?;
    titles.iter().zip(&overlays).map(|(title, overlay)| overlay.draw(title, range)).collect()
}

fn scores(examined: &Examined, protocol: Protocol) -> Result<Figure> {
    let mut plot = ScorePlot::new(format!("Score of {}", examined.method.name()))
        .with_threshold(examined.threshold(protocol).value);
    for grade in OctaGrade::ALL {
        let pairs = examined.grades.iter().zip(examined.images.scores());
        let of_grade: Vec<f64> = pairs.filter(|(g, _)| **g == grade).map(|(_, s)| *s).collect();
        if !of_grade.is_empty() {
            plot = plot.with_class(grade.name(), &of_grade);
        }
    }
    Ok(plot.draw()?)
}

fn confusion(examined: &Examined, graded: &Graded) -> Result<Figure> {
    let mut matrix = ConfusionMatrix::new(OctaGrade::ALL.len())?;
    for (truth, said) in examined.grades.iter().zip(graded.grades()) {
        matrix.add(truth.label(), said.label())?;
    }
    let counts: Vec<u64> = matrix.rows().flatten().copied().collect();
    Ok(ConfusionPlot::new(&OctaGrade::ALL.map(OctaGrade::name), &counts).draw()?)
}

/// The first two components of the images that are not outstanding.
fn scatter(examined: &Examined, graded: &Graded) -> Result<Option<Figure>> {
    let reduced = graded.subdivided().reduced();
    if reduced.ncols() < 2 {
        return Ok(None);
    }
    let mut plot = ScatterPlot::new("First component", "Second component");
    let mut clusters = Vec::new();
    for grade in OctaGrade::ALL {
        let mut points = Vec::new();
        for (row, &image) in graded.rest().iter().enumerate() {
            if examined.grades[image] == grade {
                points.push((f64::from(reduced[[row, 0]]), f64::from(reduced[[row, 1]])));
                clusters.push(graded.grades()[image].label() - 1);
            }
        }
        if !points.is_empty() {
            plot = plot.with_group(grade.name(), &points);
        }
    }
    Ok(Some(plot.with_clusters(&clusters).with_title("Reduced features").draw()?))
}

/// How the images that are not outstanding were merged, cut into two.
fn tree(examined: &Examined, graded: &Graded) -> Result<Option<Figure>> {
    let Some(tree) = graded.subdivided().dendrogram() else { return Ok(None) };
    let merges: Vec<_> = tree.merges().iter().map(|m| (m.left, m.right, m.height)).collect();
    let [.., (_, _, below), (_, _, top)] = merges.as_slice() else { return Ok(None) };
    let grades: Vec<usize> =
        graded.rest().iter().map(|&image| examined.grades[image].label()).collect();
    let plot = DendrogramPlot::new(&merges)
        .with_cut((below + top) / 2.)
        .with_classes(&OctaGrade::ALL.map(OctaGrade::name), &grades);
    Ok(Some(plot.with_title("Ward's linkage").draw()?))
}
