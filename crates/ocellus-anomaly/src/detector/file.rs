use std::{collections::BTreeMap, path::Path};

use candle_core::{DType, Tensor};
use ocellus_backbones::Preprocessing;
use ocellus_cluster::{RowFile, RowSource as _};
use ocellus_params::{WeightFile, write_tensors};

use super::Detector;
use crate::{
    Calibration, Encoder, Error, FrozenBackbone, ImagePooling, ImageScoring, ImageSize,
    Preparation, Result, State, model::restore,
};

const FORMAT: &str = "ocellus-anomaly";
const VERSION: u32 = 1;

/// Tables of `f32` that can stay in the file.
const TABLES: [&str; 1] = ["model.bank"];

/// Where tables are while a detector is at work.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Tables {
    InMemory,
    InFile,
}

pub(super) fn save(detector: &Detector, path: &Path) -> Result<()> {
    let mut state = State::default();
    state.set("format", FORMAT);
    state.set("version", VERSION);
    state.set("kind", detector.model.kind());
    state.extend(save_encoder(&detector.encoder).under("encoder"));
    let mut model = State::default();
    detector.model.save(&mut model)?;
    state.extend(model.under("model"));
    detector.scoring.pooling.save(&mut state);
    if detector.scoring.two_sided {
        state.set("center", detector.center);
    }
    state.extend(detector.calibration.save()?.under("calibration"));
    state.set("checksum", format!("{:016x}", checksum(&state)?));
    Ok(write_tensors(path, state.tensors(), state.texts())?)
}

pub(super) fn load(path: &Path, backbone: FrozenBackbone, tables: Tables) -> Result<Detector> {
    let file = WeightFile::open(path)?;
    let refuse = |what: String, remedy| Error::File { path: path.to_owned(), what, remedy };
    if file.metadata().get("format").map(String::as_str) != Some(FORMAT) {
        let what = "holds no detector".to_owned();
        return Err(refuse(what, "give a file that `Detector::save` wrote"));
    }
    let texts = State::new(file.metadata().clone(), Default::default());
    let damaged = |error| match error {
        Error::Value(what) => refuse(what, "it is damaged, save the detector again"),
        error => error,
    };
    let version: u32 = texts.get("version").map_err(damaged)?;
    if version != VERSION {
        let what = format!("is of version {version}, but this program reads {VERSION}");
        return Err(refuse(what, "use a newer one, or fit the detector again"));
    }
    check_backbone(&texts.part("encoder"), &backbone).map_err(|error| match error {
        Error::Setting(what) => refuse(what, "load the weights that it was fitted with"),
        error => damaged(error),
    })?;
    restored(read(&file, tables)?, backbone).map_err(damaged)
}

fn read(file: &WeightFile, place: Tables) -> Result<State> {
    let (mut tensors, mut tables) = (BTreeMap::new(), BTreeMap::new());
    for name in file.names() {
        let stays = place == Tables::InFile && TABLES.contains(&name);
        let table = match (file.position(name), file.shape(name), file.dtype(name)) {
            (Some(position), Some(&[rows, columns]), Some(DType::F32)) if stays => {
                Some(RowFile::open(file.path(), position, rows, columns)?)
            }
            _ => None,
        };
        match table {
            Some(table) => drop(tables.insert(name.to_owned(), table)),
            None => drop(tensors.insert(name.to_owned(), file.tensor(name)?)),
        }
    }
    Ok(State::new(file.metadata().clone(), tensors).with_tables(tables))
}

fn restored(state: State, backbone: FrozenBackbone) -> Result<Detector> {
    if state.get::<String>("checksum")? != format!("{:016x}", checksum(&state)?) {
        return Err(Error::Value("does not have the checksum of its content".to_owned()));
    }
    let encoder = state.part("encoder");
    let preparation = restore_preparation(&encoder)?;
    let stages: Vec<usize> = encoder.get_all("stages")?;
    let center = state.find("center")?;
    let scoring = ImageScoring::new(ImagePooling::restore(&state)?);
    let (kind, part) = (state.get::<String>("kind")?, state.part("model"));
    Ok(Detector {
        model: restore(&kind, &part, backbone.device())?,
        encoder: Encoder::new(backbone, &stages)?.with_preparation(preparation),
        scoring: scoring.with_two_sided(center.is_some()),
        center: center.unwrap_or_default(),
        calibration: Calibration::restore(&state.part("calibration"))?,
    })
}

fn check_backbone(encoder: &State, backbone: &FrozenBackbone) -> Result<()> {
    let (name, fingerprint): (String, String) =
        (encoder.get("backbone")?, encoder.get("fingerprint")?);
    if name != backbone.name() {
        let given = backbone.name();
        return Err(Error::Setting(format!("was made with the backbone {name}, not {given}")));
    }
    let given = format!("{:016x}", backbone.fingerprint());
    if fingerprint != given {
        return Err(Error::Setting(format!(
            "was made with weights of {name} that have the fingerprint {fingerprint}, not {given}"
        )));
    }
    Ok(())
}

