//! A process that does the work.

use std::io::{BufRead, BufReader, Write};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::time::Duration;
use std::{env, fs, thread};

use anyhow::{Context, Result, bail};

use crate::cli::Settings;
use crate::protocol::{Reply, Request};

#[derive(Debug)]
pub(crate) struct Worker {
    name: &'static str,
    child: Child,
    input: ChildStdin,
    output: BufReader<ChildStdout>,
}

impl Worker {
    /// Ourselves, in another process.
    pub(crate) fn ours(settings: &Settings) -> Result<Self> {
        let mut command = Command::new(env::current_exe()?);
        let Settings { device, precision, .. } = settings;
        command.args(["serve", "--device", device, "--precision", precision.name()]);
        command.env("RAYON_NUM_THREADS", settings.threads.to_string());
        Self::start("our worker", command, settings)
    }

    /// `worker.py`.
    pub(crate) fn python(settings: &Settings) -> Result<Self> {
        let Settings { python, threads, scripts, device, precision, .. } = settings;
        let mut command = Command::new(python);
        command.arg(scripts.join("worker.py")).arg(threads.to_string());
        command.args([device, precision.name()]).env("OMP_NUM_THREADS", threads.to_string());
        Self::start("worker.py", command, settings)
            .with_context(|| format!("{}: set up as docs/performance.md says", python.display()))
    }

    fn start(name: &'static str, mut command: Command, settings: &Settings) -> Result<Self> {
        if settings.keep_memory {
            command.env("MALLOC_MMAP_THRESHOLD_", "4000000000");
            command.env("MALLOC_TRIM_THRESHOLD_", "8000000000");
        }
        let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn()?;
        let (Some(input), Some(output)) = (child.stdin.take(), child.stdout.take()) else {
            bail!("{name} has no pipes")
        };
        Ok(Self { name, child, input, output: BufReader::new(output) })
    }

    /// Sends a request and waits for its reply.
    pub(crate) fn ask(&mut self, request: &Request) -> Result<Reply> {
        let mut line = serde_json::to_string(request)?;
        line.push('\n');
        self.input.write_all(line.as_bytes()).with_context(|| format!("{} ended", self.name))?;
        line.clear();
        if self.output.read_line(&mut line)? == 0 {
            bail!("{} ended on {request:?}: {}", self.name, self.child.wait()?)
        }
        let reply: Reply =
            serde_json::from_str(&line).with_context(|| format!("{} said {line}", self.name))?;
        match reply.error {
            Some(error) => bail!(error),
            None => Ok(reply),
        }
    }

    /// Waits until the threads have stopped spinning, half a second at most, so that they take no
    /// time from whoever runs next.
    pub(crate) fn settle(&self) {
        let mut before = self.cpu_nanoseconds();
        for _ in 0..100 {
            thread::sleep(Duration::from_millis(5));
            let now = self.cpu_nanoseconds();
            if now.saturating_sub(before) < 500_000 {
                return;
            }
            before = now;
        }
    }

    /// Processor time of all threads; 0 where the system does not say.
    pub(crate) fn cpu_nanoseconds(&self) -> u64 {
        let folder = format!("/proc/{}/task", self.child.id());
        let Ok(threads) = fs::read_dir(folder) else { return 0 };
        let nanoseconds = |entry: fs::DirEntry| -> Option<u64> {
            let text = fs::read_to_string(entry.path().join("schedstat")).ok()?;
            text.split_whitespace().next()?.parse().ok()
        };
        threads.flatten().filter_map(nanoseconds).sum()
    }

    /// Page faults so far; 0 where the system does not say.
    pub(crate) fn page_faults(&self) -> u64 {
        let stat = fs::read_to_string(format!("/proc/{}/stat", self.child.id()));
        let stat = stat.unwrap_or_default();
        // The name of the program, in brackets, may hold spaces; faults are the eighth field after it.
        let fields = stat.rsplit_once(')').map(|(_, fields)| fields);
        let faults = fields.and_then(|fields| fields.split_whitespace().nth(7)?.parse().ok());
        faults.unwrap_or(0)
    }
}

impl Drop for Worker {
    fn drop(&mut self) {
        // A worker that has ended already cannot be killed, which is what is wanted.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
