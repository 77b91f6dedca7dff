//! Tasks that need a larger stack than the worker has that polled them, and those for which there is none: they stay in
//! their seat's hand.
//!
//! A task in hand counts as queued, and only its seat can run it: nobody steals it. So the seat tries again whenever a worker of
//! its own has returned, when it rises from a sleep, and now and then while it is busy. It asks for the stack that the task needs
//! and for nothing else: a poll would first take one of the usual size and give that back, which is news for the other seats
//! that have a task in hand, as theirs is for this one, without end. Who gives a stack back, or idles with one, wakes all that
//! sleep; a seat does not sleep if stacks were given back since it tried for all that it has in hand, or while a worker idles
//! ([`Seat::block`]). When the drive ends, what is in hand goes back to the queues; also if no worker may be made, or if one
//! idles, which polls it and gives its stack for it.
//!
//! Invariants: a task in hand has not started; it stays in the list, where a stop that gives everything up finds it, until the
//! worker that was made for it begins; `holds` is set while there is one.
//!
//! Tested by `creator/tests.rs`, and with real threads in `tests/misuse/stacks.rs` and `tests/stress_logs.rs`; under loom by
//! `tests/loom_pool/sleep.rs`, under shuttle by `tests/smoke_shuttle/few.rs`.

use copool_spec::{Tell, WorkerId, WorkerState};

use crate::schedule::Seat;
use crate::stack::Stack;
use crate::sync::light_fence;
use crate::task::Task;
use crate::worker::{First, Worker};

/// As [`Seat::given_seen`]: what is in hand has not been tried for.
const UNTRIED: u64 = u64::MAX;

impl Seat {
    /// The worker goes on at once, as it is still its turn, on a stack that is large enough for the task it polled.
    pub(super) fn enlarge(&self, id: WorkerId, stack: Stack) -> Option<Box<Worker>> {
        let Some(task) = self.hand.take() else { unreachable!("the worker put its task there") };
        let news = self.shared().stacks_given();
        // First, so that where stacks are few the one makes room for the other.
        self.give_stack(stack);
        let Some(larger) = self.larger_stack(task.core().least_stack()) else {
            self.hold(task, news);
            self.shared().limits.release();
            self.say_left(id, WorkerState::Running);
            self.shared().released();
            return None;
        };
        let mut worker = Worker::new(self, id, larger, First::Polled(task));
        worker.state = WorkerState::Running;
        Some(worker)
    }

    pub(crate) fn larger_stack(&self, size: usize) -> Option<Stack> {
        self.take_stack(size).or_else(|| {
            self.give_up_stacks();
            self.take_stack(size)
        })
    }

    /// Keeps a task in hand for which there was no stack when so many had been given back.
    pub(crate) fn hold(&self, task: Task, news: u64) {
        if !self.holds.replace(true) {
            self.given_seen.set(news);
        }
        self.refused_stack();
        self.post.held.lock().push(self.queue.in_hand(task));
        self.look_after_push();
    }

    /// Makes a worker for a task in hand, if there is a stack for one now.
    #[inline]
    pub(crate) fn retry_held(&self) {
        if self.holds.get() && !self.awaited.get() && !self.is_retiring() {
            self.retry_all();
        }
    }

    #[cold]
    fn retry_all(&self) {
        let shared = self.shared();
        let news = shared.stacks_given();
        let sizes = self.sizes_in_hand();
        if let Some(stack) = sizes.into_iter().find_map(|size| self.larger_stack(size)) {
            self.given_seen.set(UNTRIED);
            return self.make_for_held(stack);
        }
        self.given_seen.set(news);
        if shared.has_idle() {
            self.requeue_held();
            shared.pass_on();
        }
    }

    /// The stacks that are wanted for the tasks in hand, without those that have ended.
    fn sizes_in_hand(&self) -> Vec<usize> {
        let mut held = self.post.held.lock();
        let (live, ended): (Vec<_>, Vec<_>) = held.drain(..).partition(|held| held.task.core().word.is_queued());
        *held = live;
        let mut sizes: Vec<usize> = held.iter().map(|held| held.task.core().least_stack()).collect();
        drop(held);
        drop(ended);
        sizes.sort_unstable();
        sizes.dedup();
        sizes
    }

    fn make_for_held(&self, stack: Stack) {
        let shared = self.shared();
        if shared.limits.reserve() {
            self.found();
            let id = shared.next_worker_id();
            shared.worker_created(self.post.id, id);
            self.awaited.set(true);
            self.enroll(Worker::new(self, id, stack, First::Held));
        } else {
            // In this order: a count may have been released meanwhile, and what is given back wakes all that sleep.
            self.requeue_held();
            self.give_stack(stack);
        }
    }

    /// The task in hand with which a worker begins that was made for one.
    pub(crate) fn begin_held(&self, size: usize) -> Option<Task> {
        self.awaited.set(false);
        if self.is_retiring() {
            return None;
        }
        let mut held = self.post.held.lock();
        let at = held.iter().position(|held| held.task.core().least_stack() <= size)?;
        let task = held.remove(at).task;
        self.holds.set(!held.is_empty());
        Some(task)
    }

    /// Puts the tasks in hand back, for whoever polls next. The caller has sleepers look.
    pub(crate) fn requeue_held(&self) {
        if self.holds.replace(false) {
            let held = std::mem::take(&mut *self.post.held.lock());
            held.into_iter().for_each(|held| self.queue.put_back(held, self.shared()));
            self.look_after_push();
        }
    }

    /// As in a submission: a stop that gives everything up sees what was pushed, or this call sees the stop. Its sweep
    /// finds no task that is in a seat's hands.
    fn look_after_push(&self) {
        light_fence();
        if self.shared().signals.read().is_abandoning() {
            self.shared().abandon_queues();
            self.bury();
        }
    }
}
