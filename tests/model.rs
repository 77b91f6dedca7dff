//! The reference pool does what the production pool does: whatever a script of one thread asks for, both come back with the
//! same observations and numbers, and tell the same events in the same order, but for the ids of workers.
//!
//! The spec's monitor reads the reference pool's logs as it reads those of the production pool (`tests/conformance.rs`).

#[path = "conformance/catalog.rs"]
mod catalog;
mod common;
#[path = "conformance/generate.rs"]
mod generate;

use std::collections::BTreeMap;
use std::fmt;

use common::within;
use copool::scripted::Scripted;
use copool::spec::monitor::{Monitor, at_rest};
use copool::spec::script::{Observation, Op, Pool, Script, Seen};
use copool::spec::{Event, Params, PoolId, PoolState, WorkerId};
use copool_model::sync::System;
use copool_model::{Logged, ModelPool, Passing};
use generate::Case;
use quickcheck::QuickCheck;

type Model = ModelPool<System>;

/// What can be told of a run.
#[derive(Debug, PartialEq)]
struct Run {
    /// What each operation came back with, the pool's numbers after it, and how many events had been told by then.
    observations: Vec<(Observation, Observation, usize)>,
    seen: Vec<Seen>,
    log: Vec<Event>,
}

/// Runs a script of one thread on a pool, and drops the pool.
fn run<P: Logged>(mut pool: P, ops: &[Op]) -> Run {
    let mut observations = Vec::new();
    for op in ops {
        observations.push((pool.apply(op), pool.apply(&Op::Look), pool.log().len()));
    }
    let remote = pool.remote();
    drop(pool);
    let left = P::arrive(remote);
    Run { observations, seen: left.seen(), log: numbered_anew(left.log()) }
}

/// The same log with the workers numbered in the order in which they appear, and without the pool's number, which tells
/// it from the others of the process.
fn numbered_anew(log: Vec<Event>) -> Vec<Event> {
    let mut names = BTreeMap::new();
    log.into_iter().map(|event| renamed(event, &mut names)).collect()
}

fn renamed(mut event: Event, names: &mut BTreeMap<WorkerId, WorkerId>) -> Event {
    use Event as E;
    match &mut event {
        E::WorkerCreated { worker, .. }
        | E::WorkerResumed { worker, .. }
        | E::TaskPolled { worker, .. }
        | E::TaskStarted { worker, .. }
        | E::TaskInterrupted { worker, .. }
        | E::WorkerSuspended { worker, .. }
        | E::SuspensionHeard { worker, .. }
        | E::WorkerAdded { worker, .. }
        | E::TaskExited { worker, .. }
        | E::TaskFailed { worker, .. }
        | E::WorkerErrored { worker, .. }
        | E::ErrorHeard { worker, .. }
        | E::CountReduced { worker, .. }
        | E::WorkerRecreated { worker, .. }
        | E::PollFailed { worker, .. }
        | E::NextPoll { worker, .. }
        | E::TimeOver { worker, .. }
        | E::SurplusAsked { worker, .. }
        | E::SurplusGranted { worker, .. }
        | E::WorkerExited { worker, .. }
        | E::WorkerReturned { worker, .. } => {
            let next = WorkerId(names.len() as u64);
            *worker = *names.entry(*worker).or_insert(next);
        }
        E::PoolBuilt { pool, .. } | E::StopCalled { pool } | E::PoolStopping { pool } | E::PoolStopped { pool } => {
            *pool = PoolId(0);
        }
        _ => {}
    }
    event
}

/// Why two runs differ, or a log is not one of the spec's.
struct Wrong(String);

