use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
};

use roxmltree::{Document, Node};

use crate::{
    Error, Result, Sample, SampleSet,
    image::read_bounded,
    raster::Window,
    readers::{
        folder_reader::folder_reader,
        scan::{by_class, child, files_named, images, require_folder, stem},
    },
};

/// BCCD, the blood cells of Cheng \[1\], in two layouts: fields with boxes around their cells, and
/// single white cells of four types.
///
/// ```text
/// BCCD/JPEGImages/BloodImage_00000.jpg       EOSINOPHIL/_0_1095.jpeg     read_types
/// BCCD/Annotations/BloodImage_00000.xml      LYMPHOCYTE/…
/// (Pascal VOC)                read           MONOCYTE/…, NEUTROPHIL/…
/// ```
///
/// [`read`](Self::read) gives every box as a sample of its own: a [window](Sample::window) of its
/// field, whose group is the field. Labels: red cells 0, white cells 1, platelets 2. Boxes are cut at
/// the image's border; those narrower than `min_side` then (there are a few without any area) are left
/// out.
///
/// In the published folders of types most images are turned and moved copies of few cells: `_0_1095` is
/// copy 1095 of cell 0. A cell of a class is a group, so that its copies stay together.
///
/// # Examples
///
/// ```
/// use ocellus_data::{Bccd, Image};
///
/// let root = tempfile::tempdir()?;
/// for folder in ["JPEGImages", "Annotations"] {
///     std::fs::create_dir(root.path().join(folder))?;
/// }
/// Image::filled(3, 48, 64, 0.5)?.save_png(root.path().join("JPEGImages/a.png"))?;
/// let cell = |kind: &str, x: u32| {
///     format!(
///         "<object><name>{kind}</name><bndbox><xmin>{x}</xmin><ymin>1</ymin><xmax>{}</xmax>\
///          <ymax>20</ymax></bndbox></object>",
///         x + 19
///     )
/// };
/// let cells = cell("RBC", 1) + &cell("WBC", 31) + &cell("Platelets", 40);
/// let size = "<size><width>64</width><height>48</height></size>";
/// std::fs::write(root.path().join("Annotations/a.xml"), format!("<annotation>{size}{cells}</annotation>"))?;
/// let set = Bccd::open(root.path())?;
/// assert_eq!(set.labels(), [0, 1, 2]);
/// assert_eq!(set.name(&set.samples[1]), "JPEGImages/a.png#20x20+30+0");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// # References
///
/// 1. S. Cheng. *BCCD dataset.* <https://github.com/Shenggan/BCCD_Dataset>; the folders of types by
///    P. Mooney, <https://www.kaggle.com/datasets/paultimothymooney/blood-cells>
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Bccd {
    /// The data set's folder.
    pub root: PathBuf,
    /// Boxes with a side of fewer pixels are left out. 8 by default.
    pub min_side: u32,
}

const KINDS: [&str; 3] = ["RBC", "WBC", "Platelets"];
const TYPES: [&str; 4] = ["eosinophil", "lymphocyte", "monocyte", "neutrophil"];

folder_reader!(Bccd { min_side: 8 });

impl Bccd {
    /// Sets the least side of a box.
    #[must_use]
    pub fn with_min_side(mut self, pixels: u32) -> Self {
        self.min_side = pixels;
        self
    }

