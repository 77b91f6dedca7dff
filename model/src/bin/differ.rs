//! Replays one script: `cargo run -p copool-model --bin differ -- FILE...`.
//!
//! A file is a script in its text form, or, after `--decode`, the input of the fuzz target `differential`, whose script
//! is printed. Says what differs, if anything does, and where both logs are drawn side by side.

use std::process::ExitCode;

use arbitrary::Unstructured;
use copool::scripted::Scripted;
use copool_model::compare::exact;
use copool_model::generate::{Size, script};
use copool_spec::script::Script;

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let decode = arguments.first().is_some_and(|argument| argument == "--decode");
    let files = &arguments[usize::from(decode)..];
    if files.is_empty() {
        eprintln!("usage: differ [--decode] FILE...");
        return ExitCode::FAILURE;
    }
    let wrong = files.iter().filter(|file| !agrees(file, decode)).count();
    if wrong == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// Whether both pools do the same.
fn agrees(file: &str, decode: bool) -> bool {
    let script = match read(file, decode) {
        Ok(script) => script,
        Err(why) => {
            eprintln!("{file}: {why}");
            return false;
        }
    };
    if decode {
        println!("# {file}\n{script}");
    }
    match exact::<Scripted, Scripted>(&script) {
        Ok(run) => println!("{file}: {} events, the same in both", run.log.len()),
        Err(mismatch) => {
            println!("{file}: {mismatch}{}", mismatch.saved());
            return false;
        }
    }
    true
}

fn read(file: &str, decode: bool) -> Result<Script, String> {
    let bytes = std::fs::read(file).map_err(|error| error.to_string())?;
    if decode {
        return Ok(script(&mut Unstructured::new(&bytes), Size::SINGLE));
    }
    String::from_utf8(bytes).map_err(|error| error.to_string())?.parse().map_err(|error| format!("{error}"))
}
