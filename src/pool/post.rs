//! The half of a seat that other threads see.
//!
//! A seat goes to sleep in four steps: it announces it (`announce`), executes the heavy fence, looks again at every
//! source of work, and only then parks. Whoever brings work pushes it first, executes the light fence, and then reads
//! whether anybody sleeps. One of the two sees the other (L2). [`waking`](super::waking) says which of several sleepers is woken.
//! The whole pool sleeps and wakes under loom and shuttle in `tests/smoke_loom.rs` and `tests/smoke_shuttle.rs`.

use std::time::Instant;

use copool_spec::SeatId;

use super::tally::Tally;
use super::{Parker, Shared};
use crate::queue::Held;
use crate::sync::deque::Stealer;
use crate::sync::{
    Arc, AtomicBool, AtomicPtr, AtomicU32, AtomicUsize, CachePadded, Mutex, Ordering, heavy_fence, light_fence,
};
use crate::task::{Core, Task};

/// The seat does not sleep, or was woken.
const AWAKE: u32 = 0;
/// The seat has announced that it sleeps.
const ASLEEP: u32 = 1;
/// The seat was woken for a task and searches, as it learns when it rises.
const CALLED: u32 = 2;

/// No task in the seat's hand wants a stack.
const NOTHING: usize = usize::MAX;
/// A task in the seat's hand wants a stack, and there may be one now.
const OFFERED: usize = 0;

/// The shared half of a seat.
pub(crate) struct Post {
    pub(crate) id: SeatId,
    pub(crate) shared: Arc<Shared>,
    pub(crate) stealer: Stealer<Task>,
    pub(crate) tally: CachePadded<Tally>,
    pub(crate) roster: Roster,
    /// Tasks taken from a queue for which no stack could be had yet.
    pub(crate) held: Mutex<Vec<Held>>,
    /// The least size of the stacks that they want; else [`NOTHING`] or [`OFFERED`].
    wants: AtomicUsize,
    mail: Mail,
    parker: Parker,
    /// [`AWAKE`], [`ASLEEP`] or [`CALLED`].
    state: AtomicU32,
    /// It waits only for notes now, and takes no task any more.
    leaving: AtomicBool,
    /// The drive that sleeps here ends when the pool is stalled.
    asks_for_stall: AtomicBool,
}

impl Post {
    pub(crate) fn new(id: SeatId, shared: Arc<Shared>, stealer: Stealer<Task>) -> Self {
        Self {
            id,
            shared,
            stealer,
            tally: CachePadded::new(Tally::new()),
            roster: Roster::new(),
            held: Mutex::new(Vec::new()),
            wants: AtomicUsize::new(NOTHING),
            mail: Mail::new(),
            parker: Parker::new(),
            state: AtomicU32::new(AWAKE),
            leaving: AtomicBool::new(false),
            asks_for_stall: AtomicBool::new(false),
        }
    }

    pub(crate) fn set_leaving(&self) {
        // Ordering: AcqRel; whoever wakes the seat for a task after this looks for another one. Relaxed would do: a waker that
        // comes too early has its wake-up passed on.
        self.leaving.swap(true, Ordering::AcqRel);
    }

    pub(crate) fn is_leaving(&self) -> bool {
        // Ordering: Acquire, see `set_leaving`.
        self.leaving.load(Ordering::Acquire)
    }

    /// Whether the drive that is about to sleep ends when the pool is stalled. Before it is announced.
    pub(crate) fn set_asks_for_stall(&self, asks: bool) {
        // Ordering: Relaxed; the fence of `announce` orders it before the look again, and pairs with that of whoever finds
        // the pool stalled and then reads it.
        self.asks_for_stall.swap(asks, Ordering::Relaxed);
    }

    pub(crate) fn asks_for_stall(&self) -> bool {
        // Ordering: Relaxed, see `set_asks_for_stall`.
        self.asks_for_stall.load(Ordering::Relaxed)
    }

    /// Sends the note that this task's wait is over.
    pub(crate) fn send(&self, task: Task) {
        self.mail.push(task);
        light_fence();
        self.wake();
    }

