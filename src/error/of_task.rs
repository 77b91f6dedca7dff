//! Why a task's value is not to be had: its result, or a coroutine-local one.

use std::any::Any;
use std::error::Error;
use std::fmt;
use std::time::Duration;

use crate::task::TaskRef;

/// Why a join has no value.
///
/// One that was only refused holds the task: nothing is lost, see [`TaskRef::take`].
///
/// A panic's payload can be sent to another thread, and need not be `Sync`: neither is this. Where an error has to be
/// both, make one of its message (`error.to_string()`).
#[non_exhaustive]
pub enum JoinError {
    /// The task panicked, with this payload.
    Panicked(Box<dyn Any + Send>),
    /// The task was cancelled.
    Cancelled,
    /// The task was abandoned, by a stop, a drop or a leaving seat.
    Abandoned,
    /// The result was taken before.
    Taken,
    /// The task was not finished in time; join again.
    Timeout(Duration),
    /// A task cannot wait for itself.
    SelfJoin(TaskRef),
    /// This thread has a seat of the task's pool: blocking would keep the task from running. Drive the seat instead.
    WouldBlockSeat(TaskRef),
    /// The calling task is unwinding, or the caller is a listener: it cannot wait here.
    Unwinding(TaskRef),
    /// The task belongs to another pool.
    OtherPool,
    /// The task's result is of another type. It is still there.
    WrongType,
    /// The result is the task's join handle's, which was not used up by a refused join.
    Held,
}

impl JoinError {
    /// The panic's message, if the task panicked with one.
    #[must_use]
    pub fn panic_message(&self) -> Option<&str> {
        let Self::Panicked(payload) = self else { return None };
        payload.downcast_ref::<&str>().copied().or_else(|| payload.downcast_ref::<String>().map(String::as_str))
    }

    /// The task, if the join was only refused: it can be joined from elsewhere.
    #[must_use]
    pub fn into_task(self) -> Option<TaskRef> {
        match self {
            Self::SelfJoin(task) | Self::WouldBlockSeat(task) | Self::Unwinding(task) => Some(task),
            _ => None,
        }
    }
}

impl fmt::Debug for JoinError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Panicked(_) => f.debug_tuple("Panicked").field(&self.panic_message().unwrap_or("..")).finish(),
            Self::Timeout(after) => f.debug_tuple("Timeout").field(after).finish(),
            Self::Cancelled => f.write_str("Cancelled"),
            Self::Abandoned => f.write_str("Abandoned"),
            Self::Taken => f.write_str("Taken"),
            Self::SelfJoin(task) => f.debug_tuple("SelfJoin").field(task).finish(),
            Self::WouldBlockSeat(task) => f.debug_tuple("WouldBlockSeat").field(task).finish(),
            Self::Unwinding(task) => f.debug_tuple("Unwinding").field(task).finish(),
            Self::OtherPool => f.write_str("OtherPool"),
            Self::WrongType => f.write_str("WrongType"),
            Self::Held => f.write_str("Held"),
        }
    }
}

impl fmt::Display for JoinError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Panicked(_) => match self.panic_message() {
                Some(message) => return write!(f, "the task panicked: {message}"),
                None => "the task panicked",
            },
            Self::Cancelled => "the task was cancelled",
            Self::Abandoned => "the task was abandoned when its pool or seat went away",
            Self::Taken => "the task's result was taken before",
            Self::Timeout(Duration::ZERO) => "the task has not ended yet; join again",
            Self::Timeout(after) => return write!(f, "the task was not finished within {after:?}; join again"),
            Self::SelfJoin(_) => "a task cannot wait for itself; join it from elsewhere",
            Self::WouldBlockSeat(_) => "this thread has a seat of the task's pool; drive the pool instead of blocking",
            Self::Unwinding(_) => "a task that unwinds, or a listener, cannot wait; join it from elsewhere",
            Self::OtherPool => "the task belongs to another pool; ask that one",
            Self::WrongType => "the task's result is of another type; take it as what its closure returns",
            Self::Held => "the task's result is its join handle's to take; join that",
        })
    }
}

impl Error for JoinError {}

/// Why a coroutine-local value is out of reach.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum LocalError {
    /// The caller is not a task.
    NoTask,
    /// The task has ended; its locals are being dropped.
    Ended,
}

impl fmt::Display for LocalError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::NoTask => "there are coroutine-local values only inside a task",
            Self::Ended => "the task has ended; its coroutine-local values are being dropped",
        })
    }
}

impl Error for LocalError {}
