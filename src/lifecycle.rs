//! The life of a pool: Running → Stopping → Stopped, and the ways a task is given up.
//!
//! **Closing.** A submission counts itself as accepted, executes the light fence, and reads the signals; `stop` sets
//! `CLOSED`, executes the heavy fence, and reads the counts. So either the submission sees `CLOSED`, takes its count
//! back and is rejected, or `stop` sees the count and waits for the task.
//!
//! **Abandoning.** At its deadline a stop sets `ABANDON`, executes the heavy fence, and ends every unfinished task by its
//! task word: those in queues (the closures are buried later, by a seat), those that are suspended, those that run. A
//! submission that came in between abandons its task itself when it reads the signals after its push; so does a worker
//! after its start ([`Roster`](crate::pool::Roster)).
//!
//! **Stopped** is set once, by whoever first finds a closed pool without unfinished tasks and without workers (S3).

mod leave;
mod signals;

use std::time::{Duration, Instant};

use copool_spec::{Cancel, Interruption, Outcome, PoolState, Tell};

pub(crate) use signals::Signals;

use crate::here::{Here, current, here, own_seat};
use crate::pool::{Count, Parker, Shared};
use crate::schedule::{Goal, Seat};
use crate::sync::{Arc, Ordering, heavy_fence, now, panicking};
use crate::task::{self, Abandon, CancelWord, Core, Finish, Frame, Task, Wait, Waiter, Waiters};

/// What a [`stop`](crate::PoolHandle::stop) did.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct StopReport {
    /// The pool's state when `stop` came back: Stopped, or Stopping while workers are still on their way out.
    pub state: PoolState,
    /// How many tasks this call abandoned at its deadline. A task that a worker was just about to start, or that was just
    /// being submitted, is given up by that thread, perhaps a moment after the call has come back, and not counted here.
    pub abandoned: usize,
    /// How many workers are still on their way out: their tasks unwind when their seats are next driven or dropped.
    pub leaving: usize,
}

/// How a `stop` can wait where it was called.
enum Waits {
    InTask,
    ByDriving,
    ByBlocking,
    Not,
}

impl Shared {
    /// Closes the pool, waits until it is quiet or `grace` is over, and abandons what is left.
    pub(crate) fn stop(self: &Arc<Self>, grace: Duration) -> StopReport {
        self.stop_called(self.id);
        self.close();
        // A cancelled task unwinds from here, before it is marked.
        here(|here| match here {
            Here::Task(seat, frame) if Arc::ptr_eq(&seat.post.shared, self) => {
                frame.point(seat);
            }
            _ => {}
        });
        // A task in `stop` is spared, and nobody waits for it; so is one whose system call calls `stop`.
        let caller = current().filter(|task| Arc::ptr_eq(task.core().shared(), self));
        let in_stop = caller.as_ref().map(|task| InStop::enter(self, task.core()));
        let abandoned = match self.waits() {
            Waits::InTask => {
                let until = self.clock.now().checked_add(grace);
                let quiet = here(|here| match here {
                    Here::Task(seat, frame) => self.wait_in_task(seat, frame, until),
                    _ => false,
                });
                if quiet { 0 } else { self.abandon_rest() }
            }
            Waits::ByDriving => {
                let until = self.clock.now().checked_add(grace);
                // However the drive ends, what is unfinished then is abandoned: a drive that only waits for a virtual
                // clock, or is stalled, cannot get further while this call lasts.
                let _end = own_seat(self, |seat| seat.map(|seat| seat.drive(Goal::Drained, until)));
                self.abandon_rest()
            }
            Waits::ByBlocking => {
                let quiet = self.block_until_quiet(now().checked_add(grace));
                if quiet { 0 } else { self.abandon_rest() }
            }
            Waits::Not => self.abandon_rest(),
        };
        drop(in_stop);
        self.settle();
        StopReport { state: self.state(), abandoned, leaving: self.limits.load().running as usize }
    }

    /// How a stop can wait where it is called.
    fn waits(self: &Arc<Self>) -> Waits {
        here(|here| match here {
            Here::Task(seat, frame) if Arc::ptr_eq(&seat.post.shared, self) && !frame.is_unwinding(seat) => {
                Waits::InTask
            }
            Here::Quiet => Waits::Not,
            _ => own_seat(self, |seat| match seat {
                Some(seat) if !seat.driving.get() && !panicking() => Waits::ByDriving,
                // The seat is driven further down this stack: blocking would keep it from finishing anything.
                Some(_) => Waits::Not,
                None => Waits::ByBlocking,
            }),
        })
    }

