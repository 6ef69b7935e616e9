//! What the tests of all communicators share.

use std::{sync::Arc, thread, time::Duration};

use candle_core::{DType, Device, Tensor};
use ocellus_testing::fill;

use crate::{Error, ProcessGroup, Ranks, Result, TcpCommunicator, TcpConfig, ThreadCommunicator};

/// What `work` gives on each rank, all of which are threads.
pub(crate) fn on_ranks<T: Send>(
    size: usize,
    work: impl Fn(ProcessGroup) -> Result<T> + Sync,
) -> Vec<Result<T>> {
    let ranks = ThreadCommunicator::group(size).unwrap();
    on(ranks.into_iter().map(ProcessGroup::new).collect(), &work)
}

pub(crate) fn on<T: Send>(
    ranks: Vec<ProcessGroup>,
    work: &(impl Fn(ProcessGroup) -> Result<T> + Sync),
) -> Vec<Result<T>> {
    thread::scope(|scope| {
        let threads: Vec<_> = ranks.into_iter().map(|rank| scope.spawn(|| work(rank))).collect();
        threads.into_iter().map(|thread| thread.join().unwrap()).collect()
    })
}

/// The ranks of a program, connected on a free port.
pub(crate) fn tcp(size: usize, config: TcpConfig) -> Vec<ProcessGroup> {
    let port = free_port();
    let connect =
        |rank| TcpCommunicator::connect(&Ranks::new(rank, size, "127.0.0.1", port), &config);
    thread::scope(|scope| {
        let threads: Vec<_> = (0..size).map(|rank| scope.spawn(move || connect(rank))).collect();
        threads.into_iter().map(|t| ProcessGroup::new(t.join().unwrap().unwrap())).collect()
    })
}

pub(crate) fn free_port() -> u16 {
    std::net::TcpListener::bind(("127.0.0.1", 0)).unwrap().local_addr().unwrap().port()
}

const TIMEOUT: Duration = Duration::from_secs(20);

/// Groups of each kind whose ranks are in one process.
fn groups(size: usize) -> [Vec<ProcessGroup>; 2] {
    let threads = ThreadCommunicator::group_with_timeout(size, TIMEOUT).unwrap();
    [
        threads.into_iter().map(ProcessGroup::new).collect(),
        tcp(size, TcpConfig::default().with_timeout(TIMEOUT)),
    ]
}

fn bits(x: &Tensor) -> Vec<u64> {
    let x = x.to_dtype(DType::F64).unwrap().flatten_all().unwrap();
    x.to_vec1::<f64>().unwrap().into_iter().map(f64::to_bits).collect()
}

#[test]
fn sums_are_those_of_the_ranks_in_order_with_the_same_bits_on_all() {
    for size in [1, 2, 3, 5] {
        for ranks in groups(size) {
            let kind = format!("{:?}", ranks[0]);
            let own = |rank: usize| -> Result<Vec<Tensor>> {
                let phase = rank as f64;
                Ok(vec![
                    // More than one piece.
                    fill((700, 101), phase, DType::F32)?,
                    fill((3, 5), phase, DType::F64)?.t()?,
                    fill(7, phase, DType::BF16)?,
                    fill((), phase, DType::F16)?,
                    Tensor::zeros((0, 3), DType::F32, &Device::Cpu)?,
                ])
            };
            let sums = on(ranks, &|group| {
                let first = group.all_reduce_sum(&own(group.rank())?)?;
                group.barrier()?;
                let second = group.all_reduce_sum(&own(group.rank())?)?;
                Ok((first, second))
            });
            let all: Vec<_> = sums.into_iter().map(Result::unwrap).collect();
            for (i, first) in own(0).unwrap().iter().enumerate() {
                let mut expected = first.to_dtype(DType::F64).unwrap();
                for rank in 1..size {
                    let other = own(rank).unwrap()[i].to_dtype(DType::F64).unwrap();
                    expected = (expected + other).unwrap();
                }
                let expected = expected.to_dtype(first.dtype()).unwrap();
                for (one, other) in &all {
                    assert_eq!(one[i].dims(), first.dims(), "{kind}");
                    assert_eq!(one[i].dtype(), first.dtype());
                    assert_eq!(bits(&one[i]), bits(&expected), "{kind}, tensor {i}");
                    assert_eq!(bits(&other[i]), bits(&expected));
                }
            }
        }
    }
}

