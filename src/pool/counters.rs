//! What a pool has counted.

/// A reading of a pool's counts. Together they are no snapshot. While other threads cancel queued tasks or have
/// submissions rejected, the first three may miss as many, and `accepted` may hold what is just being rejected.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Counters {
    /// Submissions accepted.
    pub accepted: u64,
    /// Tasks started.
    pub started: u64,
    /// Outcomes published.
    pub ended: u64,
    /// Tasks taken from another seat's deque.
    pub stolen: u64,
    /// Workers created, added and recreated.
    pub workers_created: u64,
    /// Stacks in use now, those of idle workers and those kept for reuse by seats included.
    pub stacks: usize,
    /// The most stacks that were in use at once.
    pub peak_stacks: usize,
    /// How often no stack could be had.
    pub stacks_refused: u64,
    /// Stacks that nobody had wanted for long whose memory was given back to the system, each time counted.
    pub stacks_emptied: u64,
    /// Stacks given up because a task swallowed its cancel again and again.
    pub stacks_leaked: u64,
    /// Threads that the pool runs now: background schedule threads and helper threads.
    pub threads: usize,
}
