//! Whether maps find the lesions that the data set outlines, which no network was told of.

use anyhow::Result;
use ocellus::{
    candle::{Device, Tensor},
    data::Image,
    figures::{Cell, Section, Table},
    metrics::{BootstrapConfig, Interval, Localization, Resampling, bootstrap},
    ops::{Alignment, upsample_bilinear2d},
};
use serde::{Deserialize, Serialize};

use crate::{compare::RowResult, maps::Maps, run::Run};

/// How far from the outlined lesion a maximum still counts as a hit, as a share of the image's side.
const TOLERANCE: f64 = 0.03;

/// How well the maps of one image find its lesion.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Located {
    /// The image's place in the data set.
    pub(crate) index: usize,
    pub(crate) gate: Option<Scores>,
    pub(crate) evidence: Scores,
}

/// The figures of [`Localization`].
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub(crate) struct Scores {
    pub(crate) energy: Option<f64>,
    pub(crate) area: f64,
    pub(crate) peak: f64,
    pub(crate) peak_chance: f64,
    pub(crate) auroc: Option<f64>,
}

/// The pixels of the outlined lesion; none where there is no outline or it is empty.
pub(crate) fn lesion(mask: Option<&Image>) -> Option<Vec<bool>> {
    let pixels: Vec<bool> = mask?.data().iter().map(|&v| v > 0.5).collect();
    pixels.contains(&true).then_some(pixels)
}

/// Compares the maps of the image at `index` with its lesion, if that is outlined.
pub(crate) fn locate(run: &Run, index: usize, maps: &Maps) -> Result<Option<Located>> {
    let Some(mask) = &run.data.masks[index] else { return Ok(None) };
    let Some(lesion) = lesion(Some(mask)) else { return Ok(None) };
    let size = (mask.height(), mask.width());
    let scores = |map: &[f32]| scores(map, maps.side, &lesion, size);
    let gate = maps.gate.as_deref().map(scores).transpose()?;
    Ok(Some(Located { index, gate, evidence: scores(&maps.evidence)? }))
}

fn scores(map: &[f32], side: usize, lesion: &[bool], size: (usize, usize)) -> Result<Scores> {
    let map = Tensor::from_slice(map, (1, 1, side, side), &Device::Cpu)?;
    let map = upsample_bilinear2d(&map, size, Alignment::HalfPixel)?.flatten_all()?;
    let map: Vec<f64> = map.to_vec1::<f32>()?.into_iter().map(f64::from).collect();
    let tolerance = TOLERANCE * size.0.max(size.1) as f64;
    let found = Localization::new(&map, lesion, size.1, tolerance)?;
    Ok(Scores {
        energy: found.energy,
        area: found.area,
        peak: found.peak,
        peak_chance: found.peak_chance,
        auroc: found.auroc,
    })
}

/// A mean, and the ends of its 95 % bootstrap interval over groups.
type Mean = [f64; 3];

/// The means over a row's images.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Summary {
    /// `gate` or `evidence`.
    pub(crate) map: &'static str,
    pub(crate) images: usize,
    /// The share of the map within the lesion, beside the lesion's share of the image.
    pub(crate) energy: Option<Mean>,
    pub(crate) area: f64,
    /// How often the maximum lies in the lesion, beside how often chance would have it.
    pub(crate) peak: Option<Mean>,
    pub(crate) peak_chance: f64,
    /// The area under the ROC of an image's pixels.
    pub(crate) auroc: Option<Mean>,
}

impl Summary {
    /// Of the gate, if there is one, and of the evidence; none where no lesion is outlined.
    pub(crate) fn of(run: &Run, result: &RowResult) -> Vec<Self> {
        let located: Vec<&Located> = result.folds.iter().flat_map(|f| &f.located).collect();
        let gate: Vec<_> = located.iter().filter_map(|l| Some((l.index, l.gate?))).collect();
        let evidence: Vec<_> = located.iter().map(|l| (l.index, l.evidence)).collect();
        let maps = [("gate", gate), ("evidence", evidence)].into_iter();
        maps.filter(|(_, s)| !s.is_empty()).map(|(map, s)| Self::new(run, map, &s)).collect()
    }

