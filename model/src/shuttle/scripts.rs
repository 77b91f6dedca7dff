//! Runs a script under shuttle on the production pool, real stacks and all: a thread of shuttle's for each of its threads.

use std::collections::BTreeMap;

use copool_spec::monitor::Stamped;
use copool_spec::script::{Key, Numbers, Observation, Op, Pool, Script};
use copool_spec::{Event, TaskId};

use super::thread;
use crate::compare::outcome;
use crate::failing;
use crate::judge::Told;
use crate::under_shuttle::scripted::{Left, Remote, Scripted, Seen};

/// What a script's pool has for a clock.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Clock {
    /// A virtual one: no drive blocks, system calls are run by the seats.
    Virtual,
    /// The checker's: drives block until somebody wakes them, system calls have helper threads.
    Blocking,
}

/// What there is to know of a run.
#[derive(Debug)]
pub struct Run {
    /// Every event, in the order in which they were told.
    pub log: Vec<Event>,
    /// The same by threads, with stamps.
    pub threads: Vec<Vec<Stamped>>,
    /// What each thread's operations came back with.
    pub observations: Vec<Vec<Observation>>,
    /// What the tasks saw.
    pub seen: Vec<Seen>,
    /// Which task is which.
    pub tasks: BTreeMap<Key, TaskId>,
    /// The pool's numbers after everybody has left.
    pub numbers: Numbers,
    /// What is in memory after that.
    pub left: Left,
}

/// Runs `script`. Its first thread has the pool, and drops it, with its seat, when all the others have ended.
///
/// # Panics
/// If the script makes no sense.
#[must_use]
pub fn run(script: &Script, clock: Clock) -> Run {
    script.check().unwrap_or_else(|why| panic!("{why}\n{script}"));
    let (first, others) = script.threads.split_first().expect("a script has a thread that builds the pool");
    let mut pool = match clock {
        Clock::Virtual => Scripted::build(&script.build),
        Clock::Blocking => Scripted::build_blocking(&script.build),
    };
    failing::draw(script.to_string(), {
        let told = pool.told();
        move || told.events()
    });
    let others: Vec<_> = others.iter().map(|ops| start(pool.remote(), ops.clone())).collect();
    let mut observations = vec![perform(&mut pool, first)];
    observations.extend(others.into_iter().map(|other| other.join().expect("no thread of a script panics")));
    let remote = pool.remote();
    drop(pool);
    let mut rest = Scripted::arrive(remote);
    let Observation::Numbers(numbers) = rest.apply(&Op::Look) else { unreachable!("a look is answered with numbers") };
    let told = rest.told();
    let (seen, tasks) = (rest.seen(), rest.tasks());
    Run { log: told.events(), threads: told.stamped(), observations, seen, tasks, numbers, left: rest.end() }
}

fn start(remote: Remote, ops: Vec<Op>) -> thread::JoinHandle<Vec<Observation>> {
    thread::spawn(move || perform(&mut Scripted::arrive(remote), &ops))
}

fn perform(pool: &mut Scripted, ops: &[Op]) -> Vec<Observation> {
    ops.iter().map(|op| pool.apply(op)).collect()
}

/// Asserts all that must hold of a run, whatever its script: the spec accepts its events, every task has its one outcome,
/// nothing is queued, nobody lives or waits, and nothing is left in memory. Says how the events stood in the log.
///
/// # Panics
/// If something of it does not.
pub fn assert_over(script: &Script, run: &Run) -> Told {
    outcome(script, run).unwrap_or_else(|mismatch| panic!("{mismatch}"))
}
