/// The regions of `true` in a plane, where pixels that share a side or a corner belong together: the
/// places of each region's pixels, sorted, the regions by their first.
pub(crate) fn components(plane: &[bool], width: usize) -> Vec<Vec<usize>> {
    let height = plane.len() / width.max(1);
    let mut open = plane.to_vec();
    let mut regions = Vec::new();
    let mut waiting = Vec::new();
    for first in 0..plane.len() {
        if !open[first] {
            continue;
        }
        open[first] = false;
        waiting.push(first);
        let mut region = Vec::new();
        while let Some(at) = waiting.pop() {
            region.push(at);
            let (y, x) = (at / width, at % width);
            for row in y.saturating_sub(1)..=(y + 1).min(height - 1) {
                for column in x.saturating_sub(1)..=(x + 1).min(width - 1) {
                    let near = row * width + column;
                    if open[near] {
                        open[near] = false;
                        waiting.push(near);
                    }
                }
            }
        }
        region.sort_unstable();
        regions.push(region);
    }
    regions
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn corners_join_and_gaps_part() {
        let plane: Vec<bool> =
            "#..# .#.# ...# #...".chars().filter(|c| *c != ' ').map(|c| c == '#').collect();
        assert_eq!(components(&plane, 4), [vec![0, 5], vec![3, 7, 11], vec![12]]);
        assert!(components(&[], 4).is_empty());
        assert_eq!(components(&[true; 6], 2), [[0, 1, 2, 3, 4, 5]]);
    }
}
