//! A shelf of free stacks: the one put on it last is taken first, and it is known without a clock which have rested.
//!
//! As what is put on last is taken first, those that lie deepest were not touched for as long as there were never fewer.
//! So a shelf only has to know the least count since the last [`mark`](Shelf::mark).

use std::collections::VecDeque;

use super::WARM;

/// Stacks of one size.
pub(super) struct Shelf<T> {
    /// The deepest in front.
    kept: VecDeque<T>,
    /// So many in front were not touched since the mark.
    rested: usize,
}

impl<T> Shelf<T> {
    pub(super) const fn new() -> Self {
        Self { kept: VecDeque::new(), rested: 0 }
    }

    #[inline]
    pub(super) fn put(&mut self, stack: T) {
        self.kept.push_back(stack);
    }

    #[inline]
    pub(super) fn take(&mut self) -> Option<T> {
        let stack = self.kept.pop_back();
        self.rested = self.rested.min(self.kept.len());
        stack
    }

    /// From here on it counts what is not touched.
    pub(super) fn mark(&mut self) {
        self.rested = self.kept.len();
    }

    /// How many are more than what stays warm, if each has `size` usable bytes.
    fn surplus(&self, size: usize) -> usize {
        self.kept.len().saturating_sub(WARM / size)
    }

    /// Whether there are more than what stays warm.
    pub(super) fn is_heaped(&self, size: usize) -> bool {
        self.surplus(size) > 0
    }

    /// Takes at most `most` of those that were not touched since the mark, and leaves what stays warm.
    pub(super) fn take_rested(&mut self, size: usize, most: usize) -> impl Iterator<Item = T> {
        let count = self.rested.min(self.surplus(size)).min(most);
        self.rested -= count;
        self.kept.drain(..count)
    }

    /// Takes all.
    pub(super) fn take_all(&mut self) -> impl Iterator<Item = T> {
        self.rested = 0;
        self.kept.drain(..)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use quickcheck::quickcheck;

    /// Two of them stay warm.
    const SIZE: usize = WARM / 2;

    quickcheck! {
        fn what_it_says_has_rested_was_not_touched_since_the_mark(moves: Vec<(u8, u8)>) -> bool {
            let (mut shelf, mut list, mut next) = (Shelf::new(), Vec::new(), 0_u32);
            for (choice, most) in moves {
                match choice % 8 {
                    0..=3 => {
                        shelf.put(next);
                        // The flag: touched since the mark.
                        list.push((next, true));
                        next += 1;
                    }
                    4 | 5 => {
                        if shelf.take() != list.pop().map(|(stack, _)| stack) {
                            return false;
                        }
                    }
                    6 => {
                        shelf.mark();
                        list.iter_mut().for_each(|(_, touched)| *touched = false);
                    }
                    _ => {
                        let untouched = list.iter().filter(|(_, touched)| !touched).count();
                        let count = untouched.min(list.len().saturating_sub(2)).min(usize::from(most));
                        let expected: Vec<_> = list.drain(..count).map(|(stack, _)| stack).collect();
                        if shelf.take_rested(SIZE, usize::from(most)).collect::<Vec<_>>() != expected {
                            return false;
                        }
                    }
                }
                if shelf.is_heaped(SIZE) != (list.len() > 2) {
                    return false;
                }
            }
            shelf.take_all().eq(list.into_iter().map(|(stack, _)| stack)) && shelf.take().is_none()
        }
    }
}