    /// Running → Stopping.
    fn close(&self) {
        if self.signals.close() {
            self.pool_stopping(self.id);
        }
        heavy_fence();
        self.wake_all();
    }

    /// Whether it became quiet before `until`. A task that comes back from its own `stop` ends the quiet again, but is
    /// nobody's to abandon after that.
    fn block_until_quiet(&self, until: Option<Instant>) -> bool {
        let parker = Arc::new(Parker::new());
        loop {
            self.watch(Waiter::Thread(Arc::clone(&parker)));
            let quiet = self.is_quiet();
            let goes_on = !quiet && parker.park(until);
            self.unwatch(|waiter| matches!(waiter, Waiter::Thread(other) if Arc::ptr_eq(other, &parker)));
            if !goes_on {
                return quiet;
            }
        }
    }

    /// The same for a task.
    fn wait_in_task(&self, seat: &Seat, frame: &Frame, until: Option<Instant>) -> bool {
        frame.point(seat);
        // What counts towards `Stalled`: without a deadline nothing but tasks of this pool can end the wait.
        let wait = if until.is_none() { Wait::Join } else { Wait::Other };
        while !self.is_quiet() {
            if until.is_some_and(|until| until <= self.clock.now()) {
                return false;
            }
            // Not before: a wait that does not come about, as the task was cancelled on its way into it, watches nothing.
            let mut watched = None;
            frame.wait(seat, (wait, Interruption::Stop), until, |generation| {
                self.watch(Waiter::Task(Task::clone(&frame.task), generation));
                watched = Some(Unwatch(self, frame.core().id));
                !self.is_quiet()
            });
            drop(watched);
        }
        true
    }

    /// The deadline has passed: abandons everything but tasks in `stop`. Says how many.
    fn abandon_rest(&self) -> usize {
        if self.is_quiet() {
            return 0;
        }
        self.signals.abandon();
        heavy_fence();
        self.sweep()
    }

    /// The owner is being dropped: nothing is accepted, and nothing spared.
    pub(crate) fn abandon_all(&self) -> usize {
        if !self.signals.read().is_closed() {
            self.stop_called(self.id);
            self.close();
        }
        self.signals.drop_all();
        heavy_fence();
        self.sweep()
    }

    /// Ends every unfinished task. `ABANDON` is set and fenced.
    fn sweep(&self) -> usize {
        let sparing = !self.signals.read().is_dropped();
        let mut abandoned = self.abandon_queues();
        let mut started = Vec::new();
        for post in self.posts() {
            let mut newcomer = None;
            started.extend(post.roster.sweep(|core| newcomer = abandon_newcomer(core, sparing)));
            if let Some((id, waiters)) = newcomer {
                self.say_abandoned(id);
                task::wake_all(waiters);
                abandoned += 1;
            }
        }
        // In the order of their ids, not of the places that they happen to have in the lists.
        started.sort_by_key(|task| task.core().id);
        for task in started {
            if let Abandon::Started { waiters } = task.core().word.abandon(sparing) {
                self.say_abandoned(task.core().id);
                if waiters {
                    task.core().wake_waiters();
                }
                task::interrupt(&task);
                abandoned += 1;
            }
        }
        self.bury_after_drop();
        self.completed();
        self.wake_all();
        abandoned
    }

    /// Drops the closures of tasks that were abandoned in a queue, if there may be no seat left to do it.
    pub(crate) fn bury_after_drop(&self) {
        if self.signals.read().is_dropped() {
            let remains = std::mem::take(&mut *self.remains.lock());
            task::bury(remains);
        }
    }

    /// Abandons all tasks that are queued anywhere.
    pub(crate) fn abandon_queues(&self) -> usize {
        let abandoned = self.drain_queues().into_iter().filter(|task| self.abandon_queued(task)).count();
        self.completed();
        abandoned
    }

