//! A seat: the place of one schedule thread in a pool, and what only that thread touches.
//!
//! It sits behind a shared pointer with interior mutability. No borrow of its collections, and no reference to a stored
//! coroutine, lives across a resume or a call of the user's code: a worker is moved out of its collection first.

use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::time::Instant;

use copool_spec::{TaskId, Tell, WorkerState};
use slab::Slab;

use super::timers::Timers;
use crate::pool::{Post, Shared};
use crate::queue::Queue;
use crate::stack::Stack;
use crate::sync::{Arc, Ordering};
use crate::syscall::Call;
use crate::task::{self, Frame, Task};
use crate::worker::Worker;

/// After so many tasks in a row a worker goes to the back of the ready queue.
pub(crate) const POLLS_PER_TURN: u32 = if cfg!(any(feature = "loom", feature = "shuttle")) { 2 } else { 32 };

/// How many stacks a seat keeps for itself.
const STACKS_KEPT: usize = 256;

/// The half of a seat that only its own thread sees.
pub(crate) struct Seat {
    pub(crate) post: Arc<Post>,
    pub(crate) queue: Queue,
    pub(crate) ready: RefCell<VecDeque<Worker>>,
    /// How many of the ready workers have no task.
    pub(crate) pollers: Cell<u32>,
    pub(crate) suspended: RefCell<Slab<Worker>>,
    /// Tasks of this seat whose wait was ended on this thread.
    pub(crate) woken: RefCell<Vec<Task>>,
    pub(crate) timers: RefCell<Timers>,
    /// System calls that the seat itself runs, on a virtual clock.
    pub(crate) calls: RefCell<VecDeque<Call>>,
    stacks: RefCell<Vec<Stack>>,
    /// The frame of the task that runs; null between tasks.
    pub(crate) frame: Cell<*const Frame>,
    /// The addresses of the guard of the stack that runs, for the overflow report.
    pub(crate) guard: Cell<(usize, usize)>,
    pub(crate) driving: Cell<bool>,
    /// The seat leaves: all that is suspended on it unwinds.
    pub(crate) leaving: Cell<bool>,
    /// The drive ends: pollers return.
    pub(crate) retiring: Cell<bool>,
    /// The thread was panicking when the seat began to leave.
    pub(crate) outer_panic: Cell<bool>,
    pub(super) deadline: Cell<Option<Instant>>,
    pub(crate) drives: Cell<u64>,
    /// Turns of workers, for what is looked at every so many.
    pub(super) turns: Cell<u32>,
    /// The last attempt to get a stack failed, and no worker of this seat has ended since.
    pub(crate) exhausted: Cell<bool>,
    /// The next seat of this thread; see [`here`](crate::here).
    pub(crate) next: Cell<*const Seat>,
    ids: Cell<(u64, u64)>,
}

/// What a worker does after a task.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Between {
    /// It polls the next.
    Go,
    /// It goes to the back of the ready queue.
    Turn,
    /// The time of the schedule call is over.
    TimeOver,
}

impl Seat {
    pub(crate) fn new(shared: &Arc<Shared>) -> Self {
        let queue = Queue::new(shared.fixed.local_order);
        let post = Arc::new(Post::new(shared.next_seat_id(), Arc::clone(shared), queue.stealer()));
        shared.register(&post);
        Self {
            post,
            queue,
            ready: RefCell::new(VecDeque::new()),
            pollers: Cell::new(0),
            suspended: RefCell::new(Slab::new()),
            woken: RefCell::new(Vec::new()),
            timers: RefCell::new(Timers::new()),
            calls: RefCell::new(VecDeque::new()),
            stacks: RefCell::new(Vec::new()),
            frame: Cell::new(std::ptr::null()),
            guard: Cell::new((0, 0)),
            driving: Cell::new(false),
            leaving: Cell::new(false),
            retiring: Cell::new(false),
            outer_panic: Cell::new(false),
            deadline: Cell::new(None),
            drives: Cell::new(0),
            turns: Cell::new(0),
            exhausted: Cell::new(false),
            next: Cell::new(std::ptr::null()),
            ids: Cell::new((0, 0)),
        }
    }

    #[inline]
    pub(crate) fn shared(&self) -> &Shared {
        &self.post.shared
    }

