//! The schedule thread's side: a drive of a seat, from arrow 1 to arrow 27, one step at a time; and a seat's leaving,
//! which is a drive of its own kind.

use std::collections::{BTreeMap, VecDeque};

use copool_spec::script::Refusal;
use copool_spec::{DriveEnd, Event, Goal, SeatId, TaskId};

use crate::clock::{Passing, earliest, ticks};
use crate::shared::Core;
use crate::worker::Worker;

/// The place of one schedule thread.
#[derive(Debug, Default)]
pub(crate) struct Seat {
    pub(crate) drive: Option<Drive>,
    /// The worker that has the processor.
    pub(crate) on: Option<Worker>,
    pub(crate) ready: VecDeque<Worker>,
    /// The workers whose tasks wait.
    pub(crate) suspended: BTreeMap<TaskId, Worker>,
    /// Of those, the tasks whose wait is over, in the order in which it ended.
    pub(crate) woken: VecDeque<TaskId>,
    /// Of those, the tasks whose system call is yet to be run.
    pub(crate) calls: VecDeque<TaskId>,
    pub(crate) deque: VecDeque<TaskId>,
    /// How often its workers polled, how many turns they had, and how often it was driven.
    pub(crate) polls: u64,
    pub(crate) turns: u64,
    pub(crate) drives: u64,
    /// Which of the others was robbed last.
    pub(crate) victim: usize,
    /// The drive ends, or the seat leaves: workers without a task return.
    pub(crate) retiring: bool,
    pub(crate) leaving: bool,
    /// How many stacks it keeps, and whether it was refused one.
    pub(crate) stacks: u32,
    pub(crate) exhausted: bool,
    /// The ids of the tasks that are submitted here: which block of them, and the next in it.
    pub(crate) ids: Option<(u64, u64)>,
}

/// What a drive comes back with.
pub(crate) type End = Result<DriveEnd, Refusal>;

/// A drive in progress.
#[derive(Debug)]
pub(crate) struct Drive {
    goal: Goal,
    deadline: Option<u64>,
    phase: Phase,
}

/// Where a drive stands.
#[derive(Clone, Copy, Debug)]
enum Phase {
    /// Arrow 1 is next.
    Begins,
    /// The seat begins to leave.
    Leaves,
    /// Its workers run, one turn after the other.
    Rounds,
    /// It blocks.
    Sleeps,
    /// The workers that are ready unwind, so many of them before the next look.
    Unwinds(usize),
    /// It ends like this.
    Ends(End),
}

/// What a step of a drive says.
enum Flow {
    Goes(Phase),
    Over(End),
    Blocks,
}

use Flow::{Blocks, Goes, Over};

impl Core {
    /// Begins a drive, for [`step`](Core::step) to go on with.
    pub(crate) fn begin_drive(&mut self, seat: SeatId, goal: Goal, deadline: Option<u64>) {
        self.seat(seat).drive = Some(Drive { goal, deadline, phase: Phase::Begins });
    }

    /// Begins to leave, which goes on like a drive until the pool has nothing of this seat's any more.
    pub(crate) fn begin_leaving(&mut self, seat: SeatId) {
        self.seat(seat).drive = Some(Drive { goal: Goal::Stopped, deadline: None, phase: Phase::Leaves });
    }

    /// Does the next step of a drive: `Some` unless it blocks, and then what it comes back with, if it is over.
    pub(crate) fn step(&mut self, seat: SeatId) -> Option<Option<End>> {
        if let Some(worker) = self.seat(seat).on.take() {
            self.step_worker(seat, worker);
            return Some(None);
        }
        let Some(&Drive { goal, phase, .. }) = self.seat(seat).drive.as_ref() else { return Some(None) };
        let flow = match phase {
            Phase::Leaves => self.seat_leaving(seat),
            Phase::Begins => self.begin(seat, goal),
            Phase::Rounds | Phase::Sleeps => self.round(seat, goal),
            Phase::Unwinds(ready) => self.unwind(seat, ready),
            Phase::Ends(end) => self.end(seat, end),
        };
        match flow {
            Goes(next) => {
                if let Some(drive) = &mut self.seat(seat).drive {
                    drive.phase = next;
                }
                Some(None)
            }
            Over(end) => {
                if let Some(seat) = self.seats.get_mut(&seat) {
                    seat.drive = None;
                }
                Some(Some(end))
            }
            Blocks if matches!(phase, Phase::Sleeps) => None,
            Blocks => {
                self.tell(Event::SeatBlocked { seat });
                if let Some(drive) = &mut self.seat(seat).drive {
                    drive.phase = Phase::Sleeps;
                }
                None
            }
        }
    }

