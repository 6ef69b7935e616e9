use std::iter;

use crate::Result;

/// Which magnitudes of the discrete Fourier transform F of the gray image describe it.
///
/// ```text
/// F(u, v) = Σ x(r, c) exp(−2πi (u r / height + v c / width)),   x in 0..=255
/// ```
///
/// u is the vertical frequency, v the horizontal one. The features are, in this order:
///
/// 1. the low-frequency block |F(u, v)|: v = 0 with u = 0, 1, … b − 1; then v = 1, … b − 1, each with
///    u = −(b − 1), … b − 1. What is left out are conjugates;
/// 2. the radial profile: the mean of |F| over rings of frequency ρ = √((u / height)² + (v / width)²),
///    ring i with i < 2ρ · rings ≤ i + 1 and ρ < ½ cycle a pixel; F(0, 0) is left out;
/// 3. the angular profile: the mean of |F| over sectors of direction for 0 < ρ < ½, sector i being
///    ⌊sectors · atan2(u / height, v / width) / π + ½⌋ mod sectors = i. The first one is centered at
///    horizontal frequencies, as of upright stripes.
///
/// Each may be replaced by ln(1 + ·).
///
/// # Examples
///
/// ```
/// use ocellus_classical::Dft;
///
/// let dft = Dft::default().with_block(2).with_rings(2).with_sectors(0);
/// let names = ["dft_u0_v0", "dft_u1_v0", "dft_u-1_v1", "dft_u0_v1", "dft_u1_v1", "dft_ring_0", "dft_ring_1"];
/// assert_eq!(dft.names(), names);
/// ```
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[non_exhaustive]
pub struct Dft {
    /// Frequencies of the block in each direction; none if 0.
    pub block: usize,
    /// Rings of the radial profile.
    pub rings: usize,
    /// Sectors of the angular profile.
    pub sectors: usize,
    /// Whether each feature y becomes ln(1 + y).
    pub log: bool,
}

impl Default for Dft {
    fn default() -> Self {
        Self { block: 8, rings: 16, sectors: 8, log: true }
    }
}

impl Dft {
    /// Frequencies of the block in each direction: 8 by default, none if 0.
    #[must_use]
    pub const fn with_block(mut self, block: usize) -> Self {
        self.block = block;
        self
    }

    /// Rings of the radial profile: 16 by default.
    #[must_use]
    pub const fn with_rings(mut self, rings: usize) -> Self {
        self.rings = rings;
        self
    }

    /// Sectors of the angular profile: 8 by default.
    #[must_use]
    pub const fn with_sectors(mut self, sectors: usize) -> Self {
        self.sectors = sectors;
        self
    }

    /// Whether each feature y becomes ln(1 + y): yes by default.
    #[must_use]
    pub const fn with_log(mut self, log: bool) -> Self {
        self.log = log;
        self
    }

    /// The names of the features, in order.
    #[must_use]
    pub fn names(&self) -> Vec<String> {
        let block = self.frequencies().map(|(u, v)| format!("dft_u{u}_v{v}"));
        let rings = (0..self.rings).map(|i| format!("dft_ring_{i}"));
        let sectors = (0..self.sectors).map(|i| format!("dft_sector_{i}"));
        block.chain(rings).chain(sectors).collect()
    }

    /// The frequencies (u, v) of the block, in order.
    pub(super) fn frequencies(&self) -> impl Iterator<Item = (isize, usize)> {
        let end = self.block as isize;
        let first = (0..end).map(|u| (u, 0));
        let others = (1..self.block).flat_map(move |v| iter::zip(1 - end..end, iter::repeat(v)));
        first.chain(others)
    }

    pub(super) fn check(&self) -> Result<()> {
        for (name, value) in
            [("the block", self.block), ("rings", self.rings), ("sectors", self.sectors)]
        {
            if value > 1024 {
                let remedy = "give 1024 or fewer";
                let value = value.to_string();
                return Err(ocellus_cluster::Error::InvalidSetting { name, value, remedy }.into());
            }
        }
        Ok(())
    }

    /// Errs with what is wrong with images of a size.
    pub(super) fn check_size(
        &self,
        height: usize,
        width: usize,
    ) -> std::result::Result<(), String> {
        let needed = (2 * self.block).saturating_sub(1);
        if height.min(width) >= needed {
            return Ok(());
        }
        let block = self.block;
        Err(format!(
            "is {height} × {width}, a block of {block} frequencies needs {needed} × {needed}: take a \
             smaller block or larger images"
        ))
    }
}
