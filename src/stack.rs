//! The stacks that coroutines run on: taken, given back, taken again.
//!
//! Each pool has one [`Stacks`]. A stack, from low to high addresses:
//!
//! ```text
//! limit            limit + page size                           base
//!   |   guard page   |   usable bytes, used from the base down   |
//! ```
//!
//! Where the memory comes from is one file each, with one interface (`Store`, `Reserved`, `Stack`):
//!
//! | file | where | how |
//! |---|---|---|
//! | `arena` | Linux | many stacks in one mapping (`chunk`), guards that cost no mapping of their own (`guard`) |
//! | `single` | elsewhere | one mapping for each stack |
//! | `shared` | under a checker, and in fuzzing | one of the two above, kept for the whole process |
//!
//! # Memory after a peak
//! A stack that was given back keeps the pages that its coroutines have touched, for the next one. Of those that nobody
//! has wanted for [`keep_alive`](crate::Builder::keep_alive), and for [`LEAST_REST`] at least, the pages go back to the
//! system ([`Stacks::tidy`]), up to what is [`WARM`]; the addresses and the guard stay. How many have rested needs no
//! clock where stacks are taken and given: the one given back last is taken first, so the others have rested for as long
//! as there were never fewer (`shelf`). A seat looks where it is about to sleep, for which it sets its alarm, and at the end
//! of a drive, and reads the clock only if more than what is warm lies idle. One that is never idle looks now and then, but
//! only while it has timers armed, as it reads the clock for these; without any it gives nothing back.
//!
//! # Invariants
//! - The memory of a [`Stack`] stays mapped, with its guard, until that stack is given back and its [`Stacks`] is
//!   dropped. A stack that is never given back stays mapped for ever: a leaked coroutine may still live on it, and what
//!   lives there may be referred to from elsewhere.
//! - Two live stacks never overlap.
//! - [`Stacks::live`] never exceeds the limit.
//!
//! # How it is tested
//! `tests` plays random takes and gives against a list; `arena` and `single` test what is their own; what faults, or
//! counts the mappings of the process, runs in a process of its own (`alone`); `tests/process/memory.rs` sees the memory
//! of a pool go back. Under a checker the lock is hidden from it: taking a stack is no scheduling point, as nothing but
//! memory depends on it.

use core::fmt;
use std::time::{Duration, Instant};

#[cfg(target_os = "linux")]
mod arena;
#[cfg(target_os = "linux")]
mod chunk;
#[cfg(target_os = "linux")]
mod guard;
pub(crate) mod hints;
#[cfg(any(feature = "loom", feature = "shuttle", fuzzing))]
mod shared;
mod shelf;
#[cfg(any(not(target_os = "linux"), test))]
mod single;

#[cfg(all(unix, not(any(feature = "loom", feature = "shuttle"))))]
pub(crate) mod overflow;
/// No reports of overflows here: they end the process without a word of ours.
#[cfg(not(all(unix, not(any(feature = "loom", feature = "shuttle")))))]
pub(crate) mod overflow {
    pub(crate) fn install(_describe: super::Describe) {}

    pub(crate) fn prepare_thread() {}
}

#[cfg(all(unix, test))]
mod alone;
#[cfg(test)]
mod tests;

#[cfg(target_os = "linux")]
use arena as home;
#[cfg(not(target_os = "linux"))]
use single as home;

pub(crate) use home::Stack;

#[cfg(not(any(feature = "loom", feature = "shuttle", fuzzing)))]
use {crate::sync::Mutex as Lock, home::Store};
#[cfg(any(feature = "loom", feature = "shuttle", fuzzing))]
use {crate::sync::hidden::Hidden as Lock, shared::Store};

/// Writes about an overflow if the address of a fault is in the guard of a stack of ours; says whether it is. It runs
/// in a signal handler, on a small stack.
pub(crate) type Describe = fn(fault: usize, write: &mut dyn FnMut(&[u8])) -> bool;

/// The least usable size that may be asked for. A panic and its message fit (about 6 KiB); a backtrace beside it (about
/// 23 KiB) does not.
pub(crate) const LEAST: usize = 16 * 1024;

/// The usable size unless another is asked for.
pub(crate) const DEFAULT: usize = 64 * 1024;

/// The greatest usable size that may be asked for: 1 TiB, or an eighth of a small address space. Sums of a few of
/// these do not overflow.
const MOST: usize = {
    // Whole pages, whatever their size.
    let (eighth, tebibyte) = (1_usize << (usize::BITS - 3), 1_u64 << 40);
    if eighth as u64 > tebibyte { tebibyte as usize } else { eighth }
};

