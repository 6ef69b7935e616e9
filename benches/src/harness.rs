use std::time::Duration;

use criterion::{BenchmarkId, Criterion, SamplingMode, Throughput};
use ocellus::candle::Result;
use ocellus::ops::tune_threads;

use crate::{Case, Library, Prepared};

/// Times the cases with criterion, convolutions beside candle's. Where products dominate, its
/// throughput counts multiplications and additions.
///
/// # Errors
///
/// If a case does not run.
pub fn bench(cases: &[Case]) -> Result<()> {
    tune_threads();
    let mut criterion = Criterion::default()
        .sample_size(10)
        .warm_up_time(Duration::from_millis(200))
        .measurement_time(Duration::from_secs(1))
        .configure_from_args();
    for case in cases {
        let mut group = criterion.benchmark_group(case.group());
        group.sampling_mode(SamplingMode::Flat);
        if case.operations() > 0 {
            group.throughput(Throughput::Elements(case.operations()));
        }
        for (name, library) in [("ocellus", Library::Ocellus), ("candle", Library::Candle)] {
            if library == Library::Candle && !case.module.is_in_candle() {
                continue;
            }
            let mut prepared = None;
            let mut outcome = Ok(());
            group.bench_function(BenchmarkId::new(name, case.size), |b| {
                // Only a case that the filter keeps is prepared.
                let case = prepared.get_or_insert_with(|| Prepared::new(case, library));
                match case {
                    Ok(case) => b.iter(|| outcome = case.run()),
                    Err(_) => b.iter(|| {}),
                }
            });
            prepared.transpose()?;
            outcome?;
        }
        group.finish();
    }
    criterion.final_summary();
    Ok(())
}
