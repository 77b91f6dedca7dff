//! A seat: the place of one schedule thread in a pool, and what only that thread touches.
//!
//! It sits behind a shared pointer with interior mutability. No borrow of its collections, and no reference to a stored
//! coroutine, lives across a resume or a call of the user's code: a worker is moved out of its collection first.

use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::mem::MaybeUninit;
use std::time::Instant;

use copool_spec::{Event, TaskId, Tell, WorkerId, WorkerState};
use slab::Slab;

use super::timers::Timers;
use crate::here;
use crate::pool::{Orphan, Post, Shared};
use crate::queue::Queue;
use crate::stack::Stack;
use crate::sync::Arc;
use crate::syscall::Call;
use crate::task::{self, Frame, Generation, Home, Rooms, Task};
use crate::worker::{self, Worker};

/// After so many tasks in a row a worker goes to the back of the ready queue.
pub(crate) const POLLS_PER_TURN: u32 = if cfg!(any(feature = "loom", feature = "shuttle")) { 2 } else { 32 };

/// What a seat has to look at between two tasks, as bits of one byte: on the hot path it is 0.
mod due {
    /// Tasks whose wait was ended on this thread.
    pub(super) const WOKEN: u8 = 1;
    /// Armed timers.
    pub(super) const TIMERS: u8 = 1 << 1;
    /// System calls for the seat to run.
    pub(super) const CALLS: u8 = 1 << 2;
    /// The drive has a deadline.
    pub(super) const DEADLINE: u8 = 1 << 3;
    /// The drive ends: pollers return.
    pub(super) const RETIRING: u8 = 1 << 4;
}

/// The half of a seat that only its own thread sees.
pub(crate) struct Seat {
    pub(crate) post: Arc<Post>,
    pub(crate) rooms: Rooms,
    pub(crate) queue: Queue,
    pub(crate) ready: RefCell<VecDeque<Box<Worker>>>,
    /// How many of the ready workers have no task.
    pub(crate) pollers: Cell<u32>,
    pub(crate) suspended: RefCell<Slab<Box<Worker>>>,
    due: Cell<u8>,
    /// The slots of suspended tasks whose wait was ended on this thread.
    woken: RefCell<VecDeque<usize>>,
    timers: RefCell<Timers>,
    /// System calls that the seat itself runs, on a virtual clock.
    calls: RefCell<VecDeque<Call>>,
    /// How many tasks of this seat are in a system call.
    pub(crate) calls_out: Cell<u32>,
    deadline: Cell<Option<Instant>>,
    pub(super) stacks: RefCell<Vec<Stack>>,
    /// The memory of workers that have ended.
    #[expect(clippy::vec_box, reason = "the boxes themselves are what is kept")]
    pub(super) places: RefCell<Vec<Box<MaybeUninit<Worker>>>>,
    /// The frame of the task that runs; null between tasks.
    pub(crate) frame: Cell<*const Frame>,
    /// How deep in its stack, below its frame, the task was that gave up the processor last: a hint.
    pub(crate) depth: Cell<u32>,
    /// A task that a worker has polled and cannot run on its stack, and how many had ended in its turn.
    pub(crate) hand: Cell<Option<(Task, u32)>>,
    /// Whether the seat may have tasks in hand that wait for stacks.
    pub(crate) holds: Cell<bool>,
    /// Where it slept last it was the one to look after stacks that rest.
    pub(super) minds: Cell<bool>,
    pub(crate) driving: Cell<bool>,
    /// The seat leaves: all that is suspended on it unwinds.
    pub(crate) leaving: Cell<bool>,
    /// What a drop of the seat's handle left to be done when the drive from within which it was dropped has ended.
    pub(crate) orphan: Cell<Option<Orphan>>,
    /// The thread was panicking when the seat began to leave.
    pub(crate) outer_panic: Cell<bool>,
    /// The last attempt to get a stack failed.
    pub(crate) exhausted: Cell<bool>,
    /// It was called to search for a task, and has not found one yet.
    pub(crate) searching: Cell<bool>,
    pub(crate) drives: Cell<u64>,
    /// How many times stacks had been given back to the pool when this seat last wanted one.
    pub(crate) given_seen: Cell<u64>,
    /// Turns of workers, for what is looked at every so many.
    pub(super) turns: Cell<u32>,
    /// The next seat of this thread; see [`here`](crate::here).
    pub(crate) next: Cell<*const Seat>,
    ids: Cell<(u64, u64)>,
    /// Whether there are listeners.
    listens: bool,
    /// Whether tasks have slices.
    pub(crate) slices: bool,
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
            listens: shared.listens(),
            slices: shared.fixed.slice.is_some(),
            post,
            rooms: Rooms::new(Home::new(shared)),
            queue,
            ready: RefCell::new(VecDeque::new()),
            pollers: Cell::new(0),
            suspended: RefCell::new(Slab::new()),
            due: Cell::new(0),
            woken: RefCell::default(),
            timers: RefCell::new(Timers::new()),
            calls: RefCell::new(VecDeque::new()),
            calls_out: Cell::new(0),
            deadline: Cell::new(None),
            stacks: RefCell::new(Vec::new()),
            places: RefCell::new(Vec::new()),
            frame: Cell::new(std::ptr::null()),
            depth: Cell::new(0),
            hand: Cell::new(None),
            holds: Cell::new(false),
            minds: Cell::new(false),
            driving: Cell::new(false),
            leaving: Cell::new(false),
            orphan: Cell::new(None),
            outer_panic: Cell::new(false),
            exhausted: Cell::new(false),
            searching: Cell::new(false),
            drives: Cell::new(0),
            given_seen: Cell::new(0),
            turns: Cell::new(0),
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

