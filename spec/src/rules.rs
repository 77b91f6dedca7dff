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

use crate::{Check, state::*, step::require, vocabulary::*};

/// What the rules share.
impl State {
    /// A guard that is asked only where every event is known to have happened at one instant.
    fn exact(&self, holds: impl FnOnce(&State) -> bool, otherwise: &'static str) -> Check {
        require(!self.params.exact || holds(self), otherwise)
    }

    /// The worker has the seat's processor and goes on from one of these arrows to the next.
    fn go(&mut self, seat: SeatId, worker: WorkerId, from: &[Arrow], to: Arrow) -> Check {
        require(self.seats.find(seat)?.on == Some(worker), "the worker does not have the seat's processor")?;
        let it = self.workers.find(worker)?;
        require(it.at.is_none_or(|at| from.contains(&at)), "the worker stands at another arrow")?;
        it.at = Some(to);
        Ok(())
    }

    /// Without a task the worker goes on to an arrow from between two polls, or from this one.
    fn go_free(&mut self, seat: SeatId, worker: WorkerId, or_from: Arrow, to: Arrow) -> Check {
        require(self.workers.find(worker)?.task.is_none(), "the worker holds a task")?;
        let exact = self.params.exact && !self.seats.find(seat)?.starved;
        let tombstone = if exact { Arrow::PollFailed } else { Arrow::TaskPolled };
        let between = [Arrow::WorkerResumed, Arrow::TaskExited, Arrow::PollFailed, Arrow::NextPoll, tombstone, or_from];
        self.go(seat, worker, &between, to)
    }

    /// The worker goes on over its last arrow and gives up the processor.
    fn go_off(&mut self, seat: SeatId, worker: WorkerId, from: Arrow) -> Check {
        self.go(seat, worker, &[from], from)?;
        self.seats.find(seat)?.on = None;
        self.workers.find(worker)?.at = None;
        Ok(())
    }

    /// The seat is being driven, or leaves, and nobody has its processor: a worker whose turn is over has gone to the back of
    /// the ready ones, behind those that were woken meanwhile; one whose task only let others go first, before those.
    fn between_turns(&mut self, seat: SeatId) -> Check {
        if let Some(worker) = self.seats.find(seat)?.on {
            let it = self.workers.find(worker)?;
            let (ended, after) = (it.task.is_none(), |arrow| it.at == Some(arrow));
            let tombstone = after(Arrow::TaskPolled) && !self.params.exact;
            let turned = after(Arrow::SuspensionHeard) || after(Arrow::TaskExited) && ended || tombstone;
            require(turned, "a worker has the seat's processor")?;
            (it.state, it.at, it.turn) = (WorkerState::Ready, None, if ended { 0 } else { it.turn });
            let it = self.seats.find(seat)?;
            it.on = None;
            let queue = if ended { VecDeque::push_back } else { VecDeque::push_front };
            queue(&mut it.woken, worker);
            it.pollers += usize::from(ended);
        }
        let it = self.seats.find(seat)?;
        it.ready.append(&mut it.woken);
        require(!matches!(it.drive, None | Some(Arrow::ScheduleEnded)), "the seat is not being driven")
    }

    /// The drive goes on with its workers, unless it said that there is nothing to do, or the seat leaves.
    fn drive_on(&mut self, seat: SeatId, to: Arrow) -> Check {
        let it = self.seats.find(seat)?;
        let on = !self.params.exact || it.drive != Some(Arrow::NothingToDo);
        require(on, "the drive has said that there is nothing to do")?;
        require(it.drive != Some(Arrow::SeatLeaving), "the seat leaves")?;
        (it.drive, it.heard) = (Some(to), None);
        Ok(())
    }

    /// If the worker rests, the seat, between two turns, gives it the processor. Not exact: the creator may do so to make it
    /// leave, for a `max_size` that was lowered, before it adds one after all.
    fn take(&mut self, seat: SeatId, worker: WorkerId) -> Check {
        let None = self.workers.find(worker)?.at else { return Ok(()) };
        self.between_turns(seat)?;
        self.give(seat, worker).map(drop)
    }

    /// Between two turns the seat gives a worker the processor: an idle one, or one that is ready. How many were ready before
    /// it?
    fn give(&mut self, seat: SeatId, worker: WorkerId) -> Result<usize, &'static str> {
        let it = self.workers.find(worker)?;
        require(matches!(it.state, WorkerState::Idle | WorkerState::Ready), "the worker is not ready")?;
        require(it.seat.is_none_or(|home| home == seat), "another seat has this worker")?;
        let (idled, polls) = (it.seat.replace(seat).is_none(), it.task.is_none());
        let it = self.seats.find(seat)?;
        (it.on, it.heard) = (Some(worker), it.heard.filter(|_| !self.params.exact));
        it.workers += usize::from(idled);
        let false = idled else { return Ok(0) };
        let ahead = it.ready.iter().position(|other| *other == worker).ok_or("the worker is not ready")?;
        it.ready.remove(ahead);
        it.pollers -= usize::from(polls);
        Ok(ahead)
    }

    /// The task's worker, if it has one, holds it no longer.
    fn let_go(&mut self, task: TaskId) -> Check {
        let Some(worker) = self.tasks.find(task)?.worker.take() else { return Ok(()) };
        self.workers.find(worker)?.task = None;
        Ok(())
    }
}
