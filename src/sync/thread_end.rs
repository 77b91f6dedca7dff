//! Being the first at a thread's end.
//!
//! Destructors of thread-locals run in the reverse order of their registration, and a task may use one for the first time
//! whenever it runs. So whoever has to look at a thread before any of them must register again after each that came later.
//! glibc keeps its list of them in a thread-local of its own, and a registration is never taken back: to register at every
//! drive would leak. [`come_first`] registers only if the head of that list has changed since it did so last, which it
//! does at most once for each thread-local there is. At the end of a process, where nothing but the thread-locals is given
//! up, [`keep_thread_locals`] empties the list instead, so that none of them is destroyed.
//!
//! Where the head is, no header says. It is found by an experiment: between two registrations of a destructor that does
//! nothing, one word of the C library's thread-local block changes. If the experiment does not come out like this, or
//! there is another C library, both do nothing, and say so.
//!
//! Tested below, and by `tests/process/sentinel.rs`.

use std::cell::Cell;
use std::ffi::{c_int, c_void};
use std::ptr;
use std::sync::OnceLock;

type Destructor = unsafe extern "C" fn(*mut c_void);

unsafe extern "C" {
    fn __cxa_thread_atexit_impl(destructor: Destructor, object: *mut c_void, dso: *mut c_void) -> c_int;
    static __dso_handle: u8;
}

thread_local! {
    /// Where this thread has the head of the list; null before the first look, or if it could not be found.
    static HEAD: Cell<*const usize> = const { Cell::new(ptr::null()) };
    /// The head after the last registration from here.
    static OURS: Cell<usize> = const { Cell::new(0) };
}

/// Has `first` called at the end of this thread before all destructors that are registered now. `false`: it cannot be had.
pub(crate) fn come_first(first: fn()) -> bool {
    if HEAD.get().is_null() {
        HEAD.set(find_head().unwrap_or(ptr::null()));
    }
    let head = HEAD.get();
    if head.is_null() {
        return false;
    }
    // SAFETY: `head` is an aligned word of a thread-local block of this thread, which is there as long as the thread is, and
    // which only this thread writes, in calls that are not under way.
    let now = || unsafe { head.read_volatile() };
    if now() != OURS.get() || now() == 0 {
        register(call, first as *mut c_void);
        OURS.set(now());
    }
    true
}

/// Leaves the thread-locals of this thread as they are, for good: none of the destructors that are registered now will run.
/// `false`: [`come_first`] has not found them.
pub(crate) fn keep_thread_locals() -> bool {
    let head = HEAD.get();
    if head.is_null() {
        return false;
    }
    // SAFETY: the word is this thread's own, as in `come_first`. An empty list is what it holds before the first
    // registration, and `exit` or the thread's end, which may be calling this from its loop over the list, looks at it anew
    // after each call, since a destructor may register others.
    unsafe { head.cast_mut().write_volatile(0) };
    true
}

unsafe extern "C" fn call(first: *mut c_void) {
    // SAFETY: `come_first` has registered this with a `fn()`.
    let first = unsafe { std::mem::transmute::<*mut c_void, fn()>(first) };
    first();
}

unsafe extern "C" fn nothing(_: *mut c_void) {}

fn register(destructor: Destructor, object: *mut c_void) {
    let dso = (&raw const __dso_handle).cast_mut().cast();
    // SAFETY: glibc's function for this purpose; `destructor` takes such an object, and the handle is that of this code's
    // object, which glibc keeps loaded until the destructor has run.
    let failed = unsafe { __cxa_thread_atexit_impl(destructor, object, dso) };
    debug_assert_eq!(failed, 0, "glibc ends the process if it has no memory");
}

/// The C library's thread-local block of the calling thread.
#[derive(Clone, Copy)]
struct Block {
    words: *const usize,
    count: usize,
}

impl Block {
    fn read(self) -> Vec<usize> {
        // SAFETY: the words are this thread's own, see `find_block`; no call that writes them is under way.
        (0..self.count).map(|at| unsafe { self.words.add(at).read_volatile() }).collect()
    }
}

/// Where this thread has the head of the list.
fn find_head() -> Option<*const usize> {
    static OFFSET: OnceLock<Option<usize>> = OnceLock::new();
    let block = find_block()?;
    let offset = *OFFSET.get_or_init(|| experiment(block));
    // SAFETY: the experiment found it within a block of the same library, whose blocks are of one size.
    offset.map(|at| unsafe { block.words.add(at) })
}

