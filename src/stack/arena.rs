//! Stacks in chunks, for Linux: many stacks in one mapping.
//!
//! The kernel bounds the mappings of a process (65,530 by default), and a mapping with a guard of its own for each
//! stack spends two of them. Here a chunk is one mapping of many slots, and a slot is a guard page and the usable bytes
//! above it:
//!
//! ```text
//! chunk:  | guard | usable | guard | usable | ... | not yet taken         |
//!           slot 0           slot 1                 slot `fresh`
//! ```
//!
//! A slot costs nothing before its guard is made (`guard`). Where one system call makes many, it makes those of the slots
//! that come next, too: as many as there are already, [`AT_ONCE`] at most. What such a call has not come to, gets its
//! guard when it is taken. Another call populates the first pages that these stacks will use, as a page fault for each
//! would cost more; but of no more of them than a sixteenth of what there is already, nor than what may stay warm.
//!
//! Chunks double from 64 slots to 65,536: a pool of a million stacks has some 25, a small one reserves little.
//! Reserving is all that mapping does, and `MAP_NORESERVE` keeps it from being counted as memory.
//!
//! A stack that has rested for long is emptied: its pages go back to the system, its guard stays.
//!
//! A chunk is unmapped once its `Store` is dropped, if none of its stacks is handed out; else it stays for ever.

use std::collections::BTreeMap;
use std::io;
use std::iter;
use std::ops::Range;

use corosensei::stack::{self, StackPointer};

use super::chunk::Chunk;
use super::guard::{AT_ONCE, GUARD_INSTALL, Guard, advise, advise_each};
use super::shelf::Shelf;
use super::{Exhausted, WARM, page_size};

/// How many slots the first chunk of a size has.
const FIRST_CHUNK: usize = 64;

/// At how many places in a page the bases of stacks are. All stacks are touched most near their bases; at one place in
/// every page these lines would all fall into the same few sets of the caches.
const COLORS: usize = 32;

/// The distance between two such places.
const CACHE_LINE: usize = 64;

/// For each so many slots that were taken, one more may be populated before it is.
const POPULATED_SHARE: usize = 16;

/// The most slots of a chunk.
const MOST_SLOTS: usize = 65_536;

/// The most bytes of a chunk of several slots.
const MOST_BYTES: usize = if usize::BITS >= 64 { 16 << 30_u8 } else { 64 << 20_u8 };

/// The length of a slot: the guard, the usable bytes, and a page in which the bases are spread.
fn stride(page: usize, size: usize) -> usize {
    page + size + page
}

/// A stack in a slot of a chunk. To drop it without giving it back leaks the slot.
#[derive(Debug)]
pub(crate) struct Stack {
    /// Its highest address, at one of several places in its page. A switch reads it, the lowest one nobody does.
    base: StackPointer,
    /// The usable size, in units of 1024 bytes: as small as the caches like a worker to be.
    kib: u32,
    /// The index of its chunk among those of its size.
    chunk: u32,
}

impl Stack {
    /// How many bytes of it are usable.
    #[inline]
    pub(crate) fn size(&self) -> usize {
        self.kib as usize * 1024
    }

    /// The addresses of the guard page, below the usable bytes.
    pub(crate) fn guard(&self) -> Range<usize> {
        let page = page_size();
        let top = self.base.get().next_multiple_of(page);
        let limit = top - stride(page, self.size());
        limit..limit + page
    }

    /// The addresses of the first page that it uses.
    fn top(&self) -> Range<usize> {
        let page = page_size();
        let top = self.base.get().next_multiple_of(page);
        top - page..top
    }

    /// The addresses of the usable bytes: its size, and up to a page more.
    fn usable(&self) -> Range<usize> {
        self.guard().end..self.base.get()
    }
}

// SAFETY: `limit..base` is a slot of a chunk, aligned to pages. Its lowest page is a guard, since a `Stack` leaves this
// file first through `Reserved::finish` or `Store::settle`, which hand out none that the kernel has not said to have one;
// the rest, a multiple of the page size that `usable_size` keeps at or above
// `LEAST`, is mapped for reading and writing, and stays so while the stack is handed out (`Chunk::drop`).
unsafe impl stack::Stack for Stack {
    #[inline]
    fn base(&self) -> StackPointer {
        self.base
    }

    #[inline]
    fn limit(&self) -> StackPointer {
        // An address inside the mapping is not zero.
        StackPointer::new(self.guard().start).unwrap_or(self.base)
    }
}

/// A stack that is counted as handed out, and may lack its guard.
pub(crate) enum Reserved {
    Whole(Stack),
    Bare(Bare),
}

