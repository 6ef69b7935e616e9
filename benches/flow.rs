//! Whole flows, at the sizes of the papers; ids in `ocellus_benches`.

use ocellus_benches::{bench, flow_cases};

fn main() -> ocellus::candle::Result<()> {
    bench(&flow_cases())
}
