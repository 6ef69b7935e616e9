#![allow(unsafe_code, reason = "a variable of the environment is set")]

use std::env;

/// How often a thread of candle looks for work before it sleeps, unless the user has said.
const SPINS: (&str, &str) = ("CANDLE_BARRIER_POOL_SPIN_LIMIT", "100");

/// Prepares the threads of a program for training and inference on the CPU: call it first in `main`.
///
/// - The calling thread joins rayon's pool. Else each operation wakes a thread of the pool and then
///   waits for it, several times.
/// - candle's threads, which add gradients, sleep when they have nothing to do. They would spin for
///   a millisecond on the cores that the next operation runs on.
///
/// On two cores both together take 15 % off the time of a training step (`docs/performance.md`). No
/// result depends on it.
///
/// `RAYON_NUM_THREADS` and `CANDLE_BARRIER_POOL_SPIN_LIMIT` are respected.
///
/// Returns whether both could be done: not if rayon's pool is already at work, nor if the process
/// has other threads, which may be reading the environment.
///
/// # Examples
///
/// ```no_run
/// ocellus_ops::tune_threads(); // Before anything else.
/// ```
#[expect(clippy::must_use_candidate, reason = "most programs go on either way")]
pub fn tune_threads() -> bool {
    let spins = env::var_os(SPINS.0).is_some() || is_alone();
    if spins && env::var_os(SPINS.0).is_none() {
        // SAFETY: no other thread reads the environment: there is none.
        unsafe { env::set_var(SPINS.0, SPINS.1) };
    }
    // As its only thread it would not serve others (a loader's) while it waits for them.
    let joined = pool_size() == 1
        || rayon::ThreadPoolBuilder::new().use_current_thread().build_global().is_ok();
    spins && joined
}

/// How many threads rayon's pool will have.
fn pool_size() -> usize {
    let asked = env::var("RAYON_NUM_THREADS").ok().and_then(|n| n.parse().ok()).filter(|&n| n > 0);
    asked.unwrap_or_else(|| std::thread::available_parallelism().map_or(1, usize::from))
}

/// Whether this is known to be the only thread of the process.
fn is_alone() -> bool {
    std::fs::read_dir("/proc/self/task").is_ok_and(|tasks| tasks.count() == 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn refuses_to_set_the_environment_beside_other_threads() {
        std::thread::scope(|scope| {
            let (hold, wait) = std::sync::mpsc::channel::<()>();
            scope.spawn(move || wait.recv());
            assert!(!is_alone());
            drop(hold);
        });
    }
}