    #[inline]
    pub(crate) fn has_mail(&self) -> bool {
        self.mail.is_there()
    }

    pub(crate) fn take_mail(&self) -> Vec<Task> {
        self.mail.take()
    }

    /// A task in the seat's hand wants a stack of this size, and is offered one from here on. The seat executes the heavy fence after
    /// this and tries once more, so that none is missed that could be had before.
    pub(crate) fn want(&self, size: usize) {
        // Ordering: Relaxed; the fence orders it before the try, and pairs with that before an `offer`.
        self.wants.fetch_min(size, Ordering::Relaxed);
    }

    /// The tasks in hand are queued again, or there is none.
    pub(crate) fn want_nothing(&self) {
        // Ordering: Relaxed; whoever polls them tries anew.
        self.wants.swap(NOTHING, Ordering::Relaxed);
    }

    /// A stack of this size can be had: whether a task in hand wants it. The caller has the light fence before, and rings the seat.
    pub(crate) fn offer(&self, size: usize) -> bool {
        let fits = |wanted| (OFFERED < wanted && wanted <= size && wanted != NOTHING).then_some(OFFERED);
        // Ordering: Relaxed; the fences order it after what can be had, and before the look whether the seat sleeps.
        self.wants.fetch_update(Ordering::Relaxed, Ordering::Relaxed, fits).is_ok()
    }

    pub(crate) fn is_offered(&self) -> bool {
        // Ordering: Relaxed; whoever tries then has the heavy fence before its second try.
        self.wants.load(Ordering::Relaxed) == OFFERED
    }

    /// Has the seat look again at everything, whether it sleeps now or is about to.
    pub(crate) fn ring(&self) {
        light_fence();
        self.wake();
    }

    /// Says that the seat is about to sleep. It looks again after this.
    pub(crate) fn announce(&self) {
        // First, so that whoever takes the announcement back finds it counted.
        self.shared.signals.add_sleeper();
        // Ordering: Release pairs with the Acquire of whoever takes the announcement back, whose decrement must not come
        // before the increment above. The fence below orders it before the look again, and pairs with the light fence of
        // whoever brings work and then reads it.
        self.state.swap(ASLEEP, Ordering::Release);
        heavy_fence();
    }

    /// Sleeps until woken, or until `deadline`. Announced before.
    pub(crate) fn sleep(&self, deadline: Option<Instant>) {
        self.parker.park(deadline);
    }

    /// Takes the announcement back, if no waker has. Whether the seat was called to search for a task.
    #[must_use]
    pub(crate) fn rise(&self) -> bool {
        // Ordering: AcqRel; of the seat and its wakers one takes the announcement back, and follows what the other did: the
        // count, and the mark that somebody searches, which a called seat takes back.
        let before = self.state.swap(AWAKE, Ordering::AcqRel);
        if before == ASLEEP {
            self.shared.signals.remove_sleeper();
        }
        before == CALLED
    }

    /// Wakes the seat if it has announced that it sleeps; `false` if it has not. The caller has a fence before.
    pub(crate) fn wake(&self) -> bool {
        self.end_sleep(AWAKE)
    }

    /// As `wake`, to search for a task. The caller has begun the search.
    pub(crate) fn call(&self) -> bool {
        self.end_sleep(CALLED)
    }

    fn end_sleep(&self, state: u32) -> bool {
        // Ordering: Relaxed; the caller's fence orders its push before this. If it does not sleep, the seat's look
        // again comes after the push.
        if self.state.load(Ordering::Relaxed) != ASLEEP {
            return false;
        }
        // Ordering: AcqRel, as in `rise`; Relaxed on failure, as above.
        if self.state.compare_exchange(ASLEEP, state, Ordering::AcqRel, Ordering::Relaxed).is_err() {
            return false;
        }
        self.shared.signals.remove_sleeper();
        self.parker.unpark();
        true
    }
}

/// Notes from other threads.
struct Mail {
    notes: Mutex<Vec<Task>>,
    there: AtomicBool,
}

