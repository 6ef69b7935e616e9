//! Values and gradients of the segmentation losses equal `segmentation_models_pytorch`'s.

use candle_core::{Result, Tensor, Var};
use ocellus_losses::{
    AbsentClasses, CrossEntropy, Dice, Focal, Jaccard, Loss, LovaszHinge, LovaszSoftmax,
    OverlapIndex, OverlapLoss, Tversky,
};
use ocellus_testing::{Golden, assert_close};

struct Case {
    golden: Golden,
}

impl Case {
    fn read() -> Result<Self> {
        Ok(Self { golden: Golden::read(env!("CARGO_MANIFEST_DIR"), "segmentation")? })
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
        // Of the networks of four classes the file holds the first images.
        let expected = self.golden.get(&format!("gradient.{name}"))?;
        assert_close(&gradient.narrow(0, 0, expected.dim(0)?)?, expected, 1e-12)
    }

    fn check_overlap<I: OverlapIndex + Clone>(
        &self,
        name: &str,
        [softmax, sigmoid]: [OverlapLoss<I>; 2],
    ) -> Result<()> {
        let check = |kind: &str, loss, logits, target| {
            self.check(&format!("{name}{kind}"), loss, logits, target)
        };
        let weights = self.input("weights")?;
        check("", softmax.clone(), "logits", "indices")?;
        check("_smooth", softmax.clone().with_smooth(1.), "logits", "indices")?;
        check("_log", softmax.clone().with_log(), "logits", "indices")?;
        check("_few", softmax.clone(), "logits", "few")?;
        check("_void", softmax.clone().with_ignore_index(255), "logits", "void")?;
        let weighted = softmax.clone().with_class_weights(weights.clone());
        check("_weighted", weighted, "logits", "indices")?;
        let classes = softmax.with_class_weights(self.input("classes")?);
        check("_classes", classes, "logits", "indices")?;
        check("_binary", sigmoid.clone(), "binary", "yes")?;
        let void = sigmoid.clone().with_ignore_index(255).with_smooth(0.5);
        check("_binary_void", void, "binary", "yes_void")?;
        check("_binary_soft", sigmoid.clone(), "binary", "soft")?;
        check("_multilabel", sigmoid.with_class_weights(weights), "logits", "many")
    }
}

#[test]
fn dice_matches() -> Result<()> {
    Case::read()?.check_overlap("dice", [Dice::softmax(), Dice::sigmoid()])
}

#[test]
fn jaccard_matches() -> Result<()> {
    Case::read()?.check_overlap("jaccard", [Jaccard::softmax(), Jaccard::sigmoid()])
}

#[test]
fn focal_tversky_matches() -> Result<()> {
    let with = |loss: Tversky| loss.with_alpha(0.3).with_beta(0.7).with_gamma(0.75);
    let losses = [Tversky::softmax(), Tversky::sigmoid()].map(with);
    Case::read()?.check_overlap("tversky", losses)
}

#[test]
fn focal_matches() -> Result<()> {
    let case = Case::read()?;
    let sigmoid = Focal::sigmoid();
    case.check("focal", sigmoid.clone(), "logits", "indices")?;
    case.check("focal_gamma", sigmoid.clone().with_gamma(1.3), "logits", "indices")?;
    let void = sigmoid.clone().with_ignore_index(255);
    case.check("focal_void", void.clone().with_alpha(0.25), "logits", "void")?;
    let weighted = sigmoid.clone().with_class_weights(case.input("weights")?);
    case.check("focal_weighted", weighted, "logits", "indices")?;
    case.check("focal_binary", sigmoid.clone().with_alpha(0.25), "binary", "yes")?;
    case.check("focal_binary_void", void, "binary", "yes_void")?;
    case.check("focal_binary_soft", sigmoid.clone(), "binary", "soft")?;
    case.check("focal_multilabel", sigmoid, "logits", "many")?;
    case.check("focal_softmax", Focal::softmax(), "logits", "indices")
}

#[test]
fn cross_entropy_of_pixels_matches() -> Result<()> {
    let case = Case::read()?;
    let loss = CrossEntropy::default().with_ignore_index(255);
    case.check("ce", loss.with_class_weights(case.input("weights")?), "logits", "void")
}

#[test]
fn lovasz_softmax_matches() -> Result<()> {
    let case = Case::read()?;
    let loss = LovaszSoftmax::default();
    let void = loss.clone().with_ignore_index(255);
    case.check("lovasz", loss.clone(), "logits", "indices")?;
    case.check("lovasz_image", loss.clone().per_image(), "logits", "indices")?;
    case.check("lovasz_few", loss.clone(), "logits", "few")?;
    case.check("lovasz_void", void.clone(), "logits", "void")?;
    case.check("lovasz_image_void", void.per_image(), "logits", "void")?;
    let all = loss.with_absent_classes(AbsentClasses::Counted);
    case.check("lovasz_all", all, "logits", "few")
}

#[test]
fn lovasz_hinge_matches() -> Result<()> {
    let case = Case::read()?;
    let loss = LovaszHinge::default();
    let void = loss.with_ignore_index(255);
    case.check("hinge", loss, "binary", "yes")?;
    case.check("hinge_image", loss.per_image(), "binary", "yes")?;
    case.check("hinge_void", void, "binary", "yes_void")?;
    case.check("hinge_image_void", void.per_image(), "binary", "yes_void")
}
