//! The worker coroutine: it polls a task, runs it, and polls the next (arrows 6, 7, 12, 13, 18 and 20).
//!
//! A worker is an entry in its seat's ready queue until its task waits. It gives up its frames as soon as its poll
//! fails: what idles is a reserved count and a stack. A started coroutine is never dropped, only resumed until it
//! returns, so that corosensei never has to unwind one by force; the single exception, a task that swallows its
//! cancel again and again, is leaked and counted.

use std::collections::VecDeque;
use std::time::Instant;

use copool_spec::{Outcome, Tell, WorkerId, WorkerState};
use corosensei::Coroutine;

use crate::pool::{Count, Post};
use crate::schedule::{Between, Seat};
use crate::stack::{Stack, hints};
use crate::sync::light_fence;
use crate::task::{Finish, Frame, Ran, Start, Task};

/// What a coroutine tells its seat when it gives up the processor.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Yield {
    /// The worker has polled for long enough, or something else is ready: it goes to the back.
    Turn,
    /// The task is ready again at once.
    Ready,
    /// The task waits for a note, or until the timer in its frame.
    Wait,
    /// The task waits for a system call.
    Call,
    /// The task cannot be got rid of: forget the coroutine.
    Leak,
}

/// Why a worker's coroutine has returned.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Exit {
    /// There was nothing to poll.
    PollFailed,
    /// Its task panicked.
    Errored,
    /// The time of the schedule call is over, or the drive ends.
    TimeOver,
    /// The task that it polled, which is in the seat's hand, needs a larger stack.
    NeedsStack,
}

pub(crate) type Yielder = corosensei::Yielder<(), Yield>;

/// A live worker: a cache line of its own, as it moves from queue to queue at each turn.
#[repr(align(64))]
pub(crate) struct Worker {
    pub(crate) id: WorkerId,
    pub(crate) coroutine: Coroutine<(), Yield, Exit, Stack>,
    /// The frame of its task; null while it has none.
    pub(crate) frame: *const Frame,
    /// How deep below its frame the task has suspended: a hint.
    pub(crate) depth: u32,
    /// What it was last said to be in, while its task waits.
    pub(crate) state: WorkerState,
}

impl Worker {
    /// A worker on this stack that will poll; after it has run `first`, which it polled on another stack as so many had ended in
    /// its turn.
    pub(crate) fn new(seat: &Seat, id: WorkerId, stack: Stack, first: Option<(Task, u32)>) -> Box<Self> {
        let place = seat.place();
        let seat = std::ptr::from_ref(seat);
        let size = stack.size();
        let coroutine = Coroutine::with_stack(stack, move |yielder: &Yielder, ()| {
            // SAFETY: only the seat itself resumes the coroutine, and it is alive while it does.
            let seat = unsafe { &*seat };
            work(seat, id, yielder, size, first)
        });
        Box::write(place, Self { id, coroutine, frame: std::ptr::null(), depth: 0, state: WorkerState::Ready })
    }

    pub(crate) fn is_poller(&self) -> bool {
        self.frame.is_null()
    }
}

/// A worker that idles.
pub(crate) struct Idle {
    pub(crate) id: WorkerId,
    pub(crate) stack: Stack,
    pub(crate) since: Instant,
    /// Whose drive idled it: the seat and the drive's number.
    pub(crate) by: (u32, u64),
}

/// The lines that a turn begins with are fetched ahead if more than so many workers are ready, two at least. What fewer touch, six
/// lines each, is less than half of a first-level cache of 32 KiB, and may well stay there; where exactly the limit is hardly matters.
const FEW: usize = 32;

/// Has the processor fetch what the turns after the one that begins need: of the second worker the worker itself, which says
/// where the rest is, and of the next one the rest.
#[inline(always)]
pub(crate) fn fetch_ahead(ready: &VecDeque<Box<Worker>>) {
    if ready.len() > FEW {
        hints::prefetch(std::ptr::from_ref(&*ready[1]).cast());
        Frame::prefetch(ready[0].frame, ready[0].depth);
    }
}

/// What became of a polled task.
enum Polled {
    /// Well, or by unwinding.
    Ended,
    /// By a panic.
    Errored,
    /// It did not run: it ended while it was queued.
    Tombstone,
}

/// The body of every worker coroutine.
fn work(seat: &Seat, id: WorkerId, yielder: &Yielder, size: usize, first: Option<(Task, u32)>) -> Exit {
    let place = seat.post.id;
    let (mut held, mut turn) = first.map_or((None, 0), |(task, turn)| (Some(task), turn));
    if seat.searching.get() && held.is_none() && !seat.is_retiring() {
        held = search(seat, id);
        if held.is_none() {
            return Exit::PollFailed;
        }
    }
    loop {
        if seat.is_retiring() {
            debug_assert!(held.is_none(), "between a poll and the run of its task no drive ends");
            return Exit::TimeOver;
        }
        let task = match held.take() {
            Some(task) => task,
            None => {
                seat.task_polled(place, id);
                match seat.queue.poll(&seat.post) {
                    Some(task) => task,
                    None => {
                        seat.poll_failed(place, id);
                        return Exit::PollFailed;
                    }
                }
            }
        };
        if task.core().least_stack() > size {
            seat.hand.set(Some((task, turn)));
            return Exit::NeedsStack;
        }
        match run(seat, id, yielder, size, task) {
            Polled::Errored => return Exit::Errored,
            Polled::Ended => turn += 1,
            Polled::Tombstone => {}
        }
        match seat.between(turn) {
            Between::Go => {}
            Between::Turn => {
                turn = 0;
                yielder.suspend(Yield::Turn);
                if seat.is_retiring() {
                    return Exit::TimeOver;
                }
            }
            Between::TimeOver => return Exit::TimeOver,
        }
        seat.next_poll(place, id);
    }
}

