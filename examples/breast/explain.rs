//! One image drawn for a reader who is no engineer: as it is, what spoke for the verdict, where the
//! network read.

use anyhow::Result;
use ocellus::{
    data::Image,
    figures::{Figure, ImagePlot, Picture},
};

use crate::maps::Maps;

/// What is drawn.
pub(crate) struct Explained<'a> {
    pub(crate) image: &'a Image,
    pub(crate) maps: &'a Maps,
    /// The name of the predicted class.
    pub(crate) verdict: &'a str,
    /// The lesion's outline, where it is known.
    pub(crate) lesion: Option<&'a Image>,
}

impl Explained<'_> {
    /// The image under `title`, with a caption; the evidence; with a gate, its map.
    pub(crate) fn draw(&self, title: &str, caption: &str) -> Result<Vec<Figure>> {
        let (channels, height, width) = self.image.dims();
        let picture = Picture::from_planes(channels, height, width, self.image.data())?;
        let side = self.maps.side;
        let plain = ImagePlot::new(&picture).with_title(title).with_caption(caption);
        let evidence = ImagePlot::new(&picture)
            .with_title(format!("What speaks for {}", self.verdict))
            .with_map(side, side, &self.maps.evidence)
            .with_range(0., highest(&self.maps.evidence))
            .with_ends("nothing", "most")
            .with_level(0.5, "half of the most, or more")
            .with_caption(format!(
                "Evidence: places whose echo pattern raises the odds of {}.",
                self.verdict
            ));
        let mut plots = vec![plain, evidence];
        if let Some(gate) = &self.maps.gate {
            let plot = ImagePlot::new(&picture)
                .with_title("Where the gate is open")
                .with_map(side, side, gate)
                .with_range(0., 1.)
                .with_alpha(0.55)
                .with_caption(
                    "Attention gate: how much it lets through of each place, from 0 (nothing) to 1 (all).",
                );
            plots.push(plot);
        }
        plots.into_iter().map(|plot| Ok(self.outlined(plot).draw()?)).collect()
    }

    fn outlined(&self, plot: ImagePlot) -> ImagePlot {
        let Some(mask) = self.lesion else { return plot };
        let outline: Vec<u8> = mask.data().iter().map(|&v| u8::from(v > 0.5)).collect();
        if outline.contains(&1) {
            return plot.with_contour(mask.width(), mask.height(), &outline, "outlined lesion");
        }
        plot
    }
}

/// The end of the scale; 1 where all is zero, so that nothing lights up.
fn highest(map: &[f32]) -> f64 {
    let highest = map.iter().copied().fold(0f32, f32::max);
    if highest > 0. { f64::from(highest) } else { 1. }
}
