//! A word about a stack overflow before it ends the process.
//!
//! An overflow of a coroutine's stack hits its guard page: a SIGSEGV, on some systems a SIGBUS, and a core dump that
//! says nothing of tasks. The handler here lets `describe` say to whom the address belongs, and then hands over to the
//! handler that was there before, std's as a rule, or to the default. It never saves a process from a fault, and a
//! fault that is none of ours ends as if nobody had looked.
//!
//! The handler runs on the thread's alternate signal stack, as there is no room left on the other one.
//! [`prepare_thread`] makes sure that there is one: threads that std starts have one already, others may not.
//!
//! # Invariants
//! - Between its entry and the hand-over the handler calls `describe`, `write`, `sigaction` and `raise` only, takes no
//!   lock and allocates nothing. `describe` must be as careful.
//! - A signal has our handler only after [`DESCRIBE`] and its [`PREVIOUS`] were set. Neither is ever unset, and what
//!   they point to is never freed.
//!
//! # How it is tested
//! Each test lets a process of its own die, and looks at what it wrote and how it died (`overflow_tests`).

use core::ffi::{c_int, c_void};
use std::cell::Cell;
use std::{io, mem, ptr};

use crate::sync::{AtomicPtr, Ordering, local};

use super::{Describe, page_size};

static DESCRIBE: AtomicPtr<Describe> = AtomicPtr::new(ptr::null_mut());

/// A signal handler with `SA_SIGINFO`.
type Handler = unsafe extern "C" fn(c_int, *mut libc::siginfo_t, *mut c_void);

/// The signals of a fault.
const SIGNALS: [c_int; 2] = [libc::SIGSEGV, libc::SIGBUS];

/// For each of [`SIGNALS`], who handled it before.
static PREVIOUS: [AtomicPtr<libc::sigaction>; 2] = [const { AtomicPtr::new(ptr::null_mut()) }; 2];

/// Installs the handlers, once for the process; later calls change nothing.
pub(crate) fn install(describe: Describe) {
    let describe = Box::into_raw(Box::new(describe));
    // Ordering: Release publishes the box to the Acquire in `on_fault`.
    if DESCRIBE.compare_exchange(ptr::null_mut(), describe, Ordering::Release, Ordering::Relaxed).is_err() {
        // SAFETY: from `Box::into_raw` above, and not published.
        drop(unsafe { Box::from_raw(describe) });
        return;
    }
    for (signal, previous) in SIGNALS.into_iter().zip(&PREVIOUS) {
        // The handler needs its predecessor from its first moment on, so that is asked for first. What the installation
        // itself hands back is the truth, should somebody have come between.
        let Some(before) = action(signal, None) else { continue };
        publish(previous, before);
        let mut ours = before;
        ours.sa_sigaction = on_fault as *const () as libc::sighandler_t;
        // The mask and the other flags stay as the predecessor wants them.
        ours.sa_flags = (before.sa_flags | libc::SA_SIGINFO | libc::SA_ONSTACK) & !libc::SA_RESETHAND;
        if let Some(truth) = action(signal, Some(&ours))
            && truth.sa_sigaction != before.sa_sigaction
        {
            publish(previous, truth);
        }
    }
}

/// Stores an action where the handler finds it. It is never freed: a handler may be reading it.
fn publish(place: &AtomicPtr<libc::sigaction>, action: libc::sigaction) {
    // Ordering: Release publishes the contents to the Acquire in `hand_over`.
    place.store(Box::into_raw(Box::new(action)), Ordering::Release);
}

/// Sets what happens on a signal, if `new` is given, and returns what happened on it before.
fn action(signal: c_int, new: Option<&libc::sigaction>) -> Option<libc::sigaction> {
    // SAFETY: all zeros are a valid `sigaction`: integers, a set of bits, and a nullable function.
    let mut before: libc::sigaction = unsafe { mem::zeroed() };
    let new = new.map_or(ptr::null(), ptr::from_ref);
    // SAFETY: both point to actions that live across the call, or `new` is null. The new handler is `on_fault`, which
    // keeps to what a handler may do, or the default.
    (unsafe { libc::sigaction(signal, new, &raw mut before) } == 0).then_some(before)
}

