//! The protocols of a task, each alone under loom, by the sources that ship.
//!
//! `checked::task` calls them without a pool around them where that keeps a model small; where a protocol is only whole with
//! a worker's coroutine, a pool is driven. A file for each protocol says what its models leave out.
//!
//! A limit of loom's that shapes them: it does not put off a thread's load for a write before which the writer loads the
//! same word itself, as a compare-exchange loop does. So a thread that only looks is started after those who write.
//!
//! Run by `cargo test --features model --test loom_task -- --nocapture`. Models that end are explored completely, the
//! others up to a number of preemptions that their lines print and `COPOOL_LOOM_BOUND` sets.

#[path = "loom_task/calls.rs"]
mod calls;
#[path = "loom_task/common.rs"]
mod common;
#[path = "loom_task/outcome.rs"]
mod outcome;
#[path = "loom_task/parking.rs"]
mod parking;
#[path = "loom_task/whole.rs"]
mod whole;