impl fmt::Debug for Wrong {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// The first thing in which two lists differ.
fn first_difference<T: fmt::Debug + PartialEq>(what: &str, model: &[T], production: &[T]) -> Result<(), String> {
    let length = model.len().max(production.len());
    let Some(at) = (0..length).find(|at| model.get(*at) != production.get(*at)) else { return Ok(()) };
    let before = &production[at.saturating_sub(12)..at.min(production.len())];
    Err(format!(
        "{what} {at} differs:\nmodel      {:?}\nproduction {:?}\nbefore it {before:#?}",
        model.get(at),
        production.get(at)
    ))
}

/// Runs the script on both pools; gives the log of the reference pool.
fn same(script: &Script) -> Result<Vec<Event>, Wrong> {
    let [ops] = &script.threads[..] else { panic!("a script of one thread\n{script}") };
    let model = run(Model::build(&script.build), ops);
    let production = within(script.to_string(), {
        let (build, ops) = (script.build.clone(), ops.clone());
        move || run(Scripted::build(&build), &ops)
    });
    let compare = || {
        first_difference("event", &model.log, &production.log)?;
        first_difference("what a task saw,", &model.seen, &production.seen)?;
        first_difference("observation", &model.observations, &production.observations)?;
        let mut monitor = Monitor::new(Params { lifo: script.build.lifo, ..Params::default() });
        model.log.iter().try_for_each(|event| monitor.accept(*event)).map_err(|report| report.to_string())?;
        at_rest(monitor.state())?;
        let over = monitor.state().phase == PoolState::Stopped && monitor.state().seats.is_empty();
        if over { Ok(()) } else { Err("the pool was dropped, and is not stopped".to_owned()) }
    };
    match compare() {
        Ok(()) => Ok(model.log),
        Err(why) => Err(Wrong(format!("{script}\n{why}"))),
    }
}

fn catalog() -> Vec<(&'static str, Script)> {
    let parse = |(name, text): catalog::Entry| match text.parse() {
        Ok(script) => (name, script),
        Err(why) => panic!("{name}: {why}"),
    };
    catalog::entries().into_iter().map(parse).collect()
}

#[test]
fn both_pools_do_the_same_in_each_written_script() {
    let wrong = |(name, script)| same(&script).err().map(|why| format!("{name}\n{}", why.0));
    let wrong: Vec<String> = catalog().into_iter().filter_map(wrong).collect();
    assert!(wrong.is_empty(), "{} scripts differ:\n{}", wrong.len(), wrong.join("\n\n"));
}

/// How many scripts are drawn.
fn cases() -> u64 {
    std::env::var("COPOOL_MODEL_CASES").ok().and_then(|text| text.parse().ok()).unwrap_or(1_000)
}

#[test]
fn both_pools_do_the_same_in_any_script_of_one_thread() {
    fn alike(case: Case) -> Result<(), Wrong> {
        same(&case.0).map(drop)
    }
    let cases = cases();
    let property: fn(Case) -> Result<(), Wrong> = alike;
    QuickCheck::new().tests(cases).max_tests(cases).min_tests_passed(cases.max(1)).quickcheck(property);
    println!("{cases} scripts were drawn");
}

#[test]
fn the_reference_pool_shows_every_arrow() {
    let mut counts = vec![0; Event::NAMES.len()];
    let mut count = |log: &[Event]| log.iter().for_each(|event| counts[event.arrow() as usize] += 1);
    for (_, script) in catalog() {
        count(&run(Model::build(&script.build), &script.threads[0]).log);
    }
    // Arrow 19 needs a clock on which a drive blocks.
    let blocked: Script =
        "pool keep-alive 1\nthread\n submit t0 { delay 1 }\n drain\n submit t1 {}\n schedule".parse().unwrap();
    let pool = Model::with(&blocked.build, Params::default(), Passing::Passes);
    let log = run(pool, &blocked.threads[0]).log;
    let mut monitor = Monitor::new(Params::default());
    log.iter().for_each(|event| monitor.accept(*event).unwrap_or_else(|report| panic!("{report}")));
    count(&log);
    let missing: Vec<&str> = (0..Event::ARROWS).filter(|at| counts[*at] == 0).map(|at| Event::NAMES[at]).collect();
    assert!(missing.is_empty(), "{} of {} arrows are missing: {missing:?}", missing.len(), Event::ARROWS);
    println!("{0} of {0} arrows", Event::ARROWS);
}
