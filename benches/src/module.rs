use std::fmt;
use std::rc::Rc;

use ocellus::backbones::{ResNet, ResNetConfig, Vgg, VggClassifier, VggConfig};
use ocellus::candle::{Module as _, ModuleT, Result, Tensor, bail};
use ocellus::flows::{Flow, FlowConfig};
use ocellus::layers::{
    BatchNorm2d, BatchNorm2dConfig, Conv2d, Conv2dConfig, ConvTranspose2d, ConvTranspose2dConfig,
    Noise,
};
use ocellus::nn::VarBuilder;
use ocellus::ops::{
    Alignment, AvgPool2dConfig, CrossEntropyConfig, MaxPool2dConfig, avg_pool2d, cross_entropy,
    global_avg_pool2d, max_pool2d, relu, sigmoid, softmax, upsample_bilinear2d, upsample_nearest2d,
};
use ocellus::satellite::{ResidualSegNet, ResidualSegNetConfig, SegmentationNetwork as _};
use serde::Serialize;

use crate::Estimator;
use crate::detectors::{padim_fit, padim_score};
use crate::neighbors::{coreset, neighbors};

/// Channels that say where a fiber is from.
const PLACE: usize = 128;

/// What computes: an operation or a network, without its input's size.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
#[non_exhaustive]
pub enum Module {
    /// A square convolution without a bias.
    Conv {
        /// Channels of the output.
        out: usize,
        /// Side of the kernel.
        kernel: usize,
        /// The step.
        stride: usize,
        /// Zeros on each side.
        padding: usize,
    },
    /// A 4×4 transposed convolution of stride 2 that doubles the size, without a bias.
    Deconv {
        /// Channels of the output.
        out: usize,
    },
    /// Batch normalization, then the sum with a second input, then ReLU, where asked for.
    BatchNorm {
        /// Whether a second input is added.
        add: bool,
        /// Whether ReLU follows.
        relu: bool,
    },
    /// max(x, 0).
    Relu,
    /// 1 / (1 + exp(−x)).
    Sigmoid,
    /// Softmax over the channels.
    Softmax,
    /// The maximum of square windows.
    MaxPool {
        /// Side of the window.
        kernel: usize,
        /// The step.
        stride: usize,
        /// Zeros on each side.
        padding: usize,
    },
    /// The mean of square windows, padding included.
    AvgPool {
        /// Side of the window.
        kernel: usize,
        /// The step.
        stride: usize,
        /// Zeros on each side.
        padding: usize,
    },
    /// The mean of each channel.
    GlobalAvgPool,
    /// Bilinear resizing to a square.
    Bilinear {
        /// Side of the output.
        size: usize,
        /// Whether the centers of the corner pixels coincide.
        corners: bool,
    },
    /// Nearest resizing to a square.
    Nearest {
        /// Side of the output.
        size: usize,
    },
    /// Mean cross-entropy over the channels, with class indices.
    CrossEntropy,
    /// The convolutional part of VGG16.
    Vgg16,
    /// VGG16 with its classifier of 1000 classes, without dropout.
    Vgg16Classifier,
    /// ResNet-50 without its classifier: its last stage.
    Resnet50,
    /// Wide-ResNet50-2 without its classifier: its last three stages.
    WideResnet50,
    /// ResNet-34 without its classifier: its last stage.
    Resnet34,
    /// The residual encoder-decoder of the satellite paper, depth 34, four bands, two classes.
    EncoderDecoder34,
    /// The same of depth 152.
    EncoderDecoder152,
    /// PaDiM, fitted on the features of normal images.
    PadimFit,
    /// The distances of PaDiM; the second input is the features of normal images.
    PadimScore,
    /// An estimator without a tensor library.
    Estimator {
        /// Which.
        what: Estimator,
    },
    /// A decoder of CFLOW-AD on fibers, an image of one row, and their places.
    FlowDecoder,
    /// The nearest of a bank of vectors.
    Neighbors {
        /// Vectors of the bank.
        rows: usize,
        /// How many of them.
        count: usize,
    },
    /// A greedy coreset of vectors.
    Coreset {
        /// Of how many.
        count: usize,
    },
}

/// Whose convolutions run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Library {
    /// Ours.
    Ocellus,
    /// Those of candle.
    Candle,
}

/// A built module: inputs and whether it trains, to outputs.
pub(crate) type Forward = Rc<dyn Fn(&[Tensor], bool) -> Result<Vec<Tensor>>>;

