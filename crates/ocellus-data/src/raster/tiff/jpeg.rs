use zune_jpeg::{
    JpegDecoder,
    zune_core::{bytestream::ZCursor, colorspace::ColorSpace, options::DecoderOptions},
};

use super::source::Fault;

/// Unpacks a strip or tile of JPEG: 8 bits, gray or color, as RGB.
///
/// Tables that the pieces share stand in a tag of their own: a JPEG stream from its first marker to
/// its last, which is put before the piece's own.
pub(crate) fn unpack(packed: &[u8], need: usize, tables: Option<&[u8]>) -> Result<Vec<u8>, Fault> {
    let whole;
    let stream = match (tables, packed) {
        (Some([0xff, 0xd8, tables @ .., 0xff, 0xd9]), [0xff, 0xd8, rest @ ..]) => {
            whole = [&[0xff, 0xd8], tables, rest].concat();
            &whole
        }
        _ => packed,
    };
    let damaged = |error| Fault::from(format!("damaged JPEG data: {error}"));
    let mut decoder = JpegDecoder::new(ZCursor::new(stream));
    decoder.decode_headers().map_err(|error| damaged(format!("{error:?}")))?;
    let size = decoder.dimensions().map_or(0, |(width, height)| width.saturating_mul(height));
    let color = match decoder.input_colorspace() {
        Some(ColorSpace::Luma) => ColorSpace::Luma,
        Some(ColorSpace::YCbCr | ColorSpace::RGB) => ColorSpace::RGB,
        other => return Err(format!("JPEG of colors {other:?} is not read").into()),
    };
    if size.saturating_mul(color.num_components()) > need.saturating_mul(2) {
        return Err(damaged(format!("{size} pixels for {need} bytes")));
    }
    decoder.set_options(DecoderOptions::default().jpeg_set_out_colorspace(color));
    decoder.decode().map_err(|error| damaged(format!("{error:?}")))
}