    /// Abandons a task that was taken from a queue, and keeps its closure for a burial.
    pub(crate) fn abandon_queued(&self, task: &Task) -> bool {
        let Abandon::Queued { waiters } = task.core().word.abandon(false) else { return false };
        self.remains.lock().push(Task::clone(task));
        self.count_unstarted();
        self.say_abandoned(task.core().id);
        if waiters {
            task.core().wake_waiters();
        }
        true
    }

    /// Abandons a task that runs, for its own seat.
    pub(crate) fn abandon_started(&self, core: &Core) {
        let sparing = !self.signals.read().is_dropped();
        if let Abandon::Started { waiters } = core.word.abandon_started(sparing) {
            // It runs, so it does not wait, and nobody is to be told.
            let waits = core.wait.interrupt();
            debug_assert_eq!(waits, None, "a task that runs does not wait");
            self.say_abandoned(core.id);
            if waiters {
                core.wake_waiters();
            }
            self.completed();
        }
    }

    fn count_unstarted(&self) {
        // In this order, so that no reading takes it for one that was started.
        self.outside.add_shared(Count::Unstarted);
        self.outside.add_shared(Count::Dequeued);
    }

    fn say_abandoned(&self, id: copool_spec::TaskId) {
        self.outside.add_shared(Count::Ended);
        self.task_abandoned(id);
        self.outcome_published(id, Outcome::Abandoned);
    }

    /// Cancels a task of this pool.
    pub(crate) fn cancel(&self, task: &Task) -> Cancel {
        let core = task.core();
        let answer = core.word.cancel();
        let said = match answer {
            CancelWord::Claimed | CancelWord::NeverRuns => Cancel::NeverRuns,
            CancelWord::Requested => Cancel::Requested,
            CancelWord::AlreadyEnded => Cancel::AlreadyEnded,
        };
        if answer == CancelWord::Claimed {
            self.count_unstarted();
        }
        self.cancel_requested(core.id, said);
        match answer {
            CancelWord::Requested => task::interrupt(task),
            CancelWord::Claimed => {
                // SAFETY: this call has claimed the task.
                unsafe { task.drop_body() };
                let published = core.word.publish(Outcome::Cancelled);
                self.outside.add_shared(Count::Ended);
                self.outcome_published(core.id, Outcome::Cancelled);
                if published == (Finish::Published { waiters: true }) {
                    core.wake_waiters();
                }
                self.completed();
            }
            CancelWord::NeverRuns | CancelWord::AlreadyEnded => {}
        }
        said
    }
}

/// Marks a task as being in `stop`, however that ends. It holds nothing inside of another `stop` of the same task, which
/// a destructor or a waker of the user's may call while that one gives tasks up.
struct InStop<'a>(Option<(&'a Shared, &'a Core)>);

impl<'a> InStop<'a> {
    fn enter(shared: &'a Shared, core: &'a Core) -> Self {
        if core.word.spare(true) {
            return Self(None);
        }
        // Ordering: AcqRel; whoever finds the pool not quiet before this is woken by the next line.
        shared.in_stop.fetch_add(1, Ordering::AcqRel);
        // This task does not count any more: another stop may be at its end by that.
        shared.completed();
        Self(Some((shared, core)))
    }
}

impl Drop for InStop<'_> {
    fn drop(&mut self) {
        let Some((shared, core)) = self.0 else { return };
        core.word.spare(false);
        // Ordering: AcqRel, see `enter`.
        shared.in_stop.fetch_sub(1, Ordering::AcqRel);
    }
}

/// Takes a task off the list of those who wait for quiet, however its wait ends.
struct Unwatch<'a>(&'a Shared, copool_spec::TaskId);

impl Drop for Unwatch<'_> {
    fn drop(&mut self) {
        self.0.unwatch(|waiter| matches!(waiter, Waiter::Task(task, _) if task.core().id == self.1));
    }
}

/// Abandons the task that runs on another seat. Under the roster's lock, so whoever waits for it is told later.
fn abandon_newcomer(core: &Core, sparing: bool) -> Option<(copool_spec::TaskId, Waiters)> {
    let Abandon::Started { .. } = core.word.abandon_started(sparing) else { return None };
    let waits = core.wait.interrupt();
    debug_assert_eq!(waits, None, "a task that has never suspended does not wait");
    Some((core.id, core.take_waiters()))
}