/// The signal handler.
///
/// It leaves `errno` alone unless it writes, and then the process ends.
///
/// # Safety
/// Only the system calls it, with its own arguments for a handler with `SA_SIGINFO`.
unsafe extern "C" fn on_fault(signal: c_int, info: *mut libc::siginfo_t, context: *mut c_void) {
    // SAFETY: the system gives a valid `info`; `si_addr` of a signal that somebody sent may be nonsense, but it is a
    // number.
    let (code, fault) = unsafe { ((*info).si_code, (*info).si_addr().addr()) };
    // Other codes say that a process or a thread sent the signal, on all systems.
    let faulted = (1..0x1_0000).contains(&code);
    // Ordering: Acquire pairs with the Release in `install`.
    let describe = DESCRIBE.load(Ordering::Acquire);
    // SAFETY: null, or a box that `install` published and nobody frees.
    let ours = faulted && unsafe { describe.as_ref() }.is_some_and(|describe| describe(fault, &mut write));
    // SAFETY: the arguments are the system's.
    unsafe { hand_over(signal, info, context, faulted) };
    if ours {
        // Nobody mends an overflow. Should the predecessor have come back, the fault must not come here again.
        reset(signal);
    }
}

/// Lets the predecessor have the signal.
///
/// # Safety
/// As for [`on_fault`].
unsafe fn hand_over(signal: c_int, info: *mut libc::siginfo_t, context: *mut c_void, faulted: bool) {
    let previous = SIGNALS.iter().position(|&each| each == signal).map_or(ptr::null_mut(), |index| {
        // Ordering: Acquire pairs with the Release in `publish`.
        PREVIOUS[index].load(Ordering::Acquire)
    });
    // SAFETY: null, or a box that `publish` stored and nobody frees.
    let Some(previous) = (unsafe { previous.as_ref() }) else { return reset(signal) };
    match previous.sa_sigaction {
        libc::SIG_IGN if !faulted => {}
        // A fault cannot be ignored: the system treats it as by default.
        libc::SIG_DFL | libc::SIG_IGN => {
            reset(signal);
            if !faulted {
                // A fault happens again on return; a signal that was sent does not.
                // SAFETY: raise takes an integer. The signal waits until this handler returns.
                unsafe { libc::raise(signal) };
            }
        }
        handler if previous.sa_flags & libc::SA_SIGINFO != 0 => {
            // SAFETY: whoever installed it with SA_SIGINFO promised that it is of this type.
            let handler = unsafe { mem::transmute::<libc::sighandler_t, Handler>(handler) };
            // SAFETY: the arguments are the system's.
            unsafe { handler(signal, info, context) };
        }
        handler => {
            // SAFETY: whoever installed it without SA_SIGINFO promised that it is of this type.
            let handler = unsafe { mem::transmute::<libc::sighandler_t, unsafe extern "C" fn(c_int)>(handler) };
            // SAFETY: the argument is the system's.
            unsafe { handler(signal) };
        }
    }
}

/// Sets the default: the fault, which happens again when the handler returns, then ends the process.
fn reset(signal: c_int) {
    // SAFETY: all zeros are a valid `sigaction`.
    let mut default: libc::sigaction = unsafe { mem::zeroed() };
    default.sa_sigaction = libc::SIG_DFL;
    action(signal, Some(&default));
}

/// Writes to standard error, as far as it goes.
fn write(mut bytes: &[u8]) {
    while !bytes.is_empty() {
        // SAFETY: the pointer and the length are a slice's.
        let written = unsafe { libc::write(libc::STDERR_FILENO, bytes.as_ptr().cast(), bytes.len()) };
        match usize::try_from(written) {
            Ok(1..) => bytes = bytes.get(written.unsigned_abs()..).unwrap_or_default(),
            Err(_) if io::Error::last_os_error().kind() == io::ErrorKind::Interrupted => {}
            _ => return,
        }
    }
}

local! {
    /// What [`prepare_thread`] has found or made.
    static SIGNAL_STACK: SignalStack = SignalStack(Cell::new(Found::NotLooked))
}

/// Makes sure that this thread has an alternate signal stack, until it ends. Cheap when repeated.
#[inline]
pub(crate) fn prepare_thread() {
    // A thread that is past its own destructors is as well prepared as it will ever be.
    let _: Result<(), _> = SIGNAL_STACK.try_with(SignalStack::prepare);
}

