//! Activations, at the sizes of the papers; ids in `ocellus_benches`.

use ocellus_benches::{activation_cases, bench};

fn main() -> ocellus::candle::Result<()> {
    bench(&activation_cases())
}
