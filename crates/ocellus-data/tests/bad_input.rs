//! Every bad file that users have: a clear error that names it, bounded memory, no panic.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

use std::{fs, io::Cursor, path::PathBuf, time::Instant};

use image::{DynamicImage, ImageFormat};
use ocellus_data::{
    Alpha, CellCrop, CellFinder, Dataset, DecodeConfig, Error, Image, ImageFiles, MmSegpc,
    Preprocess, Sample, SampleSet,
};

struct Folder(tempfile::TempDir);

impl Folder {
    fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    fn file(&self, name: &str, bytes: &[u8]) -> PathBuf {
        let path = self.0.path().join(name);
        fs::write(&path, bytes).unwrap();
        path
    }

    /// The message about a file with these bytes, which names it.
    fn message(&self, name: &str, bytes: &[u8]) -> String {
        let message = Image::open(self.file(name, bytes)).unwrap_err().to_string();
        assert!(message.contains(name), "{message}");
        message
    }
}

fn encode(image: impl Into<DynamicImage>, format: ImageFormat) -> Vec<u8> {
    let mut bytes = Cursor::new(Vec::new());
    image.into().write_to(&mut bytes, format).unwrap();
    bytes.into_inner()
}

fn noise(width: u32, height: u32) -> image::RgbImage {
    image::RgbImage::from_fn(width, height, |x, y| {
        image::Rgb([(x * 37 + y * 91) as u8, (x * y) as u8, (x ^ y) as u8])
    })
}

/// The start of a PNG whose header promises that size.
fn png_header(width: u32, height: u32) -> Vec<u8> {
    let mut chunk = b"IHDR".to_vec();
    chunk.extend(width.to_be_bytes());
    chunk.extend(height.to_be_bytes());
    chunk.extend([8, 2, 0, 0, 0]);
    let crc = chunk.iter().fold(!0u32, |crc, &byte| {
        (0..8).fold(
            crc ^ u32::from(byte),
            |c, _| if c & 1 == 1 { c >> 1 ^ 0xedb8_8320 } else { c >> 1 },
        )
    });
    let mut bytes = b"\x89PNG\r\n\x1a\n\0\0\0\x0d".to_vec();
    bytes.extend(chunk);
    bytes.extend((!crc).to_be_bytes());
    bytes
}

#[test]
fn an_empty_file_is_named() {
    assert!(Folder::new().message("empty.png", b"").contains("0 bytes"));
}

#[test]
fn a_text_file_named_png_is_named() {
    let message = Folder::new().message("notes.png", b"patient 7: see letter\n");
    assert!(message.contains("no PNG, JPEG, BMP or TIFF"), "{message}");
}

#[test]
fn a_format_that_is_not_read_is_named() {
    assert!(Folder::new().message("a.png", b"GIF89a\x01\0\x01\0\0\0\0").contains("Gif"));
}

#[test]
fn a_missing_file_and_a_folder_are_errors() {
    let folder = Folder::new();
    assert!(matches!(Image::open(folder.0.path().join("none.png")), Err(Error::Io { .. })));
    assert!(matches!(Image::open(folder.0.path()), Err(Error::Io { .. })));
}

#[test]
fn a_jpeg_named_png_is_read() {
    let folder = Folder::new();
    let path = folder.file("photo.png", &encode(noise(8, 6), ImageFormat::Jpeg));
    assert_eq!(Image::open(path).unwrap().dims(), (3, 6, 8));
}

#[test]
fn a_file_cut_off_anywhere_is_an_error() {
    let folder = Folder::new();
    for (name, format) in
        [("a.jpg", ImageFormat::Jpeg), ("a.png", ImageFormat::Png), ("a.bmp", ImageFormat::Bmp)]
    {
        let whole = encode(noise(64, 48), format);
        assert!(Image::open(folder.file(name, &whole)).is_ok());
        // The last 12 bytes of a PNG are an end mark without content.
        for part in [2, 10, 30, whole.len() / 3, whole.len() / 2, whole.len() - 14] {
            folder.message(name, &whole[..part]);
        }
    }
}

#[test]
fn a_cut_off_jpeg_is_not_filled_with_gray() {
    let whole = encode(noise(64, 48), ImageFormat::Jpeg);
    let message = Folder::new().message("half.jpg", &whole[..whole.len() / 2]);
    assert!(message.contains("cut off"), "{message}");
}

#[test]
fn an_enormous_header_is_refused_before_memory_is_taken() {
    let start = Instant::now();
    let message = Folder::new().message("huge.png", &png_header(20_000, 20_000));
    assert!(message.contains("20000×20000") && message.contains("33554432 pixels"), "{message}");
    assert!(message.contains("DecodeConfig"), "{message}");
    assert!(start.elapsed().as_secs() < 2);
    // A header within the limit, but nothing behind it.
    assert!(Folder::new().message("small.png", &png_header(20, 20)).contains("small.png"));
    Folder::new().message("odd.png", &png_header(0, 20));
    Folder::new().message("overflow.png", &png_header(u32::MAX / 2, u32::MAX / 2));
}

