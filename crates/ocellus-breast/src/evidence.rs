use candle_core::{Result, Tensor, Var};
use ocellus_ops::{log_softmax, relu};

use crate::Classifier;

impl Classifier {
    /// Which places of each image speak for a class: the layer-wise class activation map of its
    /// log-odds.
    ///
    /// ```text
    /// s = log p_class / (1 - p_class)
    /// E = Σ_c ReLU(∂s / ∂A_c) ⊙ A_c                                                          [1]
    /// ```
    ///
    /// with A what leaves the backbone's fourth block before its pooling, which is what a gate
    /// weighs: activations that, were they stronger, would raise the odds of the class. The
    /// log-odds and not the class's logit: what raises all logits alike decides nothing.
    ///
    /// # Shapes
    ///
    /// - images: `(batch, 3, height, width)`, 0 to 1; classes: one an image
    /// - output: `(batch, 1, height / 8, width / 8)`, 0 or more
    ///
    /// # Examples
    ///
    /// ```
    /// use candle_core::{DType, Device, Tensor};
    /// use ocellus_breast::{Architecture, Classifier, Config};
    /// use ocellus_params::ParamStore;
    ///
    /// let config = Config::tiny(Architecture::AttentionVgg);
    /// let params = ParamStore::seeded(7);
    /// let model = Classifier::new(&config, params.var_builder(DType::F32, &Device::Cpu))?;
    /// let images = Tensor::full(0.5f32, (2, 3, 64, 64), &Device::Cpu)?;
    /// assert_eq!(model.evidence(&images, &[0, 1])?.dims(), [2, 1, 8, 8]);
    /// # Ok::<(), candle_core::Error>(())
    /// ```
    ///
    /// # Errors
    ///
    /// If there is not one class for each image, or no such class.
    ///
    /// # Complexity
    ///
    /// About three times that of a prediction.
    ///
    /// # References
    ///
    /// 1. P.-T. Jiang et al. *`LayerCAM`: Exploring hierarchical class activation maps for
    ///    localization.* IEEE Transactions on Image Processing 30, 2021.
    pub fn evidence(&self, images: &Tensor, classes: &[usize]) -> Result<Tensor> {
        let layers = self.evidence_layers();
        let features = Var::from_tensor(&self.prefix(images, layers)?.detach())?;
        let logits = self.forward_from(features.as_tensor(), layers, false)?;
        let gradients = log_odds(&logits, classes)?.sum_all()?.backward()?;
        let gradient = gradients
            .get(features.as_tensor())
            .ok_or_else(|| candle_core::Error::msg("the logits do not depend on the features"))?;
        relu(&(features.as_detached_tensor() * relu(gradient)?)?.sum_keepdim(1)?)
    }
}

/// The logit of each row's class less the log-sum-exp of the others, `(batch, 1)`.
fn log_odds(logits: &Tensor, classes: &[usize]) -> Result<Tensor> {
    let (batch, count) = logits.dims2()?;
    if classes.len() != batch {
        candle_core::bail!("{batch} images and {} classes: give one each", classes.len())
    }
    if let Some(class) = classes.iter().find(|&&class| class >= count) {
        candle_core::bail!("there is no class {class}: the network knows {count}")
    }
    let mut others = Vec::with_capacity(batch * (count - 1));
    for &class in classes {
        others.extend((0..count).filter(|&c| c != class).map(|c| c as u32));
    }
    let chosen = classes.iter().map(|&c| c as u32).collect::<Vec<u32>>();
    let chosen = Tensor::from_vec(chosen, (batch, 1), logits.device())?;
    let others = Tensor::from_vec(others, (batch, count - 1), logits.device())?;
    let others = logits.gather(&others, 1)?;
    // log Σ exp l = l₀ − log softmax(l)₀
    let others = (others.narrow(1, 0, 1)? - log_softmax(&others, 1)?.narrow(1, 0, 1)?)?;
    logits.gather(&chosen, 1)? - others
}

#[cfg(test)]
mod tests {
    use candle_core::{DType, Device};
    use ocellus_params::ParamStore;
    use ocellus_testing::{assert_close, check_gradients, fill};

