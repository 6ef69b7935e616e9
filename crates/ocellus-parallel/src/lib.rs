//! Data parallelism for candle: ranks that are processes or threads, sums over them that are the same
//! bits on all, and NCCL between GPUs.
//!
//! ```
//! use candle_core::{Device, Tensor, Var};
//! use ocellus_parallel::{ProcessGroup, ThreadCommunicator, all_reduce_sum};
//!
//! let work = |group: ProcessGroup| -> candle_core::Result<Vec<f64>> {
//!     let x = Var::new(&[1f64 + group.rank() as f64], &Device::Cpu)?;
//!     let sum = all_reduce_sum(x.as_tensor(), &group)?; // 1 + 2, on both ranks.
//!     let gradients = (sum * x.as_tensor())?.sum_all()?.backward()?;
//!     gradients.get(&x).unwrap().to_vec1() // Σ_r x_r, and the sum itself.
//! };
//! let ranks = ThreadCommunicator::group(2)?;
//! std::thread::scope(|scope| {
//!     let threads: Vec<_> = ranks.into_iter().map(|rank| scope.spawn(|| work(rank.into()))).collect();
//!     for thread in threads {
//!         assert_eq!(thread.join().unwrap().unwrap(), [6.]);
//!     }
//! });
//! # Ok::<(), ocellus_parallel::Error>(())
//! ```
//!
//! | Item | What it is |
//! | --- | --- |
//! | [`ProcessGroup`] | the ranks that work on one thing: a handle to their communicator |
//! | [`Communicator`] | sums, values of one rank for all, waiting for each other |
//! | [`Alone`], [`ThreadCommunicator`], [`TcpCommunicator`] ([`TcpConfig`]) | one rank; threads, for tests; processes on one machine or on several |
//! | [`all_reduce_sum()`] | the sum over ranks, with its gradient |
//! | [`synchronized`], [`current_group`] | statistics of batches over all ranks |
//! | [`Ranks`], [`connect`] | which rank a process is, as `torchrun` says; its group |
//! | [`launch()`], [`Launch`], [`end_with_launcher`] | a program that starts itself as several processes |
//! | [`Error`](enum@Error) | what can go wrong |
//!
//! `ocellus_train::fit` takes a group (`FitConfig::with_group`), `ocellus_layers::BatchNorm2d` the
//! statistics of all ranks, `ocellus_layers::Dropout` a rank's part of the mask of all, `ocellus_data::Loader`
//! its share of each batch: the results are those of one process at the same batch.
//!
//! # Features
//!
//! `nccl` adds `NcclCommunicator`, between GPUs, by NVIDIA's library of that name; it turns `cuda` on. `accelerate`,
//! `cuda`, `cudnn`, `metal` and `mkl` are candle's.

mod call;
mod communicator;
mod connect;
mod error;
mod group;
mod launch;
#[cfg(feature = "nccl")]
mod nccl;
mod ranks;
mod raw;
mod scope;
mod sum;
mod tcp;
#[cfg(test)]
mod testing;
mod thread;

pub use communicator::{Alone, Communicator};
pub use connect::connect;
pub use error::{Error, Result};
pub use group::ProcessGroup;
pub use launch::{Launch, end_with_launcher, launch};
#[cfg(feature = "nccl")]
pub use nccl::NcclCommunicator;
pub use ranks::Ranks;
pub use scope::{current_group, synchronized};
pub use sum::all_reduce_sum;
pub use tcp::{TcpCommunicator, TcpConfig};
pub use thread::ThreadCommunicator;
