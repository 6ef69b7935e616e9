/// A Gaussian of that deviation in pixels, both ways; the edge goes on as it ends.
pub(super) fn blur(plane: &mut [f32], width: usize, deviation: f32) {
    let reach = (3. * deviation).ceil() as usize;
    let mut weights: Vec<f32> = (0..=2 * reach)
        .map(|i| (-0.5 * ((i as f32 - reach as f32) / deviation).powi(2)).exp())
        .collect();
    let sum: f32 = weights.iter().sum();
    weights.iter_mut().for_each(|w| *w /= sum);
    let mut padded = Vec::new();
    for row in plane.chunks_exact_mut(width) {
        padded.clear();
        padded.resize(reach, row[0]);
        padded.extend_from_slice(row);
        padded.resize(width + 2 * reach, row[width - 1]);
        row.fill(0.);
        for (tap, weight) in weights.iter().enumerate() {
            row.iter_mut().zip(&padded[tap..]).for_each(|(to, from)| *to += weight * from);
        }
    }
    let source = plane.to_vec();
    let rows = plane.len() / width;
    for (y, row) in plane.chunks_exact_mut(width).enumerate() {
        row.fill(0.);
        for (tap, weight) in weights.iter().enumerate() {
            let from = (y + tap).saturating_sub(reach).min(rows - 1);
            let from = &source[from * width..(from + 1) * width];
            row.iter_mut().zip(from).for_each(|(to, from)| *to += weight * from);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_point_spreads_and_a_plane_stays() {
        let mut point = vec![0.; 21 * 15];
        point[10 * 15 + 7] = 1.;
        blur(&mut point, 15, 1.2);
        assert!((point.iter().sum::<f32>() - 1.).abs() < 1e-5);
        // 1 / (2π σ²), sampled.
        assert!((point[10 * 15 + 7] - 0.1105).abs() < 2e-3, "{}", point[10 * 15 + 7]);
        let mut plane = vec![0.7; 4 * 3];
        blur(&mut plane, 3, 5.);
        assert!(plane.iter().all(|v| (v - 0.7).abs() < 1e-6));
    }
}
