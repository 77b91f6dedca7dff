#![doc = include_str!("../README.md")]
#![deny(rustdoc::broken_intra_doc_links)]

#[cfg(panic = "abort")]
compile_error!("copool needs panic = \"unwind\": a task's panic and a cancel unwind the task's own stack");

#[cfg(any(feature = "loom", feature = "shuttle"))]
#[doc(hidden)]
pub mod checked;
mod clock;
mod creator;
mod error;
mod here;
mod lifecycle;
mod listener;
mod pool;
mod queue;
mod schedule;
#[cfg(feature = "script")]
pub mod scripted;
mod stack;
mod suspend;
mod sync;
mod syscall;
mod task;
mod unwind;
mod worker;

/// The executable spec, with the vocabulary that the pool shares with it: ids, states, outcomes and events.
/// Only that vocabulary is part of this crate's interface; the rules and what checks them are for its tests.
pub use copool_spec as spec;

pub use clock::{Clock, VirtualClock};
pub use error::{AttachError, BuildError, DriveError, JoinError, LimitError, LocalError, RejectReason, Rejected};
pub use lifecycle::StopReport;
pub use listener::Listener;
pub use pool::{Builder, CoroutinePool, Counters, MAX_SIZE_LIMIT, PoolHandle, TaskBuilder};
pub use queue::LocalOrder;
pub use spec::{Cancel, Event, Outcome, PoolId, PoolState, SeatId, TaskId, WorkerId, WorkerState};
pub use suspend::{checkpoint, current, delay, park, park_timeout, suspend};
pub use syscall::syscall;
pub use task::{CoroutineLocal, JoinHandle, TaskRef};

/// Why a drive came back; times are [`Instant`](std::time::Instant)s of the pool's clock.
pub type DriveEnd = copool_spec::DriveEnd<std::time::Instant>;
