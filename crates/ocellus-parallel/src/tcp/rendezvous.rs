use std::{
    io::{self, ErrorKind, Read, Write},
    net::{SocketAddr, TcpListener, TcpStream, ToSocketAddrs},
    thread::sleep,
    time::{Duration, Instant},
};

use super::{
    TcpConfig,
    link::{Link, put_text},
};
use crate::{Error, Ranks, Result};

/// What a rank says first, so that nothing else is taken for one.
const MAGIC: [u8; 8] = *b"OCELLUS\n";
/// Changes with the messages.
const VERSION: u32 = 1;
/// How long a stranger may take to say it.
const GREETING: Duration = Duration::from_secs(5);
const PAUSE: Duration = Duration::from_millis(10);
const WELCOME: u8 = 1;
const REFUSED: u8 = 2;

/// Rank 0's links to all others in their order; another rank's link to rank 0.
pub(super) fn meet(ranks: &Ranks, config: &TcpConfig) -> Result<Vec<Link>> {
    if ranks.rank == 0 {
        let listener = listen(ranks)?;
        welcome(&listener, ranks, config)
    } else {
        Ok(vec![join(ranks, config)?])
    }
}

fn address(ranks: &Ranks) -> String {
    format!("{}:{}", ranks.host, ranks.port)
}

fn failed(ranks: &Ranks, reason: impl Into<String>) -> Error {
    Error::Rendezvous { address: address(ranks), reason: reason.into() }
}

fn resolve(ranks: &Ranks) -> Result<Vec<SocketAddr>> {
    let found = (ranks.host.as_str(), ranks.port).to_socket_addrs();
    let found: Vec<_> = found
        .map_err(|e| failed(ranks, format!("{} is no address: {e}; see MASTER_ADDR", ranks.host)))?
        .collect();
    if found.is_empty() {
        return Err(failed(ranks, format!("{} has no address; see MASTER_ADDR", ranks.host)));
    }
    Ok(found)
}

fn listen(ranks: &Ranks) -> Result<TcpListener> {
    TcpListener::bind(&*resolve(ranks)?).map_err(|error| {
        let remedy = match error.kind() {
            ErrorKind::AddrInUse => "another program has the port: choose another MASTER_PORT",
            ErrorKind::AddrNotAvailable => {
                "MASTER_ADDR must be an address of the machine of rank 0"
            }
            _ => "rank 0 must be allowed to listen there",
        };
        failed(ranks, format!("{error}: {remedy}"))
    })
}

/// Accepts all other ranks. Who does not speak as a rank is turned away, and waited on no longer.
fn welcome(listener: &TcpListener, ranks: &Ranks, config: &TcpConfig) -> Result<Vec<Link>> {
    let started = Instant::now();
    let io = |error: io::Error| failed(ranks, error.to_string());
    listener.set_nonblocking(true).map_err(io)?;
    let mut links: Vec<Option<Link>> = (1..ranks.size).map(|_| None).collect();
    while links.iter().any(Option::is_none) {
        match listener.accept() {
            Ok((mut stream, _)) => {
                stream.set_nonblocking(false).map_err(io)?;
                let Ok(hello) = hear(&mut stream) else { continue };
                let taken = |rank: usize| links[rank - 1].is_some();
                if let Err(reason) = hello.check(ranks, taken) {
                    let _ = answer(&mut stream, REFUSED, &reason);
                    return Err(failed(ranks, reason));
                }
                let link = Link::new(hello.rank, stream, config.timeout).map_err(io)?;
                links[hello.rank - 1] = Some(link);
            }
            Err(error) if error.kind() == ErrorKind::WouldBlock => {
                if started.elapsed() > config.meeting_timeout {
                    let missing: Vec<_> =
                        (1..ranks.size).filter(|rank| links[rank - 1].is_none()).collect();
                    let reason = format!(
                        "ranks {missing:?} of {} did not come within {:?}: see whether they run and reach \
                         this machine",
                        ranks.size, config.meeting_timeout
                    );
                    return Err(failed(ranks, reason));
                }
                sleep(PAUSE);
            }
            Err(error) => return Err(io(error)),
        }
    }
    let mut links: Vec<Link> = links.into_iter().flatten().collect();
    // Not before all are there: who is welcome can start.
    let mut word = Vec::new();
    word.push(WELCOME);
    put_text(&mut word, "");
    links.iter_mut().try_for_each(|link| link.send(&word))?;
    Ok(links)
}

