//! What every task has, whatever its types: its words, its name, its home, and who waits for it; and how it is woken.

use std::mem::ManuallyDrop;

use copool_spec::{TaskId, Tell};

use super::wait::{Ended, Generation, WaitWord};
use super::word::Word;
use super::{Task, discard};
use crate::here;
use crate::pool::{Count, Parker, Post, Shared};
use crate::sync::{Arc, AtomicU32, CachePadded, Mutex, Ordering, UnsafeCell, catch};

/// What a task has to wait on its outcome.
pub(crate) enum Waiter {
    /// A task, in the wait of this generation.
    Task(Task, Generation),
    /// A plain thread.
    Thread(Arc<Parker>),
    /// A seat that drives until this task has ended.
    Seat(Arc<Post>),
    /// A future's waker.
    Future(std::task::Waker),
}

/// A reference to the pool for the tasks of one submitting thread: they count their references here, on a cache line
/// that other threads do not write.
pub(crate) struct Home {
    shared: CachePadded<Arc<Shared>>,
}

impl Home {
    pub(crate) fn new(shared: &Arc<Shared>) -> Arc<Self> {
        Arc::new(Self { shared: CachePadded::new(Arc::clone(shared)) })
    }
}

/// What few tasks have.
pub(crate) struct Label {
    pub(crate) name: Option<String>,
    /// The least stack it needs, in bytes; 0 for the pool's.
    pub(crate) stack: usize,
    pub(crate) priority: i64,
}

/// The part of the cell that does not depend on the task's types.
pub(crate) struct Core {
    pub(crate) word: Word,
    /// Under which key the seat of a suspended task keeps its coroutine. Only that seat's thread uses it.
    slot: AtomicU32,
    pub(crate) wait: WaitWord,
    pub(crate) id: TaskId,
    label: Option<Box<Label>>,
    /// Taken out by whoever drops the cell.
    home: ManuallyDrop<Arc<Home>>,
    /// The seat that runs the task, once it has suspended for the first time.
    runner: UnsafeCell<Option<Arc<Post>>>,
    /// Nobody for most tasks, so it is behind a pointer.
    waiters: Mutex<Waiters>,
}

// SAFETY: all fields but `runner` are Sync by themselves. `runner` is written once, by the running task before its first
// wait, and read by the one that ended a wait of it, which the wait word orders after (see `set_runner`, `runner`).
unsafe impl Sync for Core {}

impl Core {
    #[inline]
    pub(crate) fn new(id: TaskId, home: Arc<Home>, label: Option<Box<Label>>) -> Self {
        Self {
            word: Word::new(),
            slot: AtomicU32::new(0),
            wait: WaitWord::new(),
            id,
            label,
            home: ManuallyDrop::new(home),
            runner: UnsafeCell::new(None),
            waiters: Mutex::new(Waiters::default()),
        }
    }

    pub(crate) fn name(&self) -> Option<&str> {
        self.label.as_ref()?.name.as_deref()
    }

    /// Its priority, if it needs a stack of its own; to be queued again when there was none.
    pub(crate) fn priority(&self) -> i64 {
        self.label.as_ref().map_or(0, |label| label.priority)
    }

    #[inline]
    pub(crate) fn least_stack(&self) -> usize {
        self.label.as_ref().map_or(0, |label| label.stack)
    }

    pub(crate) fn shared(&self) -> &Arc<Shared> {
        &self.home.shared
    }

    /// The cell's count of its home.
    ///
    /// # Safety
    /// The cell is about to be dropped: nothing uses the home after this.
    #[inline]
    pub(super) unsafe fn take_home(&mut self) -> Arc<Home> {
        // SAFETY: by the contract it is taken once.
        unsafe { ManuallyDrop::take(&mut self.home) }
    }

    pub(crate) fn set_slot(&self, slot: usize) {
        let slot = u32::try_from(slot).expect("a seat holds fewer than 2^21 workers");
        // Ordering: Relaxed; only the seat's own thread reads and writes it.
        self.slot.store(slot, Ordering::Relaxed);
    }

    pub(crate) fn slot(&self) -> usize {
        // Ordering: Relaxed, see `set_slot`.
        self.slot.load(Ordering::Relaxed) as usize
    }

    /// A wait of this task is over; if it was a join, the task does not stand in the way any more.
    pub(crate) fn count_ended(&self, ended: &Ended) {
        if ended.join {
            self.shared().outside.add_shared(Count::JoinOver);
        }
    }

    /// Says who runs the task.
    ///
    /// # Safety
    /// Only the running task itself may call this, once, before its first wait begins.
    pub(crate) unsafe fn set_runner(&self, post: &Arc<Post>) {
        self.runner.with_mut(|runner| {
            // SAFETY: by the contract nobody else can have ended a wait yet, so nobody reads.
            unsafe { *runner = Some(Arc::clone(post)) };
        });
    }