    fn new(run: &Run, map: &'static str, scores: &[(usize, Scores)]) -> Self {
        let mean = |of: fn(&Scores) -> f64| {
            scores.iter().map(|(_, s)| of(s)).sum::<f64>() / scores.len() as f64
        };
        Self {
            map,
            images: scores.len(),
            energy: interval(run, scores, |s| s.energy),
            area: mean(|s| s.area),
            peak: interval(run, scores, |s| Some(s.peak)),
            peak_chance: mean(|s| s.peak_chance),
            auroc: interval(run, scores, |s| s.auroc),
        }
    }
}

/// Mean and interval over the images on which the figure is defined.
fn interval(run: &Run, scores: &[(usize, Scores)], of: fn(&Scores) -> Option<f64>) -> Option<Mean> {
    let (groups, values): (Vec<usize>, Vec<f64>) =
        scores.iter().filter_map(|(i, s)| Some((run.data.groups[*i], of(s)?))).unzip();
    let config = BootstrapConfig::seeded(run.settings.common.seed);
    let found = bootstrap(Resampling::Grouped(&groups), &config, |rows| {
        Some(rows.iter().map(|&row| values[row]).sum::<f64>() / rows.len() as f64)
    });
    let Interval { estimate, lower, upper, .. } = found.ok()?.interval;
    Some([estimate, lower, upper])
}

/// A line for the terminal for each row and map.
pub(crate) fn lines(results: &[RowResult], found: &[Vec<Summary>]) -> String {
    let mut text = String::new();
    for (result, summary) in
        results.iter().zip(found).flat_map(|(r, f)| f.iter().map(move |s| (r, s)))
    {
        let show = |mean: Option<Mean>| mean.map_or("–".to_owned(), |m| format!("{:.3}", m[0]));
        text.push_str(&format!(
            "{}, {} on {} outlined lesions: {} of the map within (area {:.3}), maximum within {} \
             (chance {:.3}), pixel AUROC {}\n",
            result.row.title(),
            summary.map,
            summary.images,
            show(summary.energy),
            summary.area,
            show(summary.peak),
            summary.peak_chance,
            show(summary.auroc)
        ));
    }
    text
}

/// The table of the report; none where no lesion is outlined.
pub(crate) fn section(results: &[RowResult], found: &[Vec<Summary>]) -> Result<Option<Section>> {
    let names = ["Network", "Map", "Images", "Within", "Area", "Peak", "Chance", "Pixel AUROC"];
    let mut table = Table::new(&names).with_caption(
        "Means over the images with an outlined lesion, 95 % bootstrap intervals over groups.",
    );
    let cell = |mean: Option<Mean>| {
        mean.map_or_else(Cell::missing, |[mean, low, high]| Cell::interval(mean, low, high, 3))
    };
    for (result, found) in results.iter().zip(found) {
        for s in found {
            table = table.with_row([
                Cell::from(result.row.title().as_str()),
                Cell::from(s.map),
                Cell::from(s.images.to_string().as_str()),
                cell(s.energy),
                Cell::number(s.area, 3),
                cell(s.peak),
                Cell::number(s.peak_chance, 3),
                cell(s.auroc),
            ]);
        }
    }
    if table.row_count() == 0 {
        return Ok(None);
    }
    let section = Section::new("Does it look at the lesion?").with_table(table)?.with_text(format!(
        "Evidence: places that raise the odds of the predicted class. Gate: how much it lets through \
         of each place. No network was told where the lesions are.\n\nWithin: the share of the map \
         inside the outlined lesion, beside the area, the lesion's share of the image. Peak: how often the \
         map's maximum lies in the lesion or within {:.0} % of the image's side of it, beside chance. \
         Pixel AUROC: how well the map ranks pixels inside above those outside; 0.5 is chance.",
        100. * TOLERANCE
    ));
    Ok(Some(section))
}
