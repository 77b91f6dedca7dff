//! A task's body, one step at a time: what a task does to the pool, and the calls by which it gives up the processor.
//!
//! Each suspension call is a cancellation point, even if it would not suspend; `suspend` and a `checkpoint` that
//! suspends are one where they come back. While a task unwinds, none suspends or throws.

use std::sync::Arc;

use copool_spec::script::{Ending, Key, Machine, Observation, Refusal, Seen, Step};
use copool_spec::{Event, Interruption, Outcome, SeatId, TaskId};

use crate::shared::Core;
use crate::task::{MOST_THROWS, Pending, Wait};

/// What becomes of a task after a step.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Next {
    /// It goes on.
    Goes,
    /// It gave up the processor and is ready again at once.
    Ready(Interruption),
    /// It waits.
    Waits(Interruption),
    /// It swallowed one throw too many.
    Leaks,
    /// Its body is over.
    Ended,
}

/// What a suspension call finds out first.
enum Point {
    /// The task unwinds: the call returns at once.
    Unwinds,
    /// The task has to unwind.
    Throws,
    /// Neither.
    Passes,
}

impl Core {
    /// Does the next step of the task that runs on a seat.
    pub(crate) fn step_task(&mut self, seat: SeatId, id: TaskId) -> Next {
        if let Some(pending) = self.task(id).pending.take() {
            return self.go_on(id, pending);
        }
        let Some(step) = self.step_due(id) else { return Next::Ended };
        match step {
            Step::Panic => self.panic(id),
            Step::Suspend | Step::Delay(0) => self.give_way(id, Interruption::Suspend),
            Step::Checkpoint | Step::Delay(_) | Step::Park | Step::ParkTimeout(_) => match self.point(id) {
                Point::Unwinds => self.done(id, Observation::Done),
                Point::Throws => self.throw(id),
                Point::Passes => self.pause(seat, id, &step),
            },
            Step::Syscall | Step::SyscallPanic => self.call(id, step == Step::SyscallPanic),
            Step::Join(key) => self.join(id, key, None),
            Step::JoinTimeout(key, time) => self.join(id, key, Some(self.clock.after(time))),
            Step::Stop(grace) => self.begin_stop_inside(id, grace),
            step => {
                let observation = self.simple(seat, id, &step);
                self.done(id, observation)
            }
        }
    }

    /// The task comes back into the call in which it gave up the processor.
    fn go_on(&mut self, id: TaskId, pending: Pending) -> Next {
        if self.must_unwind(id) {
            self.task(id).in_stop = false;
            return self.throw(id);
        }
        match pending {
            Pending::Nothing => self.done(id, Observation::Done),
            Pending::Syscall { panics: true } => self.panic(id),
            Pending::Syscall { panics: false } => self.done(id, Observation::Done),
            Pending::Join(other, until) => self.join_on(id, other, until),
            Pending::Stop(until) => self.stop_on(id, until),
        }
    }

    /// A step that says what it did at once.
    fn simple(&mut self, seat: SeatId, id: TaskId, step: &Step) -> Observation {
        match step {
            Step::Work(time) => {
                self.clock.advance(*time);
                Observation::Done
            }
            Step::Local => {
                self.task(id).local += 1;
                Observation::Local(self.task(id).local)
            }
            Step::Unpark(key) => self.on(Some(id), *key, |core, other| {
                core.unpark(other);
                Observation::Done
            }),
            Step::Cancel(key) => self.on(Some(id), *key, |core, other| Observation::Cancel(core.cancel(other))),
            Step::Submit(submission) => self.submit(Some(seat), submission),
            Step::SetMax(max) => self.set_limits(None, Some(*max)),
            other => unreachable!("`{other}` is done elsewhere"),
        }
    }

    // --- the body ------------------------------------------------------------------------------------------------

    fn step_due(&mut self, id: TaskId) -> Option<Step> {
        let task = self.task(id);
        task.machine.as_ref()?.step(&task.body).cloned()
    }

    /// The step came back with this.
    pub(crate) fn done(&mut self, id: TaskId, observation: Observation) -> Next {
        if let Some(step) = self.step_due(id) {
            let key = self.task(id).key;
            self.seen.push(Seen { key, step, observation });
        }
        self.move_on(id, Machine::advance)
    }

    /// The step threw.
    pub(crate) fn throw(&mut self, id: TaskId) -> Next {
        let task = self.task(id);
        task.throws += 1;
        task.panicked = false;
        if task.throws > MOST_THROWS { Next::Leaks } else { self.move_on(id, Machine::throw) }
    }

    fn panic(&mut self, id: TaskId) -> Next {
        self.task(id).panicked = true;
        self.move_on(id, Machine::throw)
    }

    fn move_on(&mut self, id: TaskId, how: fn(&mut Machine, &[Step])) -> Next {
        let task = self.task(id);
        let (key, body) = (task.key, Arc::clone(&task.body));
        let Some(machine) = &mut task.machine else { return Next::Ended };
        how(machine, &body);
        let ended = machine.ending().is_some();
        if let Some(step) = machine.take_caught(&body).cloned() {
            self.seen.push(Seen { key, step, observation: Observation::Caught });
        }
        if ended { Next::Ended } else { Next::Goes }
    }

