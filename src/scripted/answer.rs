//! What the pool's own answers are called in a script.

use std::time::Duration;

use copool_spec::Outcome;
use copool_spec::script::{Observation, Refusal};

use crate::TaskRef;
use crate::error::{DriveError, JoinError};

pub(super) fn nanos(time: u64) -> Duration {
    Duration::from_nanos(time)
}

pub(super) fn take(task: &TaskRef) -> Observation {
    task.outcome().map_or(Observation::Refused(Refusal::NotYet), |told| as_told(told, task))
}

pub(super) fn join(task: &TaskRef, timeout: Option<Duration>) -> Observation {
    let waited = match timeout {
        Some(timeout) => task.wait_timeout(timeout),
        None => task.wait(),
    };
    waited.map_or_else(|refused| ended(Err(refused)), |told| as_told(told, task))
}

/// The result of a task that has ended, as was just told.
fn as_told(told: Outcome, task: &TaskRef) -> Observation {
    let observation = ended(task.take());
    if let Observation::Ended(outcome, _) = observation {
        assert_eq!(told, outcome, "what is told of a task is what its result says");
    }
    observation
}

pub(super) fn unpark(task: &TaskRef) -> Observation {
    task.unpark();
    Observation::Done
}

pub(super) fn ended(result: Result<u64, JoinError>) -> Observation {
    let refusal = match result {
        Ok(value) => return Observation::Ended(Outcome::Returned, Some(value)),
        Err(JoinError::Panicked(_)) => return Observation::Ended(Outcome::Panicked, None),
        Err(JoinError::Cancelled) => return Observation::Ended(Outcome::Cancelled, None),
        Err(JoinError::Abandoned) => return Observation::Ended(Outcome::Abandoned, None),
        Err(JoinError::Taken) => Refusal::Taken,
        Err(JoinError::Timeout(_)) => Refusal::Timeout,
        Err(JoinError::SelfJoin(_)) => Refusal::SelfJoin,
        Err(JoinError::WouldBlockSeat(_)) => Refusal::WouldBlockSeat,
        Err(JoinError::Unwinding(_)) => Refusal::Unwinding,
        Err(JoinError::OtherPool) => Refusal::OtherPool,
        // Another thread has submitted it, and has not given the handle up yet.
        Err(JoinError::Held) => Refusal::NoSuchTask,
        Err(JoinError::WrongType) => unreachable!("every task of a script returns the same type"),
    };
    Observation::Refused(refusal)
}

pub(super) fn refused_drive(error: DriveError) -> Refusal {
    match error {
        DriveError::Stopped => Refusal::Stopped,
        DriveError::StackExhausted => Refusal::StackExhausted,
        DriveError::Nested => Refusal::Nested,
        DriveError::Unwinding => Refusal::Unwinding,
        DriveError::OtherPool => Refusal::OtherPool,
    }
}

pub(super) fn limit<E>(result: Result<(), E>) -> Observation {
    if result.is_ok() { Observation::Done } else { Observation::Refused(Refusal::Limit) }
}
