//! Resizing, at the sizes of the papers; ids in `ocellus_benches`.

use ocellus_benches::{bench, upsample_cases};

fn main() -> ocellus::candle::Result<()> {
    bench(&upsample_cases())
}
