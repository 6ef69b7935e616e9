//! Optimizers, at the sizes of the papers; ids in `ocellus_benches`.

use ocellus_benches::{bench, optimizer_cases};

fn main() -> ocellus::candle::Result<()> {
    bench(&optimizer_cases())
}