#[test]
fn an_enormous_bmp_or_jpeg_header_is_refused() {
    let mut bmp = encode(noise(4, 4), ImageFormat::Bmp);
    bmp[18..22].copy_from_slice(&20_000i32.to_le_bytes());
    bmp[22..26].copy_from_slice(&20_000i32.to_le_bytes());
    assert!(Folder::new().message("huge.bmp", &bmp).contains("20000×20000"));
    let mut jpeg = encode(noise(16, 16), ImageFormat::Jpeg);
    let start = jpeg.windows(2).position(|pair| pair == [0xff, 0xc0]).unwrap();
    jpeg[start + 5..start + 9].copy_from_slice(&[0x4e, 0x20, 0x4e, 0x20]);
    assert!(Folder::new().message("huge.jpg", &jpeg).contains("20000×20000"));
}

#[test]
fn a_bmp_of_100_mb_is_refused_unread() {
    let folder = Folder::new();
    let mut bytes = encode(noise(4, 4), ImageFormat::Bmp);
    bytes[18..22].copy_from_slice(&5773i32.to_le_bytes());
    bytes[22..26].copy_from_slice(&5773i32.to_le_bytes());
    let path = folder.file("slide.bmp", &bytes[..54]);
    // A file of that length, with nothing on the disk behind its header.
    fs::OpenOptions::new().write(true).open(&path).unwrap().set_len(100_000_000).unwrap();
    let config = DecodeConfig::micrograph();
    let message = Image::open_with(&path, &config).unwrap_err().to_string();
    let expected = "slide.bmp: the file has 100000000 bytes, more than the limit of 33554432 bytes";
    assert!(message.contains(expected), "{message}");
    let longer = config.with_max_file_bytes(1 << 27);
    let message = Image::open_with(&path, &longer).unwrap_err().to_string();
    assert!(message.contains("5773×5773") && message.contains("8388608 pixels"), "{message}");
}

#[test]
fn a_cut_off_bmp_is_refused_before_memory_is_taken() {
    let whole = encode(noise(64, 48), ImageFormat::Bmp);
    let message = Folder::new().message("half.bmp", &whole[..whole.len() / 2]);
    let expected = format!("promises {} bytes, there are {}", whole.len(), whole.len() / 2);
    assert!(message.contains("cut off") && message.contains(&expected), "{message}");
}

#[test]
fn a_mask_of_another_size_is_named_with_its_image() {
    let folder = Folder::new();
    let write = |name: &str, width, height| {
        folder.file(name, &encode(image::GrayImage::new(width, height), ImageFormat::Png))
    };
    let image = write("cell.png", 16, 12);
    let files = |masks: Vec<PathBuf>| {
        let mut sample = Sample::new(&image, 0);
        sample.masks = masks;
        let set = SampleSet::of_one_class(folder.0.path(), "cell", vec![sample]).unwrap();
        ImageFiles::new(set, Preprocess::new(8, 8))
    };
    let message = |files: ImageFiles| files.load(0).unwrap_err().to_string();
    let (narrow, low) = (write("narrow.png", 15, 12), write("low.png", 16, 11));
    let expected = "cell.png: the image is 12×16 (height×width), its mask 12×15: they must be of one \
                    size; see ";
    for files in [
        files(vec![narrow.clone()]).with_masks(true),
        files(vec![narrow.clone()]).with_crop(CellCrop::default()),
    ] {
        let message = message(files);
        assert!(message.contains(expected) && message.ends_with("narrow.png"), "{message}");
    }
    let message = message(files(vec![narrow, low]).with_masks(true));
    assert!(message.contains("low.png: the mask is 11×16 (height×width), another"), "{message}");
    assert!(message.contains("narrow.png, 12×15: they must be of one size"), "{message}");
    // Without masks they do not matter.
    assert!(files(vec![folder.0.path().join("none.png")]).load(0).is_ok());
}

#[test]
fn a_field_whose_mask_is_too_small_is_named() {
    let folder = Folder::new();
    for kind in ["images", "masks"] {
        fs::create_dir(folder.0.path().join(kind)).unwrap();
    }
    folder.file("images/a.png", &encode(image::GrayImage::new(512, 382), ImageFormat::Png));
    folder.file("masks/a.png", &encode(image::GrayImage::new(256, 191), ImageFormat::Png));
    let fields = MmSegpc::open(folder.0.path()).unwrap();
    let message = CellFinder::default().find(&fields).unwrap_err().to_string();
    assert!(message.contains("a.png: ") && message.contains("512×372"), "{message}");
}

