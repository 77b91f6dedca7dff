//! Where the calling code is: inside a task, on a plain thread, or in a listener.
//!
//! Four thread-locals say so (`LEAKS` only counts). `SEAT` is the innermost seat that is being driven on this thread, `SEATS` the list of all
//! seats that live here, `QUIET` whether a listener runs, and `IDENTITY` the task for which a helper thread runs a
//! system call. Each is changed by a guard that puts the former value back, on panics and cancels too. Started
//! coroutines never change threads, so a thread-local read before a suspension is still right after it.
//!
//! A sentinel aborts the process, with a message, if a thread ends while coroutines of a forgotten seat are suspended
//! on it: they may hold references to the thread's own values. Tested in `tests/misuse.rs` and `tests/process.rs`.

use std::cell::Cell;
use std::marker::PhantomData;
use std::ptr;
use std::rc::Rc;

use crate::pool::Shared;
use crate::schedule::Seat;
use crate::stack;
use crate::sync::{Arc, come_first, is_main_thread, keep_thread_locals, local};
use crate::task::{Frame, Home, Task};

local! { static SEAT: Cell<*const Seat> = Cell::new(ptr::null()) }
local! { static SEATS: Cell<*const Seat> = Cell::new(ptr::null()) }
local! { static QUIET: Cell<bool> = Cell::new(false) }
local! { static IDENTITY: Cell<*const Task> = Cell::new(ptr::null()) }
local! { static LEAKS: Cell<usize> = Cell::new(0) }
local! { static SENTINEL: Sentinel = Sentinel }

/// Where the caller is.
#[derive(Clone, Copy)]
pub(crate) enum Here<'a> {
    /// In a task, on its coroutine.
    Task(&'a Seat, &'a Frame),
    /// On a plain thread, or in the thread-local destructors of one.
    Plain,
    /// In a listener: nothing may block or suspend.
    Quiet,
}

/// The task that the caller is, with its seat.
///
/// # Safety
/// The references are for the calling function and what it calls, and must not outlive it: that function is on the
/// task's coroutine, above the frame, so the two outlive it, however often the coroutine is suspended in it.
#[inline(always)]
pub(crate) unsafe fn running<'a>() -> Option<(&'a Seat, &'a Frame)> {
    let seat = SEAT.try_with(Cell::get).unwrap_or(ptr::null());
    // SAFETY: a seat is in SEAT only while it is being driven (`Driving`), and the drive keeps it alive.
    let seat = unsafe { seat.as_ref() }?;
    // SAFETY: a seat's frame is set only while its coroutine runs, and lives on that coroutine's stack.
    let frame = unsafe { seat.frame.get().as_ref() }?;
    Some((seat, frame))
}

/// Whether a seat is being driven below the caller, so that it may be in a task.
#[inline]
pub(crate) fn is_driven() -> bool {
    !SEAT.try_with(Cell::get).unwrap_or(ptr::null()).is_null()
}

/// Finds out where the caller is and tells `f`.
#[inline]
pub(crate) fn here<R>(f: impl FnOnce(Here<'_>) -> R) -> R {
    // SAFETY: `f` takes them for any lifetime, so it keeps neither.
    f(match unsafe { running() } {
        Some((seat, frame)) => Here::Task(seat, frame),
        None => nowhere(),
    })
}

#[cold]
pub(crate) fn nowhere() -> Here<'static> {
    if is_quiet() { Here::Quiet } else { Here::Plain }
}

fn is_quiet() -> bool {
    QUIET.try_with(Cell::get).unwrap_or(true)
}

/// Whether a drive may begin here, or a thread block.
pub(crate) fn may_block() -> bool {
    !is_quiet()
}

/// Hands the seat that is innermost here to `f`, in a task or not.
#[inline]
pub(crate) fn innermost<R>(f: impl FnOnce(Option<&Seat>) -> R) -> R {
    let seat = SEAT.try_with(Cell::get).unwrap_or(ptr::null());
    // SAFETY: as in `here`: null, or a seat that is being driven.
    f(unsafe { seat.as_ref() })
}

/// This thread's seat of the pool, driven or not, if it has one.
///
/// The seat stays allocated while the caller has it, even if a listener or a task drops the pool meanwhile.
#[inline(always)]
pub(crate) fn find_seat(shared: &Shared) -> Option<Rc<Seat>> {
    let mut seat = SEATS.try_with(Cell::get).unwrap_or(ptr::null());
    // SAFETY: the list holds the seats of this thread that have not left; each is alive until it leaves, and only this
    // thread changes the list.
    while let Some(own) = unsafe { seat.as_ref() } {
        if ptr::eq(&*own.post.shared, shared) {
            // SAFETY: a seat on the list is in an `Rc` (`enlist`), which has not given up its own count yet.
            return Some(unsafe {
                Rc::increment_strong_count(seat);
                Rc::from_raw(seat)
            });
        }
        seat = own.next.get();
    }
    None
}

