use super::Degradation;
use crate::random::Random;

/// The quality of an OCTA image, as clinics grade it.
///
/// # Examples
///
/// ```
/// use ocellus_data::synthetic::OctaGrade;
///
/// assert_eq!(OctaGrade::ALL.map(OctaGrade::name), ["outstanding", "gradable", "ungradable"]);
/// assert_eq!(OctaGrade::of_label(2), Some(OctaGrade::Ungradable));
/// assert_eq!(OctaGrade::Gradable.label(), 1);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum OctaGrade {
    /// Ready for any analysis.
    Outstanding,
    /// Impaired, but vessels and avascular zone can be judged.
    Gradable,
    /// Of no use.
    Ungradable,
}

/// The stream of draws that degradations of a grade come from.
const STRENGTHS: u64 = 0x0c7a_0001;

impl OctaGrade {
    /// The grades in the order of their labels.
    pub const ALL: [Self; 3] = [Self::Outstanding, Self::Gradable, Self::Ungradable];

    /// Its label: 0, 1, 2 from the best to the worst.
    #[must_use]
    pub fn label(self) -> usize {
        self as usize
    }

    /// The grade with a label; none from 3 on.
    #[must_use]
    pub fn of_label(label: usize) -> Option<Self> {
        Self::ALL.get(label).copied()
    }

    /// Its name, in small letters.
    #[must_use]
    pub fn name(self) -> &'static str {
        ["outstanding", "gradable", "ungradable"][self.label()]
    }

    /// Degradations that make an image of this grade, drawn from seed and index alone.
    ///
    /// | grade | strength of all | how many of the seven stand out | strength of those |
    /// | --- | --- | --- | --- |
    /// | outstanding | 0 to 0.08 | none | |
    /// | gradable | 0 to 0.12 | 1 or 2 | 0.3 to 0.5 |
    /// | ungradable | 0 to 0.25 | 1 to 3 | 0.75 to 1 |
    #[must_use]
    pub fn draw(self, seed: u64, index: usize) -> Degradation {
        let (all, most, (low, high)) = match self {
            Self::Outstanding => (0.08, 0, (0., 0.)),
            Self::Gradable => (0.12, 2, (0.3, 0.5)),
            Self::Ungradable => (0.25, 3, (0.75, 1.)),
        };
        let mut random = Random::keyed(seed, index as u64, self.label() as u64, STRENGTHS);
        let mut strengths: [f32; 7] = std::array::from_fn(|_| random.uniform(0., all));
        let mut order: [usize; 7] = std::array::from_fn(|kind| kind);
        random.shuffle(&mut order);
        let count = if most == 0 { 0 } else { 1 + random.below(most) };
        for &kind in &order[..count] {
            strengths[kind] = random.uniform(low, high);
        }
        let [low_signal, defocus, motion, shadow, vignetting, decentering, noise] = strengths;
        Degradation { low_signal, defocus, motion, shadow, vignetting, decentering, noise }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn strengths_are_those_of_the_table() {
        for index in 0..300 {
            let sorted = |grade: OctaGrade| {
                let mut strengths = grade.draw(1, index).strengths();
                strengths.sort_by(f32::total_cmp);
                strengths
            };
            assert!(sorted(OctaGrade::Outstanding)[6] < 0.08);
            let gradable = sorted(OctaGrade::Gradable);
            assert!((0.3..0.5).contains(&gradable[6]) && gradable[4] < 0.12, "{gradable:?}");
            let ungradable = sorted(OctaGrade::Ungradable);
            assert!((0.75..1.).contains(&ungradable[6]) && ungradable[3] < 0.25, "{ungradable:?}");
        }
    }

    #[test]
    fn every_degradation_stands_out_about_as_often() {
        let mut counts = [0; 7];
        for index in 0..1000 {
            let strengths = OctaGrade::Ungradable.draw(9, index).strengths();
            counts.iter_mut().zip(strengths).for_each(|(n, s)| *n += usize::from(s > 0.5));
        }
        assert!(counts.iter().all(|n| (220..350).contains(n)), "{counts:?}");
    }
}