    /// Lists the cells of all fields. Annotations are read, images are not opened.
    ///
    /// # Errors
    ///
    /// If the folders are missing, an image has no annotation or the other way round, or an annotation
    /// is damaged or names another kind of cell.
    pub fn read(&self) -> Result<SampleSet> {
        require_folder(&self.root)?;
        let base = child(&self.root, "BCCD")?.unwrap_or_else(|| self.root.clone());
        let folder = |name: &str| {
            let reason =
                format!("no folder `{name}`: give the one with JPEGImages and Annotations");
            child(&base, name)?.ok_or_else(|| Error::dataset(&base, reason))
        };
        let (pictures, notes) = (folder("JPEGImages")?, folder("Annotations")?);
        let mut notes: BTreeMap<String, PathBuf> =
            files_named(&notes, &["xml"])?.into_iter().map(|path| (stem(&path), path)).collect();
        let mut samples = Vec::new();
        for image in images(&pictures, false)? {
            let Some(note) = notes.remove(&stem(&image)) else {
                return Err(Error::dataset(
                    &image,
                    "has no annotation: add it or remove the image",
                ));
            };
            let group = Some(stem(&image));
            for (label, window) in boxes(&note)? {
                if window.width.min(window.height) >= self.min_side.max(1) {
                    let (group, window) = (group.clone(), Some(window));
                    samples.push(Sample { group, window, ..Sample::new(&image, label) });
                }
            }
        }
        if let Some(orphan) = notes.into_values().next() {
            return Err(Error::dataset(&orphan, "an annotation without its image"));
        }
        // Two boxes of one kind at one place are one cell that was marked twice.
        samples.sort_by_key(|s| (s.path.clone(), s.window.map(|w| (w.y, w.x, w.height, w.width))));
        samples.dedup_by(|a, b| (&a.path, a.window, a.label) == (&b.path, b.window, b.label));
        SampleSet::new(&self.root, KINDS.map(str::to_owned).to_vec(), samples)
    }

    /// Lists the white cells of the folders of types, in this folder: eosinophils 0, lymphocytes 1,
    /// monocytes 2, neutrophils 3. None is opened.
    ///
    /// # Errors
    ///
    /// If a type has no folder or no images.
    pub fn read_types(&self) -> Result<SampleSet> {
        let mut samples = by_class(&self.root, &TYPES)?;
        for sample in &mut samples {
            let name = stem(&sample.path);
            let cell = name.strip_prefix('_').and_then(|name| name.split_once('_'));
            sample.group = cell.map(|(cell, _)| format!("{} {cell}", TYPES[sample.label]));
        }
        SampleSet::new(&self.root, TYPES.map(str::to_owned).to_vec(), samples)
    }
}

/// Kind and place of the cells that an annotation lists.
fn boxes(path: &Path) -> Result<Vec<(usize, Window)>> {
    let fail = |reason: String| Error::dataset(path, reason);
    let bytes = read_bounded(path, 1 << 22)?;
    let text = String::from_utf8(bytes).map_err(|_| fail("is not UTF-8 text".to_owned()))?;
    let document = Document::parse(&text).map_err(|error| fail(format!("no XML: {error}")))?;
    let root = document.root_element();
    let size = element(root, "size").ok_or_else(|| fail("no `size` of the image".to_owned()))?;
    let sides = (number(size, "width"), number(size, "height"));
    let (Some(width), Some(height)) = sides else {
        return Err(fail(format!("the image's size is {sides:?}: give width and height")));
    };
    let mut boxes = Vec::new();
    for object in root.children().filter(|node| node.has_tag_name("object")) {
        let name = element(object, "name").and_then(|node| node.text()).unwrap_or("").trim();
        let Some(kind) = KINDS.iter().position(|kind| kind.eq_ignore_ascii_case(name)) else {
            return Err(fail(format!("a cell of kind `{name}`: there are {}", KINDS.join(", "))));
        };
        let corners = element(object, "bndbox").and_then(|corners| {
            let side = |tag| number(corners, tag);
            Some([side("xmin")?, side("ymin")?, side("xmax")?, side("ymax")?])
        });
        let Some([left, top, right, bottom]) = corners else {
            return Err(fail(format!("a {name} without the four numbers of its `bndbox`")));
        };
        // Pascal VOC counts pixels from 1, the last included.
        let span = |low: f64, high: f64, side: f64| {
            let (low, high) = ((low - 1.).clamp(0., side), high.clamp(0., side));
            (low as u32, (high - low).max(0.) as u32)
        };
        let ((x, width), (y, height)) = (span(left, right, width), span(top, bottom, height));
        boxes.push((kind, Window::new(x, y, width, height)));
    }
    Ok(boxes)
}

fn element<'a, 'input>(node: Node<'a, 'input>, tag: &str) -> Option<Node<'a, 'input>> {
    node.children().find(|child| child.has_tag_name(tag))
}

