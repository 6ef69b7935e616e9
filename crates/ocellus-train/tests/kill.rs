//! Killed at any moment and continued: the same bytes as without.
//!
//! The test starts its own program again as a child that trains, kills it, and lets another child
//! continue.

mod common;

use std::{
    env,
    error::Error,
    fs,
    path::Path,
    process::{Child, Command, Stdio},
    thread::sleep,
    time::{Duration, Instant},
};

use common::{config, train};
use ocellus_params::ParamStore;
use ocellus_train::{Observer, Resume, StepReport};

type Outcome = Result<(), Box<dyn Error>>;

const FOLDER: &str = "OCELLUS_TRAIN_TEST_FOLDER";
const EPOCHS: usize = 12;

/// Makes steps take a while, so that a kill hits the middle.
struct Slow;

impl Observer for Slow {
    fn on_step(&mut self, _: &StepReport) {
        sleep(Duration::from_millis(1));
    }
}

/// The child: trains into the folder that the environment names. Without one it is no test.
#[test]
fn child() -> Outcome {
    let Some(folder) = env::var_os(FOLDER) else { return Ok(()) };
    let config =
        config(Path::new(&folder), EPOCHS).with_checkpoint_every(2).with_resume(Resume::IfPresent);
    train(&config, &ParamStore::seeded(1), &mut Slow)?;
    Ok(())
}

fn start(folder: &Path, threads: usize) -> Result<Child, Box<dyn Error>> {
    let child = Command::new(env::current_exe()?)
        .args(["--exact", "child"])
        .env(FOLDER, folder)
        .env("RAYON_NUM_THREADS", threads.to_string())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()?;
    Ok(child)
}

fn files(folder: &Path) -> Result<Vec<Vec<u8>>, Box<dyn Error>> {
    let names = ["last.safetensors", "best.safetensors", "history.csv", "history.json"];
    names.iter().map(|name| Ok(fs::read(folder.join(name))?)).collect()
}

/// How many children died before they were done.
fn kill_again_and_again(
    folder: &Path,
    threads: usize,
    time: Duration,
) -> Result<usize, Box<dyn Error>> {
    let mut kills = 0;
    // The moments fall anywhere: into steps, checkpoints and between renames.
    for share in [0.23, 0.41, 0.17, 0.31, 0.27] {
        let mut child = start(folder, threads)?;
        sleep(time.mul_f64(share));
        if child.try_wait()?.is_none() {
            child.kill()?;
            kills += 1;
        }
        child.wait()?;
    }
    Ok(kills)
}

#[test]
fn a_killed_training_continues_to_the_same_bytes() -> Outcome {
    let temp = tempfile::tempdir()?;
    let whole = temp.path().join("whole");
    let begun = Instant::now();
    assert!(start(&whole, 1)?.wait()?.success());
    let time = begun.elapsed();
    let expected = files(&whole)?;
    for threads in [1, 2] {
        // On a machine whose other work just ended, a child may be done long before its kill.
        let mut time = time;
        let (folder, kills) = loop {
            let folder = temp.path().join(format!("killed_{threads}_{}", time.as_nanos()));
            let kills = kill_again_and_again(&folder, threads, time)?;
            if kills > 0 {
                break (folder, kills);
            }
            time /= 4;
        };
        assert!(start(&folder, threads)?.wait()?.success());
        assert!(files(&folder)? == expected, "other bytes after {kills} kills, {threads} threads");
    }
    Ok(())
}

/// The system lets no file grow beyond a few kilobytes: as a full disk, but without one.
#[cfg(target_os = "linux")]
#[test]
fn a_full_disk_leaves_the_old_checkpoint() -> Outcome {
    let temp = tempfile::tempdir()?;
    let folder = temp.path();
    train(&config(folder, 1).with_checkpoint_every(2), &ParamStore::seeded(1), &mut ())?;
    let before = files(folder)?;
    let limited = Command::new("sh")
        .args(["-c", "trap '' XFSZ; ulimit -f 4; exec \"$0\" --exact child --nocapture"])
        .arg(env::current_exe()?)
        .env(FOLDER, folder)
        .output()?;
    assert!(!limited.status.success());
    let message =
        String::from_utf8_lossy(&limited.stderr) + String::from_utf8_lossy(&limited.stdout);
    assert!(message.contains("write") && message.contains("last.next.safetensors"), "{message}");
    assert!(files(folder)? == before, "the old files are not as they were");
    let left: Vec<_> = fs::read_dir(folder)?.flatten().map(|e| e.file_name()).collect();
    assert!(!left.iter().any(|name| name.to_string_lossy().ends_with(".tmp")), "{left:?}");
    // With room again it continues.
    assert!(start(folder, 1)?.wait()?.success());
    Ok(())
}