    /// Arrows 1, 2 and 3.
    fn begin(&mut self, seat: SeatId, goal: Goal) -> Flow {
        self.tell(Event::ScheduleCalled { seat, until: goal });
        if self.stopped && self.workers(seat) == 0 {
            self.tell(Event::ScheduleRefused { seat });
            self.tell(Event::ThreadResumed { seat });
            return Over(Err(Refusal::Stopped));
        }
        self.seat(seat).drives += 1;
        self.look(seat);
        let idle = self.seat(seat).ready.is_empty() && self.size() == 0;
        // Only if the drive comes back at once.
        if idle && (goal == Goal::Ready || self.reached(seat, goal).is_some()) {
            self.tell(Event::NothingToDo { seat });
        } else {
            self.create_minimum(seat);
        }
        Goes(Phase::Rounds)
    }

    /// Looks around, and gives the first ready worker a turn, or else sees what else there is to do.
    fn round(&mut self, seat: SeatId, goal: Goal) -> Flow {
        self.look(seat);
        if let Some(end) = self.reached(seat, goal) {
            return Goes(Phase::Ends(Ok(end)));
        }
        if self.is_time_over(seat) {
            return Goes(Phase::Ends(Ok(DriveEnd::Deadline)));
        }
        if let Some(worker) = self.seat(seat).ready.pop_front() {
            self.resume(seat, worker);
            return Goes(Phase::Rounds);
        }
        if self.obtain(seat) {
            return Goes(Phase::Rounds);
        }
        if self.seat(seat).exhausted && (self.seat(seat).suspended.is_empty() || self.all_join()) {
            return Goes(Phase::Ends(Err(Refusal::StackExhausted)));
        }
        self.rest(seat, goal)
    }

    /// Nothing can run now: ends the drive, or waits.
    fn rest(&mut self, seat: SeatId, goal: Goal) -> Flow {
        if self.expire_idle(seat) {
            return Goes(Phase::Rounds);
        }
        let timer = self.next_timer(seat);
        let waiting = DriveEnd::Waiting { until: ticks(timer) };
        let ends = |end| Goes(Phase::Ends(Ok(end)));
        let stalled = self.running >= self.max && self.all_join() && self.size() > 0;
        // Only the workers that this very call idled are waited for.
        let by = (seat, self.seat(seat).drives);
        let expiry = self.next_expiry().filter(|_| goal != Goal::Ready || self.idle.iter().any(|idle| idle.by == by));
        match (goal, self.clock.passing) {
            (Goal::Ready, Passing::Jumps | Passing::Passes) if expiry.is_some() => self.wait_until(seat, expiry),
            (Goal::Ready | Goal::Drained | Goal::Ended(_), _) if stalled => ends(DriveEnd::Stalled),
            (Goal::Ready, _) if self.workers(seat) > 0 || self.size() > 0 => ends(waiting),
            (Goal::Ready, _) => ends(DriveEnd::AllDone),
            (_, Passing::Stands) => ends(waiting),
            (_, Passing::Jumps) => self.wait_until(seat, timer),
            (_, Passing::Passes) => self.wait_until(seat, earliest(timer, expiry)),
        }
    }

    /// Waits until then, or until the deadline, on a clock that does not stand.
    fn wait_until(&mut self, seat: SeatId, until: Option<u64>) -> Flow {
        let deadline = self.seat(seat).drive.as_ref().and_then(|drive| drive.deadline);
        let at = earliest(until, deadline);
        let passes = self.clock.passing == Passing::Passes;
        if at.is_some_and(|at| self.clock.jump(at)) {
            if passes {
                self.tell(Event::SeatBlocked { seat });
            }
            Goes(Phase::Rounds)
        } else if passes {
            Blocks
        } else {
            Goes(Phase::Ends(Ok(DriveEnd::Waiting { until: ticks(until) })))
        }
    }

    /// The drive ends: workers without a task return, and leave or idle (arrows 21 to 25); then arrows 26 and 27.
    fn end(&mut self, seat: SeatId, end: End) -> Flow {
        if self.seat(seat).leaving {
            self.hand_back(seat);
            return Over(end);
        }
        let it = self.seat(seat);
        it.retiring = true;
        if let Some(at) = it.ready.iter().position(Worker::is_poller)
            && let Some(worker) = it.ready.remove(at)
        {
            self.resume(seat, worker);
            return Goes(Phase::Ends(end));
        }
        it.retiring = false;
        if end == Ok(DriveEnd::Deadline) {
            self.dismiss_idle(seat);
        }
        self.seat(seat).stacks = 0;
        self.settle();
        if let Ok(end) = end {
            self.tell(Event::ScheduleEnded { seat, end });
        }
        self.tell(Event::ThreadResumed { seat });
        Over(end)
    }