impl Module {
    /// Its name in the ids.
    #[must_use]
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Conv { .. } => "conv",
            Self::Deconv { .. } => "deconv",
            Self::BatchNorm { add: false, relu: false } => "batch_norm",
            Self::BatchNorm { add: false, relu: true } => "batch_norm_relu",
            Self::BatchNorm { add: true, relu: false } => "batch_norm_add",
            Self::BatchNorm { add: true, relu: true } => "batch_norm_add_relu",
            Self::Relu => "relu",
            Self::Sigmoid => "sigmoid",
            Self::Softmax => "softmax",
            Self::MaxPool { .. } => "max_pool",
            Self::AvgPool { .. } => "avg_pool",
            Self::GlobalAvgPool => "global_avg_pool",
            Self::Bilinear { .. } => "bilinear",
            Self::Nearest { .. } => "nearest",
            Self::CrossEntropy => "cross_entropy",
            Self::Estimator { what } => what.name(),
            Self::Vgg16
            | Self::Vgg16Classifier
            | Self::Resnet50
            | Self::WideResnet50
            | Self::Resnet34
            | Self::EncoderDecoder34
            | Self::EncoderDecoder152 => "network",
            Self::PadimFit => "padim_fit",
            Self::PadimScore => "padim_score",
            Self::FlowDecoder => "flow",
            Self::Neighbors { .. } => "neighbors",
            Self::Coreset { .. } => "coreset",
        }
    }

    /// Whether it learns from its input, or is told what was learned, and has no weights.
    #[must_use]
    pub const fn is_estimator(&self) -> bool {
        matches!(
            self,
            Self::PadimFit | Self::PadimScore | Self::Neighbors { .. } | Self::Coreset { .. }
        )
    }

    /// Whether [`Library::Candle`] has it.
    #[must_use]
    pub const fn is_in_candle(&self) -> bool {
        matches!(self, Self::Conv { .. } | Self::Deconv { .. })
    }

    /// Multiplications and additions of a forward pass, where products dominate; else 0.
    #[must_use]
    pub fn operations(&self, [batch, channels, height, width]: [usize; 4]) -> u64 {
        let pixels = batch * height * width;
        let products = match *self {
            Self::Conv { out, kernel, stride, padding } => {
                let side = |n: usize| (n + 2 * padding - kernel) / stride + 1;
                batch * side(height) * side(width) * out * channels * kernel * kernel
            }
            Self::Deconv { out } => pixels * channels * out * 16,
            // Products per pixel of the input, counted in PyTorch's modules at 256².
            Self::Vgg16 => pixels * 305_856,
            Self::WideResnet50 => pixels * 227_120,
            Self::Resnet34 => pixels * 73_008,
            Self::EncoderDecoder34 => pixels * 127_552,
            Self::FlowDecoder => {
                let inputs = channels / 2 + PLACE;
                pixels * 8 * 2 * inputs * (inputs + channels)
            }
            Self::Neighbors { rows, .. } => pixels * channels * rows,
            _ => 0,
        };
        2 * products as u64
    }

    /// Channels of a second input, if it has one.
    pub(crate) fn second_input(&self, channels: usize) -> Option<usize> {
        match self {
            Self::BatchNorm { add: true, .. } | Self::PadimScore => Some(channels),
            Self::FlowDecoder => Some(PLACE),
            _ => None,
        }
    }

    /// Whether its output is a logarithm of likelihoods, which training raises.
    pub(crate) fn is_likelihood(&self) -> bool {
        matches!(self, Self::FlowDecoder)
    }

    /// How many classes its target distinguishes, if it has one, and whether of every pixel.
    pub(crate) fn classes(&self, channels: usize) -> Option<(usize, bool)> {
        match self {
            Self::CrossEntropy => Some((channels, true)),
            Self::EncoderDecoder34 | Self::EncoderDecoder152 => Some((2, true)),
            Self::Vgg16Classifier => Some((1000, false)),
            _ => None,
        }
    }

    /// Builds it for inputs of that many channels, with the weights under `vb`; networks are packed
    /// if it is for inference.
    pub(crate) fn build(
        &self,
        channels: usize,
        library: Library,
        inference: bool,
        vb: VarBuilder,
    ) -> Result<Forward> {
        Ok(match *self {
            Self::Conv { out, kernel, stride, padding } => {
                let config = Conv2dConfig::new(channels, out, kernel).with_bias(false);
                let config = config.with_stride((stride, stride)).with_padding(padding);
                let conv = Conv2d::new(&config, vb.clone())?;
                if library == Library::Ocellus {
                    return Ok(single(move |x| conv.forward(x)));
                }
                let weight = vb.get((out, channels, kernel, kernel), "weight")?;
                single(move |x| x.conv2d(&weight, padding, stride, 1, 1))
            }
            Self::Deconv { out } => {
                let config = ConvTranspose2dConfig::new(channels, out, 4).with_bias(false);
                let config = config.with_stride((2, 2)).with_padding(1);
                let deconv = ConvTranspose2d::new(&config, vb.clone())?;
                if library == Library::Ocellus {
                    return Ok(single(move |x| deconv.forward(x)));
                }
                let weight = vb.get((channels, out, 4, 4), "weight")?;
                single(move |x| x.conv_transpose2d(&weight, 1, 0, 2, 1))
            }
            Self::BatchNorm { add, relu: positive } => {
                let norm = BatchNorm2d::new(&BatchNorm2dConfig::new(channels), vb)?;
                Rc::new(move |x, train| {
                    if positive {
                        return Ok(vec![norm.forward_relu_t(&x[0], x.get(1), train)?]);
                    }
                    let y = norm.forward_t(&x[0], train)?;
                    Ok(vec![if add { (y + &x[1])? } else { y }])
                })
            }
            Self::Vgg16 => {
                let vgg = Vgg::new(&VggConfig::vgg16(), vb)?;
                Rc::new(move |x, train| Ok(vec![vgg.forward_t(&x[0], train)?]))
            }
            Self::Vgg16Classifier => {
                let config = VggConfig::vgg16().with_dropout(0.);
                let network = VggClassifier::new(&config, &Noise::seeded(1), vb)?;
                Rc::new(move |x, train| Ok(vec![network.forward_t(&x[0], train)?]))
            }
            Self::Resnet50 => resnet(&ResNetConfig::resnet50(), &[4], inference, vb)?,
            Self::WideResnet50 => {
                resnet(&ResNetConfig::wide_resnet50_2(), &[2, 3, 4], inference, vb)?
            }
            Self::Resnet34 => {
                let config = ResNetConfig::resnet34().with_in_channels(channels);
                resnet(&config, &[4], inference, vb)?
            }
            Self::EncoderDecoder34 => {
                encoder_decoder(ResNetConfig::resnet34(), channels, inference, vb)?
            }
            Self::EncoderDecoder152 => {
                encoder_decoder(ResNetConfig::resnet152(), channels, inference, vb)?
            }
            Self::Estimator { what } => what.build(),
            Self::FlowDecoder => {
                let flow = Flow::new(&FlowConfig::cflow(channels, PLACE), vb)?;
                Rc::new(move |x, _| {
                    let density = flow.log_density(&x[0], Some(&x[1]))?;
                    Ok(vec![(density / channels as f64)?])
                })
            }
            Self::Neighbors { rows, count } => neighbors(channels, rows, count, &vb)?,
            _ => self.operation()?,
        })
    }

    /// The modules without weights.
    fn operation(&self) -> Result<Forward> {
        Ok(match *self {
            Self::Relu => single(relu),
            Self::Sigmoid => single(sigmoid),
            Self::Softmax => single(|x| softmax(x, 1)),
            Self::MaxPool { kernel, stride, padding } => {
                let config = MaxPool2dConfig::new(kernel).with_stride((stride, stride));
                let config = config.with_padding((padding, padding));
                single(move |x| max_pool2d(x, &config))
            }
            Self::AvgPool { kernel, stride, padding } => {
                let config = AvgPool2dConfig::new(kernel).with_stride((stride, stride));
                let config = config.with_padding((padding, padding));
                single(move |x| avg_pool2d(x, &config))
            }
            Self::GlobalAvgPool => single(global_avg_pool2d),
            Self::Bilinear { size, corners } => {
                let alignment = if corners { Alignment::Corners } else { Alignment::HalfPixel };
                single(move |x| upsample_bilinear2d(x, (size, size), alignment))
            }
            Self::Nearest { size } => single(move |x| upsample_nearest2d(x, (size, size))),
            Self::PadimFit => padim_fit(),
            Self::Coreset { count } => coreset(count),
            Self::PadimScore => padim_score(),
            Self::CrossEntropy => Rc::new(|x, _| {
                Ok(vec![cross_entropy(&x[0], &x[1], &CrossEntropyConfig::default())?])
            }),
            _ => bail!("`{self}` has weights"),
        })
    }
}

/// Those stages of a network, which is packed if it is for inference.
fn resnet(
    config: &ResNetConfig,
    stages: &'static [usize],
    inference: bool,
    vb: VarBuilder,
) -> Result<Forward> {
    let mut network = ResNet::new(config, vb)?;
    if inference {
        network.pack()?;
    }
    Ok(Rc::new(move |x, train| network.features_at(&x[0], stages, train)))
}

fn encoder_decoder(
    encoder: ResNetConfig,
    channels: usize,
    inference: bool,
    vb: VarBuilder,
) -> Result<Forward> {
    let config = ResidualSegNetConfig::paper(encoder).with_bands(channels);
    let mut network = ResidualSegNet::new(&config, vb)?;
    if inference {
        network.pack()?;
    }
    Ok(Rc::new(move |x, train| Ok(vec![network.forward_t(&x[0], train)?])))
}

fn single(f: impl Fn(&Tensor) -> Result<Tensor> + 'static) -> Forward {
    Rc::new(move |x, _| Ok(vec![f(&x[0])?]))
}

impl fmt::Display for Module {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}
