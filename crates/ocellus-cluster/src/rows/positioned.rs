//! Reading and writing at a position, from several threads at once.

use std::{fs::File, io};

#[cfg(unix)]
pub(super) fn read_at(file: &File, bytes: &mut [u8], at: u64) -> io::Result<()> {
    std::os::unix::fs::FileExt::read_exact_at(file, bytes, at)
}

#[cfg(unix)]
pub(super) fn write_at(file: &File, bytes: &[u8], at: u64) -> io::Result<()> {
    std::os::unix::fs::FileExt::write_all_at(file, bytes, at)
}

#[cfg(windows)]
pub(super) fn read_at(file: &File, mut bytes: &mut [u8], mut at: u64) -> io::Result<()> {
    while !bytes.is_empty() {
        match std::os::windows::fs::FileExt::seek_read(file, bytes, at)? {
            0 => return Err(io::ErrorKind::UnexpectedEof.into()),
            count => {
                bytes = std::mem::take(&mut bytes).split_at_mut(count).1;
                at += count as u64;
            }
        }
    }
    Ok(())
}

#[cfg(windows)]
pub(super) fn write_at(file: &File, mut bytes: &[u8], mut at: u64) -> io::Result<()> {
    while !bytes.is_empty() {
        match std::os::windows::fs::FileExt::seek_write(file, bytes, at)? {
            0 => return Err(io::ErrorKind::WriteZero.into()),
            count => (bytes, at) = (&bytes[count..], at + count as u64),
        }
    }
    Ok(())
}

/// Reads `f32` values, the lowest byte first, that lie one after the other.
pub(super) fn read_values(file: &File, out: &mut [f32], at: u64) -> io::Result<()> {
    let mut bytes = vec![0; out.len() * 4];
    read_at(file, &mut bytes, at)?;
    for (value, bytes) in out.iter_mut().zip(bytes.as_chunks::<4>().0) {
        *value = f32::from_le_bytes(*bytes);
    }
    Ok(())
}

/// Reads some columns of rows that begin at `at` and are `columns` values long.
pub(super) fn read_part(
    file: &File,
    at: u64,
    columns: usize,
    (start, part): (usize, std::ops::Range<usize>),
    out: &mut [f32],
) -> io::Result<()> {
    let place = |row: usize| at + (row as u64 * columns as u64 + part.start as u64) * 4;
    if part.len() == columns {
        return read_values(file, out, place(start));
    }
    for (number, row) in out.chunks_exact_mut(part.len().max(1)).enumerate() {
        read_values(file, row, place(start + number))?;
    }
    Ok(())
}
