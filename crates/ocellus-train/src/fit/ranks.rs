use std::collections::BTreeMap;

use candle_core::{DType, Device, Tensor, Var, backprop::GradStore};
use ocellus_parallel::{ProcessGroup, synchronized};
use safetensors::View;
use serde::{Deserialize, Serialize, de::DeserializeOwned};

use crate::{
    checkpoint::{Checksum, Contents, exact},
    error::{Error, Result},
    fit::Validation,
};

/// What the ranks of a training tell each other. With one rank, nothing happens here.
#[derive(Debug)]
pub(crate) struct Ranks(ProcessGroup);

/// A rank's part in a batch: what its mean loss is multiplied by, so that the sum over ranks is the mean
/// over the batch. `None` where there is one rank.
pub(crate) struct Share(Option<f64>);

impl Share {
    /// What this rank computes gradients of.
    pub(crate) fn of(&self, mean: &Tensor) -> Result<Tensor> {
        match self.0 {
            None => Ok(mean.clone()),
            Some(factor) => Ok(mean.affine(factor, 0.)?),
        }
    }
}

impl Ranks {
    pub(crate) fn new(group: &ProcessGroup) -> Self {
        Self(group.clone())
    }

    /// The rank that writes files and decides.
    pub(crate) fn is_first(&self) -> bool {
        self.0.rank() == 0
    }

    pub(crate) fn is_alone(&self) -> bool {
        self.0.is_alone()
    }

    /// Runs a step, whose layers take the statistics of all ranks' batches.
    pub(crate) fn step<T>(&self, step: impl FnOnce() -> T) -> T {
        if self.is_alone() { step() } else { synchronized(&self.0, step) }
    }

    /// This rank's part in a batch of which it has so much. `more` says whether it has another batch
    /// in the epoch.
    pub(crate) fn share(&self, weight: f64, more: bool) -> Result<Share> {
        if !(weight.is_finite() && weight >= 0.) {
            let message =
                format!("a batch's loss counts {weight}: give a finite weight, not negative");
            return Err(Error::Setting(message));
        }
        if self.is_alone() {
            return Ok(Share(None));
        }
        let sums = self.0.sum(&[weight, f64::from(u8::from(more))])?;
        let (total, with_more, size) = (sums[0], sums[1], self.0.size());
        if with_more != 0. && with_more != size as f64 {
            return Err(Error::Setting(format!(
                "{with_more} of {size} ranks have another batch, the others have none: give all ranks the same \
                 number of batches"
            )));
        }
        if total == 0. {
            let message = "the losses of all ranks count 0: a batch of nothing has no mean";
            return Err(Error::Setting(message.to_owned()));
        }
        Ok(Share(Some(weight / total)))
    }

    /// The loss of a batch over all ranks.
    pub(crate) fn loss(&self, own: f64, share: &Share) -> Result<f64> {
        match share.0 {
            None => Ok(own),
            Some(factor) => Ok(self.0.sum(&[factor * own])?[0]),
        }
    }

    /// The sums of the ranks' gradients. A parameter that only some ranks touch counts as zero in the
    /// others.
    pub(crate) fn sum(&self, grads: &mut GradStore, params: &[(String, Var)]) -> Result<()> {
        if self.is_alone() {
            return Ok(());
        }
        let has = |(_, var): &(String, Var)| f64::from(u8::from(grads.get(var).is_some()));
        let touched = self.0.sum(&params.iter().map(has).collect::<Vec<_>>())?;
        let touched: Vec<&Var> = params
            .iter()
            .zip(touched)
            .filter_map(|((_, var), ranks)| (ranks > 0.).then_some(var))
            .collect();
        let own = touched.iter().map(|var| match grads.remove(var) {
            Some(grad) => Ok(grad),
            None => var.zeros_like(),
        });
        let own = own.collect::<candle_core::Result<Vec<_>>>()?;
        for (var, sum) in touched.into_iter().zip(self.0.all_reduce_sum(&own)?) {
            grads.insert(var, sum);
        }
        Ok(())
    }

    /// Whether any rank says so.
    pub(crate) fn any(&self, says: bool) -> Result<bool> {
        if self.is_alone() {
            return Ok(says);
        }
        Ok(self.0.sum(&[f64::from(u8::from(says))])?[0] > 0.)
    }