    /// Reports a worker's change of state.
    #[inline]
    pub(crate) fn state_changed(&self, worker: WorkerId, old: WorkerState, new: WorkerState) {
        if self.listens {
            self.shared().state_changed(worker, old, new);
        }
    }

    /// How many workers of this seat have a task or a turn.
    pub(crate) fn workers(&self) -> usize {
        self.ready.borrow().len() + self.suspended.borrow().len()
    }

    // --- what is due ---------------------------------------------------------------------------------------------

    #[inline]
    fn is_due(&self, bits: u8) -> bool {
        self.due.get() & bits != 0
    }

    fn set_due(&self, bit: u8, on: bool) {
        self.due.set(if on { self.due.get() | bit } else { self.due.get() & !bit });
    }

    /// Notes a task of this seat whose wait was ended on this thread. `false` if it has not suspended yet: it is the one
    /// that runs, and what registers its wait has ended it. (Listeners, which run there too, find no seat.) The worker stays in
    /// its slot until this note is read, so the note needs no reference to the task.
    pub(crate) fn note_woken(&self, task: &Task) -> bool {
        // SAFETY: null, or the frame of the task that runs on this thread.
        if unsafe { self.frame.get().as_ref() }.is_some_and(|frame| frame.task.is(task)) {
            return false;
        }
        self.woken.borrow_mut().push_back(task.core().slot());
        self.set_due(due::WOKEN, true);
        true
    }

    /// Queues a system call for the seat itself to run.
    pub(crate) fn queue_call(&self, call: Call) {
        self.calls.borrow_mut().push_back(call);
        self.set_due(due::CALLS, true);
    }

    pub(crate) fn arm(&self, at: Instant, task: Task, generation: Generation) {
        let stale = self.timers.borrow_mut().arm(at, task, generation);
        self.set_due(due::TIMERS, true);
        drop(stale);
    }

    pub(crate) fn next_timer(&self) -> Option<Instant> {
        let (next, stale) = self.timers.borrow_mut().next();
        self.set_due(due::TIMERS, next.is_some());
        if !stale.is_empty() {
            // The destructors of results may wait for what is left to the search.
            self.found();
        }
        drop(stale);
        next
    }

    pub(crate) fn set_deadline(&self, deadline: Option<Instant>) {
        self.deadline.set(deadline);
        self.set_due(due::DEADLINE, deadline.is_some());
    }

    pub(crate) fn deadline(&self) -> Option<Instant> {
        self.deadline.get()
    }

    #[inline]
    pub(super) fn is_time_over(&self) -> bool {
        self.is_due(due::DEADLINE) && self.deadline.get().is_some_and(|at| at <= self.shared().clock.now())
    }

    pub(crate) fn set_retiring(&self, retiring: bool) {
        self.set_due(due::RETIRING, retiring);
    }

    #[inline]
    pub(crate) fn is_retiring(&self) -> bool {
        self.is_due(due::RETIRING)
    }

    /// The next ready worker, if nothing but tasks woken here must be looked at before it runs.
    #[inline]
    pub(super) fn next_at_once(&self) -> Option<Box<Worker>> {
        let due = self.due.get();
        if due & !due::WOKEN == 0 && !self.post.has_mail() && self.shared().signals.read().is_clear() {
            if due != 0 {
                self.revive_woken();
            }
            let mut ready = self.ready.borrow_mut();
            let worker = ready.pop_front();
            worker::fetch_ahead(&ready);
            worker
        } else {
            None
        }
    }

