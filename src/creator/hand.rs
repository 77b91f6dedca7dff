//! Tasks that need a larger stack than the worker has that polled them, and those for which there is none: they stay in
//! their seat's hand.
//!
//! A task in hand counts as queued, and only its seat can run it: nobody steals it. So the seat tries again whenever a worker of
//! its own has returned, when it rises from a sleep (each stack that is given back wakes all that sleep), and now and then while
//! it is busy; when its drive ends the task goes back to a queue. It does not sleep if stacks were given back since it tried
//! last ([`Seat::block`]).
//!
//! Invariants: a task in hand has not started; a stop that gives everything up finds it (`look_after_push`); `holds` is set
//! while there is one.
//!
//! Tested by `creator/tests.rs`, and with real threads in `tests/misuse/stacks.rs` and `tests/stress_logs.rs`; under loom by
//! `tests/loom_pool/sleep.rs`, under shuttle by `tests/smoke_shuttle/few.rs`.

use copool_spec::{Tell, WorkerId, WorkerState};

use crate::queue::Held;
use crate::schedule::Seat;
use crate::stack::Stack;
use crate::sync::light_fence;
use crate::task::Task;
use crate::worker::{First, Worker};

impl Seat {
    /// The worker goes on at once, as it is still its turn, on a stack that is large enough for the task it polled.
    pub(super) fn enlarge(&self, id: WorkerId, stack: Stack) -> Option<Box<Worker>> {
        let Some(task) = self.hand.take() else { unreachable!("the worker put its task there") };
        // First, so that where stacks are few the one makes room for the other.
        self.give_stack(stack);
        let Some(larger) = self.larger_stack(&task) else {
            self.hold(task);
            self.shared().limits.release();
            self.say_left(id, WorkerState::Running);
            self.shared().released();
            return None;
        };
        let mut worker = Worker::new(self, id, larger, First::Polled(task));
        worker.state = WorkerState::Running;
        Some(worker)
    }

    pub(crate) fn larger_stack(&self, task: &Task) -> Option<Stack> {
        let size = task.core().least_stack();
        self.take_stack(size).or_else(|| {
            self.give_up_stacks();
            self.given_seen.set(self.shared().stacks_given());
            self.take_stack(size)
        })
    }

    /// Keeps a task in hand for which there is no stack.
    pub(crate) fn hold(&self, task: Task) {
        self.refused_stack();
        self.keep_in_hand([self.queue.in_hand(task)]);
        self.look_after_push();
    }

    pub(crate) fn keep_in_hand(&self, tasks: impl IntoIterator<Item = Held>) {
        self.post.held.lock().extend(tasks);
        self.holds.set(true);
    }

    /// Gives the tasks in hand for which there is a stack now a worker each.
    ///
    /// It asks for the stack that the task needs and for nothing else. A poll would first take one of the usual size and give
    /// that back, which is news for the other seats that have a task in hand, as theirs is for this one: without end.
    #[inline]
    pub(crate) fn retry_held(&self) {
        if self.holds.get() && !self.is_retiring() {
            self.retry_all();
        }
    }

    #[cold]
    fn retry_all(&self) {
        let (mut refused, mut stay) = (usize::MAX, Vec::new());
        for held in self.take_held() {
            let size = held.task.core().least_stack();
            if !held.task.core().word.is_queued() {
                continue;
            }
            match if size < refused { self.larger_stack(&held.task) } else { None } {
                Some(stack) => self.start_held(held, stack),
                None => {
                    refused = refused.min(size);
                    stay.push(held);
                }
            }
        }
        if !stay.is_empty() {
            self.keep_in_hand(stay);
            self.look_after_push();
        }
    }

    /// Makes the worker for a task in hand that has its stack now.
    fn start_held(&self, held: Held, stack: Stack) {
        let shared = self.shared();
        if shared.limits.reserve() {
            self.found();
            let id = shared.next_worker_id();
            shared.worker_created(self.post.id, id);
            self.enroll(Worker::new(self, id, stack, First::Held(held)));
        } else {
            // In this order: a count may have been released meanwhile, and what is given back wakes all that sleep.
            self.queue.put_back(held, shared);
            self.give_stack(stack);
        }
    }

    fn take_held(&self) -> Vec<Held> {
        self.holds.set(false);
        std::mem::take(&mut *self.post.held.lock())
    }

    /// Puts the tasks in hand back, for whoever polls next. The caller passes them on.
    pub(crate) fn requeue_held(&self) {
        if self.holds.get() {
            self.take_held().into_iter().for_each(|held| self.queue.put_back(held, self.shared()));
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