impl Reserved {
    /// Makes the guard, if it is missing. What is not a whole stack, and nothing else, is to be settled with the store.
    #[inline]
    pub(super) fn finish(self) -> Result<Stack, Bare> {
        match self {
            Self::Whole(stack) => Ok(stack),
            Self::Bare(bare) => bare.finish(),
        }
    }
}

/// Stacks that lack their guards.
pub(crate) struct Bare {
    guard: Guard,
    /// It is counted as handed out.
    first: Stack,
    /// The slots after it, which are not.
    ahead: Vec<Stack>,
    /// How many of them, from the first on, have their guards by now.
    made: usize,
    /// How many of these are to have memory; and have it, once guards were made.
    populated: usize,
}

impl Bare {
    fn finish(mut self) -> Result<Stack, Self> {
        if !self.ahead.is_empty() {
            let stacks = || iter::once(&self.first).chain(&self.ahead);
            // SAFETY: the lowest pages of stacks that are not handed out yet: nothing refers to them.
            let made = unsafe { advise_each(stacks().map(Stack::guard), GUARD_INSTALL) };
            let tops = stacks().map(Stack::top).take(self.populated.min(made));
            // SAFETY: pages of the same stacks; the advice neither empties nor closes them.
            let populated = unsafe { advise_each(tops, libc::MADV_POPULATE_WRITE) };
            (self.made, self.populated) = (made, populated);
        }
        // One alone; or many were refused, and this one is wanted now.
        // SAFETY: as above.
        if self.made == 0 && unsafe { self.guard.make(self.first.guard()) } {
            self.made = 1;
        }
        if self.made == 1 && self.ahead.is_empty() { Ok(self.first) } else { Err(self) }
    }
}

/// The stacks of all sizes.
pub(crate) struct Store {
    classes: BTreeMap<usize, Class>,
}

impl Store {
    pub(super) const fn new() -> Self {
        Self { classes: BTreeMap::new() }
    }

    pub(super) fn reserve(&mut self, size: usize) -> Result<Reserved, Exhausted> {
        self.classes.entry(size).or_insert_with(|| Class::new(size)).reserve()
    }

    /// Takes in the stacks that were made ahead, and hands out the first. Those whose guards could not be made are tried
    /// again before further slots are.
    pub(super) fn settle(&mut self, rest: Bare) -> Result<Stack, Exhausted> {
        let Bare { first, mut ahead, made, populated, .. } = rest;
        let class = self.class(&first);
        class.bare.extend(ahead.drain(made.saturating_sub(1).min(ahead.len())..));
        // The lowest is taken first.
        class.cold.extend(ahead.drain(populated.saturating_sub(1).min(ahead.len())..).rev());
        class.ready.extend(ahead.into_iter().rev());
        if made > 0 {
            return Ok(first);
        }
        class.count_back(&first);
        class.bare.push(first);
        Err(Exhausted)
    }

    pub(super) fn give(&mut self, stack: Stack) {
        let class = self.class(&stack);
        class.count_back(&stack);
        class.free.put(stack);
    }

    fn class(&mut self, stack: &Stack) -> &mut Class {
        self.classes.get_mut(&stack.size()).expect("a stack is given back to the store that it is from")
    }
}

/// How memory goes back.
#[cfg_attr(
    any(feature = "loom", feature = "shuttle", fuzzing),
    expect(dead_code, reason = "under a checker stacks are kept for the whole process")
)]
impl Store {
    /// Whether more free stacks of a size may hold memory than what stays warm.
    pub(super) fn is_heaped(&self) -> bool {
        self.classes.values().any(|class| class.free.is_heaped(class.size))
    }

    /// From here on stacks rest that are not taken.
    pub(super) fn mark(&mut self) {
        self.classes.values_mut().for_each(|class| class.free.mark());
    }

    /// Takes at most `most` stacks out of the store that have rested since the mark.
    pub(super) fn take_rested(&mut self, most: usize) -> Vec<Stack> {
        let mut rested = Vec::new();
        for class in self.classes.values_mut() {
            rested.extend(class.free.take_rested(class.size, most - rested.len()));
        }
        rested
    }

    /// Takes all free stacks out of the store that may hold memory.
    pub(super) fn take_idle(&mut self) -> Vec<Stack> {
        let idle = self.classes.values_mut().flat_map(|class| class.free.take_all().chain(class.ready.drain(..)));
        idle.collect()
    }

