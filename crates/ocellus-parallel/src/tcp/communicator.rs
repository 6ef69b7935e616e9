use std::sync::{Mutex, MutexGuard, PoisonError};

use candle_core::{Device, Tensor};

use super::{TcpConfig, link::Link, rendezvous::meet};
use crate::{
    Communicator, Error, Ranks, Result,
    call::{Call, Kind},
    raw::{Form, from_bytes, sum, to_bytes},
};

/// Bytes of each rank that are summed at a time; a multiple of all types' sizes.
const CHUNK: usize = 1 << 18;

/// Ranks that are processes, on one machine or on several, over TCP.
///
/// Rank 0 takes what the others send, adds it in the order of ranks, and sends the results: the same
/// bits on all, in every run. A step sends each tensor once to rank 0 and once back, so rank 0's
/// connection carries `2 · (ranks − 1)` times the size: right for a few processes on the CPU.
/// Tensors of other devices come by the CPU's memory.
///
/// A rank that ends, that does not answer in time, or that does something else than the others, is an
/// error on all ranks. Messages are not encrypted, and nobody proves who it is: use it among machines
/// that trust each other's network.
///
/// # Examples
///
/// ```no_run
/// use candle_core::{Device, Tensor};
/// use ocellus_parallel::{Communicator, Ranks, TcpCommunicator, TcpConfig};
///
/// let ranks = Ranks::from_env()?;
/// let communicator = TcpCommunicator::connect(&ranks, &TcpConfig::default())?;
/// let x = Tensor::new(&[1f32, 2.], &Device::Cpu)?;
/// let sums = communicator.all_reduce_sum(&[x])?;
/// # Ok::<(), ocellus_parallel::Error>(())
/// ```
#[derive(Debug)]
pub struct TcpCommunicator {
    rank: usize,
    size: usize,
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    /// Of rank 0 to all others in their order, of another rank to rank 0.
    links: Vec<Link>,
    /// Operations so far.
    number: u64,
    broken: Option<Error>,
}

impl TcpCommunicator {
    /// Meets the other ranks: returns when all are there.
    ///
    /// # Errors
    ///
    /// If rank 0 cannot listen, a rank does not come in time, or ranks are told different things.
    pub fn connect(ranks: &Ranks, config: &TcpConfig) -> Result<Self> {
        let &Ranks { rank, size, .. } = ranks;
        if rank >= size {
            return Err(Error::Setting(format!("rank {rank} of {size}: they count from 0")));
        }
        let links = meet(ranks, config)?;
        Ok(Self { rank, size, state: Mutex::new(State { links, number: 0, broken: None }) })
    }

    /// An error on all ranks if they are not all about to do this elsewhere.
    #[cfg(feature = "nccl")]
    pub(crate) fn agree(&self, call: &Call) -> Result<()> {
        self.run(&Call::barrier(), &format!("{} on GPUs", call.describe()), &[]).map(drop)
    }

