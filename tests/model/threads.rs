//! A script of several threads on the reference pool, and what has to hold of every execution of it.

use copool::spec::monitor::{Monitor, at_rest};
use copool::spec::script::{Observation, Op, Pool, Script};
use copool::spec::{Event, Params, PoolState};
use copool_model::sync::Platform;
use copool_model::{Logged, ModelPool, Passing};

/// Constants so small that a short script reaches them.
pub(crate) fn params(script: &Script) -> Params {
    let lifo = script.build.lifo;
    Params { exact: false, lifo, polls_per_turn: 2, injector_every: 3, age_every: 5, wrap: 3 * 5 * 4 }
}

/// Up to so many events a log is also asked for S1–S9, at each event.
const SHORT: usize = 60;

/// A checker's thread, to be joined.
pub(crate) type Join = Box<dyn FnOnce()>;

/// Runs a script, each thread on a thread of a checker. The owner leaves as soon as it is through, whatever the others do.
/// Gives the log, after the spec's monitor has read it and nothing was found to be left of the pool.
pub(crate) fn run<P: Platform>(
    script: &Script,
    passing: Passing,
    spawn: fn(Box<dyn FnOnce() + Send>) -> Join,
) -> Vec<Event> {
    let [own, others @ ..] = &script.threads[..] else { panic!("a script without a thread") };
    let mut pool = ModelPool::<P>::with(&script.build, params(script), passing);
    let others: Vec<Join> = others
        .iter()
        .map(|ops| {
            let (remote, ops) = (pool.remote(), ops.clone());
            spawn(Box::new(move || apply(&mut ModelPool::<P>::arrive(remote), &ops)))
        })
        .collect();
    apply(&mut pool, own);
    let remote = pool.remote();
    drop(pool);
    others.into_iter().for_each(|join| join());
    let left = ModelPool::<P>::arrive(remote);
    let log = left.log();
    if let Err(why) = judge(script, &log).and_then(|()| left.left()) {
        panic!("{why}\n{script}");
    }
    log
}

fn apply<P: Pool>(pool: &mut P, ops: &[Op]) {
    for op in ops {
        if let Observation::Numbers(numbers) = pool.apply(op) {
            assert!(numbers.size <= numbers.outstanding, "{numbers:?}");
            assert!(numbers.state != PoolState::Stopped || numbers.running == 0, "{numbers:?}");
        }
    }
}

/// The spec accepts the log, and each task that was accepted has one outcome in it.
fn judge(script: &Script, log: &[Event]) -> Result<(), String> {
    let mut monitor = Monitor::new(params(script));
    if log.len() <= SHORT {
        monitor = monitor.with_invariants();
    }
    log.iter().try_for_each(|event| monitor.accept(*event)).map_err(|report| report.to_string())?;
    at_rest(monitor.state())?;
    let accepted = log.iter().filter(|event| matches!(event, Event::TaskAccepted { .. })).count();
    let ended = |outcome: &Event| matches!(outcome, Event::OutcomePublished { .. });
    let outcomes = log.iter().filter(|event| ended(event)).count();
    let over = monitor.state().phase == PoolState::Stopped && monitor.state().seats.is_empty();
    if accepted == outcomes && over {
        Ok(())
    } else {
        Err(format!("{accepted} tasks, {outcomes} outcomes, over: {over}"))
    }
}

/// How often a log has an event of this name.
pub(crate) fn count(log: &[Event], name: &str) -> usize {
    log.iter().filter(|event| event.name() == name).count()
}
