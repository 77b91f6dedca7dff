//! The coroutine creator: it makes workers where tasks wait, within `max_size`, and hears of each that suspends or
//! fails (arrows 4, 9 to 11, 14 to 17, and the recycling of 21 to 25).
//!
//! Each unit of the limits' `running` is a live worker of some seat, or an idle one in the pool's list: it is reserved
//! before the worker is made and released exactly once, when the worker exits (S1, S4). A worker is made only if a task
//! waits, or for `min_size` (S7); one that has a task is never asked to exit (S8), since it returns only between tasks.

mod hand;
mod idle;
mod limits;
#[cfg(test)]
mod tests;

use std::time::Duration;

use copool_spec::{Tell, WorkerId, WorkerState};
use corosensei::CoroutineResult;

pub(crate) use limits::{Limits, MOST, Numbers, Refused};

use crate::here;
use crate::pool::Shared;
use crate::schedule::Seat;
use crate::sync::{Ordering, light_fence};
use crate::task::Task;
use crate::worker::{Exit, Idle, Worker, Yield};

/// For which arrow a worker is made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Making {
    /// Arrow 4.
    Created,
    /// Arrow 11.
    Added,
    /// Arrow 17.
    Recreated,
}

/// What came of the wish for a worker.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Obtained {
    /// It is in the ready queue.
    Got,
    /// No task waits.
    NoWork,
    /// `max_size` is reached and none idles.
    AtMax,
    /// No stack could be had.
    Exhausted,
}

impl Seat {
    /// Gets a worker if a task waits for one.
    pub(crate) fn obtain(&self) -> Obtained {
        self.exhausted.set(false);
        self.requeue_on_news();
        if self.work_waits() { self.make(Making::Created) } else { Obtained::NoWork }
    }

    /// Whether this seat has nobody who would poll next.
    pub(crate) fn wants_poller(&self) -> bool {
        self.pollers.get() == 0 && !self.leaving.get() && !self.is_retiring()
    }

    /// Takes an idle worker, or else makes one.
    pub(crate) fn make(&self, making: Making) -> Obtained {
        let shared = self.shared();
        while let Some(idle) = shared.take_idle() {
            if shared.limits.release_above_max() {
                self.say_left(idle.id, WorkerState::Idle);
                self.give_stack(idle.stack);
                continue;
            }
            shared.state_changed(idle.id, WorkerState::Idle, WorkerState::Ready);
            self.enroll(Worker::new(self, idle.id, idle.stack, None));
            return Obtained::Got;
        }
        if !shared.limits.reserve() {
            return Obtained::AtMax;
        }
        self.make_reserved(making)
    }

    /// Makes the worker for which a count was reserved.
    fn make_reserved(&self, making: Making) -> Obtained {
        let (shared, place) = (self.shared(), self.post.id);
        let news = shared.stacks_given();
        self.given_seen.set(news);
        let Some(stack) = self.take_stack(shared.fixed.stack_size) else {
            shared.limits.release();
            self.refused_stack();
            light_fence();
            if shared.stacks_given() != news {
                // A seat that could have had one since may have gone to sleep for want of this count.
                shared.pass_on();
            }
            return Obtained::Exhausted;
        };
        self.exhausted.set(false);
        let id = shared.next_worker_id();
        match making {
            Making::Created => shared.worker_created(place, id),
            Making::Added => shared.worker_added(place, id),
            Making::Recreated => shared.worker_recreated(place, id),
        }
        self.enroll(Worker::new(self, id, stack, None));
        Obtained::Got
    }

    fn refused_stack(&self) {
        self.exhausted.set(true);
        self.stack_exhausted(self.post.id);
        // Ordering: Relaxed; a figure to read.
        self.shared().stacks_refused.fetch_add(1, Ordering::Relaxed);
    }

