//! The links of the chain that a mutant is put through, and how one of them is run.

use std::ffi::OsStr;
use std::fs::File;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

/// A part of the chain of evidence: tests that are built and run together.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Link {
    /// Its name in the matrix.
    pub(crate) name: &'static str,
    /// The arguments of `cargo test`.
    arguments: &'static [&'static str],
    /// Only a mutant that changes a file below one of these is put through it; all are, if there is none.
    below: &'static [&'static str],
}

/// The links, in the order in which they are tried: the quicker ones first. What compares with the spec and the model, then what
/// was written with a fault in mind, then the checkers.
pub(crate) const LINKS: &[Link] = &[
    Link { name: "spec", arguments: &["-p", "copool-spec"], below: &["spec/"] },
    Link {
        name: "conformance",
        arguments: &["--features", "model", "--test", "conformance", "--test", "edges"],
        below: &[],
    },
    Link {
        name: "differential",
        arguments: &["--features", "model", "--test", "model", "--test", "differential"],
        below: &[],
    },
    Link {
        name: "loom (model)",
        arguments: &["--features", "model", "--test", "model_loom", "--test", "model_shuttle"],
        below: &["model/", "spec/"],
    },
    Link {
        name: "tests",
        arguments: &[
            "--features",
            "model",
            "--lib",
            "--test",
            "order",
            "--test",
            "clock",
            "--test",
            "scenarios",
            "--test",
            "misuse",
            "--test",
            "integration",
            "--test",
            "listener",
            "--test",
            "process",
        ],
        below: &["src/"],
    },
    Link {
        name: "shuttle",
        arguments: &["--features", "model", "--test", "shuttle_pool", "--test", "smoke_shuttle"],
        below: &["src/"],
    },
    Link { name: REAL_THREADS, arguments: &["--features", "model", "--test", "stress_logs"], below: &["src/"] },
    Link {
        name: "loom",
        arguments: &["--features", "model", "--test", "loom_task", "--test", "loom_pool", "--test", "smoke_loom"],
        below: &["src/"],
    },
];

/// The links that look at orderings.
pub(crate) const LOOM: &str = "loom";

/// The link that compares production with the reference pool.
pub(crate) const DIFFERENTIAL: &str = "differential";

/// Scripts that are drawn for the comparison, and shrunk.
const DRAWN: Link = Link { name: "drawn", arguments: &["--features", "model", "--test", "differential"], below: &[] };

/// The test of it that draws.
const DRAWS: &str = "any_script_of_one_thread_does_the_same_in_both_pools";

/// How many it draws.
pub(crate) const DRAWS_MOST: &str = "1000";

/// What drawn scripts make of a mutant.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Drawn {
    /// They do not find it.
    Missed,
    /// They do, and end with no script: in a crash, or in a hang.
    Found,
    /// They do, by a script that is shrunk.
    Shrunk {
        /// To so many operations.
        operations: u32,
        /// After so many seconds, the draw included.
        seconds: f64,
    },
}

/// The link that runs threads in parallel, whose order no seed decides: what it catches once it may miss the next time.
pub(crate) const REAL_THREADS: &str = "real threads";

/// What the names of those tests of the link `tests` begin with that do the same.
pub(crate) const STORMS: &str = "storms::";

/// What is drawn is drawn from these seeds, so that a mutant which was caught is caught again.
const SEEDS: [(&str, &str); 3] = [("COPOOL_DRAW_SEED", "0"), ("COPOOL_SHUTTLE_SEED", "0"), ("COPOOL_STRESS_SEED", "1")];

/// What became of a run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Run {
    /// Everything passed.
    Passed,
    /// Something failed: what, and in which execution if it says so.
    Caught {
        /// The test, or how it went down.
        by: String,
        /// In which execution of a checker.
        execution: Option<u64>,
    },
    /// It does not compile, or something else is wrong than a test.
    Broken(String),
}

impl Link {
    /// Whether a mutant that changes `file` is put through this link.
    pub(crate) fn concerns(&self, file: &str) -> bool {
        self.below.is_empty() || self.below.iter().any(|below| file.starts_with(below))
    }

