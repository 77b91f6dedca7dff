//! How processes die of faults, and what they say before. Each test plays a role in a process of its own.

use std::hint::black_box;
use std::os::unix::process::ExitStatusExt as _;
use std::process::Output;

use corosensei::Coroutine;

use super::*;
use crate::stack::alone::{alone, play, role};
use crate::stack::{LEAST, Stacks, usable_size};
use crate::sync::AtomicUsize;

/// What the child says of an overflow of the coroutine.
const WORD: &str = "the coroutine of this test has overflowed\n";

static GUARD: [AtomicUsize; 2] = [const { AtomicUsize::new(0) }; 2];

fn describe(fault: usize, write: &mut dyn FnMut(&[u8])) -> bool {
    // Ordering: Relaxed; the same thread has stored them.
    let [start, end] = GUARD.each_ref().map(|bound| bound.load(Ordering::Relaxed));
    let ours = (start..end).contains(&fault);
    if ours {
        write(WORD.as_bytes());
    }
    ours
}

fn deepen(depth: usize) -> usize {
    let frame = black_box([depth; 32]);
    if depth == usize::MAX { 0 } else { deepen(depth + 1) + black_box(&frame)[3] }
}

/// Overflows a coroutine's stack.
fn overflow() {
    let stack = Stacks::new().take(usable_size(LEAST).expect("enough"), || ()).expect("a stack can be had");
    let guard = stack.guard();
    // Ordering: Relaxed; the same thread reads them.
    GUARD[0].store(guard.start, Ordering::Relaxed);
    // Ordering: as above.
    GUARD[1].store(guard.end, Ordering::Relaxed);
    prepare_thread();
    Coroutine::<(), (), usize, _>::with_stack(stack, |_, ()| deepen(0)).resume(());
}

/// Reads where nothing is.
fn read_nowhere() {
    // SAFETY: none: this is to fault.
    unsafe { ptr::with_exposed_provenance::<u8>(black_box(4096 - 8)).read_volatile() };
}

/// Makes `handler` the handler of SIGSEGV.
fn handle(handler: libc::sighandler_t, flags: c_int) {
    // SAFETY: all zeros are a valid `sigaction`.
    let mut new: libc::sigaction = unsafe { mem::zeroed() };
    new.sa_sigaction = handler;
    new.sa_flags = flags;
    assert!(action(libc::SIGSEGV, Some(&new)).is_some());
}

fn died_of(output: &Output) -> Option<c_int> {
    output.status.signal()
}

