//! Stacks that outlive their pool, for the checkers and for fuzzing: executions are many and short, and each builds a pool
//! anew.
//!
//! The free stacks of all pools of the process are one store behind a lock that the checker does not see.

use super::Exhausted;
use super::home::{self, Bare, Reserved, Stack};
use crate::sync::hidden::Hidden;

static KEPT: Hidden<home::Store> = Hidden::new(home::Store::new());

/// The door of one pool to the store of the process.
pub(crate) struct Store;

impl Store {
    pub(super) fn new() -> Self {
        Self
    }

    pub(super) fn reserve(&mut self, size: usize) -> Result<Reserved, Exhausted> {
        KEPT.lock().reserve(size)
    }

    /// Takes back what is not wanted now.
    pub(super) fn settle(&mut self, rest: Bare) -> Result<Stack, Exhausted> {
        KEPT.lock().settle(rest)
    }

    pub(super) fn give(&mut self, stack: Stack) {
        KEPT.lock().give(stack);
    }

    /// Nothing is idle: the next execution wants the stacks.
    pub(super) fn is_heaped(&self) -> bool {
        false
    }

    /// Nothing rests.
    pub(super) fn mark(&mut self) {}

    /// Nothing has rested.
    pub(super) fn take_rested(&mut self, _most: usize) -> Vec<Stack> {
        Vec::new()
    }

    /// Nothing is idle.
    pub(super) fn take_idle(&mut self) -> Vec<Stack> {
        Vec::new()
    }

    /// Nothing to give back.
    pub(super) fn trim(idle: Vec<Stack>) -> Vec<Stack> {
        idle
    }

    /// Nothing to put back.
    pub(super) fn put_idle(&mut self, idle: Vec<Stack>) {
        debug_assert!(idle.is_empty(), "nothing was taken out");
    }
}
