//! The monitor: does the spec accept what a pool did?
//!
//! [`Monitor`] takes one event after the other, where their order is known: the log of one thread, or of an execution under
//! a checker that logs at the very steps; [`judge`] takes such a log as a whole. [`order`] takes the logs of several threads,
//! each event with a stamp before and after it happened, and searches, depth first, for an order that the spec accepts and
//! that puts no event before one that had ended when it began.
//!
//! All only step through the rules: that the rules keep the invariants is what the exploration shows. Whoever wants them
//! checked on the way all the same, asks for it by [`Monitor::with_invariants`].

use core::fmt;
use std::collections::HashSet;
use std::hash::{DefaultHasher, Hash, Hasher};

use crate::state::State;
use crate::{Event, Params, SeatId, TaskId, WorkerId, WorkerState, apply, draw, invariants};

/// Why a log is not one of the spec's, in words, with the log as a sequence diagram.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Report {
    /// The event that no rule allows.
    pub event: Event,
    /// The guard that it fails, or the invariant that it breaks.
    pub guard: &'static str,
    /// How many events were accepted before.
    pub accepted: usize,
    /// The participants of the event as they were, and the pool's numbers.
    pub values: String,
    /// The log up to the event, and the event.
    pub log: Vec<Event>,
}

impl Report {
    fn new(before: &State, event: Event, guard: &'static str, mut log: Vec<Event>) -> Box<Report> {
        let accepted = log.len();
        log.push(event);
        Box::new(Report { event, guard, accepted, values: values(before, &event), log })
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        const DRAWN: usize = 120;
        let number = self.event.arrow() as usize + 1;
        let name = self.event.name();
        if number <= Event::ARROWS {
            writeln!(f, "arrow {number}, rule `{name}`: {}", self.guard)?;
        } else {
            writeln!(f, "beside the arrows, rule `{name}`: {}", self.guard)?;
        }
        writeln!(f, "event {} of the log: {:?}", self.accepted + 1, self.event)?;
        writeln!(f, "{}", self.values)?;
        let skipped = self.log.len().saturating_sub(DRAWN);
        if skipped > 0 {
            writeln!(f, "the last {DRAWN} events, of {}:", self.log.len())?;
        }
        write!(f, "```mermaid\n{}```", draw::mermaid(&self.log[skipped..]))
    }
}

impl std::error::Error for Report {}

/// The values at fault: the participants that the event names, and the pool's numbers.
fn values(state: &State, event: &Event) -> String {
    let mut text = format!(
        "pool: {:?}, running {} of {}..={}, queues {:?}",
        state.phase, state.running, state.min, state.max, state.queues
    );
    let named = format!("{event:?}");
    for word in named.split(|c: char| !c.is_ascii_alphanumeric()) {
        let Some(letter) = word.chars().next() else { continue };
        let Ok(number) = word[letter.len_utf8()..].parse::<u64>() else { continue };
        text += &match letter {
            'S' => format!("\n{word}: {:?}", u32::try_from(number).ok().and_then(|n| state.seats.get(&SeatId(n)))),
            'W' => format!("\n{word}: {:?}", state.workers.get(&WorkerId(number))),
            'T' => format!("\n{word}: {:?}", state.tasks.get(&TaskId(number))),
            _ => continue,
        };
    }
    text
}

/// Follows one totally ordered log.
#[derive(Clone, Debug)]
pub struct Monitor {
    state: State,
    log: Vec<Event>,
    invariants: bool,
}

impl Monitor {
    /// Follows a pool from before it is built.
    #[must_use]
    pub fn new(params: Params) -> Monitor {
        Monitor { state: State::new(params), log: Vec::new(), invariants: false }
    }

    /// Also checks S1–S9 at every event, at the cost of a copy of the state each.
    #[must_use]
    pub fn with_invariants(mut self) -> Monitor {
        self.invariants = true;
        self
    }

