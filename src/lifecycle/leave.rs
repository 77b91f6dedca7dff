//! How a seat leaves its pool.
//!
//! What is suspended on it unwinds, each task on its own coroutine, and is abandoned; system calls in flight are
//! waited for, since they borrow from their tasks' stacks. What is queued goes to the injector, or, in a pool that has
//! given everything up, is buried here. It may happen while the thread is panicking.

use copool_spec::Tell;

use crate::here::{self, Driving};
use crate::schedule::Seat;
use crate::sync::{light_fence, panicking};
use crate::task::{self, Task};

impl Seat {
    /// Leaves. The seat has no worker, no queue and no place in the pool afterwards.
    pub(crate) fn leave(&self) {
        let shared = &self.post.shared;
        shared.seat_leaving(self.post.id);
        {
            let _driving = Driving::enter(self);
            self.leaving.set(true);
            self.post.set_leaving();
            self.set_retiring(true);
            self.outer_panic.set(panicking());
            self.unwind_all();
            self.hand_back();
        }
        debug_assert!(!self.has_timers(), "the last look at them, with no task left, found all of them stale");
        self.give_up_stacks();
        shared.unregister(&self.post);
        here::delist(self);
        shared.seat_left(self.post.id);
        shared.pass_on();
    }

    fn unwind_all(&self) {
        loop {
            self.look();
            let mut waiting: Vec<Task> = {
                let suspended = self.suspended.borrow();
                // SAFETY: a stored worker's coroutine is suspended inside its frame, which stays until it is resumed.
                suspended.iter().map(|(_, worker)| Task::clone(unsafe { &(*worker.frame).task })).collect()
            };
            // In the order of their submission, not of the places that they happen to have on the seat.
            waiting.sort_by_key(|task| task.core().id);
            for task in &waiting {
                task::interrupt(task);
            }
            self.look();
            let ready = std::mem::take(&mut *self.ready.borrow_mut());
            if ready.is_empty() {
                if self.suspended.borrow().is_empty() {
                    return;
                }
                self.await_note();
            }
            for worker in ready {
                self.turn(worker);
            }
        }
    }

    /// Waits for a system call in flight.
    pub(crate) fn await_note(&self) {
        self.post.announce();
        if !self.has_news() {
            self.post.sleep(None);
        }
        if self.post.rise() {
            self.shared().signals.end_search();
        }
        // Whoever woke this seat for a task, just before it began to leave, meant one that can run it.
        self.shared().pass_on();
    }

    /// Gives the queue to the injector. As in a submission, the push comes first, then the fence, then the look whether a
    /// stop gives everything up: its sweep finds the tasks, or this one does.
    fn hand_back(&self) {
        let shared = self.shared();
        self.requeue_held();
        loop {
            let tasks = self.queue.drain();
            if tasks.is_empty() {
                break;
            }
            for task in tasks {
                shared.inject(task);
            }
            light_fence();
            if shared.signals.read().is_abandoning() {
                shared.abandon_queues();
                // A destructor may submit more.
                self.bury();
            }
        }
    }
}
