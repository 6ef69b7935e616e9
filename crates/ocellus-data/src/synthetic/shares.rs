use crate::{Error, Result};

/// Fails unless the shares of these kinds of images can be drawn from.
pub(super) fn check_shares(shares: &[f32; 3], of: &str) -> Result<()> {
    let valid = shares.iter().all(|share| share.is_finite() && *share >= 0.);
    if valid && shares.iter().sum::<f32>() > 0. {
        return Ok(());
    }
    Err(Error::Setting(format!(
        "the shares of the {of} are {shares:?}: give numbers of 0 or more, not all 0"
    )))
}

/// Which of three kinds the image of an index is. The shares hold in every run of indices, within one
/// or two: multiples of the golden ratio fill 0..1 without gaps or heaps.
pub(super) fn spread(shares: &[f32; 3], index: usize) -> usize {
    let place = (index as f64 * 0.618_033_988_749_894_9).fract();
    let [a, b, c] = shares.map(f64::from);
    let place = place * (a + b + c);
    if place < a {
        0
    } else if place < a + b {
        1
    } else {
        2
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shares_hold_in_every_run() {
        for begin in [0, 17, 1000] {
            let mut counts = [0i32; 3];
            (begin..begin + 200).for_each(|index| counts[spread(&[2., 1., 1.], index)] += 1);
            assert!(
                counts.iter().zip([100, 50, 50]).all(|(a, e)| (a - e).abs() <= 2),
                "{counts:?}"
            );
        }
        assert!((0..100).all(|index| spread(&[0., 3., 0.], index) == 1));
        assert!(
            check_shares(&[0.; 3], "grades").unwrap_err().to_string().contains("of the grades")
        );
        assert!(check_shares(&[1., f32::NAN, 0.], "cells").is_err());
    }
}
