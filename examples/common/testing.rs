//! What the tests of the programs share.

use std::{
    path::{Path, PathBuf},
    process::{Command, Output, Stdio},
};

/// An example, built beside the test.
pub(crate) fn program(name: &str) -> PathBuf {
    let test = std::env::current_exe().unwrap();
    let file = format!("{name}{}", std::env::consts::EXE_SUFFIX);
    let program = test.parent().unwrap().parent().unwrap().join("examples").join(file);
    let path = program.display();
    assert!(program.is_file(), "first `cargo build --example {name}`: no {path}");
    program
}

pub(crate) fn command(name: &str, arguments: &[&str]) -> Command {
    let mut command = Command::new(program(name));
    command.args(arguments).stdin(Stdio::null());
    command
}

/// Runs, expects failure without a panic, and gives what was said.
pub(crate) fn fails(name: &str, arguments: &[&str]) -> String {
    let output = command(name, arguments).output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(1), "{said}");
    assert!(said.contains("error: ") && !said.contains("panicked"), "{said}");
    said
}

/// Runs and expects success.
pub(crate) fn succeeds(name: &str, arguments: &[&str]) -> Output {
    let output = command(name, arguments).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    output
}

pub(crate) fn text(path: &Path) -> &str {
    path.to_str().unwrap()
}
