//! Ranks that are processes: this test program starts itself as a launcher, which starts the ranks.

#![allow(clippy::print_stdout, reason = "a rank tells what it has")]
#![expect(clippy::unwrap_used, clippy::panic, reason = "helpers of tests fail by panicking")]

use std::{
    env,
    io::{Read, Write, stderr},
    process::{Command, Output, Stdio, exit},
    sync::mpsc,
    thread::{sleep, spawn},
    time::{Duration, Instant},
};

use candle_core::{Device, Tensor};
use ocellus_parallel::{
    Launch, ProcessGroup, Ranks, Result, TcpConfig, connect, end_with_launcher,
};

const ROLE: &str = "OCELLUS_PARALLEL_TEST_ROLE";

/// The launcher and the ranks; without a role it is no test.
#[test]
fn process() {
    let Ok(role) = env::var(ROLE) else { return };
    let ranks = Ranks::from_env().unwrap();
    if ranks.size == 1 {
        let launch = Launch::new(env::current_exe().unwrap(), 3)
            .with_arguments(["--exact", "process", "--nocapture"])
            .with_grace(Duration::from_millis(if role == "hang" { 300 } else { 20_000 }));
        exit(launch.run().unwrap().code().unwrap_or(99));
    }
    end_with_launcher();
    let group = connect(&ranks, &Device::Cpu, &TcpConfig::default()).unwrap();
    if let Err(error) = play(&role, &group) {
        // In one piece: others write to the same place.
        let _ = stderr().write_all(format!("error: {error}\n").as_bytes());
        exit(1)
    }
    exit(0)
}

/// What a rank does.
fn play(role: &str, group: &ProcessGroup) -> Result<()> {
    let rank = group.rank();
    match role {
        "sum" => {
            let x = Tensor::new(&[0.5f32, rank as f32], &Device::Cpu)?;
            let sum = group.all_reduce_sum(&[x])?[0].to_vec1::<f32>()?;
            println!("rank {rank} has {sum:?}");
            eprintln!("rank {rank} has {sum:?}");
        }
        "die" => {
            group.barrier()?;
            if rank == 1 {
                exit(3)
            }
            group.barrier()?;
        }
        "hang" if rank == 1 => exit(3),
        "hang" => sleep(Duration::from_secs(300)),
        "wait" => {
            group.barrier()?;
            println!("ready");
            sleep(Duration::from_secs(300));
        }
        other => panic!("no role {other}"),
    }
    Ok(())
}

fn launcher(role: &str) -> Command {
    let mut command = Command::new(env::current_exe().unwrap());
    command.args(["--exact", "process", "--nocapture"]).env(ROLE, role).stdin(Stdio::null());
    for name in ["RANK", "WORLD_SIZE", "LOCAL_RANK", "MASTER_ADDR", "MASTER_PORT"] {
        command.env_remove(name);
    }
    command
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

#[test]
fn processes_sum_and_all_are_heard() {
    let Output { status, stdout, stderr } = launcher("sum").output().unwrap();
    let (said, told) = (text(&stdout), text(&stderr));
    assert!(status.success(), "{told}");
    assert!(said.contains("rank 0 has [1.5, 3.0]"), "{said}");
    assert!(!said.contains("rank 1"), "the standard output is rank 0's: {said}");
    for line in ["[rank 1] rank 1 has [1.5, 3.0]", "[rank 2] rank 2 has [1.5, 3.0]"] {
        assert!(told.contains(line), "{told}");
    }
}

#[test]
fn a_process_that_dies_ends_all_and_is_named() {
    let output = launcher("die").output().unwrap();
    let told = text(&output.stderr);
    // Of processes that fail at nearly the same time, any may be seen first.
    assert!(matches!(output.status.code(), Some(1 | 3)), "{told}");
    assert!(told.contains("error: rank 1 is lost (127.0.0.1:"), "{told}");
    assert!(told.contains("[rank 2] error: rank 0 gave up: rank 1 is lost"), "{told}");
}

#[test]
fn processes_that_do_not_notice_are_killed() {
    let started = Instant::now();
    let output = launcher("hang").output().unwrap();
    assert_eq!(output.status.code(), Some(3), "{}", text(&output.stderr));
    assert!(started.elapsed() < Duration::from_secs(250), "they slept to their end");
}

#[test]
fn ranks_end_with_their_launcher() {
    let mut child = launcher("wait").stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
    let mut said = child.stdout.take().unwrap();
    let (sender, receiver) = mpsc::channel();
    spawn(move || {
        let mut all = Vec::new();
        let mut some = [0; 64];
        // Rank 0 has the pipe too: it ends when rank 0 does.
        while let Ok(count @ 1..) = said.read(&mut some) {
            all.extend_from_slice(&some[..count]);
            if text(&all).contains("ready") {
                let _ = sender.send("ready");
            }
        }
        let _ = sender.send("ended");
    });
    let soon = Duration::from_secs(60);
    assert_eq!(receiver.recv_timeout(soon).unwrap(), "ready");
    child.kill().unwrap();
    child.wait().unwrap();
    while receiver.recv_timeout(soon).expect("rank 0 goes on without its launcher") != "ended" {}
}
