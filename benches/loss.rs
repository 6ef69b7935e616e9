//! Losses, at the sizes of the papers; ids in `ocellus_benches`.

use ocellus_benches::{bench, loss_cases};

fn main() -> ocellus::candle::Result<()> {
    bench(&loss_cases())
}