    fn run(&self, call: &Call, description: &str, tensors: &[Tensor]) -> Result<Vec<Tensor>> {
        let mut state = self.lock();
        if let Some(error) = &state.broken {
            return Err(Error::Broken(error.to_string()));
        }
        state.number += 1;
        let outcome = match self.rank {
            0 => state.lead(call, description, tensors),
            rank => state.follow(rank, call, description, tensors),
        };
        outcome.inspect_err(|error| state.fail(self.rank, error))
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    /// Rank 0's part of an operation.
    fn lead(&mut self, call: &Call, description: &str, tensors: &[Tensor]) -> Result<Vec<Tensor>> {
        for link in &mut self.links {
            let (number, other) = link.receive_call()?;
            if number != self.number || other != description {
                return Err(Call::differ((0, description), (link.rank, &other)));
            }
        }
        let forms = &call.forms;
        let results = match call.kind {
            Kind::Barrier => Vec::new(),
            Kind::Sum => self.sums(forms, tensors)?,
            Kind::Broadcast { root: 0 } => tensors.iter().map(to_bytes).collect::<Result<_>>()?,
            Kind::Broadcast { root } => receive_all(&mut self.links[root - 1], forms)?,
        };
        for link in &mut self.links {
            link.send_call(self.number, "")?;
            if call.kind != (Kind::Broadcast { root: link.rank }) {
                results.iter().try_for_each(|bytes| link.send(bytes))?;
            }
        }
        taken(call, 0, &results, tensors)
    }

    /// Another rank's part.
    fn follow(
        &mut self,
        rank: usize,
        call: &Call,
        description: &str,
        tensors: &[Tensor],
    ) -> Result<Vec<Tensor>> {
        let own = match call.kind {
            Kind::Sum => true,
            Kind::Broadcast { root } => root == rank,
            Kind::Barrier => false,
        };
        let number = self.number;
        let link = &mut self.links[0];
        link.send_call(number, description)?;
        if own {
            tensors.iter().try_for_each(|x| link.send(&to_bytes(x)?))?;
        }
        let (answered, _) = link.receive_call()?;
        if answered != number {
            return Err(Error::Order(format!("rank 0 answers operation {answered} for {number}")));
        }
        if call.kind == (Kind::Broadcast { root: rank }) {
            return Ok(tensors.iter().map(Tensor::detach).collect());
        }
        let results = receive_all(link, &call.forms)?;
        taken(call, rank, &results, tensors)
    }

    /// Adds what the others send to rank 0's own, piece by piece, so that no rank's share is in memory
    /// whole.
    fn sums(&mut self, forms: &[Form], tensors: &[Tensor]) -> Result<Vec<Vec<u8>>> {
        let mut others = vec![vec![0; CHUNK]; self.links.len()];
        let mut results = Vec::with_capacity(forms.len());
        // Each link sends its tensors one after the other: so they are read.
        for (form, tensor) in forms.iter().zip(tensors) {
            let own = to_bytes(tensor)?;
            let mut result = Vec::with_capacity(own.len());
            for own in own.chunks(CHUNK) {
                for (link, other) in self.links.iter_mut().zip(&mut others) {
                    link.receive(&mut other[..own.len()])?;
                }
                let mut parts = vec![own];
                parts.extend(others.iter().map(|other| &other[..own.len()]));
                sum(&parts, form.dtype, &mut result)?;
            }
            results.push(result);
        }
        Ok(results)
    }

    /// Notes that the group is broken, and tells the others why.
    fn fail(&mut self, rank: usize, error: &Error) {
        if self.broken.is_some() {
            return;
        }
        self.broken = Some(error.clone());
        let (rank, reason) = match error {
            Error::GaveUp { rank, reason } => (*rank, reason.clone()),
            error => (rank, error.to_string()),
        };
        for link in self.links.iter_mut().filter(|link| link.rank != rank) {
            link.send_gave_up(rank, &reason);
        }
    }
}

fn receive_all(link: &mut Link, forms: &[Form]) -> Result<Vec<Vec<u8>>> {
    let one = |form: &Form| {
        let mut bytes = vec![0; form.bytes()];
        link.receive(&mut bytes)?;
        Ok(bytes)
    };
    forms.iter().map(one).collect()
}

/// The results as tensors where the rank's own are, which stay what they are at the root.
fn taken(call: &Call, rank: usize, results: &[Vec<u8>], own: &[Tensor]) -> Result<Vec<Tensor>> {
    if call.kind == (Kind::Broadcast { root: rank }) {
        return Ok(own.iter().map(Tensor::detach).collect());
    }
    let one = |((bytes, form), own): ((&Vec<u8>, &Form), &Tensor)| {
        let x = from_bytes(bytes, form, &Device::Cpu)?;
        Ok(x.to_device(own.device())?)
    };
    results.iter().zip(&call.forms).zip(own).map(one).collect()
}

impl Communicator for TcpCommunicator {
    fn rank(&self) -> usize {
        self.rank
    }

    fn size(&self) -> usize {
        self.size
    }

    fn all_reduce_sum(&self, tensors: &[Tensor]) -> Result<Vec<Tensor>> {
        let call = Call::sum(tensors)?;
        self.run(&call, &call.describe(), tensors)
    }

    fn broadcast(&self, tensors: &[Tensor], root: usize) -> Result<Vec<Tensor>> {
        let call = Call::broadcast(tensors, root, self.size)?;
        self.run(&call, &call.describe(), tensors)
    }

    fn barrier(&self) -> Result<()> {
        let call = Call::barrier();
        self.run(&call, &call.describe(), &[]).map(drop)
    }

    fn give_up(&self, reason: &str) {
        let error = Error::GaveUp { rank: self.rank, reason: reason.to_owned() };
        self.lock().fail(self.rank, &error);
    }
}
