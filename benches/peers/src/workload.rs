//! The workloads, and how large each is. Every contestant does the same work, unless its note says otherwise.

/// A task's whole life is one operation; so many are alive at once.
pub const BATCH: u64 = 1_000;
/// A full binary tree of this depth has 2^20 - 1 tasks.
pub const TREE_DEPTH: u32 = 19;
/// The tree for contestants that would take too long: 2^14 - 1 tasks.
pub const SMALL_TREE_DEPTH: u32 = 13;
pub const YIELDERS: u64 = 1_000;
pub const YIELDS: u64 = 100;
pub const ROUND_TRIPS: u64 = 20_000;
pub const TIMERS: u64 = 100_000;
pub const WAKES: u64 = 100;
pub const CANCELS: u64 = 10_000;
/// Chains of urgent tasks, each of which submits the next, beside a few tasks that are not.
pub const CHAINS: u64 = 8;
pub const CHAIN: u64 = 10_000;
pub const PATIENT: u64 = 64;
pub const CALLS: u64 = 2_000;
pub const UNEVEN: u64 = 20_000;

/// What is to be done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Workload {
    /// Spawn, run and join batches of a thousand tasks, on one thread.
    Spawn,
    /// Fork and join a tree of tasks, on so many threads.
    Tree(u32),
    /// A thousand tasks yield in turn, on one thread.
    Yield,
    /// Two tasks wake each other in turn, on one thread.
    PingPong,
    /// So many tasks are suspended at once.
    Alive(u64),
    /// So many threads submit to one that runs, and wait for the results.
    Submit(u32),
    /// Tasks that each sleep once, for times in no order.
    Timers,
    /// A task is submitted to a thread that sleeps.
    Wake,
    /// Every one of many suspended tasks is cancelled.
    Cancel,
    /// A few patient tasks among urgent ones that never end by themselves.
    Priority,
    /// A blocking call out of a task, and back.
    Syscall,
    /// One task spawns all the work; a second thread, if there is one, has to take its share.
    Steal(u32),
}

use Workload::{Alive, Cancel, PingPong, Priority, Spawn, Steal, Submit, Syscall, Timers, Tree, Wake, Yield};

/// The names by which the command line knows them, in the order of the table.
pub const ALL: [(&str, Workload, &str); 17] = [
    ("spawn", Spawn, "spawn, run and join a task, 1 thread"),
    ("tree-1", Tree(1), "a task of a tree of 2^20, 1 thread"),
    ("tree-2", Tree(2), "a task of a tree of 2^20, 2 threads"),
    ("yield", Yield, "yield among 1,000, 1 thread"),
    ("ping-pong", PingPong, "park/unpark round trip of two tasks, 1 thread"),
    ("alive-20k", Alive(20_000), "20,000 suspended tasks at once"),
    ("alive-1m", Alive(1_000_000), "1,000,000 suspended tasks at once"),
    ("submit-1", Submit(1), "submit from 1 other thread, and join"),
    ("submit-2", Submit(2), "submit from 2 other threads, and join"),
    ("submit-4", Submit(4), "submit from 4 other threads, and join"),
    ("timers", Timers, "100,000 timers, 1 thread"),
    ("wake", Wake, "submit to a thread that sleeps"),
    ("cancel", Cancel, "cancel 10,000 suspended tasks, 1 thread"),
    ("priority", Priority, "64 patient tasks among 80,000 urgent ones, 1 thread"),
    ("syscall", Syscall, "blocking call out of a task and back"),
    ("steal-1", Steal(1), "20,000 tasks of 1 to 2 µs from one task, 1 thread"),
    ("steal-2", Steal(2), "the same, 2 threads"),
];

/// The workload of this name.
pub fn named(name: &str) -> Option<Workload> {
    ALL.iter().find(|(known, ..)| *known == name).map(|(_, workload, _)| *workload)
}

/// The delay of each timer: a second, so that all are armed before the first is due, and up to two seconds more. The pass
/// that warms up takes a tenth of that.
pub fn delay_ns(timer: u64, warm_up: bool) -> u64 {
    // 7,919 is a prime that does not divide the count.
    let delay = 1_000_000_000 + timer * 7_919 % TIMERS * (2_000_000_000 / TIMERS);
    if warm_up { delay / 10 } else { delay }
}
