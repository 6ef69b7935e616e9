//! Whole networks that no published crate has yet.

mod encoder_decoder;

pub(crate) use encoder_decoder::EncoderDecoder;