    /// Whether the test of this name is one of this link's.
    pub(crate) fn names(&self, test: &OsStr) -> bool {
        self.arguments.iter().any(|argument| test == *argument)
    }

    /// Runs this link on the copy at `root`, or only the tests whose names contain one of `pieces`, for at most `limit`, and says
    /// how long the tests took.
    pub(crate) fn run(&self, root: &Path, limit: Duration, pieces: &[&str]) -> (Run, Duration) {
        let log = root.with_extension("log");
        if self.cargo(root, &log, &["--no-run"], BUILD_LIMIT) != End::Succeeded {
            return (Run::Broken(format!("it does not compile: {}", errors(&read(&log)))), Duration::ZERO);
        }
        let begin = Instant::now();
        let end = self.cargo(root, &log, &[&["--", "--nocapture", "--test-threads=2"], pieces].concat(), limit);
        let took = begin.elapsed();
        let text = read(&log);
        let run = match end {
            End::Succeeded => Run::Passed,
            End::Failed => match failure(&text) {
                Some(by) => Run::Caught { by, execution: execution(&text) },
                None => Run::Broken(format!("no test failed, but {}", last_line(&text))),
            },
            End::Late => {
                let by = format!("no end within {} s: {}", limit.as_secs(), last_line(&text));
                Run::Caught { by, execution: None }
            }
        };
        (run, took)
    }

    fn cargo(&self, root: &Path, log: &Path, more: &[&str], limit: Duration) -> End {
        let output = File::create(log).expect("a file for the output can be made beside the copy");
        let errors = output.try_clone().expect("a file can be opened twice");
        let mut command = Command::new("cargo");
        command.arg("test").args(self.arguments).args(more);
        command.current_dir(root).stdin(Stdio::null()).stdout(output).stderr(errors);
        command.env("CARGO_TARGET_DIR", root.with_extension("target"));
        // Debug information doubles the time of a build, and nobody debugs here.
        command.env("CARGO_PROFILE_DEV_DEBUG", "0").env("CARGO_TERM_COLOR", "never").env("RUST_BACKTRACE", "0");
        command.envs(SEEDS).env("COPOOL_DIFFERENTIAL_CASES", DRAWS_MOST);
        // A group of its own, so that it can be ended with all that it has started.
        let mut child = command.process_group(0).spawn().expect("cargo can be run");
        let begin = Instant::now();
        loop {
            if let Some(status) = child.try_wait().expect("a child can be waited for") {
                return if status.success() { End::Succeeded } else { End::Failed };
            }
            let failed = read(log).contains("... FAILED");
            if failed || begin.elapsed() > limit {
                let group = format!("-{}", child.id());
                let _ = Command::new("kill").args(["-KILL", "--", &group]).status();
                let _ = child.wait();
                return if failed { End::Failed } else { End::Late };
            }
            std::thread::sleep(LOOK_EVERY);
        }
    }
}

/// How a command ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum End {
    Succeeded,
    Failed,
    Late,
}

/// Draws scripts on the copy at `root`, and says what they come to; or what is wrong.
pub(crate) fn drawn(root: &Path) -> Result<Drawn, String> {
    let (run, took) = DRAWN.run(root, DRAW_LIMIT, &[DRAWS]);
    let text = read(&root.with_extension("log"));
    match run {
        Run::Broken(why) => Err(why),
        Run::Passed if !text.contains("running 1 test") => Err(format!("there is no test {DRAWS}")),
        Run::Passed => Ok(Drawn::Missed),
        Run::Caught { .. } => Ok(operations(&text)
            .map_or(Drawn::Found, |operations| Drawn::Shrunk { operations, seconds: took.as_secs_f64() })),
    }
}

/// For how long scripts are drawn and shrunk; one that hangs is given up after a minute, and so are its simpler ones.
const DRAW_LIMIT: Duration = Duration::from_secs(240);

/// A build that takes longer has gone wrong.
const BUILD_LIMIT: Duration = Duration::from_secs(1800);

/// How often the output of a running command is looked at.
const LOOK_EVERY: Duration = Duration::from_millis(100);

fn read(log: &Path) -> String {
    String::from_utf8_lossy(&std::fs::read(log).unwrap_or_default()).into_owned()
}

