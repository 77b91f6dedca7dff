//! The schedule thread's side: a drive of a seat, from arrow 1 to arrow 27.
//!
//! One loop serves all drives; they differ only in their [`Goal`]. A round of it looks at what can make a task ready,
//! sees whether the goal is reached or the time over, and resumes the first ready worker. With no worker ready and tasks
//! queued it takes an idle worker or has the creator make one. With nothing to run it ends, or blocks until something
//! comes ([`Post`](crate::pool::Post) has the protocol).
//!
//! Invariants: a drive leaves no poller behind (the ready workers of a seat that is not driven all have a task), and if
//! it ends while tasks wait, it wakes another sleeper for them.

mod search;
mod seat;
mod stacks;
mod timers;

use std::time::Instant;

use copool_spec::{DriveEnd, Goal as Told, Tell};

pub(crate) use seat::{Between, Seat};

use crate::creator::{Making, Obtained};
use crate::error::DriveError;
use crate::here::{self, Driving};
use crate::sync::{Arc, panicking, thread};
use crate::task::{Task, Waiter};
use crate::worker::Worker;

/// What a drive is for.
#[derive(Clone, Copy)]
pub(crate) enum Goal<'a> {
    /// What can run now.
    Ready,
    /// Every accepted task has its outcome.
    Drained,
    /// This task has its outcome.
    Ended(&'a Task),
    /// The pool is stopped. `patient`: blocks on a virtual clock too, as background threads do.
    Stopped {
        /// Whether it blocks on a virtual clock.
        patient: bool,
    },
}

impl Goal<'_> {
    /// The same in the spec's words.
    fn told(self) -> Told {
        match self {
            Goal::Ready => Told::Ready,
            Goal::Drained => Told::Drained,
            Goal::Ended(task) => Told::Ended(task.core().id),
            Goal::Stopped { .. } => Told::Stopped,
        }
    }

    /// Whether a drive for this ends, after however long a sleep, when the pool is stalled.
    fn ends_by_stall(self) -> bool {
        matches!(self, Goal::Drained | Goal::Ended(_))
    }
}

/// Every so many turns a seat with ready workers looks for work everywhere, not only at home.
const LOOK_FAR_EVERY: u32 = if cfg!(any(feature = "loom", feature = "shuttle")) { 4 } else { 64 };

impl Seat {
    /// Drives the seat until the goal is reached, nothing more can be done, or `deadline`.
    pub(crate) fn drive(&self, goal: Goal<'_>, deadline: Option<Instant>) -> Result<DriveEnd<Instant>, DriveError> {
        if self.driving.get() || !here::may_block() {
            return Err(DriveError::Nested);
        }
        if panicking() {
            return Err(DriveError::Unwinding);
        }
        let place = self.post.id;
        let end = {
            let _driving = Driving::enter(self);
            self.schedule_called(place, goal.told());
            self.drive_open(goal, deadline)
        };
        match end {
            Ok(end) => self.schedule_ended(place, self.in_ticks(end)),
            Err(DriveError::Stopped) => self.schedule_refused(place),
            Err(_) => {}
        }
        self.thread_resumed(place);
        if let Some(orphan) = self.orphan.take() {
            orphan.finish(self);
        }
        end
    }

    fn drive_open(&self, goal: Goal<'_>, deadline: Option<Instant>) -> Result<DriveEnd<Instant>, DriveError> {
        let shared = self.shared();
        if self.leaving.get() || (shared.signals.read().is_stopped() && self.workers() == 0) {
            self.bury();
            return Err(DriveError::Stopped);
        }
        crate::stack::overflow::prepare_thread();
        self.set_deadline(deadline);
        self.drives.set(self.drives.get() + 1);
        let end = self.rounds(goal);
        self.retire_pollers();
        if end == Ok(DriveEnd::Deadline) {
            self.dismiss_idle();
        }
        self.requeue_held();
        self.give_up_stacks();
        self.leave_tidy();
        self.set_deadline(None);
        self.stop_searching();
        shared.pass_on();
        end
    }

