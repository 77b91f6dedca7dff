//! The pool's protocols for the checks, each reachable alone.
//!
//! Nothing is decided here: every function hands on to the pool's own, and the tests make their models of them.

use super::seat::Stack;
use crate::creator;
use crate::lifecycle;
use crate::pool::{CoroutinePool, Count, PoolHandle, Post, Shared};
use crate::queue;
use crate::sync::{Arc, UnsafeCell, heavy_fence};
use crate::task::{Start, Task};
use crate::worker::Idle;

/// Something that two threads may only use one after the other, as the pool's protocols promise it: the checker fails
/// an access that is not ordered after the one before.
#[derive(Debug, Default)]
pub struct Witness(UnsafeCell<()>);

// SAFETY: there is nothing in it; that the accesses exclude each other is what the checker finds out.
unsafe impl Sync for Witness {}

impl Witness {
    /// Nobody has used it.
    pub fn new() -> Self {
        Self(UnsafeCell::new(()))
    }

    /// Uses it alone.
    pub fn write(&self) {
        self.0.with_mut(|_| ());
    }

    /// Uses it beside other readers.
    pub fn read(&self) {
        self.0.with(|_| ());
    }
}

/// What the limits word holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[expect(missing_docs, reason = "the names of the word's fields")]
pub struct Numbers {
    pub min: u32,
    pub max: u32,
    pub running: u32,
    pub shut: bool,
}

/// The word of min, max and running.
#[derive(Debug)]
pub struct Limits(creator::Limits);

impl Limits {
    /// No worker yet.
    pub fn new(min: u32, max: u32) -> Self {
        Self(creator::Limits::new(min, max).expect("limits in order"))
    }

    /// What it holds now.
    pub fn numbers(&self) -> Numbers {
        numbers(&self.0)
    }

    /// One more, below max.
    pub fn reserve(&self) -> bool {
        self.0.reserve()
    }

    /// One more, below min.
    pub fn reserve_below_min(&self) -> bool {
        self.0.reserve_below_min()
    }

    /// One less.
    pub fn release(&self) {
        self.0.release();
    }

    /// One less, above min.
    pub fn release_surplus(&self) -> bool {
        self.0.release_surplus()
    }

    /// One less, above max.
    pub fn release_above_max(&self) -> bool {
        self.0.release_above_max()
    }

    /// None any more.
    pub fn shut(&self) -> bool {
        self.0.shut()
    }

    /// Whether it could be set.
    pub fn set_min(&self, min: u32) -> bool {
        self.0.set_min(min).is_ok()
    }

    /// Whether it could be set.
    pub fn set_max(&self, max: u32) -> bool {
        self.0.set_max(max).is_ok()
    }
}

fn numbers(limits: &creator::Limits) -> Numbers {
    let now = limits.load();
    Numbers { min: now.min, max: now.max, running: now.running, shut: now.shut }
}

/// The signals word.
#[derive(Debug)]
pub struct Signals(lifecycle::Signals);

impl Signals {
    /// All clear.
    pub fn new() -> Self {
        Self(lifecycle::Signals::new())
    }

    /// Sets `ABANDON`, fenced, as a stop does before it sweeps.
    pub fn abandon(&self) {
        self.0.abandon();
        heavy_fence();
    }

    /// Whether `ABANDON` is set.
    pub fn is_abandoning(&self) -> bool {
        self.0.read().is_abandoning()
    }

    /// `true` for the one that closes the pool.
    pub fn close(&self) -> bool {
        self.0.close()
    }

    /// `true` for the one that stops the pool.
    pub fn stopped(&self) -> bool {
        self.0.stopped()
    }

    /// Whether the pool is closed, and whether it is stopped.
    pub fn closed_and_stopped(&self) -> (bool, bool) {
        (self.0.read().is_closed(), self.0.read().is_stopped())
    }
}

impl Default for Signals {
    fn default() -> Self {
        Self::new()
    }
}

/// A seat's list of started tasks.
#[derive(Clone)]
pub struct Roster(Arc<Post>);

impl Roster {
    /// The roster of this seat.
    pub fn of(seat: &CoroutinePool) -> Self {
        Self(Arc::clone(&seat.seat().post))
    }

    /// A task is about to start.
    pub fn enter(&self, task: &Polled) {
        self.0.roster.enter(task.0.core());
    }

    /// It has ended without a suspension.
    pub fn leave_new(&self, abandoning: impl FnOnce() -> bool) {
        self.0.roster.leave_new(abandoning);
    }

    /// Hands the newcomer to `f`, and says how many others there are.
    pub fn sweep(&self, mut f: impl FnMut()) -> usize {
        self.0.roster.sweep(|_| f()).len()
    }
}

/// A task that was taken from a queue.
pub struct Polled(pub(super) Task);