/// The alternate signal stack of a thread, released with the thread if it is ours.
struct SignalStack(Cell<Found>);

#[derive(Clone, Copy)]
enum Found {
    NotLooked,
    /// There was one, or none can be had.
    NothingToDo,
    /// One of ours: the mapping, with a guard page at its start.
    Ours {
        mapping: *mut c_void,
        len: usize,
    },
}

impl SignalStack {
    #[inline]
    fn prepare(&self) {
        if let Found::NotLooked = self.0.get() {
            self.look();
        }
    }

    #[cold]
    fn look(&self) {
        let missing = signal_stack(None).is_some_and(|current| current.ss_flags & libc::SS_DISABLE != 0);
        let made = if missing { Self::make() } else { None };
        self.0.set(made.unwrap_or(Found::NothingToDo));
    }

    /// Maps a signal stack and installs it.
    fn make() -> Option<Found> {
        let page = page_size();
        let size = signal_stack_size().next_multiple_of(page);
        let len = page + size;
        let (access, flags) = (libc::PROT_READ | libc::PROT_WRITE, libc::MAP_PRIVATE | libc::MAP_ANON);
        // SAFETY: a new anonymous mapping, at an address that the kernel chooses: no memory of ours is touched.
        let mapping = unsafe { libc::mmap(ptr::null_mut(), len, access, flags, -1, 0) };
        if mapping == libc::MAP_FAILED {
            return None;
        }
        // SAFETY: the first page of the new mapping, which nobody uses.
        let guarded = unsafe { libc::mprotect(mapping, page, libc::PROT_NONE) } == 0;
        let stack = libc::stack_t { ss_sp: mapping.wrapping_byte_add(page), ss_flags: 0, ss_size: size };
        if guarded && signal_stack(Some(&stack)).is_some() {
            return Some(Found::Ours { mapping, len });
        }
        // SAFETY: the new mapping, which nobody uses.
        unsafe { libc::munmap(mapping, len) };
        None
    }
}

impl Drop for SignalStack {
    fn drop(&mut self) {
        let Found::Ours { mapping, len } = self.0.get() else { return };
        let Some(current) = signal_stack(None) else { return };
        if (mapping.addr()..mapping.addr() + len).contains(&current.ss_sp.addr()) {
            // Some systems look at the size even then.
            let none =
                libc::stack_t { ss_sp: ptr::null_mut(), ss_flags: libc::SS_DISABLE, ss_size: signal_stack_size() };
            if signal_stack(Some(&none)).is_none() {
                return;
            }
        }
        // SAFETY: the mapping is this thread's own, and it is not its signal stack (any more).
        unsafe { libc::munmap(mapping, len) };
    }
}

/// Sets the thread's alternate signal stack, if `new` is given, and returns what it was.
fn signal_stack(new: Option<&libc::stack_t>) -> Option<libc::stack_t> {
    // SAFETY: all zeros are a valid `stack_t`: a nullable pointer and integers.
    let mut before: libc::stack_t = unsafe { mem::zeroed() };
    let new = new.map_or(ptr::null(), ptr::from_ref);
    // SAFETY: both point to descriptions that live across the call, or `new` is null. A new stack is memory that stays
    // mapped while it is installed (`SignalStack::drop`), and that nothing else uses.
    (unsafe { libc::sigaltstack(new, &raw mut before) } == 0).then_some(before)
}

/// The frame that the system pushes, whose size depends on the processor's registers, and room for the handlers.
fn signal_stack_size() -> usize {
    const ROOM: usize = if libc::SIGSTKSZ > 16 * 1024 { libc::SIGSTKSZ } else { 16 * 1024 };
    #[cfg(any(target_os = "linux", target_os = "android"))]
    {
        // SAFETY: getauxval takes an integer and touches no memory of ours. It answers 0 if it does not know.
        let frame = unsafe { libc::getauxval(libc::AT_MINSIGSTKSZ) };
        ROOM + usize::try_from(frame).unwrap_or(0)
    }
    #[cfg(not(any(target_os = "linux", target_os = "android")))]
    {
        ROOM
    }
}

#[cfg(test)]
#[path = "overflow_tests.rs"]
mod tests;
