//! Whole networks, at the sizes of the papers; ids in `ocellus_benches`.

use ocellus_benches::{bench, network_cases};

fn main() -> ocellus::candle::Result<()> {
    bench(&network_cases())
}