    use super::*;
    use crate::{Architecture, Config, Fusion};

    fn model(config: &Config) -> Result<Classifier> {
        Classifier::new(config, ParamStore::seeded(2).var_builder(DType::F64, &Device::Cpu))
    }

    fn images() -> Result<Tensor> {
        (fill((2, 3, 64, 64), 0.1, DType::F64)? + 1.)? * 0.5
    }

    #[test]
    fn the_odds_are_those_of_the_softmax() -> Result<()> {
        let logits = fill((3, 4), 0.4, DType::F64)?;
        let odds = log_odds(&logits, &[2, 0, 3])?.flatten_all()?.to_vec1::<f64>()?;
        let p = ocellus_ops::softmax(&logits, 1)?.to_vec2::<f64>()?;
        for ((odds, p), class) in odds.iter().zip(p).zip([2, 0, 3]) {
            assert!((odds - (p[class] / (1. - p[class])).ln()).abs() < 1e-12);
        }
        check_gradients(|x| log_odds(&x[0], &[2, 0, 3]), &[logits], 1e-7)
    }

    /// What cannot be read off a formula: the slopes, by finite differences, of the log-odds in
    /// each activation of the fourth block.
    #[test]
    fn evidence_is_what_raises_the_odds() -> Result<()> {
        for architecture in [Architecture::Vgg, Architecture::AttentionVgg] {
            let model = model(&Config::tiny(architecture))?;
            let evidence = model.evidence(&images()?, &[1, 0])?;
            assert_eq!(evidence.dims(), [2, 1, 8, 8]);
            let layers = model.evidence_layers();
            let features = model.prefix(&images()?, layers)?;
            let odds = |x: &Tensor| -> Result<Vec<f64>> {
                log_odds(&model.forward_from(x, layers, false)?, &[1, 0])?.flatten_all()?.to_vec1()
            };
            let (row, column) = (3, 4);
            let mut expected = [0f64; 2];
            for c in 0..features.dim(1)? {
                let step = 1e-5;
                let mut bump = vec![0f64; features.elem_count() / 2];
                bump[(c * 8 + row) * 8 + column] = step;
                let bump = Tensor::from_vec(bump, &features.dims()[1..], &Device::Cpu)?;
                let (up, down) = (
                    odds(&features.broadcast_add(&bump)?)?,
                    odds(&features.broadcast_sub(&bump)?)?,
                );
                for (i, sum) in expected.iter_mut().enumerate() {
                    let at = features.get(i)?.get(c)?.get(row)?.get(column)?.to_scalar::<f64>()?;
                    *sum += at * ((up[i] - down[i]) / (2. * step)).max(0.);
                }
            }
            for (i, expected) in expected.into_iter().enumerate() {
                let found = evidence.get(i)?.get(0)?.get(row)?.get(column)?.to_scalar::<f64>()?;
                assert!((found - expected).abs() < 1e-5 * (expected + 1.), "{found}, {expected}");
            }
        }
        Ok(())
    }

    #[test]
    fn what_raises_all_logits_is_no_evidence() -> Result<()> {
        let logits = fill((1, 3), 0.4, DType::F64)?;
        assert_close(&log_odds(&(&logits + 5.)?, &[1])?, &log_odds(&logits, &[1])?, 1e-12)
    }

    #[test]
    fn every_network_has_evidence_for_known_classes() -> Result<()> {
        let config = Config::tiny(Architecture::AttentionVgg).with_fusion(Fusion::Pooled);
        let pooled = model(&config)?;
        assert_eq!(pooled.evidence(&images()?, &[0, 0])?.dims(), [2, 1, 8, 8]);
        let error = pooled.evidence(&images()?, &[0, 2]).unwrap_err().to_string();
        assert!(error.contains("no class 2"), "{error}");
        let error = pooled.evidence(&images()?, &[0]).unwrap_err().to_string();
        assert!(error.contains("2 images and 1 classes"), "{error}");
        Ok(())
    }
}
