//! Bad input and misuse: each ends in a typed error or a documented result. Nothing panics that should not, nothing
//! hangs, nothing is lost.
//!
//! What a task does that is wrong, but ordinary, is in `scenarios`; what needs a process of its own in `process`; what
//! must not compile in `compile_fail`.

#[path = "misuse/cancels.rs"]
mod cancels;
mod common;
#[path = "misuse/drives.rs"]
mod drives;
#[path = "misuse/drops.rs"]
mod drops;
#[path = "misuse/forget.rs"]
mod forget;
#[path = "misuse/handles.rs"]
mod handles;
#[path = "misuse/leaves.rs"]
mod leaves;
#[path = "misuse/listeners.rs"]
mod listeners;
#[path = "common/live.rs"]
mod live;
#[path = "misuse/nested_stops.rs"]
mod nested_stops;
#[path = "misuse/panics.rs"]
mod panics;
#[path = "misuse/refused.rs"]
mod refused;
#[path = "misuse/settings.rs"]
mod settings;
#[path = "misuse/stacks.rs"]
mod stacks;
#[path = "misuse/stops.rs"]
mod stops;
#[path = "misuse/time.rs"]
mod time;
#[path = "misuse/unwinding.rs"]
mod unwinding;

use std::cell::RefCell;
use std::thread::LocalKey;

use copool::{CoroutinePool, PoolHandle, PoolState, park};

/// A place from which code without a reference to a pool reaches it: a task, a destructor, a listener.
type Slot = LocalKey<RefCell<Option<CoroutinePool>>>;

/// Asserts that a pool is stopped and every accepted task of it has its outcome.
fn assert_stopped(pool: &PoolHandle) {
    assert_eq!(pool.state(), PoolState::Stopped);
    assert_eq!((pool.size(), pool.outstanding(), pool.get_running_size()), (0, 0, 0), "size, outstanding, running");
    let counters = pool.counters();
    assert_eq!(counters.accepted, counters.ended, "each accepted task has one outcome");
}

/// Asserts that a pool whose seats have gone holds nothing any more.
fn assert_over(pool: &PoolHandle) {
    assert_stopped(pool);
    let counters = pool.counters();
    assert_eq!(counters.stacks as u64, counters.stacks_leaked, "no stack is held but the leaked ones");
    assert_eq!(counters.threads, 0, "no thread is left");
}

/// What a task calls that never ends by itself.
fn forever() {
    loop {
        park();
    }
}
