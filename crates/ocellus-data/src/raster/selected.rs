use crate::{
    Error, Result,
    raster::{SceneBlock, SceneInfo, SceneSource, Window},
};

/// Some bands of a scene, in another order if so wished: sensors that differ in number or order of
/// their bands give a network the same ones.
///
/// # Examples
///
/// ```
/// use ocellus_data::raster::{MemoryScene, SceneSource, SelectedBands, Window};
///
/// let scene = MemoryScene::new(3, 1, 2, (0..6).map(|v| v as f32).collect())?;
/// let mut scene = SelectedBands::new(scene, &[2, 0])?;
/// assert_eq!(scene.info().bands, 2);
/// assert_eq!(scene.read(Window::new(0, 0, 2, 1))?.data, [4., 5., 0., 1.]);
/// # Ok::<(), ocellus_data::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct SelectedBands<S> {
    scene: S,
    info: SceneInfo,
    bands: Vec<usize>,
}

impl<S: SceneSource> SelectedBands<S> {
    /// These bands of the scene, counted from 0.
    ///
    /// # Errors
    ///
    /// If there are none, or the scene has no band of a number.
    pub fn new(scene: S, bands: &[usize]) -> Result<Self> {
        let has = scene.info().bands;
        if bands.is_empty() || bands.iter().any(|&band| band >= has) {
            let named: Vec<_> = bands.iter().map(|band| (band + 1).to_string()).collect();
            return Err(Error::Setting(format!(
                "bands [{}] of a scene of {has}: give at least one, of the 1st to the {has}th",
                named.join(", ")
            )));
        }
        let mut info = scene.info().clone();
        info.bands = bands.len();
        Ok(Self { scene, info, bands: bands.to_vec() })
    }
}

impl<S: SceneSource> SceneSource for SelectedBands<S> {
    fn info(&self) -> &SceneInfo {
        &self.info
    }

    fn read(&mut self, window: Window) -> Result<SceneBlock> {
        let mut block = self.scene.read(window)?;
        let pixels = block.valid.len();
        let band = |&band: &usize| &block.data[band * pixels..][..pixels];
        block.data = self.bands.iter().flat_map(band).copied().collect();
        block.bands = self.bands.len();
        Ok(block)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::raster::MemoryScene;

    #[test]
    fn names_a_band_that_is_not_there() {
        let scene = MemoryScene::new(3, 1, 1, vec![0.; 3]).unwrap();
        let message = SelectedBands::new(scene.clone(), &[0, 3]).unwrap_err().to_string();
        assert!(message.contains("bands [1, 4] of a scene of 3"), "{message}");
        assert!(SelectedBands::new(scene, &[]).is_err());
    }
}
