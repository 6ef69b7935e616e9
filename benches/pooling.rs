//! Pooling, at the sizes of the papers; ids in `ocellus_benches`.

use ocellus_benches::{bench, pool_cases};

fn main() -> ocellus::candle::Result<()> {
    bench(&pool_cases())
}
