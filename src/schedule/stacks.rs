//! What a seat keeps for the workers of one drive, so that each new one costs no lock and no allocation: stacks, and the
//! memory of workers that have ended.
//!
//! Nobody else can reach the stacks, so they go back when the seat sleeps and when its drive ends; in a pool in which anybody was
//! ever refused one also as soon as a worker ends, and every so many turns. In the pool they rest, and what has rested for long is
//! emptied.

use std::mem::MaybeUninit;
use std::time::Instant;

use super::Seat;
use crate::clock::Clock;
use crate::pool::{Post, Shared};
use crate::stack::{LEAST_REST, Look, Stack};
use crate::sync::{Ordering, light_fence};
use crate::worker::Worker;

/// How many stacks a seat keeps for itself.
const STACKS_KEPT: usize = 256;

/// How many turns of its workers a seat lets pass between two looks at the stacks that rest, while it is busy.
const TIDY_EVERY: u32 = 64;

/// For how many workers a seat keeps the memory. Under a checker and in fuzzing for none: there a use after the end shall be
/// seen.
const PLACES_KEPT: usize = 4096;

impl Seat {
    /// Memory for a worker.
    #[inline]
    pub(crate) fn place(&self) -> Box<MaybeUninit<Worker>> {
        self.places.borrow_mut().pop().unwrap_or_else(Box::new_uninit)
    }

    /// Moves a worker out of its memory, which the next one gets.
    pub(crate) fn move_out(&self, worker: Box<Worker>) -> Worker {
        let place = Box::into_raw(worker).cast::<MaybeUninit<Worker>>();
        // SAFETY: it comes from a box of the same layout, whose worker is moved out before the box is one of nothing.
        let (worker, place) = unsafe { (place.read().assume_init(), Box::from_raw(place)) };
        let mut places = self.places.borrow_mut();
        if !cfg!(any(feature = "loom", feature = "shuttle", fuzzing)) && places.len() < PLACES_KEPT {
            places.push(place);
        }
        worker
    }

    pub(crate) fn take_stack(&self, size: usize) -> Option<Stack> {
        if size == self.shared().fixed.stack_size
            && let Some(stack) = self.stacks.borrow_mut().pop()
        {
            return Some(stack);
        }
        let shared = self.shared();
        shared.stacks.take(size, || shared.stacks_returned(usize::MAX)).ok()
    }

    pub(crate) fn give_stack(&self, stack: Stack) {
        let kept = self.stacks.borrow().len() < STACKS_KEPT && stack.size() == self.shared().fixed.stack_size;
        if kept {
            self.stacks.borrow_mut().push(stack);
        } else {
            self.shared().return_stack(stack);
        }
        if self.shared().has_refused() {
            self.give_up_stacks();
        }
    }

    /// Gives the kept stacks back: they are kept for the time of one drive, since nobody else can reach them.
    pub(crate) fn give_up_stacks(&self) {
        let kept = self.stacks.take();
        if kept.is_empty() {
            return;
        }
        self.shared().stacks.give_all(kept);
        self.shared().stacks_returned(self.shared().fixed.stack_size);
    }

    /// Before a sleep, as [`tidy_stacks`](Shared::tidy_stacks): when to look again.
    pub(super) fn mind_stacks(&self) -> Option<Instant> {
        let next = self.shared().tidy_stacks(|clock| clock.now()).next;
        self.minds.set(next.is_some());
        next
    }

    /// At the end of a drive, as [`tidy_stacks`](Shared::tidy_stacks). This seat may never be driven again, so a sleeper
    /// has to know when to look next, and so of what this seat would have seen to had it not been woken.
    pub(crate) fn leave_tidy(&self) {
        let look = self.shared().tidy_stacks(|clock| clock.now());
        let is_new = self.minds.take() || look.is_new;
        self.tell_of(Look { is_new, ..look });
    }

    /// In the middle of a drive, when the clock was read for another reason, as [`tidy_stacks`](Shared::tidy_stacks): a
    /// seat that is always busy would come to it nowhere else.
    pub(super) fn tidy_between(&self, now: Instant) {
        if self.turns.get().is_multiple_of(TIDY_EVERY) {
            self.tell_of(self.shared().tidy_stacks(|_| now));
        }
    }

    /// What this look came upon, a sleeper may have to know: the seat is not about to sleep, so it sets no alarm.
    fn tell_of(&self, look: Look) {
        let shared = self.shared();
        if look.is_new && look.next.is_some() {
            light_fence();
            if shared.signals.read().has_sleepers() {
                shared.wake_any(Post::wake);
            }
        }
    }
}

impl Shared {
    /// Whether anybody was ever refused a stack.
    pub(crate) fn has_refused(&self) -> bool {
        // Ordering: Relaxed; whoever was refused looks again before it sleeps, and is woken by what is given later.
        self.stacks_refused.load(Ordering::Relaxed) > 0
    }

    /// Gives a stack back for all.
    pub(crate) fn return_stack(&self, stack: Stack) {
        let size = stack.size();
        self.stacks.give(stack);
        self.stacks_returned(size);
    }

