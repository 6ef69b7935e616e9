use std::sync::{
    Arc,
    atomic::{AtomicU64, Ordering},
};

/// Where the random masks of a model come from: a seed and the training step.
///
/// All layers built with one `Noise` share its step. Setting the step before a forward pass makes
/// that pass a function of seed, step and weights alone, so a resumed run repeats an uninterrupted
/// one bit for bit. Passes of the same step draw the same masks: count every micro-batch as a step.
///
/// # Examples
///
/// ```
/// use ocellus_layers::Noise;
///
/// let noise = Noise::seeded(7);
/// let first = noise.draw("head.dropout");
/// assert_ne!(first, noise.draw("other.dropout"));
/// noise.at(1);
/// assert_ne!(first, noise.draw("head.dropout"));
/// noise.at(0);
/// assert_eq!(first, noise.draw("head.dropout"));
/// ```
#[derive(Clone, Debug)]
pub struct Noise {
    seed: u64,
    step: Arc<AtomicU64>,
}

impl Noise {
    /// Noise of that seed, at step 0.
    #[must_use]
    pub fn seeded(seed: u64) -> Self {
        Self { seed, step: Arc::default() }
    }

    /// Moves to a step, for all clones too.
    pub fn at(&self, step: u64) {
        self.step.store(step, Ordering::Relaxed);
    }

    /// The seed.
    #[must_use]
    pub fn seed(&self) -> u64 {
        self.seed
    }

    /// The current step.
    #[must_use]
    pub fn step(&self) -> u64 {
        self.step.load(Ordering::Relaxed)
    }

    /// A seed for the layer of that name at the current step.
    #[must_use]
    pub fn draw(&self, name: &str) -> u64 {
        mix(mix(mix(self.seed) ^ fnv1a(name)) ^ self.step())
    }
}

/// FNV-1a, whose value for a string never changes (`std`'s hashers promise no such thing).
fn fnv1a(text: &str) -> u64 {
    text.bytes().fold(0xcbf2_9ce4_8422_2325, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3)
    })
}

/// The finalizer of `SplitMix64`: every bit of the result depends on every bit of the argument.
fn mix(value: u64) -> u64 {
    let z = value.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn clones_share_the_step() {
        let noise = Noise::seeded(1);
        let clone = noise.clone();
        noise.at(5);
        assert_eq!(clone.step(), 5);
        assert_eq!(clone.draw("x"), noise.draw("x"));
    }

    #[test]
    fn seeds_names_and_steps_all_count() {
        let mut draws = HashSet::new();
        for seed in 0..8 {
            let noise = Noise::seeded(seed);
            for step in 0..8 {
                noise.at(step);
                draws.extend(["", "a", "b", "a.b"].map(|name| noise.draw(name)));
            }
        }
        assert_eq!(draws.len(), 8 * 8 * 4);
    }
}
