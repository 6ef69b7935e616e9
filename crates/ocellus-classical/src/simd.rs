//! Loops compiled for the vectors that the processor has. Nothing is contracted or reordered, so
//! that the bits are the same on all.

/// Runs `work`, which must be inlined, with the widest vectors.
#[inline(always)]
pub(crate) fn vectorized<R>(work: impl FnOnce() -> R) -> R {
    pulp::Arch::new().dispatch(work)
}

/// eˣ within 2 units of the last place, 0 below −708, for x ≤ 709.
///
/// ```text
/// eˣ = 2ⁿ · eʳ,   n = round(x / ln 2),   |r| ≤ ½ ln 2:   Σ rᵏ / k!, k = 0 … 13
/// ```
#[inline(always)]
pub(crate) fn exp(x: f64) -> f64 {
    const LN2_HIGH: f64 = 6.931_471_803_691_238e-1; // Its low 32 bits are 0: n · LN2_HIGH is exact.
    const LN2_LOW: f64 = 1.908_214_929_270_587_7e-10;
    const ROUND: f64 = 6_755_399_441_055_744.; // 1.5 · 2⁵²: what is added to it is rounded.
    const FACTORIALS: [f64; 14] = {
        let (mut table, mut k) = ([1.; 14], 1);
        while k < 14 {
            table[k] = table[k - 1] / k as f64;
            k += 1;
        }
        table
    };
    let clamped = if x < -708. { -708. } else { x };
    let shifted = clamped * std::f64::consts::LOG2_E + ROUND;
    let n = shifted - ROUND;
    let r = (clamped - n * LN2_HIGH) - n * LN2_LOW;
    let mut sum = FACTORIALS[13];
    let mut k = 13;
    while k > 0 {
        k -= 1;
        sum = sum * r + FACTORIALS[k];
    }
    // The low bits of `shifted` are n.
    let power = f64::from_bits((shifted.to_bits() << 52).wrapping_add(1023 << 52));
    if x < -708. { 0. } else { sum * power }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_exponential_is_that_of_the_standard_library() {
        let values: Vec<f64> = (0..200_000).map(|i| -720. + i as f64 * 0.006_3).collect();
        let mut results = vec![0.; values.len()];
        vectorized(|| {
            for (result, &x) in results.iter_mut().zip(&values) {
                *result = exp(x);
            }
        });
        for (&x, &result) in values.iter().zip(&results) {
            let expected = if x < -708. { 0. } else { x.exp() };
            assert!((result - expected).abs() <= 4.5e-16 * expected, "e^{x} = {result}");
        }
        assert_eq!(exp(0.), 1.);
        assert_eq!(exp(-0.), 1.);
        assert_eq!(exp(f64::NEG_INFINITY), 0.);
    }
}
