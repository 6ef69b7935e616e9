/// ln x for normal x ≥ 0, ∞ and NaN, with an error below one unit in the last place.
///
/// x = 2ᵏ m with m between √½ and √2; ln m by the polynomial of FreeBSD's library in
/// s = (m − 1) / (m + 1). Without branches or tables, so that loops over it become loops over
/// vectors.
#[inline(always)]
pub(crate) fn ln(x: f64) -> f64 {
    /// The bits of √½, and those of 1 less them: added, they make the exponent that of m.
    const ROOT: u64 = 0x3fe6_a09e_0000_0000;
    const OFFSET: u64 = 0x3ff0_0000_0000_0000 - ROOT;
    const MANTISSA: u64 = 0x000f_ffff_ffff_ffff;
    /// 2⁵², in whose last bits an integer stands.
    const WHOLE: f64 = 4_503_599_627_370_496.;
    const LN_2: (f64, f64) = (6.931_471_803_691_238e-1, 1.908_214_929_270_587_7e-10);
    let bits = x.to_bits().wrapping_add(OFFSET);
    let k = f64::from_bits(WHOLE.to_bits() | (bits >> 52)) - (WHOLE + 1023.);
    let f = f64::from_bits((bits & MANTISSA) + ROOT) - 1.;
    let s = f / (2. + f);
    let z = s * s;
    let p = 1.479_819_860_511_658_6e-1;
    let p = p * z + 1.531_383_769_920_937_3e-1;
    let p = p * z + 1.818_357_216_161_805e-1;
    let p = p * z + 2.222_219_843_214_978_4e-1;
    let p = p * z + 2.857_142_874_366_239e-1;
    let p = p * z + 3.999_999_999_940_942e-1;
    let p = p * z + 6.666_666_666_666_735e-1;
    let half = 0.5 * f * f;
    let y = s * (half + p * z) + k * LN_2.1 - half + f + k * LN_2.0;
    // ∞ and NaN are their own logarithms.
    let y = if x < f64::INFINITY { y } else { x };
    if x == 0. { f64::NEG_INFINITY } else { y }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn is_exact_to_a_unit_in_the_last_place() {
        let check = |x: f64| {
            let (y, exact) = (ln(x), x.ln());
            let unit = exact.abs().next_up() - exact.abs();
            assert!((y - exact).abs() <= 2. * unit, "ln {x:e}: {y:e}, not {exact:e}");
        };
        (1..200_000).for_each(|i| check(f64::from(i) * 1e-3));
        (0..100_000).for_each(|i| check(1. + f64::from(i) * 1e-9));
        (-1000..1000).for_each(|i| check(1.7f64.powi(i)));
    }

    #[test]
    fn ends_are_right() {
        assert_eq!((ln(0.), ln(1.), ln(f64::INFINITY)), (f64::NEG_INFINITY, 0., f64::INFINITY));
        assert!(ln(f64::NAN).is_nan());
    }
}
