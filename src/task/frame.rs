//! What a running task needs at its suspension calls. It lives on the task's own coroutine.
//!
//! A suspension call first is a cancellation point ([`Frame::point`]), then hands the processor back to the seat with
//! a [`Yield`] that says when it wants it again. While a task unwinds, no suspension call suspends or throws.

use std::cell::{Cell, RefCell};
use std::time::Instant;

use copool_spec::{Interruption, Tell, WorkerId};

use super::wait::{Begin, Generation, Wait};
use super::{Core, Locals, Task};
use crate::pool::Count;
use crate::schedule::Seat;
use crate::stack::hints;
use crate::sync::{panicking, throw};
use crate::unwind::{Throw, Unwind};
use crate::worker::{Yield, Yielder};

/// After so many throws that a task has swallowed, it is abandoned and its stack leaked.
pub(crate) const MOST_THROWS: u32 = 16;

/// After so many suspension calls a task that was thrown at on a panicking thread is taken to go on for ever.
const MOST_IGNORED: u32 = 1 << 20;

/// So many of them does each count for once the task has swallowed the throw: then it hardly is unwinding.
const SWALLOWED: u32 = 1 << 10;

/// The length of a cache line, in bytes.
const LINE: usize = 64;

/// How many bytes corosensei saves on the stack that it leaves, on x86-64: three registers.
const SAVED: usize = 24;

/// The running task, its worker, and what the pool remembers of it between suspensions.
pub(crate) struct Frame {
    pub(crate) task: Task,
    pub(crate) worker: WorkerId,
    yielder: *const Yielder,
    /// The size of the stack, for the overflow report.
    pub(crate) stack: usize,
    /// The key in the seat's roster, once the task has suspended.
    pub(crate) roster: Cell<Option<usize>>,
    throws: Cell<u32>,
    throw: RefCell<Option<Throw>>,
    /// Suspension calls that returned at once although the task may not have been unwinding.
    ignored: Cell<u32>,
    pub(crate) locals: Locals,
    /// When the present slice began: at the first checkpoint after a suspension.
    pub(crate) slice: Cell<Option<Instant>>,
    /// Until when the task waits, and in which wait, if it has a timer.
    pub(crate) until: Cell<Option<(Instant, Generation)>>,
}

impl Frame {
    /// A frame for a task that has just been started on the coroutine of this yielder.
    pub(crate) fn new(task: Task, worker: WorkerId, yielder: &Yielder, stack: usize) -> Self {
        Self {
            task,
            worker,
            yielder,
            stack,
            roster: Cell::new(None),
            throws: Cell::new(0),
            throw: RefCell::new(None),
            ignored: Cell::new(0),
            locals: Locals::new(),
            slice: Cell::new(None),
            until: Cell::new(None),
        }
    }

    /// Has the processor fetch what the worker of this frame touches first when it is resumed: the frame, and from so many
    /// bytes below it the end of its stack, what the switch has saved there and what the caller has above that.
    #[inline]
    pub(crate) fn prefetch(this: *const Self, depth: u32) {
        let end = this.cast::<u8>().wrapping_sub(depth as usize + SAVED);
        hints::prefetch(this.cast());
        hints::prefetch(end);
        hints::prefetch(end.wrapping_add(LINE));
    }

    /// How many bytes of stack the caller has below the frame. A hint: it is cut off at 32 bits, and means nothing where there is
    /// no [`hints::pointer`].
    #[inline(always)]
    #[expect(clippy::cast_possible_truncation, reason = "a hint, and no stack is as large")]
    fn depth(&self) -> u32 {
        std::ptr::from_ref(self).addr().wrapping_sub(hints::pointer()) as u32
    }

    /// The task's core.
    #[inline]
    pub(crate) fn core(&self) -> &Core {
        self.task.core()
    }

    /// How often the task was thrown at.
    pub(crate) fn throws(&self) -> u32 {
        self.throws.get()
    }

    /// Whether the task is unwinding now, by a panic of its own or because it was thrown at.
    #[inline]
    pub(crate) fn is_unwinding(&self, seat: &Seat) -> bool {
        panicking() && self.is_unwinding_slow(seat)
    }