    /// What rank 0 says.
    pub(crate) fn first<T: Serialize + DeserializeOwned>(&self, own: T) -> Result<T> {
        if self.is_alone() {
            return Ok(own);
        }
        let text = serde_json::to_vec(&own).map_err(unreadable)?;
        serde_json::from_slice(&self.0.share_bytes(&text)?).map_err(unreadable)
    }

    /// The validation of rank 0.
    pub(crate) fn validation(&self, own: Option<Validation>) -> Result<Option<Validation>> {
        if self.is_alone() {
            return Ok(own);
        }
        let told = own.map(|v| Told { loss: v.loss, metrics: v.metrics });
        let told = self.first(told)?;
        Ok(told.map(|told| Validation { loss: told.loss, metrics: told.metrics }))
    }

    /// The checkpoint of rank 0, if it has one.
    pub(crate) fn checkpoint(&self, own: Option<Contents>) -> Result<Option<Contents>> {
        if self.is_alone() {
            return Ok(own);
        }
        let state = self.first(own.as_ref().map(|contents| contents.state.clone()))?;
        let Some(state) = state else { return Ok(None) };
        let own = own.map_or_else(BTreeMap::new, |contents| contents.tensors);
        let form = |(name, x): (&String, &Tensor)| {
            (name.clone(), x.dtype().as_str().to_owned(), x.dims().to_vec())
        };
        let forms: Vec<(String, String, Vec<usize>)> =
            self.first(own.iter().map(form).collect())?;
        let tensors = if self.is_first() {
            own.values().cloned().collect()
        } else {
            let empty = |(_, dtype, dims): &(_, String, Vec<usize>)| {
                let dtype: DType = dtype.parse().map_err(unreadable)?;
                Ok(Tensor::zeros(dims.as_slice(), dtype, &Device::Cpu)?)
            };
            forms.iter().map(empty).collect::<Result<Vec<_>>>()?
        };
        let tensors = self.0.broadcast(&tensors, 0)?;
        let tensors = forms.into_iter().map(|(name, ..)| name).zip(tensors).collect();
        Ok(Some(Contents { tensors, state }))
    }

    /// Gives all ranks the tensors of rank 0, in their place.
    pub(crate) fn take_firsts(&self, own: &BTreeMap<String, Tensor>) -> Result<()> {
        if self.is_alone() {
            return Ok(());
        }
        let all: Vec<Tensor> = own.values().cloned().collect();
        for (to, from) in own.values().zip(self.0.broadcast(&all, 0)?) {
            if !self.is_first() {
                to.flatten_all()?.slice_set(&from.flatten_all()?, 0, 0)?;
            }
        }
        Ok(())
    }

    /// An error on all ranks if a tensor is not the same bits on all.
    pub(crate) fn check_equal(&self, own: &BTreeMap<String, Tensor>) -> Result<()> {
        if self.is_alone() {
            return Ok(());
        }
        let digests = own.iter().map(|(name, x)| Ok((name.clone(), digest(name, x)?)));
        let digests = digests.collect::<Result<BTreeMap<_, _>>>()?;
        let firsts = self.first(digests.clone())?;
        let other = digests.iter().find(|&(name, digest)| firsts.get(name) != Some(digest));
        let differs = other.is_some() || digests.len() != firsts.len();
        if !self.any(differs)? {
            return Ok(());
        }
        let what = match other {
            Some((name, _)) => {
                format!("`{name}` is not the same on rank {} as on rank 0", self.0.rank())
            }
            None => "the weights are not the same on all ranks".to_owned(),
        };
        Err(Error::Setting(format!(
            "{what}: every rank must train the same model by the same settings, and layers with running statistics \
             must take them of all ranks, as `ocellus_layers::BatchNorm2d` does"
        )))
    }

    /// Tells the others that this rank ends with an error.
    pub(crate) fn give_up(&self, error: &Error) {
        self.0.give_up(&error.to_string());
    }
}

/// A validation as text that holds every number.
#[derive(Serialize, Deserialize)]
struct Told {
    #[serde(with = "exact::number")]
    loss: f64,
    #[serde(with = "exact::map")]
    metrics: BTreeMap<String, f64>,
}

fn digest(name: &str, x: &Tensor) -> Result<String> {
    let x = x.to_device(&Device::Cpu)?.contiguous()?;
    let mut sum = Checksum::default();
    sum.add_tensor(name, x.dims(), &View::data(&x));
    Ok(sum.hex())
}

fn unreadable(error: impl std::fmt::Display) -> Error {
    Error::Setting(format!(
        "rank 0 says what cannot be read: {error}: run the same program on all ranks"
    ))
}
