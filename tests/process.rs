//! What needs a process of its own, because the process dies of it, or would if the pool were wrong.
//!
//! Each test starts its own executable with its own name as the filter; a variable tells the child that it is the child.
//! A child ends by itself, as its body runs within a bound.
#![cfg(unix)]

mod common;
#[path = "process/hostile.rs"]
mod hostile;
#[path = "process/overflow.rs"]
mod overflow;
#[path = "process/sentinel.rs"]
mod sentinel;
#[path = "process/spawn.rs"]
mod spawn;

use std::env;
use std::os::unix::process::ExitStatusExt;
use std::process::Command;

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

/// In the child: runs `body` within a bound, on a thread of its own. In the parent: as [`alone_on_main`].
fn alone(name: &str, body: impl FnOnce() + Send + 'static) -> Option<End> {
    alone_on_main(name, &[], || within("the child", body))
}

/// In the child: runs `body`. In the parent: starts the child for the test `name`, and says how it ended.
///
/// `name` is the test's path in this file. The child has the test harness run it alone, which it does on the main thread.
fn alone_on_main(name: &str, settings: &[(&str, &str)], body: impl FnOnce()) -> Option<End> {
    if env::var(ROLE).is_ok_and(|role| role == name) {
        body();
        return None;
    }
    let output = Command::new(env::current_exe().expect("a test knows its executable"))
        .args([name, "--exact", "--nocapture", "--test-threads=1"])
        .env(ROLE, name)
        .env("RUST_BACKTRACE", "0")
        .envs(settings.iter().copied())
        .output()
        .expect("a test can be started again");
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    let ran = String::from_utf8_lossy(&output.stdout).contains("running 1 test");
    assert!(ran, "{name} is not the name of this test");
    Some(End { code: output.status.code(), signal: output.status.signal(), said })
}

/// The name of the calling test, for [`alone`].
macro_rules! name {
    ($test:ident) => {{
        let path = concat!(module_path!(), "::", stringify!($test));
        path.split_once("::").expect("a path has its crate first").1
    }};
}
use name;