fn save_encoder(encoder: &Encoder) -> State {
    let mut state = State::default();
    state.set("backbone", encoder.backbone().name());
    state.set("fingerprint", format!("{:016x}", encoder.backbone().fingerprint()));
    state.set_all("stages", encoder.stages());
    let Preparation { resize, crop, normalization } = *encoder.preparation();
    match resize {
        None => {}
        Some(ImageSize::Exact(height, width)) => state.set_all("resize", &[height, width]),
        Some(ImageSize::ShorterSide(side)) => state.set_all("resize", &[side]),
    }
    if let Some((height, width)) = crop {
        state.set_all("crop", &[height, width]);
    }
    let Preprocessing { scale, mean, std, .. } = normalization;
    state.set_all("normalization", &[&[scale][..], &mean, &std].concat());
    state
}

fn restore_preparation(state: &State) -> Result<Preparation> {
    let sizes = |name: &str| match state.find::<String>(name)? {
        None => Ok(Vec::new()),
        Some(_) => state.get_all::<usize>(name),
    };
    let mut preparation = Preparation::none();
    preparation.resize = match sizes("resize")?[..] {
        [height, width] => Some(ImageSize::Exact(height, width)),
        [side] => Some(ImageSize::ShorterSide(side)),
        _ => None,
    };
    if let [height, width] = sizes("crop")?[..] {
        preparation = preparation.with_crop(height, width);
    }
    let values: Vec<f64> = state.get_all("normalization")?;
    let &[scale, r, g, b, red, green, blue] = &values[..] else {
        return Err(Error::Value(format!(
            "has a normalization of {} numbers, not 7",
            values.len()
        )));
    };
    let mut normalization = Preprocessing::none();
    (normalization.scale, normalization.mean) = (scale, [r, g, b]);
    normalization.std = [red, green, blue];
    Ok(preparation.with_normalization(normalization))
}

/// FNV-1a over all texts but the checksum and over all tensors, a value at a time and rotated, so
/// that high bits count too.
fn checksum(state: &State) -> Result<u64> {
    let mut hash = 0xcbf2_9ce4_8422_2325;
    let mut add = |word: u64| hash = (hash ^ word).wrapping_mul(0x0100_0000_01b3).rotate_left(5);
    for (name, text) in state.texts() {
        if name != "checksum" {
            name.bytes().chain([0]).chain(text.bytes()).for_each(|byte| add(byte.into()));
        }
    }
    let mut names: Vec<&String> = state.tensors().keys().chain(state.tables().keys()).collect();
    names.sort_unstable();
    for name in names {
        name.bytes().for_each(|byte| add(byte.into()));
        if let Some(tensor) = state.tensors().get(name) {
            tensor.dims().iter().for_each(|&dim| add(dim as u64));
            each_word(tensor, &mut add)?;
        } else if let Some(table) = state.table(name) {
            [table.size().0, table.size().1].iter().for_each(|&dim| add(dim as u64));
            each_word_of_table(table, &mut add)?;
        }
    }
    Ok(hash)
}

/// Calls `f` with the bits of each value, a block of rows at a time.
fn each_word_of_table(table: &RowFile, f: &mut impl FnMut(u64)) -> Result<()> {
    const ROWS: usize = 1024;
    let (rows, columns) = table.size();
    let mut block = vec![0f32; ROWS.min(rows) * columns];
    for start in (0..rows).step_by(ROWS) {
        let block = &mut block[..ROWS.min(rows - start) * columns];
        table.read_rows(start, block)?;
        block.iter().for_each(|x| f(x.to_bits().into()));
    }
    Ok(())
}

/// Calls `f` with the bits of each value.
fn each_word(tensor: &Tensor, f: &mut impl FnMut(u64)) -> Result<()> {
    let flat = tensor.flatten_all()?;
    match tensor.dtype() {
        DType::F32 => flat.to_vec1::<f32>()?.into_iter().for_each(|x| f(x.to_bits().into())),
        DType::F64 => flat.to_vec1::<f64>()?.into_iter().for_each(|x| f(x.to_bits())),
        DType::I64 => flat.to_vec1::<i64>()?.into_iter().for_each(|x| f(x as u64)),
        DType::U32 => flat.to_vec1::<u32>()?.into_iter().for_each(|x| f(x.into())),
        DType::U8 => flat.to_vec1::<u8>()?.into_iter().for_each(|x| f(x.into())),
        dtype => {
            return Err(Error::Setting(format!(
                "a state with a tensor of {dtype:?}: keep f32, f64, i64, u32 or u8"
            )));
        }
    }
    Ok(())
}
