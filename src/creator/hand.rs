//! Tasks that need a larger stack than the worker has that polled them, and those for which there is none: they stay in
//! their seat's hand.
//!
//! The worker exchanges its stack for a larger one, of the pool's or of an idle worker's. The one makes room for the other under
//! the limit, so it is refused only where the system has no memory for a stack of that size (or others have the last ones in hand,
//! to make their guards or to empty them, of which they tell). Then it keeps its own. A task in hand counts as queued, and only its
//! seat can run it: nobody steals it. It goes back to its queue as soon as its seat is offered a stack that is large enough (it
//! looks when a worker of its own has returned, when it rises from a sleep, and now and then while it is busy), when a worker of its
//! own gives way, as that may have the very stack, and when the drive ends. So while its seat runs one task for long, or sleeps for
//! want of memory in `serve`, a task in hand waits, and with it who waits for it elsewhere.
//!
//! Offers say a size: the stack with which a worker idles after a try in vain is too small for that task, and would otherwise have
//! its seat try for ever.
//!
//! Invariants: a task in hand has not started; a stop that gives everything up finds it (`look_after_push`); of a seat that wants a
//! stack and somebody who gives one back, one sees the other ([`Post::want`](crate::pool::Post::want)), and a seat does not sleep
//! on an offer ([`Seat::block`]); `holds` is set while there is one.
//!
//! Tested by `creator/tests.rs`, and with real threads in `tests/misuse/stacks.rs` and `tests/stress_logs.rs`; under loom by
//! `tests/loom_pool/sleep.rs`, under shuttle by `tests/smoke_shuttle/few.rs`.

use copool_spec::{Tell, WorkerId, WorkerState};

use crate::schedule::Seat;
use crate::stack::Stack;
use crate::sync::{heavy_fence, light_fence};
use crate::task::Task;
use crate::worker::Worker;

impl Seat {
    /// The worker goes on at once, as it is still its turn, on a stack that is large enough for the task it polled.
    pub(super) fn enlarge(&self, id: WorkerId, stack: Stack) -> Option<Box<Worker>> {
        let Some((task, turn)) = self.hand.take() else { unreachable!("the worker put its task there") };
        match self.exchange(stack, task.core().least_stack()) {
            Ok(larger) => {
                let mut worker = Worker::new(self, id, larger, Some((task, turn)));
                worker.state = WorkerState::Running;
                Some(worker)
            }
            Err(stack) => {
                self.hold(task);
                self.poll_failed(self.post.id, id);
                self.idle(id, stack, self.shared().keep_alive());
                None
            }
        }
    }

    /// A stack of this size, or a larger one of an idle worker's, in place of the worker's.
    pub(super) fn exchange(&self, stack: Stack, size: usize) -> Result<Stack, Stack> {
        self.insist(size, stack, |own| self.try_exchange(own, size))
    }

    /// Tries twice, the second time when offers reach this seat: what could be had before is found then.
    pub(crate) fn insist<T, U>(&self, size: usize, with: U, attempt: impl Fn(U) -> Result<T, U>) -> Result<T, U> {
        attempt(with).or_else(|with| {
            self.post.want(size);
            heavy_fence();
            let second = attempt(with);
            if second.is_ok() && !self.holds.get() {
                self.post.want_nothing();
            }
            second
        })
    }

    fn try_exchange(&self, stack: Stack, size: usize) -> Result<Stack, Stack> {
        let (shared, old) = (self.shared(), stack.size());
        let new = shared.stacks.exchange(stack, size, || shared.stacks_returned(usize::MAX));
        if new.is_ok() {
            shared.stacks_returned(old);
        }
        new.or_else(|stack| shared.swap_idle(stack, size))
    }

    /// Keeps a task in hand for which there was no stack.
    pub(crate) fn hold(&self, task: Task) {
        self.holds.set(true);
        self.post.want(task.core().least_stack());
        self.refused_stack();
        self.post.held.lock().push(self.queue.in_hand(task));
        self.look_after_push();
    }

    /// Whether there may be a stack for a task in hand since that was refused one.
    pub(crate) fn has_news_of_stacks(&self) -> bool {
        self.holds.get() && self.post.is_offered()
    }

    /// Puts the tasks in hand back, if there may be a stack for one now.
    #[inline]
    pub(crate) fn requeue_on_news(&self) {
        if self.has_news_of_stacks() && !self.is_retiring() {
            self.requeue_held();
            // This seat may do something else first.
            self.shared().pass_on();
        }
    }

    /// Puts the tasks in hand back, for whoever polls next.
    pub(crate) fn requeue_held(&self) {
        if self.holds.replace(false) {
            self.post.want_nothing();
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