#[test]
fn limits_can_be_set() {
    let folder = Folder::new();
    let bytes = encode(noise(10, 10), ImageFormat::Png);
    let path = folder.file("a.png", &bytes);
    let small = DecodeConfig::default().with_max_pixels(99);
    assert!(matches!(Image::open_with(&path, &small), Err(Error::TooLarge { .. })));
    let short = DecodeConfig::default().with_max_file_bytes(bytes.len() as u64 - 1);
    assert!(matches!(Image::open_with(&path, &short), Err(Error::TooLarge { .. })));
    let exact =
        DecodeConfig::default().with_max_pixels(100).with_max_file_bytes(bytes.len() as u64);
    assert!(Image::open_with(&path, &exact).is_ok());
}

#[test]
fn one_pixel_is_an_image() {
    let folder = Folder::new();
    for format in [ImageFormat::Png, ImageFormat::Jpeg, ImageFormat::Bmp] {
        let path = folder.file("dot", &encode(noise(1, 1), format));
        assert_eq!(Image::open(path).unwrap().dims(), (3, 1, 1));
    }
}

#[test]
fn flipped_bits_never_panic() {
    for format in [ImageFormat::Png, ImageFormat::Jpeg, ImageFormat::Bmp] {
        let whole = encode(noise(24, 16), format);
        for at in 0..whole.len().min(700) {
            for bit in [0, 3, 7] {
                let mut bytes = whole.clone();
                bytes[at] ^= 1 << bit;
                let _ = Image::decode(&bytes, "flipped", &DecodeConfig::default());
            }
        }
    }
}

#[test]
fn eight_and_sixteen_bits_gray_and_color_agree() {
    let folder = Folder::new();
    let check = |image: DynamicImage, expected: &[f32]| {
        let read = Image::open(folder.file("x", &encode(image, ImageFormat::Png))).unwrap();
        assert_eq!(read.data().len(), expected.len());
        assert!(read.data().iter().zip(expected).all(|(a, e)| (a - e).abs() < 1e-6), "{read:?}");
    };
    check(image::GrayImage::from_pixel(1, 1, image::Luma([51])).into(), &[0.2]);
    check(image::RgbImage::from_pixel(1, 1, image::Rgb([51, 255, 0])).into(), &[0.2, 1., 0.]);
    let gray16 = image::ImageBuffer::from_pixel(1, 1, image::Luma([13107u16]));
    check(DynamicImage::ImageLuma16(gray16), &[0.2]);
    let color16 = image::ImageBuffer::from_pixel(1, 1, image::Rgb([13107u16, 65535, 0]));
    check(DynamicImage::ImageRgb16(color16), &[0.2, 1., 0.]);
}

#[test]
fn alpha_is_laid_on_black_or_dropped() {
    let folder = Folder::new();
    let pixel = image::Rgba([255, 51, 0, 102]);
    let bytes = encode(image::RgbaImage::from_pixel(1, 1, pixel), ImageFormat::Png);
    let path = folder.file("a.png", &bytes);
    let black = Image::open(&path).unwrap();
    assert!(black.data().iter().zip([0.4, 0.08, 0.]).all(|(a, e)| (a - e).abs() < 1e-6));
    let kept = Image::open_with(&path, &DecodeConfig::default().with_alpha(Alpha::Drop)).unwrap();
    assert!(kept.data().iter().zip([1., 0.2, 0.]).all(|(a, e)| (a - e).abs() < 1e-6));
    let gray = image::ImageBuffer::from_pixel(1, 1, image::LumaA([255u8, 102]));
    let path = folder.file("b.png", &encode(DynamicImage::ImageLumaA8(gray), ImageFormat::Png));
    assert!((Image::open(path).unwrap().get(0, 0, 0) - 0.4).abs() < 1e-6);
}

#[test]
fn palettes_become_color() {
    // Written by Pillow: two pixels, red and half blue, mode P.
    let bytes = include_bytes!("../testdata/palette.png");
    let image = Image::decode(bytes, "palette.png", &DecodeConfig::default()).unwrap();
    assert_eq!(image.dims(), (3, 1, 2));
    let expected = [1., 0., 0., 0., 0., 128. / 255.];
    assert!(image.data().iter().zip(expected).all(|(a, e)| (a - e).abs() < 1e-6));
    // One bit a pixel, as BUSI's masks are often kept.
    let bytes = include_bytes!("../testdata/one_bit.png");
    let image = Image::decode(bytes, "one_bit.png", &DecodeConfig::default()).unwrap();
    assert_eq!((image.dims(), image.data()), ((1, 1, 3), [1., 0., 1.].as_slice()));
}

#[test]
fn the_cameras_orientation_is_undone() {
    // Written by Pillow: 16×8, left half white, to be turned by 90° clockwise.
    let bytes = include_bytes!("../testdata/turned.jpg");
    let upright = Image::decode(bytes, "turned.jpg", &DecodeConfig::default()).unwrap();
    assert_eq!((upright.height(), upright.width()), (16, 8));
    assert!(upright.get(0, 2, 4) > 0.9 && upright.get(0, 13, 4) < 0.1);
    let raw = DecodeConfig::default().with_orientation(false);
    assert_eq!(Image::decode(bytes, "turned.jpg", &raw).unwrap().width(), 16);
}
