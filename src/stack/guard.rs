//! Guards, for Linux: pages that fault whenever they are touched; and the system calls about memory that making them
//! takes.
//!
//! | kind | made by | since | what it costs |
//! |---|---|---|---|
//! | `Many` | `process_madvise` of `MADV_GUARD_INSTALL`, on the process itself | after Linux 6.13 | a share of a system call |
//! | `Light` | `madvise` of `MADV_GUARD_INSTALL` | Linux 6.13 | a system call |
//! | `Split` | `mprotect` | always | a system call and a mapping |
//!
//! The first two mark the page table entry and leave the mapping whole. Emulators may lack them, or accept the advice and
//! ignore it; a filter of system calls may refuse the first alone. So what works is tried out, once for each chunk.

use std::io;
use std::ops::Range;
use std::ptr;

use super::page_size;

/// `MADV_GUARD_INSTALL`, Linux 6.13. The same number on all architectures that have coroutines.
pub(super) const GUARD_INSTALL: libc::c_int = 102;

/// `PIDFD_SELF_THREAD`: the memory of whoever calls. A real descriptor would have to be kept open, and would mean the
/// parent after a fork. Kernels that do not know this one (6.13 and older) refuse it as they do any that is not open.
const SELF: libc::c_int = -10_000;

/// How many guards one call makes at most. Sixteen at once save nearly as much, and more save no more.
pub(super) const AT_ONCE: usize = 64;

/// How the guards of a chunk are made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Guard {
    /// Many by one call.
    Many,
    /// Each by a call of its own.
    Light,
    /// Each by splitting the mapping.
    Split,
}

impl Guard {
    /// Finds out what works, on the first guard page of a chunk.
    ///
    /// # Safety
    /// As for [`advise`].
    pub(super) unsafe fn choose(first: &Range<usize>) -> Self {
        // SAFETY: the caller's promise.
        if unsafe { advise_each([first.clone()], GUARD_INSTALL) } == 1 && Self::works(first) {
            return Self::Many;
        }
        // SAFETY: the caller's promise.
        let installed = unsafe { advise(first.clone(), GUARD_INSTALL) };
        if installed.is_ok() && Self::works(first) { Self::Light } else { Self::Split }
    }

    /// Whether an advice that was accepted was also followed: a page that is a guard cannot be populated.
    fn works(guard: &Range<usize>) -> bool {
        // SAFETY: this advice empties and closes nothing.
        let populated = unsafe { advise(guard.clone(), libc::MADV_POPULATE_READ) };
        populated.is_err_and(|error| error.raw_os_error() == Some(libc::EFAULT))
    }

    /// Makes one guard, or says that the system has no memory or mapping for it.
    ///
    /// # Safety
    /// As for [`advise`].
    #[cold]
    pub(super) unsafe fn make(self, page: Range<usize>) -> bool {
        if self != Self::Split {
            // SAFETY: the caller's promise.
            match unsafe { advise(page.clone(), GUARD_INSTALL) } {
                Ok(()) => return true,
                // Kernels before 6.15 refuse if the memory was locked after the chunk was mapped.
                Err(error) if error.raw_os_error() == Some(libc::EINVAL) => {}
                Err(_) => return false,
            }
        }
        // SAFETY: the caller's promise: nothing refers to the page, and nothing is to touch it.
        unsafe { libc::mprotect(pointer(page.start), page.len(), libc::PROT_NONE) == 0 }
    }
}

/// Gives an advice about each of these pages by one call, and says for how many it was followed: the first ones. A call
/// that is refused does nothing.
///
/// # Safety
/// As for [`advise`], for each page.
#[cold]
pub(super) unsafe fn advise_each(pages: impl IntoIterator<Item = Range<usize>>, advice: libc::c_int) -> usize {
    let list = pages.into_iter().map(|page| libc::iovec { iov_base: pointer(page.start), iov_len: page.len() });
    let list: Vec<_> = list.collect();
    if list.is_empty() {
        return 0;
    }
    // SAFETY: the call reads the list, which outlives it; what the advice does is the caller's promise.
    let advised = unsafe { libc::syscall(libc::SYS_process_madvise, SELF, list.as_ptr(), list.len(), advice, 0) };
    // It goes through the list in order and says how many bytes it has come, or an error if it has come nowhere.
    usize::try_from(advised).map_or(0, |bytes| bytes / page_size())
}

/// A new mapping of `len` bytes.
pub(super) fn map(len: usize) -> Option<usize> {
    let access = libc::PROT_READ | libc::PROT_WRITE;
    let flags = libc::MAP_PRIVATE | libc::MAP_ANONYMOUS | libc::MAP_NORESERVE;
    // SAFETY: a new anonymous mapping, at an address that the kernel chooses: no memory of ours is touched.
    let start = unsafe { libc::mmap(ptr::null_mut(), len, access, flags, -1, 0) };
    (start != libc::MAP_FAILED).then(|| start.expose_provenance())
}

/// Gives an advice about memory.
///
/// # Safety
/// The memory is whole pages of a chunk, and of no stack that is handed out: the advice may empty or close it.
pub(super) unsafe fn advise(memory: Range<usize>, advice: libc::c_int) -> io::Result<()> {
    // SAFETY: the caller's promise.
    match unsafe { libc::madvise(pointer(memory.start), memory.len(), advice) } {
        0 => Ok(()),
        _ => Err(io::Error::last_os_error()),
    }
}

pub(super) fn pointer(address: usize) -> *mut libc::c_void {
    ptr::with_exposed_provenance_mut(address)
}
