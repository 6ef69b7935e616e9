use std::{
    collections::BTreeMap,
    io::{Error as IoError, ErrorKind, Read, Seek, SeekFrom},
    path::Path,
};

use crate::Error;

/// Why a TIFF cannot be read.
#[derive(Debug)]
pub(crate) enum Fault {
    Io(IoError),
    Bad(String),
}

impl Fault {
    pub(crate) fn at(self, path: &Path) -> Error {
        match self {
            Self::Io(error) if error.kind() == ErrorKind::UnexpectedEof => {
                Error::decode(path, "the TIFF is cut off; copy the file anew")
            }
            Self::Io(error) => Error::io(path)(error),
            Self::Bad(reason) => Error::decode(path, reason),
        }
    }
}

impl From<IoError> for Fault {
    fn from(error: IoError) -> Self {
        Self::Io(error)
    }
}

impl From<String> for Fault {
    fn from(reason: String) -> Self {
        Self::Bad(reason)
    }
}

impl From<&str> for Fault {
    fn from(reason: &str) -> Self {
        Self::Bad(reason.to_owned())
    }
}

/// A file with a byte order.
#[derive(Debug)]
pub(crate) struct Source<R> {
    reader: R,
    len: u64,
    pub(crate) big_endian: bool,
    big_tiff: bool,
}

/// The first image's tags.
#[derive(Debug)]
pub(crate) struct Directory(BTreeMap<u16, Entry>);

#[derive(Clone, Copy, Debug)]
struct Entry {
    kind: u16,
    count: u64,
    /// The value if it fits, else where it lies.
    field: [u8; 8],
}

impl Entry {
    /// Bytes of one value, or `None` if the specification knows no such type.
    fn size(self) -> Option<u64> {
        match self.kind {
            1 | 2 | 6 | 7 => Some(1),
            3 | 8 => Some(2),
            4 | 9 | 11 | 13 => Some(4),
            5 | 10 | 12 | 16..=18 => Some(8),
            _ => None,
        }
    }
}

impl<R: Read + Seek> Source<R> {
    /// Reads the header and the first directory.
    pub(crate) fn open(mut reader: R) -> Result<(Self, Directory), Fault> {
        let len = reader.seek(SeekFrom::End(0))?;
        let mut source = Self { reader, len, big_endian: false, big_tiff: false };
        let mut head = [0; 16];
        let head = &mut head[..len.min(16) as usize];
        source.read_at(0, head)?;
        source.big_endian = match head.get(..2) {
            Some(b"II") => false,
            Some(b"MM") => true,
            _ => return Err("no TIFF: it does not begin with II or MM".into()),
        };
        if head.len() < 8 {
            return Err(IoError::from(ErrorKind::UnexpectedEof).into());
        }
        let first = match source.number(&head[2..4]) {
            42 => source.number(&head[4..8]),
            43 if head.len() == 16 && source.number(&head[4..8]) == source.number_of(8) => {
                source.big_tiff = true;
                source.number(&head[8..16])
            }
            version => return Err(format!("no TIFF: version {version} instead of 42 or 43").into()),
        };
        let directory = source.directory(first)?;
        Ok((source, directory))
    }

    /// BigTIFF's bytes 4 to 8: the size of an offset, and 0, as one number in the file's order.
    fn number_of(&self, offset_size: u64) -> u64 {
        if self.big_endian { offset_size << 16 } else { offset_size }
    }

    pub(crate) fn len(&self) -> u64 {
        self.len
    }

    /// An unsigned number of up to 8 bytes in the file's order.
    fn number(&self, bytes: &[u8]) -> u64 {
        let join = |n: u64, &byte: &u8| n << 8 | u64::from(byte);
        match self.big_endian {
            true => bytes.iter().fold(0, join),
            false => bytes.iter().rev().fold(0, join),
        }
    }

    pub(crate) fn read_at(&mut self, offset: u64, bytes: &mut [u8]) -> Result<(), Fault> {
        self.reader.seek(SeekFrom::Start(offset))?;
        Ok(self.reader.read_exact(bytes)?)
    }

