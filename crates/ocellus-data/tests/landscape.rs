//! Simulated satellite scenes: repeatable, of any size, neither trivial nor hopeless.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

use std::collections::HashMap;

use ocellus_data::{
    LabeledScene, MaskCoding, ScenePairs,
    raster::{SceneSource, Window, open_scene},
    synthetic::{Acquisition, Area, Biome, Labels, LandCover, Landscape, Rendered, Sensor, Truth},
};
use ocellus_testing::with_threads;
use proptest::prelude::*;

fn whole(scene: &Landscape) -> Rendered {
    scene.render(Window::new(0, 0, scene.width, scene.height)).unwrap()
}

fn areas() -> [Area; 7] {
    [
        Area::town(),
        Area::old_town(),
        Area::suburb(),
        Area::industrial(),
        Area::village(),
        Area::desert_town(),
        Area::tropical_town(),
    ]
}

fn is_building(rendered: &Rendered) -> Vec<bool> {
    rendered.cover.iter().map(|&cover| cover == LandCover::Building).collect()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 12, failure_persistence: None, ..Default::default() })]

    #[test]
    fn any_window_gives_the_same_bits(
        seed in 0u64..50,
        x in 0u32..300,
        y in 0u32..300,
        width in 1u32..280,
        height in 1u32..90,
        lean in 0f32..35.,
        sun in 18f32..80.,
    ) {
        let area = areas()[seed as usize % 7].clone().with_height(1.7);
        let acquisition = Acquisition::default()
            .with_view(7. * seed as f32, lean)
            .with_sun(7. * (50. - seed as f32), sun);
        let scene =
            Landscape::new(600, 400, seed).with_area(area).with_acquisition(acquisition);
        let window = Window::new(x, y, width, height);
        let part = scene.render(window).unwrap();
        let all = whole(&scene);
        for row in 0..height as usize {
            let from = (y as usize + row) * 600 + x as usize;
            let columns = width as usize;
            prop_assert_eq!(&part.cover[row * columns..][..columns], &all.cover[from..][..columns]);
            for band in 0..4 {
                let here = &part.numbers[(band * height as usize + row) * columns..][..columns];
                prop_assert_eq!(here, &all.numbers[band * 600 * 400 + from..][..columns]);
            }
        }
    }
}

#[test]
fn any_number_of_threads_gives_the_same_bits() {
    let scene = Landscape::new(700, 300, 3);
    let one = with_threads(1, || whole(&scene));
    for threads in [2, 5] {
        assert!(with_threads(threads, || whole(&scene)) == one, "{threads} threads");
    }
}

#[test]
fn bands_of_rows_are_the_scene() {
    let scene = Landscape::new(120, 101, 8).with_sensor(Sensor::unseen());
    let all = whole(&scene);
    let mut cover = Vec::new();
    for band in scene.bands(40) {
        cover.extend(band.unwrap().cover);
    }
    assert_eq!(cover, all.cover);
}

#[test]
fn a_far_corner_of_a_huge_scene_is_rendered() {
    let scene = Landscape::new(60_000, 60_000, 2);
    let piece = scene.render(Window::new(59_900, 59_900, 100, 100)).unwrap();
    assert!(piece.numbers.iter().any(|&n| n != piece.numbers[0]));
    assert_ne!(piece.numbers, scene.render(Window::new(0, 0, 100, 100)).unwrap().numbers);
}

#[test]
fn every_area_has_buildings_and_what_else_it_names() {
    for area in areas() {
        let (mut counts, mut total) = ([0usize; 5], 0.);
        for seed in 0..3 {
            let scene = Landscape::new(700, 700, seed).with_area(area.clone());
            for cover in whole(&scene).cover {
                counts[cover as usize] += 1;
                total += 1.;
            }
        }
        let share = counts.map(|n| n as f64 / total);
        let name = &area.name;
        assert!((0.01..0.4).contains(&share[1]), "{name}: {share:?}");
        assert!(share[2] > 0.02 && share[3] > 0.02, "{name}: {share:?}");
        assert_eq!(area.water > 0., share[4] > 0., "{name}: {share:?}");
    }
}

