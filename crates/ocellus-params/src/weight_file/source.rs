use std::{
    fs::File,
    io::{Read, Seek, SeekFrom},
    path::Path,
    sync::{Arc, Mutex, PoisonError},
};

use candle_core::Tensor;

use crate::{Error, Result, element::Element};

/// An open file whose length bounds everything that is read from it.
#[derive(Clone, Debug)]
pub(crate) struct Source {
    path: Arc<Path>,
    file: Arc<Mutex<File>>,
    length: u64,
}

/// Where the values of a tensor lie.
#[derive(Clone, Debug)]
pub(crate) struct Values {
    pub(crate) element: Element,
    pub(crate) shape: Vec<usize>,
    /// Steps between neighbors, in values.
    pub(crate) strides: Vec<usize>,
    /// The first byte of the block of values.
    pub(crate) block: u64,
    /// The length of the block in bytes.
    pub(crate) block_length: u64,
    /// The first value of the tensor in its block.
    pub(crate) offset: u64,
}

impl Source {
    pub(crate) fn open(path: &Path) -> Result<Self> {
        let io = |source| Error::Io { action: "open", path: path.to_path_buf(), source };
        let file = File::open(path).map_err(io)?;
        let about = file.metadata().map_err(io)?;
        if about.is_dir() {
            return Err(io(std::io::Error::new(
                std::io::ErrorKind::IsADirectory,
                "it is a folder: name the file in it",
            )));
        }
        Ok(Self { path: path.into(), file: Arc::new(Mutex::new(file)), length: about.len() })
    }

    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    pub(crate) fn length(&self) -> u64 {
        self.length
    }

    pub(crate) fn damaged(&self, offset: u64, what: impl Into<String>) -> Error {
        Error::Damaged { path: self.path.to_path_buf(), offset, what: what.into() }
    }

    pub(crate) fn unsupported(&self, what: impl Into<String>, remedy: &'static str) -> Error {
        Error::Unsupported { path: self.path.to_path_buf(), what: what.into(), remedy }
    }

    /// Reads `count` bytes from byte `start`; allocates them only if the file has them.
    pub(crate) fn read(&self, start: u64, count: u64) -> Result<Vec<u8>> {
        if start.checked_add(count).is_none_or(|end| end > self.length) {
            let what = format!(
                "{count} bytes should follow, but the file ends at byte {}: it is cut short",
                self.length
            );
            return Err(self.damaged(start, what));
        }
        let count = usize::try_from(count)
            .map_err(|_| self.damaged(start, format!("{count} bytes do not fit in memory")))?;
        let mut bytes = vec![0; count];
        let io = |source| Error::Io { action: "read", path: self.path.to_path_buf(), source };
        self.with_file(|file| {
            file.seek(SeekFrom::Start(start))?;
            file.read_exact(&mut bytes)
        })
        .map_err(io)?;
        Ok(bytes)
    }

