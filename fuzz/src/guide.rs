//! What guides the fuzzer: the edges that the production pool takes, and how often.
//!
//! The compiler counts every edge of every crate, and has each comparison reported. libFuzzer collects the counters after
//! each execution, which takes longer than the execution if those of the reference pool and of the spec are among them;
//! and what they count is what the script says, once more. So they are hidden, by [`unseen`]. All comparisons are of
//! decoded values, none is of the input's bytes, so those of integers are not reported at all ([`unreported`]).

use std::cell::RefCell;

#[cfg(target_os = "linux")]
mod unreported;

unsafe extern "C" {
    /// The counters, one byte an edge: where they begin, and where they end.
    #[link_name = "copool_counters"]
    static COUNTERS: [*mut u8; 2];
}

thread_local! {
    /// The counters as they were. Kept, as a new one for each execution would fill the sanitizer's quarantine.
    static BEFORE: RefCell<Vec<u8>> = const { RefCell::new(Vec::new()) };
}

/// Runs `f`, and hides from the fuzzer which way it took.
pub fn unseen<R>(f: impl FnOnce() -> R) -> R {
    // SAFETY: the two addresses below.
    let [start, stop] = unsafe { COUNTERS };
    let len = stop.addr() - start.addr();
    let mut before = BEFORE.take();
    before.resize(len, 0);
    // SAFETY: the section is `len` bytes, and has no other user than the code of this thread, which counts in it.
    unsafe { std::ptr::copy_nonoverlapping(start, before.as_mut_ptr(), len) };
    let result = f();
    // SAFETY: as above.
    unsafe { std::ptr::copy_nonoverlapping(before.as_ptr(), start, len) };
    BEFORE.set(before);
    result
}

// In assembly, as the linker's names for the ends of a section clash with those that the compiler uses itself.
std::arch::global_asm!(
    ".pushsection .data.rel.ro, \"aw\"",
    ".balign 8",
    ".globl copool_counters",
    "copool_counters:",
    ".quad __start___sancov_cntrs",
    ".quad __stop___sancov_cntrs",
    ".popsection",
);
