use std::{
    array,
    marker::PhantomData,
    sync::{Mutex, PoisonError},
};

use candle_core::{CpuStorage, InplaceOp1, Layout, Result, Storage, Tensor, Var, bail};
use rayon::prelude::*;

use crate::optim::{rule::Update, value::Entry};

/// Entries that one task moves. Fixed, so that a result never depends on the number of threads.
const CHUNK: usize = 1 << 14;

/// Moves `var` on the CPU in one pass over parameter, gradient and slots.
pub(crate) fn move_in_place<T, U, const N: usize>(
    var: &Var,
    grad: &Tensor,
    slots: &mut [Vec<T>; N],
    update: &U,
) -> Result<()>
where
    T: Entry,
    U: Update<N>,
{
    let grad = grad.contiguous()?;
    let (storage, layout) = grad.storage_and_layout();
    let (Storage::Cpu(storage), Some((from, to))) = (&*storage, layout.contiguous_offsets()) else {
        bail!("the gradient is on {:?}, the parameter on the CPU", grad.device())
    };
    let g = &T::cpu_storage_as_slice(storage)?[from..to];
    let write = |p: &mut [T]| move_entries(p, g, slots, update);
    var.inplace_op1(&Write(Mutex::new(Some(write)), PhantomData))
}

fn move_entries<T, U, const N: usize>(p: &mut [T], g: &[T], slots: &mut [Vec<T>; N], update: &U)
where
    T: Entry,
    U: Update<N>,
{
    let mut slots = slots.each_mut().map(|slot| slot.chunks_mut(CHUNK));
    let mut tasks: Vec<_> = p
        .chunks_mut(CHUNK)
        .zip(g.chunks(CHUNK))
        .map(|(p, g)| (p, g, slots.each_mut().map(Iterator::next)))
        .collect();
    if tasks.len() == 1 {
        tasks.drain(..).for_each(|(p, g, slots)| move_chunk(p, g, slots, update));
    } else {
        tasks.into_par_iter().for_each(|(p, g, slots)| move_chunk(p, g, slots, update));
    }
}

fn move_chunk<T, U, const N: usize>(p: &mut [T], g: &[T], slots: [Option<&mut [T]>; N], update: &U)
where
    T: Entry,
    U: Update<N>,
{
    const { assert!(N <= 3, "there is a loop for each set of three slots") };
    let used = slots.iter().rev().fold(0, |used, slot| 2 * used + usize::from(slot.is_some()));
    // A loop of its own for each set, which then is vector instructions without a branch.
    match used {
        0 => move_used::<T, U, N, 0>(p, g, slots, update),
        1 => move_used::<T, U, N, 1>(p, g, slots, update),
        2 => move_used::<T, U, N, 2>(p, g, slots, update),
        3 => move_used::<T, U, N, 3>(p, g, slots, update),
        4 => move_used::<T, U, N, 4>(p, g, slots, update),
        5 => move_used::<T, U, N, 5>(p, g, slots, update),
        6 => move_used::<T, U, N, 6>(p, g, slots, update),
        _ => move_used::<T, U, N, 7>(p, g, slots, update),
    }
}

/// The pass over memory, where bit n of `USED` says whether slot n is used.
fn move_used<T, U, const N: usize, const USED: usize>(
    p: &mut [T],
    g: &[T],
    slots: [Option<&mut [T]>; N],
    update: &U,
) where
    T: Entry,
    U: Update<N>,
{
    let used = |n: usize| USED >> n & 1 == 1;
    let len = p.len().min(g.len());
    let (p, g) = (&mut p[..len], &g[..len]);
    let mut slots = slots.into_iter().map(Option::unwrap_or_default);
    let slots: [&mut [T]; N] = array::from_fn(|n| {
        let slot = slots.next().unwrap_or_default();
        if used(n) { &mut slot[..len] } else { slot }
    });
    for i in 0..len {
        let state = array::from_fn(|n| if used(n) { slots[n][i] } else { T::zero() });
        let (moved, kept) = update.entry(p[i], g[i], state);
        p[i] = moved;
        for (n, value) in kept.into_iter().enumerate() {
            if used(n) {
                slots[n][i] = value;
            }
        }
    }
}

/// Runs a function once on the entries of a contiguous CPU tensor.
struct Write<T, F>(Mutex<Option<F>>, PhantomData<fn(T)>);

impl<T: Entry, F: FnOnce(&mut [T])> InplaceOp1 for Write<T, F> {
    fn name(&self) -> &'static str {
        "optimizer step"
    }

    fn cpu_fwd(&self, storage: &mut CpuStorage, layout: &Layout) -> Result<()> {
        let write = self.0.lock().unwrap_or_else(PoisonError::into_inner).take();
        match (layout.contiguous_offsets(), T::entries(storage), write) {
            (Some((from, to)), Some(entries), Some(write)) => write(&mut entries[from..to]),
            _ => bail!("a parameter must be contiguous and of {:?}", T::DTYPE),
        }
        Ok(())
    }
}
