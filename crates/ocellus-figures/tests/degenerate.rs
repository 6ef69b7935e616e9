//! Whatever the data, a figure is well-formed or an error: nothing panics.

#![allow(clippy::unwrap_used, reason = "a failed test may panic")]

use ocellus_figures::{
    BarPlot, CalibrationCurve, CalibrationPlot, Cell, ConfusionPlot, DendrogramPlot, Figure,
    GalleryPlot, GridPlot, ImagePlot, OverlayPlot, Panels, Picture, PrCurve, PrPlot, Report,
    Result, RocCurve, RocPlot, ScatterPlot, ScorePlot, Section, Table, Tile, TrainingPanel,
    TrainingPlot,
};
use proptest::{collection::vec, prelude::*};

/// Numbers of all kinds, the worst among them.
fn number() -> impl Strategy<Value = f64> {
    prop_oneof![
        4 => 0.0..=1.0,
        2 => any::<f64>(),
        1 => prop::sample::select(vec![
            0.0, -0.0, 1.0, f64::NAN, f64::INFINITY, f64::MIN, f64::MAX, 1e30, -1e30, 5e-324, 1e-200,
        ]),
    ]
}

fn numbers() -> impl Strategy<Value = Vec<f64>> {
    vec(number(), 0..6)
}

/// If there is a figure, it is XML, and a PNG of the size asked for.
fn check(figure: Result<Figure>) {
    let Ok(figure) = figure else { return };
    let svg = figure.to_svg().unwrap();
    let document = roxmltree::Document::parse(&svg).unwrap();
    let numbers = ["x", "y", "width", "height", "cx", "cy", "r", "font-size", "points"];
    for node in document.descendants() {
        for attribute in node.attributes().filter(|a| numbers.contains(&a.name())) {
            let value = attribute.value();
            assert!(!value.contains("NaN") && !value.contains("inf"), "{value}");
        }
    }
    let picture = Picture::decode(&figure.to_png(120, 90).unwrap()).unwrap();
    assert_eq!((picture.width(), picture.height()), (120, 90));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn curves(name in ".{0,12}", x in numbers(), y in numbers(), single in number()) {
        let roc = RocCurve::new(&name, &x, &y).with_auc(single).with_interval(single, single);
        check(RocPlot::new().with_title(&name).with_curve(roc).draw());
        check(RocPlot::new().with_curve(RocCurve::new(&name, &x, &x)).draw());
        let curve = PrCurve::new(&name, &x, &x);
        check(PrPlot::new().with_curve(curve).with_prevalence(single).draw());
        let counts: Vec<u64> = x.iter().map(|&value| value as u64).collect();
        let curve = CalibrationCurve::new(&name, &x, &x, &counts);
        check(CalibrationPlot::new().with_curve(curve).draw());
    }

    #[test]
    fn series(name in ".{0,12}", x in numbers(), y in numbers(), epoch in any::<usize>()) {
        let points: Vec<_> = x.iter().copied().zip(y.iter().copied()).collect();
        let panel = TrainingPanel::new(&name).with_series(&name, &x).with_points("b", &points);
        check(TrainingPlot::new().with_panel(panel).with_best_epoch(epoch).draw());
        let groups: Vec<_> = x.iter().map(|_| name.as_str()).collect();
        let bars = BarPlot::new(&groups).with_series(&name, &x).with_series("b", &x);
        check(bars.with_series_intervals("c", &x, &points).draw());
        check(ScorePlot::new(&name).with_class(&name, &x).with_class("b", &y).draw());
    }

    #[test]
    fn points_and_trees(
        name in ".{0,12}",
        points in vec((number(), number()), 0..6),
        clusters in vec(0usize..9, 0..6),
        merges in vec((0usize..9, 0usize..9, number()), 0..6),
        height in number(),
    ) {
        let scatter = ScatterPlot::new(&name, "y").with_group(&name, &points);
        check(scatter.clone().with_clusters(&clusters).draw());
        check(scatter.with_group("b", &points).with_centers(&points).draw());
        let chain: Vec<_> = merges
            .iter()
            .enumerate()
            .map(|(i, merge)| (if i == 0 { 0 } else { merges.len() + i }, i + 1, merge.2))
            .collect();
        for merges in [&merges, &chain] {
            let labels: Vec<usize> = (0..=merges.len()).map(|i| i % 2).collect();
            let tree = DendrogramPlot::new(merges).with_title(&name).with_leaves(3);
            check(tree.clone().with_cut(height).draw());
            check(tree.with_classes(&["a", &name], &labels).draw());
        }
        let values: Vec<_> = points.iter().map(|p| Some(p.0)).collect();
        check(GridPlot::new(&["a", &name], &[&name], &values).draw());
    }

    #[test]
    fn pictures(
        (width, height) in (0usize..5, 0usize..5),
        map in vec(any::<f32>(), 0..10),
        mask in vec(0u8..2, 0..17),
        title in ".{0,12}",
    ) {
        let pixels: Vec<f32> = map.iter().cycle().take(width * height).copied().collect();
        let Ok(picture) = Picture::from_planes(1, height, width, &pixels) else { return Ok(()) };
        let overlay = OverlayPlot::new(&picture, map.len(), 1, &map).with_title(&title);
        check(overlay.clone().with_contour(mask.len(), 1, &mask, &title).draw());
        check(overlay.with_range(f64::from(map[0]), 1.0).draw());
        let image = ImagePlot::new(&picture).with_map(map.len(), 1, &map).with_level(0.5, &title);
        check(image.clone().with_contour(mask.len(), 1, &mask, &title).draw());
        check(image.with_range(f64::from(map[0]), 1.0).with_ends(&title, &title).draw());
        let tile = Tile::new(&picture).with_caption(&title);
        check(GalleryPlot::new(width).with_tile(tile.clone()).with_tile(tile).draw());
    }

    #[test]
    fn matrices_and_reports(
        names in vec(".{0,20}", 0..4),
        counts in vec(any::<u64>(), 0..16),
        value in number(),
    ) {
        let cells = &counts[..counts.len().min(names.len() * names.len())];
        let figure = ConfusionPlot::new(&names, cells).draw();
        if let Ok(figure) = &figure {
            check(Panels::new(2).with_letters().draw(&[figure.clone(), figure.clone()]));
            let table = Table::new(&names).with_row(names.iter().map(|_| Cell::number(value, 3)));
            let section = Section::new(&names[0]).with_table(table).unwrap();
            let section = section.with_figure(figure, &names[0]).unwrap();
            let html = Report::new(&names[0]).with_section(section).to_html();
            prop_assert!(html.ends_with("</html>\n"));
        }
        check(figure);
    }
}