/// Which word of the block changes with each registration, if that is one.
fn experiment(block: Block) -> Option<usize> {
    // The first may also have the library set itself up for this thread.
    register(nothing, ptr::null_mut());
    let before = block.read();
    register(nothing, ptr::null_mut());
    let between = block.read();
    register(nothing, ptr::null_mut());
    let after = block.read();
    let changed = |a: &[usize], b: &[usize]| (0..block.count).filter(|at| a[*at] != b[*at]).collect::<Vec<_>>();
    match (changed(&before, &between).as_slice(), changed(&between, &after).as_slice()) {
        ([first], [second]) if first == second => Some(*first),
        _ => None,
    }
}

/// The thread-local block of the object that `__cxa_thread_atexit_impl` is in.
fn find_block() -> Option<Block> {
    unsafe extern "C" fn look(info: *mut libc::dl_phdr_info, _: usize, found: *mut c_void) -> c_int {
        // SAFETY: the loader hands in a valid description, and `find_block` a place for what is found.
        let (info, found) = unsafe { (&*info, &mut *found.cast::<Option<Block>>()) };
        // SAFETY: the description says where its headers are and how many.
        let headers = unsafe { std::slice::from_raw_parts(info.dlpi_phdr, usize::from(info.dlpi_phnum)) };
        let wanted = (__cxa_thread_atexit_impl as *const ()).addr();
        let holds = |header: &libc::Elf64_Phdr| {
            let begin = (info.dlpi_addr + header.p_vaddr) as usize;
            header.p_type == libc::PT_LOAD && (begin..begin + header.p_memsz as usize).contains(&wanted)
        };
        let locals = headers.iter().find(|header| header.p_type == libc::PT_TLS);
        if let Some(locals) = locals.filter(|_| headers.iter().any(holds))
            && !info.dlpi_tls_data.is_null()
        {
            let words = info.dlpi_tls_data.cast::<usize>().cast_const();
            let count = locals.p_memsz as usize / size_of::<usize>();
            *found = words.is_aligned().then_some(Block { words, count });
            return 1;
        }
        0
    }
    let mut found: Option<Block> = None;
    // SAFETY: `look` is such a callback, and `found` outlives the call.
    unsafe { libc::dl_iterate_phdr(Some(look), (&raw mut found).cast()) };
    found
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::atomic::{AtomicUsize, Ordering};
    use std::thread;

    static CALLS: AtomicUsize = AtomicUsize::new(0);
    static BEFORE: AtomicUsize = AtomicUsize::new(0);

    struct Late;
    impl Drop for Late {
        fn drop(&mut self) {
            BEFORE.store(CALLS.load(Ordering::SeqCst), Ordering::SeqCst);
        }
    }

    thread_local! {
        static LATE: Late = const { Late };
    }

    #[test]
    fn a_thread_whose_values_are_to_be_kept_destroys_none_of_them() {
        static DESTROYED: AtomicUsize = AtomicUsize::new(0);
        struct Counted;
        impl Drop for Counted {
            fn drop(&mut self) {
                DESTROYED.fetch_add(1, Ordering::SeqCst);
            }
        }
        thread_local! {
            static EARLY: Counted = const { Counted };
            static LATER: Counted = const { Counted };
        }
        let run = |keep: bool| {
            let keep_them: fn() = || assert!(keep_thread_locals());
            let end = move || {
                EARLY.with(|_| ());
                LATER.with(|_| ());
                assert!(come_first(if keep { keep_them } else { || () }));
            };
            thread::spawn(end).join().unwrap();
            DESTROYED.swap(0, Ordering::SeqCst)
        };
        assert_eq!((run(true), run(false)), (0, 2));
    }

    #[test]
    fn it_comes_before_what_was_registered_and_registers_no_more_than_it_must() {
        thread::spawn(|| {
            let count = || {
                CALLS.fetch_add(1, Ordering::SeqCst);
            };
            for _ in 0..1_000 {
                assert!(come_first(count), "this C library keeps its list as glibc does");
            }
            LATE.with(|_| ());
            for _ in 0..1_000 {
                assert!(come_first(count));
            }
        })
        .join()
        .unwrap();
        assert_eq!(BEFORE.load(Ordering::SeqCst), 1, "one call came before the thread-local's destructor");
        assert_eq!(CALLS.load(Ordering::SeqCst), 2, "and one registration for each time that the list had changed");
    }
}