    #[cold]
    fn is_unwinding_slow(&self, seat: &Seat) -> bool {
        if !seat.outer_panic.get() {
            return true;
        }
        // On a thread that was panicking before (a seat that leaves during a panic), `panicking` says nothing about the
        // task. There it runs only to be thrown at, so it unwinds as long as that throw is under way. Once it has swallowed
        // it, it may unwind again, by a panic of its own, or not: its calls return at once, but not for ever, or a task that
        // suspends in a loop would keep the drop from returning. Nothing tells the two apart, as std says whether a thread
        // panics and not how often. So a task whose destructors make more calls than that, during a panic of its own,
        // during the drop of its seat, during a panic, is given up in mid-unwinding. Nobody goes on on its stack, so that is
        // sound; but its panic never ends, and the thread counts as panicking from then on: drives on it are refused.
        // A throw is under way for as long as its payload is there, and a task may have caught and kept it: so calls count
        // then, too, though less, as most are those of destructors.
        let counts = match &*self.throw.borrow() {
            None => return false,
            Some(throw) if throw.is_over() => SWALLOWED,
            Some(_) => 1,
        };
        self.ignored.set(self.ignored.get().saturating_add(counts));
        self.ignored.get() <= MOST_IGNORED
    }

    /// The cancellation point that every suspension call is. `false`: the task unwinds, so do not suspend.
    #[inline]
    pub(crate) fn point(&self, seat: &Seat) -> bool {
        if self.is_unwinding(seat) {
            return false;
        }
        if self.must_unwind(seat) {
            self.throw(seat);
        }
        true
    }

    #[cold]
    fn throw(&self, seat: &Seat) -> ! {
        let throws = self.throws.get() + 1;
        self.throws.set(throws);
        // A second throw on a thread that is panicking anyway could not be told from the first one's unwinding.
        if throws > MOST_THROWS || (throws > 1 && seat.outer_panic.get()) {
            self.hand_over(seat, Yield::Leak);
            unreachable!("a leaked coroutine is never resumed");
        }
        let (payload, thrown) = Unwind::new();
        *self.throw.borrow_mut() = Some(thrown);
        throw(Box::new(payload))
    }

    /// Gives the processor back to the seat.
    #[inline]
    fn hand_over(&self, seat: &Seat, request: Yield) {
        seat.depth.set(self.depth());
        // SAFETY: the yielder belongs to the coroutine on whose stack this frame is, and the caller runs on that stack: the
        // frame is the seat's current one only while its coroutine runs.
        unsafe { (*self.yielder).suspend(request) };
    }

    /// Prepares the first suspension: from here on other threads may find the task, to wake or to abandon it.
    #[inline]
    fn stay(&self, seat: &Seat) {
        if self.roster.get().is_none() {
            self.stay_first(seat);
        }
    }

    #[cold]
    fn stay_first(&self, seat: &Seat) {
        self.roster.set(Some(seat.post.roster.stay(&self.task)));
        // SAFETY: the running task does this once, before its first wait.
        unsafe { self.core().set_runner(&seat.post) };
    }

    /// Suspends and is ready again at once. The cancellation point is where it comes back.
    #[inline(always)]
    pub(crate) fn suspend(&self, seat: &Seat, why: Interruption) {
        if self.is_unwinding(seat) {
            return;
        }
        self.stay(seat);
        self.interrupted(seat, why);
        self.hand_over(seat, Yield::Ready);
        if self.must_unwind(seat) {
            self.throw(seat);
        }
    }

    #[inline]
    fn must_unwind(&self, seat: &Seat) -> bool {
        self.core().word.must_unwind() || seat.leaving.get()
    }

