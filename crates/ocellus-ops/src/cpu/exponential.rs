/// eˣ with an error below one unit in the last place of a normal result; smaller ones are zero.
///
/// eˣ = 2ⁿ eʳ with r at most ln 2 / 2; eʳ by the polynomial of the Cephes library. Without branches
/// or tables, so that loops over it become loops over vectors.
#[inline(always)]
pub(super) fn exp(x: f32) -> f32 {
    /// Beyond these, eˣ is infinite or not normal.
    const RANGE: (f32, f32) = (-87.336_54, 88.722_83);
    /// Adding it rounds to an integer, which then stands in the last bits.
    const ROUND: f32 = 12_582_912.;
    // A NaN passes all comparisons.
    let inside = if x > RANGE.1 { RANGE.1 } else { x };
    let inside = if inside < RANGE.0 { RANGE.0 } else { inside };
    let shifted = inside * std::f32::consts::LOG2_E + ROUND;
    let n = shifted - ROUND;
    // ln 2 in two parts: the product of n with the first is exact.
    let r = inside - n * 0.693_359_4;
    let r = r + n * 2.121_944_4e-4;
    let p = 1.987_569_1e-4;
    let p = p * r + 1.398_2e-3;
    let p = p * r + 8.333_452e-3;
    let p = p * r + 4.166_579_6e-2;
    let p = p * r + 1.666_666_5e-1;
    let p = p * r + 0.5;
    let y = p * (r * r) + r + 1.;
    // 2ⁿ in two factors: 2¹²⁸ alone would not fit.
    let n = shifted.to_bits().wrapping_sub(ROUND.to_bits()) as i32;
    let power = |n: i32| f32::from_bits(((n + 127) as u32) << 23);
    let y = y * power(n >> 1) * power(n - (n >> 1));
    let y = if x > RANGE.1 { f32::INFINITY } else { y };
    if x < RANGE.0 { 0. } else { y }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn is_exact_to_a_unit_in_the_last_place() {
        let mut worst = 0f64;
        for i in -873_000..=887_000 {
            let x = i as f32 * 1e-4;
            let exact = f64::from(x).exp();
            let unit = f64::from((exact as f32).next_up() - exact as f32);
            worst = worst.max((f64::from(exp(x)) - exact).abs() / unit);
        }
        assert!(worst < 1.5, "{worst} units");
    }

    #[test]
    fn ends_are_right() {
        for x in [f32::NEG_INFINITY, -1e4, -110., 0., -0., 1e4, f32::INFINITY] {
            assert_eq!(exp(x), x.exp(), "{x}");
        }
        assert!(exp(f32::NAN).is_nan());
        assert!(exp(88.722_83).is_finite() && exp(-87.336_5) > 0.);
    }
}
