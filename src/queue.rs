//! The queues, and the order in which a poll looks at them (S6).
//!
//! Priority 0 waits in the deque of the seat on whose thread it was submitted, or else in the pool's injector; every
//! other priority waits in the ordered [`Lane`]. A poll takes: the lane's head if it is below 0, the own deque, the
//! injector, another seat's deque, the rest of the lane. Two bounds, counted in polls, keep anything from waiting for
//! ever: every [`INJECTOR_EVERY`]th poll looks at the injector first, and every [`AGE`]th poll takes the oldest task
//! of one source, the four sources taking turns.
//!
//! A task that ended while it was queued is a tombstone: a poll drops it and goes on, and it counts for nothing.

mod lane;

use std::cell::{Cell, RefCell};

use copool_spec::{SeatId, TaskId, Tell};

pub(crate) use lane::Lane;

use crate::pool::{Post, Shared};
use crate::sync::Ordering;
use crate::sync::deque::{Deque, Steal, Stealer};
use crate::task::Task;

/// Every so many polls the injector is looked at first.
pub(crate) const INJECTOR_EVERY: u32 = if cfg!(any(feature = "loom", feature = "shuttle")) { 3 } else { 61 };

/// Every so many polls the oldest task of a source is taken, whatever its priority.
pub(crate) const AGE: u32 = if cfg!(any(feature = "loom", feature = "shuttle")) { 5 } else { 257 };

/// In which order a seat runs the tasks that were submitted on its own thread.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum LocalOrder {
    /// First in, first out: fair among equals.
    #[default]
    Fifo,
    /// Last in, first out: for fork-join work, whose queue stays short this way.
    Lifo,
}

/// The sources of a seat's polls.
pub(crate) struct Queue {
    deque: Deque<Task>,
    own: Stealer<Task>,
    polls: Cell<u32>,
    /// Which source the next aged poll begins with.
    aged: Cell<u32>,
    /// Which peer is robbed first.
    victim: Cell<usize>,
    /// The last task that came from the injector.
    injected: Cell<Option<TaskId>>,
    peers: RefCell<Peers>,
}

/// A task that was polled and could not be run for want of a stack.
pub(crate) struct Held {
    pub(crate) task: Task,
    /// It was in the injector, else on the seat's own deque or in the lane.
    injected: bool,
}

#[derive(Default)]
struct Peers {
    version: Option<usize>,
    stealers: Vec<(SeatId, Stealer<Task>)>,
}

impl Queue {
    pub(crate) fn new(order: LocalOrder) -> Self {
        let deque = match order {
            LocalOrder::Fifo => Deque::new_fifo(),
            LocalOrder::Lifo => Deque::new_lifo(),
        };
        Self {
            own: deque.stealer(),
            deque,
            polls: Cell::new(0),
            aged: Cell::new(0),
            victim: Cell::new(0),
            injected: Cell::new(None),
            peers: RefCell::new(Peers::default()),
        }
    }

    pub(crate) fn stealer(&self) -> Stealer<Task> {
        self.own.clone()
    }

    /// Puts a task of priority 0 on the own deque.
    #[inline]
    pub(crate) fn push(&self, task: Task) {
        self.deque.push(task);
    }

    /// Whether the own deque or a shared source holds anything.
    #[inline]
    pub(crate) fn is_near(&self, shared: &Shared) -> bool {
        !self.deque.is_empty() || shared.shared_work()
    }

    /// Takes everything off the own deque, the oldest first, whichever end polls take from.
    pub(crate) fn drain(&self) -> Vec<Task> {
        std::iter::from_fn(|| steal(&self.own)).collect()
    }

    /// Takes the next task, in the order that this module describes.
    #[inline(always)]
    pub(crate) fn poll(&self, post: &Post) -> Option<Task> {
        let shared = &*post.shared;
        let polls = self.polls.get().wrapping_add(1);
        self.polls.set(polls);
        if polls.is_multiple_of(AGE) {
            return self.poll_oldest(post);
        }
        if polls.is_multiple_of(INJECTOR_EVERY)
            && let Some(task) = self.inject(shared)
        {
            return Some(task);
        }
        if let Some(task) = live(|| shared.lane.pop_urgent()) {
            return Some(task);
        }
        if let Some(task) = live(|| self.deque.pop()) {
            return Some(task);
        }
        self.poll_far(post)
    }