    /// Makes workers up to `min_size`.
    pub(crate) fn create_minimum(&self) {
        let shared = self.shared();
        if shared.signals.read().is_closed() {
            return;
        }
        while shared.limits.reserve_below_min() {
            if self.make_reserved(Making::Created) != Obtained::Got {
                break;
            }
        }
    }

    fn enroll(&self, worker: Box<Worker>) {
        self.pollers.set(self.pollers.get() + 1);
        self.ready.borrow_mut().push_back(worker);
    }

    /// Gives the processor to a worker, and does what it asks for when it comes back. The answer is the worker that goes on
    /// with its turn, on a larger stack.
    ///
    /// Inlined into the loop of a drive, with what a task that only suspends needs; the rest is `came_back`.
    #[inline(always)]
    pub(crate) fn resume(&self, mut worker: Box<Worker>) -> Option<Box<Worker>> {
        if self.listens() {
            self.say_resumed(&mut worker);
        }
        self.frame.set(worker.frame);
        let result = worker.coroutine.resume(());
        worker.frame = self.frame.replace(std::ptr::null());
        worker.depth = self.depth.get();
        if matches!(result, CoroutineResult::Yield(Yield::Ready)) {
            // Before it is queued again: tasks that have not started come before the rest of this one.
            self.hear_suspension(worker.id, WorkerState::Suspend);
            self.state_changed(worker.id, WorkerState::Suspend, WorkerState::Ready);
            self.ready.borrow_mut().push_back(worker);
            None
        } else {
            self.came_back(worker, result)
        }
    }

    #[cold]
    fn say_resumed(&self, worker: &mut Worker) {
        if std::mem::replace(&mut worker.state, WorkerState::Ready) == WorkerState::Running {
            // On a larger stack, it goes on with the turn that it was given.
            return;
        }
        // A poller that only comes back to leave gets no turn.
        if !(self.is_retiring() && worker.is_poller()) {
            self.worker_resumed(self.post.id, worker.id);
        }
        self.state_changed(worker.id, WorkerState::Ready, WorkerState::Running);
    }

    #[inline(never)]
    fn came_back(&self, mut worker: Box<Worker>, result: CoroutineResult<Yield, Exit>) -> Option<Box<Worker>> {
        match result {
            CoroutineResult::Yield(Yield::Turn) => {
                self.state_changed(worker.id, WorkerState::Running, WorkerState::Ready);
                worker.frame = std::ptr::null();
                // First what made it give way: a due timer waits for one task, not for another turn of tasks.
                self.look();
                self.requeue_on_news();
                // It may have the very stack that they need.
                self.requeue_held();
                self.enroll(worker);
            }
            CoroutineResult::Yield(Yield::Ready | Yield::Wait) => self.store(worker, WorkerState::Suspend),
            CoroutineResult::Yield(Yield::Call) => self.store(worker, WorkerState::Syscall),
            CoroutineResult::Yield(Yield::Leak) => self.leak(self.move_out(worker)),
            CoroutineResult::Return(exit) => return self.returned(self.move_out(worker), exit),
        }
        None
    }

    /// Keeps a worker whose task waits.
    fn store(&self, mut worker: Box<Worker>, state: WorkerState) {
        worker.state = state;
        // SAFETY: the coroutine has just yielded from within its frame, which stays on its stack until it is resumed.
        let frame = unsafe { &*worker.frame };
        let id = worker.id;
        let slot = self.suspended.borrow_mut().insert(worker);
        frame.core().set_slot(slot);
        if let Some((at, generation)) = frame.until.take() {
            self.timer_armed(self.post.id, frame.core().id, self.shared().tick(at));
            self.arm(at, Task::clone(&frame.task), generation);
        }
        self.hear_suspension(id, state);
    }

    /// Arrows 9 and 10: tasks that wait behind the suspended one get a worker.
    #[inline(always)]
    fn hear_suspension(&self, id: WorkerId, state: WorkerState) {
        if self.listens() {
            self.say_suspended(id, state);
        }
        if self.pollers.get() == 0 && self.queue.is_near(self.shared()) {
            self.add_worker();
        }
    }

