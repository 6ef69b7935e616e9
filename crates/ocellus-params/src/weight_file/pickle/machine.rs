use std::collections::HashMap;

use super::{
    build,
    reader::{Reader, long},
    value::{Id, Value},
};

/// More memory than the description of any network takes: what lies beyond is damage or malice.
const MOST_BYTES: usize = 256 << 20;

/// What is wrong with a pickle, and at which byte of it.
#[derive(Debug)]
pub(crate) struct Fault {
    pub(crate) at: usize,
    pub(crate) what: String,
}

/// The values of one pickle: containers refer to others by number, so that sharing and cycles cost
/// nothing.
#[derive(Debug)]
pub(crate) struct Pickle {
    values: Vec<Value>,
    pub(crate) root: Id,
    /// The byte after it.
    pub(crate) end: usize,
}

impl Pickle {
    pub(crate) fn get(&self, id: Id) -> &Value {
        &self.values[id]
    }

    /// The bytes per value of each storage that is referred to, as far as they are known.
    pub(crate) fn storage_sizes(&self) -> HashMap<&str, usize> {
        let storages = self.values.iter().filter_map(|value| match value {
            Value::Storage(storage) => Some(storage),
            _ => None,
        });
        let known = storages.filter_map(|storage| {
            let size = match &storage.element {
                Ok(element) => element.size(),
                Err(name) => size_of_stranger(name)?,
            };
            Some((storage.key.as_str(), size))
        });
        known.collect()
    }
}

/// The bytes per value of a storage that is passed over in a file, but not read.
fn size_of_stranger(class: &str) -> Option<usize> {
    match class {
        "ComplexDoubleStorage" => Some(16),
        "ComplexFloatStorage" => Some(8),
        "QInt32Storage" => Some(4),
        "QInt8Storage" | "QUInt8Storage" => Some(1),
        _ => None,
    }
}

/// Reads the pickle that begins at byte `start`.
///
/// A machine with a stack and a memo, as Python's, but one that only notes what it sees: classes
/// and functions are names, and calls to the few that rebuild tensors and dictionaries are
/// recognized by those names. Memory stays proportional to the bytes read.
pub(crate) fn run(bytes: &[u8], start: usize) -> Result<Pickle, Fault> {
    let mut machine = Machine {
        reader: Reader { bytes, at: start },
        values: vec![],
        used: 0,
        stack: vec![],
        marks: vec![],
        memo: HashMap::new(),
    };
    let mut opcode_at = start;
    let root = machine.run(&mut opcode_at).map_err(|what| Fault { at: opcode_at, what })?;
    Ok(Pickle { values: machine.values, root, end: machine.reader.at })
}

struct Machine<'a> {
    reader: Reader<'a>,
    values: Vec<Value>,
    used: usize,
    stack: Vec<Id>,
    marks: Vec<usize>,
    memo: HashMap<u64, Id>,
}