fn number(node: Node<'_, '_>, tag: &str) -> Option<f64> {
    let value: f64 = element(node, tag)?.text()?.trim().parse().ok()?;
    Some(value.round()).filter(|value| (0. ..1e9).contains(value))
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;
    use crate::readers::scan::touch;

    fn object(kind: &str, corners: [i32; 4]) -> String {
        let [a, b, c, d] = corners;
        format!(
            "<object><name>{kind}</name><bndbox><xmin>{a}</xmin><ymin>{b}</ymin><xmax>{c}</xmax>\
             <ymax>{d}</ymax></bndbox></object>"
        )
    }

    fn annotation(objects: &str) -> String {
        format!(
            "<annotation><size><width>640</width><height>480</height></size>{objects}</annotation>"
        )
    }

    fn field() -> tempfile::TempDir {
        let root = tempfile::tempdir().unwrap();
        touch(root.path(), &["BCCD/JPEGImages/a.jpg", "BCCD/Annotations/a.xml"]);
        root
    }

    #[test]
    fn boxes_are_cut_at_the_border_and_empty_ones_left_out() {
        let root = field();
        let objects = [
            object("RBC", [1, 1, 640, 480]),
            object("WBC", [600, 400, 700, 500]),
            object("Platelets", [10, 20, 49, 59]),
            object("Platelets", [10, 20, 49, 59]),
            object("RBC", [5, 5, 5, 90]),
            object("RBC", [0, 0, 30, 30]),
        ];
        fs::write(root.path().join("BCCD/Annotations/a.xml"), annotation(&objects.concat()))
            .unwrap();
        let set = Bccd::open(root.path()).unwrap();
        let windows: Vec<_> = set.samples.iter().filter_map(|sample| sample.window).collect();
        let expected = [
            Window::new(0, 0, 30, 30),
            Window::new(0, 0, 640, 480),
            Window::new(9, 19, 40, 40),
            Window::new(599, 399, 41, 81),
        ];
        assert_eq!((windows, set.labels()), (expected.to_vec(), vec![0, 0, 2, 1]));
        assert!(set.samples.iter().all(|sample| sample.group.as_deref() == Some("a")));
        assert_eq!(Bccd::new(root.path()).with_min_side(1).read().unwrap().len(), 5);
    }

    #[test]
    fn names_what_is_wrong_with_an_annotation() {
        let root = field();
        let message = |text: &str| {
            fs::write(root.path().join("BCCD/Annotations/a.xml"), text).unwrap();
            Bccd::open(root.path()).unwrap_err().to_string()
        };
        assert!(message("").contains("a.xml: no XML"));
        assert!(message("<annotation/>").contains("no `size`"));
        assert!(message(&annotation(&object("Blast", [1, 1, 9, 9]))).contains("kind `Blast`"));
        let broken = annotation(&object("RBC", [1, 1, 9, 9])).replace("<ymax>9</ymax>", "");
        assert!(message(&broken).contains("a RBC without the four numbers"));
        assert!(
            message(&annotation("").replace("640", "wide")).contains("size is (None, Some(480.0))")
        );
        touch(root.path(), &["BCCD/Annotations/b.xml"]);
        assert!(message(&annotation("")).contains("b.xml: an annotation without its image"));
        touch(root.path(), &["BCCD/JPEGImages/c.jpg"]);
        assert!(message(&annotation("")).contains("c.jpg: has no annotation"));
        fs::remove_dir_all(root.path().join("BCCD/JPEGImages")).unwrap();
        assert!(message("").contains("no folder `JPEGImages`"));
    }

    #[test]
    fn copies_of_a_cell_are_a_group() {
        let root = tempfile::tempdir().unwrap();
        touch(
            root.path(),
            &["EOSINOPHIL/_0_1095.jpeg", "EOSINOPHIL/_0_1414.jpeg", "MONOCYTE/x.jpeg"],
        );
        touch(
            root.path(),
            &["LYMPHOCYTE/_0_204.jpeg", "LYMPHOCYTE/_2_1.jpeg", "NEUTROPHIL/_0_1.jpeg"],
        );
        let set = Bccd::new(root.path()).read_types().unwrap();
        assert_eq!(
            (set.labels(), set.group_ids()),
            (vec![0, 0, 1, 1, 2, 3], vec![0, 0, 1, 2, 3, 4])
        );
    }
}
