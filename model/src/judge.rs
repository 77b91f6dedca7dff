//! Asks the spec about the log of a pool that has gone: is it a path of the rules, and has it come to its end?

use copool_spec::monitor::{self, Monitor, Stamped, at_rest, order};
use copool_spec::{Event, Params, PoolId, PoolState, State};

/// The constants of a pool that is built under a checker, where each situation has to come up in a few polls.
#[must_use]
pub fn tiny(lifo: bool) -> Params {
    // Not exact: several threads, so a pool's looks at all queues are of no one instant.
    Params { exact: false, lifo, polls_per_turn: 2, injector_every: 3, age_every: 5, wrap: 60 }
}

/// How the events stand in a log of several threads.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Told {
    /// In an order that the spec accepts.
    InOrder,
    /// Otherwise: some event was told after what followed from it. There is an order within the stamps.
    Reordered,
}

/// Judges the complete log of a pool that was dropped. `log` has the events in the order in which they were told, if that
/// is known; `threads` has them by threads, with stamps.
///
/// # Errors
/// Why no order of the events is one of the spec's, or what they leave undone.
pub fn judge(params: Params, log: &[Event], threads: &[Vec<Stamped>]) -> Result<Told, String> {
    let mut monitor = Monitor::new(params);
    if !log.is_empty() && log.iter().try_for_each(|event| monitor.accept(unnumbered(*event))).is_ok() {
        return ended(monitor.state()).map(|()| Told::InOrder);
    }
    let threads: Vec<Vec<Stamped>> = threads
        .iter()
        .map(|log| log.iter().map(|entry| Stamped { event: unnumbered(entry.event), ..*entry }).collect())
        .collect();
    let threads: Vec<&[Stamped]> = threads.iter().map(Vec::as_slice).collect();
    let found = order(params, &threads).map_err(|report| report.to_string())?;
    let end = monitor::judge(params, &found).map_err(|report| report.to_string())?;
    ended(&end).map(|()| Told::Reordered)
}

/// The pool's id, which tells it from the process's others, is no property of the script.
pub(crate) fn unnumbered(event: Event) -> Event {
    let pool = PoolId(0);
    match event {
        Event::PoolBuilt { min, max, .. } => Event::PoolBuilt { pool, min, max },
        Event::StopCalled { .. } => Event::StopCalled { pool },
        Event::PoolStopping { .. } => Event::PoolStopping { pool },
        Event::PoolStopped { .. } => Event::PoolStopped { pool },
        event => event,
    }
}

/// Nothing is left undone: every task has its outcome, the count is zero, the queues are empty, nobody is there any more.
fn ended(state: &State) -> Result<(), String> {
    at_rest(state)?;
    if state.phase != PoolState::Stopped || !state.seats.is_empty() || state.running != 0 || state.tasks_wait() {
        return Err(format!("the pool was dropped, but is left like this: {state:?}"));
    }
    Ok(())
}
