//! The rules: one function for each arrow of the sequence diagram, of the arrow's name, and one for each event beside the
//! arrows. A rule first says when the event may happen (each `require` is a guard), then what it changes. A guard that is
//! `exact` speaks of all the pool at one instant: [`Params::exact`](crate::Params::exact) says where it is asked.
//!
//! Read them in the diagram's order: [`schedule`], [`pool`], [`task`], [`worker`], [`creator`]; then, beside the arrows,
//! [`queue`], [`wait`] and [`lifecycle`]. [`step`](crate::step()) is all of them together: a labelled transition system.

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

use crate::state::{Place, Seat, State, Task, TaskState, Worker};
use crate::{Arrow, Cancel, Check, DriveEnd, Interruption, Outcome, PoolId, PoolState, WorkerState};
use crate::{SeatId, TaskId, Tick, WorkerId};

/// A guard.
pub fn require(holds: bool, otherwise: &'static str) -> Check {
    if holds { Ok(()) } else { Err(otherwise) }
}

/// Takes the first such item out of a queue.
fn remove<T: PartialEq>(queue: &mut VecDeque<T>, item: &T) {
    queue.iter().position(|other| other == item).map(|at| queue.remove(at));
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

    /// A guard that is asked only where every event is known to have happened at one instant.
    fn exact(&self, holds: impl FnOnce(&State) -> bool, otherwise: &'static str) -> Check {
        require(!self.params.exact || holds(self), otherwise)
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

    /// The worker goes on over its last arrow and gives up the processor.
    fn go_off(&mut self, seat: SeatId, worker: WorkerId, from: Arrow) -> Check {
        self.go(seat, worker, &[from], from)?;
        self.seat(seat)?.on = None;
        self.worker(worker)?.at = None;
        Ok(())
    }

    /// The arrows after which a worker is between two polls.
    fn between_polls(&self, seat: SeatId) -> [Arrow; 5] {
        let tombstone = if self.params.exact && !self.starved(seat) { Arrow::PollFailed } else { Arrow::TaskPolled };
        [Arrow::WorkerResumed, Arrow::TaskExited, Arrow::PollFailed, Arrow::NextPoll, tombstone]
    }

    /// The seat is being driven, or leaves, and nobody has its processor: a worker whose turn is over has gone to the back of
    /// the ready ones, behind those that were woken meanwhile; one whose task only let others go first, before those.
    fn between_turns(&mut self, seat: SeatId) -> Check {
        if let Some(worker) = self.seat(seat)?.on {
            let exact = self.params.exact;
            let it = self.worker(worker)?;
            let ended = it.task.is_none();
            let turned = match it.at {
                Some(Arrow::TaskExited) => ended,
                Some(Arrow::TaskPolled) => !exact,
                at => at == Some(Arrow::SuspensionHeard),
            };
            require(turned, "a worker has the seat's processor")?;
            (it.state, it.at) = (WorkerState::Ready, None);
            it.turn = if ended { 0 } else { it.turn };
            let it = self.seat(seat)?;
            it.on = None;
            it.woken.insert(if ended { it.woken.len() } else { 0 }, worker);
        }
        let it = self.seat(seat)?;
        it.ready.append(&mut it.woken);
        require(!matches!(it.drive, None | Some(Arrow::ScheduleEnded)), "the seat is not being driven")
    }

    /// The drive goes on with its workers, unless it said that there is nothing to do, or the seat leaves.
    fn drive_on(&mut self, seat: SeatId, to: Arrow) -> Check {
        let drive = self.seat(seat)?.drive;
        self.exact(|_| drive != Some(Arrow::NothingToDo), "the drive has said that there is nothing to do")?;
        require(drive != Some(Arrow::SeatLeaving), "the seat leaves")?;
        let it = self.seat(seat)?;
        (it.drive, it.heard) = (Some(to), None);
        Ok(())
    }

    /// Between two turns the seat gives its processor to a worker that rests: an idle one, or one that is ready.
    fn take(&mut self, seat: SeatId, worker: WorkerId) -> Check {
        self.between_turns(seat)?;
        let it = self.worker(worker)?;
        require(matches!(it.state, WorkerState::Idle | WorkerState::Ready), "the worker is not ready")?;
        require(it.seat.is_none_or(|home| home == seat), "another seat has this worker")?;
        it.seat = Some(seat);
        let it = self.seat(seat)?;
        remove(&mut it.ready, &worker);
        (it.on, it.heard) = (Some(worker), None);
        Ok(())
    }

    /// If the worker rests, the seat takes it to make it leave.
    fn take_resting(&mut self, seat: SeatId, worker: WorkerId) -> Check {
        if self.worker(worker)?.at.is_none() { self.take(seat, worker) } else { Ok(()) }
    }

    /// The worker holds its task no longer.
    fn let_go(&mut self, worker: WorkerId, task: TaskId) -> Check {
        self.worker(worker)?.task = None;
        self.task(task)?.worker = None;
        Ok(())
    }
}
