use std::{
    collections::{BTreeMap, BTreeSet},
    path::{Path, PathBuf},
};

use crate::{
    Error, LabeledScene, MaskCoding, Result, ScenePair, Splitter,
    readers::scan::{files_named, require_folder, stem},
};

/// A folder of scenes with masks of the same names: `images/X.tif`, `masks/X.png`.
///
/// ```text
/// root/images/austin1.tif     root/masks/austin1.png
/// root/images/austin2.tif     root/masks/austin2.png
/// root/images/vienna_7.jpg    root/masks/vienna_7.tif
/// ```
///
/// Scenes are GeoTIFF, PNG or JPEG, of any number of bands, all of the same. A scene's group, which
/// splits keep on one side, is its name without the number at its end: `austin`, `vienna`. Images
/// of one city look alike; with some of them in training a network is praised for knowing the city.
///
/// # Examples
///
/// ```
/// use ocellus_data::{Image, LabeledScene, ScenePairs};
///
/// let root = tempfile::tempdir()?;
/// for (kind, channels) in [("images", 3), ("masks", 1)] {
///     std::fs::create_dir(root.path().join(kind))?;
///     for name in ["austin1.png", "austin2.png", "vienna_7.png"] {
///         Image::filled(channels, 20, 30, 1.)?.save_png(root.path().join(kind).join(name))?;
///     }
/// }
/// let set = ScenePairs::open(root.path())?;
/// assert_eq!(set.groups().into_iter().collect::<Vec<_>>(), ["austin", "vienna"]);
/// let (rest, vienna) = set.held_out(&["vienna"])?;
/// assert_eq!((rest, vienna), (vec![0, 1], vec![2]));
/// assert_eq!(set.scene(2)?.bands(), 3);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct ScenePairs {
    /// The data set's folder.
    pub root: PathBuf,
    /// How masks say what a pixel is.
    pub coding: MaskCoding,
    /// The group of a scene by its name without the extension; `None`: one of its own.
    pub group: fn(&str) -> Option<String>,
}

/// A scene file, its mask file and its group.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct PairFiles {
    /// The scene.
    pub image: PathBuf,
    /// Its mask.
    pub mask: PathBuf,
    /// What it must not be separated from: the city.
    pub group: Option<String>,
}

/// What [`ScenePairs`] found: the files, sorted by name. None is opened.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct PairSet {
    /// The data set's folder.
    pub root: PathBuf,
    /// The scenes.
    pub pairs: Vec<PairFiles>,
    /// How masks say what a pixel is.
    pub coding: MaskCoding,
}

impl ScenePairs {
    /// A reader of this folder, of binary masks.
    #[must_use]
    pub fn new(root: impl Into<PathBuf>) -> Self {
        Self { root: root.into(), coding: MaskCoding::default(), group: city }
    }

    /// Sets how masks say what a pixel is.
    #[must_use]
    pub fn with_coding(mut self, coding: MaskCoding) -> Self {
        self.coding = coding;
        self
    }

    /// Sets how a scene's group is found in its name.
    #[must_use]
    pub fn with_group(mut self, group: fn(&str) -> Option<String>) -> Self {
        self.group = group;
        self
    }

    /// Reads a folder with the default settings.
    ///
    /// # Errors
    ///
    /// As [`ScenePairs::read`].
    pub fn open(root: impl Into<PathBuf>) -> Result<PairSet> {
        Self::new(root).read()
    }

    /// Lists scenes and masks.
    ///
    /// # Errors
    ///
    /// If a folder is missing or holds no scenes, a scene has no mask or two, or a mask no scene.
    pub fn read(&self) -> Result<PairSet> {
        let (images, masks) = (self.root.join("images"), self.root.join("masks"));
        for folder in [&self.root, &images, &masks] {
            require_folder(folder)?;
        }
        let images = by_stem(&images)?;
        let mut waiting = by_stem(&masks)?;
        if images.is_empty() {
            return Err(Error::dataset(
                &self.root.join("images"),
                "no scenes: put GeoTIFF, PNG or JPEG files here",
            ));
        }
        let mut pairs = Vec::new();
        for (name, image) in images {
            let Some(mask) = waiting.remove(&name) else {
                return Err(Error::dataset(
                    &image,
                    format!("no mask: add {}", masks.join(format!("{name}.png")).display()),
                ));
            };
            pairs.push(PairFiles { image, mask, group: (self.group)(&name) });
        }
        if let Some(mask) = waiting.into_values().next() {
            return Err(Error::dataset(&mask, "a mask without a scene of its name in `images`"));
        }
        Ok(PairSet { root: self.root.clone(), pairs, coding: self.coding })
    }
}