    #[cold]
    fn say_suspended(&self, id: WorkerId, state: WorkerState) {
        self.worker_suspended(self.post.id, id, state);
        self.state_changed(id, WorkerState::Running, state);
        self.suspension_heard(self.post.id, id);
    }

    #[cold]
    fn add_worker(&self) {
        let limits = self.shared().limits.load();
        let could = limits.running < limits.max || self.shared().has_idle();
        if could && self.wants_poller() && self.shared().size() > 0 {
            self.make(Making::Added);
        }
    }

    /// A worker's coroutine has returned. The answer is as in `resume`.
    fn returned(&self, worker: Worker, exit: Exit) -> Option<Box<Worker>> {
        let (shared, place, id) = (self.shared(), self.post.id, worker.id);
        let stack = worker.coroutine.into_stack();
        match exit {
            Exit::PollFailed => self.idle(id, stack, shared.keep_alive()),
            Exit::TimeOver => self.idle(id, stack, Duration::ZERO),
            Exit::NeedsStack => return self.enlarge(id, stack),
            Exit::Errored => {
                shared.worker_errored(place, id);
                shared.state_changed(id, WorkerState::Running, WorkerState::Error);
                shared.error_heard(place, id);
                self.give_stack(stack);
                shared.limits.release();
                shared.count_reduced(place, id);
                shared.state_changed(id, WorkerState::Error, WorkerState::Exited);
                if self.wants_poller() && self.work_waits() {
                    self.make(Making::Recreated);
                }
                shared.released();
            }
        }
        self.exhausted.set(false);
        self.requeue_on_news();
        None
    }

    /// Gives up a task that cannot be got rid of, with its stack.
    fn leak(&self, worker: Worker) {
        let (shared, place) = (self.shared(), self.post.id);
        // SAFETY: as in `store`; the coroutine is never resumed again, so the frame stays for ever.
        let frame = unsafe { &*worker.frame };
        if frame.core().word.spare(false) {
            // Its `stop` never returns.
            // Ordering: AcqRel, as when it was counted.
            shared.in_stop.fetch_sub(1, Ordering::AcqRel);
        }
        shared.abandon_started(frame.core());
        if let Some(key) = frame.roster.get() {
            self.post.roster.leave(key);
        } else {
            self.post.roster.leave_new(|| true);
        }
        std::mem::forget(worker.coroutine);
        here::count_leak();
        // Ordering: Relaxed; a figure to read.
        shared.stacks_leaked.fetch_add(1, Ordering::Relaxed);
        self.worker_errored(place, worker.id);
        self.state_changed(worker.id, WorkerState::Running, WorkerState::Error);
        self.error_heard(place, worker.id);
        shared.limits.release();
        self.count_reduced(place, worker.id);
        self.state_changed(worker.id, WorkerState::Error, WorkerState::Exited);
        shared.released();
    }
}

impl Shared {
    /// Whether `max_size` was lowered below the count of workers, and still is.
    #[cold]
    pub(crate) fn is_above_max(&self) -> bool {
        let above = || {
            let limits = self.limits.load();
            limits.running > limits.max
        };
        if !above() {
            self.signals.lower(false);
            // Another lowering may have come in between.
            if above() {
                self.signals.lower(true);
            }
        }
        above()
    }

    /// A worker's count was released, or idles: what waits may be for a sleeper now; the last one of a closed pool stops
    /// it.
    fn released(&self) {
        self.pass_on();
    }

    /// Lets an idle worker go in a pool that has stopped working.
    pub(crate) fn retire(&self, idle: Idle) {
        self.limits.release();
        self.worker_exited(copool_spec::SeatId(idle.by.0), idle.id);
        self.state_changed(idle.id, WorkerState::Idle, WorkerState::Exited);
        self.stacks.give(idle.stack);
    }
}
