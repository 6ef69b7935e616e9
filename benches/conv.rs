//! Convolutions and transposed convolutions, at the sizes of the papers; ids in `ocellus_benches`.

use ocellus_benches::{bench, conv_cases};

fn main() -> ocellus::candle::Result<()> {
    bench(&conv_cases())
}
