//! The queues under loom: slots with atomic indices, and no lock.
//!
//! Loom checks what the pool does *around* its queues, so these must promise no more than crossbeam-deque does, which
//! itself is trusted. What they promise:
//!
//! - each value that was pushed is taken once, by one pop or one steal, and what its pusher did before is visible to
//!   whoever takes it;
//! - steals take the oldest value, a pop the oldest or, from a LIFO deque, the newest;
//! - a steal that lost a race says `Retry`, and only then, so some other one has won.
//!
//! What they do not promise, since a relaxed index may be read late: an attempt that finds nothing, `is_empty` and
//! `len` say nothing about a push or a steal of another thread, unless a fence (or whatever else orders memory) stands
//! between. A steal that finds nothing orders nothing. crossbeam executes a `SeqCst` fence in each steal; to do with
//! one less is to check more, so it stands only where the algorithm needs it, between the owner and a thief of a LIFO
//! deque.
//!
//! To stay small a queue never wraps: a deque or injector takes [`SLOTS`] values in its life (a LIFO deque, at a time),
//! and a push too many fails the run. The indices change as in Chase and Lev's deque, but a thief claims first and
//! reads then, which without wrapping is right: the owner writes only at `back`, never below the `front` of its time.
//! Checked in `tests/smoke_loom.rs`, against a sequential oracle and with racing thieves.

use std::cell::Cell;
use std::fmt;
use std::marker::PhantomData;
use std::mem::MaybeUninit;
use std::sync::Arc;

use loom::cell::UnsafeCell;
use loom::sync::atomic::{AtomicUsize, Ordering, fence};

use super::steal::Steal;
use super::unwinding;

/// How many values a queue takes.
pub(super) const SLOTS: usize = 8;

/// A place for one value. Whoever owns its index, by the protocol of the queue, has it to itself.
pub(super) struct Slot<T>(UnsafeCell<MaybeUninit<T>>);

impl<T> Slot<T> {
    /// Empty slots, one for each index.
    pub(super) fn row<S>(slot: impl Fn(Self) -> S) -> Box<[S]> {
        (0..SLOTS).map(|_| slot(Self(UnsafeCell::new(MaybeUninit::uninit())))).collect()
    }

    /// Fills the slot.
    ///
    /// # Safety
    ///
    /// The caller owns the slot, and the slot is empty.
    pub(super) unsafe fn put(&self, value: T) {
        self.0.with_mut(|slot| {
            // SAFETY: `slot` points into the cell, and nobody else has it, as the caller says.
            unsafe { (*slot).write(value) };
        });
    }

    /// Empties the slot.
    ///
    /// # Safety
    ///
    /// The caller owns the slot, and the slot is full.
    pub(super) unsafe fn take(&self) -> T {
        self.0.with_mut(|slot| {
            // SAFETY: `slot` points into the cell, nobody else has it, and it holds a value, as the caller says.
            unsafe { (*slot).assume_init_read() }
        })
    }
}

/// What the owner of a deque and its thieves share: the values at `front..back`.
struct Shared<T> {
    front: AtomicUsize,
    back: AtomicUsize,
    lifo: bool,
    slots: Box<[Slot<T>]>,
}

// SAFETY: a slot is only reached by who owns its index, so a value is with one thread at a time, and `T` may move
// between threads.
unsafe impl<T: Send> Send for Shared<T> {}
// SAFETY: as above: nothing hands out a `&T`.
unsafe impl<T: Send> Sync for Shared<T> {}

impl<T> Shared<T> {
    /// Claims the value at `front`, unless somebody has.
    fn claim(&self, front: usize) -> bool {
        // Ordering: Relaxed. That the value is there, the load of `back` has shown; that it goes to one taker, the
        // atomicity of this; and in a LIFO deque the fences order it with the owner's `back`.
        self.front.compare_exchange(front, front + 1, Ordering::Relaxed, Ordering::Relaxed).is_ok()
    }

    /// Tries to take the oldest value.
    fn steal(&self) -> Steal<T> {
        // Ordering: Relaxed; a late value is found out by `claim`.
        let front = self.front.load(Ordering::Relaxed);
        if self.lifo {
            // The owner may be taking this value from the back: either its fence comes first, and `back` below shows
            // it, or this one does, and it sees that `front` has come so far and claims too.
            fence(Ordering::SeqCst);
        }
        // Ordering: Acquire pairs with the Release in `push`: the slot's value comes with the index.
        if front >= self.back.load(Ordering::Acquire) {
            return Steal::Empty;
        }
        if !self.claim(front) {
            return Steal::Retry;
        }
        // SAFETY: the index is this thread's by the claim, and `back` has shown it to be full.
        Steal::Success(unsafe { self.slots[front].take() })
    }

    /// The number of values, as far as this thread knows.
    fn len(&self) -> usize {
        // Ordering: Relaxed; this promises nothing.
        let back = self.back.load(Ordering::Relaxed);
        // Ordering: Relaxed; as above.
        back.saturating_sub(self.front.load(Ordering::Relaxed))
    }
}