    /// Gives the memory of free stacks back to the system. Their guards stay.
    pub(super) fn trim(mut idle: Vec<Stack>) -> Vec<Stack> {
        idle.sort_unstable_by_key(|stack| stack.base.get());
        let page = page_size();
        // Neighbours in one call: each is an interrupt to every processor on which the process runs.
        for run in idle.chunk_by(|low, high| low.base.get().next_multiple_of(page) == high.guard().start) {
            let (Some(lowest), Some(highest)) = (run.first(), run.last()) else { continue };
            let memory = lowest.usable().start..highest.usable().end;
            // A kernel that refuses (the memory is locked) leaves stacks that are as good as before.
            // SAFETY: slots without a gap, of stacks that nobody holds but this function. The advice empties guards, too,
            // of which there is nothing to empty.
            let _: io::Result<()> = unsafe { advise(memory, libc::MADV_DONTNEED) };
        }
        idle
    }

    /// Puts back what was taken out and emptied.
    pub(super) fn put_idle(&mut self, idle: Vec<Stack>) {
        for stack in idle {
            self.class(&stack).cold.push(stack);
        }
    }
}

/// The stacks of one size.
struct Class {
    size: usize,
    page: usize,
    /// The chunk that fresh slots come from is the last.
    chunks: Vec<Chunk>,
    /// Given back, the last on top: its pages are the likeliest to be in the caches.
    free: Shelf<Stack>,
    /// Never used, but populated. A few, so they are emptied only if all stacks are.
    ready: Vec<Stack>,
    /// They hold no memory: emptied, or never used.
    cold: Vec<Stack>,
    /// Their guards could not be made yet.
    bare: Vec<Stack>,
}

impl Class {
    fn new(size: usize) -> Self {
        let page = page_size();
        // The promises of `Stack` rest on this.
        assert!(super::usable_size(size) == Ok(size), "{size} is not a usable size");
        Self {
            size,
            page,
            chunks: Vec::new(),
            free: Shelf::new(),
            ready: Vec::new(),
            cold: Vec::new(),
            bare: Vec::new(),
        }
    }

    fn reserve(&mut self) -> Result<Reserved, Exhausted> {
        let reserved = match self.free.take().or_else(|| self.ready.pop()).or_else(|| self.cold.pop()) {
            Some(stack) => Reserved::Whole(stack),
            None => Reserved::Bare(self.bare().ok_or(Exhausted)?),
        };
        let (Reserved::Whole(stack) | Reserved::Bare(Bare { first: stack, .. })) = &reserved;
        self.chunks[stack.chunk as usize].out += 1;
        Ok(reserved)
    }

    fn count_back(&mut self, stack: &Stack) {
        let chunk = self.chunk(stack);
        assert!(chunk.range().contains(&(stack.base.get() - 1)), "a stack is given back to the store that it is from");
        chunk.out -= 1;
    }

    fn chunk(&mut self, stack: &Stack) -> &mut Chunk {
        &mut self.chunks[stack.chunk as usize]
    }

    /// A slot whose guard could not be made before, or fresh ones.
    #[cold]
    fn bare(&mut self) -> Option<Bare> {
        let taken: usize = self.chunks.iter().map(|chunk| chunk.fresh).sum();
        let mut ahead = Vec::new();
        let first = if let Some(refused) = self.bare.pop() {
            refused
        } else {
            let first = self.fresh()?;
            let chunk = self.chunk(&first);
            if chunk.guard == Guard::Many {
                let count = (taken.clamp(1, AT_ONCE) - 1).min(chunk.slots - chunk.fresh);
                ahead.extend((0..count).map_while(|_| self.fresh()));
            }
            first
        };
        let guard = self.chunk(&first).guard;
        Some(Bare { guard, first, ahead, made: 0, populated: (taken / POPULATED_SHARE).min(WARM / self.page) })
    }

    /// A slot that was never taken.
    fn fresh(&mut self) -> Option<Stack> {
        let stride = stride(self.page, self.size);
        if self.chunks.last().is_none_or(|chunk| chunk.fresh == chunk.slots) {
            let wish = self.chunks.last().map_or(FIRST_CHUNK, |chunk| chunk.slots * 2);
            let most = MOST_SLOTS.min(MOST_BYTES / stride).max(1);
            self.chunks.push(Chunk::map(stride, self.page, wish.min(most))?);
        }
        let index = u32::try_from(self.chunks.len() - 1).ok()?;
        let chunk = self.chunks.last_mut()?;
        let color = chunk.fresh % COLORS * CACHE_LINE;
        let base = StackPointer::new(chunk.start + (chunk.fresh + 1) * stride - color)?;
        chunk.fresh += 1;
        let kib = u32::try_from(self.size / 1024).ok()?;
        Some(Stack { base, kib, chunk: index })
    }
}

#[cfg(test)]
#[path = "ahead_tests.rs"]
mod ahead_tests;
#[cfg(test)]
#[path = "arena_tests.rs"]
mod tests;
