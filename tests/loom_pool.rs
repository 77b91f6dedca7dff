//! The pool's lock-free protocols under loom, each alone: the shipped functions, in models of at most two threads
//! beside main.
//!
//! A model runs all schedules where that ends in seconds; otherwise it is bounded, and its line says by what. Run by
//! `cargo test --features model --test loom_pool -- --nocapture`; `COPOOL_LOOM_BOUND` raises the bounds.
//!
//! What no model here sees: real stacks under the tasks except where a file says so, timeouts other than one that
//! passes at once, and the difference between the light and the heavy fence, which are both a full fence here.

#[path = "loom_pool/exit.rs"]
mod exit;
#[path = "loom_pool/gate.rs"]
mod gate;
#[path = "loom_pool/lane.rs"]
mod lane;
#[path = "loom_pool/limits.rs"]
mod limits;
#[path = "loom_pool/roster.rs"]
mod roster;
#[path = "loom_pool/sleep.rs"]
mod sleep;
#[path = "loom_pool/steal.rs"]
mod steal;
