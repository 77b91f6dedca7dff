//! The reference pool, and the harness that puts it and copool through loom and through shuttle.
//!
//! [`ModelPool`] is the pool of the spec with one lock and without stacks; its files bear the names of production's. Read
//! them in the order `shared`, `queue`, `task`, `suspend`, `worker`, `creator`, `schedule`, `lifecycle`, `pool`.
//!
//! The sources of the pool are built three times: as [`copool`], for users, and as [`under_loom`] and
//! [`under_shuttle`], where they get their atomics, locks and threads from a checker. A test picks a build, and runs it
//! by the `check` of [`loom`] or of [`shuttle`]:
//!
//! - everything the test does that matters happens inside the closure, which runs once an execution;
//! - it uses that build's types and that checker's threads, and ends with nothing left running;
//! - it asserts the end state. What it does not assert, no number of executions will find.
//!
//! Each check prints one line: the tool, the bound, the executions, the time. A check that ran nothing fails.
#![forbid(unsafe_code)]

pub mod choices;
pub mod compare;
pub mod generate;
pub mod judge;
#[cfg(feature = "loom")]
pub mod loom;
pub mod shuttle;
pub mod stamped;
pub mod sync;

mod clock;
mod creator;
mod failing;
mod lifecycle;
mod listener;
mod pool;
mod queue;
mod schedule;
mod setting;
mod shared;
mod suspend;
mod task;
mod worker;

pub use clock::Passing;
pub use listener::Logged;
pub use pool::{ModelPool, PATIENCE, Remote};
pub use setting::setting;

#[cfg(feature = "loom")]
pub use copool_under_loom as under_loom;
pub use copool_under_shuttle as under_shuttle;