#[test]
fn every_rank_can_be_the_root() {
    for ranks in groups(3) {
        let got = on(ranks, &|group| {
            let mut got = Vec::new();
            for root in 0..3 {
                let own = fill((4, 3), group.rank() as f64, DType::F64)?;
                let number = Tensor::new(&[group.rank() as u32, 9], &Device::Cpu)?;
                let all = group.broadcast(&[own, number], root)?;
                got.push((bits(&all[0]), all[1].to_vec1::<u32>()?));
            }
            Ok(got)
        });
        for rank in got {
            for (root, (values, number)) in rank.unwrap().into_iter().enumerate() {
                assert_eq!(values, bits(&fill((4, 3), root as f64, DType::F64).unwrap()));
                assert_eq!(number, [root as u32, 9]);
            }
        }
    }
}

#[test]
fn different_operations_are_an_error_on_all_ranks() {
    for ranks in groups(3) {
        let errors = on(ranks, &|group| {
            let x = fill((2, 2 + usize::from(group.rank() == 2)), 0., DType::F32)?;
            group.all_reduce_sum(&[x]).map(drop)
        });
        for error in errors {
            let error = error.unwrap_err().to_string();
            assert!(error.contains("do different things"), "{error}");
            assert!(error.contains("[2, 2] of F32") && error.contains("[2, 3] of F32"), "{error}");
        }
    }
    for ranks in groups(2) {
        let errors = on(ranks, &|group| match group.rank() {
            0 => group.barrier(),
            _ => group.broadcast(&[Tensor::zeros(1, DType::F32, &Device::Cpu)?], 1).map(drop),
        });
        for error in errors {
            let error = error.unwrap_err().to_string();
            assert!(
                error.contains("`barrier`") && error.contains("broadcast from rank 1"),
                "{error}"
            );
        }
    }
}

#[test]
fn a_rank_that_ends_is_an_error_of_the_others_and_no_hang() {
    for gone in 0..3 {
        for ranks in groups(3) {
            let errors = on(ranks, &|group| {
                group.barrier()?;
                if group.rank() == gone {
                    return Ok(()); // And is dropped.
                }
                group.barrier()
            });
            for (rank, error) in errors.into_iter().enumerate() {
                if rank == gone {
                    continue;
                }
                let error = error.unwrap_err().to_string();
                assert!(error.contains(&format!("rank {gone} is lost")), "rank {rank}: {error}");
            }
        }
    }
}

#[test]
fn a_reason_reaches_all_ranks() {
    for gone in 0..3 {
        for ranks in groups(3) {
            let errors = on(ranks, &|group| {
                if group.rank() == gone {
                    group.give_up("img_7.png is no image");
                    return Err(Error::Setting("own".to_owned()));
                }
                // Much of it, so that sending meets a full connection.
                group.all_reduce_sum(&[fill((3000, 1000), 0., DType::F32)?]).map(drop)
            });
            for (rank, error) in errors.into_iter().enumerate() {
                let error = error.unwrap_err().to_string();
                let expected = match rank == gone {
                    true => "own".to_owned(),
                    false => format!("rank {gone} gave up: img_7.png is no image"),
                };
                assert_eq!(error, expected, "rank {rank}");
            }
        }
    }
}

#[test]
fn a_rank_that_does_not_come_is_an_error_in_time() {
    let timeout = Duration::from_millis(200);
    let threads = ThreadCommunicator::group_with_timeout(2, timeout).unwrap();
    let threads = threads.into_iter().map(ProcessGroup::new).collect();
    for ranks in [threads, tcp(2, TcpConfig::default().with_timeout(timeout))] {
        let done = Arc::new(std::sync::Barrier::new(2));
        let errors = on(ranks, &|group| {
            let outcome = if group.rank() == 1 { Ok(()) } else { group.barrier() };
            done.wait();
            outcome
        });
        let error = errors[0].as_ref().unwrap_err().to_string();
        assert!(error.contains("rank 1 is lost") && error.contains("within 200ms"), "{error}");
    }
}

#[test]
fn a_broken_group_stays_so() {
    for ranks in groups(2) {
        let errors = on(ranks, &|group| {
            if group.rank() == 1 {
                group.give_up("no more");
            }
            let first = group.barrier().unwrap_err().to_string();
            let second = group.barrier().unwrap_err().to_string();
            Ok((first, second))
        });
        for error in errors {
            let (first, second) = error.unwrap();
            assert!(first.contains("no more") && second.contains("no more"), "{first}; {second}");
        }
    }
}

#[test]
fn there_is_no_root_beyond_the_ranks() {
    for ranks in groups(2) {
        let errors = on(ranks, &|group| group.broadcast(&[], 2).map(drop));
        for error in errors {
            assert!(error.unwrap_err().to_string().contains("from rank 2 of 2"));
        }
    }
}