#[test]
fn a_figure_is_not_blank_and_equal_data_gives_equal_bytes() {
    let draw = || {
        let values: Vec<f64> = (0..50).map(|i| f64::from(i) / 49.0).collect();
        let curve = RocCurve::new("m", &values, &values).with_operating_point(0.5, 0.5);
        RocPlot::new().with_title("t").with_curve(curve).draw().unwrap()
    };
    let (a, b) = (draw(), draw());
    assert_eq!(a.to_svg().unwrap(), b.to_svg().unwrap());
    assert_eq!(a.to_png(640, 480).unwrap(), b.to_png(640, 480).unwrap());
    let picture = Picture::decode(&a.to_png(640, 480).unwrap()).unwrap();
    let ink = picture.rgb().chunks(3).filter(|pixel| *pixel != [255, 255, 255]).count();
    assert!(ink > 5000, "{ink} pixels are not white");
}

#[test]
fn texts_of_a_chart_lie_within_it() {
    let values: Vec<f64> = (1..=9).map(f64::from).collect();
    let panel = TrainingPanel::new("A quantity").with_series("a".repeat(200), &values);
    let figure = TrainingPlot::new().with_panel(panel).with_best_epoch(3).draw().unwrap();
    let svg = figure.to_svg().unwrap();
    let document = roxmltree::Document::parse(&svg).unwrap();
    for node in document.descendants().filter(|node| node.has_tag_name("text")) {
        let number = |name| node.attribute(name).and_then(|v| v.parse::<f64>().ok()).unwrap();
        assert!((0.0..=figure.width()).contains(&number("x")), "{:?}", node.text());
        assert!((0.0..=figure.height()).contains(&number("y")), "{:?}", node.text());
    }
}
