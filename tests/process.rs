//! What needs a process of its own, because the process dies of it, or would if the pool were wrong.
//!
//! Each test starts its own executable with its own name as the filter; a variable tells the child that it is the
//! child. A child ends by itself, as its body runs within a bound.
#![cfg(unix)]

mod common;
#[path = "process/exit.rs"]
mod exit;
#[path = "process/hostile.rs"]
mod hostile;
#[path = "process/leaks.rs"]
mod leaks;
#[path = "process/memory.rs"]
mod memory;
#[path = "process/overflow.rs"]
mod overflow;
#[path = "process/sentinel.rs"]
mod sentinel;
#[path = "process/spawn.rs"]
mod spawn;

use std::env;
use std::os::unix::process::ExitStatusExt;
use std::process::Command;
use std::sync::mpsc::{RecvTimeoutError, channel};
use std::thread;
use std::time::Duration;

use common::within;

const ROLE: &str = "COPOOL_TEST_ROLE";

/// How a child ended.
struct End {
    /// The exit code, if it was not killed by a signal.
    code: Option<i32>,
    signal: Option<i32>,
    /// What it wrote to standard error.
    said: String,
}

impl End {
    #[track_caller]
    fn succeeded(&self) {
        assert_eq!((self.code, self.signal), (Some(0), None), "{}", self.said);
    }
}

/// In the child: runs `body` within a bound, on a thread of its own. In the parent: starts the child for the test
/// `name`, the test's path in this file, and says how it ended.
fn alone(name: &str, body: impl FnOnce() + Send + 'static) -> Option<End> {
    if is_child(name) {
        within("the child", body);
        return None;
    }
    Some(run(name, &[]))
}

/// As [`alone`], but on the child's main thread, and with std unable to start any thread whose stack size is not given.
///
/// The one comes with the other: the test harness runs a test on the main thread if it can start no thread for it.
fn alone_on_main(name: &str, body: impl FnOnce()) -> Option<End> {
    // 2^46 bytes for each stack: no memory holds it.
    const NO_THREADS: (&str, &str) = ("RUST_MIN_STACK", "70368744177664");
    if is_child(name) {
        assert_eq!(thread::current().name(), Some("main"));
        let (done, over) = channel::<()>();
        let watch = move || {
            if over.recv_timeout(Duration::from_secs(60)) == Err(RecvTimeoutError::Timeout) {
                eprintln!("the child hangs");
                std::process::abort();
            }
        };
        thread::Builder::new().stack_size(1 << 20).spawn(watch).expect("a thread of a given size can be started");
        body();
        drop(done);
        return None;
    }
    Some(run(name, &[NO_THREADS]))
}

fn is_child(name: &str) -> bool {
    env::var(ROLE).is_ok_and(|role| role == name)
}

fn run(name: &str, settings: &[(&str, &str)]) -> End {
    let output = Command::new(env::current_exe().expect("a test knows its executable"))
        .args([name, "--exact", "--nocapture", "--test-threads=1"])
        .env(ROLE, name)
        .env("RUST_BACKTRACE", "0")
        .envs(settings.iter().copied())
        .output()
        .expect("a test can be started again");
    let ran = String::from_utf8_lossy(&output.stdout).contains("running 1 test");
    assert!(ran, "{name} is not the name of this test");
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    End { code: output.status.code(), signal: output.status.signal(), said }
}

/// The name of the calling test, for [`alone`].
macro_rules! name {
    ($test:ident) => {{
        let path = concat!(module_path!(), "::", stringify!($test));
        path.split_once("::").expect("a path has its crate first").1
    }};
}
use name;
