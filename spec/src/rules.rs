//! The rules: one function for each arrow of the sequence diagram, of the arrow's name, and one for each event beside the
//! arrows. A rule first says when the event may happen (each `require` is a guard), then what it changes.
//!
//! Read them in the diagram's order: [`schedule`], [`pool`], [`task`], [`worker`], [`creator`]; then, beside the arrows,
//! [`queue`], [`wait`] and [`lifecycle`]. [`step`] is all of them together: a labelled transition system.

pub mod creator;
pub mod lifecycle;
pub mod pool;
pub mod queue;
pub mod schedule;
pub mod task;
pub mod wait;
pub mod worker;

pub use {creator::*, lifecycle::*, pool::*, queue::*, schedule::*, task::*, wait::*, worker::*};

use std::collections::VecDeque;

use crate::state::{Seat, State, Task, TaskState, Worker};
use crate::{Arrow, Event, SeatId, TaskId, WorkerId, WorkerState};

/// What a rule answers: why the event may not happen, if it may not.
pub type Check = Result<(), &'static str>;

/// A guard.
pub fn require(holds: bool, otherwise: &'static str) -> Check {
    if holds { Ok(()) } else { Err(otherwise) }
}

/// Takes the first such item out of a queue.
fn remove<T: PartialEq>(queue: &mut VecDeque<T>, item: &T) {
    queue.iter().position(|other| other == item).map(|at| queue.remove(at));
}

/// An event that its rule does not allow, and the guard that it fails.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Violation {
    /// The event.
    pub event: Event,
    /// What the guard says.
    pub guard: &'static str,
}

/// What the pool is after the event, if its rule allows it.
pub fn step(mut state: State, event: &Event) -> Result<State, Violation> {
    apply(&mut state, event).map(|()| state)
}

/// [`step`] in place. After a violation the state is of no use any more.
pub fn apply(state: &mut State, event: &Event) -> Result<(), Violation> {
    event.rule(state).map_err(|guard| Violation { event: *event, guard })
}

/// What the rules share.
impl State {
    fn seat(&mut self, seat: SeatId) -> Result<&mut Seat, &'static str> {
        self.seats.get_mut(&seat).ok_or("there is no such seat")
    }

    fn worker(&mut self, worker: WorkerId) -> Result<&mut Worker, &'static str> {
        self.workers.get_mut(&worker).ok_or("there is no such worker")
    }

    fn task(&mut self, task: TaskId) -> Result<&mut Task, &'static str> {
        self.tasks.get_mut(&task).ok_or("there is no such task")
    }

    /// The worker has the seat's processor and goes on from one of these arrows to the next.
    fn go(&mut self, seat: SeatId, worker: WorkerId, from: &[Arrow], to: Arrow) -> Check {
        require(self.seat(seat)?.on == Some(worker), "the worker does not have the seat's processor")?;
        let it = self.worker(worker)?;
        require(it.at.is_none_or(|at| from.contains(&at)), "the worker stands at another arrow")?;
        it.at = Some(to);
        Ok(())
    }

    /// [`go`](State::go) to an arrow that only a worker without a task passes.
    fn go_free(&mut self, seat: SeatId, worker: WorkerId, from: &[Arrow], to: Arrow) -> Check {
        require(self.worker(worker)?.task.is_none(), "the worker holds a task")?;
        self.go(seat, worker, from, to)
    }

    /// The arrows after which a worker is between two polls.
    fn between_polls(&self, seat: SeatId) -> [Arrow; 5] {
        let starved = self.seats.get(&seat).is_some_and(|seat| seat.starved);
        let tombstone = if self.params.exact && !starved { Arrow::PollFailed } else { Arrow::TaskPolled };
        [Arrow::WorkerResumed, Arrow::TaskExited, Arrow::PollFailed, Arrow::NextPoll, tombstone]
    }

    /// The worker goes on over its last arrow and gives up the processor.
    fn go_off(&mut self, seat: SeatId, worker: WorkerId, from: &[Arrow], to: Arrow) -> Check {
        self.go(seat, worker, from, to)?;
        self.seat(seat)?.on = None;
        self.worker(worker)?.at = None;
        Ok(())
    }

    /// The seat is being driven, or leaves, and nobody has its processor: a worker whose turn is over has gone to the back of
    /// the ready ones, behind those that were woken meanwhile; one whose task only let others go first, before those.
    fn between_turns(&mut self, seat: SeatId) -> Check {
        let exact = self.params.exact;
        if let Some(worker) = self.seat(seat)?.on {
            let it = self.worker(worker)?;
            let turned = match it.at {
                Some(Arrow::TaskExited) => it.task.is_none(),
                Some(Arrow::TaskPolled) => !exact,
                at => at == Some(Arrow::SuspensionHeard),
            };
            require(turned, "a worker has the seat's processor")?;
            it.turn = if it.task.is_some() { it.turn } else { 0 };
            (it.state, it.at) = (WorkerState::Ready, None);
            let ended = it.task.is_none();
            let it = self.seat(seat)?;
            it.on = None;
            let at = if ended { it.woken.len() } else { 0 };
            it.woken.insert(at, worker);
        }
        let it = self.seat(seat)?;
        it.ready.append(&mut it.woken);
        require(!matches!(it.drive, None | Some(Arrow::ScheduleEnded)), "the seat is not being driven")
    }

    /// Between two turns, but a worker whose turn is over may still be on its way to the back.
    fn looks(&mut self, seat: SeatId) -> Check {
        let on = self.seat(seat)?.on.and_then(|worker| self.workers.get(&worker));
        let ended = on.is_some_and(|on| on.at == Some(Arrow::TaskExited) && on.task.is_none());
        if ended { Ok(()) } else { self.between_turns(seat) }
    }

    /// The drive goes on with its workers, unless it said that there is nothing to do, or the seat leaves.
    fn drive_on(&mut self, seat: SeatId, to: Arrow) -> Check {
        let exact = self.params.exact;
        let it = self.seat(seat)?;
        require(!exact || it.drive != Some(Arrow::NothingToDo), "the drive has said that there is nothing to do")?;
        require(it.drive != Some(Arrow::SeatLeaving), "the seat leaves")?;
        (it.drive, it.heard) = (Some(to), None);
        Ok(())
    }

    /// If the worker rests, the seat takes it to make it leave: an idle one, or one that waits for its turn to poll.
    fn take_resting(&mut self, seat: SeatId, worker: WorkerId) -> Check {
        let it = self.worker(worker)?;
        if it.at.is_none() {
            require(it.task.is_none(), "the worker holds a task")?;
            require(it.seat.is_none_or(|home| home == seat), "the worker belongs to another seat")?;
            it.seat = Some(seat);
            self.between_turns(seat)?;
            let it = self.seat(seat)?;
            remove(&mut it.ready, &worker);
            (it.on, it.heard) = (Some(worker), None);
        }
        Ok(())
    }

    /// A worker that rests, and whose task waits for nothing but the processor, becomes ready.
    fn rouse(&mut self, worker: WorkerId) -> Check {
        let it = self.worker(worker)?;
        let (Some(seat), Some(task)) = (it.seat, it.task) else { return Err("the worker holds no task") };
        if it.at.is_none() && self.task(task)?.state == TaskState::Ready {
            self.worker(worker)?.state = WorkerState::Ready;
            self.seat(seat)?.woken.push_back(worker);
        }
        Ok(())
    }
}