    /// Lends the file itself, at an unknown position.
    pub(crate) fn with_file<T>(&self, f: impl FnOnce(&mut File) -> T) -> T {
        f(&mut self.file.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Whether all values lie in their block, and the tensor is no larger than the file.
    pub(crate) fn check(&self, name: &str, values: &Values) -> Result<()> {
        let wrong = |what: String| Err(self.damaged(values.block, format!("`{name}` {what}")));
        let size = values.element.size() as u64;
        let Some(count) = values.count() else {
            return wrong(format!("has an impossible shape {:?}", values.shape));
        };
        if count.checked_mul(size).is_none_or(|bytes| bytes > self.length) {
            return wrong(format!("of shape {:?} is larger than the file", values.shape));
        }
        let end = values.span().and_then(|span| span.checked_add(values.offset));
        let end = end.and_then(|end| end.checked_mul(size));
        if count > 0 && end.is_none_or(|end| end > values.block_length) {
            return wrong(format!(
                "of shape {:?} reaches beyond its {} bytes",
                values.shape, values.block_length
            ));
        }
        Ok(())
    }

    pub(crate) fn tensor(&self, values: &Values) -> Result<Tensor> {
        let (size, count) = (values.element.size(), values.count().unwrap_or(0));
        if count == 0 {
            return Ok(values.element.tensor(&[], &values.shape)?);
        }
        let start = values.block + values.offset * size as u64;
        if values.is_contiguous() {
            let bytes = self.read(start, count * size as u64)?;
            return Ok(values.element.tensor(&bytes, &values.shape)?);
        }
        let span = values.span().unwrap_or(0);
        let bytes = self.read(start, span * size as u64)?;
        let mut gathered = Vec::with_capacity(count as usize * size);
        for index in values.indices() {
            gathered.extend_from_slice(&bytes[index * size..(index + 1) * size]);
        }
        Ok(values.element.tensor(&gathered, &values.shape)?)
    }
}

impl Values {
    /// The first byte of the values, if they lie one after the other as they are read.
    pub(crate) fn position(&self) -> Option<u64> {
        let start = self.offset.checked_mul(self.element.size() as u64)?;
        let plain = self.is_contiguous() && !self.element.is_widened();
        plain.then(|| self.block.checked_add(start)).flatten()
    }

    /// The number of values.
    fn count(&self) -> Option<u64> {
        self.shape.iter().try_fold(1u64, |count, &size| count.checked_mul(size as u64))
    }

    /// One more than the largest distance of a value from the first.
    fn span(&self) -> Option<u64> {
        let steps = self.shape.iter().zip(&self.strides);
        steps
            .map(|(&size, &stride)| (size.max(1) as u64 - 1).checked_mul(stride as u64))
            .try_fold(1u64, |span, step| span.checked_add(step?))
    }

    fn is_contiguous(&self) -> bool {
        let mut expected = 1;
        self.shape.iter().zip(&self.strides).rev().all(|(&size, &stride)| {
            let fits = size == 1 || stride == expected;
            expected *= size;
            fits
        })
    }

    /// The distance of each value from the first, in the order of reading.
    fn indices(&self) -> impl Iterator<Item = usize> + '_ {
        let count: usize = self.shape.iter().product();
        (0..count).map(|flat| {
            let mut rest = flat;
            let steps = self.shape.iter().zip(&self.strides).rev();
            steps
                .map(|(&size, &stride)| {
                    let position = rest % size;
                    rest /= size;
                    position * stride
                })
                .sum()
        })
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    fn values(shape: &[usize], strides: &[usize], offset: u64) -> Values {
        let (shape, strides) = (shape.to_vec(), strides.to_vec());
        Values { element: Element::U8, shape, strides, block: 2, block_length: 6, offset }
    }

    fn with_source<T>(f: impl FnOnce(Source) -> T) -> T {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("bytes");
        fs::write(&path, [9, 9, 0, 1, 2, 3, 4, 5]).unwrap();
        f(Source::open(&path).unwrap())
    }

    #[test]
    fn gathers_values_in_any_order() {
        with_source(|source| {
            let read = |v: Values| {
                source.check("x", &v).unwrap();
                source.tensor(&v).unwrap().flatten_all().unwrap().to_vec1::<u8>().unwrap()
            };
            assert_eq!(read(values(&[2, 3], &[3, 1], 0)), [0, 1, 2, 3, 4, 5]);
            assert_eq!(read(values(&[3, 2], &[1, 3], 0)), [0, 3, 1, 4, 2, 5]);
            assert_eq!(read(values(&[2], &[2], 3)), [3, 5]);
            assert_eq!(read(values(&[2, 2], &[0, 1], 4)), [4, 5, 4, 5]);
            assert_eq!(read(values(&[], &[], 5)), [5]);
            assert_eq!(read(values(&[0, 7], &[7, 1], 100)), [0u8; 0]);
        });
    }

    #[test]
    fn rejects_what_lies_outside_before_taking_memory() {
        with_source(|source| {
            for (wrong, expected) in [
                (values(&[2, 3], &[3, 1], 1), "reaches beyond its 6 bytes"),
                (values(&[2], &[usize::MAX], 0), "reaches beyond"),
                (values(&[2], &[1], u64::MAX), "reaches beyond"),
                (values(&[9], &[0], 0), "larger than the file"),
                (values(&[usize::MAX, 3], &[0, 0], 0), "impossible shape"),
            ] {
                let error = source.check("x", &wrong).unwrap_err().to_string();
                assert!(error.contains(expected) && error.contains("`x`"), "{error}");
            }
            let error = source.read(4, u64::MAX).unwrap_err().to_string();
            assert!(error.contains("byte 4"), "{error}");
            let error = source.read(4, 5).unwrap_err().to_string();
            assert!(error.contains("file ends at byte 8"), "{error}");
        });
    }

    #[test]
    fn a_folder_and_an_absent_file_are_errors() {
        let folder = tempfile::tempdir().unwrap();
        assert!(Source::open(folder.path()).unwrap_err().to_string().contains("cannot open"));
        let absent = folder.path().join("absent.pth");
        assert!(Source::open(&absent).unwrap_err().to_string().contains("absent.pth"));
    }
}