/// What the compiler says, in short.
fn errors(text: &str) -> String {
    let lines: Vec<&str> = text.lines().filter(|line| line.starts_with("error")).take(3).collect();
    if lines.is_empty() { "the build took too long".to_owned() } else { lines.join("; ") }
}

/// The first failure in the output of tests, or how they went down.
fn failure(text: &str) -> Option<String> {
    let panicked = |line: &str| {
        let (_, rest) = line.split_once("thread '")?;
        let (name, after) = rest.split_once('\'')?;
        after.contains("panicked at").then(|| name.to_owned())
    };
    // What a test prints may stand between its name and its result.
    let failed = |line: &str| line.strip_prefix("test ")?.split_once(" ... FAILED").map(|(name, _)| name.to_owned());
    let listed = || {
        let (_, after) = text.split_once("\nfailures:\n")?;
        after
            .lines()
            .rev()
            .find_map(|line| line.strip_prefix("    ").filter(|name| !name.contains(' ')))
            .map(str::to_owned)
    };
    let signal = || {
        let line = text.lines().find(|line| line.contains("(signal: "))?;
        let (_, signal) = line.split_once("(signal: ")?;
        Some(format!("signal {}", signal.trim_end_matches(')')))
    };
    // Of those that panicked the last: tests that are to panic do so, too.
    let name = listed().or_else(|| text.lines().find_map(failed)).or_else(|| text.lines().rev().find_map(panicked));
    match (name, signal()) {
        (Some(name), Some(signal)) => Some(format!("{name} ({signal})")),
        (name, signal) => name.or(signal),
    }
}

/// The execution in which a checker found it.
fn execution(text: &str) -> Option<u64> {
    let (_, after) = text.split_once("failed in execution ")?;
    after.split(|c: char| !c.is_ascii_digit()).next()?.parse().ok()
}

/// How many operations the script has that quickcheck shows at its end: a line for each, after the pool and the thread.
fn operations(text: &str) -> Option<u32> {
    let (_, failed) = text.split_once("[quickcheck] TEST FAILED")?;
    let (_, shown) = failed.split_once("Arguments: (")?;
    let lines = shown.lines().take_while(|line| !line.starts_with(')')).map(str::trim).filter(|line| !line.is_empty());
    let operations = lines.filter(|line| !line.starts_with("pool") && !line.starts_with("thread"));
    u32::try_from(operations.count()).ok()
}

fn last_line(text: &str) -> String {
    text.lines().rev().find(|line| !line.trim().is_empty()).unwrap_or("no output").chars().take(80).collect()
}

#[cfg(test)]
mod tests {
    use copool_model::generate::Case;
    use quickcheck::QuickCheck;

    use super::*;

    #[test]
    fn the_name_of_a_failed_test_is_found() {
        let text = "thread 'a_property' (12) panicked at src/x.rs:1:1:\nno\n\nfailures:\n\nfailures:\n    a_property\n\ntest result: FAILED";
        assert_eq!(failure(text).as_deref(), Some("a_property"));
        let aborted = "... (signal: 6, SIGABRT: process abort signal)";
        assert_eq!(failure(aborted).as_deref(), Some("signal 6, SIGABRT: process abort signal"));
        assert_eq!(failure("error: no space left on the device"), None);
    }

    #[test]
    fn the_operations_of_a_shrunk_script_are_counted() {
        fn is_short(case: Case) -> Result<(), String> {
            if case.0.threads.iter().map(Vec::len).sum::<usize>() < 3 { Ok(()) } else { Err("long".to_owned()) }
        }
        let property: fn(Case) -> Result<(), String> = is_short;
        let failed = std::panic::catch_unwind(|| QuickCheck::new().quickcheck(property)).unwrap_err();
        assert_eq!(operations(failed.downcast_ref::<String>().unwrap()), Some(3));
        assert_eq!(operations("nothing"), None);
    }

    #[test]
    fn the_execution_of_a_checker_is_found() {
        assert_eq!(execution("loom    x: all schedules: failed in execution 17 (LOOM"), Some(17));
        assert_eq!(execution("nothing"), None);
    }
}
