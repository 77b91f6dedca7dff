//! A worker: an entry in its seat's ready queue that polls a task, runs it, and polls the next (arrows 6 to 9, 12, 13,
//! 18 and 20). A step is as small as an arrow or a few, so that other threads come in between.

use copool_spec::script::Machine;
use copool_spec::{Event, Interruption, Outcome, SeatId, TaskId, WorkerId, WorkerState};

use crate::shared::Core;
use crate::suspend::Next;

/// A live worker that does not idle.
#[derive(Debug)]
pub(crate) struct Worker {
    pub(crate) id: WorkerId,
    pub(crate) at: At,
    /// How many tasks have ended on it in this turn.
    pub(crate) turn: u32,
}

/// Where a worker stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum At {
    /// It polls next.
    Polls,
    /// Its turn was over; when it gets the next one, it goes on to poll.
    Turned,
    /// It holds this task.
    Runs(TaskId),
    /// It gives up its frames.
    Leaves(Exit),
}

/// Why a worker gives up its frames.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Exit {
    /// There was nothing to poll.
    PollFailed,
    /// The time of the call is over, or the drive ends.
    TimeOver,
    /// Its task panicked.
    Errored,
}

impl Worker {
    pub(crate) fn is_poller(&self) -> bool {
        !matches!(self.at, At::Runs(_))
    }
}

impl Core {
    /// Arrow 5: gives the seat's processor to a worker. One that only comes back to leave gets no turn.
    pub(crate) fn resume(&mut self, seat: SeatId, mut worker: Worker) {
        if self.seat(seat).retiring && worker.is_poller() {
            worker.at = At::Leaves(Exit::TimeOver);
        } else {
            self.tell(Event::WorkerResumed { seat, worker: worker.id });
        }
        self.seat(seat).on = Some(worker);
    }

    /// Does the next step of the worker that has the seat's processor.
    pub(crate) fn step_worker(&mut self, seat: SeatId, mut worker: Worker) {
        match worker.at {
            At::Turned => {
                self.tell(Event::NextPoll { seat, worker: worker.id });
                worker.at = At::Polls;
                self.seat(seat).on = Some(worker);
            }
            At::Polls => {
                worker.at = self.poll_or_fail(seat, worker.id);
                self.seat(seat).on = Some(worker);
            }
            At::Runs(task) => match self.step_task(seat, task) {
                Next::Goes => self.seat(seat).on = Some(worker),
                Next::Ready(why) => self.gives_way(seat, worker, task, why),
                Next::Waits(why) => self.waits(seat, worker, task, why),
                Next::Leaks => self.leak(seat, worker, task),
                Next::Ended => self.ended(seat, worker, task),
            },
            At::Leaves(exit) => self.returned(seat, worker.id, exit),
        }
        if self.seat(seat).on.is_none() {
            self.turn_over(seat);
        }
    }

    /// Arrows 6, 7 and 18.
    fn poll_or_fail(&mut self, seat: SeatId, worker: WorkerId) -> At {
        self.tell(Event::TaskPolled { seat, worker });
        let Some(task) = self.poll(seat) else {
            self.tell(Event::PollFailed { seat, worker });
            return At::Leaves(Exit::PollFailed);
        };
        self.tell(Event::TaskStarted { seat, worker, task });
        let it = self.task(task);
        it.seat = Some(seat);
        it.machine = Some(Machine::new(&it.body));
        At::Runs(task)
    }

    /// The task lets others go first.
    fn gives_way(&mut self, seat: SeatId, worker: Worker, task: TaskId, why: Interruption) {
        self.tell(Event::TaskInterrupted { seat, worker: worker.id, task, why });
        self.hear_suspension(seat, worker.id, WorkerState::Suspend);
        // Behind the worker that was added: tasks that have not started come before the rest of this one.
        self.seat(seat).ready.push_back(worker);
    }

    /// The task waits.
    fn waits(&mut self, seat: SeatId, worker: Worker, task: TaskId, why: Interruption) {
        let id = worker.id;
        self.tell(Event::TaskInterrupted { seat, worker: id, task, why });
        if let Some((at, _)) = self.task(task).wait.and_then(|wait| wait.timer) {
            self.tell(Event::TimerArmed { seat, task, at: copool_spec::Tick(at) });
        }
        self.seat(seat).suspended.insert(task, worker);
        let call = why == Interruption::Syscall;
        self.hear_suspension(seat, id, if call { WorkerState::Syscall } else { WorkerState::Suspend });
    }

    /// The task's body is over: its outcome, and what the worker does next.
    fn ended(&mut self, seat: SeatId, mut worker: Worker, task: TaskId) {
        let id = worker.id;
        let outcome = self.conclude(task);
        self.tell(match outcome {
            Outcome::Returned => Event::TaskExited { seat, worker: id, task },
            Outcome::Panicked => Event::TaskFailed { seat, worker: id, task },
            Outcome::Cancelled | Outcome::Abandoned => Event::TaskUnwound { task },
        });
        if self.task(task).outcome.is_none() {
            self.publish(task, outcome);
            self.completed();
        }
        if outcome == Outcome::Panicked {
            worker.at = At::Leaves(Exit::Errored);
        } else {
            worker.turn += 1;
            worker.at = self.between(seat, worker.turn);
        }
        match worker.at {
            // First what made it give way: a due timer waits for one task, not for another turn of tasks.
            At::Turned => {
                self.look(seat);
                self.seat(seat).ready.push_back(Worker { turn: 0, ..worker });
                return;
            }
            At::Polls => self.tell(Event::NextPoll { seat, worker: id }),
            At::Runs(_) | At::Leaves(_) => {}
        }
        self.seat(seat).on = Some(worker);
    }

    /// What a worker does after a task: it polls the next, unless its turn or its time is over, or something else must
    /// not wait for a whole backlog.
    fn between(&mut self, seat: SeatId, turn: u32) -> At {
        let (now, timer) = (self.clock.now, self.next_timer(seat));
        if self.is_time_over(seat) {
            return At::Leaves(Exit::TimeOver);
        }
        if timer.is_some_and(|at| at <= now) {
            return At::Turned;
        }
        if self.running > self.max {
            return At::Leaves(Exit::TimeOver);
        }
        let it = self.seat(seat);
        let soon = !it.woken.is_empty() || !it.calls.is_empty() || it.retiring;
        if soon || turn >= self.params.polls_per_turn { At::Turned } else { At::Polls }
    }
}