    /// Gives memory of stacks back to the system that have lain idle for the keep-alive.
    pub(crate) fn tidy_stacks(&self, now: impl FnOnce(&Clock) -> Instant) -> Look {
        let look = self.stacks.tidy(|| (self.keep_alive().max(LEAST_REST), now(&self.clock)));
        if look.emptied {
            // They could not be had meanwhile.
            self.stacks_returned(usize::MAX);
        }
        look
    }
}

#[cfg(test)]
mod tests {
    use std::ptr;
    use std::time::Duration;

    use copool_spec::{WorkerId, WorkerState};
    use corosensei::CoroutineResult;

    use super::{PLACES_KEPT, Post, Seat};
    use crate::sync::{Arc, AtomicUsize, Ordering};
    use crate::worker::{Exit, Worker};
    use crate::{CoroutinePool, DriveEnd, TaskRef, VirtualClock, park, suspend};

    /// A worker on a stack of its own.
    fn worker(seat: &Seat, id: u64) -> Box<Worker> {
        let stack = seat.take_stack(seat.shared().fixed.stack_size).expect("there is no limit");
        Worker::new(seat, WorkerId(id), stack, None)
    }

    fn places(pool: &CoroutinePool) -> usize {
        pool.seat().places.borrow().len()
    }

    #[test]
    fn a_worker_in_a_kept_place_has_nothing_of_the_one_before() {
        let pool = CoroutinePool::default();
        let seat = pool.seat();
        let mut old = worker(seat, 1);
        let place = ptr::from_ref(&*old);
        assert!(matches!(old.coroutine.resume(()), CoroutineResult::Return(Exit::PollFailed)));
        // As a task leaves it that is given up in the middle of a system call.
        (old.frame, old.state) = (ptr::dangling(), WorkerState::Syscall);
        let old = seat.move_out(old);
        assert_eq!((old.id, places(&pool)), (WorkerId(1), 1));
        let mut new = worker(seat, 2);
        assert_eq!((ptr::from_ref(&*new), places(&pool)), (place, 0), "it is the same memory");
        assert_eq!((new.id, new.state, new.is_poller()), (WorkerId(2), WorkerState::Ready, true));
        assert!(!new.coroutine.started() && old.coroutine.done());
        assert!(matches!(new.coroutine.resume(()), CoroutineResult::Return(Exit::PollFailed)));
        for worker in [old, seat.move_out(new)] {
            seat.give_stack(worker.coroutine.into_stack());
        }
        seat.give_up_stacks();
        assert_eq!((pool.counters().stacks, places(&pool)), (0, 1));
    }

    /// Counts how often it is dropped.
    struct Counts(Arc<AtomicUsize>);

    impl Drop for Counts {
        fn drop(&mut self) {
            // Ordering: Relaxed; one thread counts.
            self.0.fetch_add(1, Ordering::Relaxed);
        }
    }

    #[test]
    fn whoever_slept_with_an_alarm_for_resting_stacks_leaves_it_to_a_sleeper_when_its_drive_ends() {
        let mut pool = CoroutinePool::builder().clock(VirtualClock::new()).keep_alive(Duration::ZERO).build().unwrap();
        let tasks: Vec<TaskRef> = (0..100).map(|_| pool.spawn(park).unwrap().task_ref()).collect();
        pool.try_schedule_task().unwrap();
        tasks.iter().for_each(TaskRef::unpark);
        pool.drain(None).unwrap();
        let shared = Arc::clone(&pool.seat().post.shared);
        let sleeper = Arc::new(Post::new(shared.next_seat_id(), Arc::clone(&shared), pool.seat().queue.stealer()));
        shared.register(&sleeper);
        sleeper.announce();
        pool.drain(None).unwrap();
        assert!(shared.signals.read().has_sleepers(), "what was known before is somebody else's");
        assert!(pool.seat().mind_stacks().is_some());
        pool.drain(None).unwrap();
        assert!(!shared.signals.read().has_sleepers());
        sleeper.announce();
        pool.drain(None).unwrap();
        assert!(shared.signals.read().has_sleepers(), "it is told once");
        let _called = sleeper.rise();
        shared.unregister(&sleeper);
    }

    #[test]
    fn what_workers_in_kept_places_ran_is_dropped_once_and_a_bounded_number_of_places_is_kept() {
        const TASKS: u32 = PLACES_KEPT as u32 + 100;
        let (mut pool, dropped) = (CoroutinePool::default(), Arc::new(AtomicUsize::new(0)));
        for round in 1..=2 {
            let parks = |_| {
                let counts = Counts(Arc::clone(&dropped));
                let parks = move || {
                    park();
                    suspend();
                    drop(counts);
                };
                pool.spawn(parks).unwrap().task_ref()
            };
            let tasks: Vec<TaskRef> = (0..TASKS).map(parks).collect();
            pool.try_schedule_task().unwrap();
            assert_eq!((pool.get_running_size(), places(&pool)), (TASKS, 0), "a worker for each");
            tasks.iter().for_each(TaskRef::unpark);
            assert_eq!(pool.drain(None), Ok(DriveEnd::AllDone));
            // Ordering: Relaxed; one thread counts.
            assert_eq!(dropped.load(Ordering::Relaxed), round * TASKS as usize);
            assert_eq!((pool.get_running_size(), pool.counters().stacks), (0, 0));
            assert_eq!(places(&pool), PLACES_KEPT);
        }
    }
}
