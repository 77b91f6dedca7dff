//! Inputs that are kept: the seeds of the fuzz targets, which reach every arrow, and every script and every input that
//! ever failed (`tests/regressions`).

use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::path::{Path, PathBuf};
use std::sync::mpsc::channel;
use std::thread;

use copool::scripted::Scripted;
use copool::spec::Event;
use copool::spec::monitor::counts;
use copool::spec::script::Script;
use copool_model::compare::exact;
use copool_model::generate::decode;
use copool_model::shuttle::input;

use super::{Explained, Reference};

/// The files of a directory of the repository, in an order that stays.
fn files(directory: &str) -> Vec<PathBuf> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(directory);
    let read = || std::fs::read_dir(&path)?.map(|entry| Ok(entry?.path())).collect();
    let all: io::Result<Vec<PathBuf>> = read();
    let mut files = all.unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    files.retain(|file| file.is_file());
    assert!(!files.is_empty(), "{} has no files", path.display());
    files.sort();
    files
}

fn read(path: &Path) -> Vec<u8> {
    std::fs::read(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// Runs `body` on a thread that does not end: a task that was given up leaves its stack to the thread it was on.
fn on_a_thread_that_stays<R: Send + 'static>(body: impl FnOnce() -> R + Send + 'static) -> R {
    let (done, over) = channel();
    thread::spawn(move || {
        let _ = done.send(catch_unwind(AssertUnwindSafe(body)));
        loop {
            thread::park();
        }
    });
    over.recv().expect("the thread stays").unwrap_or_else(|payload| resume_unwind(payload))
}

/// Adds up how often each event was told.
fn add(sum: &mut Vec<usize>, log: &[Event]) {
    sum.resize(Event::NAMES.len(), 0);
    sum.iter_mut().zip(counts(log)).for_each(|(sum, count)| *sum += count);
}

/// The arrows that were not passed.
fn missing(counts: &[usize]) -> Vec<&'static str> {
    (0..Event::ARROWS).filter(|at| counts.get(*at).is_none_or(|count| *count == 0)).map(|at| Event::NAMES[at]).collect()
}

fn run(path: &Path) -> Vec<Event> {
    let script = decode(&read(path));
    match exact::<Reference, Scripted>(&script) {
        Ok(run) => run.log,
        Err(mismatch) => panic!("{}: {:?}", path.display(), Explained(mismatch)),
    }
}

#[test]
fn the_seeds_of_differential_reach_every_arrow_and_both_pools_do_the_same() {
    let files = files("fuzz/corpus/differential");
    let (seeds, mut sum) = (files.clone(), Vec::new());
    let sum = on_a_thread_that_stays(move || {
        seeds.iter().for_each(|file| add(&mut sum, &run(file)));
        sum
    });
    println!("{} seeds of differential, {} events", files.len(), sum.iter().sum::<usize>());
    // On a virtual clock a pool with one seat never blocks.
    assert_eq!(missing(&sum), ["seat_blocked"]);
}

#[test]
fn the_seeds_of_interleaving_reach_every_arrow_and_end_well() {
    let files = files("fuzz/corpus/interleaving");
    let mut sum = Vec::new();
    for file in &files {
        let (script, clock, schedule) = input::decode(&read(file)).expect("a seed is not empty");
        add(&mut sum, &input::execute(script, clock, schedule));
    }
    println!("{} seeds of interleaving, {} events", files.len(), sum.iter().sum::<usize>());
    assert_eq!(missing(&sum), [] as [&str; 0]);
}

#[test]
fn what_failed_once_does_not_again() {
    let scripts = files("tests/regressions/differential");
    for file in &scripts {
        let text = String::from_utf8(read(file)).expect("a script is text");
        let script: Script = text.parse().unwrap_or_else(|why| panic!("{}: {why}", file.display()));
        let end = on_a_thread_that_stays(move || exact::<Reference, Scripted>(&script).map(drop));
        end.unwrap_or_else(|mismatch| panic!("{}: {:?}", file.display(), Explained(mismatch)));
    }
    let inputs = files("tests/regressions/interleaving");
    for file in &inputs {
        let (script, clock, schedule) = input::decode(&read(file)).expect("an input is not empty");
        input::execute(script, clock, schedule);
    }
    println!("{} scripts and {} interleavings that failed once", scripts.len(), inputs.len());
}
