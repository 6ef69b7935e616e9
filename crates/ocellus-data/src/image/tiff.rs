use std::{io::Cursor, path::Path};

use crate::{
    Alpha, DecodeConfig, Error, Image, Result,
    raster::{AlphaBand, GeoTiff, SampleType, SceneConfig, SceneSource, Window},
};

/// A gray or color TIFF, read whole, as the other formats are.
pub(super) fn decode(bytes: &[u8], path: &Path, config: &DecodeConfig) -> Result<Image> {
    let scene = SceneConfig::default().with_alpha(AlphaBand::Mask);
    let mut file = GeoTiff::from_reader(Cursor::new(bytes), path, &scene)?;
    let info = file.info();
    let (width, height, bands) = (info.width, info.height, info.bands);
    config.check_size((width, height), path)?;
    let white = match info.sample {
        SampleType::U8 => 255.,
        SampleType::U16 => 65535.,
        SampleType::F32 => 1.,
        other => return Err(Error::decode(path, format!("samples of {other:?} are no picture's"))),
    };
    if ![1, 3].contains(&bands) {
        let reason = format!("{bands} bands are no picture's, which has 1 or 3: see `raster`");
        return Err(Error::decode(path, reason));
    }
    let block = file.read(Window::new(0, 0, width, height))?;
    let mut image = match config.alpha {
        Alpha::Drop => Image::new(bands, height as usize, width as usize, block.data)?,
        Alpha::OnBlack => block.into_image()?.0,
    };
    image.data_mut().iter_mut().for_each(|value| *value /= white);
    Ok(image)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::raster::{RasterConfig, RasterWriter};

    #[test]
    fn reads_pictures_and_names_what_is_none() {
        let folder = tempfile::tempdir().unwrap();
        let write = |name: &str, bands: usize, values: &[u8]| {
            let path = folder.path().join(name);
            let config = RasterConfig::new(2, 1, bands, SampleType::U8);
            let mut writer = RasterWriter::create(&path, config).unwrap();
            writer.write_rows(values).unwrap();
            writer.finish().unwrap();
            path
        };
        let color = Image::open(write("a.tif", 3, &[51, 0, 255, 102, 0, 0])).unwrap();
        assert_eq!((color.dims(), color.get(0, 0, 0)), ((3, 1, 2), 0.2));
        let path = write("b.tif", 4, &[0; 8]);
        let message = Image::open(&path).unwrap_err().to_string();
        assert!(message.contains("b.tif") && message.contains("4 bands"), "{message}");
        let small = DecodeConfig::default().with_max_pixels(1);
        let error = Image::open_with(folder.path().join("a.tif"), &small).unwrap_err();
        assert!(matches!(error, Error::TooLarge { .. }));
        let whole = std::fs::read(folder.path().join("a.tif")).unwrap();
        for length in 4..whole.len() {
            let config = DecodeConfig::default();
            // What is cut off may be nothing that is needed, but it never panics.
            let _ = Image::decode(&whole[..length], "cut.tif", &config);
        }
    }
}