/// The first poll of a seat that was woken for a task. The next seat is woken before the task runs, which may take long.
#[cold]
#[inline(never)]
fn search(seat: &Seat, id: WorkerId) -> Option<Task> {
    let place = seat.post.id;
    seat.task_polled(place, id);
    let task = seat.queue.poll(&seat.post);
    match task {
        Some(_) => seat.found(),
        None => seat.poll_failed(place, id),
    }
    task
}

/// Runs one task to its end, through all its suspensions.
fn run(seat: &Seat, id: WorkerId, yielder: &Yielder, size: usize, task: Task) -> Polled {
    let (post, shared) = (&*seat.post, &*seat.post.shared);
    let core = task.core();
    let task_id = core.id;
    debug_assert!(!seat.searching.get(), "who runs a task does not search");
    post.roster.enter(core);
    if core.word.start() == Start::Tombstone {
        post.roster.leave_new(|| shared.signals.read().is_abandoning());
        return Polled::Tombstone;
    }
    post.tally.add(Count::Dequeued);
    seat.task_started(post.id, id, task_id);
    light_fence();
    // The sweep of a stop may have missed this one; see `Roster`.
    let given_up = shared.signals.read().is_abandoning() && {
        shared.abandon_started(core);
        core.word.outcome().is_some()
    };
    let frame = Frame::new(task, id, yielder, size);
    seat.frame.set(&frame);
    if given_up {
        // SAFETY: this call has won `start`, and leaves it at that: the body is its own.
        unsafe { frame.task.drop_body() };
        seat.frame.set(std::ptr::null());
        seat.task_unwound(task_id);
        leave_roster(seat, &frame);
        return Polled::Ended;
    }
    // SAFETY: this call has won `start`.
    let ran = unsafe { frame.task.run() };
    frame.locals.clear();
    let outcome = conclude(seat, &frame, ran);
    seat.frame.set(std::ptr::null());
    match ran_event(outcome) {
        Ran::Returned => seat.task_exited(post.id, id, task_id),
        Ran::Panicked => seat.task_failed(post.id, id, task_id),
        Ran::Unwound => seat.task_unwound(task_id),
    }
    // SAFETY: this call has won `start`, and publishes once.
    unsafe { publish(post, seat, &frame.task, outcome) };
    leave_roster(seat, &frame);
    if outcome == Outcome::Panicked { Polled::Errored } else { Polled::Ended }
}

/// Publishes the outcome of a task that has run, and wakes who waits for it; or drops what it left if it was abandoned
/// meanwhile. Who waited may drop its reference at once: the cell lives by the caller's.
///
/// # Safety
/// The caller has won `start`, and calls this once.
#[inline]
pub(crate) unsafe fn publish(post: &Post, listeners: &impl Tell, task: &Task, outcome: Outcome) {
    let core = task.core();
    match core.word.finish(outcome) {
        Finish::Published { waiters } => {
            post.tally.add(Count::Ended);
            listeners.outcome_published(core.id, outcome);
            if waiters {
                core.wake_waiters();
            }
            post.shared.completed();
        }
        // SAFETY: the task was abandoned while it ran, so the body is still its runner's.
        Finish::Lost => unsafe { task.drop_body() },
    }
}

/// The task is over: no stop will look for it any more.
#[inline]
fn leave_roster(seat: &Seat, frame: &Frame) {
    let post = &seat.post;
    match frame.roster.get() {
        Some(key) => post.roster.leave(key),
        None => post.roster.leave_new(|| post.shared.signals.read().is_abandoning()),
    }
}

fn ran_event(outcome: Outcome) -> Ran {
    match outcome {
        Outcome::Returned => Ran::Returned,
        Outcome::Panicked => Ran::Panicked,
        Outcome::Cancelled | Outcome::Abandoned => Ran::Unwound,
    }
}

/// Which outcome a run amounts to. Drops what is left of a task that was thrown at.
fn conclude(seat: &Seat, frame: &Frame, ran: Ran) -> Outcome {
    match ran {
        // A payload of the pool's that was not thrown at this task came from elsewhere: a panic like any other.
        Ran::Panicked => return Outcome::Panicked,
        Ran::Unwound if frame.throws() == 0 => return Outcome::Panicked,
        Ran::Returned if frame.throws() == 0 => return Outcome::Returned,
        Ran::Returned | Ran::Unwound => {}
    }
    // SAFETY: the task's runner owns the body until it publishes.
    unsafe { frame.task.drop_body() };
    if frame.task.core().word.is_cancelled() || !seat.leaving.get() { Outcome::Cancelled } else { Outcome::Abandoned }
}

#[cfg(test)]
mod tests {
    #[cfg(all(target_arch = "x86_64", target_os = "linux"))]
    #[test]
    fn a_worker_is_one_cache_line() {
        assert_eq!(size_of::<super::Worker>(), 64);
    }
}
