//! Stacks with a mapping each, for systems other than Linux: corosensei's default stack, kept for reuse.

use std::collections::BTreeMap;
use std::fmt;
use std::mem::ManuallyDrop;
use std::ops::Range;

use corosensei::stack::{self, DefaultStack, Stack as _, StackPointer};

use super::Exhausted;
use super::shelf::Shelf;

/// A stack of its own. To drop it without giving it back leaks it.
pub(crate) struct Stack {
    own: ManuallyDrop<DefaultStack>,
    size: usize,
}

impl Stack {
    /// How many bytes of it are usable.
    #[inline]
    pub(crate) fn size(&self) -> usize {
        self.size
    }

    /// The addresses of the guard, below the usable bytes.
    #[inline]
    pub(crate) fn guard(&self) -> Range<usize> {
        self.own.limit().get()..self.own.base().get() - self.size
    }
}

impl fmt::Debug for Stack {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Stack").field("guard", &self.guard()).field("size", &self.size).finish()
    }
}

// SAFETY: a default stack keeps these promises, and it is alive until this stack is given back.
unsafe impl stack::Stack for Stack {
    #[inline]
    fn base(&self) -> StackPointer {
        self.own.base()
    }

    #[inline]
    fn limit(&self) -> StackPointer {
        self.own.limit()
    }

    #[cfg(windows)]
    #[inline]
    fn teb_fields(&self) -> stack::StackTebFields {
        self.own.teb_fields()
    }

    #[cfg(windows)]
    #[inline]
    fn update_teb_fields(&mut self, stack_limit: usize, guaranteed_stack_bytes: usize) {
        self.own.update_teb_fields(stack_limit, guaranteed_stack_bytes);
    }
}

/// A stack that is counted as handed out. Here it lacks nothing.
pub(crate) struct Reserved(Stack);

impl Reserved {
    #[inline]
    pub(super) fn finish(self) -> Result<Stack, Bare> {
        Ok(self.0)
    }
}

/// There are no stacks that lack something.
pub(crate) enum Bare {}

/// The free stacks, by size, the one given back last on top.
pub(crate) struct Store {
    free: BTreeMap<usize, Shelf<DefaultStack>>,
}

impl Store {
    pub(super) const fn new() -> Self {
        Self { free: BTreeMap::new() }
    }

    pub(super) fn reserve(&mut self, size: usize) -> Result<Reserved, Exhausted> {
        let own = match self.free.get_mut(&size).and_then(Shelf::take) {
            Some(kept) => kept,
            None => DefaultStack::new(size).map_err(|_| Exhausted)?,
        };
        Ok(Reserved(Stack { own: ManuallyDrop::new(own), size }))
    }

    /// There is nothing to settle.
    #[cfg_attr(target_os = "linux", expect(dead_code, reason = "what calls it has the stacks of `arena` there"))]
    pub(super) fn settle(&mut self, rest: Bare) -> Result<Stack, Exhausted> {
        match rest {}
    }

    pub(super) fn give(&mut self, stack: Stack) {
        self.free.entry(stack.size).or_insert_with(Shelf::new).put(ManuallyDrop::into_inner(stack.own));
    }

    /// Whether more free stacks of a size hold memory than what stays warm.
    pub(super) fn is_heaped(&self) -> bool {
        self.free.iter().any(|(size, kept)| kept.is_heaped(*size))
    }

    /// From here on stacks rest that are not taken.
    pub(super) fn mark(&mut self) {
        self.free.values_mut().for_each(Shelf::mark);
    }

    /// Takes at most `most` stacks out of the store that have rested since the mark.
    pub(super) fn take_rested(&mut self, most: usize) -> Vec<DefaultStack> {
        let mut rested = Vec::new();
        for (size, kept) in &mut self.free {
            rested.extend(kept.take_rested(*size, most - rested.len()));
        }
        rested
    }

    /// Takes all free stacks out of the store.
    pub(super) fn take_idle(&mut self) -> Vec<DefaultStack> {
        self.free.values_mut().flat_map(Shelf::take_all).collect()
    }

    /// Gives the memory of free stacks back to the system: here, the stacks themselves.
    pub(super) fn trim(idle: Vec<DefaultStack>) -> Vec<DefaultStack> {
        drop(idle);
        Vec::new()
    }

    /// Puts back what is left after `trim`: nothing.
    pub(super) fn put_idle(&mut self, idle: Vec<DefaultStack>) {
        debug_assert!(idle.is_empty(), "trim leaves nothing here");
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::stack::{LEAST, WARM};

    fn take(store: &mut Store) -> Stack {
        store.reserve(LEAST).ok().and_then(|reserved| reserved.finish().ok()).expect("a stack can be had")
    }

    #[test]
    fn the_stack_given_back_last_is_taken_first() {
        let mut store = Store::new();
        let (first, second) = (take(&mut store), take(&mut store));
        let last = second.base();
        store.give(first);
        store.give(second);
        assert_eq!(take(&mut store).base(), last);
    }

    #[test]
    fn the_guard_lies_between_the_limit_and_the_usable_bytes() {
        let stack = take(&mut Store::new());
        assert_eq!(stack.guard().start, stack.limit().get());
        assert_eq!(stack.guard().end, stack.base().get() - stack.size());
        assert!(!stack.guard().is_empty());
    }

    #[test]
    fn trim_leaves_no_free_stack() {
        let mut store = Store::new();
        let stack = take(&mut store);
        store.give(stack);
        let idle = store.take_idle();
        assert_eq!(idle.len(), 1);
        let kept = Store::trim(idle);
        store.put_idle(kept);
        assert!(store.take_idle().is_empty());
    }

    #[test]
    fn what_has_rested_is_freed_and_the_warm_stay() {
        let mut store = Store::new();
        let warm = WARM / LEAST;
        let stacks: Vec<_> = (0..warm + 3).map(|_| take(&mut store)).collect();
        stacks.into_iter().for_each(|stack| store.give(stack));
        assert!(store.is_heaped() && store.take_rested(10).is_empty(), "no mark, no rest");
        store.mark();
        assert_eq!(store.take_rested(2).len(), 2);
        assert_eq!(store.take_rested(2).len(), 1);
        assert!(!store.is_heaped());
        assert_eq!(store.take_idle().len(), warm);
    }
}