/// Why no stack can have the wished size.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum SizeError {
    /// Less than [`LEAST`].
    TooSmall { size: usize, least: usize },
    /// More than any system has memory for.
    TooLarge { size: usize, most: usize },
}

/// The usable size that a stack gets if `wished` is asked for: whole pages.
pub(crate) fn usable_size(wished: usize) -> Result<usize, SizeError> {
    if wished < LEAST {
        return Err(SizeError::TooSmall { size: wished, least: LEAST });
    }
    if wished > MOST {
        return Err(SizeError::TooLarge { size: wished, most: MOST });
    }
    Ok(wished.next_multiple_of(page_size()))
}

/// The system's page size: the unit of guards and sizes.
fn page_size() -> usize {
    #[cfg(unix)]
    {
        // SAFETY: sysconf takes an integer and touches no memory of ours.
        let size = unsafe { libc::sysconf(libc::_SC_PAGESIZE) };
        usize::try_from(size).ok().filter(|size| size.is_power_of_two()).expect("the system has a page size")
    }
    #[cfg(not(unix))]
    {
        4096
    }
}

/// By how much the distance from a stack's base to the end of its guard may exceed its size: two of the largest pages.
pub(crate) const SPREAD: usize = 2 * 64 * 1024;

/// For how long a stack is free at least before its memory goes back: to give it back costs about as much as a task, and
/// to touch it again does too.
pub(crate) const LEAST_REST: Duration = Duration::from_secs(1);

/// The usable bytes of free stacks of a size that keep their memory however long they rest: 16 stacks of the default
/// size. So a pool that never had more is never woken to give memory back.
const WARM: usize = 1024 * 1024;

/// So many stacks are emptied before the seat that does it looks for work again: less than a millisecond.
const BATCH: usize = 2048;

/// The memory, or the mappings, for one more stack cannot be had.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Exhausted;

/// What a look at the idle stacks has come to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Look {
    /// When to look again.
    pub(crate) next: Option<Instant>,
    /// That was not known before this look: nobody has an alarm set for it.
    pub(crate) is_new: bool,
    /// Stacks were emptied, and could not be taken meanwhile.
    pub(crate) emptied: bool,
}

/// The stacks of one pool.
pub(crate) struct Stacks {
    state: Lock<State>,
    limit: usize,
}

struct State {
    store: Store,
    live: usize,
    peak: usize,
    /// Somebody found no slot, nor address space for more, since stacks were last made ahead.
    refused: bool,
    /// Since when the stacks that lie idle are looked at, if there are more than what is warm.
    since: Option<Instant>,
    emptied: u64,
    /// Scripts have a stack refused where none would be.
    #[cfg(feature = "script")]
    fails: bool,
    #[cfg(test)]
    refuses_larger: bool,
}

impl Stacks {
    pub(crate) fn new() -> Self {
        Self::with_limit(usize::MAX)
    }

    /// Stacks of which at most `limit` are handed out at a time.
    pub(crate) fn with_limit(limit: usize) -> Self {
        let state = State {
            store: Store::new(),
            live: 0,
            peak: 0,
            refused: false,
            since: None,
            emptied: 0,
            #[cfg(feature = "script")]
            fails: false,
            #[cfg(test)]
            refuses_larger: false,
        };
        Self { state: Lock::new(state), limit }
    }

    /// Hands out a stack of `size` usable bytes, a result of [`usable_size`]: the one of that size that was given back
    /// last, if there is one. Those who may have been refused one meanwhile, of whatever size, as this call or another had all that
    /// were left in hand to make their guards, are told by `tell`.
    pub(crate) fn take(&self, size: usize, tell: impl FnOnce()) -> Result<Stack, Exhausted> {
        let reserved = self.state.lock().reserve(size, self.limit)?;
        self.finish(reserved, tell).inspect_err(|_| self.state.lock().live -= 1)
    }

    /// Hands out a stack of `size` usable bytes in place of `old`, which comes back if there is none. Where the limit is reached,
    /// nobody else gets between the two: the one makes room for the other in the count (not in memory).
    pub(crate) fn exchange(&self, old: Stack, size: usize, tell: impl FnOnce()) -> Result<Stack, Stack> {
        let reserved = {
            let mut state = self.state.lock();
            state.live -= 1;
            match state.reserve(size, self.limit) {
                Ok(reserved) => reserved,
                Err(Exhausted) => {
                    state.live += 1;
                    return Err(old);
                }
            }
        };
        // From here on the count is that of the one or of the other.
        let Ok(new) = self.finish(reserved, tell) else { return Err(old) };
        self.state.lock().store.give(old);
        Ok(new)
    }