fn said(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

extern "C" fn leave_with_info(signal: c_int, info: *mut libc::siginfo_t, context: *mut c_void) {
    // SAFETY: the handler passes on what it got from the system.
    let ours = unsafe { (*info).si_signo } == signal && !context.is_null();
    // SAFETY: _exit ends the process at once.
    unsafe { libc::_exit(if ours { 70 } else { 1 }) };
}

extern "C" fn leave(signal: c_int) {
    // SAFETY: _exit ends the process at once.
    unsafe { libc::_exit(if signal == libc::SIGSEGV { 71 } else { 1 }) };
}

extern "C" fn come_back(_: c_int) {}

static PAGE: AtomicUsize = AtomicUsize::new(0);

/// Mends a fault of the program's own, as garbage collectors do.
extern "C" fn mend(_: c_int, info: *mut libc::siginfo_t, _: *mut c_void) {
    // Ordering: Relaxed; the same thread has stored it.
    let page = PAGE.load(Ordering::Relaxed);
    // SAFETY: the system gives a valid `info`; the page is a mapping of the test's own.
    unsafe {
        assert_eq!((*info).si_addr().addr(), page);
        libc::mprotect((*info).si_addr(), 1, libc::PROT_READ | libc::PROT_WRITE);
    }
}

#[test]
fn an_overflow_is_described_and_kills_the_process() {
    if role().is_some() {
        install(describe);
        return overflow();
    }
    let output = play(module_path!(), "an_overflow_is_described_and_kills_the_process", "overflow");
    assert_eq!(said(&output), WORD);
    assert!(matches!(died_of(&output), Some(libc::SIGSEGV | libc::SIGBUS)), "{output:?}");
}

#[test]
fn an_overflow_goes_on_to_the_previous_handler() {
    let name = "an_overflow_goes_on_to_the_previous_handler";
    if let Some(role) = role() {
        match &*role {
            "default" => handle(libc::SIG_DFL, 0),
            "ignored" => handle(libc::SIG_IGN, 0),
            "with info" => handle(leave_with_info as *const () as usize, libc::SA_SIGINFO),
            "plain" => handle(leave as *const () as usize, 0),
            "comes back" => handle(come_back as *const () as usize, libc::SA_NODEFER),
            _ => panic!("no such role: {role}"),
        }
        install(describe);
        install(|_, _| panic!("only the first installation counts"));
        return overflow();
    }
    for role in ["default", "ignored", "comes back"] {
        let output = play(module_path!(), name, role);
        assert_eq!((died_of(&output), said(&output)), (Some(libc::SIGSEGV), WORD.to_owned()), "{role}");
    }
    for (role, code) in [("with info", 70), ("plain", 71)] {
        let output = play(module_path!(), name, role);
        assert_eq!((output.status.code(), said(&output)), (Some(code), WORD.to_owned()), "{role}");
    }
}

#[test]
fn a_fault_that_is_none_of_ours_ends_as_without_us() {
    let name = "a_fault_that_is_none_of_ours_ends_as_without_us";
    if let Some(role) = role() {
        install(describe);
        prepare_thread();
        match &*role {
            "read nowhere" => read_nowhere(),
            "thread" => drop(black_box(deepen(0))),
            _ => panic!("no such role: {role}"),
        }
    }
    let output = play(module_path!(), name, "read nowhere");
    assert_eq!((died_of(&output), said(&output)), (Some(libc::SIGSEGV), String::new()));
    let output = play(module_path!(), name, "thread");
    assert_eq!(died_of(&output), Some(libc::SIGABRT));
    assert!(said(&output).contains("has overflowed its stack") && !said(&output).contains(WORD), "{output:?}");
}

#[cfg(target_os = "linux")]
#[test]
fn a_bus_error_ends_as_without_us() {
    if role().is_some() {
        install(describe);
        // SAFETY: a new file without bytes, mapped; the read of its page is to fault.
        unsafe {
            let file = libc::memfd_create(c"empty".as_ptr(), 0);
            let page = libc::mmap(ptr::null_mut(), 1, libc::PROT_READ, libc::MAP_SHARED, file, 0);
            assert_ne!(page, libc::MAP_FAILED);
            page.cast::<u8>().read_volatile();
        }
    }
    let output = play(module_path!(), "a_bus_error_ends_as_without_us", "read past the end");
    assert_eq!((died_of(&output), said(&output)), (Some(libc::SIGBUS), String::new()));
}

#[test]
fn a_fault_that_the_previous_handler_mends_is_mended() {
    alone(module_path!(), "a_fault_that_the_previous_handler_mends_is_mended", || {
        handle(mend as *const () as usize, libc::SA_SIGINFO);
        install(describe);
        for _ in 0..2 {
            let flags = libc::MAP_PRIVATE | libc::MAP_ANON;
            // SAFETY: a new mapping.
            let page = unsafe { libc::mmap(ptr::null_mut(), 1, libc::PROT_NONE, flags, -1, 0) };
            // Ordering: Relaxed; the same thread reads it.
            PAGE.store(page.addr(), Ordering::Relaxed);
            // SAFETY: the new mapping, which the handler opens.
            assert_eq!(unsafe { page.cast::<u8>().read_volatile() }, 0);
        }
    });
}

#[test]
fn a_signal_that_was_sent_is_treated_as_without_us() {
    let name = "a_signal_that_was_sent_is_treated_as_without_us";
    if let Some(role) = role() {
        handle(if role == "ignored" { libc::SIG_IGN } else { libc::SIG_DFL }, 0);
        install(|_, _| panic!("there is no fault to describe"));
        // SAFETY: raise takes an integer.
        unsafe { libc::raise(libc::SIGSEGV) };
        return;
    }
    assert_eq!(died_of(&play(module_path!(), name, "default")), Some(libc::SIGSEGV));
    assert!(play(module_path!(), name, "ignored").status.success());
}

/// Runs `body` on a thread that std knows nothing of, and that so has no signal stack.
fn on_a_foreign_thread(body: extern "C" fn(*mut c_void) -> *mut c_void) {
    // SAFETY: the thread is joined, and `body` needs no argument.
    unsafe {
        let mut thread = mem::zeroed();
        assert_eq!(libc::pthread_create(&raw mut thread, ptr::null(), body, ptr::null_mut()), 0);
        assert_eq!(libc::pthread_join(thread, ptr::null_mut()), 0);
    }
}

#[test]
fn an_overflow_on_a_thread_without_a_signal_stack_is_described_too() {
    extern "C" fn body(_: *mut c_void) -> *mut c_void {
        overflow();
        ptr::null_mut()
    }
    if role().is_some() {
        install(describe);
        return on_a_foreign_thread(body);
    }
    let name = "an_overflow_on_a_thread_without_a_signal_stack_is_described_too";
    assert_eq!(said(&play(module_path!(), name, "overflow")), WORD);
}

#[test]
fn a_signal_stack_of_ours_has_a_guard_and_goes_with_its_thread() {
    extern "C" fn body(_: *mut c_void) -> *mut c_void {
        let before = signal_stack(None).expect("a thread may ask");
        assert_ne!(before.ss_flags & libc::SS_DISABLE, 0);
        prepare_thread();
        let made = signal_stack(None).expect("a thread may ask");
        assert!(made.ss_flags & libc::SS_DISABLE == 0 && made.ss_size >= signal_stack_size());
        prepare_thread();
        assert_eq!(signal_stack(None).expect("a thread may ask").ss_sp, made.ss_sp);
        // Ordering: Relaxed; the join publishes it.
        PAGE.store(made.ss_sp.addr(), Ordering::Relaxed);
        ptr::null_mut()
    }
    fn mapped(address: usize) -> bool {
        // SAFETY: msync looks at a mapping, and finds nothing to write in an anonymous one.
        unsafe { libc::msync(ptr::with_exposed_provenance_mut(address), 1, libc::MS_ASYNC) == 0 }
    }
    alone(module_path!(), "a_signal_stack_of_ours_has_a_guard_and_goes_with_its_thread", || {
        on_a_foreign_thread(body);
        // Ordering: Relaxed; the join has published it.
        let stack = PAGE.load(Ordering::Relaxed);
        assert!(stack != 0 && !mapped(stack) && !mapped(stack - page_size()));
    });
}

#[test]
fn a_signal_stack_of_the_thread_s_own_is_left_alone() {
    let before = signal_stack(None).expect("a thread may ask");
    assert_eq!(before.ss_flags & libc::SS_DISABLE, 0, "std gives its threads one");
    prepare_thread();
    assert_eq!(signal_stack(None).expect("a thread may ask").ss_sp, before.ss_sp);
}