impl<T> Drop for Shared<T> {
    fn drop(&mut self) {
        if unwinding::failed() {
            return;
        }
        // Ordering: loom knows nothing of the `Arc` that makes this the last access. So both indices are read by a
        // read-modify-write, which cannot be late, and AcqRel brings the values along.
        let front = self.front.fetch_add(0, Ordering::AcqRel);
        // Ordering: as above.
        let back = self.back.fetch_add(0, Ordering::AcqRel);
        for slot in self.slots.get(front..back).unwrap_or_default() {
            // SAFETY: nobody else is left, and these were pushed and never claimed.
            drop(unsafe { slot.take() });
        }
    }
}

/// A queue with one owner, who pushes and pops, and thieves. It is `Send` but not `Sync`.
pub struct Deque<T> {
    shared: Arc<Shared<T>>,
    one_owner: PhantomData<Cell<()>>,
}

impl<T> Deque<T> {
    /// A deque whose owner pops the oldest value.
    pub fn new_fifo() -> Self {
        Self::new(false)
    }

    /// A deque whose owner pops the newest value.
    pub fn new_lifo() -> Self {
        Self::new(true)
    }

    fn new(lifo: bool) -> Self {
        let shared =
            Shared { front: AtomicUsize::new(0), back: AtomicUsize::new(0), lifo, slots: Slot::row(|slot| slot) };
        Self { shared: Arc::new(shared), one_owner: PhantomData }
    }

    /// Somebody who can steal from this deque.
    pub fn stealer(&self) -> Stealer<T> {
        Stealer(Arc::clone(&self.shared))
    }

    /// Adds a value.
    pub fn push(&self, value: T) {
        // Ordering: Relaxed, as only the owner writes it.
        let back = self.shared.back.load(Ordering::Relaxed);
        assert!(back < SLOTS, "a deque under loom takes no more than {SLOTS} values: enlarge SLOTS");
        // SAFETY: the owner alone writes at `back`, and whoever once took a value there left it below `back` for good,
        // or was the owner.
        unsafe { self.shared.slots[back].put(value) };
        // Ordering: Release pairs with the Acquire in `steal`: who sees the index sees the value.
        self.shared.back.store(back + 1, Ordering::Release);
    }

    /// Takes a value.
    pub fn pop(&self) -> Option<T> {
        if self.shared.lifo { self.pop_newest() } else { self.pop_oldest() }
    }

    fn pop_oldest(&self) -> Option<T> {
        loop {
            // Ordering: Relaxed; a late value is found out by `claim`.
            let front = self.shared.front.load(Ordering::Relaxed);
            // Ordering: Relaxed, as only the owner writes it.
            if front >= self.shared.back.load(Ordering::Relaxed) {
                return None;
            }
            if self.shared.claim(front) {
                // SAFETY: the index is the owner's by the claim, and the owner has filled it.
                return Some(unsafe { self.shared.slots[front].take() });
            }
        }
    }

    fn pop_newest(&self) -> Option<T> {
        // Ordering: Relaxed, as only the owner writes it.
        let back = self.shared.back.load(Ordering::Relaxed);
        let newest = back.checked_sub(1)?;
        // Ordering: Release, as this index, too, stands for the values below it. That it comes before the load of
        // `front`, the fence sees to, against a thief's fence in `steal`.
        self.shared.back.store(newest, Ordering::Release);
        fence(Ordering::SeqCst);
        // Ordering: Relaxed; see the fence.
        let front = self.shared.front.load(Ordering::Relaxed);
        let mine = front < newest || (front == newest && self.shared.claim(front));
        if front >= newest {
            // The deque is empty now, with `front` where `back` was.
            // Ordering: Relaxed: it stands for no value. Who sees it with an older `front` fails to claim that.
            self.shared.back.store(back, Ordering::Relaxed);
        }
        // SAFETY: a thief that could still claim the index would have been seen in `front`, or has lost to the claim;
        // the owner has filled it.
        mine.then(|| unsafe { self.shared.slots[newest].take() })
    }

    /// Whether there is no value, as far as this thread knows.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The number of values, as far as this thread knows.
    pub fn len(&self) -> usize {
        self.shared.len()
    }
}

impl<T> fmt::Debug for Deque<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Deque { .. }")
    }
}

/// A thief of a [`Deque`]: it takes the oldest value.
pub struct Stealer<T>(Arc<Shared<T>>);

impl<T> Stealer<T> {
    /// Tries to take a value.
    pub fn steal(&self) -> Steal<T> {
        self.0.steal()
    }

    /// Whether there is no value, as far as this thread knows.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The number of values, as far as this thread knows.
    pub fn len(&self) -> usize {
        self.0.len()
    }
}

impl<T> Clone for Stealer<T> {
    fn clone(&self) -> Self {
        Self(Arc::clone(&self.0))
    }
}

impl<T> fmt::Debug for Stealer<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Stealer { .. }")
    }
}