/// Hands a count of a home to `f`, with the seat whose home it is if that lives on this thread.
#[inline]
pub(crate) fn seat_of<R>(home: Arc<Home>, f: impl FnOnce(Option<&Seat>, Arc<Home>) -> R) -> R {
    let mut seat = SEATS.try_with(Cell::get).unwrap_or(ptr::null());
    // SAFETY: as in `find_seat`. `f` runs nothing of the user's while it has the seat, so that stays.
    while let Some(own) = unsafe { seat.as_ref() } {
        if Arc::ptr_eq(own.rooms.home(), &home) {
            return f(Some(own), home);
        }
        seat = own.next.get();
    }
    f(None, home)
}

/// Hands this thread's seat of the pool to `f`, as [`find_seat`] finds it.
pub(crate) fn own_seat<R>(shared: &Shared, f: impl FnOnce(Option<&Seat>) -> R) -> R {
    f(find_seat(shared).as_deref())
}

/// Puts a seat on the thread's list. `false` if the thread is past its thread-locals.
pub(crate) fn enlist(seat: &Rc<Seat>) -> bool {
    SEATS.try_with(|seats| seat.next.set(seats.replace(Rc::as_ptr(seat)))).is_ok()
}

/// Takes a seat off the thread's list.
pub(crate) fn delist(seat: &Seat) {
    let forgotten = SEATS.try_with(|seats| {
        let mut link = seats;
        loop {
            let at = link.get();
            if ptr::eq(at, seat) {
                link.set(seat.next.get());
                break;
            }
            // SAFETY: as in `own_seat`.
            let Some(other) = (unsafe { at.as_ref() }) else { break };
            link = &other.next;
        }
    });
    // Past the thread-locals there is no list any more.
    let _ = forgotten;
}

/// Makes a seat the innermost one until dropped.
pub(crate) struct Driving<'a> {
    seat: &'a Seat,
    outer: *const Seat,
}

impl<'a> Driving<'a> {
    pub(crate) fn enter(seat: &'a Seat) -> Self {
        seat.driving.set(true);
        // Past the thread-locals no sentinel is needed: the thread's values are gone already.
        let _ = SENTINEL.try_with(|_| ());
        let outer = SEAT.try_with(|current| current.replace(seat)).unwrap_or(ptr::null());
        Self { seat, outer }
    }
}

impl Drop for Driving<'_> {
    fn drop(&mut self) {
        let _ = SEAT.try_with(|current| current.set(self.outer));
        self.seat.frame.set(ptr::null());
        self.seat.driving.set(false);
        // What ran may have used thread-locals for the first time, and what is left may refer to them.
        if self.seat.workers() > 0 || leaks() > 0 {
            come_first(check_thread_end);
        }
    }
}

/// Hides the current task and refuses blocking, until dropped.
pub(crate) struct Quiet {
    seat: *const Seat,
    not_send: PhantomData<*const ()>,
}

impl Quiet {
    /// `None` if a listener runs already.
    pub(crate) fn enter() -> Option<Self> {
        if is_quiet() {
            return None;
        }
        let _ = QUIET.try_with(|quiet| quiet.set(true));
        let seat = SEAT.try_with(|current| current.replace(ptr::null())).unwrap_or(ptr::null());
        Some(Self { seat, not_send: PhantomData })
    }
}

impl Drop for Quiet {
    fn drop(&mut self) {
        let _ = SEAT.try_with(|current| current.set(self.seat));
        let _ = QUIET.try_with(|quiet| quiet.set(false));
    }
}

/// Gives the thread the identity of a task while it runs a system call for it; hides the seat that runs it.
pub(crate) fn with_identity<R>(task: &Task, f: impl FnOnce() -> R) -> R {
    struct Restore(*const Task, *const Seat);
    impl Drop for Restore {
        fn drop(&mut self) {
            let _ = IDENTITY.try_with(|identity| identity.set(self.0));
            let _ = SEAT.try_with(|seat| seat.set(self.1));
        }
    }
    let outer = IDENTITY.try_with(|identity| identity.replace(task)).unwrap_or(ptr::null());
    let seat = SEAT.try_with(|seat| seat.replace(ptr::null())).unwrap_or(ptr::null());
    let _restore = Restore(outer, seat);
    f()
}

