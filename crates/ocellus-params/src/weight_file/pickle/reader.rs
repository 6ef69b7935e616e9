use super::value::Value;

/// The bytes of a pickle from where it is being read.
pub(crate) struct Reader<'a> {
    pub(crate) bytes: &'a [u8],
    pub(crate) at: usize,
}

impl<'a> Reader<'a> {
    pub(crate) fn byte(&mut self) -> Result<u8, String> {
        Ok(self.take(1)?[0])
    }

    /// An unsigned number of up to 8 bytes.
    pub(crate) fn unsigned(&mut self, bytes: u64) -> Result<u64, String> {
        let taken = self.take(bytes)?;
        Ok(taken.iter().rev().fold(0, |number, &byte| number << 8 | u64::from(byte)))
    }

    pub(crate) fn take(&mut self, count: u64) -> Result<&'a [u8], String> {
        let end = usize::try_from(count).ok().and_then(|count| self.at.checked_add(count));
        let taken = end.and_then(|end| self.bytes.get(self.at..end));
        let taken = taken.ok_or_else(|| {
            let left = self.bytes.len().saturating_sub(self.at);
            format!("the pickle wants {count} bytes more, but only {left} are left")
        })?;
        self.at += taken.len();
        Ok(taken)
    }

    pub(crate) fn text(&mut self, length_bytes: u64) -> Result<Value, String> {
        let length = self.unsigned(length_bytes)?;
        Ok(Value::Text(String::from_utf8_lossy(self.take(length)?).into_owned()))
    }

    pub(crate) fn blob(&mut self, length_bytes: u64) -> Result<Value, String> {
        let length = self.unsigned(length_bytes)?;
        self.take(length)?;
        Ok(Value::Opaque("bytes".into()))
    }

    pub(crate) fn line(&mut self) -> Result<String, String> {
        let rest = self.bytes.get(self.at..).unwrap_or_default();
        let length = rest.iter().position(|&byte| byte == b'\n').ok_or("a name without an end")?;
        self.at += length + 1;
        Ok(String::from_utf8_lossy(&rest[..length]).into_owned())
    }
}

/// A signed little-endian integer.
pub(crate) fn long(bytes: &[u8]) -> Value {
    if bytes.len() > 8 {
        return Value::Long(bytes.to_vec());
    }
    let negative = bytes.last().is_some_and(|&byte| byte >= 0x80);
    let mut wide = if negative { [0xff; 8] } else { [0; 8] };
    wide[..bytes.len()].copy_from_slice(bytes);
    Value::Int(i64::from_le_bytes(wide))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn takes_no_more_than_there_is() {
        let mut reader = Reader { bytes: b"\x02\x01ab\ncd", at: 0 };
        assert_eq!(reader.unsigned(2), Ok(0x0102));
        assert_eq!(reader.line(), Ok("ab".into()));
        assert!(reader.line().is_err());
        assert!(reader.take(3).unwrap_err().contains("3 bytes more, but only 2"));
        assert!(reader.take(u64::MAX).is_err());
        assert_eq!((reader.take(2), reader.at), (Ok(&b"cd"[..]), 7));
    }
}
