//! One mapping of many slots, for Linux.

use std::io;
use std::ops::Range;

use super::guard::{Guard, advise, map, pointer};

/// One mapping of `slots` slots.
pub(super) struct Chunk {
    pub(super) start: usize,
    len: usize,
    pub(super) slots: usize,
    /// The index of the first slot that nobody has come to.
    pub(super) fresh: usize,
    /// How many of its stacks are handed out.
    pub(super) out: usize,
    pub(super) guard: Guard,
}

impl Chunk {
    /// Maps a chunk of `wish` slots, or of as many as can be had.
    pub(super) fn map(stride: usize, page: usize, wish: usize) -> Option<Self> {
        let mut slots = wish;
        while slots > 0 {
            let len = slots * stride;
            if let Some(start) = map(len) {
                // A stack touches few of its pages. Refused where there are no huge pages.
                // SAFETY: the mapping is new.
                let _: io::Result<()> = unsafe { advise(start..start + len, libc::MADV_NOHUGEPAGE) };
                // SAFETY: the mapping is new.
                let guard = unsafe { Guard::choose(&(start..start + page)) };
                return Some(Self { start, len, slots, fresh: 0, out: 0, guard });
            }
            slots /= 2;
        }
        None
    }

    pub(super) fn range(&self) -> Range<usize> {
        self.start..self.start + self.len
    }
}

impl Drop for Chunk {
    fn drop(&mut self) {
        if self.out == 0 {
            // SAFETY: the mapping is this chunk's own. None of its stacks is handed out, and none will be, as only the
            // owner of the chunk could. Should the kernel refuse, the mapping stays, which is harmless.
            unsafe { libc::munmap(pointer(self.start), self.len) };
        }
    }
}
