use crate::raster::SampleType;

/// Turns every `step`th sample into `f32`. The bytes are in this machine's order.
pub(crate) fn to_f32(sample: SampleType, bytes: &[u8], step: usize, out: &mut [f32]) {
    match sample {
        SampleType::U8 => each(bytes, step, out, |[byte]| f32::from(byte)),
        SampleType::I8 => each(bytes, step, out, |b| f32::from(i8::from_ne_bytes(b))),
        SampleType::U16 => each(bytes, step, out, |b| f32::from(u16::from_ne_bytes(b))),
        SampleType::I16 => each(bytes, step, out, |b| f32::from(i16::from_ne_bytes(b))),
        SampleType::U32 => each(bytes, step, out, |b| u32::from_ne_bytes(b) as f32),
        SampleType::I32 => each(bytes, step, out, |b| i32::from_ne_bytes(b) as f32),
        SampleType::F32 => each(bytes, step, out, f32::from_ne_bytes),
        SampleType::F64 => each(bytes, step, out, |b| f64::from_ne_bytes(b) as f32),
    }
}

fn each<const N: usize>(
    bytes: &[u8],
    step: usize,
    out: &mut [f32],
    convert: impl Fn([u8; N]) -> f32,
) {
    let (samples, _) = bytes.as_chunks::<N>();
    for (value, &sample) in out.iter_mut().zip(samples.iter().step_by(step)) {
        *value = convert(sample);
    }
}
