//! Values and gradients of every loss equal PyTorch's.

use candle_core::{Result, Tensor, Var};
use ocellus_losses::{BinaryCrossEntropy, CrossEntropy, LogCosh, Loss, MeanSquared, ce_log_cosh};
use ocellus_testing::{Golden, assert_close};

struct Case {
    golden: Golden,
}

impl Case {
    fn read() -> Result<Self> {
        Ok(Self { golden: Golden::read(env!("CARGO_MANIFEST_DIR"), "losses")? })
    }

    fn input(&self, name: &str) -> Result<Tensor> {
        self.golden.get(&format!("input.{name}")).cloned()
    }

    fn check(&self, name: &str, loss: impl Loss, logits: &str, target: &str) -> Result<()> {
        let logits = Var::from_tensor(&self.input(logits)?)?;
        let value = loss.forward(logits.as_tensor(), &self.input(target)?)?;
        let grads = value.backward()?;
        let gradient = grads.get(logits.as_tensor()).expect("a gradient");
        assert_close(&value, self.golden.get(&format!("output.{name}"))?, 1e-12)?;
        assert_close(gradient, self.golden.get(&format!("gradient.{name}"))?, 1e-12)
    }
}

#[test]
fn cross_entropy_matches_pytorch() -> Result<()> {
    let case = Case::read()?;
    let ce = CrossEntropy::default();
    let weighted = ce.clone().with_class_weights(case.input("weights")?);
    case.check("ce", ce.clone(), "logits", "indices")?;
    case.check("ce_probabilities", ce.clone(), "logits", "probabilities")?;
    case.check("ce_weighted", weighted, "logits", "indices")?;
    case.check("ce_smoothed", ce.clone().with_label_smoothing(0.1), "logits", "indices")?;
    case.check("ce_ignoring", ce.clone().with_ignore_index(3), "logits", "indices")?;
    case.check("ce_image", ce, "image", "pixels")
}

#[test]
fn binary_cross_entropy_matches_pytorch() -> Result<()> {
    let case = Case::read()?;
    let bce = BinaryCrossEntropy::default();
    let weighted = bce.clone().with_pos_weight(case.input("weights")?);
    case.check("bce_single", bce.clone(), "single", "yes")?;
    case.check("bce_classes", bce.clone(), "logits", "indices")?;
    case.check("bce_probabilities", bce, "logits", "probabilities")?;
    case.check("bce_weighted", weighted, "logits", "indices")
}

#[test]
fn log_cosh_matches_pytorch() -> Result<()> {
    let case = Case::read()?;
    let softmax = LogCosh::softmax();
    case.check("lc_mean", softmax, "logits", "indices")?;
    case.check("lc_sum", softmax.class_sum(), "logits", "indices")?;
    case.check("lc_probabilities", softmax.class_sum().class_mean(), "logits", "probabilities")?;
    case.check("lc_image", softmax, "image", "pixels")?;
    case.check("lc_image_sum", softmax.class_sum(), "image", "pixels")?;
    case.check("lc_sigmoid", LogCosh::sigmoid(), "single", "yes")?;
    case.check("lc_identity", LogCosh::identity(), "logits", "probabilities")
}

#[test]
fn mean_squared_matches_pytorch() -> Result<()> {
    let case = Case::read()?;
    case.check("ms_mean", MeanSquared::softmax(), "logits", "indices")?;
    case.check("ms_sum", MeanSquared::softmax().class_sum(), "logits", "indices")?;
    case.check("ms_sigmoid", MeanSquared::sigmoid(), "single", "yes")?;
    case.check("ms_identity", MeanSquared::identity(), "logits", "probabilities")
}

#[test]
fn the_ensemble_matches_pytorch() -> Result<()> {
    Case::read()?.check("ce_log_cosh", ce_log_cosh(0.5, 0.5), "logits", "indices")
}
