//! The errors: each says what was wrong and what to do, and gives back what was handed in.

use std::any::Any;
use std::error::Error;
use std::time::Duration;
use std::{fmt, io};

use crate::creator::Refused;
use crate::stack::SizeError;
use crate::task::TaskRef;

/// Why a pool was not built.
#[derive(Debug)]
#[non_exhaustive]
pub enum BuildError {
    /// `min_size` is larger than `max_size`.
    MinAboveMax {
        /// The wished minimum.
        min: u32,
        /// The wished maximum.
        max: u32,
    },
    /// `max_size` is larger than the pool can count.
    MaxTooLarge {
        /// The wished maximum.
        max: u32,
        /// The largest possible one.
        limit: u32,
    },
    /// The stacks would be too small to run anything.
    StackTooSmall {
        /// The wished size in bytes.
        size: usize,
        /// The least size in bytes.
        least: usize,
    },
    /// The stacks would be larger than the address space.
    StackTooLarge {
        /// The wished size in bytes.
        size: usize,
    },
    /// A background schedule thread could not be started. Those that were have been joined again.
    Spawn(io::Error),
}

impl fmt::Display for BuildError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::MinAboveMax { min, max } => {
                write!(f, "min_size {min} is above max_size {max}; raise the one or lower the other")
            }
            Self::MaxTooLarge { max, limit } => {
                write!(f, "max_size {max} is above {limit}, the most workers a pool can count")
            }
            Self::StackTooSmall { size, least } => {
                write!(f, "a stack of {size} bytes is too small; the least is {least}")
            }
            Self::StackTooLarge { size } => write!(f, "a stack of {size} bytes does not fit the address space"),
            Self::Spawn(error) => write!(f, "a background schedule thread could not be started: {error}"),
        }
    }
}

impl Error for BuildError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match self {
            Self::Spawn(error) => Some(error),
            _ => None,
        }
    }
}

impl From<SizeError> for BuildError {
    fn from(error: SizeError) -> Self {
        match error {
            SizeError::TooSmall { size, least } => Self::StackTooSmall { size, least },
            SizeError::TooLarge { size } => Self::StackTooLarge { size },
        }
    }
}

impl From<Refused> for BuildError {
    fn from(refused: Refused) -> Self {
        match refused {
            Refused::MinAboveMax { min, max } => Self::MinAboveMax { min, max },
            Refused::TooLarge { max } => Self::MaxTooLarge { max, limit: crate::creator::MOST },
        }
    }
}

/// Why a limit was not changed. The limits are as they were.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum LimitError {
    /// The minimum would be above the maximum.
    MinAboveMax {
        /// The minimum that would be.
        min: u32,
        /// The maximum that would be.
        max: u32,
    },
    /// The maximum is larger than the pool can count.
    MaxTooLarge {
        /// The wished maximum.
        max: u32,
        /// The largest possible one.
        limit: u32,
    },
}

impl fmt::Display for LimitError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::MinAboveMax { min, max } => {
                write!(f, "min_size would be {min} and max_size {max}; change the other one first")
            }
            Self::MaxTooLarge { max, limit } => {
                write!(f, "max_size {max} is above {limit}, the most workers a pool can count")
            }
        }
    }
}

impl Error for LimitError {}

impl From<Refused> for LimitError {
    fn from(refused: Refused) -> Self {
        match refused {
            Refused::MinAboveMax { min, max } => Self::MinAboveMax { min, max },
            Refused::TooLarge { max } => Self::MaxTooLarge { max, limit: crate::creator::MOST },
        }
    }
}

/// Why no seat was attached.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum AttachError {
    /// This thread has a seat of this pool already; drive that one.
    AlreadySeated,
    /// The pool was stopped.
    Stopped,
    /// The thread is past its thread-local destructors, or in a listener.
    Refused,
}

impl fmt::Display for AttachError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::AlreadySeated => "this thread has a seat of this pool already; drive that one",
            Self::Stopped => "the pool was stopped",
            Self::Refused => "no seat can be attached from a listener or from a thread-local's destructor",
        })
    }
}

impl Error for AttachError {}