impl Machine<'_> {
    fn run(&mut self, opcode_at: &mut usize) -> Result<Id, String> {
        loop {
            *opcode_at = self.reader.at;
            let opcode = self.reader.byte()?;
            if opcode == b'.' {
                return self.pop();
            }
            if !(self.scalar(opcode)? || self.container(opcode)? || self.control(opcode)?) {
                return Err(format!("an unknown pickle instruction 0x{opcode:02x}"));
            }
        }
    }

    /// Numbers, texts and names. `false`: not one of these.
    fn scalar(&mut self, opcode: u8) -> Result<bool, String> {
        let value = match opcode {
            b'N' => Value::None,
            0x88 => Value::Bool(true),
            0x89 => Value::Bool(false),
            b'K' => Value::Int(self.reader.unsigned(1)? as i64),
            b'M' => Value::Int(self.reader.unsigned(2)? as i64),
            b'J' => Value::Int(i64::from(self.reader.unsigned(4)? as u32 as i32)),
            0x8a => {
                let length = self.reader.unsigned(1)?;
                long(self.reader.take(length)?)
            }
            0x8b => {
                let length = self.reader.unsigned(4)?;
                long(self.reader.take(length)?)
            }
            b'G' => {
                self.reader.take(8)?;
                Value::Opaque("float".into())
            }
            b'X' | b'T' => self.reader.text(4)?,
            0x8c | b'U' => self.reader.text(1)?,
            0x8d => self.reader.text(8)?,
            b'C' => self.reader.blob(1)?,
            b'B' => self.reader.blob(4)?,
            0x8e | 0x96 => self.reader.blob(8)?,
            b'c' => {
                let (module, name) = (self.reader.line()?, self.reader.line()?);
                Value::Global(format!("{module}.{name}"))
            }
            0x93 => {
                let (name, module) = (self.pop()?, self.pop()?);
                match (&self.values[module], &self.values[name]) {
                    (Value::Text(module), Value::Text(name)) => {
                        Value::Global(format!("{module}.{name}"))
                    }
                    _ => return Err("a class whose name is no text".into()),
                }
            }
            _ => return Ok(false),
        };
        self.push(value)?;
        Ok(true)
    }

    /// Tuples, lists and dictionaries.
    fn container(&mut self, opcode: u8) -> Result<bool, String> {
        match opcode {
            b')' => self.push(Value::Tuple(vec![]))?,
            0x85..=0x87 => {
                let items = self.pop_many(usize::from(opcode - 0x84))?;
                self.push(Value::Tuple(items))?;
            }
            b't' | 0x91 => {
                let items = self.pop_to_mark()?;
                self.push(Value::Tuple(items))?;
            }
            b']' | 0x8f => self.push(Value::List(vec![]))?,
            b'l' => {
                let items = self.pop_to_mark()?;
                self.push(Value::List(items))?;
            }
            b'a' => {
                let item = self.pop()?;
                self.extend(vec![item])?;
            }
            b'e' | 0x90 => {
                let items = self.pop_to_mark()?;
                self.extend(items)?;
            }
            b'}' => self.push(Value::Dict(vec![]))?,
            b'd' => {
                let items = self.pop_to_mark()?;
                self.push(Value::Dict(vec![]))?;
                self.set_items(items)?;
            }
            b's' => {
                let items = self.pop_many(2)?;
                self.set_items(items)?;
            }
            b'u' => {
                let items = self.pop_to_mark()?;
                self.set_items(items)?;
            }
            _ => return Ok(false),
        }
        Ok(true)
    }

    /// The stack, the memo, and what in Python would be calls.
    fn control(&mut self, opcode: u8) -> Result<bool, String> {
        match opcode {
            0x80 => drop(self.reader.byte()?),
            0x95 => drop(self.reader.take(8)?),
            b'(' => self.marks.push(self.stack.len()),
            // `b` sets the state of an object: no weights in it.
            b'0' | b'b' => drop(self.pop()?),
            b'1' => drop(self.pop_to_mark()?),
            b'2' => self.stack.push(self.top()?),
            b'q' | b'r' => {
                let slot = self.reader.unsigned(if opcode == b'q' { 1 } else { 4 })?;
                self.memo.insert(slot, self.top()?);
            }
            0x94 => {
                let slot = self.memo.len() as u64;
                self.memo.insert(slot, self.top()?);
            }
            b'h' | b'j' => {
                let slot = self.reader.unsigned(if opcode == b'h' { 1 } else { 4 })?;
                let id = self.memo.get(&slot);
                self.stack.push(*id.ok_or_else(|| format!("nothing was kept under {slot}"))?);
            }
            b'Q' => {
                let id = self.pop()?;
                let value = build::storage(&self.values, id)?;
                self.push(value)?;
            }
            b'R' | 0x81 => {
                let (arguments, class) = (self.pop()?, self.pop()?);
                let value = build::call(&self.values, class, arguments)?;
                self.push(value)?;
            }
            0x92 => {
                let (_, arguments, class) = (self.pop()?, self.pop()?, self.pop()?);
                let value = build::call(&self.values, class, arguments)?;
                self.push(value)?;
            }
            _ => return Ok(false),
        }
        Ok(true)
    }

    fn push(&mut self, value: Value) -> Result<(), String> {
        self.used += value.bytes();
        if self.used > MOST_BYTES {
            return Err(format!("a description of more than {MOST_BYTES} bytes"));
        }
        self.stack.push(self.values.len());
        self.values.push(value);
        Ok(())
    }

    fn floor(&self) -> usize {
        self.marks.last().copied().unwrap_or(0)
    }

    fn top(&self) -> Result<Id, String> {
        match self.stack.last() {
            Some(id) if self.stack.len() > self.floor() => Ok(*id),
            _ => Err("an instruction without its value".into()),
        }
    }

    fn pop(&mut self) -> Result<Id, String> {
        let id = self.top()?;
        self.stack.pop();
        Ok(id)
    }

    fn pop_many(&mut self, count: usize) -> Result<Vec<Id>, String> {
        match self.stack.len().checked_sub(count) {
            Some(rest) if rest >= self.floor() => Ok(self.stack.split_off(rest)),
            _ => Err("an instruction without its values".into()),
        }
    }

    fn pop_to_mark(&mut self) -> Result<Vec<Id>, String> {
        let mark = self.marks.pop().ok_or("an end without its mark")?;
        Ok(self.stack.split_off(mark))
    }

    fn extend(&mut self, items: Vec<Id>) -> Result<(), String> {
        let list = self.top()?;
        match &mut self.values[list] {
            Value::List(list) => list.extend(items),
            Value::Opaque(_) => {}
            other => return Err(format!("items for what is no list: {}", other.kind())),
        }
        Ok(())
    }

    fn set_items(&mut self, items: Vec<Id>) -> Result<(), String> {
        let dict = self.top()?;
        if !items.len().is_multiple_of(2) {
            return Err("a key without its value".into());
        }
        let pairs = items.chunks_exact(2).map(|pair| (pair[0], pair[1]));
        match &mut self.values[dict] {
            Value::Dict(dict) => dict.extend(pairs),
            Value::Opaque(_) => {}
            other => return Err(format!("entries for what is no dictionary: {}", other.kind())),
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn root(bytes: &[u8]) -> Result<Value, Fault> {
        run(bytes, 0).map(|pickle| pickle.get(pickle.root).clone())
    }

    #[test]
    fn reads_numbers_of_every_width() {
        assert_eq!(root(b"\x80\x02K\x07.").unwrap(), Value::Int(7));
        assert_eq!(root(b"M\xff\xff.").unwrap(), Value::Int(65535));
        assert_eq!(root(b"J\xff\xff\xff\xff.").unwrap(), Value::Int(-1));
        assert_eq!(root(b"\x8a\x01\xff.").unwrap(), Value::Int(-1));
        assert_eq!(root(b"\x8a\x02\xff\x00.").unwrap(), Value::Int(255));
        assert_eq!(root(b"\x8a\x00.").unwrap(), Value::Int(0));
        assert_eq!(root(b"\x8a\x09123456789.").unwrap(), Value::Long(b"123456789".to_vec()));
    }

    #[test]
    fn never_runs_what_a_pickle_asks_for() {
        // os.system("reboot"), as an attacker would write it.
        let value = root(b"cos\nsystem\nX\x06\0\0\0reboot\x85R.").unwrap();
        assert_eq!(value, Value::Opaque("os.system".into()));
    }

    #[test]
    fn faults_name_their_byte() {
        let fault = root(b"K\x01X\xff\xff\xff\xffabc.").unwrap_err();
        assert_eq!(fault.at, 2);
        assert!(fault.what.contains("4294967295 bytes more, but only 4"), "{}", fault.what);
        assert!(root(b"\xfe").unwrap_err().what.contains("0xfe"));
        assert!(root(b"h\x05.").unwrap_err().what.contains("under 5"));
        assert!(root(b"K\x01K\x02s.").is_err());
        assert!(root(b"(t)a.").is_err());
        assert!(root(b"").is_err());
    }

    #[test]
    fn repeated_copies_of_a_large_value_are_stopped() {
        // OrderedDict([[1, 1], …]) with 100,000 entries, made again and again from the memo.
        let mut bytes = b"ccollections\nOrderedDict\nq\x00](".to_vec();
        bytes.extend(b"](K\x01K\x01e".repeat(100_000));
        bytes.extend(b"e\x85q\x01");
        bytes.extend(b"h\x00h\x01R".repeat(1000));
        let fault = root(&bytes).unwrap_err();
        assert!(fault.what.contains("description of more than"), "{}", fault.what);
    }

    #[test]
    fn a_list_may_hold_itself() {
        assert!(matches!(root(b"]q\x00h\x00a.").unwrap(), Value::List(items) if items == [0]));
    }

    proptest! {
        #[test]
        fn any_bytes_give_a_value_or_a_fault(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
            let _ = run(&bytes, 0);
        }

        #[test]
        fn any_instructions_give_a_value_or_a_fault(
            bytes in prop::collection::vec(
                prop::sample::select(b"NK\x01\x02X\x00c\n)\x85\x86\x87t]aeu}sd(012qhQR\x81b.\x93\x94".to_vec()),
                0..100,
            )
        ) {
            let _ = run(&bytes, 0);
        }
    }
}