/// F1 of the best classifier of single pixels, near enough: the majority of each cell of a
/// 16⁴ histogram, learned on other scenes of the same kind.
fn pixel_wise_f1(train: &[Rendered], test: &Rendered) -> f64 {
    let cell = |rendered: &Rendered, at: usize| {
        let plane = rendered.cover.len();
        let number = |band: usize| (u64::from(rendered.numbers[band * plane + at]) / 60).min(15);
        number(0) << 12 | number(1) << 8 | number(2) << 4 | number(3)
    };
    let mut votes = HashMap::<u64, [u32; 2]>::new();
    for rendered in train {
        for (at, building) in is_building(rendered).into_iter().enumerate() {
            votes.entry(cell(rendered, at)).or_default()[usize::from(building)] += 1;
        }
    }
    let f1 = |bar: f64| {
        let (mut hits, mut claimed, mut there) = (0., 0., 0.);
        for (at, building) in is_building(test).into_iter().enumerate() {
            let [no, yes] = votes.get(&cell(test, at)).copied().unwrap_or_default();
            let found = f64::from(yes) > bar * f64::from(yes + no);
            hits += f64::from(u8::from(found && building));
            claimed += f64::from(u8::from(found));
            there += f64::from(u8::from(building));
        }
        2. * hits / (claimed + there)
    };
    [0.15, 0.25, 0.35, 0.5].map(f1).into_iter().fold(0., f64::max)
}

#[test]
fn a_pixel_alone_does_not_tell_a_building() {
    for area in [Area::town(), Area::desert_town(), Area::industrial()] {
        let scene = |seed| whole(&Landscape::new(600, 600, seed).with_area(area.clone()));
        let (train, test) = ([scene(1), scene(2), scene(3)], scene(4));
        let f1 = pixel_wise_f1(&train, &test);
        println!("{}: {f1:.3}", area.name);
        // Better than chance, far from solved.
        assert!((0.2..0.72).contains(&f1), "{}: {f1}", area.name);
    }
}

#[test]
fn all_sensors_see_the_same_world() {
    let scene = Landscape::new(300, 300, 5);
    let [alpha, beta, _] =
        Sensor::training().map(|sensor| whole(&scene.clone().with_sensor(sensor)));
    assert_eq!(alpha.cover, beta.cover);
    assert_ne!(alpha.numbers, beta.numbers);
    let mean = |r: &Rendered, band: usize| {
        let plane = &r.numbers[band * 90_000..][..90_000];
        plane.iter().map(|&n| f64::from(n)).sum::<f64>() / 9e4
    };
    let unseen = whole(&scene.with_sensor(Sensor::unseen().with_resolution(0.5)));
    // Balance of red to blue: outside of what the training sensors have.
    let balance = |r: &Rendered| mean(r, 2) / mean(r, 0);
    let known = [balance(&alpha), balance(&beta)];
    assert!(known.iter().all(|k| (balance(&unseen) / k - 1.).abs() > 0.05), "{known:?}");
}

/// The mean number of a band `steps` pixels from the buildings in a direction, on the ground.
fn beside(rendered: &Rendered, width: usize, step: [isize; 2]) -> f64 {
    let building = is_building(rendered);
    let (mut sum, mut count) = (0., 0.);
    for at in 0..building.len() {
        let (y, x) = (at / width, at % width);
        let (Some(y), Some(x)) = (y.checked_add_signed(step[1]), x.checked_add_signed(step[0]))
        else {
            continue;
        };
        if building[at] && x < width && y < building.len() / width && !building[y * width + x] {
            sum += f64::from(rendered.numbers[3 * building.len() + y * width + x]);
            count += 1.;
        }
    }
    sum / count
}

#[test]
fn shadows_lie_on_the_side_away_from_the_sun() {
    let acquisition = Acquisition::default().with_sun(90., 40.).with_view(0., 0.);
    let scene = Landscape::new(700, 700, 4)
        .with_area(Area::suburb().with_built(1.))
        .with_acquisition(acquisition);
    let rendered = whole(&scene);
    let (east, west) = (beside(&rendered, 700, [5, 0]), beside(&rendered, 700, [-5, 0]));
    assert!(west < 0.6 * east, "{west} {east}");
}