    fn in_ticks(&self, end: DriveEnd<Instant>) -> DriveEnd {
        match end {
            DriveEnd::AllDone => DriveEnd::AllDone,
            DriveEnd::Waiting { until } => DriveEnd::Waiting { until: until.map(|at| self.shared().tick(at)) },
            DriveEnd::Deadline => DriveEnd::Deadline,
            DriveEnd::Stopped => DriveEnd::Stopped,
            DriveEnd::Stalled => DriveEnd::Stalled,
        }
    }

    fn rounds(&self, goal: Goal<'_>) -> Result<DriveEnd<Instant>, DriveError> {
        self.look();
        let idle = self.ready.borrow().is_empty() && !self.work_waits();
        // Only if the drive comes back at once.
        if idle && (matches!(goal, Goal::Ready) || self.is_reached(goal).is_some()) {
            self.nothing_to_do(self.post.id);
        } else {
            self.create_minimum();
        }
        let asks_each_turn = matches!(goal, Goal::Ended(_));
        loop {
            if !asks_each_turn && let Some(worker) = self.next_at_once() {
                self.turn(worker);
                continue;
            }
            self.look();
            if let Some(end) = self.is_reached(goal) {
                return Ok(end);
            }
            if self.is_time_over() {
                return Ok(DriveEnd::Deadline);
            }
            let worker = self.ready.borrow_mut().pop_front();
            if let Some(worker) = worker {
                if !worker.is_poller() {
                    // It has a task of its own, which may take long.
                    self.found();
                }
                self.turn(worker);
                continue;
            }
            if self.obtain() == Obtained::Got {
                continue;
            }
            if self.is_starved() && !matches!(goal, Goal::Stopped { patient: true }) {
                return Err(DriveError::StackExhausted);
            }
            if let Some(end) = self.rest(goal) {
                return Ok(end);
            }
        }
    }

    /// Whether there is no stack, and no worker here whose end could give one back.
    fn is_starved(&self) -> bool {
        let holds = || self.post.held.lock().iter().any(|held| held.task.core().word.is_queued());
        let wants = self.exhausted.get() || holds();
        wants && (self.suspended.borrow().is_empty() || self.shared().all_join())
    }

    /// Whether tasks wait that a worker of this seat could poll.
    pub(crate) fn work_waits(&self) -> bool {
        (self.queue.is_near(self.shared()) || self.shared().any_work()) && self.shared().size() > 0
    }

    fn is_reached(&self, goal: Goal<'_>) -> Option<DriveEnd<Instant>> {
        let shared = self.shared();
        let signals = shared.signals.read();
        if signals.is_abandoning() {
            self.bury();
            // What was abandoned and can still unwind does so first.
            if self.workers() == 0 && (signals.is_stopped() || shared.outstanding() == 0 || signals.is_dropped()) {
                return Some(DriveEnd::Stopped);
            }
        }
        match goal {
            Goal::Ready => None,
            Goal::Ended(task) => task.core().word.outcome().map(|_| DriveEnd::AllDone),
            // The sum over seats is worth taking only when this seat itself has nothing more to run.
            Goal::Drained => (self.ready.borrow().is_empty() && shared.outstanding() == 0).then_some(DriveEnd::AllDone),
            Goal::Stopped { .. } => {
                (signals.is_closed() && self.workers() == 0 && shared.outstanding() == 0).then_some(DriveEnd::Stopped)
            }
        }
    }

