use std::{
    any::Any,
    collections::BTreeMap,
    panic::{AssertUnwindSafe, catch_unwind},
    sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError},
    thread::{self, JoinHandle},
};

/// Results of numbered tasks that threads compute ahead, at most `ahead` of them, handed out in
/// the order of their numbers.
#[derive(Debug)]
pub(crate) struct Queue<T> {
    shared: Arc<Shared<T>>,
    threads: Vec<JoinHandle<()>>,
}

/// A task's result, or the message of its panic.
pub(crate) type Outcome<T> = Result<T, String>;

#[derive(Debug)]
struct Shared<T> {
    state: Mutex<State<T>>,
    changed: Condvar,
    count: usize,
    ahead: usize,
}

#[derive(Debug)]
struct State<T> {
    /// The next task to start, and the next to hand out.
    next: usize,
    handed: usize,
    ready: BTreeMap<usize, Outcome<T>>,
    running: usize,
    stop: bool,
}

impl<T: Send + 'static> Queue<T> {
    /// Starts threads on tasks `0..count`.
    ///
    /// # Errors
    ///
    /// If not even one thread can be started.
    pub(crate) fn start(
        count: usize,
        ahead: usize,
        workers: usize,
        task: impl Fn(usize) -> T + Send + Sync + 'static,
    ) -> std::io::Result<Self> {
        let state = State { next: 0, handed: 0, ready: BTreeMap::new(), running: 0, stop: false };
        let shared = Arc::new(Shared {
            state: Mutex::new(state),
            changed: Condvar::new(),
            count,
            ahead: ahead.max(1),
        });
        let task = Arc::new(task);
        let mut threads = Vec::new();
        for _ in 0..workers.min(count) {
            let (shared, task) = (Arc::clone(&shared), Arc::clone(&task));
            shared.lock().running += 1;
            let leaving = Leaving(Arc::clone(&shared));
            let work = move || {
                let leaving = leaving;
                leaving.0.work(&*task);
            };
            match thread::Builder::new().name("ocellus-loader".to_owned()).spawn(work) {
                Ok(thread) => threads.push(thread),
                // Fewer threads do; the closure was dropped, and with it `leaving`.
                Err(error) if threads.is_empty() => return Err(error),
                Err(_) => break,
            }
        }
        Ok(Self { shared, threads })
    }

    /// The next result in order; nothing after the last.
    pub(crate) fn next(&mut self) -> Option<Outcome<T>> {
        let mut state = self.shared.lock();
        if state.handed == self.shared.count {
            return None;
        }
        loop {
            let wanted = state.handed;
            if let Some(outcome) = state.ready.remove(&wanted) {
                state.handed += 1;
                self.shared.changed.notify_all();
                return Some(outcome);
            }
            if state.running == 0 {
                state.handed = self.shared.count;
                return Some(Err("all threads have ended early".to_owned()));
            }
            state = self.shared.changed.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
    }
}

impl<T> Queue<T> {
    /// Stops the threads after the task each is at, and waits for them.
    fn stop(&mut self) {
        self.shared.lock().stop = true;
        self.shared.changed.notify_all();
        for thread in self.threads.drain(..) {
            // A thread cannot panic outside of its tasks, whose panics are results.
            let _ = thread.join();
        }
    }
}

impl<T> Drop for Queue<T> {
    fn drop(&mut self) {
        self.stop();
    }
}

impl<T> Shared<T> {
    fn lock(&self) -> MutexGuard<'_, State<T>> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn work(&self, task: &dyn Fn(usize) -> T) {
        loop {
            let number = {
                let mut state = self.lock();
                while !state.stop
                    && state.next < self.count
                    && state.next >= state.handed + self.ahead
                {
                    state = self.changed.wait(state).unwrap_or_else(PoisonError::into_inner);
                }
                if state.stop || state.next >= self.count {
                    return;
                }
                state.next += 1;
                state.next - 1
            };
            let outcome = catch_unwind(AssertUnwindSafe(|| task(number)));
            let outcome = outcome.map_err(|panic| message(&*panic));
            self.lock().ready.insert(number, outcome);
            self.changed.notify_all();
        }
    }
}

/// Counts a thread out, however it ends, so that nobody waits for it.
struct Leaving<T>(Arc<Shared<T>>);

impl<T> Drop for Leaving<T> {
    fn drop(&mut self) {
        self.0.lock().running -= 1;
        self.0.changed.notify_all();
    }
}

fn message(panic: &(dyn Any + Send)) -> String {
    let text = panic.downcast_ref::<String>().map(String::as_str);
    let text = text.or_else(|| panic.downcast_ref::<&str>().copied());
    text.unwrap_or("no message").to_owned()
}

#[cfg(test)]
mod tests {
    use std::{
        sync::atomic::{AtomicUsize, Ordering},
        time::Duration,
    };

    use super::*;

    #[test]
    fn hands_out_in_order_at_any_thread_count() {
        for workers in [1, 3, 9] {
            let slow_first = |i: usize| {
                thread::sleep(Duration::from_micros(300 * (7 - i as u64 % 7)));
                i
            };
            let mut queue = Queue::start(40, 5, workers, slow_first).unwrap();
            let all: Vec<usize> = std::iter::from_fn(|| queue.next()).map(Result::unwrap).collect();
            assert_eq!(all, (0..40).collect::<Vec<_>>());
            assert!(queue.next().is_none());
        }
    }

    #[test]
    fn never_runs_further_ahead_than_its_bound() {
        let started = Arc::new(AtomicUsize::new(0));
        let count = Arc::clone(&started);
        let mut queue =
            Queue::start(100, 4, 3, move |_| count.fetch_add(1, Ordering::SeqCst)).unwrap();
        for handed in 1..20 {
            queue.next().unwrap().unwrap();
            thread::sleep(Duration::from_millis(1));
            assert!(started.load(Ordering::SeqCst) <= handed + 4);
        }
    }

    #[test]
    fn a_panic_is_a_result_and_others_go_on() {
        let task = |i: usize| {
            assert!(i != 2, "two is bad");
            i
        };
        let mut queue = Queue::start(4, 2, 2, task).unwrap();
        let all: Vec<_> = std::iter::from_fn(|| queue.next()).collect();
        assert_eq!(all, [Ok(0), Ok(1), Err("two is bad".to_owned()), Ok(3)]);
    }

    #[test]
    fn dropping_it_early_ends_its_threads() {
        let started = Arc::new(AtomicUsize::new(0));
        let count = Arc::clone(&started);
        let mut queue = Queue::start(1000, 8, 4, move |_| {
            thread::sleep(Duration::from_millis(1));
            count.fetch_add(1, Ordering::SeqCst)
        })
        .unwrap();
        queue.next();
        drop(queue); // Waits for the threads.
        let after = started.load(Ordering::SeqCst);
        thread::sleep(Duration::from_millis(20));
        assert_eq!(started.load(Ordering::SeqCst), after);
        assert!(after < 20, "{after}");
        assert_eq!(Arc::strong_count(&started), 1);
    }
}