/// Why a drive did not run. Nothing is lost: what was queued is still queued.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum DriveError {
    /// The pool is stopped.
    Stopped,
    /// No stack could be had, and no worker of this seat lives that could free one. The tasks stay queued.
    StackExhausted,
    /// This seat is being driven already, by the call that runs the caller; or the caller is a listener.
    Nested,
    /// The thread is panicking: a task would take itself to be unwinding.
    Unwinding,
    /// The task to wait for belongs to another pool, whose only seat is on this thread and cannot be driven meanwhile.
    OtherPool,
}

impl fmt::Display for DriveError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Stopped => "the pool is stopped",
            Self::StackExhausted => {
                "no stack could be allocated; the tasks stay queued: lower max_size or the stack size"
            }
            Self::Nested => "the seat is being driven already, from further down this stack",
            Self::Unwinding => "a pool cannot be driven while its thread is panicking",
            Self::OtherPool => "the task belongs to another pool, which must be driven itself",
        })
    }
}

impl Error for DriveError {}

impl From<DriveError> for io::Error {
    fn from(error: DriveError) -> Self {
        let kind = match error {
            DriveError::Stopped => io::ErrorKind::BrokenPipe,
            DriveError::StackExhausted => io::ErrorKind::OutOfMemory,
            DriveError::Nested | DriveError::Unwinding => io::ErrorKind::ResourceBusy,
            DriveError::OtherPool => io::ErrorKind::InvalidInput,
        };
        Self::new(kind, error)
    }
}

/// Why a submission was rejected.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum RejectReason {
    /// The pool is stopping, or stopped.
    Stopped,
    /// The task's stack would be too small.
    StackTooSmall {
        /// The wished size in bytes.
        size: usize,
        /// The least size in bytes.
        least: usize,
    },
    /// The task's stack would be larger than the address space.
    StackTooLarge {
        /// The wished size in bytes.
        size: usize,
    },
}

impl fmt::Display for RejectReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Stopped => f.write_str("the pool takes no more tasks: it is stopping or stopped"),
            Self::StackTooSmall { size, least } => {
                write!(f, "a stack of {size} bytes is too small; the least is {least}")
            }
            Self::StackTooLarge { size } => write!(f, "a stack of {size} bytes does not fit the address space"),
        }
    }
}

/// A rejected submission, with the closure to have it back.
///
/// ```
/// # use std::time::Duration;
/// let mut pool = copool::CoroutinePool::default();
/// pool.stop(Duration::ZERO);
/// let rejected = pool.spawn(|| 7).unwrap_err();
/// assert_eq!(rejected.into_inner()(), 7);
/// ```
pub struct Rejected<F> {
    closure: F,
    reason: RejectReason,
}

impl<F> Rejected<F> {
    pub(crate) fn new(closure: F, reason: RejectReason) -> Self {
        Self { closure, reason }
    }

    /// The closure, as it was submitted.
    pub fn into_inner(self) -> F {
        self.closure
    }

    /// Why it was rejected.
    pub fn reason(&self) -> RejectReason {
        self.reason
    }
}

impl<F> fmt::Debug for Rejected<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Rejected").field("reason", &self.reason).finish_non_exhaustive()
    }
}

impl<F> fmt::Display for Rejected<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.reason.fmt(f)
    }
}

impl<F> Error for Rejected<F> {}

impl<F> From<Rejected<F>> for io::Error {
    fn from(rejected: Rejected<F>) -> Self {
        let kind = match rejected.reason {
            RejectReason::Stopped => io::ErrorKind::BrokenPipe,
            _ => io::ErrorKind::InvalidInput,
        };
        Self::new(kind, rejected.reason.to_string())
    }
}

/// Why a join has no value.
///
/// One that was only refused holds the task: nothing is lost, see [`TaskRef::take`].
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
            Self::Timeout(after) => return write!(f, "the task was not finished within {after:?}; join again"),
            Self::SelfJoin(_) => "a task cannot wait for itself",
            Self::WouldBlockSeat(_) => "this thread has a seat of the task's pool; drive the pool instead of blocking",
            Self::Unwinding(_) => "a task that unwinds, or a listener, cannot wait",
            Self::OtherPool => "the task belongs to another pool",
            Self::WrongType => "the task's result is of another type",
            Self::Held => "the task's result is its join handle's to take",
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