    /// Reads so many bytes, which are allocated only if the file has them.
    pub(crate) fn bytes_at(&mut self, offset: u64, count: u64) -> Result<Vec<u8>, Fault> {
        if offset.checked_add(count).is_none_or(|end| end > self.len) {
            return Err(IoError::from(ErrorKind::UnexpectedEof).into());
        }
        let mut bytes = vec![0; count as usize];
        self.read_at(offset, &mut bytes)?;
        Ok(bytes)
    }

    fn directory(&mut self, at: u64) -> Result<Directory, Fault> {
        let (count_size, entry_size) = if self.big_tiff { (8, 20) } else { (2, 12) };
        let count = self.bytes_at(at, count_size)?;
        let count = self.number(&count);
        if count > u64::from(u16::MAX) {
            return Err(format!("damaged: a directory of {count} tags").into());
        }
        let bytes = self.bytes_at(at + count_size, count * entry_size)?;
        let entry = |bytes: &[u8]| {
            let mut field = [0; 8];
            let (count, value) = bytes[4..].split_at(if self.big_tiff { 8 } else { 4 });
            field[..value.len()].copy_from_slice(value);
            let kind = self.number(&bytes[2..4]) as u16;
            (self.number(&bytes[..2]) as u16, Entry { kind, count: self.number(count), field })
        };
        Ok(Directory(bytes.chunks_exact(entry_size as usize).map(entry).collect()))
    }

    /// The raw bytes of a tag's values.
    fn raw(&mut self, directory: &Directory, tag: u16) -> Result<Option<(Entry, Vec<u8>)>, Fault> {
        let Some(&entry) = directory.0.get(&tag) else {
            return Ok(None);
        };
        let bytes = entry.size().and_then(|size| size.checked_mul(entry.count));
        let Some(bytes) = bytes else {
            return Err(format!(
                "damaged: tag {tag} has {} values of type {}",
                entry.count, entry.kind
            )
            .into());
        };
        let inline = if self.big_tiff { 8 } else { 4 };
        if bytes <= inline {
            return Ok(Some((entry, entry.field[..bytes as usize].to_vec())));
        }
        let offset = self.number(&entry.field[..inline as usize]);
        Ok(Some((entry, self.bytes_at(offset, bytes)?)))
    }

    /// The values of a tag of whole numbers.
    pub(crate) fn numbers(
        &mut self,
        directory: &Directory,
        tag: u16,
    ) -> Result<Option<Vec<u64>>, Fault> {
        let Some((entry, bytes)) = self.raw(directory, tag)? else {
            return Ok(None);
        };
        match entry.kind {
            1 | 3 | 4 | 7 | 13 | 16 | 18 => {
                let size = entry.size().unwrap_or(1) as usize;
                Ok(Some(bytes.chunks_exact(size).map(|bytes| self.number(bytes)).collect()))
            }
            kind => Err(format!("damaged: tag {tag} is of type {kind}, not whole numbers").into()),
        }
    }

    /// The only value of a tag of whole numbers.
    pub(crate) fn value(&mut self, directory: &Directory, tag: u16) -> Result<Option<u64>, Fault> {
        Ok(self.numbers(directory, tag)?.and_then(|values| values.first().copied()))
    }

    /// The values of a tag of doubles.
    pub(crate) fn doubles(&mut self, directory: &Directory, tag: u16) -> Result<Vec<f64>, Fault> {
        match self.raw(directory, tag)? {
            Some((Entry { kind: super::tag::DOUBLE, .. }, bytes)) => {
                Ok(bytes.chunks_exact(8).map(|b| f64::from_bits(self.number(b))).collect())
            }
            _ => Ok(Vec::new()),
        }
    }

    /// The bytes of a tag of text or of undefined type.
    pub(crate) fn text(&mut self, directory: &Directory, tag: u16) -> Result<Vec<u8>, Fault> {
        match self.raw(directory, tag)? {
            Some((Entry { kind: 1 | super::tag::ASCII | 7, .. }, bytes)) => Ok(bytes),
            _ => Ok(Vec::new()),
        }
    }
}
