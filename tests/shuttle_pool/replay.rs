//! A failure prints the command that replays it, and draws what the pool told: the command fails in the same execution,
//! with the same diagram.

use std::process::Command;

use copool_model::shuttle::scripts::{Clock, assert_over, run};
use copool_model::shuttle::{REPLAY, check};
use copool_model::under_shuttle::spec::Event;

/// Set in the processes that fail on purpose.
const FAILS: &str = "COPOOL_TEST_FAILS_ON_A_THEFT";

const TEST: &str = "replay::a_failure_prints_its_command_and_its_diagram";

/// Claims that no task is ever stolen: it takes a certain interleaving to refute it.
fn fail_on_a_theft() {
    let script = super::parse(
        "pool max 2\nthread\n submit t0 { suspend }\n submit t1 {}\n submit t2 {}\n drain\nthread\n attach\n schedule\n leave",
    );
    check("no theft", move || {
        let run = run(&script, Clock::Blocking);
        assert_over(&script, &run);
        let theft = run.log.iter().any(|event| matches!(event, Event::TaskStolen { .. }));
        assert!(!theft, "a task was stolen");
    });
}

/// Runs this test in a process of its own, with these settings, and gives what it prints.
fn fail(settings: &[(&str, &str)]) -> String {
    let mut test = Command::new(std::env::current_exe().unwrap());
    test.args(["--exact", TEST, "--nocapture"]).env_remove(REPLAY).env(FAILS, "1").envs(settings.iter().copied());
    let output = test.output().unwrap();
    assert!(!output.status.success());
    String::from_utf8_lossy(&output.stderr).into_owned()
}

/// The diagram in what a failure prints.
fn diagram(text: &str) -> &str {
    let (_, rest) = text.split_once("```mermaid\n").unwrap_or_else(|| panic!("no diagram in: {text}"));
    rest.split_once("```").expect("a diagram ends").0
}

#[test]
fn a_failure_prints_its_command_and_its_diagram() {
    if std::env::var_os(FAILS).is_some() {
        return fail_on_a_theft();
    }
    let first = fail(&[]);
    let command =
        first.lines().find(|line| line.starts_with(REPLAY)).unwrap_or_else(|| panic!("no command in: {first}"));
    let (schedule, rest) = command.split_once("=\'").unwrap().1.split_once("' ").unwrap();
    assert_eq!(rest, format!("cargo test --features model --test shuttle_pool -- --exact {TEST}"));
    assert!(schedule.starts_with("no theft:"));
    for part in ["sequenceDiagram\n", "actor S0 as Schedule Thread 0\n", "actor S1 as", "task_stolen seat: S"] {
        assert!(diagram(&first).contains(part), "{part} is not in {first}");
    }
    assert!(first.contains("thread\n  attach\n  schedule\n  leave"), "the script is not in {first}");
    let again = fail(&[(REPLAY, schedule)]);
    assert!(again.contains("no theft: the replay: failed in execution 1"), "{again}");
    assert!(again.contains(command), "the same command again: {again}");
    assert_eq!(diagram(&first), diagram(&again));
}
