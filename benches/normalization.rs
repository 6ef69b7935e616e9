//! Batch normalization, at the sizes of the papers; ids in `ocellus_benches`.

use ocellus_benches::{bench, norm_cases};

fn main() -> ocellus::candle::Result<()> {
    bench(&norm_cases())
}