    /// Waits until woken, or until `until`. `register` makes the wake-up known, and says `false` if it is not needed any
    /// more. Cancellation points before and after, except for a system call.
    ///
    /// Inlined, as each return on the other side of a switch is one that the processor predicts wrong.
    #[inline(always)]
    pub(crate) fn wait(
        &self,
        seat: &Seat,
        (wait, why): (Wait, Interruption),
        until: Option<Instant>,
        register: impl FnOnce(Generation) -> bool,
    ) {
        self.stay(seat);
        let core = self.core();
        match core.wait.begin(wait) {
            Begin::Token => return,
            Begin::Interrupted => self.throw(seat),
            Begin::Waits(generation) => {
                if wait == Wait::Join {
                    seat.post.tally.add(Count::JoinBegun);
                }
                let taken_back = if register(generation) { None } else { core.wait.wake(generation) };
                if let Some(ended) = taken_back {
                    core.count_ended(&ended);
                } else {
                    // If the wait could not be taken back, somebody else has ended it, and the note must be waited for.
                    self.interrupted(seat, why);
                    self.until.set(until.map(|at| (at, generation)));
                    self.hand_over(seat, if wait == Wait::Syscall { Yield::Call } else { Yield::Wait });
                }
            }
        }
        if wait != Wait::Syscall {
            self.point(seat);
        }
    }

    #[inline]
    fn interrupted(&self, seat: &Seat, why: Interruption) {
        if seat.slices {
            self.slice.set(None);
        }
        seat.task_interrupted(seat.post.id, self.worker, self.core().id, why);
    }
}

#[cfg(test)]
mod tests {
    use std::mem::ManuallyDrop;

    use copool_spec::{DriveEnd, Interruption};

    use crate::here::{Here, here};
    use crate::task::{Wait, unpark};
    use crate::{CoroutinePool, VirtualClock, park, suspend};

    /// Parks, and ends that wait itself before it has suspended.
    fn parks_and_unparks_itself() {
        here(|here| {
            let Here::Task(seat, frame) = here else { panic!("not in a task") };
            let registers = |_| {
                unpark(&frame.task);
                true
            };
            frame.wait(seat, (Wait::Park, Interruption::Park), None, registers);
        });
    }

    /// Parks so many frames of a kibibyte below its caller.
    #[cfg(target_arch = "x86_64")]
    #[inline(never)]
    fn parks_below(frames: u32) {
        let room = [frames; 256];
        if frames == 0 {
            park()
        } else {
            parks_below(frames - 1)
        }
        std::hint::black_box(&room);
    }

    #[cfg(target_arch = "x86_64")]
    #[test]
    fn the_seat_knows_how_deep_in_its_stack_a_task_waits() {
        let mut pool = CoroutinePool::builder().build().unwrap();
        let tasks = [0, 8].map(|frames| pool.spawn(move || parks_below(frames)).unwrap().task_ref());
        pool.try_schedule_task().unwrap();
        let depths: Vec<_> = pool.seat().suspended.borrow().iter().map(|(_, worker)| worker.depth as usize).collect();
        let [shallow, deep] = depths[..] else { panic!("two tasks wait, and not {}", depths.len()) };
        assert!((1_024..8_192).contains(&shallow), "{shallow}");
        assert!((8 * 1_024..65_536).contains(&(deep - shallow)), "{shallow}, {deep}");
        for task in tasks {
            task.unpark();
        }
        pool.drain(None).unwrap();
    }

    #[test]
    fn a_task_that_ends_its_wait_before_it_has_suspended_is_not_taken_for_the_one_in_its_old_place() {
        let pool = CoroutinePool::builder().clock(VirtualClock::new()).build().unwrap();
        // If this fails, a drop would wait for ever for the lost note.
        let mut pool = ManuallyDrop::new(pool);
        let parks_twice = || {
            park();
            suspend();
            parks_and_unparks_itself();
        };
        let task = pool.spawn(parks_twice).unwrap().task_ref();
        pool.try_schedule_task().unwrap();
        // It parks while the first one is ready again, and gets the place where that was kept.
        let other = pool.spawn(park).unwrap().task_ref();
        task.unpark();
        assert_eq!(pool.wait(&task), Ok(DriveEnd::AllDone));
        assert!(!other.is_finished(), "it waits, and nobody has woken it");
        other.unpark();
        assert_eq!(pool.drain(None), Ok(DriveEnd::AllDone));
        drop(ManuallyDrop::into_inner(pool));
    }
}
