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
    let len = p.len().min(g.len());
    let (p, g) = (&mut p[..len], &g[..len]);
    // An unused slot has no memory: it gets a chunk of zeros that is dropped afterwards.
    let mut spare: [Vec<T>; N] =
        array::from_fn(|n| if slots[n].is_some() { Vec::new() } else { vec![T::zero(); len] });
    let mut spare = spare.iter_mut();
    let mut slots = slots.map(|slot| match (slot, spare.next()) {
        (Some(slot), _) => &mut slot[..len],
        (None, Some(zeros)) => &mut zeros[..len],
        (None, None) => &mut [],
    });
    for i in 0..len {
        let (moved, kept) = update.entry(p[i], g[i], array::from_fn(|n| slots[n][i]));
        p[i] = moved;
        for (slot, value) in slots.iter_mut().zip(kept) {
            slot[i] = value;
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
