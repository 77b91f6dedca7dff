//! Replays one script, or one input of a fuzz target:
//!
//! ```text
//! cargo run -p copool-model --bin differ -- FILE...                  scripts in their text form
//! cargo run -p copool-model --bin differ -- --shrink FILE...         the same, and to as few operations as still differ
//! cargo run -p copool-model --bin differ -- --decode FILE...         inputs of `differential`; prints their scripts
//! cargo run -p copool-model --bin differ -- --encode FILE...         scripts; writes each as an input of `differential`, FILE.input
//! cargo run -p copool-model --bin differ -- --interleaving FILE...   inputs of `interleaving`; prints their scripts
//! ```
//!
//! Says what differs, if anything does, and where both logs are drawn side by side.

use std::process::ExitCode;

use copool::scripted::Scripted;
use copool_model::ModelPool;
use copool_model::compare::exact;
use copool_model::generate::{decode, encode, shrunk};
use copool_model::shuttle::input;
use copool_spec::script::Script;

/// What to do with the files.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Job {
    Run,
    Shrink,
    Decode,
    Encode,
    Interleave,
}

fn main() -> ExitCode {
    let mut arguments: Vec<String> = std::env::args().skip(1).collect();
    let job = match arguments.first().map(String::as_str) {
        Some("--shrink") => Job::Shrink,
        Some("--decode") => Job::Decode,
        Some("--encode") => Job::Encode,
        Some("--interleaving") => Job::Interleave,
        _ => Job::Run,
    };
    arguments.drain(..usize::from(job != Job::Run));
    if arguments.is_empty() {
        eprintln!("usage: differ [--shrink | --decode | --encode | --interleaving] FILE...");
        return ExitCode::FAILURE;
    }
    let mut failed = false;
    for file in &arguments {
        if let Err(why) =
            std::fs::read(file).map_err(|error| error.to_string()).and_then(|bytes| replay(file, &bytes, job))
        {
            println!("{file}: {why}");
            failed = true;
        } else {
            println!("{file}: nothing differs");
        }
    }
    if failed { ExitCode::FAILURE } else { ExitCode::SUCCESS }
}

fn replay(file: &str, bytes: &[u8], job: Job) -> Result<(), String> {
    if job == Job::Interleave {
        let (script, clock, schedule) = input::decode(bytes).ok_or("there is no input")?;
        println!("# on a clock that is {clock:?}\n{script}");
        input::execute(script, clock, schedule);
        return Ok(());
    }
    let mut script: Script = if job == Job::Decode {
        decode(bytes)
    } else {
        String::from_utf8_lossy(bytes).parse().map_err(|error| format!("{error}"))?
    };
    if job == Job::Decode {
        println!("{script}");
    }
    if job == Job::Encode {
        let input = encode(&script).ok_or("no input says this script: see model/src/generate.rs for what is drawn")?;
        std::fs::write(format!("{file}.input"), input).map_err(|error| error.to_string())?;
    }
    let differs = |script: &Script| exact::<ModelPool, Scripted>(script).is_err();
    if job == Job::Shrink && differs(&script) {
        script = shrunk(script, differs);
    }
    exact::<ModelPool, Scripted>(&script).map(drop).map_err(|mismatch| format!("{mismatch}{}", mismatch.saved()))
}
