//! The pool's lock-free protocols under loom, each alone: the shipped functions, in models of at most two threads
//! beside main.
//!
//! A model runs all schedules where that ends in seconds; otherwise it is bounded, and its line says by what. Run by
//! `cargo test --features model --test loom_pool -- --nocapture`; `COPOOL_LOOM_BOUND` raises the bounds.
//!
//! Where the fences matter the models are `uneven`: a light fence is no more there than it is in production.
//!
//! What no model here sees: timeouts other than one that passes at once, a wake-up for no reason, more than two seats.

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
#[path = "loom_pool/search.rs"]
mod search;
#[path = "loom_pool/sleep.rs"]
mod sleep;
#[path = "loom_pool/steal.rs"]
mod steal;
