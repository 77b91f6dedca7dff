//! The only door to synchronisation: what the rest of the crate uses of std's atomics, locks, threads and
//! thread-locals comes from here.
//!
//! The same sources are built three times. The production build gets std and crossbeam-deque; the two packages in
//! `model/` that build these files under a checker get loom's or shuttle's versions of the same few items:
//!
//! | item | production | loom | shuttle |
//! |---|---|---|---|
//! | atomics, [`Mutex`], [`Condvar`], [`UnsafeCell`], [`thread`], [`local!`] | std | loom | shuttle |
//! | [`light_fence`], [`heavy_fence`] | compiler fence and `membarrier`, else `fence(SeqCst)` | `fence(SeqCst)`, or as uneven | no weak memory |
//! | [`deque`] | crossbeam-deque | slots with atomic indices | a locked stub |
//! | [`catch`] | `catch_unwind` | re-raises the checker's payloads | re-raises the checker's payloads |
//! | [`now`], [`Condvar::wait_timeout`] | the monotonic clock | a logical clock, times out at once | a logical clock, a choice |
//!
//! State words change by read-modify-write only. Handshakes of the kind "I write A and read B, you write B and read
//! A" use relaxed accesses with a [`light_fence`] on the side that runs often and a [`heavy_fence`] on the side that is
//! about to block; one of the two sees the other's write.

pub(crate) use std::sync::{Arc, Weak};

pub(crate) use crossbeam_utils::CachePadded;

#[cfg(not(any(feature = "loom", feature = "shuttle")))]
#[path = "sync/os.rs"]
mod facade;
#[cfg(feature = "loom")]
#[path = "sync/loom.rs"]
mod facade;
#[cfg(feature = "shuttle")]
#[path = "sync/shuttle.rs"]
mod facade;

#[cfg(all(
    target_os = "linux",
    target_env = "gnu",
    target_pointer_width = "64",
    not(any(feature = "loom", feature = "shuttle"))
))]
mod thread_end;

/// Where the C library is not known to let itself be asked, or there is no end of a thread or process.
#[cfg(not(all(
    target_os = "linux",
    target_env = "gnu",
    target_pointer_width = "64",
    not(any(feature = "loom", feature = "shuttle"))
)))]
mod thread_end {
    /// Nothing comes first.
    #[inline]
    pub(crate) fn come_first(_: fn()) -> bool {
        false
    }

    /// Nothing is kept.
    #[inline]
    pub(crate) fn keep_thread_locals() -> bool {
        false
    }
}

pub(crate) use thread_end::{come_first, keep_thread_locals};

#[cfg(any(feature = "loom", feature = "shuttle", fuzzing))]
pub(crate) mod hidden;
#[cfg(any(feature = "loom", feature = "shuttle"))]
pub(crate) mod stub;

pub(crate) use facade::{
    AtomicBool, AtomicPtr, AtomicU32, AtomicU64, AtomicUsize, Condvar, Mutex, Ordering, UnsafeCell, catch, deque,
    heavy_fence, light_fence, local, now, panicking, prepare_fences, thread, throw,
};

#[cfg(not(any(feature = "loom", feature = "shuttle")))]
pub(crate) use facade::is_main_thread;

/// The end of an execution is not the end of a process.
#[cfg(any(feature = "loom", feature = "shuttle"))]
pub(crate) fn is_main_thread() -> bool {
    false
}

/// A number that no other call in this process has had. It only tells pools apart for people; nothing depends on it.
pub(crate) fn serial() -> u64 {
    static NEXT: std::sync::atomic::AtomicU64 = std::sync::atomic::AtomicU64::new(0);
    // Ordering: Relaxed; each number is given once, nothing follows from their order.
    NEXT.fetch_add(1, std::sync::atomic::Ordering::Relaxed)
}

/// A count that one thread writes and all may read.
///
/// The owner adds without a read-modify-write; the others see each value no earlier than what it counts.
#[derive(Debug)]
pub(crate) struct Counter(AtomicU64);

impl Counter {
    pub(crate) fn new() -> Self {
        Self(AtomicU64::new(0))
    }

    /// Adds to the count. Only the owning thread may call this.
    #[inline]
    pub(crate) fn add(&self, n: u64) {
        // Ordering: only the owner writes, so its own relaxed load is exact; Release publishes what it did before it
        // counted, for the Acquire in `get`.
        let before = self.0.load(Ordering::Relaxed);
        self.0.store(before + n, Ordering::Release);
    }

    /// Adds to the count from any thread.
    pub(crate) fn add_shared(&self, n: u64) {
        // Ordering: Release as in `add`; a read-modify-write keeps the release sequences of the other writers.
        self.0.fetch_add(n, Ordering::Release);
    }

    #[inline]
    pub(crate) fn get(&self) -> u64 {
        // Ordering: pairs with the Release in `add`: what was counted is visible with the count.
        self.0.load(Ordering::Acquire)
    }
}

/// A count of references to one value, as `Arc` has one, without weak ones. Like `Arc`'s it is not the checkers': no
/// protocol rests on it, and it would cost them a branch for each clone and drop.
#[derive(Debug)]
pub(crate) struct References(std::sync::atomic::AtomicUsize);

impl References {
    /// Two references.
    #[inline]
    pub(crate) fn two() -> Self {
        Self(std::sync::atomic::AtomicUsize::new(2))
    }

    /// One more. The caller has one.
    #[inline]
    pub(crate) fn add(&self) {
        // Ordering: Relaxed; the caller's own reference keeps the value, and how the new one gets to another thread
        // orders what that does.
        let before = self.0.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
        if before > usize::MAX / 2 {
            // References were forgotten, again and again: one more could wrap the count.
            std::process::abort();
        }
    }

    /// Gives up the caller's reference. `true`: it was the last one, and the value is the caller's alone.
    #[inline]
    #[must_use]
    pub(crate) fn is_last_to_leave(&self) -> bool {
        // Ordering: Acquire pairs with the Release below: all that the others did comes before. A count of one cannot grow
        // any more, as it is the caller's reference itself, so this needs no read-modify-write.
        if self.0.load(std::sync::atomic::Ordering::Acquire) == 1 {
            return true;
        }
        // Ordering: Release, so that whoever is last sees all that the caller did.
        if self.0.fetch_sub(1, std::sync::atomic::Ordering::Release) != 1 {
            return false;
        }
        // Ordering: Acquire, as above.
        std::sync::atomic::fence(std::sync::atomic::Ordering::Acquire);
        true
    }
}