impl Polled {
    /// Its id.
    pub fn id(&self) -> crate::spec::TaskId {
        self.0.core().id
    }

    /// Whether it is for the caller to run.
    pub fn start(&self) -> bool {
        self.0.core().word.start() == Start::Run
    }
}

/// Which end of the ordered lane.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum End {
    /// The head, if it is urgent.
    Urgent,
    /// The head.
    First,
    /// The one that was submitted first.
    Oldest,
}

/// A pool's ordered lane.
pub struct Lane<'a>(&'a queue::Lane);

impl<'a> Lane<'a> {
    /// The lane of this pool.
    pub fn of(pool: &'a PoolHandle) -> Self {
        Self(&pool.shared.lane)
    }

    /// Takes a task, as a poll does.
    pub fn pop(&self, end: End) -> Option<Polled> {
        match end {
            End::Urgent => self.0.pop_urgent(),
            End::First => self.0.pop_first(),
            End::Oldest => self.0.pop_oldest(),
        }
        .map(Polled)
    }

    /// Whether a poll would go on without locking.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

/// The shared half of a pool.
#[derive(Clone)]
pub struct Core(Arc<Shared>);

impl Core {
    /// The core of this pool.
    pub fn of(pool: &PoolHandle) -> Self {
        Self(Arc::clone(&pool.shared))
    }

    /// What its limits word holds.
    pub fn numbers(&self) -> Numbers {
        numbers(&self.0.limits)
    }

    /// Takes a stack as a seat does that has none.
    pub fn take_stack(&self) -> Option<Stack> {
        self.take_stack_of(self.0.fixed.stack_size)
    }

    /// Takes one of so many bytes.
    pub fn take_stack_of(&self, size: usize) -> Option<Stack> {
        self.0.stacks.take(size, || self.0.stacks_returned(usize::MAX)).ok().map(Stack)
    }

    /// Gives it back for all.
    pub fn return_stack(&self, stack: Stack) {
        self.0.return_stack(stack.0);
    }

    /// Counts one more worker, as before one is made.
    pub fn reserve(&self) -> bool {
        self.0.limits.reserve()
    }

    /// Counts one less, as after one has gone, and has what waits looked after.
    pub fn release(&self) {
        self.0.limits.release();
        self.0.pass_on();
    }

    /// A worker between two tasks: whether it leaves because max was lowered.
    pub fn leaves_above_max(&self) -> bool {
        self.0.signals.read().is_lowered() && self.0.is_above_max() && self.0.limits.release_above_max()
    }

    /// Whether workers are told that max was lowered.
    pub fn is_lowered(&self) -> bool {
        self.0.signals.read().is_lowered()
    }

    /// Whether a seat is announced as sleeping.
    pub fn has_sleepers(&self) -> bool {
        self.0.signals.read().has_sleepers()
    }

    /// Wakes a sleeper to search for a task, as after a push.
    pub fn call(&self) {
        self.0.wake_one();
    }

    /// Marks that somebody searches; `false` if somebody does already, who answers for the caller's push.
    pub fn begin_search(&self) -> bool {
        self.0.signals.begin_search()
    }

    /// Takes the mark back.
    pub fn end_search(&self) {
        self.0.signals.end_search();
    }

    /// The end of a call, begun before, that has found no sleeper.
    pub fn end_call_in_vain(&self) {
        self.0.found_nobody();
    }

    /// Whether a seat searches, or is being called.
    pub fn is_searching(&self) -> bool {
        self.0.signals.read().is_searching()
    }

    /// Whether somebody is counted as waiting for quiet.
    pub fn has_watchers(&self) -> bool {
        self.0.signals.read().has_watchers()
    }

    /// A worker's task joins another, for good; if the pool is stalled by that it is told, as by a seat that serves.
    pub fn join_beside_a_server(&self) {
        self.0.outside.add_shared(Count::JoinBegun);
        if self.0.is_stalled() {
            self.0.tell_stall();
        }
    }

    /// Whether all workers that there may be join, while tasks are queued.
    pub fn is_stalled(&self) -> bool {
        self.0.is_stalled()
    }

    /// How many seats there are.
    pub fn seats(&self) -> usize {
        self.0.posts().len()
    }

    /// A worker that was counted before idles, with this stack, as one does that has found no task.
    pub fn idle_with(&self, stack: Stack) {
        let (id, since) = (self.0.next_worker_id(), self.0.start);
        self.0.put_idle(Idle { id, stack: stack.0, since, by: (u32::MAX, 0) });
        self.0.pass_on();
    }

    /// How many workers idle.
    pub fn idle(&self) -> usize {
        self.0.idle.lock().len()
    }

    /// Takes everything from all queues.
    pub fn drain(&self) -> usize {
        self.0.drain_queues().len()
    }
}