impl PairSet {
    /// The number of scenes.
    #[must_use]
    pub fn len(&self) -> usize {
        self.pairs.len()
    }

    /// Whether there are no scenes: never so in a set that was read.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.pairs.is_empty()
    }

    /// The names of the groups.
    #[must_use]
    pub fn groups(&self) -> BTreeSet<String> {
        self.pairs.iter().filter_map(|pair| pair.group.clone()).collect()
    }

    /// A number for each scene, the same for those of one group.
    #[must_use]
    pub fn group_ids(&self) -> Vec<usize> {
        let mut known = BTreeMap::new();
        let mut ids = Vec::with_capacity(self.len());
        for (n, pair) in self.pairs.iter().enumerate() {
            let id = match &pair.group {
                Some(group) => *known.entry(group).or_insert(n),
                None => n,
            };
            ids.push(id);
        }
        ids
    }

    /// A splitter that keeps groups on one side.
    ///
    /// # Errors
    ///
    /// Never, of a set that was read.
    pub fn splitter(&self) -> Result<Splitter> {
        Splitter::new(&vec![0; self.len()]).with_groups(&self.group_ids())
    }

    /// The scenes of all other groups, and those of these.
    ///
    /// # Errors
    ///
    /// If a group has no scenes, or none is left.
    pub fn held_out(&self, groups: &[&str]) -> Result<(Vec<usize>, Vec<usize>)> {
        let known = self.groups();
        if let Some(unknown) = groups.iter().find(|&&group| !known.contains(group)) {
            let known = known.into_iter().collect::<Vec<_>>().join(", ");
            return Err(Error::Split(format!("no group `{unknown}`: there are {known}")));
        }
        let is_held = |n: &usize| {
            self.pairs[*n].group.as_deref().is_some_and(|group| groups.contains(&group))
        };
        let (held, rest): (Vec<usize>, Vec<usize>) = (0..self.len()).partition(is_held);
        if rest.is_empty() {
            return Err(Error::Split(format!("no scene is left beside {}", groups.join(", "))));
        }
        Ok((rest, held))
    }

    /// Opens a scene with its mask.
    ///
    /// # Errors
    ///
    /// If there is no such scene, a file cannot be read, or the two differ in size.
    pub fn scene(&self, index: usize) -> Result<ScenePair> {
        match self.pairs.get(index) {
            Some(pair) => ScenePair::open(&pair.image, &pair.mask, self.coding),
            None => Err(Error::Setting(format!("no scene {index} among {}", self.len()))),
        }
    }

    /// The number of bands that all scenes have. Every file is opened.
    ///
    /// # Errors
    ///
    /// If two differ, or one cannot be opened.
    pub fn bands(&self) -> Result<usize> {
        let first = self.scene(0)?.bands();
        for n in 1..self.len() {
            let bands = self.scene(n)?.bands();
            if bands != first {
                return Err(Error::dataset(
                    &self.pairs[n].image,
                    format!(
                        "{bands} bands, but {} has {first}: convert them to one number",
                        self.pairs[0].image.display()
                    ),
                ));
            }
        }
        Ok(first)
    }
}

/// The files of a folder by their names without extensions.
fn by_stem(folder: &Path) -> Result<BTreeMap<String, PathBuf>> {
    let mut files = BTreeMap::new();
    for path in files_named(folder, &["tif", "tiff", "png", "jpg", "jpeg"])? {
        if let Some(other) = files.insert(stem(&path), path.clone()) {
            let other = other.display();
            return Err(Error::dataset(&path, format!("{other} has the same name: keep one")));
        }
    }
    Ok(files)
}

