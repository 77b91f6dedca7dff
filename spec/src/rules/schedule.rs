//! The schedule thread's side of the diagram: a drive begins (1–3), blocks (19) and ends (26–27).

use super::*;

/// Arrow 1, S→P: `CoroutinePool::try_timeout_schedule_task`, or any other drive. A seat has one drive at a time.
pub fn schedule_called(s: &mut State, seat: SeatId, until: Goal) -> Check {
    let it = s.seats.find(seat)?;
    (it.goal, it.starved) = (until, false);
    drive(s, seat, None, Some(Arrow::ScheduleCalled))
}

/// Arrow 2, P→S: return error. The pool is stopped.
pub fn schedule_refused(s: &mut State, seat: SeatId) -> Check {
    require(s.phase == PoolState::Stopped, "the pool is not stopped")?;
    drive(s, seat, Some(Arrow::ScheduleCalled), Some(Arrow::ScheduleEnded))
}

/// Arrow 3, P→S: return success. Exact: nothing queued, nothing resumable, and the drive was not asked for more than that.
pub fn nothing_to_do(s: &mut State, seat: SeatId) -> Check {
    drive(s, seat, Some(Arrow::ScheduleCalled), Some(Arrow::NothingToDo))?;
    let asked = |s: &State| s.seats[&seat].goal == Goal::Ready || s.reached(seat) || s.phase != PoolState::Running;
    s.exact(|s| asked(s) && !s.tasks_wait() && !s.resumable(seat), "there is something to do, or to wait for")
}

/// Arrow 19, W→W: block for a while if all workers failed to poll. The seat does it: no worker of it is ready. Exact: no
/// task waits that a worker could be had for, and none was woken. Not exact: the note of a wake-up may still be on its way,
/// and ends the block.
pub fn seat_blocked(s: &mut State, seat: SeatId) -> Check {
    s.between_turns(seat)?;
    s.exact(|s| !s.could_run(seat), "it blocks while a task waits")?;
    let it = &s.seats[&seat];
    require(it.pollers == 0 && (it.ready.is_empty() || !s.params.exact), "it blocks while a worker of it is ready")?;
    s.drive_on(seat, Arrow::SeatBlocked)
}

/// Arrow 26, P→S: this schedule has ended, and why.
pub fn schedule_ended(s: &mut State, seat: SeatId, end: DriveEnd) -> Check {
    s.between_turns(seat)?;
    require(!s.leaving(Some(seat)), "the seat leaves")?;
    match end {
        DriveEnd::AllDone => require(s.reached(seat), "what it was asked for is not done")?,
        DriveEnd::Waiting { until } => {
            s.exact(|s| !s.reached(seat), "nothing is left that could wait")?;
            s.exact(|s| !s.could_run(seat) && !s.resumable(seat), "what is left could run")?;
            s.exact(|s| until == s.next_timer(seat), "another timer is the earliest")?;
        }
        DriveEnd::Deadline => require(s.seats[&seat].goal != Goal::Stopped, "it has no deadline")?,
        DriveEnd::Stopped => require(s.phase != PoolState::Running, "nobody stopped the pool")?,
        DriveEnd::Stalled => s.exact(State::stalled, "something can still wake a worker")?,
    }
    let last = s.seats[&seat].drive;
    drive(s, seat, last, Some(Arrow::ScheduleEnded))
}

/// Arrow 27, S→S: the thread goes on with its own work. A drive that could not get a stack ends without arrow 26.
pub fn thread_resumed(s: &mut State, seat: SeatId) -> Check {
    if s.seats.find(seat)?.starved && s.seats.find(seat)?.drive != Some(Arrow::ScheduleEnded) {
        s.between_turns(seat)?;
        s.seats.find(seat)?.drive = Some(Arrow::ScheduleEnded);
    }
    s.seats.find(seat)?.goal = Goal::default();
    drive(s, seat, Some(Arrow::ScheduleEnded), None)
}

/// Beside the arrows: no stack could be had. For the rest of the drive the seat need not create workers.
pub fn stack_exhausted(s: &mut State, seat: SeatId) -> Check {
    let it = s.seats.find(seat)?;
    it.starved = true;
    require(it.drive.is_some(), "nobody drives this seat")
}

/// The drive goes on from one arrow to the next.
pub(super) fn drive(s: &mut State, seat: SeatId, from: Option<Arrow>, to: Option<Arrow>) -> Check {
    let it = s.seats.find(seat)?;
    require(it.drive == from, "the drive is at another arrow")?;
    (it.drive, it.heard) = (to, None);
    Ok(())
}
