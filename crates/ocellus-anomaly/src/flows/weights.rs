use std::collections::BTreeMap;

use candle_core::{DType, Device, Tensor};
use candle_nn::VarBuilder;
use ocellus_flows::{Clamp, Mixing};
use ocellus_params::ParamStore;

use crate::{Error, Result, State};

/// Where they stand in a state.
const PART: &str = "flow";

/// The weights of a fitted flow: plain tensors on a device, so that scoring records no graph.
#[derive(Clone, Debug)]
pub(super) struct Weights {
    tensors: BTreeMap<String, Tensor>,
    device: Device,
}

impl Weights {
    /// Copies, so that training may go on.
    pub(super) fn of(params: &ParamStore) -> Result<Self> {
        let copies = params.tensors().into_iter().map(|(name, x)| Ok((name, x.copy()?)));
        let tensors = copies.collect::<Result<BTreeMap<_, _>>>()?;
        let device = tensors.values().next().map_or(Device::Cpu, |x| x.device().clone());
        Ok(Self { tensors, device })
    }

    /// Features where the flow is.
    pub(super) fn bring(&self, features: &Tensor) -> Result<Tensor> {
        Ok(features.to_device(&self.device)?)
    }

    pub(super) fn save(&self, state: &mut State) {
        let mut part = State::default();
        for (name, tensor) in &self.tensors {
            part.set_tensor(name, tensor);
        }
        state.extend(part.under(PART));
    }

    /// To be on that device.
    pub(super) fn restore(state: &State, device: &Device) -> Self {
        Self { tensors: state.part(PART).tensors().clone(), device: device.clone() }
    }

    /// A model of these weights, which the builder brings to the device.
    pub(super) fn build<M>(
        &self,
        build: impl FnOnce(VarBuilder<'static>) -> candle_core::Result<M>,
    ) -> Result<M> {
        let tensors = self.tensors.clone().into_iter().collect();
        build(VarBuilder::from_tensors(tensors, DType::F32, &self.device)).map_err(|error| {
            Error::Value(format!("has other weights than its settings say: {error}"))
        })
    }
}

const CLAMPS: [(&str, Clamp); 2] = [("scaled", Clamp::Scaled), ("soft-limit", Clamp::SoftLimit)];
const MIXINGS: [(&str, Mixing); 2] = [("hard", Mixing::Hard), ("soft", Mixing::Soft)];

pub(super) fn save_coupling(alpha: f64, clamp: Clamp, mixing: Mixing, state: &mut State) {
    state.set("alpha", alpha);
    for (name, _) in CLAMPS.iter().filter(|(_, known)| *known == clamp) {
        state.set("clamp", name);
    }
    for (name, _) in MIXINGS.iter().filter(|(_, known)| *known == mixing) {
        state.set("mixing", name);
    }
}

pub(super) fn restore_coupling(state: &State) -> Result<(f64, Clamp, Mixing)> {
    let (clamp, mixing): (String, String) = (state.get("clamp")?, state.get("mixing")?);
    let unknown = |what: &str, name: &str| Error::Value(format!("has `{name}` as its `{what}`"));
    let find = CLAMPS.iter().find(|(name, _)| *name == clamp);
    let &(_, found) = find.ok_or_else(|| unknown("clamp", &clamp))?;
    let find = MIXINGS.iter().find(|(name, _)| *name == mixing);
    let &(_, mixed) = find.ok_or_else(|| unknown("mixing", &mixing))?;
    Ok((state.get("alpha")?, found, mixed))
}

/// Channels, height and width of each scale.
pub(super) fn save_scales(scales: &[(usize, usize, usize)], state: &mut State) {
    let numbers: Vec<usize> = scales.iter().flat_map(|&(c, h, w)| [c, h, w]).collect();
    state.set_all("scales", &numbers);
}

pub(super) fn restore_scales(state: &State) -> Result<Vec<(usize, usize, usize)>> {
    let numbers: Vec<usize> = state.get_all("scales")?;
    let (scales, rest) = numbers.as_chunks::<3>();
    if scales.is_empty() || !rest.is_empty() || numbers.contains(&0) {
        return Err(Error::Value(format!("has scales of {numbers:?}")));
    }
    Ok(scales.iter().map(|&[c, h, w]| (c, h, w)).collect())
}

/// `f` of each image alone, then all in one: what is computed for an image cannot depend on others.
pub(super) fn each_image(
    features: &Tensor,
    f: impl Fn(&Tensor) -> candle_core::Result<Tensor>,
) -> Result<Tensor> {
    let images = features.dim(0)?;
    let each = (0..images).map(|image| f(&features.narrow(0, image, 1)?.contiguous()?));
    Ok(Tensor::cat(&each.collect::<candle_core::Result<Vec<_>>>()?, 0)?)
}
