//! One comparison of two pools, or of a pool and the spec, over whatever a user can observe.
//!
//! Two modes:
//!
//! - [`exact`]: a script of one thread goes through both pools. After each operation they must have told the same
//!   events in the same order, shown their tasks the same, answered the same, and have the same numbers. Ids of pools,
//!   workers and tasks count up to renaming: each is called by the order of its first appearance. The spec's monitor
//!   reads the log, once for both, as they are equal.
//! - [`outcome`]: a script of several threads goes through one pool, and what comes about depends on the schedule. The
//!   log must be one of the spec's, each outcome one that the task's own script allows, what was observed must be what
//!   the log says, and in the end nothing may be left.
//!
//! What is known to differ is in [`KNOWN`], with the reason.
//!
//! Tested by `tests/differential.rs`, with pools that lie.

mod judge;
mod outcome;
mod report;

use std::fmt;

use copool_spec::Event;
use copool_spec::rename::ByAppearance;
use copool_spec::script::{Numbers, Observation, Op, Pool, Script, Seen};

use crate::Logged;

pub use judge::{follows, judge, judge_log, looks};
pub use outcome::outcome;
pub use report::Mismatch;

/// What may differ between the model and production, each with its reason. A difference that is not listed is a fault.
pub const KNOWN: [(&str, &str); 0] = [];

/// Everything that can be observed of a script of one thread.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Run {
    /// The whole log, the ids as the pool gave them.
    pub log: Vec<Event>,
    /// What the tasks saw.
    pub seen: Vec<Seen>,
    /// What each operation came back with, and where the pool was then. The last is the drop of the pool.
    pub ops: Vec<Answer>,
}

/// What an operation came back with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answer {
    /// Its result.
    pub observation: Observation,
    /// The pool's numbers afterwards.
    pub numbers: Option<Numbers>,
    /// How many events had been told by then.
    pub told: usize,
    /// How many observations the tasks had made.
    pub seen: usize,
}

/// Runs a script of one thread and drops the pool in the end.
pub fn run<P: Logged>(script: &Script) -> Run {
    run_on(P::build(&script.build), script.threads.first().into_iter().flatten(), P::apply, || ())
}

/// Does operations one after the other, each as `apply` says, and drops the pool; `others` returns when nobody else has a part
/// in it any more.
pub fn run_on<P: Logged, O>(
    mut pool: P,
    all: impl IntoIterator<Item = O>,
    mut apply: impl FnMut(&mut P, O) -> Observation,
    others: impl FnOnce(),
) -> Run {
    let mut ops = Vec::new();
    for op in all {
        let observation = apply(&mut pool, op);
        let numbers = numbers(&mut pool);
        let (told, seen) = pool.observed();
        ops.push(Answer { observation, numbers, told, seen });
    }
    let remote = pool.remote();
    drop(pool);
    others();
    let mut left = P::arrive(remote);
    let (log, seen) = (left.log(), left.seen());
    let numbers = numbers(&mut left);
    ops.push(Answer { observation: Observation::Done, numbers, told: log.len(), seen: seen.len() });
    Run { log, seen, ops }
}

fn numbers(pool: &mut impl Pool) -> Option<Numbers> {
    match pool.apply(&Op::Look) {
        Observation::Numbers(numbers) => Some(numbers),
        _ => None,
    }
}

/// Compares two pools on a script of one thread, and asks the spec about what both did.
///
/// # Errors
/// The first observation that differs, or the rule of the spec that the log breaks.
pub fn exact<A: Logged, B: Logged>(script: &Script) -> Result<Run, Box<Mismatch>> {
    same::<A, B>(script, run::<A>(script), &run::<B>(script))
}

/// [`exact`], after the runs.
///
/// # Errors
/// The same.
pub fn same<A: Logged, B: Logged>(script: &Script, left: Run, right: &Run) -> Result<Run, Box<Mismatch>> {
    let told = |what: String| Mismatch::new(script, (A::NAME, &left.log), (B::NAME, &right.log), what);
    difference::<A, B>(&left, right).map_err(told)?;
    follows(script, &left).map_err(told)?;
    Ok(left)
}

/// Compares what two pools did.
///
/// # Errors
/// The first observation that differs.
pub fn difference<A: Logged, B: Logged>(left: &Run, right: &Run) -> Result<(), String> {
    first_difference((A::NAME, left), (B::NAME, right)).map_or(Ok(()), |difference| Err(difference.to_string()))
}

/// Where two runs part.
struct Difference {
    /// The operation, counted from 1; one more than there are is the pool's drop.
    op: usize,
    what: String,
    left: (&'static str, String),
    right: (&'static str, String),
}

impl fmt::Display for Difference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { op, what, left, right } = self;
        write!(f, "operation {op}: {what}\n  {}: {}\n  {}: {}", left.0, left.1, right.0, right.1)
    }
}

fn first_difference(left: (&'static str, &Run), right: (&'static str, &Run)) -> Option<Difference> {
    let (mut left_names, mut right_names) = (ByAppearance::default(), ByAppearance::default());
    let (a, b) = (left.1, right.1);
    let (mut told, mut seen) = ((0, 0), (0, 0));
    for (at, (x, y)) in a.ops.iter().zip(&b.ops).enumerate() {
        let differs = |what: String, a: String, b: String| {
            Some(Difference { op: at + 1, what, left: (left.0, a), right: (right.0, b) })
        };
        let names = (&mut left_names, &mut right_names);
        if let Some((n, event_left, event_right)) =
            parting_events(&a.log[told.0..x.told], &b.log[told.1..y.told], names)
        {
            return differs(format!("event {} of the log differs", told.0 + n + 1), event_left, event_right);
        }
        if let Some((_, left, right)) = parting(&a.seen[seen.0..x.seen], &b.seen[seen.1..y.seen]) {
            return differs("a task saw something else".to_owned(), left, right);
        }
        if x.observation != y.observation {
            let answers = (format!("{:?}", x.observation), format!("{:?}", y.observation));
            return differs("the answers differ".to_owned(), answers.0, answers.1);
        }
        if x.numbers != y.numbers {
            let numbers = (format!("{:?}", x.numbers), format!("{:?}", y.numbers));
            return differs("the numbers differ".to_owned(), numbers.0, numbers.1);
        }
        (told, seen) = ((x.told, y.told), (x.seen, y.seen));
    }
    None
}

/// The first place where two logs differ, each event with the names of its side, and what stands there.
fn parting_events(
    left: &[Event],
    right: &[Event],
    names: (&mut ByAppearance, &mut ByAppearance),
) -> Option<(usize, String, String)> {
    // One by one: nothing is kept of what is equal.
    let left = left.iter().map(|event| event.renamed(names.0));
    parting(left, right.iter().map(|event| event.renamed(names.1)))
}

/// The first place where two lists differ, with what stands there.
fn parting<T: PartialEq + fmt::Debug>(
    left: impl IntoIterator<Item = T>,
    right: impl IntoIterator<Item = T>,
) -> Option<(usize, String, String)> {
    let show = |item: Option<T>| item.map_or_else(|| "nothing more".to_owned(), |item| format!("{item:?}"));
    let (mut left, mut right) = (left.into_iter(), right.into_iter());
    for at in 0.. {
        match (left.next(), right.next()) {
            (None, None) => break,
            (a, b) if a == b => {}
            (a, b) => return Some((at, show(a), show(b))),
        }
    }
    None
}
