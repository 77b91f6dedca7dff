//! What a seat keeps for the workers of one drive, so that each new one costs no lock and no allocation: stacks, and the
//! memory of workers that have ended.
//!
//! Nobody else can reach the stacks, so they go back when the seat sleeps, when its drive ends, and as soon as anybody in the
//! pool was refused one. In the pool they rest, and what has rested for long is emptied.

use std::mem::MaybeUninit;

use super::Seat;
use crate::pool::Shared;
use crate::stack::{LEAST_REST, Look, Stack};
use crate::sync::{Ordering, light_fence};
use crate::worker::Worker;

/// How many stacks a seat keeps for itself.
const STACKS_KEPT: usize = 256;

/// For how many workers a seat keeps the memory. Under a checker and in fuzzing for none: there a use after the end shall be
/// seen.
const PLACES_KEPT: usize = 4096;

impl Seat {
    /// Memory for a worker.
    #[inline]
    pub(crate) fn place(&self) -> Box<MaybeUninit<Worker>> {
        self.places.borrow_mut().pop().unwrap_or_else(Box::new_uninit)
    }

    /// Moves a worker out of its memory, which the next one gets.
    pub(crate) fn move_out(&self, worker: Box<Worker>) -> Worker {
        let place = Box::into_raw(worker).cast::<MaybeUninit<Worker>>();
        // SAFETY: it comes from a box of the same layout, whose worker is moved out before the box is one of nothing.
        let (worker, place) = unsafe { (place.read().assume_init(), Box::from_raw(place)) };
        let mut places = self.places.borrow_mut();
        if !cfg!(any(feature = "loom", feature = "shuttle", fuzzing)) && places.len() < PLACES_KEPT {
            places.push(place);
        }
        worker
    }

    pub(crate) fn take_stack(&self, size: usize) -> Option<Stack> {
        if size == self.shared().fixed.stack_size
            && let Some(stack) = self.stacks.borrow_mut().pop()
        {
            return Some(stack);
        }
        self.shared().stacks.take(size).ok()
    }

    pub(crate) fn give_stack(&self, stack: Stack) {
        let kept = self.stacks.borrow().len() < STACKS_KEPT && stack.size() == self.shared().fixed.stack_size;
        if kept {
            self.stacks.borrow_mut().push(stack);
        } else {
            self.shared().stacks.give(stack);
            self.shared().stacks_returned();
        }
        // Ordering: Relaxed; whoever was refused looks again before it sleeps, and is woken by what is given later.
        if self.shared().stacks_refused.load(Ordering::Relaxed) > 0 {
            self.give_up_stacks();
        }
    }

    /// Gives the kept stacks back: they are kept for the time of one drive, since nobody else can reach them.
    pub(crate) fn give_up_stacks(&self) {
        let kept = self.stacks.take();
        if kept.is_empty() {
            return;
        }
        self.shared().stacks.give_all(kept);
        self.shared().stacks_returned();
    }

    /// At the end of a drive, as [`tidy_stacks`](Shared::tidy_stacks). This seat may never be driven again, so a sleeper
    /// has to know when to look next.
    pub(crate) fn leave_tidy(&self) {
        let shared = self.shared();
        let look = shared.tidy_stacks();
        if look.is_new && look.next.is_some() {
            light_fence();
            if shared.signals.read().has_sleepers() {
                shared.wake_one();
            }
        }
    }
}

impl Shared {
    /// Gives memory of stacks back to the system that have lain idle for the keep-alive.
    pub(crate) fn tidy_stacks(&self) -> Look {
        let look = self.stacks.tidy(|| (self.keep_alive().max(LEAST_REST), self.clock.now()));
        if look.emptied {
            // They could not be had meanwhile.
            self.stacks_returned();
        }
        look
    }
}
