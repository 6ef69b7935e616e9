//! The commands that fit.

use anyhow::{Context, Result};
use ocellus::octa::Method;

use crate::{
    cli::Settings,
    comparison::{self, Entry},
    detectors,
    examined::Examined,
    report::{self, Story},
    run::Run,
    saved,
};

/// With no command: all detectors, both tables, figures of one.
pub(crate) fn demo(settings: &Settings) -> Result<()> {
    let run = Run::open(settings, "octa")?;
    let all = examine(&run, &Method::ALL)?;
    let chosen = all.iter().find(|one| one.method == settings.detector.method());
    let story = Story {
        title: "Quality of OCTA images",
        all: &all,
        table_1: comparison::table_1(&run, &all),
        table_2: chosen.map_or(Ok(Vec::new()), |one| comparison::table_2(&run, one))?,
        beside_the_paper: false,
    };
    let _graded = report::write(&run, &story)?;
    Ok(())
}

/// One detector and how it divides the mixed images, saved.
pub(crate) fn fit(settings: &Settings) -> Result<()> {
    let run = Run::open(settings, "octa-fit")?;
    let all = examine(&run, &[settings.detector.method()])?;
    let story = Story {
        title: "Quality of OCTA images: one detector",
        all: &all,
        table_1: Vec::new(),
        table_2: Vec::new(),
        beside_the_paper: false,
    };
    let graded = report::write(&run, &story)?.context("nothing was saved")?;
    for examined in &all {
        let representation = run.config(examined.method).representation;
        let subdivision = graded.subdivided().model();
        let file = saved::save(&run, &examined.detector, representation, subdivision)?;
        println!("detector: {}", file.display());
    }
    Ok(())
}

/// The paper's Table 1, of one seed. Gives its cells.
pub(crate) fn table_1(settings: &Settings) -> Result<Vec<Entry>> {
    let run = Run::open(settings, "octa-table1")?;
    let all = examine(&run, &Method::ALL)?;
    let story = Story {
        title: "Quality of OCTA images: Table 1",
        all: &all,
        table_1: comparison::table_1(&run, &all),
        table_2: Vec::new(),
        beside_the_paper: true,
    };
    let _graded = report::write(&run, &story)?;
    Ok(story.table_1)
}

/// The paper's Table 2.
pub(crate) fn table_2(settings: &Settings) -> Result<()> {
    let run = Run::open(settings, "octa-table2")?;
    let all = examine(&run, &[settings.detector.method()])?;
    let tables = all.iter().map(|one| comparison::table_2(&run, one));
    let story = Story {
        title: "Quality of OCTA images: Table 2",
        all: &all,
        table_1: Vec::new(),
        table_2: tables.collect::<Result<Vec<_>>>()?.concat(),
        beside_the_paper: true,
    };
    let _graded = report::write(&run, &story)?;
    Ok(())
}

/// Fits these detectors on the same features.
fn examine(run: &Run, methods: &[Method]) -> Result<Vec<Examined>> {
    let encoder = run.network.encoder()?;
    let features = detectors::features(run, &encoder)?;
    methods.iter().map(|&method| Examined::new(run, method, &features)).collect()
}
