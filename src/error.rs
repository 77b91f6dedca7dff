//! The errors: each says what was wrong and what to do, and gives back what was handed in.

mod of_task;

use std::error::Error;
use std::{fmt, io};

pub use of_task::{JoinError, LocalError};

use crate::creator::Refused;
use crate::stack::SizeError;

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
    /// The stacks would be larger than any system has memory for.
    StackTooLarge {
        /// The wished size in bytes.
        size: usize,
        /// The largest possible size in bytes.
        most: usize,
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
                write!(f, "max_size {max} is above {limit}, the most workers a pool can count; lower it to that")
            }
            Self::StackTooSmall { size, least } => {
                write!(f, "a stack of {size} bytes is too small; the least is {least}")
            }
            Self::StackTooLarge { size, most } => {
                write!(f, "a stack of {size} bytes is too large; the most is {most}")
            }
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

impl From<BuildError> for io::Error {
    fn from(error: BuildError) -> Self {
        let kind = match &error {
            BuildError::Spawn(error) => error.kind(),
            _ => io::ErrorKind::InvalidInput,
        };
        Self::new(kind, error)
    }
}

impl From<SizeError> for BuildError {
    fn from(error: SizeError) -> Self {
        match error {
            SizeError::TooSmall { size, least } => Self::StackTooSmall { size, least },
            SizeError::TooLarge { size, most } => Self::StackTooLarge { size, most },
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
                write!(f, "max_size {max} is above {limit}, the most workers a pool can count; lower it to that")
            }
        }
    }
}

impl Error for LimitError {}

impl From<LimitError> for io::Error {
    fn from(error: LimitError) -> Self {
        Self::new(io::ErrorKind::InvalidInput, error)
    }
}

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
    /// The caller is a listener.
    Refused,
}

impl fmt::Display for AttachError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::AlreadySeated => "this thread has a seat of this pool already; drive that one",
            Self::Stopped => "the pool was stopped; build another one",
            Self::Refused => "no seat can be attached in a listener; do it before or after",
        })
    }
}

impl Error for AttachError {}

impl From<AttachError> for io::Error {
    fn from(error: AttachError) -> Self {
        let kind = match error {
            AttachError::AlreadySeated => io::ErrorKind::AlreadyExists,
            AttachError::Stopped => io::ErrorKind::BrokenPipe,
            AttachError::Refused => io::ErrorKind::ResourceBusy,
        };
        Self::new(kind, error)
    }
}

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
            Self::Stopped => "the pool is stopped; build another one",
            Self::StackExhausted => {
                "no stack could be had; the tasks stay queued: raise max_stacks, or lower max_size or the stack size"
            }
            Self::Nested => {
                "no drive begins inside of another one of the same seat, nor in a listener; in a task suspend or join instead"
            }
            Self::Unwinding => "a pool cannot be driven while its thread is panicking; drive it afterwards",
            Self::OtherPool => "the task belongs to another pool of this thread; drive that one",
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
    /// The task's stack would be larger than any system has memory for.
    StackTooLarge {
        /// The wished size in bytes.
        size: usize,
        /// The largest possible size in bytes.
        most: usize,
    },
}

impl Error for RejectReason {}

impl fmt::Display for RejectReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Stopped => f.write_str("the pool takes no more tasks: it is stopping or stopped"),
            Self::StackTooSmall { size, least } => {
                write!(f, "a stack of {size} bytes is too small; the least is {least}")
            }
            Self::StackTooLarge { size, most } => {
                write!(f, "a stack of {size} bytes is too large; the most is {most}")
            }
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
        Self::new(kind, rejected.reason)
    }
}