    fn poll_far(&self, post: &Post) -> Option<Task> {
        let shared = &*post.shared;
        self.inject(shared).or_else(|| self.rob(post)).or_else(|| live(|| shared.lane.pop_first()))
    }

    #[cold]
    fn poll_oldest(&self, post: &Post) -> Option<Task> {
        let shared = &*post.shared;
        let first = self.aged.get();
        self.aged.set(first.wrapping_add(1));
        (0..4).find_map(|n| match first.wrapping_add(n) % 4 {
            0 => live(|| shared.lane.pop_oldest()),
            1 => self.inject(shared),
            2 => live(|| steal(&self.own)),
            _ => self.rob(post),
        })
    }

    fn inject(&self, shared: &Shared) -> Option<Task> {
        let task = live(|| inject(shared))?;
        self.injected.set(Some(task.core().id));
        Some(task)
    }

    /// Says where the task that was polled last comes from, for as long as it is in hand.
    pub(crate) fn in_hand(&self, task: Task) -> Held {
        Held { injected: self.injected.get() == Some(task.core().id), task }
    }

    /// Puts a task back where it was, though as the last that came: a thief says of what is on a deque that it was there.
    pub(crate) fn put_back(&self, held: Held, shared: &Shared) {
        match held.task.core().priority() {
            0 if held.injected => shared.inject(held.task),
            0 => self.push(held.task),
            priority => shared.lane.push(priority, held.task),
        }
    }

    /// Takes a task from another seat's deque.
    fn rob(&self, post: &Post) -> Option<Task> {
        let mut peers = self.peers.borrow_mut();
        let version = post.shared.registry_version();
        if peers.version != Some(version) {
            let posts = post.shared.posts();
            peers.stealers.clear();
            peers.stealers.extend(posts.iter().filter(|o| o.id != post.id).map(|o| (o.id, o.stealer.clone())));
            peers.version = Some(version);
        }
        let count = peers.stealers.len();
        for n in 0..count {
            let at = self.victim.get().wrapping_add(n) % count;
            let (from, stealer) = &peers.stealers[at];
            if let Some(task) = live(|| steal(stealer)) {
                self.victim.set(at);
                let from = *from;
                drop(peers);
                // Ordering: Relaxed; a figure to read.
                post.shared.stolen.fetch_add(1, Ordering::Relaxed);
                post.shared.task_stolen(post.id, from, task.core().id);
                return Some(task);
            }
        }
        None
    }
}

fn inject(shared: &Shared) -> Option<Task> {
    loop {
        match shared.injector.steal() {
            Steal::Success(task) => return Some(task),
            Steal::Empty => return None,
            // Somebody else has made progress.
            Steal::Retry => {}
        }
    }
}

fn steal(stealer: &Stealer<Task>) -> Option<Task> {
    loop {
        match stealer.steal() {
            Steal::Success(task) => return Some(task),
            Steal::Empty => return None,
            // Somebody else has made progress.
            Steal::Retry => {}
        }
    }
}

/// The first task of a source that is not a tombstone.
#[inline]
fn live(mut next: impl FnMut() -> Option<Task>) -> Option<Task> {
    loop {
        let task = next()?;
        if task.core().word.is_queued() {
            return Some(task);
        }
    }
}

impl Shared {
    /// Takes everything off every queue that can be reached from here.
    pub(crate) fn drain_queues(&self) -> Vec<Task> {
        let mut tasks: Vec<Task> = std::iter::from_fn(|| inject(self)).collect();
        tasks.extend(std::iter::from_fn(|| self.lane.pop_first()));
        for post in self.posts() {
            tasks.extend(std::iter::from_fn(|| steal(&post.stealer)));
            tasks.extend(post.held.lock().drain(..).map(|held| held.task));
        }
        tasks
    }

    /// Puts a task where tasks without a seat wait.
    pub(crate) fn inject(&self, task: Task) {
        self.injector.push(task);
    }
}
