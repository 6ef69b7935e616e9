//! Sums of products of a panel of rows with queries.

use crate::GROUP;
use crate::rows::{LANES, Line, PANEL, VECTORS};

/// Whether there is more than the portable way.
pub(crate) fn is_fast() -> bool {
    #[cfg(target_arch = "x86_64")]
    return std::arch::is_x86_feature_detected!("avx512vnni")
        && std::arch::is_x86_feature_detected!("avx512f");
    #[cfg(not(target_arch = "x86_64"))]
    false
}

/// Adds the products of a panel's lines and queries, which fill whole groups.
pub(crate) fn add_products(lines: &[Line], queries: &[i8], products: &mut [i32]) {
    #[cfg(target_arch = "x86_64")]
    if is_fast() {
        return avx512::add_products(lines, queries, products);
    }
    portable(lines, queries, products);
}

pub(crate) fn portable(lines: &[Line], queries: &[i8], products: &mut [i32]) {
    let width = lines.len() / VECTORS * GROUP;
    for (query, products) in queries.chunks_exact(width).zip(products.as_chunks_mut::<PANEL>().0) {
        let vectors = lines.as_chunks::<VECTORS>().0;
        for (vectors, query) in vectors.iter().zip(query.as_chunks::<GROUP>().0) {
            for (Line(line), sums) in vectors.iter().zip(products.as_chunks_mut::<LANES>().0) {
                for (row, sum) in line.as_chunks::<GROUP>().0.iter().zip(sums) {
                    for (&row, &query) in row.iter().zip(query) {
                        *sum += i32::from(row) * i32::from(query);
                    }
                }
            }
        }
    }
}

#[cfg(target_arch = "x86_64")]
mod avx512 {
    #![allow(unsafe_code, reason = "instructions that the processor is known to have, and loads")]

    use std::arch::x86_64::{
        __m512i, _mm512_dpbusd_epi32, _mm512_load_si512, _mm512_loadu_si512, _mm512_set1_epi32,
        _mm512_storeu_si512,
    };

    use crate::GROUP;
    use crate::rows::{LANES, Line, PANEL, VECTORS};

    /// Groups of columns that are added up before the next query: their lines stay in the nearest cache.
    const DEPTH: usize = 128;
    /// Queries at once: with three vectors each, most registers hold sums.
    const QUERIES: usize = 8;

    /// To be called where [`is_fast`](super::is_fast) says so.
    pub(super) fn add_products(lines: &[Line], queries: &[i8], products: &mut [i32]) {
        let groups = lines.len() / VECTORS;
        for start in (0..groups).step_by(DEPTH) {
            let depth = DEPTH.min(groups - start);
            let lines = &lines[start * VECTORS..][..depth * VECTORS];
            let range = start * GROUP..(start + depth) * GROUP;
            let width = groups * GROUP;
            let (mut queries, mut products) = (
                queries.chunks_exact(QUERIES * width),
                products.as_chunks_mut::<PANEL>().0.chunks_exact_mut(QUERIES),
            );
            for (queries, products) in queries.by_ref().zip(products.by_ref()) {
                let queries: [&[i8]; QUERIES] =
                    std::array::from_fn(|i| &queries[i * width..][range.clone()]);
                // SAFETY: `is_fast` has looked for the instructions.
                unsafe { add_block(lines, queries, products) }
            }
            let rest = queries.remainder().chunks_exact(width);
            for (query, products) in rest.zip(products.into_remainder().chunks_mut(1)) {
                // SAFETY: as above.
                unsafe { add_block(lines, [&query[range.clone()]], products) }
            }
        }
    }

    #[target_feature(enable = "avx512f,avx512vnni")]
    fn add_block<const N: usize>(
        lines: &[Line],
        queries: [&[i8]; N],
        products: &mut [[i32; PANEL]],
    ) {
        let lines = lines.as_chunks::<VECTORS>().0;
        let queries = queries.map(|query| &query.as_chunks::<GROUP>().0[..lines.len()]);
        let products = &mut products[..N];
        let mut sums = [[_mm512_set1_epi32(0); VECTORS]; N];
        for (sums, products) in sums.iter_mut().zip(&*products) {
            for (sum, lanes) in sums.iter_mut().zip(products.as_chunks::<LANES>().0) {
                // SAFETY: 16 numbers of 32 bits.
                *sum = unsafe { _mm512_loadu_si512(lanes.as_ptr().cast()) };
            }
        }
        for (k, vectors) in lines.iter().enumerate() {
            // SAFETY: a line has 64 bytes and is aligned to them.
            let load = |line: &Line| -> __m512i {
                unsafe { _mm512_load_si512(std::ptr::from_ref(line).cast()) }
            };
            let rows = [load(&vectors[0]), load(&vectors[1]), load(&vectors[2])];
            for (sums, query) in sums.iter_mut().zip(&queries) {
                let four = _mm512_set1_epi32(i32::from_ne_bytes(query[k].map(i8::cast_unsigned)));
                for (sum, row) in sums.iter_mut().zip(rows) {
                    *sum = _mm512_dpbusd_epi32(*sum, row, four);
                }
            }
        }
        for (sums, products) in sums.iter().zip(products) {
            for (sum, lanes) in sums.iter().zip(products.as_chunks_mut::<LANES>().0) {
                // SAFETY: as above.
                unsafe { _mm512_storeu_si512(lanes.as_mut_ptr().cast(), *sum) }
            }
        }
    }
}