#[test]
fn the_mask_fits_to_the_pixel() {
    let sensor = Sensor::default().with_blur(0.).with_noise(0., 0.);
    let scene = Landscape::new(600, 600, 4).with_area(Area::old_town()).with_sensor(sensor);
    let rendered = whole(&scene);
    let building = is_building(&rendered);
    // Steps between neighbors where the mask begins, and one pixel before and after.
    let mut steps = [(0., 0.); 3];
    for y in 0..600 {
        for x in 3..597 {
            let at = y * 600 + x;
            if !building[at - 2] && !building[at - 1] && building[at] && building[at + 1] {
                for (steps, shift) in steps.iter_mut().zip([-1isize, 0, 1]) {
                    let to = at.saturating_add_signed(shift);
                    let step = |band: usize| {
                        let plane = &rendered.numbers[band * 360_000..];
                        f64::from(plane[to].abs_diff(plane[to - 1]))
                    };
                    steps.0 += (0..4).map(step).sum::<f64>();
                    steps.1 += 1.;
                }
            }
        }
    }
    let [before, on, after] = steps.map(|(sum, count)| sum / count);
    assert!(on > 2. * before && on > 2. * after, "{before} {on} {after}");
}

#[test]
fn footprints_lie_beside_roofs_that_lean() {
    let area = Area::town().with_built(1.).with_water(0.);
    let scene = |lean, truth| {
        let acquisition = Acquisition::default().with_view(120., lean);
        let scene = Landscape::new(500, 500, 6).with_area(area.clone());
        is_building(&whole(&scene.with_acquisition(acquisition).with_truth(truth)))
    };
    let overlap = |lean| {
        let (roofs, ground) = (scene(lean, Truth::Roofs), scene(lean, Truth::Footprints));
        let both = roofs.iter().zip(&ground).filter(|(a, b)| **a && **b).count() as f64;
        let any = roofs.iter().zip(&ground).filter(|(a, b)| **a || **b).count() as f64;
        both / any
    };
    let (nadir, oblique) = (overlap(0.), overlap(30.));
    assert!(nadir > 0.97 && oblique < 0.75, "{nadir} {oblique}");
    assert_eq!(scene(0., Truth::Footprints), scene(30., Truth::Footprints));
}

#[test]
fn a_written_scene_is_read_as_it_was_rendered() {
    let root = tempfile::tempdir().unwrap();
    for kind in ["images", "masks"] {
        std::fs::create_dir(root.path().join(kind)).unwrap();
    }
    // More rows than are written at a time.
    let scene = Landscape::new(300, 530, 9).with_labels(Labels::LandCover);
    let file = |kind: &str| root.path().join(kind).join("town_9.tif");
    scene.write(file("images"), file("masks")).unwrap();
    let set = ScenePairs::new(root.path()).with_coding(MaskCoding::Classes(5)).read().unwrap();
    let pair = set.scene(0).unwrap();
    assert_eq!((pair.size(), pair.bands()), (scene.size(), 4));
    let all = Window::new(0, 0, 300, 530);
    assert_eq!(pair.read(all).unwrap(), scene.read(all).unwrap());
    let window = Window::new(250, 240, 33, 70);
    let mut source = scene.clone().source().unwrap();
    let mut file = open_scene(file("images")).unwrap();
    assert_eq!(file.read(window).unwrap(), source.read(window).unwrap());
    assert_eq!(file.info().geo, source.info().geo);
    assert!(scene.write(root.path().join("no/a.tif"), root.path().join("b.tif")).is_err());
    assert!(!root.path().join("b.tif").exists());
}

#[test]
fn names_the_setting_that_is_wrong() {
    let scene = || Landscape::new(64, 64, 1);
    let message = |scene: Landscape| scene.render(Window::new(0, 0, 8, 8)).unwrap_err().to_string();
    let area = |area: Area| message(scene().with_area(area));
    assert!(area(Area::town().with_built(1.5)).contains("`built` is 1.5"));
    assert!(
        area(Area::town().with_biome(Biome::Arid).with_winding(f32::NAN)).contains("`winding`")
    );
    assert!(area(Area::town().with_districts([0.; 4])).contains("`districts`"));
    let sensor = |sensor: Sensor| message(scene().with_sensor(sensor));
    assert!(sensor(Sensor::default().with_resolution(0.)).contains("`resolution`"));
    assert!(sensor(Sensor::default().with_bits(17)).contains("`bits` is 17"));
    assert!(sensor(Sensor::default().with_blur(-1.)).contains("`blur`"));
    let low = Acquisition::default().with_sun(0., 3.);
    assert!(message(scene().with_acquisition(low)).contains("`sun_elevation` is 3"));
    assert!(message(Landscape::new(0, 5, 1)).contains("0×5"));
    let beyond = scene().render(Window::new(60, 0, 8, 8)).unwrap_err().to_string();
    assert!(beyond.contains("8×8 pixels at (60, 0)"), "{beyond}");
}
