//! The schedule thread's side of the diagram: a drive begins (1–3), blocks (19) and ends (26–27).

use super::{Check, require};
use crate::state::{Drive, Heard, State};
use crate::{DriveEnd, PoolState, SeatId};

/// Arrow 1, S→P: `CoroutinePool::try_timeout_schedule_task`, or any other drive. A seat has one drive at a time.
pub fn schedule_called(s: &mut State, seat: SeatId) -> Check {
    s.drive(seat, &[Drive::Away], Drive::Called)?;
    s.seat(seat)?.starved = false;
    Ok(())
}

/// Arrow 2, P→S: alt the coroutine pool is stopped, return error.
pub fn schedule_refused(s: &mut State, seat: SeatId) -> Check {
    require(s.phase == PoolState::Stopped, "the pool is not stopped")?;
    s.drive(seat, &[Drive::Called], Drive::Ended)
}

/// Arrow 3, P→S: alt the task queue is empty, return success. Exact: nothing queued, nothing resumable.
pub fn nothing_to_do(s: &mut State, seat: SeatId) -> Check {
    let busy = s.tasks_wait() || s.resumable(seat);
    require(!(s.params.exact && busy), "there is something to do")?;
    s.drive(seat, &[Drive::Called], Drive::Empty)
}

/// Arrow 19, W→W: block for a while if all workers failed to poll. The seat does it: no worker of it is ready. Exact: no
/// task waits that a worker could be had for.
pub fn seat_blocked(s: &mut State, seat: SeatId) -> Check {
    s.between_turns(seat)?;
    require(!s.could_run(seat), "it blocks while a task waits")?;
    require(s.seat(seat)?.ready.is_empty(), "it blocks while a worker of it is ready")?;
    s.drive(seat, &[Drive::Called, Drive::Driving, Drive::Blocked], Drive::Blocked)
}

/// Arrow 26, P→S: this schedule has ended, and why.
pub fn schedule_ended(s: &mut State, seat: SeatId, end: DriveEnd) -> Check {
    if s.seat(seat)?.drive != Drive::Empty {
        s.between_turns(seat)?;
    }
    let exact = s.params.exact;
    match end {
        DriveEnd::AllDone | DriveEnd::Deadline => {}
        DriveEnd::Waiting { until } => {
            require(!exact || s.outstanding(), "nothing is left that could wait")?;
            require(!exact || !s.could_run(seat) && !s.resumable(seat), "what is left could run")?;
            require(!exact || until == s.next_timer(seat), "another timer is the earliest")?;
        }
        DriveEnd::Stopped => require(s.phase != PoolState::Running, "nobody stopped the pool")?,
        DriveEnd::Stalled => require(!exact || s.stalled(), "something can still wake a worker")?,
    }
    s.seat(seat)?.heard = Heard::Nothing;
    s.drive(seat, &[Drive::Empty, Drive::Called, Drive::Driving, Drive::Blocked], Drive::Ended)
}

/// Arrow 27, S→S: the thread goes on with its own work.
pub fn thread_resumed(s: &mut State, seat: SeatId) -> Check {
    s.drive(seat, &[Drive::Ended], Drive::Away)
}

/// Beside the arrows: no stack could be had. For the rest of the drive the seat need not create workers.
pub fn stack_exhausted(s: &mut State, seat: SeatId) -> Check {
    require(s.seat(seat)?.drive != Drive::Away, "nobody drives this seat")?;
    s.seat(seat)?.starved = true;
    Ok(())
}

impl State {
    fn drive(&mut self, seat: SeatId, from: &[Drive], to: Drive) -> Check {
        let it = self.seat(seat)?;
        require(from.contains(&it.drive), "the drive is at another point")?;
        it.drive = to;
        Ok(())
    }
}
