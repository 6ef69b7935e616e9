//! Estimators, at the sizes of the papers; ids in `ocellus_benches`.

use ocellus_benches::{bench, estimator_cases};

fn main() -> ocellus::candle::Result<()> {
    bench(&estimator_cases())
}
