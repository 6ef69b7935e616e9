use crate::{
    Result,
    raster::{SceneBlock, SceneSource, Window},
};

/// Reads at most `most` blocks of at most `size`×`size` pixels, evenly from all over a scene, one
/// after the other: enough for statistics of a scene that is too large to be read whole. Blocks of
/// which more than half holds no data are passed over.
///
/// Blocks begin at equal distances, the first of a row or column with the scene, the last ends with
/// it; there are no more than cover the scene.
///
/// # Examples
///
/// ```
/// use ocellus_data::{ChannelStatistics, raster::{MemoryScene, look_around}};
///
/// let mut scene = MemoryScene::new(1, 60, 90, vec![3.; 60 * 90])?;
/// let mut statistics = ChannelStatistics::default();
/// for block in look_around(&mut scene, 30, 4) {
///     let (image, valid) = block?.into_image()?;
///     statistics.add_where(&image, &valid)?;
/// }
/// assert_eq!(statistics.mean(), [3.]);
/// assert_eq!(look_around(&mut scene, 30, 4).count(), 4);
/// assert_eq!(look_around(&mut scene, 30, 100).count(), 6);
/// # Ok::<(), ocellus_data::Error>(())
/// ```
///
/// # Errors
///
/// The iterator gives an error where the scene cannot be read.
pub fn look_around<S: SceneSource + ?Sized>(
    scene: &mut S,
    size: u32,
    most: u32,
) -> impl Iterator<Item = Result<SceneBlock>> + '_ {
    let (width, height) = (scene.info().width, scene.info().height);
    windows(width, height, size.max(1), most).into_iter().filter_map(move |window| {
        let block = scene.read(window);
        let mostly_empty = |block: &SceneBlock| {
            2 * block.valid.iter().filter(|valid| **valid).count() < block.valid.len()
        };
        (!block.as_ref().is_ok_and(mostly_empty)).then_some(block)
    })
}

fn windows(width: u32, height: u32, size: u32, most: u32) -> Vec<Window> {
    let (w, h) = (width.min(size), height.min(size));
    let side = most.max(1).isqrt();
    let (columns, rows) = (side.min(width.div_ceil(w)), side.min(height.div_ceil(h)));
    let at = |n: u32, of: u32, room: u32| {
        (u64::from(room) * u64::from(n) / u64::from(of.max(2) - 1)) as u32
    };
    let window = |n: u32| {
        let (x, y) = (at(n % columns, columns, width - w), at(n / columns, rows, height - h));
        Window::new(x, y, w, h)
    };
    (0..columns * rows).map(window).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::raster::MemoryScene;

    #[test]
    fn blocks_cover_a_small_scene_and_begin_and_end_with_a_large_one() {
        assert_eq!(windows(5, 7, 9, 100), [Window::new(0, 0, 5, 7)]);
        let covering: Vec<_> = windows(20, 10, 8, 100).iter().map(|w| (w.x, w.y)).collect();
        assert_eq!(covering, [(0, 0), (6, 0), (12, 0), (0, 2), (6, 2), (12, 2)]);
        let few: Vec<_> = windows(1000, 900, 100, 9).iter().map(|w| (w.x, w.y)).collect();
        assert_eq!(few[0], (0, 0));
        assert_eq!((few[4], few[8]), ((450, 400), (900, 800)));
        assert_eq!(windows(1000, 900, 100, 1), [Window::new(0, 0, 100, 100)]);
    }

    #[test]
    fn passes_over_what_is_mostly_empty() {
        let mut scene = Half(MemoryScene::new(1, 10, 40, vec![1.; 400]).unwrap());
        let found: Vec<_> =
            look_around(&mut scene, 10, 16).map(|block| block.unwrap().window.x).collect();
        assert_eq!(found, [0, 10]);
    }

    /// A scene without data from its 20th column on.
    struct Half(MemoryScene);

    impl SceneSource for Half {
        fn info(&self) -> &crate::raster::SceneInfo {
            self.0.info()
        }

        fn read(&mut self, window: Window) -> Result<SceneBlock> {
            let mut block = self.0.read(window)?;
            for (n, valid) in block.valid.iter_mut().enumerate() {
                *valid = window.x + (n as u32 % window.width) < 20;
            }
            Ok(block)
        }
    }
}