    /// Which outcome the end of a body amounts to, and what it returned.
    pub(crate) fn conclude(&mut self, id: TaskId) -> Outcome {
        let leaving = self.tasks[&id].seat.is_some_and(|seat| self.seat(seat).leaving);
        let task = self.task(id);
        let ending = task.machine.take().and_then(|machine| machine.ending());
        match ending {
            Some(Ending::Unwound) if task.panicked => Outcome::Panicked,
            Some(Ending::Returned(value)) if task.throws == 0 => {
                task.value = value;
                Outcome::Returned
            }
            // It was thrown at, whether it swallowed that or not.
            _ if task.cancelled || !leaving => Outcome::Cancelled,
            _ => Outcome::Abandoned,
        }
    }

    // --- suspension calls ----------------------------------------------------------------------------------------

    fn point(&mut self, id: TaskId) -> Point {
        if self.task(id).is_unwinding() {
            Point::Unwinds
        } else if self.must_unwind(id) {
            Point::Throws
        } else {
            Point::Passes
        }
    }

    fn give_way(&mut self, id: TaskId, why: Interruption) -> Next {
        if self.task(id).is_unwinding() {
            return self.done(id, Observation::Done);
        }
        let task = self.task(id);
        (task.pending, task.slice) = (Some(Pending::Nothing), None);
        Next::Ready(why)
    }

    fn wait(&mut self, id: TaskId, why: Interruption, until: Option<u64>, pending: Pending) -> Next {
        self.timers += 1;
        let timer = until.map(|at| (at, self.timers));
        let task = self.task(id);
        (task.wait, task.pending, task.slice) = (Some(Wait { why, timer }), Some(pending), None);
        Next::Waits(why)
    }

    /// What a suspension call does for itself, if it may suspend.
    fn pause(&mut self, seat: SeatId, id: TaskId, step: &Step) -> Next {
        match step {
            Step::Checkpoint => self.checkpoint(seat, id),
            Step::Delay(time) => self.wait(id, Interruption::Delay, Some(self.clock.after(*time)), Pending::Nothing),
            _ if std::mem::take(&mut self.task(id).token) => self.done(id, Observation::Done),
            Step::ParkTimeout(time) => {
                self.wait(id, Interruption::Park, Some(self.clock.after(*time)), Pending::Nothing)
            }
            _ => self.wait(id, Interruption::Park, None, Pending::Nothing),
        }
    }

    fn checkpoint(&mut self, seat: SeatId, id: TaskId) -> Next {
        let now = self.clock.now;
        let Some(slice) = self.slice else { return self.done(id, Observation::Done) };
        let Some(began) = self.task(id).slice else {
            self.task(id).slice = Some(now);
            return self.done(id, Observation::Done);
        };
        let used = now - began;
        if used < slice {
            return self.done(id, Observation::Done);
        }
        if used > slice {
            self.tell(Event::Overran { seat, task: id });
        }
        self.give_way(id, Interruption::Preempt)
    }

    fn call(&mut self, id: TaskId, panics: bool) -> Next {
        match self.point(id) {
            Point::Throws => self.throw(id),
            // In place. A panic in a destructor of a task that unwinds would end the process.
            Point::Unwinds => self.done(id, Observation::Done),
            Point::Passes => {
                self.tell(Event::SyscallEntered { task: id, name: "script" });
                if let Some(seat) = self.task(id).seat {
                    self.seat(seat).calls.push_back(id);
                }
                self.wait(id, Interruption::Syscall, None, Pending::Syscall { panics })
            }
        }
    }

    fn join(&mut self, id: TaskId, key: Key, until: Option<u64>) -> Next {
        let Some(other) = self.known(Some(id), key) else {
            return self.done(id, Observation::Refused(Refusal::NoSuchTask));
        };
        match self.point(id) {
            Point::Throws => self.throw(id),
            Point::Unwinds if self.tasks[&other].outcome.is_none() => {
                self.done(id, Observation::Refused(Refusal::Unwinding))
            }
            Point::Passes if other == id => self.done(id, Observation::Refused(Refusal::SelfJoin)),
            Point::Unwinds | Point::Passes => self.join_on(id, other, until),
        }
    }

    fn join_on(&mut self, id: TaskId, other: TaskId, until: Option<u64>) -> Next {
        if self.tasks[&other].outcome.is_some() {
            let ended = self.take_result(other);
            self.done(id, ended)
        } else if until.is_some_and(|until| until <= self.clock.now) {
            self.done(id, Observation::Refused(Refusal::Timeout))
        } else {
            self.task(other).waiters.push(id);
            self.wait(id, Interruption::Join, until, Pending::Join(other, until))
        }
    }

    fn begin_stop_inside(&mut self, id: TaskId, grace: u64) -> Next {
        self.close();
        if let Point::Throws = self.point(id) {
            return self.throw(id);
        }
        self.task(id).in_stop = true;
        // This task does not count any more: another stop may be at its end by that.
        self.completed();
        let until = if self.task(id).is_unwinding() { self.clock.now } else { self.clock.after(grace) };
        self.stop_on(id, until)
    }

    fn stop_on(&mut self, id: TaskId, until: u64) -> Next {
        if !self.is_quiet() && until > self.clock.now {
            self.watchers.push(id);
            return self.wait(id, Interruption::Stop, Some(until), Pending::Stop(until));
        }
        let abandoned = self.abandon_rest();
        self.task(id).in_stop = false;
        let report = self.report(abandoned);
        self.done(id, report)
    }
}