    /// Takes the next event.
    pub fn accept(&mut self, event: Event) -> Result<(), Box<Report>> {
        let before = self.invariants.then(|| self.state.clone());
        if let Err(violation) = apply(&mut self.state, &event) {
            let before = before.unwrap_or_else(|| replay(self.state.params, &self.log));
            return Err(Report::new(&before, event, violation.guard, self.log.clone()));
        }
        if let Some(before) = before
            && let Some(name) = invariants::broken(&before, &event, &self.state)
        {
            return Err(Report::new(&before, event, name, self.log.clone()));
        }
        self.log.push(event);
        Ok(())
    }

    /// The pool as the log says it is.
    #[must_use]
    pub fn state(&self) -> &State {
        &self.state
    }

    /// The events so far.
    #[must_use]
    pub fn log(&self) -> &[Event] {
        &self.log
    }

    /// How often each event was accepted, by [`Event::arrow`]; the first [`Event::ARROWS`] are the arrows.
    #[must_use]
    pub fn counts(&self) -> Vec<usize> {
        counts(&self.log)
    }

    /// Says what is left undone, if anything is: see [`at_rest`].
    pub fn at_rest(&self) -> Result<(), String> {
        at_rest(&self.state)
    }
}

/// Judges the whole log of a pool, from before it was built, and gives the pool as it is at the end.
pub fn judge(params: Params, log: &[Event]) -> Result<State, Box<Report>> {
    let mut state = State::new(params);
    for (at, event) in log.iter().enumerate() {
        if let Err(violation) = apply(&mut state, event) {
            let before = replay(params, &log[..at]);
            return Err(Report::new(&before, *event, violation.guard, log[..at].to_vec()));
        }
    }
    Ok(state)
}

/// The state after a log that was accepted: a rule that refuses leaves its state half changed.
fn replay(params: Params, log: &[Event]) -> State {
    let mut state = State::new(params);
    for event in log {
        // Accepted once, accepted again: the rules are functions.
        let _ = apply(&mut state, event);
    }
    state
}

/// How often each event is in a log, by [`Event::arrow`].
#[must_use]
pub fn counts(log: &[Event]) -> Vec<usize> {
    let mut counts = vec![0; Event::NAMES.len()];
    log.iter().for_each(|event| counts[event.arrow() as usize] += 1);
    counts
}

/// Says what is left undone, if anything is: a task without outcome, a drive, a worker that does not idle, a count that is
/// not the number of workers.
pub fn at_rest(state: &State) -> Result<(), String> {
    if let Some((id, task)) = state.tasks.iter().find(|(_, task)| task.outcome.is_none()) {
        return Err(format!("{id} has no outcome: {task:?}"));
    }
    if let Some((id, seat)) = state.seats.iter().find(|(_, seat)| seat.drive.is_some()) {
        return Err(format!("{id} is being driven: {seat:?}"));
    }
    let busy = |state| !matches!(state, WorkerState::Idle | WorkerState::Ready);
    if let Some((id, worker)) = state.workers.iter().find(|(_, w)| busy(w.state) || w.task.is_some()) {
        return Err(format!("{id} does not idle: {worker:?}"));
    }
    if usize::try_from(state.running) != Ok(state.workers.len()) {
        return Err(format!("running is {}, but {} workers live", state.running, state.workers.len()));
    }
    Ok(())
}

/// An event that happened at some instant between two stamps.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stamped {
    /// Not later than the event.
    pub begin: u64,
    /// Not earlier than the event.
    pub end: u64,
    /// The event.
    pub event: Event,
}

/// The log of one thread, which takes a stamp with each event. What a thread tells, it did since it told the event before:
/// that is the interval. The exception is one step that is told as several events: an abandonment and its outcome, and the leaving
/// of a worker, whose count may be released before the first of its arrows is told. These have one interval.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ThreadLog {
    entries: Vec<Stamped>,
    last: u64,
}

impl ThreadLog {
    /// Whatever the thread tells next did not happen before this stamp.
    pub fn begin(&mut self, stamp: u64) {
        self.last = stamp;
    }

    /// The thread tells an event that has happened by now.
    pub fn tell(&mut self, stamp: u64, event: Event) {
        let begin = self.entries.last().filter(|last| one_step(last.event, event)).map_or(self.last, |last| last.begin);
        self.entries.push(Stamped { begin, end: stamp, event });
        self.last = stamp;
    }

