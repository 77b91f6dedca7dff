//! Tests that need a process of their own: because they die, or because they look at the mappings of the process.
//!
//! The test starts its own executable with its own name as the filter. What the child is asked to do, a variable says.

use std::env;
use std::process::{Command, Output};

const ROLE: &str = "COPOOL_TEST_ROLE";

/// The role that this process plays, if it is the child of a test.
pub(crate) fn role() -> Option<String> {
    env::var(ROLE).ok()
}

/// Runs the test `name` of the module `module` (a `module_path!()`) in a process of its own, in the given role.
pub(crate) fn play(module: &str, name: &str, role: &str) -> Output {
    let (_, path) = module.split_once("::").expect("the module is not the root");
    Command::new(env::current_exe().expect("a test knows its executable"))
        .args([&format!("{path}::{name}"), "--exact", "--nocapture", "--test-threads=1"])
        .env(ROLE, role)
        .output()
        .expect("a test can be started again")
}

/// Runs `body` in a process of its own; the test `name` fails if it fails there.
pub(crate) fn alone(module: &str, name: &str, body: impl FnOnce()) {
    if role().is_some() {
        return body();
    }
    let output = play(module, name, "alone");
    let text = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{text}\n{}", String::from_utf8_lossy(&output.stderr));
    assert!(text.contains("1 passed"), "{name} is not the name of this test:\n{text}");
}
