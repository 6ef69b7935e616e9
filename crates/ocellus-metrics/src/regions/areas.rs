use crate::scenes::{Connectivity, Labeler, Run};

/// For each pixel of a mask the number of pixels of its connected region, 0 outside of the mask;
/// and the number of regions.
pub(super) fn areas(mask: &[bool], width: usize, connectivity: Connectivity) -> (Vec<u32>, u64) {
    let mut labeler = Labeler::new(connectivity);
    let mut runs: Vec<(usize, Run)> = Vec::new();
    let mut states = Vec::with_capacity(width);
    for (y, row) in mask.chunks_exact(width).enumerate() {
        states.clear();
        states.extend(row.iter().map(|&inside| u8::from(inside)));
        labeler.push(&states, (y * width) as u64);
        runs.extend(labeler.runs.iter().map(|&run| (y * width, run)));
    }
    let mut areas = vec![0; mask.len()];
    for (row, run) in runs {
        let root = labeler.root(run.object);
        areas[row + run.start..row + run.end].fill(labeler.objects[root].area as u32);
    }
    let regions = (0..labeler.objects.len()).filter(|&i| labeler.is_root(i)).count();
    (areas, regions as u64)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(image: &[&str], connectivity: Connectivity) -> (Vec<u32>, u64) {
        let mask: Vec<bool> = image.iter().flat_map(|row| row.bytes()).map(|c| c == b'#').collect();
        areas(&mask, image[0].len(), connectivity)
    }

    #[test]
    fn a_pixel_knows_the_area_of_its_region() {
        let image = ["#.#", "#.#", ".##"];
        assert_eq!(of(&image, Connectivity::Four), (vec![2, 0, 4, 2, 0, 4, 0, 4, 4], 2));
        assert_eq!(of(&image, Connectivity::Eight), (vec![6, 0, 6, 6, 0, 6, 0, 6, 6], 1));
        assert_eq!(of(&["..."], Connectivity::Eight), (vec![0; 3], 0));
    }
}
