use crate::Stage;

/// Configuration of [`Vgg`](crate::Vgg) and [`VggClassifier`](crate::VggClassifier).
///
/// | Network | convolutions per block | layers | parameters without and with classifier |
/// | --- | --- | --- | --- |
/// | VGG11 | 1 1 2 2 2 | 21 | 9,220,480 · 132,863,336 |
/// | VGG13 | 2 2 2 2 2 | 25 | 9,404,992 · 133,047,848 |
/// | VGG16 | 2 2 3 3 3 | 31 | 14,714,688 · 138,357,544 |
/// | VGG19 | 2 2 4 4 4 | 37 | 20,024,384 · 143,667,240 |
///
/// # Examples
///
/// ```
/// use ocellus_backbones::VggConfig;
///
/// let config = VggConfig::vgg16().with_batch_norm(true).with_in_channels(1);
/// assert_eq!(config.layer_count(), 44);
/// assert_eq!(VggConfig::vgg16().stage_layers(), [3, 8, 15, 22, 29, 30]);
/// ```
#[derive(Clone, Copy, Debug, PartialEq)]
#[non_exhaustive]
pub struct VggConfig {
    /// The network's name, for messages.
    pub name: &'static str,
    /// Convolutions in each of the five blocks.
    pub convolutions: [usize; 5],
    /// Channels of each of the five blocks.
    pub channels: [usize; 5],
    /// Whether batch normalization follows each convolution.
    pub batch_norm: bool,
    /// Channels of the image.
    pub in_channels: usize,
    /// Values in each of the classifier's two hidden layers.
    pub hidden: usize,
    /// Outputs of the classifier.
    pub classes: usize,
    /// Probability of dropping a hidden value of the classifier.
    pub dropout: f64,
}

/// One row a network: name, convolutions per block.
const NETWORKS: [(&str, [usize; 5]); 4] = [
    ("VGG11", [1, 1, 2, 2, 2]),
    ("VGG13", [2, 2, 2, 2, 2]),
    ("VGG16", [2, 2, 3, 3, 3]),
    ("VGG19", [2, 2, 4, 4, 4]),
];

/// A layer of the convolutional part, in the order of torchvision's `features`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum LayerKind {
    Convolution { in_channels: usize, out_channels: usize },
    BatchNorm { channels: usize },
    Relu,
    MaxPool,
}

impl VggConfig {
    /// Eight convolutions.
    #[must_use]
    pub const fn vgg11() -> Self {
        Self::row(0)
    }

    /// Ten convolutions.
    #[must_use]
    pub const fn vgg13() -> Self {
        Self::row(1)
    }

    /// Thirteen convolutions: configuration D of the paper.
    #[must_use]
    pub const fn vgg16() -> Self {
        Self::row(2)
    }

    /// Sixteen convolutions: configuration E of the paper.
    #[must_use]
    pub const fn vgg19() -> Self {
        Self::row(3)
    }

    const fn row(index: usize) -> Self {
        let (name, convolutions) = NETWORKS[index];
        Self {
            name,
            convolutions,
            channels: [64, 128, 256, 512, 512],
            batch_norm: false,
            in_channels: 3,
            hidden: 4096,
            classes: 1000,
            dropout: 0.5,
        }
    }

    /// Sets whether batch normalization follows each convolution.
    #[must_use]
    pub const fn with_batch_norm(mut self, batch_norm: bool) -> Self {
        self.batch_norm = batch_norm;
        self
    }

    /// Sets the channels of the image.
    #[must_use]
    pub const fn with_in_channels(mut self, channels: usize) -> Self {
        self.in_channels = channels;
        self
    }

    /// Sets the channels of the five blocks: smaller ones for tests and small data.
    #[must_use]
    pub const fn with_channels(mut self, channels: [usize; 5]) -> Self {
        self.channels = channels;
        self
    }

    /// Sets the values in each of the classifier's two hidden layers.
    #[must_use]
    pub const fn with_hidden(mut self, hidden: usize) -> Self {
        self.hidden = hidden;
        self
    }

    /// Sets the outputs of the classifier.
    #[must_use]
    pub const fn with_classes(mut self, classes: usize) -> Self {
        self.classes = classes;
        self
    }

    /// Sets the probability of dropping a hidden value of the classifier.
    #[must_use]
    pub const fn with_dropout(mut self, probability: f64) -> Self {
        self.dropout = probability;
        self
    }

    /// How many layers the convolutional part has: convolutions, batch norms, ReLUs and poolings, as
    /// torchvision's `features` counts them.
    #[must_use]
    pub fn layer_count(&self) -> usize {
        self.layers().len()
    }

    /// The layers whose outputs are the stages: the ReLU before each pooling, and the last pooling.
    #[must_use]
    pub fn stage_layers(&self) -> [usize; 6] {
        let per_convolution = if self.batch_norm { 3 } else { 2 };
        let mut layers = [0; 6];
        let mut pool = 0;
        for (layer, &convolutions) in layers.iter_mut().zip(&self.convolutions) {
            pool += convolutions * per_convolution;
            *layer = pool - 1;
            pool += 1;
        }
        layers[5] = pool - 1;
        layers
    }

    /// The stages: strides 1, 2, 4, 8, 16 before each pooling, and 32 after the last.
    #[must_use]
    pub fn stages(&self) -> [Stage; 6] {
        let [a, b, c, d, e] = self.channels;
        [(a, 1), (b, 2), (c, 4), (d, 8), (e, 16), (e, 32)]
            .map(|(channels, stride)| Stage::new(channels, stride))
    }

    pub(crate) fn layers(&self) -> Vec<LayerKind> {
        let mut layers = Vec::new();
        let mut in_channels = self.in_channels;
        for (&count, &out_channels) in self.convolutions.iter().zip(&self.channels) {
            for _ in 0..count {
                layers.push(LayerKind::Convolution { in_channels, out_channels });
                if self.batch_norm {
                    layers.push(LayerKind::BatchNorm { channels: out_channels });
                }
                layers.push(LayerKind::Relu);
                in_channels = out_channels;
            }
            layers.push(LayerKind::MaxPool);
        }
        layers
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn layers_are_numbered_as_torchvision_does() {
        for (config, count, stages) in [
            (VggConfig::vgg11(), 21, [1, 4, 9, 14, 19, 20]),
            (VggConfig::vgg13(), 25, [3, 8, 13, 18, 23, 24]),
            (VggConfig::vgg16(), 31, [3, 8, 15, 22, 29, 30]),
            (VggConfig::vgg19(), 37, [3, 8, 17, 26, 35, 36]),
            (VggConfig::vgg16().with_batch_norm(true), 44, [5, 12, 22, 32, 42, 43]),
        ] {
            assert_eq!(config.layer_count(), count, "{config:?}");
            assert_eq!(config.stage_layers(), stages, "{config:?}");
            let layers = config.layers();
            assert_eq!(layers[stages[4]], LayerKind::Relu);
            assert_eq!(layers[stages[5]], LayerKind::MaxPool);
        }
    }
}