    // --- leaving -------------------------------------------------------------------------------------------------

    fn seat_leaving(&mut self, seat: SeatId) -> Flow {
        self.tell(Event::SeatLeaving { seat });
        let it = self.seat(seat);
        (it.leaving, it.retiring) = (true, true);
        Goes(Phase::Unwinds(0))
    }

    /// What is suspended on the seat unwinds, each task on its own worker.
    fn unwind(&mut self, seat: SeatId, ready: usize) -> Flow {
        if ready > 0 {
            if let Some(worker) = self.seat(seat).ready.pop_front() {
                self.resume(seat, worker);
            }
            return Goes(Phase::Unwinds(ready - 1));
        }
        self.look(seat);
        let waiting: Vec<TaskId> = self.seat(seat).suspended.keys().copied().collect();
        waiting.into_iter().for_each(|task| self.interrupt(task));
        self.look(seat);
        if self.workers(seat) == 0 {
            return Goes(Phase::Ends(Ok(DriveEnd::Stopped)));
        }
        Goes(Phase::Unwinds(self.seat(seat).ready.len()))
    }

    // --- what a seat looks at --------------------------------------------------------------------------------------

    /// Looks at all that can make a waiting task ready: who was woken, what is due, and the next system call, which on a
    /// clock of this kind the seat runs itself.
    pub(crate) fn look(&mut self, seat: SeatId) {
        self.revive(seat);
        while let Some((at, _, task)) = self.timers(seat).min()
            && at <= self.clock.now
        {
            self.tell(Event::TimerFired { seat, task });
            self.end_wait(task);
            self.revive(seat);
        }
        if let Some(task) = self.seat(seat).calls.pop_front() {
            self.tell(Event::SyscallLeft { task });
            self.wake(task);
            self.revive(seat);
        }
    }

    /// Moves the workers whose tasks wait no more to the ready ones.
    pub(crate) fn revive(&mut self, seat: SeatId) {
        let it = self.seat(seat);
        let woken = std::mem::take(&mut it.woken);
        let workers = woken.iter().filter_map(|task| it.suspended.remove(task));
        it.ready.extend(workers);
    }

    /// The timers of the seat's tasks: when they are due, in which order they were armed, whose they are.
    fn timers(&self, seat: SeatId) -> impl Iterator<Item = (u64, u64, TaskId)> {
        let timer = |id: &TaskId| self.tasks[id].wait.and_then(|wait| wait.timer).map(|(at, nth)| (at, nth, *id));
        self.seats[&seat].suspended.keys().filter_map(timer)
    }

    pub(crate) fn next_timer(&self, seat: SeatId) -> Option<u64> {
        self.timers(seat).map(|(at, ..)| at).min()
    }

    pub(crate) fn is_time_over(&self, seat: SeatId) -> bool {
        let deadline = self.seats[&seat].drive.as_ref().and_then(|drive| drive.deadline);
        deadline.is_some_and(|at| at <= self.clock.now)
    }

    /// How many workers of the seat have a task or a turn to come.
    fn workers(&self, seat: SeatId) -> usize {
        self.seats[&seat].ready.len() + self.seats[&seat].suspended.len()
    }

    /// Whether every live worker waits for a task of this pool, and for nothing else. A stop does not: in a script each has a
    /// deadline.
    fn all_join(&self) -> bool {
        use copool_spec::Interruption::Join;
        let joins = |task: &&crate::task::Task| task.wait.is_some_and(|wait| wait.why == Join && wait.timer.is_none());
        self.tasks.values().filter(joins).count() >= self.running as usize
    }

    fn reached(&self, seat: SeatId, goal: Goal) -> Option<DriveEnd> {
        let (alone, outstanding) = (self.workers(seat) == 0, self.outstanding());
        // What was given up and can still unwind does so first.
        if self.abandoning && alone && (self.stopped || outstanding == 0 || self.dropped) {
            return Some(DriveEnd::Stopped);
        }
        match goal {
            Goal::Ready => None,
            Goal::Ended(task) => self.tasks[&task].outcome.map(|_| DriveEnd::AllDone),
            Goal::Drained => (self.seats[&seat].ready.is_empty() && outstanding == 0).then_some(DriveEnd::AllDone),
            Goal::Stopped => (self.closed && alone && outstanding == 0).then_some(DriveEnd::Stopped),
        }
    }
}
