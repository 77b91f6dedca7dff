//! A task: what it is, how its wait ends, and how it ends.

use std::sync::Arc;

use copool_spec::script::{Key, Machine, Step};
use copool_spec::{Cancel, Event, Interruption, Outcome, SeatId, TaskId};

use crate::shared::Core;

/// After so many throws that a task has swallowed, it is given up with its stack.
pub(crate) const MOST_THROWS: u32 = 16;

/// A task of a pool, from its submission on.
#[derive(Debug)]
pub(crate) struct Task {
    pub(crate) key: Key,
    pub(crate) body: Arc<[Step]>,
    /// Where its body stands, from its start to its end.
    pub(crate) machine: Option<Machine>,
    /// Where it has started.
    pub(crate) seat: Option<SeatId>,
    pub(crate) outcome: Option<Outcome>,
    /// What it returned.
    pub(crate) value: u64,
    /// Whether somebody has had its result.
    pub(crate) taken: bool,
    pub(crate) cancelled: bool,
    /// How often it was thrown at.
    pub(crate) throws: u32,
    /// Whether what it threw last was a panic of its own.
    pub(crate) panicked: bool,
    /// An unpark that found it not parked.
    pub(crate) token: bool,
    pub(crate) wait: Option<Wait>,
    /// The step in which it gave up the processor, to be gone on with.
    pub(crate) pending: Option<Pending>,
    /// Whether it is in `stop`, which spares it.
    pub(crate) in_stop: bool,
    /// Who waits for its outcome.
    pub(crate) waiters: Vec<TaskId>,
    /// A coroutine-local.
    pub(crate) local: u64,
    /// When its slice began.
    pub(crate) slice: Option<u64>,
    /// Its body was abandoned with it, and will never be dropped.
    pub(crate) leaked: bool,
}

/// What a task waits for.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Wait {
    pub(crate) why: Interruption,
    /// The timer that ends it, and which one that is in the order of arming.
    pub(crate) timer: Option<(u64, u64)>,
}

/// What is left of a step in which a task gave up the processor.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Pending {
    /// Nothing.
    Nothing,
    /// To see how its system call ended.
    Syscall {
        /// Whether it panicked.
        panics: bool,
    },
    /// To see whether that task has ended.
    Join(TaskId, Option<u64>),
    /// To see whether the pool is quiet.
    Stop(u64),
}

impl Task {
    pub(crate) fn new(key: Key, body: Arc<[Step]>) -> Self {
        Self {
            key,
            body,
            machine: None,
            seat: None,
            outcome: None,
            value: 0,
            taken: false,
            cancelled: false,
            throws: 0,
            panicked: false,
            token: false,
            wait: None,
            pending: None,
            in_stop: false,
            waiters: Vec::new(),
            local: 0,
            slice: None,
            leaked: false,
        }
    }

    pub(crate) fn is_started(&self) -> bool {
        self.seat.is_some()
    }

    pub(crate) fn is_unwinding(&self) -> bool {
        self.machine.as_ref().is_some_and(Machine::unwinding)
    }
}

impl Core {
    /// Ends a task's wait, and hands it to its seat.
    pub(crate) fn end_wait(&mut self, id: TaskId) {
        let task = self.task(id);
        let seat = task.seat;
        task.wait = None;
        // It is on no list any more, so nobody can end a later wait for the reason of this one.
        self.watchers.retain(|other| *other != id);
        self.tasks.values_mut().for_each(|other| other.waiters.retain(|waiter| *waiter != id));
        if let Some(seat) = seat {
            self.seat(seat).woken.push_back(id);
        }
    }

    /// Somebody ends a task's wait.
    pub(crate) fn wake(&mut self, id: TaskId) {
        self.tell(Event::TaskWoken { task: id });
        self.end_wait(id);
    }

    /// Ends a park, or leaves a token for the next one.
    pub(crate) fn unpark(&mut self, id: TaskId) {
        if self.waits_for(id) == Some(Interruption::Park) {
            self.wake(id);
        } else {
            self.task(id).token = true;
        }
    }

    /// Ends the wait of a task that has to unwind. A system call takes its time all the same.
    pub(crate) fn interrupt(&mut self, id: TaskId) {
        if self.waits_for(id).is_some_and(|why| why != Interruption::Syscall) {
            self.wake(id);
        }
    }

    fn waits_for(&self, id: TaskId) -> Option<Interruption> {
        self.tasks[&id].wait.map(|wait| wait.why)
    }

    /// Whether a task has to unwind at its next suspension call: cancelled, given up, or its seat leaves.
    pub(crate) fn must_unwind(&self, id: TaskId) -> bool {
        let task = &self.tasks[&id];
        let leaving = task.seat.and_then(|seat| self.seats.get(&seat)).is_some_and(|seat| seat.leaving);
        task.cancelled || task.outcome.is_some() || leaving
    }

    /// A task has its outcome: whoever waits for it is woken.
    pub(crate) fn publish(&mut self, id: TaskId, outcome: Outcome) {
        self.task(id).outcome = Some(outcome);
        self.tell(Event::OutcomePublished { task: id, outcome });
        for waiter in std::mem::take(&mut self.task(id).waiters) {
            self.wake(waiter);
        }
    }

    /// The answer to a request to cancel.
    pub(crate) fn cancel(&mut self, id: TaskId) -> Cancel {
        let task = self.task(id);
        let answer = match task.outcome {
            Some(_) => Cancel::AlreadyEnded,
            None if task.is_started() => Cancel::Requested,
            None => Cancel::NeverRuns,
        };
        task.cancelled |= answer == Cancel::Requested;
        self.tell(Event::CancelRequested { task: id, answer });
        match answer {
            Cancel::Requested => self.interrupt(id),
            Cancel::NeverRuns => {
                self.withdraw(id);
                self.publish(id, Outcome::Cancelled);
                self.completed();
            }
            Cancel::AlreadyEnded => {}
        }
        answer
    }
}
