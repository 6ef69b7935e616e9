use std::{
    env,
    ffi::OsString,
    io::{BufRead, BufReader, Read, stderr, stdin},
    net::TcpListener,
    path::PathBuf,
    process::{Child, Command, ExitStatus, Stdio, exit},
    thread,
    time::{Duration, Instant},
};

use crate::{Error, Result};

/// Set in processes that [`Launch`] starts.
const LAUNCHED: &str = "OCELLUS_LAUNCHED";
const PAUSE: Duration = Duration::from_millis(20);

/// A program that is started as several processes of one machine.
///
/// # Examples
///
/// ```no_run
/// use ocellus_parallel::Launch;
///
/// let status = Launch::new("./train", 4).with_arguments(["--epochs", "3"]).run()?;
/// assert!(status.success());
/// # Ok::<(), ocellus_parallel::Error>(())
/// ```
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Launch {
    /// The program.
    pub program: PathBuf,
    /// What it is given.
    pub arguments: Vec<OsString>,
    /// The number of processes.
    pub processes: usize,
    /// Variables of their environment, beside those of this process.
    pub variables: Vec<(String, String)>,
    /// How long the others may take to end by themselves after one has failed, before they are
    /// killed.
    pub grace: Duration,
}

impl Launch {
    /// That program, without arguments, so many times.
    #[must_use]
    pub fn new(program: impl Into<PathBuf>, processes: usize) -> Self {
        let grace = Duration::from_secs(5);
        let (arguments, variables) = (Vec::new(), Vec::new());
        Self { program: program.into(), arguments, processes, variables, grace }
    }

    /// Sets what it is given.
    #[must_use]
    pub fn with_arguments<A: Into<OsString>>(
        mut self,
        arguments: impl IntoIterator<Item = A>,
    ) -> Self {
        self.arguments = arguments.into_iter().map(Into::into).collect();
        self
    }

    /// One more variable of their environment.
    #[must_use]
    pub fn with_variable(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.variables.push((name.into(), value.into()));
        self
    }

    /// Sets how long the others may take to end after one has failed.
    #[must_use]
    pub fn with_grace(mut self, grace: Duration) -> Self {
        self.grace = grace;
        self
    }

    /// Runs it, and gives the status of the process that was seen to fail first, or of success.
    ///
    /// The processes find `RANK`, `LOCAL_RANK`, `WORLD_SIZE`, `MASTER_ADDR` and `MASTER_PORT` in
    /// their environment ([`Ranks`](crate::Ranks)). Rank 0 writes where this process does; of the others, what
    /// goes to the standard output is dropped, and lines of the standard error bear their rank.
    ///
    /// # Errors
    ///
    /// If there are no processes, one cannot be started, or no port is free.
    pub fn run(&self) -> Result<ExitStatus> {
        if self.processes == 0 {
            return Err(Error::Setting("a program in 0 processes: give at least 1".to_owned()));
        }
        let port = free_port()?;
        let mut children = Children(Vec::new());
        for rank in 0..self.processes {
            children.0.push(self.start(rank, port)?);
        }
        Ok(children.wait(self.grace))
    }

    fn start(&self, rank: usize, port: u16) -> Result<Running> {
        let mut command = Command::new(&self.program);
        command
            .args(&self.arguments)
            .envs(self.variables.iter().map(|(name, value)| (name, value)))
            .env("RANK", rank.to_string())
            .env("LOCAL_RANK", rank.to_string())
            .env("WORLD_SIZE", self.processes.to_string())
            .env("LOCAL_WORLD_SIZE", self.processes.to_string())
            .env("MASTER_ADDR", "127.0.0.1")
            .env("MASTER_PORT", port.to_string())
            .env(LAUNCHED, "1")
            .stdin(Stdio::piped());
        if rank > 0 {
            command.stdout(Stdio::null()).stderr(Stdio::piped());
        }
        let program = self.program.display();
        let mut child = command.spawn().map_err(|e| {
            Error::Launch(format!("process {rank} of {program} cannot be started: {e}"))
        })?;
        let said = child.stderr.take().map(|lines| thread::spawn(move || tell(rank, lines)));
        Ok(Running { child, said, status: None })
    }
}