    /// The events with their stamps.
    #[must_use]
    pub fn entries(&self) -> &[Stamped] {
        &self.entries
    }
}

/// Whether an event is told of the same step as the event before it on its thread.
fn one_step(before: Event, event: Event) -> bool {
    match (before, event) {
        (Event::TaskAbandoned { task }, Event::OutcomePublished { task: same, .. }) => task == same,
        (Event::TimeOver { worker, .. }, Event::SurplusAsked { worker: same, .. })
        | (Event::SurplusAsked { worker, .. }, Event::SurplusGranted { worker: same, .. })
        | (Event::SurplusGranted { worker, .. }, Event::WorkerExited { worker: same, .. }) => worker == same,
        _ => false,
    }
}

/// How much a search may try for each event of the logs, on average.
const TRIES_PER_EVENT: usize = 1_000;

/// A place of the search where another choice is left.
struct Branch {
    state: State,
    at: Vec<usize>,
    choices: Vec<usize>,
    length: usize,
}

/// Searches for an order of several threads' events that the spec accepts, and gives it. If there is none, the report is
/// about the longest beginning of an order that was accepted.
///
/// `params.exact` should be false.
pub fn order(params: Params, logs: &[&[Stamped]]) -> Result<Vec<Event>, Box<Report>> {
    let total: usize = logs.iter().map(|log| log.len()).sum();
    let mut seen = HashSet::new();
    let mut branches: Vec<Branch> = Vec::new();
    let (mut state, mut at, mut order) = (State::new(params), vec![0; logs.len()], Vec::with_capacity(total));
    let mut longest: Option<Box<Report>> = None;
    let mut choices = heads(logs, &at);
    for _ in 0..total.saturating_mul(TRIES_PER_EVENT).max(TRIES_PER_EVENT) {
        if order.len() == total {
            return Ok(order);
        }
        let Some(thread) = choices.pop() else {
            // Nothing is left to try here: back to the last place where something is.
            let Some(branch) = branches.pop() else { break };
            (state, at, choices) = (branch.state, branch.at, branch.choices);
            order.truncate(branch.length);
            continue;
        };
        let event = logs[thread][at[thread]].event;
        if !choices.is_empty() {
            branches.push(Branch { state: state.clone(), at: at.clone(), choices, length: order.len() });
        }
        match apply(&mut state, &event) {
            Ok(()) => {
                at[thread] += 1;
                order.push(event);
                let fresh = branches.is_empty() || seen.insert(fingerprint(&state, &at));
                choices = if fresh { heads(logs, &at) } else { Vec::new() };
            }
            Err(violation) => {
                if longest.as_ref().is_none_or(|longest| longest.accepted < order.len()) {
                    longest = Some(Report::new(&replay(params, &order), event, violation.guard, order.clone()));
                }
                choices = Vec::new();
            }
        }
    }
    if order.len() == total {
        return Ok(order);
    }
    let fallback = || {
        let event = logs.iter().find_map(|log| log.first()).map_or(Event::SeatLeft { seat: SeatId(0) }, |e| e.event);
        Report::new(&State::new(params), event, "the search was given up", Vec::new())
    };
    Err(longest.unwrap_or_else(fallback))
}

/// The threads whose next event may come next: those that no other thread's next event had ended before. The best guess,
/// the one that ended first, comes last.
fn heads(logs: &[&[Stamped]], at: &[usize]) -> Vec<usize> {
    let next = |thread: usize| logs[thread].get(at[thread]);
    let Some(bound) = (0..logs.len()).filter_map(next).map(|head| head.end).min() else { return Vec::new() };
    let mut heads: Vec<usize> = (0..logs.len()).filter(|t| next(*t).is_some_and(|head| head.begin <= bound)).collect();
    heads.sort_by_key(|t| core::cmp::Reverse(next(*t).map(|head| head.end)));
    heads
}

fn fingerprint(state: &State, at: &[usize]) -> u64 {
    let mut hasher = DefaultHasher::new();
    (state, at).hash(&mut hasher);
    hasher.finish()
}
