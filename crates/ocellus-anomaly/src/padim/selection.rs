use crate::{Error, Result};

/// Which of the channels of all scales, counted through, a detector reads: a random part of them
/// serves nearly as well as all.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ChannelSelection {
    /// Drawn as Python's `random.sample` does after `random.seed`.
    Python {
        /// The seed.
        seed: u32,
    },
    /// The first of `torch.randperm` after `torch.manual_seed`.
    Torch {
        /// The seed.
        seed: u32,
    },
    /// These.
    Given(Vec<usize>),
}

impl ChannelSelection {
    /// `count` of `all` channels.
    ///
    /// # Errors
    ///
    /// If there are not that many, or the given ones are others or occur twice.
    pub(super) fn draw(&self, count: usize, all: usize) -> Result<Vec<usize>> {
        if count == 0 || count > all {
            return Err(Error::Setting(format!(
                "{count} of {all} channels: give 1 to {all}, or tap more stages"
            )));
        }
        match self {
            Self::Python { seed } => Ok(python_sample(*seed, count, all)),
            Self::Torch { seed } => Ok(torch_permutation(*seed, count, all)),
            Self::Given(channels) => {
                let mut sorted = channels.clone();
                sorted.sort_unstable();
                sorted.dedup();
                if sorted.len() != count || channels.len() != count || sorted[count - 1] >= all {
                    return Err(Error::Setting(format!(
                        "{} given channels for {count} of {all}: give {count} different ones below {all}",
                        channels.len()
                    )));
                }
                Ok(channels.clone())
            }
        }
    }
}

/// `random.seed(seed); random.sample(range(all), count)`.
fn python_sample(seed: u32, count: usize, all: usize) -> Vec<usize> {
    let mut random = MersenneTwister::of_key(seed);
    let mut below = |n: usize| {
        let bits = usize::BITS - n.leading_zeros();
        loop {
            let draw = (random.next() >> (32 - bits)) as usize;
            if draw < n {
                return draw;
            }
        }
    };
    // Python keeps a list of all for large samples and a set of those taken for small ones.
    let mut set_size = 21.;
    if count > 5 {
        set_size += 4f64.powf(((count * 3) as f64).log(4.).ceil());
    }
    if all as f64 <= set_size {
        let mut pool: Vec<usize> = (0..all).collect();
        return (0..count)
            .map(|taken| {
                let place = below(all - taken);
                let last = pool[all - taken - 1];
                std::mem::replace(&mut pool[place], last)
            })
            .collect();
    }
    let mut chosen: Vec<usize> = Vec::with_capacity(count);
    while chosen.len() < count {
        let draw = below(all);
        if !chosen.contains(&draw) {
            chosen.push(draw);
        }
    }
    chosen
}

/// `torch.manual_seed(seed); torch.randperm(all)[:count]`.
fn torch_permutation(seed: u32, count: usize, all: usize) -> Vec<usize> {
    let mut random = MersenneTwister::new(seed);
    let mut order: Vec<usize> = (0..all).collect();
    for i in 0..count.min(all - 1) {
        let other = i + random.next() as usize % (all - i);
        order.swap(i, other);
    }
    order.truncate(count);
    order
}

/// The generator MT19937 of Matsumoto and Nishimura, which Python and PyTorch draw from.
struct MersenneTwister {
    state: [u32; 624],
    place: usize,
}

impl MersenneTwister {
    fn new(seed: u32) -> Self {
        let mut state = [seed; 624];
        for i in 1..624 {
            let before = state[i - 1];
            state[i] = (before ^ before >> 30).wrapping_mul(1_812_433_253).wrapping_add(i as u32);
        }
        Self { state, place: 624 }
    }

    /// As Python seeds it by a number below 2³²: by a key of one word.
    fn of_key(key: u32) -> Self {
        let mut seeded = Self::new(19_650_218);
        let state = &mut seeded.state;
        let mut i = 1;
        let mut mix = |state: &mut [u32; 624], factor: u32, add: &dyn Fn(usize) -> u32| {
            let before = state[i - 1];
            let mixed = state[i] ^ (before ^ before >> 30).wrapping_mul(factor);
            state[i] = mixed.wrapping_add(add(i));
            i += 1;
            if i == 624 {
                state[0] = state[623];
                i = 1;
            }
        };
        for _ in 0..624 {
            mix(state, 1_664_525, &|_| key);
        }
        for _ in 0..623 {
            mix(state, 1_566_083_941, &|i| (i as u32).wrapping_neg());
        }
        state[0] = 1 << 31;
        seeded
    }

    fn next(&mut self) -> u32 {
        if self.place == 624 {
            for i in 0..624 {
                let y = self.state[i] & 1 << 31 | self.state[(i + 1) % 624] & !(1 << 31);
                let twisted = y >> 1 ^ if y & 1 == 1 { 0x9908_b0df } else { 0 };
                self.state[i] = self.state[(i + 397) % 624] ^ twisted;
            }
            self.place = 0;
        }
        let mut y = self.state[self.place];
        self.place += 1;
        y ^= y >> 11;
        y ^= y << 7 & 0x9d2c_5680;
        y ^= y << 15 & 0xefc6_0000;
        y ^ y >> 18
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn draws_what_python_and_pytorch_draw() -> Result<()> {
        let python = |seed, count, all| ChannelSelection::Python { seed }.draw(count, all);
        let torch = |seed, count, all| ChannelSelection::Torch { seed }.draw(count, all);
        let chosen = python(1024, 100, 448)?;
        assert_eq!(chosen[..6], [408, 9, 247, 435, 199, 165]);
        assert_eq!(chosen.iter().sum::<usize>(), 23181);
        let chosen = python(1024, 550, 1792)?;
        assert_eq!(chosen[..6], [1632, 39, 990, 1740, 797, 661]);
        assert_eq!(chosen.iter().sum::<usize>(), 496188);
        let chosen = python(7, 5, 448)?;
        assert_eq!(chosen[..5], [165, 77, 202, 333, 24]);
        assert_eq!(chosen.iter().sum::<usize>(), 801);
        let chosen = python(3, 3, 9)?;
        assert_eq!(chosen[..3], [3, 2, 7]);
        assert_eq!(chosen.iter().sum::<usize>(), 12);
        let chosen = torch(1024, 100, 448)?;
        assert_eq!(chosen[..6], [123, 156, 149, 357, 189, 219]);
        assert_eq!(chosen.iter().sum::<usize>(), 22558);
        let chosen = torch(0, 550, 1792)?;
        assert_eq!(chosen[..6], [172, 1450, 1545, 76, 191, 774]);
        assert_eq!(chosen.iter().sum::<usize>(), 499861);
        let chosen = torch(42, 9, 9)?;
        assert_eq!(chosen[..6], [6, 4, 0, 7, 5, 8]);
        assert_eq!(chosen.iter().sum::<usize>(), 36);
        Ok(())
    }

    #[test]
    fn rejects_channels_that_are_not_there() {
        let message =
            |selection: ChannelSelection, count| selection.draw(count, 4).unwrap_err().to_string();
        assert!(message(ChannelSelection::Torch { seed: 0 }, 5).contains("5 of 4 channels"));
        assert!(message(ChannelSelection::Torch { seed: 0 }, 0).contains("give 1 to 4"));
        for given in [vec![0, 0], vec![0, 4], vec![1]] {
            assert!(
                message(ChannelSelection::Given(given), 2).contains("2 different ones below 4")
            );
        }
    }
}