    /// One turn of a worker: arrow 5, and what its coroutine asks for when it comes back.
    #[inline(always)]
    pub(crate) fn turn(&self, worker: Box<Worker>) {
        debug_assert!(worker.is_poller() || !self.searching.get(), "who resumes a task does not search");
        if worker.is_poller() {
            self.pollers.set(self.pollers.get() - 1);
        }
        let mut turn = Some(worker);
        while let Some(worker) = turn {
            turn = self.resume(worker);
        }
        let turns = self.turns.get().wrapping_add(1);
        self.turns.set(turns);
        if turns.is_multiple_of(LOOK_FAR_EVERY) {
            self.look_far();
        }
    }

    /// Tasks on the deques of seats that nobody drives wait for the others, tasks in hand for stacks that others give back, and
    /// others for those that this seat keeps.
    #[cold]
    fn look_far(&self) {
        self.requeue_on_news();
        if self.shared().has_refused() {
            // No worker of this seat may ever end, and with it no drive.
            self.give_up_stacks();
        }
        if self.wants_poller() && self.work_waits() {
            // Those that this turn has woken were ready before the new one.
            self.revive_all();
            self.make(Making::Created);
        }
    }

    /// Nothing can run now: lets idle workers go, and ends the drive or blocks.
    fn rest(&self, goal: Goal<'_>) -> Option<DriveEnd<Instant>> {
        let shared = self.shared();
        let expiry = self.expire_idle();
        let timer = self.next_timer();
        let stalled = shared.is_stalled();
        if stalled && matches!(goal, Goal::Stopped { .. }) {
            // This seat stays; a drive that sleeps elsewhere has to say so.
            shared.tell_stall();
        }
        match goal {
            Goal::Ready => {
                match self.kept(expiry) {
                    Some(_) if !shared.clock.is_virtual() => self.block(goal),
                    Some(until) if shared.clock.is_auto() => return self.jump(Some(until)),
                    _ if stalled => return Some(DriveEnd::Stalled),
                    _ if self.workers() > 0 || shared.size() > 0 => return Some(DriveEnd::Waiting { until: timer }),
                    _ => return Some(DriveEnd::AllDone),
                }
                None
            }
            Goal::Drained | Goal::Ended(_) if stalled => Some(DriveEnd::Stalled),
            Goal::Stopped { patient: true } => {
                // A background thread stays, whatever its clock.
                let jumped = shared.clock.is_auto() && self.jump(earliest(timer, expiry)).is_none();
                if !jumped {
                    self.block(goal);
                }
                None
            }
            _ if shared.clock.is_auto() => self.jump(timer),
            _ if shared.clock.is_virtual() => Some(DriveEnd::Waiting { until: timer }),
            _ => {
                self.block(goal);
                None
            }
        }
    }

    /// On a clock that jumps by itself: to the next timer or the deadline, or out of the drive if it never gets there.
    fn jump(&self, to: Option<Instant>) -> Option<DriveEnd<Instant>> {
        let clock = &self.shared().clock;
        let at = earliest(to, self.deadline());
        if let Some(at) = at {
            clock.jump_to(at);
        }
        if at.is_some_and(|at| at <= clock.now()) { None } else { Some(DriveEnd::Waiting { until: to }) }
    }

    /// The end of a keep-alive, if it may be that of a worker which this very drive has idled.
    fn kept(&self, expiry: Option<Instant>) -> Option<Instant> {
        expiry.filter(|_| self.shared().has_idle_of((self.post.id.0, self.drives.get())))
    }

