use super::pixels::Pixels;

/// How often each gray value stands in an image.
pub(super) fn gray(values: &[u8], bins: usize) -> Vec<u32> {
    // Four tables: equal neighbors do not wait for each other.
    let mut tables = [[0u32; 256]; 4];
    let (fours, rest) = values.as_chunks::<4>();
    for four in fours {
        for (table, &value) in tables.iter_mut().zip(four) {
            table[usize::from(value)] += 1;
        }
    }
    for &value in rest {
        tables[0][usize::from(value)] += 1;
    }
    let mut counts = vec![0; bins];
    for value in 0..256 {
        counts[value * bins / 256] += tables.iter().map(|table| table[value]).sum::<u32>();
    }
    counts
}

/// Red, green and blue, one after the other.
pub(super) fn rgb(pixels: &Pixels<'_>, bins: usize) -> Vec<u32> {
    let mut tables = [[0u32; 256]; 3];
    pixels.for_each(|rgb| {
        for (table, value) in tables.iter_mut().zip(rgb) {
            table[usize::from(value)] += 1;
        }
    });
    let mut counts = vec![0; 3 * bins];
    for (channel, table) in tables.iter().enumerate() {
        for (value, count) in table.iter().enumerate() {
            counts[channel * bins + value * bins / 256] += count;
        }
    }
    counts
}

/// Hue, saturation and value, one after the other.
pub(super) fn hsv(pixels: &Pixels<'_>, bins: usize) -> Vec<u32> {
    let mut counts = vec![0; 3 * bins];
    pixels.for_each(|rgb| {
        for (channel, bin) in hsv_bins(rgb, bins as u32).into_iter().enumerate() {
            counts[channel * bins + bin as usize] += 1;
        }
    });
    counts
}

/// The bins of hue, saturation and value, each in 0..1 or at its end: fractions of whole numbers, so
/// that no rounding moves a color to the next bin.
#[inline]
fn hsv_bins([r, g, b]: [u8; 3], bins: u32) -> [u32; 3] {
    let [r, g, b] = [r, g, b].map(i32::from);
    let (most, least) = (r.max(g).max(b), r.min(g).min(b));
    let range = most - least;
    let value = (most as u32 * bins / 255).min(bins - 1);
    if range == 0 {
        return [0, 0, value];
    }
    let saturation = (range as u32 * bins / most as u32).min(bins - 1);
    // Sixths of a turn, times the range.
    let sixths = if b == most {
        4 * range + r - g
    } else if g == most {
        2 * range + b - r
    } else if g < b {
        6 * range + g - b
    } else {
        g - b
    };
    [sixths as u32 * bins / (6 * range as u32), saturation, value]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn primary_colors_are_thirds_of_a_turn_apart() {
        let bins = |rgb| hsv_bins(rgb, 12);
        assert_eq!(bins([255, 0, 0]), [0, 11, 11]);
        assert_eq!(bins([255, 255, 0]), [2, 11, 11]);
        assert_eq!(bins([0, 255, 0]), [4, 11, 11]);
        assert_eq!(bins([0, 255, 255]), [6, 11, 11]);
        assert_eq!(bins([0, 0, 255]), [8, 11, 11]);
        assert_eq!(bins([255, 0, 255]), [10, 11, 11]);
        assert_eq!(bins([255, 0, 1]), [11, 11, 11]);
        assert_eq!(bins([100, 50, 50]), [0, 6, 4]);
        assert_eq!(bins([0, 0, 0]), [0, 0, 0]);
    }

    #[test]
    fn every_color_has_a_bin() {
        for bins in [1, 2, 7, 256] {
            for r in (0..=255).step_by(5) {
                for g in (0..=255).step_by(3) {
                    for b in [0, 1, 77, 254, 255] {
                        assert!(hsv_bins([r, g, b], bins).iter().all(|&bin| bin < bins));
                    }
                }
            }
        }
    }
}
