use std::{
    sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use candle_core::Tensor;

use crate::{
    Communicator, Error, Result,
    call::{Call, Kind},
    raw::{from_bytes, sum, to_bytes},
};

/// Ranks that are threads of one program: for tests of what is parallel, without processes.
///
/// A rank that is dropped, as when its thread panics, is lost to those that wait for it: they get an
/// error.
///
/// # Examples
///
/// See [`Communicator`].
#[derive(Debug)]
pub struct ThreadCommunicator {
    rank: usize,
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    size: usize,
    timeout: Duration,
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Debug)]
struct State {
    /// What each rank brings to the operation at hand.
    arrived: Vec<Option<(Call, Vec<Tensor>)>>,
    /// The result, while there are ranks that have not taken it.
    result: Option<Result<Vec<Tensor>>>,
    leaving: usize,
    ended: Vec<bool>,
    broken: Option<Error>,
}

impl ThreadCommunicator {
    /// The ranks of a group; each belongs to a thread.
    ///
    /// # Errors
    ///
    /// If there are none.
    pub fn group(size: usize) -> Result<Vec<Self>> {
        Self::group_with_timeout(size, Duration::from_secs(600))
    }

    /// The ranks of a group which wait for each other that long at most.
    ///
    /// # Errors
    ///
    /// If there are none.
    pub fn group_with_timeout(size: usize, timeout: Duration) -> Result<Vec<Self>> {
        if size == 0 {
            return Err(Error::Setting("a group of 0 ranks: give at least 1".to_owned()));
        }
        let state = State {
            arrived: vec![None; size],
            result: None,
            leaving: 0,
            ended: vec![false; size],
            broken: None,
        };
        let state = Mutex::new(state);
        let shared = Arc::new(Shared { size, timeout, state, changed: Condvar::new() });
        Ok((0..size).map(|rank| Self { rank, shared: Arc::clone(&shared) }).collect())
    }

    fn run(&self, call: Call, tensors: &[Tensor]) -> Result<Vec<Tensor>> {
        let mut state = self.shared.lock();
        // The ranks that are still at the operation before must have left it.
        while state.leaving > 0 && state.broken.is_none() {
            state = self.shared.wait(state, self.rank)?;
        }
        if let Some(error) = &state.broken {
            return Err(error.clone());
        }
        state.arrived[self.rank] = Some((call, tensors.iter().map(Tensor::detach).collect()));
        if state.arrived.iter().all(Option::is_some) {
            let calls: Vec<_> = state.arrived.iter_mut().filter_map(Option::take).collect();
            let result = combined(&calls);
            state.broken = result.as_ref().err().cloned();
            (state.result, state.leaving) = (Some(result), self.shared.size);
            self.shared.changed.notify_all();
        }
        while state.leaving == 0 && state.broken.is_none() {
            state = self.shared.wait(state, self.rank)?;
        }
        // What is there is given, also if a rank that was faster has given up meanwhile.
        if let (0, Some(error)) = (state.leaving, &state.broken) {
            return Err(error.clone());
        }
        let result = state.result.clone().unwrap_or_else(|| Ok(Vec::new()));
        state.leaving -= 1;
        if state.leaving == 0 {
            state.result = None;
            self.shared.changed.notify_all();
        }
        drop(state);
        let device = |x: &Tensor, like: &Tensor| x.to_device(like.device());
        Ok(result?
            .iter()
            .zip(tensors)
            .map(|(x, like)| device(x, like))
            .collect::<candle_core::Result<_>>()?)
    }
}

/// What the ranks' calls give, if they are the same.
fn combined(calls: &[(Call, Vec<Tensor>)]) -> Result<Vec<Tensor>> {
    let (first, _) = &calls[0];
    if let Some(other) = calls.iter().position(|(call, _)| call != first) {
        return Err(Call::differ((0, &first.describe()), (other, &calls[other].0.describe())));
    }
    match first.kind {
        Kind::Barrier => Ok(Vec::new()),
        Kind::Broadcast { root } => Ok(calls[root].1.clone()),
        Kind::Sum => {
            let one = |(i, form)| {
                let parts =
                    calls.iter().map(|(_, tensors): &(_, Vec<Tensor>)| to_bytes(&tensors[i]));
                let parts = parts.collect::<Result<Vec<_>>>()?;
                let parts: Vec<&[u8]> = parts.iter().map(Vec::as_slice).collect();
                let mut bytes = Vec::new();
                let form: &crate::raw::Form = form;
                sum(&parts, form.dtype, &mut bytes)?;
                from_bytes(&bytes, form, &candle_core::Device::Cpu)
            };
            first.forms.iter().enumerate().map(one).collect()
        }
    }
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits for a change; an error if nothing can come any more.
    fn wait<'a>(
        &self,
        mut state: MutexGuard<'a, State>,
        own: usize,
    ) -> Result<MutexGuard<'a, State>> {
        let missing = |state: &State| {
            (0..self.size).find(|&r| r != own && state.ended[r] && state.arrived[r].is_none())
        };
        let lost =
            |rank, reason: String| Error::Lost { rank, place: "a thread".to_owned(), reason };
        if state.leaving == 0
            && let Some(rank) = missing(&state)
        {
            let error = lost(rank, "it has ended: see its error".to_owned());
            return Err(self.fail(&mut state, error));
        }
        let (mut state, waited) =
            self.changed.wait_timeout(state, self.timeout).unwrap_or_else(PoisonError::into_inner);
        if waited.timed_out() && state.broken.is_none() {
            let rank = (0..self.size).find(|&r| r != own && state.arrived[r].is_none());
            let reason = format!("it did not come within {:?}", self.timeout);
            let error = lost(rank.unwrap_or(own), reason);
            return Err(self.fail(&mut state, error));
        }
        Ok(state)
    }

    fn fail(&self, state: &mut State, error: Error) -> Error {
        state.broken.get_or_insert(error.clone());
        self.changed.notify_all();
        error
    }
}

impl Drop for ThreadCommunicator {
    fn drop(&mut self) {
        self.shared.lock().ended[self.rank] = true;
        self.shared.changed.notify_all();
    }
}

impl Communicator for ThreadCommunicator {
    fn rank(&self) -> usize {
        self.rank
    }

    fn size(&self) -> usize {
        self.shared.size
    }

    fn all_reduce_sum(&self, tensors: &[Tensor]) -> Result<Vec<Tensor>> {
        self.run(Call::sum(tensors)?, tensors)
    }

    fn broadcast(&self, tensors: &[Tensor], root: usize) -> Result<Vec<Tensor>> {
        self.run(Call::broadcast(tensors, root, self.size())?, tensors)
    }

    fn barrier(&self) -> Result<()> {
        self.run(Call::barrier(), &[]).map(drop)
    }

    fn give_up(&self, reason: &str) {
        let mut state = self.shared.lock();
        let error = Error::GaveUp { rank: self.rank, reason: reason.to_owned() };
        self.shared.fail(&mut state, error);
    }
}