    /// Blocks until something comes, or something is due (arrow 19).
    pub(crate) fn block(&self, goal: Goal<'_>) {
        // A search is not held up for it: others may have left their waking to this seat.
        if !self.searching.get() && self.call_ends_soon() {
            return;
        }
        let shared = self.shared();
        let watches = self.watch(goal);
        // Before others can leave their waking to this seat, as it may drop results of the user's. Only this thread arms timers.
        let timer = self.next_timer();
        // What was pushed until now is seen below.
        let searched = self.stop_searching();
        // A sleeping seat keeps no stack from the others.
        self.give_up_stacks();
        self.post.set_asks_for_stall(goal.ends_by_stall());
        self.post.announce();
        // All that others could have changed without waking this seat is looked at again from here on, the times included.
        let expiry = shared.next_expiry();
        let alarm = earliest(expiry, self.mind_stacks());
        let until = earliest(earliest(timer, alarm), self.deadline());
        let due = until.is_some_and(|at| at <= shared.clock.now());
        let news = self.exhausted.get() && shared.stacks_given() != self.given_seen.get();
        let due = due || news || self.has_news_of_stacks();
        // Another seat may have taken the workers for whose keep-alive this drive would block, or those above `min_size`.
        let pointless = matches!(goal, Goal::Ready) && self.kept(expiry).is_none();
        let sleeps = !due && !pointless && !self.has_news() && !self.could_run() && !self.goal_moved(goal);
        if sleeps {
            shared.seat_blocked(self.post.id);
            // A virtual clock wakes the seat when it is advanced.
            self.post.sleep(until.filter(|_| !shared.clock.is_virtual()));
        } else {
            // Something is on its way that this seat cannot take yet; let its bringer go on.
            thread::yield_now();
        }
        let called = self.post.rise();
        self.search_if(called || (searched && !sleeps && shared.signals.begin_search()));
        if watches {
            self.unwatch(goal);
        }
        self.requeue_on_news();
    }

    /// Whether a task waits and a worker could be had for it.
    fn could_run(&self) -> bool {
        let limits = self.shared().limits.load();
        // An idle one has its stack.
        let worker = self.shared().has_idle() || (limits.running < limits.max && !self.exhausted.get());
        worker && self.work_waits()
    }

    fn goal_moved(&self, goal: Goal<'_>) -> bool {
        let signals = self.shared().signals.read();
        match goal {
            Goal::Ended(task) if task.core().word.outcome().is_some() => true,
            Goal::Drained if self.shared().outstanding() == 0 => true,
            _ if goal.ends_by_stall() && self.shared().is_stalled() => true,
            Goal::Stopped { .. } if signals.is_closed() && self.shared().outstanding() == 0 => self.workers() == 0,
            _ => signals.is_dropped() && self.workers() == 0,
        }
    }

    /// Has whoever can reach the goal elsewhere ring this seat.
    fn watch(&self, goal: Goal<'_>) -> bool {
        match goal {
            Goal::Ended(task) => task.core().add_waiter(Waiter::Seat(Arc::clone(&self.post))),
            Goal::Drained => {
                self.shared().signals.add_watcher();
                true
            }
            Goal::Ready | Goal::Stopped { .. } => false,
        }
    }

    fn unwatch(&self, goal: Goal<'_>) {
        match goal {
            Goal::Ended(task) => {
                let is_this = |waiter: &Waiter| matches!(waiter, Waiter::Seat(post) if Arc::ptr_eq(post, &self.post));
                task.core().remove_waiters(is_this);
            }
            Goal::Drained => self.shared().signals.remove_watcher(),
            Goal::Ready | Goal::Stopped { .. } => {}
        }
    }

    /// The drive ends: workers without a task return, and leave or idle (arrows 21 to 25).
    fn retire_pollers(&self) {
        if self.pollers.get() == 0 {
            return;
        }
        self.set_retiring(true);
        let count = self.ready.borrow().len();
        for _ in 0..count {
            let worker = self.ready.borrow_mut().pop_front();
            let Some(worker) = worker else { break };
            if worker.is_poller() {
                self.turn(worker);
            } else {
                self.ready.borrow_mut().push_back(worker);
            }
        }
        self.set_retiring(false);
        debug_assert_eq!(self.pollers.get(), 0, "a drive leaves no poller behind");
    }
}

fn earliest(a: Option<Instant>, b: Option<Instant>) -> Option<Instant> {
    match (a, b) {
        (Some(a), Some(b)) => Some(a.min(b)),
        (a, b) => a.or(b),
    }
}