    /// The system calls that make guards happen outside the lock.
    fn finish(&self, reserved: home::Reserved, tell: impl FnOnce()) -> Result<Stack, Exhausted> {
        reserved.finish().or_else(|rest| {
            let mut state = self.state.lock();
            let stack = state.store.settle(rest);
            let refused = stack.is_ok() && std::mem::take(&mut state.refused);
            drop(state);
            if refused {
                tell();
            }
            stack
        })
    }

    /// Takes back a stack that this `Stacks` has handed out, for the next [`take`](Self::take).
    pub(crate) fn give(&self, stack: Stack) {
        let mut state = self.state.lock();
        state.store.give(stack);
        state.live -= 1;
    }

    /// Takes back several at once.
    pub(crate) fn give_all(&self, stacks: Vec<Stack>) {
        let mut state = self.state.lock();
        state.live -= stacks.len();
        stacks.into_iter().for_each(|stack| state.store.give(stack));
    }

    /// Gives the memory of all stacks that nobody holds back to the system.
    pub(crate) fn trim(&self) {
        let idle = self.state.lock().store.take_idle();
        self.empty(idle);
    }

    /// Gives back the memory of some stacks that nobody has wanted for a while, if there are such. `times` says how long
    /// that is, and what time it is; it is asked only if more stacks lie idle than what is warm.
    pub(crate) fn tidy(&self, times: impl FnOnce() -> (Duration, Instant)) -> Look {
        let (rested, look) = self.state.lock().look(times);
        if !rested.is_empty() {
            self.empty(rested);
        }
        look
    }

    /// The system calls happen outside the lock; in between nobody can take these stacks.
    fn empty(&self, stacks: Vec<Stack>) {
        let count = stacks.len();
        let kept = Store::trim(stacks);
        let mut state = self.state.lock();
        state.store.put_idle(kept);
        state.emptied += count as u64;
    }

    /// How many free stacks have had their memory given back, each time counted.
    pub(crate) fn emptied(&self) -> u64 {
        self.state.lock().emptied
    }

    /// Whether stacks larger than the usual are refused, as if there were no memory for them.
    #[cfg(test)]
    pub(crate) fn refuse_larger(&self, refuses: bool) {
        self.state.lock().refuses_larger = refuses;
    }

    /// Lets the next `take` fail.
    #[cfg(feature = "script")]
    pub(crate) fn fail_next(&self) {
        self.state.lock().fails = true;
    }

    /// How many stacks are handed out.
    pub(crate) fn live(&self) -> usize {
        self.state.lock().live
    }

    /// The most that were handed out, or just being handed out, at once.
    pub(crate) fn peak(&self) -> usize {
        self.state.lock().peak
    }
}

impl State {
    fn reserve(&mut self, size: usize, limit: usize) -> Result<home::Reserved, Exhausted> {
        #[cfg(test)]
        if self.refuses_larger && size > DEFAULT {
            return Err(Exhausted);
        }
        #[cfg(feature = "script")]
        if std::mem::take(&mut self.fails) {
            return Err(Exhausted);
        }
        if self.live >= limit {
            return Err(Exhausted);
        }
        let reserved = self.store.reserve(size).inspect_err(|_| self.refused = true)?;
        self.live += 1;
        self.peak = self.peak.max(self.live);
        Ok(reserved)
    }

    /// Takes out what is to be emptied now.
    fn look(&mut self, times: impl FnOnce() -> (Duration, Instant)) -> (Vec<Stack>, Look) {
        if !self.store.is_heaped() {
            self.since = None;
            return (Vec::new(), Look { next: None, is_new: false, emptied: false });
        }
        let (rest, now) = times();
        let mut rested = Vec::new();
        if let Some(since) = self.since {
            let due = since.checked_add(rest);
            if due.is_none_or(|due| due > now) {
                return (rested, Look { next: due, is_new: false, emptied: false });
            }
            rested = self.store.take_rested(BATCH);
            if rested.len() == BATCH {
                // There may be more.
                return (rested, Look { next: Some(now), is_new: true, emptied: true });
            }
        }
        self.store.mark();
        self.since = Some(now);
        let next = if self.store.is_heaped() { now.checked_add(rest) } else { None };
        let emptied = !rested.is_empty();
        (rested, Look { next, is_new: true, emptied })
    }
}

impl fmt::Debug for Stacks {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // No counts: `Debug` never blocks.
        f.debug_struct("Stacks").finish_non_exhaustive()
    }
}