/// Writes to whom the address of a fault belongs, if it is in the guard of the stack that a task runs on here.
///
/// Called from a signal handler: it reads thread-locals without destructors, takes no lock and allocates nothing.
pub(crate) fn describe_fault(fault: usize, write: &mut dyn FnMut(&[u8])) -> bool {
    // The list, not `SEAT`, which a listener or a call in place hides.
    let mut next = SEATS.try_with(Cell::get).unwrap_or(ptr::null());
    // SAFETY: as in `own_seat`. The handler runs on this thread, so the list does not change under it.
    while let Some(seat) = unsafe { next.as_ref() } {
        if describe_fault_on(seat, fault, write) {
            return true;
        }
        next = seat.next.get();
    }
    false
}

fn describe_fault_on(seat: &Seat, fault: usize, write: &mut dyn FnMut(&[u8])) -> bool {
    // SAFETY: as in `running`; null between tasks.
    let Some(frame) = (unsafe { seat.frame.get().as_ref() }) else { return false };
    // The frame is near the base of the stack. From there down all is mapped, up to the guard.
    let distance = ptr::from_ref(frame).addr().wrapping_sub(fault);
    if distance > frame.stack + stack::SPREAD {
        return false;
    }
    let (shared, core) = (seat.shared(), frame.core());
    write(b"copool: stack overflow in pool ");
    write_number(shared.id.0, write);
    write_name(shared.fixed.name.as_deref(), write);
    write(b", task ");
    write_number(core.id.0, write);
    write_name(core.name(), write);
    write(b": give it a larger stack (Builder::stack_size, TaskBuilder::stack_size)\n");
    true
}

fn write_name(name: Option<&str>, write: &mut dyn FnMut(&[u8])) {
    if let Some(name) = name {
        write(b" (");
        write(name.as_bytes());
        write(b")");
    }
}

fn write_number(mut number: u64, write: &mut dyn FnMut(&[u8])) {
    let mut digits = [0; 20];
    let mut at = digits.len();
    loop {
        at -= 1;
        digits[at] = b'0' + u8::try_from(number % 10).unwrap_or(0);
        number /= 10;
        if number == 0 {
            break;
        }
    }
    write(&digits[at..]);
}

/// The task that the caller is, or works for.
pub(crate) fn current() -> Option<Task> {
    here(|here| match here {
        Here::Task(_, frame) => Some(frame.task.clone()),
        Here::Quiet => None,
        Here::Plain => {
            let identity = IDENTITY.try_with(Cell::get).unwrap_or(ptr::null());
            // SAFETY: null, or set by `with_identity` to a reference that outlives the guard which unsets it.
            unsafe { identity.as_ref() }.cloned()
        }
    })
}

/// A coroutine of this thread was given up with its stack.
pub(crate) fn count_leak() {
    let _ = LEAKS.try_with(|leaks| leaks.set(leaks.get() + 1));
}

/// How many coroutines of this thread were given up with their stacks.
pub(crate) fn leaks() -> usize {
    LEAKS.try_with(Cell::get).unwrap_or(0)
}

/// Aborts if its thread ends while there are stacks that may refer to the thread's values.
///
/// At the end of the process nothing of the thread is given up but its thread-locals, and to abort would lose the exit code.
/// So they are kept there, where the C library lets it. That is the end of the main thread, and of one that is driving a
/// seat: it has not come to its end but to an `exit`.
///
/// Destructors run in the reverse order of first use, so this one alone would come after those of thread-locals that were
/// first used in a task, which may have lent one to a scoped thread. So [`Driving`] has the same look taken before all of
/// them, where the C library lets it.
struct Sentinel;

impl Drop for Sentinel {
    fn drop(&mut self) {
        check_thread_end();
    }
}

fn check_thread_end() {
    let (mut driven, mut left) = (false, None);
    let mut next = SEATS.try_with(Cell::get).unwrap_or(ptr::null());
    // SAFETY: as in `own_seat`. A seat that is still on the list was forgotten, or its owner lives as long as the thread.
    while let Some(seat) = unsafe { next.as_ref() } {
        driven |= seat.driving.get();
        if seat.workers() > 0 {
            left = left.or(Some(seat));
        }
        next = seat.next.get();
    }
    if driven || (is_main_thread() && (left.is_some() || leaks() > 0)) {
        keep_thread_locals();
        return;
    }
    if let Some(seat) = left {
        eprintln!(
            "copool: a thread ends while {} coroutines of pool {} are suspended on it; they may refer to its \
             thread-locals. Drop the pool (or the attached seat) before its thread ends.",
            seat.workers(),
            seat.shared().describe(),
        );
        std::process::abort();
    }
    if leaks() > 0 {
        eprintln!(
            "copool: a thread ends after {} tasks on it were given up with their stacks, as they swallowed their cancel \
             again and again; they may refer to its thread-locals.",
            leaks(),
        );
        std::process::abort();
    }
}
