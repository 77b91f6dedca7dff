//! The stacks that a seat keeps for the workers of one drive, so that each new one costs no lock.
//!
//! Nobody else can reach them, so they go back when the seat sleeps, when its drive ends, and as soon as anybody in the
//! pool was refused one.

use super::Seat;
use crate::stack::Stack;
use crate::sync::Ordering;

/// How many stacks a seat keeps for itself.
const STACKS_KEPT: usize = 256;

impl Seat {
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
        for stack in kept {
            self.shared().stacks.give(stack);
        }
        self.shared().stacks_returned();
    }
}