    /// An id for a task that is submitted on this seat's thread.
    #[inline]
    pub(crate) fn next_task_id(&self) -> TaskId {
        let (next, end) = self.ids.get();
        let (next, end) = if next == end { self.shared().next_task_block() } else { (next, end) };
        self.ids.set((next + 1, end));
        TaskId(next * 2)
    }

    /// Looks, between two tasks, at what must not wait for the whole backlog.
    #[inline]
    pub(crate) fn between(&self, turn: u32) -> Between {
        let timed = self.deadline.get().is_some() || !self.timers.borrow().is_empty();
        if timed && let Some(step) = self.between_timed() {
            return step;
        }
        if turn >= POLLS_PER_TURN
            || self.retiring.get()
            || self.post.has_mail()
            || !self.woken.borrow().is_empty()
            || !self.calls.borrow().is_empty()
        {
            return Between::Turn;
        }
        Between::Go
    }

    fn between_timed(&self) -> Option<Between> {
        let now = self.shared().clock.now();
        if self.deadline.get().is_some_and(|deadline| deadline <= now) {
            return Some(Between::TimeOver);
        }
        self.timers.borrow_mut().next().filter(|at| *at <= now).map(|_| Between::Turn)
    }

    /// Looks at everything that can make a waiting task ready.
    pub(crate) fn look(&self) {
        if self.post.has_mail() {
            for task in self.post.take_mail() {
                self.revive(&task);
            }
        }
        loop {
            // Not in the loop's condition: the borrow must be over when a listener hears of it.
            let woken = std::mem::take(&mut *self.woken.borrow_mut());
            if woken.is_empty() {
                break;
            }
            for task in woken {
                self.revive(&task);
            }
        }
        if !self.timers.borrow().is_empty() {
            self.fire_timers();
        }
        let call = self.calls.borrow_mut().pop_front();
        if let Some(call) = call {
            call.run();
        }
    }

    fn fire_timers(&self) {
        let now = self.shared().clock.now();
        loop {
            let due = self.timers.borrow_mut().take_due(now);
            let Some((task, generation)) = due else { break };
            if task.core().wait.wake(generation) {
                self.shared().timer_fired(self.post.id, task.core().id);
                self.revive(&task);
            }
        }
    }

    /// Moves a task whose wait is over to the ready queue.
    fn revive(&self, task: &Task) {
        let worker = self.suspended.borrow_mut().remove(task.core().slot());
        self.shared().state_changed(worker.id, WorkerState::Suspend, WorkerState::Ready);
        self.ready.borrow_mut().push_back(worker);
    }

    /// Drops the closures of tasks that were abandoned in a queue.
    pub(crate) fn bury(&self) {
        let remains = std::mem::take(&mut *self.shared().remains.lock());
        task::bury(remains);
    }

    /// Whether anything that this seat could run, or would have to look at, is there.
    pub(crate) fn has_news(&self) -> bool {
        self.post.has_mail() || !self.woken.borrow().is_empty() || !self.calls.borrow().is_empty()
    }

    /// How many workers of this seat have a task or a turn.
    pub(crate) fn workers(&self) -> usize {
        self.ready.borrow().len() + self.suspended.borrow().len()
    }

    // --- stacks --------------------------------------------------------------------------------------------------

    pub(crate) fn take_stack(&self, size: usize) -> Option<Stack> {
        if size == self.shared().fixed.stack_size
            && let Some(stack) = self.stacks.borrow_mut().pop()
        {
            return Some(stack);
        }
        self.shared().stacks.take(size).ok()
    }

    pub(crate) fn give_stack(&self, stack: Stack) {
        let mut stacks = self.stacks.borrow_mut();
        if stack.size() == self.shared().fixed.stack_size && stacks.len() < STACKS_KEPT {
            stacks.push(stack);
        } else {
            drop(stacks);
            self.shared().stacks.give(stack);
            // Ordering: Relaxed; whoever was refused looks again before it sleeps, and is woken by what is given later.
            if self.shared().stacks_refused.load(Ordering::Relaxed) > 0 {
                self.shared().pass_on();
            }
        }
    }

    pub(crate) fn give_up_stacks(&self) {
        for stack in self.stacks.take() {
            self.shared().stacks.give(stack);
        }
    }
}
