use std::{
    io::{self, ErrorKind, Read, Write},
    net::TcpStream,
    time::Duration,
};

use crate::{Error, Result};

/// The most bytes of a text that is taken from a peer.
const LARGEST_TEXT: usize = 1 << 24;

const CALL: u8 = 1;
const GAVE_UP: u8 = 2;

/// A connection to another rank.
#[derive(Debug)]
pub(super) struct Link {
    pub(super) rank: usize,
    place: String,
    timeout: Duration,
    stream: TcpStream,
}

impl Link {
    /// A connection on which a rank waits that long.
    pub(super) fn new(rank: usize, stream: TcpStream, timeout: Duration) -> io::Result<Self> {
        stream.set_nodelay(true)?;
        stream.set_read_timeout(Some(timeout))?;
        stream.set_write_timeout(Some(timeout))?;
        let place = stream.peer_addr().map_or_else(|_| "no address".to_owned(), |a| a.to_string());
        Ok(Self { rank, place, timeout, stream })
    }

    /// What is announced: the number and description of an operation, whose bytes follow.
    pub(super) fn send_call(&mut self, number: u64, description: &str) -> Result<()> {
        let mut head = vec![CALL];
        head.extend(number.to_le_bytes());
        put_text(&mut head, description);
        self.send(&head)
    }

    /// Sends bytes; the reason why another rank gave up, if that is why they cannot be sent.
    pub(super) fn send(&mut self, bytes: &[u8]) -> Result<()> {
        let Err(error) = self.stream.write_all(bytes) else { return Ok(()) };
        // It may have said why before it closed the connection.
        let _ = self.stream.set_read_timeout(Some(Duration::from_millis(500)));
        match self.receive_call() {
            Err(reason @ Error::GaveUp { .. }) => Err(reason),
            _ => Err(self.lost(&error)),
        }
    }

    pub(super) fn receive_call(&mut self) -> Result<(u64, String)> {
        let [tag] = self.receive_array()?;
        match tag {
            CALL => {
                let number = u64::from_le_bytes(self.receive_array()?);
                Ok((number, self.receive_text()?))
            }
            GAVE_UP => {
                let rank = u32::from_le_bytes(self.receive_array()?) as usize;
                Err(Error::GaveUp { rank, reason: self.receive_text()? })
            }
            other => Err(self.garbled(&format!("a message of the unknown kind {other}"))),
        }
    }

    pub(super) fn receive(&mut self, bytes: &mut [u8]) -> Result<()> {
        self.stream.read_exact(bytes).map_err(|error| self.lost(&error))
    }

    /// As well as it goes: nobody can be told if it does not.
    pub(super) fn send_gave_up(&mut self, rank: usize, reason: &str) {
        let mut message = vec![GAVE_UP];
        message.extend(u32::try_from(rank).unwrap_or(u32::MAX).to_le_bytes());
        put_text(&mut message, reason);
        let _ = self.stream.set_write_timeout(Some(Duration::from_secs(2)));
        let _ = self.stream.write_all(&message);
    }

    fn receive_array<const N: usize>(&mut self) -> Result<[u8; N]> {
        let mut bytes = [0; N];
        self.receive(&mut bytes)?;
        Ok(bytes)
    }

    fn receive_text(&mut self) -> Result<String> {
        let length = u32::from_le_bytes(self.receive_array()?) as usize;
        if length > LARGEST_TEXT {
            return Err(self.garbled(&format!("a text of {length} bytes")));
        }
        let mut text = vec![0; length];
        self.receive(&mut text)?;
        Ok(String::from_utf8_lossy(&text).into_owned())
    }

    fn garbled(&self, what: &str) -> Error {
        let reason = format!("it sent {what}: are all ranks the same program?");
        Error::Lost { rank: self.rank, place: self.place.clone(), reason }
    }

    fn lost(&self, error: &io::Error) -> Error {
        let reason = match error.kind() {
            ErrorKind::WouldBlock | ErrorKind::TimedOut => format!(
                "it did not answer within {:?}: see whether it runs, or set a longer timeout if it works alone so long",
                self.timeout
            ),
            ErrorKind::UnexpectedEof
            | ErrorKind::ConnectionReset
            | ErrorKind::ConnectionAborted
            | ErrorKind::BrokenPipe => "it closed the connection: see its own error".to_owned(),
            _ => error.to_string(),
        };
        Error::Lost { rank: self.rank, place: self.place.clone(), reason }
    }
}

/// Of a text that is too long, its beginning.
pub(super) fn put_text(to: &mut Vec<u8>, text: &str) {
    let bytes = &text.as_bytes()[..text.len().min(LARGEST_TEXT)];
    to.extend(u32::try_from(bytes.len()).unwrap_or(0).to_le_bytes());
    to.extend(bytes);
}