    /// Looks, between two tasks, at what must not wait for the whole backlog.
    #[inline]
    pub(crate) fn between(&self, turn: u32) -> Between {
        let lowered = self.shared().signals.read().is_lowered();
        if self.due.get() == 0 && turn < POLLS_PER_TURN && !self.post.has_mail() && !lowered {
            Between::Go
        } else {
            self.between_slow(turn)
        }
    }

    fn between_slow(&self, turn: u32) -> Between {
        if self.is_due(due::DEADLINE | due::TIMERS) {
            let now = self.shared().clock.now();
            if self.deadline.get().is_some_and(|deadline| deadline <= now) {
                return Between::TimeOver;
            }
            if self.next_timer().is_some_and(|at| at <= now) {
                return Between::Turn;
            }
        }
        if self.shared().signals.read().is_lowered() && self.shared().is_above_max() {
            return Between::TimeOver;
        }
        let soon = self.is_due(due::WOKEN | due::CALLS | due::RETIRING);
        if soon || turn >= POLLS_PER_TURN || self.post.has_mail() { Between::Turn } else { Between::Go }
    }

    /// Looks at everything that can make a waiting task ready.
    #[inline]
    pub(crate) fn look(&self) {
        if self.is_due(due::WOKEN | due::TIMERS | due::CALLS) || self.post.has_mail() {
            self.look_slow();
        }
    }

    fn look_slow(&self) {
        self.revive_all();
        if self.is_due(due::TIMERS) {
            self.fire_timers();
        }
        let call = self.calls.borrow_mut().pop_front();
        self.set_due(due::CALLS, !self.calls.borrow().is_empty());
        if let Some(call) = call {
            call.run();
            self.revive_woken();
        }
    }

    /// Has the tasks ready whose wait is over, whoever has ended it.
    pub(super) fn revive_all(&self) {
        if self.post.has_mail() {
            for task in self.post.take_mail() {
                self.revive(task.core().slot());
            }
        }
        self.revive_woken();
    }

    fn revive_woken(&self) {
        loop {
            // Not in the loop's head: the borrow must be over when a listener hears of it.
            let woken = self.woken.borrow_mut().pop_front();
            let Some(slot) = woken else { break };
            self.revive(slot);
        }
        self.set_due(due::WOKEN, false);
    }

    fn fire_timers(&self) {
        let now = self.shared().clock.now();
        loop {
            let due = self.timers.borrow_mut().take_due(now);
            let Some((task, generation)) = due else { break };
            if let Some(ended) = task.core().wait.wake(generation) {
                task.core().count_ended(&ended);
                self.timer_fired(self.post.id, task.core().id);
                self.revive(task.core().slot());
            } else {
                // As in `next_timer`.
                self.found();
            }
        }
        self.next_timer();
        self.tidy_between(now);
    }

    /// Moves a task whose wait is over to the ready queue.
    fn revive(&self, slot: usize) {
        let worker = self.suspended.borrow_mut().remove(slot);
        self.state_changed(worker.id, worker.state, WorkerState::Ready);
        self.ready.borrow_mut().push_back(worker);
    }

    /// Drops the closures of tasks that were abandoned in a queue.
    pub(crate) fn bury(&self) {
        let remains = std::mem::take(&mut *self.shared().remains.lock());
        task::bury(remains);
    }

    /// Whether any task's wait may be over by a timer.
    pub(crate) fn has_timers(&self) -> bool {
        self.is_due(due::TIMERS)
    }

    /// Whether there is anything for `look`, timers aside.
    pub(crate) fn has_news(&self) -> bool {
        self.is_due(due::WOKEN | due::CALLS) || self.post.has_mail()
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        // A seat that has left is on no list and has no worker. One that a fault of our own cut short takes neither its
        // place nor its coroutines with it: dropping those would unwind them by force, over fields that are gone.
        here::delist(self);
        self.ready.take().into_iter().for_each(std::mem::forget);
        self.suspended.take().drain().for_each(std::mem::forget);
    }
}

impl Tell for Seat {
    #[inline]
    fn listens(&self) -> bool {
        self.listens
    }

    #[cold]
    fn tell(&self, event: Event) {
        self.shared().tell(event);
    }
}
