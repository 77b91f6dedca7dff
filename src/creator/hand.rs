//! Tasks that need a larger stack than the worker has that polled them, and those for which there is none: they stay in
//! their seat's hand.
//!
//! The worker exchanges its stack for a larger one, of the pool's or of an idle worker's. As the one makes room for the other, it
//! is refused only where the system has no memory for a stack of that size, and then keeps its own: a try in vain is no news for
//! anybody. A task in hand counts as queued, and only its seat can run it: nobody steals it. It goes back to its queue as soon as
//! its seat hears of a larger stack that was given back, or idles (when a worker of its own has returned, when it rises from a
//! sleep, in which it hears of all of them, and now and then while it is busy), at the end of each full turn of a worker, which
//! may have the very stack, and when the drive ends. So while its seat runs one task for long, a task in hand waits.
//!
//! Invariants: a task in hand has not started; a stop that gives everything up finds it (`look_after_push`); a seat does not sleep
//! with one if a larger stack was given back since the last try ([`Seat::block`]); `holds` is set while there is one.
//!
//! Tested by `creator/tests.rs`, and with real threads in `tests/misuse/stacks.rs` and `tests/stress_logs.rs`; under loom by
//! `tests/loom_pool/sleep.rs`, under shuttle by `tests/smoke_shuttle/few.rs`.

use copool_spec::{Tell, WorkerId, WorkerState};

use crate::schedule::Seat;
use crate::stack::Stack;
use crate::sync::light_fence;
use crate::task::Task;
use crate::worker::Worker;

impl Seat {
    /// The worker goes on at once, as it is still its turn, on a stack that is large enough for the task it polled.
    pub(super) fn enlarge(&self, id: WorkerId, stack: Stack) -> Option<Box<Worker>> {
        let Some(task) = self.hand.take() else { unreachable!("the worker put its task there") };
        let news = self.shared().larger_given();
        match self.exchange(stack, task.core().least_stack()) {
            Ok(larger) => {
                let mut worker = Worker::new(self, id, larger, Some(task));
                worker.state = WorkerState::Running;
                Some(worker)
            }
            Err(stack) => {
                self.hold(task, news);
                self.poll_failed(self.post.id, id);
                self.idle(id, stack, self.shared().keep_alive());
                None
            }
        }
    }

    fn exchange(&self, stack: Stack, size: usize) -> Result<Stack, Stack> {
        let shared = self.shared();
        let new = shared.stacks.exchange(stack, size, || shared.stacks_returned(true));
        if new.is_ok() {
            shared.stacks_returned(false);
        }
        new.or_else(|stack| shared.swap_idle(stack, size))
    }

    /// Keeps a task in hand for which there was no stack when larger ones had been given back so many times.
    pub(crate) fn hold(&self, task: Task, news: u64) {
        if !self.holds.replace(true) {
            self.larger_seen.set(news);
        }
        self.refused_stack();
        self.post.held.lock().push(self.queue.in_hand(task));
        self.look_after_push();
    }

    /// Whether a larger stack was given back since a task in hand was refused one.
    pub(crate) fn has_news_of_stacks(&self) -> bool {
        self.holds.get() && self.shared().larger_given() != self.larger_seen.get()
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
