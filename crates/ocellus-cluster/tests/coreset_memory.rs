//! The memory of a coreset of many rows: 1000 of 1.5 million of 1536 features, 9.2 GB if they were
//! in memory.
//!
//! ```sh
//! cargo test --release -p ocellus-cluster --test coreset_memory -- --ignored --nocapture
//! ```

use std::ops::Range;

use ocellus_cluster::{CoresetSize, Error, GreedyCoreset, Result, RowSource};

const ROWS: usize = 1_500_000;
const COLUMNS: usize = 1536;

/// Rows around 200 centers, computed when they are read.
struct Generated {
    table: Vec<f32>,
}

impl Generated {
    fn new() -> Self {
        let mut state = 1u64;
        let mut value = || {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            (state >> 40) as f32 / (1 << 23) as f32 - 1.
        };
        Self { table: (0..1 << 16).map(|_| value()).collect() }
    }
}

impl RowSource for Generated {
    fn size(&self) -> (usize, usize) {
        (ROWS, COLUMNS)
    }

    fn read_part(&self, start: usize, columns: Range<usize>, out: &mut [f32]) -> Result<()> {
        for (row, values) in (start..).zip(out.chunks_exact_mut(columns.len())) {
            let center = (row % 200).wrapping_mul(40_503) % (self.table.len() - COLUMNS);
            let noise = row.wrapping_mul(2_654_435_761) % (self.table.len() - COLUMNS);
            let (center, noise) = (center + columns.start, noise + columns.start);
            let pairs = self.table[center..].iter().zip(&self.table[noise..]);
            for (value, (center, noise)) in values.iter_mut().zip(pairs) {
                *value = center + 0.4 * noise;
            }
        }
        Ok(())
    }
}

/// The most memory that this process has had, in bytes.
fn peak() -> Result<usize> {
    let failed = |error| Error::Store { path: "/proc/self/status".into(), source: error };
    let status = std::fs::read_to_string("/proc/self/status").map_err(failed)?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap_or_default();
    let kibibytes = line.trim().trim_end_matches(" kB").parse::<usize>();
    Ok(kibibytes.map_err(|e| failed(std::io::Error::other(e)))? << 10)
}

#[test]
#[ignore = "takes a minute and 2 GiB; Linux only"]
fn a_coreset_of_many_rows_stays_within_its_bound() -> Result<()> {
    let rows = Generated::new();
    let before = peak()?;
    let start = std::time::Instant::now();
    let coreset = GreedyCoreset::anomalib(0.1).with_size(CoresetSize::Count(1000)).select(&rows)?;
    let (seconds, used) = (start.elapsed().as_secs_f64(), peak()? - before);
    let dims = ocellus_cluster::johnson_lindenstrauss_dims(ROWS, 0.9)?;
    let bound = ROWS * (4 * dims + 9) + COLUMNS * (5 * dims + 1100 * rayon::current_num_threads());
    println!("{used} bytes of {bound}, {seconds:.1} s, radius {}", coreset.radius);
    assert!(used <= bound, "{used} bytes, more than {bound}");
    assert!(used > ROWS * 4 * dims, "{used} bytes are less than the projected rows take");
    assert!(coreset.distances.is_sorted_by(|a, b| a >= b));
    Ok(())
}
