//! How work is cut: by sizes alone, so that the number of threads changes no bit.

/// The least number of operations that a task is worth, and how many tasks there are at most.
const TASK: f64 = 4e6;
const TASKS: usize = 64;

/// Rows of each task of a product with that many columns and that deep.
pub(super) fn rows_per_task(rows: usize, columns: usize, depth: usize) -> usize {
    let work = 2. * rows as f64 * columns as f64 * depth as f64;
    let tasks = ((work / TASK) as usize).clamp(1, TASKS).min(rows.div_ceil(128).max(1));
    rows.div_ceil(tasks).next_multiple_of(16).max(1)
}

/// Depth of each partial sum: a small result of a deep product is cut along the sum.
pub(super) fn depth_per_task(rows: usize, columns: usize, depth: usize) -> usize {
    const DEEP: usize = 1024;
    let narrow = rows.max(columns) <= 128;
    let work = 2. * rows as f64 * columns as f64 * depth as f64;
    if !narrow || work < 2. * TASK {
        return depth.max(1);
    }
    let tasks = ((work / TASK) as usize).clamp(1, TASKS);
    depth.div_ceil(tasks).max(DEEP)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn small_work_is_one_task_and_large_work_many() {
        assert!(rows_per_task(10, 10, 10) >= 10);
        assert_eq!(depth_per_task(10, 10, 10), 10);
        assert_eq!(rows_per_task(6400, 1000, 1000), 128);
        assert!(depth_per_task(32, 32, 1_000_000) < 1_000_000);
        assert_eq!(rows_per_task(0, 5, 5), 1);
        assert_eq!(depth_per_task(5, 5, 0), 1);
    }
}