/// Connects to rank 0, which may not listen yet.
fn join(ranks: &Ranks, config: &TcpConfig) -> Result<Link> {
    let started = Instant::now();
    let mut stream = loop {
        let left = config.meeting_timeout.saturating_sub(started.elapsed()).max(PAUSE);
        let found = resolve(ranks)?;
        let connected = found.iter().map(|to| TcpStream::connect_timeout(to, left));
        let mut outcome = Err(io::Error::from(ErrorKind::AddrNotAvailable));
        for attempt in connected {
            outcome = attempt;
            if outcome.is_ok() {
                break;
            }
        }
        match outcome {
            Ok(stream) => break stream,
            Err(error) if started.elapsed() > config.meeting_timeout => {
                let reason = format!(
                    "rank 0 did not listen within {:?} ({error}): see whether it runs, MASTER_ADDR and \
                     MASTER_PORT",
                    config.meeting_timeout
                );
                return Err(failed(ranks, reason));
            }
            Err(_) => sleep(PAUSE),
        }
    };
    let io = |error: io::Error| match error.kind() {
        ErrorKind::UnexpectedEof | ErrorKind::ConnectionReset => {
            failed(ranks, "rank 0 closed the connection: see its own error")
        }
        _ => failed(ranks, format!("{error}: is it rank 0 that listens there?")),
    };
    // Rank 0 answers when all are there.
    stream.set_read_timeout(Some(config.meeting_timeout + GREETING)).map_err(io)?;
    stream.write_all(&Hello::of(ranks).to_bytes()).map_err(io)?;
    let mut tag = [0];
    stream.read_exact(&mut tag).map_err(io)?;
    let mut length = [0; 4];
    stream.read_exact(&mut length).map_err(io)?;
    let mut text = vec![0; (u32::from_le_bytes(length) as usize).min(1 << 12)];
    stream.read_exact(&mut text).map_err(io)?;
    match tag[0] {
        WELCOME => Link::new(0, stream, config.timeout).map_err(io),
        REFUSED => Err(failed(ranks, String::from_utf8_lossy(&text))),
        _ => Err(failed(ranks, "what listens there is no rank 0: choose another MASTER_PORT")),
    }
}

/// What a rank says of itself.
struct Hello {
    version: u32,
    size: usize,
    rank: usize,
}

impl Hello {
    fn of(ranks: &Ranks) -> Self {
        Self { version: VERSION, size: ranks.size, rank: ranks.rank }
    }

    fn to_bytes(&self) -> Vec<u8> {
        let mut bytes = MAGIC.to_vec();
        bytes.extend(self.version.to_le_bytes());
        bytes.extend((self.size as u64).to_le_bytes());
        bytes.extend((self.rank as u64).to_le_bytes());
        bytes
    }

    fn check(&self, ranks: &Ranks, taken: impl Fn(usize) -> bool) -> Result<(), String> {
        let &Self { version, size, rank } = self;
        if version != VERSION {
            return Err(format!(
                "rank {rank} speaks version {version}, rank 0 version {VERSION}: run the same program"
            ));
        }
        if size != ranks.size {
            return Err(format!(
                "rank {rank} was told of {size} ranks, rank 0 of {}: set WORLD_SIZE alike",
                ranks.size
            ));
        }
        if rank == 0 || rank >= size {
            return Err(format!("a second process says that it is rank {rank} of {size}"));
        }
        if taken(rank) {
            return Err(format!("two processes say that they are rank {rank}: set RANK apart"));
        }
        Ok(())
    }
}

/// What a stranger says, if it speaks as a rank.
fn hear(stream: &mut TcpStream) -> io::Result<Hello> {
    stream.set_read_timeout(Some(GREETING))?;
    let mut bytes = [0; 28];
    stream.read_exact(&mut bytes)?;
    let (magic, rest) = bytes.split_at(MAGIC.len());
    if magic != MAGIC {
        return Err(ErrorKind::InvalidData.into());
    }
    let number = |from: usize| {
        let mut bytes = [0; 8];
        bytes.copy_from_slice(&rest[from..from + 8]);
        usize::try_from(u64::from_le_bytes(bytes)).unwrap_or(usize::MAX)
    };
    let mut version = [0; 4];
    version.copy_from_slice(&rest[..4]);
    Ok(Hello { version: u32::from_le_bytes(version), size: number(4), rank: number(12) })
}

fn answer(stream: &mut TcpStream, tag: u8, text: &str) -> io::Result<()> {
    let mut bytes = vec![tag];
    put_text(&mut bytes, text);
    stream.write_all(&bytes)
}