impl Mail {
    fn new() -> Self {
        Self { notes: Mutex::new(Vec::new()), there: AtomicBool::new(false) }
    }

    fn push(&self, task: Task) {
        let mut notes = self.notes.lock();
        notes.push(task);
        // Ordering: Relaxed; the lock is held. A seat that misses it now finds it in its look again, after the fences.
        self.there.swap(true, Ordering::Relaxed);
    }

    #[inline]
    fn is_there(&self) -> bool {
        // Ordering: Relaxed, see `push`.
        self.there.load(Ordering::Relaxed)
    }

    fn take(&self) -> Vec<Task> {
        let mut notes = self.notes.lock();
        // Ordering: Relaxed; the lock is held.
        self.there.swap(false, Ordering::Relaxed);
        std::mem::take(&mut *notes)
    }
}

/// All started and unfinished tasks of a seat, for a stop that has to abandon them from another thread.
///
/// A task that has suspended once is in the list. The one that runs and never has suspended is only a pointer, so that
/// a task that never suspends costs two plain stores. The handshake with a stop that sets `ABANDON`, executes the heavy
/// fence, and then sweeps:
///
/// 1. The runner stores the pointer, wins `start`, executes a light fence and reads the signals. Either it sees `ABANDON`
///    and abandons the task itself, or the sweep sees the pointer and the started task.
/// 2. The runner clears the pointer, executes a light fence and reads the signals before it lets go of the cell. Either it
///    sees `ABANDON` and first passes through the lock, under which alone a sweep uses the pointer, or the sweep sees the
///    cleared pointer.
pub(crate) struct Roster {
    newcomer: AtomicPtr<Core>,
    suspended: Mutex<slab::Slab<Task>>,
}

impl Roster {
    fn new() -> Self {
        Self { newcomer: AtomicPtr::new(std::ptr::null_mut()), suspended: Mutex::new(slab::Slab::new()) }
    }

    /// A task is about to start.
    #[inline]
    pub(crate) fn enter(&self, core: &Core) {
        // Ordering: Release, so that who reads the pointer sees the cell.
        self.newcomer.store(std::ptr::from_ref(core).cast_mut(), Ordering::Release);
    }

    /// The newcomer suspends for the first time. The answer is for `leave`.
    pub(crate) fn stay(&self, task: &Task) -> usize {
        let mut suspended = self.suspended.lock();
        let key = suspended.insert(Task::clone(task));
        // Ordering: Relaxed; the lock is held.
        self.newcomer.store(std::ptr::null_mut(), Ordering::Relaxed);
        key
    }

    /// The newcomer has ended without ever suspending; its cell may go after this. `abandoning` reads the signals.
    #[inline]
    pub(crate) fn leave_new(&self, abandoning: impl FnOnce() -> bool) {
        // Ordering: Relaxed; the fence orders it before the reading of the signals.
        self.newcomer.store(std::ptr::null_mut(), Ordering::Relaxed);
        light_fence();
        if abandoning() {
            drop(self.suspended.lock());
        }
    }

    /// A task that had suspended has ended.
    pub(crate) fn leave(&self, key: usize) {
        let task = self.suspended.lock().try_remove(key);
        debug_assert!(task.is_some(), "a task leaves the roster once");
    }

    /// Hands the newcomer, if there is one, and all others to the caller. `ABANDON` is set and fenced.
    pub(crate) fn sweep(&self, mut newcomer: impl FnMut(&Core)) -> Vec<Task> {
        let suspended = self.suspended.lock();
        // Ordering: Acquire pairs with the Release in `enter`.
        let core = self.newcomer.load(Ordering::Acquire);
        // SAFETY: null, or the cell of a task whose runner holds a reference; it has to pass through the lock that is
        // held here before it lets go of it, as the type's text says.
        if let Some(core) = unsafe { core.as_ref() } {
            newcomer(core);
        }
        suspended.iter().map(|(_, task)| Task::clone(task)).collect()
    }
}