    /// Hands `f` the post of the seat whose coroutine the task is.
    ///
    /// # Safety
    /// The caller has ended a wait of this task, by the wait word, and `f` does not tell the seat of another thread yet.
    unsafe fn with_runner<R>(&self, f: impl FnOnce(&Arc<Post>) -> R) -> R {
        self.runner.with(|runner| {
            // SAFETY: it was written before the wait began, and whoever ended the wait acquired that from the wait word. Until
            // the seat is told, the task does not go on, and nothing else writes it.
            let runner = unsafe { &*runner };
            f(runner.as_ref().expect("a task that waits has a seat"))
        })
    }

    /// Wakes everybody who waits for the outcome, which is published.
    #[cold]
    pub(crate) fn wake_waiters(&self) {
        wake_all(self.take_waiters());
    }

    pub(crate) fn take_waiters(&self) -> Waiters {
        std::mem::take(&mut *self.waiters.lock())
    }

    /// Puts somebody on the list of those to wake; `false` if the task has ended.
    pub(crate) fn add_waiter(&self, waiter: Waiter) -> bool {
        let mut waiters = self.waiters.lock();
        // The bit is set under the lock, so whoever ends the task and sees it finds the waiter in the list.
        let waits = self.word.watch();
        if waits {
            waiters.push(waiter);
        }
        waits
    }

    /// Takes waiters off the list that wait no more.
    pub(crate) fn remove_waiters(&self, is_mine: impl Fn(&Waiter) -> bool) {
        let mine = self.waiters.lock().remove(is_mine);
        // Dropped after the lock: a waiter may be the last reference to a task, or a user's waker.
        drop(mine);
    }
}

/// Those who wait for one outcome.
#[derive(Default)]
pub(crate) struct Waiters(Option<Box<(Waiter, Vec<Waiter>)>>);

impl Waiters {
    fn push(&mut self, waiter: Waiter) {
        match &mut self.0 {
            // Seldom is there a second one, so the first needs no list of its own.
            None => self.0 = Some(Box::new((waiter, Vec::new()))),
            Some(waiters) => waiters.1.push(waiter),
        }
    }

    /// Takes some out.
    fn remove(&mut self, is_mine: impl Fn(&Waiter) -> bool) -> Vec<Waiter> {
        let Some(waiters) = &mut self.0 else { return Vec::new() };
        let mut mine: Vec<_> = waiters.1.extract_if(.., |waiter| is_mine(waiter)).collect();
        if is_mine(&waiters.0) {
            // The others keep their order: who waits longest is woken first.
            if waiters.1.is_empty() {
                mine.extend(self.0.take().map(|waiters| waiters.0));
            } else {
                let next = waiters.1.remove(0);
                mine.push(std::mem::replace(&mut waiters.0, next));
            }
        }
        mine
    }
}

/// Wakes everybody in a list that was taken from under its lock.
pub(crate) fn wake_all(waiters: Waiters) {
    if let Some(waiters) = waiters.0 {
        let (first, others) = *waiters;
        wake_one(first);
        others.into_iter().for_each(wake_one);
    }
}

/// Wakes one who waits.
pub(crate) fn wake_one(waiter: Waiter) {
    match waiter {
        Waiter::Task(task, generation) => wake(task, generation),
        Waiter::Thread(parker) => parker.unpark(),
        Waiter::Seat(post) => post.ring(),
        // A waker is the user's code: it may panic.
        Waiter::Future(waker) => {
            if let Err(payload) = catch(|| waker.wake()) {
                discard(payload);
            }
        }
    }
}

/// Ends the wait of this generation, if it is still on: then the reference goes to the task's seat, and if that is this
/// thread's, the task, which has not gone on yet, has another. So nothing of the task is dropped here.
pub(crate) fn wake(task: Task, generation: Generation) {
    if let Some(ended) = task.core().wait.wake(generation)
        && let Some(post) = note(&task, ended)
    {
        post.send(task);
    }
}

/// Ends the task's park, or leaves it a token.
pub(crate) fn unpark(task: &Task) {
    if let Some(ended) = task.core().wait.unpark()
        && let Some(post) = note(task, ended)
    {
        post.send(Task::clone(task));
    }
}

/// Makes the task unwind at its present or next wait.
pub(crate) fn interrupt(task: &Task) {
    if let Some(ended) = task.core().wait.interrupt()
        && let Some(post) = note(task, ended)
    {
        post.send(Task::clone(task));
    }
}

/// Tells this thread's seat that the wait of a task of its own is over; for one of another seat, hands back which, to be
/// told by the caller.
fn note(task: &Task, ended: Ended) -> Option<Arc<Post>> {
    let core = task.core();
    core.count_ended(&ended);
    core.shared().task_woken(core.id);
    here::innermost(|seat| {
        let noted = |post: &Arc<Post>| {
            let noted = seat.is_some_and(|seat| Arc::ptr_eq(&seat.post, post) && seat.note_woken(task));
            if noted { None } else { Some(Arc::clone(post)) }
        };
        // SAFETY: whoever has `ended` has ended a wait of the task. Its own seat is told on this thread, and reads that later.
        unsafe { core.with_runner(noted) }
    })
}
