//! Whole networks that no published crate has yet.

mod encoder_decoder;
mod resnet;

pub(crate) use encoder_decoder::EncoderDecoder;
pub(crate) use resnet::{ResNet, ResNetConfig};