/// Starts this program again, with its own arguments, as so many processes, and waits for them.
///
/// A program calls it first thing where it was asked for several processes and is not one of them
/// already ([`Ranks::from_env`](crate::Ranks::from_env) gives more than one rank there), and ends with the
/// status. A process should call [`end_with_launcher`].
///
/// # Errors
///
/// As of [`Launch::run`]; if the program does not know its own file.
pub fn launch(processes: usize) -> Result<ExitStatus> {
    let program = env::current_exe()
        .map_err(|e| Error::Launch(format!("the program does not know its own file: {e}")))?;
    Launch::new(program, processes).with_arguments(env::args_os().skip(1)).run()
}

/// In a process that [`Launch`] started: makes it end when the launcher does, however that ends. Else
/// it does nothing.
///
/// It reads the standard input, whose end is the sign.
pub fn end_with_launcher() {
    if env::var_os(LAUNCHED).is_none() {
        return;
    }
    thread::spawn(|| {
        let mut rest = Vec::new();
        let _ = stdin().read_to_end(&mut rest);
        exit(1)
    });
}

fn free_port() -> Result<u16> {
    let port = TcpListener::bind(("127.0.0.1", 0)).and_then(|l| l.local_addr());
    Ok(port.map_err(|e| Error::Launch(format!("no port is free on this machine: {e}")))?.port())
}

/// Writes the lines of a process behind its rank.
fn tell(rank: usize, lines: impl Read) {
    use std::io::Write;
    for line in BufReader::new(lines).split(b'\n') {
        let Ok(line) = line else { return };
        let line = String::from_utf8_lossy(&line);
        // In one piece: rank 0 writes to the same place.
        let line = format!("[rank {rank}] {}\n", line.trim_end_matches('\r'));
        let _ = stderr().lock().write_all(line.as_bytes());
    }
}

struct Running {
    child: Child,
    said: Option<thread::JoinHandle<()>>,
    status: Option<ExitStatus>,
}

/// Processes that do not outlive this.
struct Children(Vec<Running>);

impl Children {
    fn wait(&mut self, grace: Duration) -> ExitStatus {
        let mut failed: Option<(ExitStatus, Instant)> = None;
        loop {
            for running in self.0.iter_mut().filter(|running| running.status.is_none()) {
                let Ok(Some(status)) = running.child.try_wait() else { continue };
                running.status = Some(status);
                if !status.success() && failed.is_none() {
                    failed = Some((status, Instant::now()));
                }
            }
            let status = failed.map(|(status, _)| status);
            if self.0.iter().all(|running| running.status.is_some()) {
                return status.or(self.0[0].status).unwrap_or_default();
            }
            match failed {
                Some((status, at)) if at.elapsed() > grace => {
                    self.kill();
                    return status;
                }
                _ => thread::sleep(PAUSE),
            }
        }
    }

    fn kill(&mut self) {
        for running in &mut self.0 {
            if running.status.is_none() {
                let _ = running.child.kill();
                running.status = running.child.wait().ok();
            }
        }
    }
}

impl Drop for Children {
    fn drop(&mut self) {
        self.kill();
        for said in self.0.iter_mut().filter_map(|running| running.said.take()) {
            let _ = said.join();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_process_and_no_program_are_errors() {
        let error = Launch::new("x", 0).run().unwrap_err().to_string();
        assert!(error.contains("0 processes"), "{error}");
        let error = Launch::new("./there-is-no-such-program", 2).run().unwrap_err().to_string();
        assert!(error.contains("process 0 of ./there-is-no-such-program"), "{error}");
    }
}