/// A name without the numbers and separators at its end: `inria_austin1_0` → `inria_austin`.
fn city(name: &str) -> Option<String> {
    let city = name.trim_end_matches(|c: char| c.is_ascii_digit() || "_- .".contains(c));
    (!city.is_empty()).then(|| city.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Image;

    fn write(
        root: &Path,
        name: &str,
        channels: usize,
        (height, width): (usize, usize),
        value: f32,
    ) {
        let path = root.join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        Image::filled(channels, height, width, value).unwrap().save_png(path).unwrap();
    }

    #[test]
    fn the_city_is_the_name_without_its_number() {
        let of = |name| city(name).unwrap_or_default();
        assert_eq!(of("inria_austin1_0"), "inria_austin");
        assert_eq!(of("cn_Subset1_img__9"), "cn_Subset1_img");
        assert_eq!(of("whuaerial_2_1133"), "whuaerial");
        assert_eq!(of("tyrol-w12"), "tyrol-w");
        assert_eq!(city("0012"), None);
    }

    #[test]
    fn names_what_is_missing_or_too_much() {
        let root = tempfile::tempdir().unwrap();
        let message = || ScenePairs::open(root.path()).unwrap_err().to_string();
        assert!(message().contains("images: no such folder"), "{}", message());
        write(root.path(), "masks/a.png", 1, (4, 4), 1.);
        std::fs::create_dir(root.path().join("images")).unwrap();
        assert!(message().contains("no scenes"), "{}", message());
        write(root.path(), "images/b.png", 3, (4, 4), 0.5);
        assert!(message().contains("b.png: no mask: add"), "{}", message());
        write(root.path(), "masks/b.png", 1, (4, 4), 1.);
        assert!(message().contains("a.png: a mask without a scene"), "{}", message());
        write(root.path(), "images/a.png", 3, (4, 4), 1.);
        let set = ScenePairs::open(root.path()).unwrap();
        assert_eq!((set.len(), set.bands().unwrap()), (2, 3));
        write(root.path(), "images/c.png", 1, (4, 4), 1.);
        write(root.path(), "masks/c.png", 1, (4, 4), 1.);
        let set = ScenePairs::open(root.path()).unwrap();
        assert!(set.bands().unwrap_err().to_string().contains("1 bands, but"));
        let unknown = set.held_out(&["z"]).unwrap_err().to_string();
        assert!(unknown.contains("no group `z`: there are a, b, c"), "{unknown}");
        assert!(set.held_out(&["a", "b", "c"]).is_err() && set.scene(3).is_err());
        write(root.path(), "images/c.jpeg", 1, (4, 4), 1.);
        assert!(message().contains("has the same name"), "{}", message());
    }

    #[test]
    fn names_the_mask_that_does_not_fit() {
        let root = tempfile::tempdir().unwrap();
        write(root.path(), "images/a.png", 3, (4, 6), 0.5);
        write(root.path(), "masks/a.png", 1, (4, 5), 1.);
        let open = |coding| {
            let set = ScenePairs::new(root.path()).with_coding(coding).read().unwrap();
            let scene = set.scene(0)?;
            scene.read(crate::raster::Window::new(1, 2, 3, 1)).map(|(_, mask)| mask)
        };
        let message = |coding| open(coding).unwrap_err().to_string();
        let sizes = message(MaskCoding::Binary);
        assert!(
            sizes.contains("a.png") && sizes.contains("5×4") && sizes.contains("6×4"),
            "{sizes}"
        );
        write(root.path(), "masks/a.png", 1, (4, 6), 3. / 255.);
        let value = message(MaskCoding::Binary);
        assert!(value.contains("number 3 at row 2, column 1"), "{value}");
        assert!(message(MaskCoding::Classes(3)).contains("classes are 0 to 2"));
        assert_eq!(open(MaskCoding::Classes(4)).unwrap().data(), [3.; 3]);
        assert_eq!(open(MaskCoding::Above(2.5)).unwrap().data(), [1.; 3]);
        write(root.path(), "masks/a.png", 3, (4, 6), 1.);
        assert_eq!(open(MaskCoding::Binary).unwrap().data(), [1.; 3]);
        assert_eq!(open(MaskCoding::Classes(2)).unwrap().data(), [255.; 3]); // Ignored.
    }

    #[test]
    fn splits_keep_cities_together() {
        let root = tempfile::tempdir().unwrap();
        for name in ["a1", "a2", "b1", "b2", "c1", "77"] {
            for (kind, channels) in [("images", 3), ("masks", 1)] {
                write(root.path(), &format!("{kind}/{name}.png"), channels, (4, 4), 1.);
            }
        }
        let set = ScenePairs::open(root.path()).unwrap();
        let ids = set.group_ids();
        assert_eq!(ids, [0, 1, 1, 3, 3, 5]);
        for fold in set.splitter().unwrap().k_fold(4).unwrap() {
            assert!(fold.test.iter().all(|&t| fold.train.iter().all(|&i| ids[i] != ids[t])));
        }
    }
}
