use candle_core::{DType, Device, Tensor};
use ocellus_testing::{Golden, assert_close};

use super::{WeightFile, WeightFormat};
use crate::Result;

fn path(name: &str) -> String {
    format!("{}/testdata/{name}", env!("CARGO_MANIFEST_DIR"))
}

#[test]
fn every_layout_and_type_is_read_from_every_format() -> Result<()> {
    let golden = Golden::read(env!("CARGO_MANIFEST_DIR"), "kinds")?;
    for (name, format) in [
        ("kinds.pth", WeightFormat::PyTorch),
        ("kinds_protocol4.pth", WeightFormat::PyTorch),
        ("kinds_legacy.pth", WeightFormat::PyTorchLegacy),
    ] {
        let file = WeightFile::open(path(name))?;
        assert_eq!(file.format(), format);
        let readable: Vec<&str> =
            file.names().filter(|n| !["sparse", "complex", "u16"].contains(n)).collect();
        assert_eq!(readable.len(), 20, "{name}: {readable:?}");
        let mut positions = 0;
        for tensor in readable {
            let actual = file.tensor(tensor)?;
            let expected = golden.get(&format!("output.{tensor}"))?;
            assert_close(&actual, expected, 0.)?;
            assert_eq!(file.shape(tensor), Some(expected.dims()));
            assert_eq!(file.dtype(tensor), Some(actual.dtype()));
            assert!(actual.is_contiguous());
            if let (Some(position), DType::F32) = (file.position(tensor), actual.dtype()) {
                let bytes = std::fs::read(file.path()).unwrap();
                let values = bytes[position as usize..].as_chunks::<4>().0.iter();
                let values: Vec<f32> =
                    values.take(actual.elem_count()).map(|b| f32::from_le_bytes(*b)).collect();
                let expected = actual.flatten_all()?.to_vec1::<f32>()?;
                assert!(values.iter().zip(&expected).all(|(a, b)| a.to_bits() == b.to_bits()));
                positions += 1;
            }
        }
        assert!(positions > 2, "{positions}");
        assert_eq!(file.dtype("bf16"), Some(DType::BF16));
        let error = file.tensor("sparse").unwrap_err().to_string();
        assert!(error.contains("kind `sparse_tensor` under `sparse`"), "{error}");
        let error = file.tensor("complex").unwrap_err().to_string();
        assert!(error.contains("ComplexFloatStorage"), "{error}");
        let error = file.tensor("absent").unwrap_err().to_string();
        assert!(error.contains("no tensor `absent`; it has `bf16`"), "{error}");
    }
    let u16 = WeightFile::open(path("kinds.pth"))?.tensor("u16")?;
    Ok(assert_close(&u16, &Tensor::new(&[60000u32, 7], &Device::Cpu)?, 0.)?)
}

#[test]
fn a_training_checkpoint_gives_its_state_dict_without_wrappers() -> Result<()> {
    let file = WeightFile::open(path("nested.pth"))?;
    let names: Vec<&str> = file.names().collect();
    assert_eq!(
        names,
        [
            "conv.bias",
            "conv.weight",
            "head.bias",
            "head.weight",
            "norm.bias",
            "norm.num_batches_tracked",
            "norm.running_mean",
            "norm.running_var",
            "norm.weight"
        ]
    );
    assert_eq!(file.parameter_count(), 112 + 8 + 10);
    assert_eq!(file.tensor("norm.num_batches_tracked")?.to_scalar::<i64>()?, 1);
    Ok(())
}

#[test]
fn a_pickled_module_is_an_error_with_a_remedy() {
    let error = WeightFile::open(path("model.pth")).unwrap_err().to_string();
    assert!(error.contains("Linear") && error.contains("state_dict()"), "{error}");
}

#[test]
fn a_torch_script_and_an_archive_of_arrays_are_errors_with_a_remedy() {
    let error = WeightFile::open(path("script.pt")).unwrap_err().to_string();
    assert!(error.contains("TorchScript") && error.contains("state_dict()"), "{error}");
    let error = WeightFile::open(path("arrays.npz")).unwrap_err().to_string();
    assert!(error.contains("NumPy"), "{error}");
}

#[test]
fn strangers_are_recognized() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("weights.pth");
    for (content, expected) in [
        (&b""[..], "is empty"),
        (b"abc", "too short"),
        (b"\x89HDF\r\n\x1a\n\0\0\0\0", "HDF5"),
        (b"version https://git-lfs.github.com/spec/v1\noid", "git lfs pull"),
        (b"<!DOCTYPE html><html><body>404", "web page"),
        (b"\0\0\0\0\0\0\0\0\0\0\0\0\0\0", "neither safetensors nor"),
        (b"\x80\x02K\x01.", "not one of `torch.save`"),
        (b"PK\x03\x04\0\0\0\0\0\0\0\0", "damaged"),
    ] {
        std::fs::write(&file, content).unwrap();
        let error = WeightFile::open(&file).unwrap_err().to_string();
        assert!(error.contains(expected) && error.contains("weights.pth"), "{error}");
    }
}

/// Opens the bytes and reads whatever there is: an error is fine, a panic is not.
fn read_all(folder: &std::path::Path, bytes: &[u8]) -> Result<()> {
    let path = folder.join("damaged");
    std::fs::write(&path, bytes).unwrap();
    let file = WeightFile::open(&path)?;
    let mut failed = None;
    for name in file.names() {
        if let Err(error) = file.tensor(name)
            && !["sparse", "complex"].contains(&name)
        {
            failed = Some(error);
        }
    }
    failed.map_or(Ok(()), Err)
}

const ALL: [&str; 5] =
    ["kinds.pth", "kinds_legacy.pth", "kinds_protocol4.pth", "kinds.safetensors", "nested.pth"];

#[test]
fn a_file_cut_anywhere_is_an_error() {
    let folder = tempfile::tempdir().unwrap();
    for name in ALL {
        let bytes = std::fs::read(path(name)).unwrap();
        assert!(read_all(folder.path(), &bytes).is_ok(), "{name}");
        for end in (0..bytes.len()).step_by(bytes.len() / 150) {
            let error = read_all(folder.path(), &bytes[..end]).unwrap_err().to_string();
            assert!(error.contains("damaged"), "{name} cut at {end}: {error}");
        }
    }
}

#[test]
fn a_file_with_flipped_bits_never_panics() {
    let folder = tempfile::tempdir().unwrap();
    for name in ALL {
        let bytes = std::fs::read(path(name)).unwrap();
        let mut random = 12345u64;
        for _ in 0..400 {
            let mut damaged = bytes.clone();
            for _ in 0..2 {
                random = random.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
                // Mostly the description, which begins or ends the file.
                let at = (random >> 33) as usize % damaged.len();
                damaged[at] ^= 1 << (random >> 29 & 7);
            }
            let _ = read_all(folder.path(), &damaged);
        }
    }
}

#[test]
fn real_weights_open() -> Result<()> {
    let root = std::env::var("OCELLUS_DATA").map(std::path::PathBuf::from).unwrap_or_else(|_| {
        std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/data")
    });
    let path = root.join("weights_imagenet/vgg16_conv_caffe_rgb.safetensors");
    if !path.exists() {
        eprintln!("skipped: no {}; set OCELLUS_DATA", path.display());
        return Ok(());
    }
    let file = WeightFile::open(&path)?;
    assert_eq!((file.names().len(), file.parameter_count()), (26, 14_714_688));
    assert_eq!(file.shape("features.28.weight"), Some(&[512, 512, 3, 3][..]));
    Ok(())
}
