//! Maxima of windows, and means of planes.

use std::ops::Range;

use candle_core::{DType, Result, Tensor, bail};

use super::launch::{BLOCK, Divisor, Grid};
use super::machine::{Kernel, Machine, Output, launch};
use super::source::Family;
use super::table::Table;
use super::unary::OnGpu;
use crate::pool::{GlobalAvgPool, MaxPool, Windows};

fn kernel(name: &'static str) -> Kernel {
    Kernel::of(Family::Pool, name)
}

/// Start and length of each window.
fn spans(windows: &Windows) -> Table {
    Table::Integers(windows.spans.iter().flat_map(|s| [s.start as u32, s.len as u32]).collect())
}

/// Of each element of the axis the first window that holds it, and how many follow up to the last one
/// that does; there may be others between.
fn covers(windows: &Windows, size: usize) -> Table {
    let mut ranges = vec![0..0; size];
    for (window, span) in windows.spans.iter().enumerate() {
        for element in (0..span.len).map(|k| span.start + k * windows.dilation) {
            let range: &mut Range<usize> = &mut ranges[element];
            *range = if range.end == 0 { window } else { range.start }..window + 1;
        }
    }
    Table::Integers(ranges.iter().flat_map(|r| [r.start as u32, r.len() as u32]).collect())
}

/// How offsets in windows are kept, if they are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kept {
    Nothing,
    Bytes,
    Words,
}

impl Kept {
    /// For windows of so many elements at most.
    fn of(tracks: bool, largest: usize) -> Result<Self> {
        match largest {
            _ if !tracks => Ok(Self::Nothing),
            0..=256 => Ok(Self::Bytes),
            _ if largest <= u32::MAX as usize => Ok(Self::Words),
            _ => {
                bail!("max_pool2d: a window has {largest} elements, more than 2³²: make it smaller")
            }
        }
    }

    fn dtype(self) -> DType {
        if self == Self::Words { DType::U32 } else { DType::U8 }
    }
}

impl OnGpu for MaxPool {
    const HAS_KERNEL: bool = true;

    fn gpu_forward(&self, machine: &Machine, x: &Tensor) -> Result<Output> {
        let (batch, channels, height, width) = x.dims4()?;
        let (rows, columns, pitch) = (self.rows.len(), self.columns.len(), self.columns.largest());
        let kept = Kept::of(self.tracks, self.rows.largest() * pitch)?;
        let shape = (batch, channels, rows, columns);
        let mut y = machine.output(shape, x.dtype())?;
        let count = y.shape.elem_count();
        let offsets = if kept == Kept::Nothing { 1 } else { count };
        let mut offsets = machine.output(offsets, kept.dtype())?;
        let name = match kept {
            Kept::Nothing => "max_forward",
            Kept::Bytes => "max_forward_bytes",
            Kept::Words => "max_forward_words",
        };
        let (row_spans, column_spans) =
            (spans(&self.rows).beside(x)?, spans(&self.columns).beside(x)?);
        launch!(
            machine,
            kernel(name),
            x.dtype(),
            Grid::elements(count),
            [
                x,
                &row_spans,
                &column_spans,
                &mut y,
                &mut offsets,
                count,
                height,
                width,
                Divisor(rows),
                Divisor(columns),
                self.rows.dilation * width,
                self.columns.dilation,
                pitch,
            ]
        )?;
        if kept != Kept::Nothing {
            let _ = self.offsets.set(offsets.tensor());
        }
        Ok(y)
    }

    fn gpu_backward(
        &self,
        machine: &Machine,
        x: &Tensor,
        _: &Tensor,
        g: &Tensor,
    ) -> Result<Output> {
        let (_, _, height, width) = x.dims4()?;
        let Some(offsets) = self.offsets.get() else {
            bail!("max_pool2d: backward before forward")
        };
        let mut dx = machine.output(x.shape(), x.dtype())?;
        let count = x.elem_count();
        let name = match offsets.dtype() {
            DType::U8 => "max_backward_bytes",
            _ => "max_backward_words",
        };
        let (row_spans, column_spans) =
            (spans(&self.rows).beside(x)?, spans(&self.columns).beside(x)?);
        let row_covers = covers(&self.rows, height).beside(x)?;
        let column_covers = covers(&self.columns, width).beside(x)?;
        launch!(
            machine,
            kernel(name),
            x.dtype(),
            Grid::elements(count),
            [
                g,
                offsets,
                &row_spans,
                &column_spans,
                &row_covers,
                &column_covers,
                &mut dx,
                count,
                Divisor(height),
                Divisor(width),
                self.rows.len(),
                self.columns.len(),
                self.rows.dilation,
                self.columns.dilation,
                self.columns.largest(),
            ]
        )?;
        Ok(dx)
    }
}

impl OnGpu for GlobalAvgPool {
    const HAS_KERNEL: bool = true;

    fn gpu_forward(&self, machine: &Machine, x: &Tensor) -> Result<Output> {
        let (batch, channels, height, width) = x.dims4()?;
        let (planes, size) = (batch * channels, height * width);
        let mut y = machine.output((batch, channels, 1, 1), x.dtype())?;
        let lanes = super::launch::lanes(size);
        let grid = Grid::blocks_up_to(planes.div_ceil(BLOCK / lanes));
        launch!(machine, kernel("plane_means"), x.dtype(), grid, [x, &mut y, planes, size, lanes])?;
        Ok(y)
    }

    fn gpu_backward(
        &self,
        machine: &Machine,
        x: &Tensor,
        _: &Tensor,
        g: &Tensor,
    ) -> Result<Output> {
        let (_, _, height, width) = x.dims4()?;
        let mut dx = machine.output(x.shape(), x.dtype())?;
        let count = x.elem_count();
        let grid = Grid::elements(count);
        let size = Divisor(height * width);
        launch!(
            machine,
            kernel("plane_means_backward"),
            x.dtype(),
            grid,
            [g, &mut dx, count, size]
        )?;
        Ok(dx)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pool::Span;

    /// The windows that hold each element, by looking at all.
    fn check(windows: &Windows, size: usize) {
        let Table::Integers(entries) = covers(windows, size) else { panic!("integers") };
        for (at, entry) in entries.chunks(2).enumerate() {
            let range = entry[0]..entry[0] + entry[1];
            for (i, span) in windows.spans.iter().enumerate() {
                let holds = (0..span.len).any(|k| span.start + k * windows.dilation == at);
                assert!(
                    !holds || range.contains(&(i as u32)),
                    "{at} in {span:?}, not in {range:?}"
                );
            }
        }
    }

    #[test]
    fn the_windows_of_an_element_are_found() {
        let span = |start, len| Span { start, len, divisor: len };
        for dilation in [1, 2] {
            let spans = vec![span(0, 2), span(1, 3), span(3, 3), span(5, 2)];
            check(&Windows { spans, dilation }, 9);
        }
        // The first windows of dilated ones start further on: what they skip lies in the padding.
        check(&Windows { spans: vec![span(2, 2), span(0, 3), span(1, 2)], dilation: 3 }, 7);
        for (size, bins) in [(7, 3), (2, 5), (9, 9), (5, 1)] {
            check(&Windows::adaptive(size, bins), size);
        }
    }

    #[test]
    fn offsets_are_kept_as_small_as_they_fit() {
        let kept = |tracks, largest| Kept::of(tracks, largest).unwrap();
        assert_eq!(kept(false, 9), Kept::Nothing);
        assert_eq!((kept(true, 256), kept(true, 257)), (Kept::Bytes, Kept::Words));
        assert!(Kept::of(true, 1 << 33).is_err());
    }
}
