//! One step of the transition system: an event, if its rule allows it.

use crate::{Event, State};

/// What a rule answers: why the event may not happen, if it may not.
pub type Check = Result<(), &'static str>;

/// A guard.
pub(crate) fn require(holds: bool, otherwise: &'static str) -> Check {
    if holds { Ok(()) } else { Err(otherwise) }
}

/// An event that its rule does not allow, and the guard that it fails.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Violation {
    /// The event.
    pub event: Event,
    /// What the guard says.
    pub guard: &'static str,
}

/// What the pool is after the event, if its rule allows it.
pub fn step(mut state: State, event: &Event) -> Result<State, Violation> {
    apply(&mut state, event).map(|()| state)
}

/// [`step`] in place. After a violation the state is of no use any more.
pub fn apply(state: &mut State, event: &Event) -> Result<(), Violation> {
    event.rule(state).map_err(|guard| Violation { event: *event, guard })
}
