//! Beside the arrows: how a pool begins and ends, how seats come and leave, and what others do to a task.

use super::*;

/// A pool is built.
pub fn pool_built(s: &mut State, pool: PoolId, min: u32, max: u32) -> Check {
    require(s.pool.replace(pool).is_none(), "a pool is built once")?;
    limits_changed(s, min, max, 0)
}

/// A seat comes.
pub fn seat_attached(s: &mut State, seat: SeatId) -> Check {
    require(s.pool.is_some(), "there is no pool yet")?;
    require(s.phase != PoolState::Stopped, "the pool is stopped")?;
    require(s.seats.insert(seat, Seat::default()).is_none(), "this seat is attached already")
}

/// A seat begins to leave: what is suspended on it unwinds.
pub fn seat_leaving(s: &mut State, seat: SeatId) -> Check {
    drive(s, seat, None, Some(Arrow::SeatLeaving))
}

/// A seat leaves: its workers have returned or exited before, and what was queued on it goes to the injector.
pub fn seat_left(s: &mut State, seat: SeatId) -> Check {
    s.between_turns(seat)?;
    require(s.leaving(Some(seat)), "the seat has not begun to leave")?;
    require(s.seats.find(seat)?.workers == 0, "workers are left on it")?;
    s.seats.remove(&seat);
    s.queues.pour(&Place::Deque(seat), Place::Injector);
    Ok(())
}

/// The limits change. Workers above a new `max_size` stay; none is created until they are fewer.
pub fn limits_changed(s: &mut State, min: u32, max: u32, _keep_alive: u64) -> Check {
    require(min <= max, "min_size above max_size")?;
    (s.min, s.max) = (min, max);
    Ok(())
}

/// A cancel is answered. A queued task is withdrawn at once; a started one unwinds at its next suspension.
pub fn cancel_requested(s: &mut State, task: TaskId, answer: Cancel) -> Check {
    let it = s.tasks.find(task)?;
    let decided = it.outcome.is_some() || it.abandoned;
    let right = match (answer, it.state) {
        (Cancel::NeverRuns, state) => state == TaskState::Queued || state == TaskState::Withdrawn && it.cancelled,
        (Cancel::Requested, state) => !decided && !matches!(state, TaskState::Queued | TaskState::Withdrawn),
        (Cancel::AlreadyEnded, state) => decided || matches!(state, TaskState::Withdrawn | TaskState::Finished(_)),
    };
    require(right, "this is not how far the task is")?;
    it.cancelled |= answer != Cancel::AlreadyEnded;
    if answer == Cancel::NeverRuns { withdraw(s, task) } else { Ok(()) }
}

/// A task is given up: by a stop at its deadline, or after it swallowed one throw too many.
pub fn task_abandoned(s: &mut State, task: TaskId) -> Check {
    let may = s.phase != PoolState::Running || s.thrown_at(task);
    let it = s.tasks.find(task)?;
    let goes_on = it.outcome.is_none() && !it.abandoned && it.state != TaskState::Withdrawn;
    require(goes_on, "the task has ended, or was given up or cancelled before")?;
    require(may, "nothing gives this task up")?;
    it.abandoned = true;
    if it.state == TaskState::Queued { withdraw(s, task) } else { Ok(()) }
}

/// Somebody calls `stop`, or drops the seat that owns the pool.
pub fn stop_called(s: &mut State, _pool: PoolId) -> Check {
    require(s.pool.is_some(), "there is no pool yet")?;
    s.stop_called = true;
    Ok(())
}

/// The pool leaves Running: every submission from now on is rejected.
pub fn pool_stopping(s: &mut State, _pool: PoolId) -> Check {
    require(s.stop_called, "nobody called stop")?;
    require(s.phase == PoolState::Running, "the pool is stopping already")?;
    s.phase = PoolState::Stopping;
    Ok(())
}

/// The pool is stopped: every task has its outcome and no worker lives; those that idled go with this.
pub fn pool_stopped(s: &mut State, _pool: PoolId) -> Check {
    require(s.phase == PoolState::Stopping, "the pool is not stopping")?;
    require(s.outstanding == 0, "a task has no outcome yet")?;
    let idles = |worker: &Worker| worker.state == WorkerState::Idle && worker.seat.is_none();
    require(s.workers.values().all(idles), "a worker lives")?;
    (s.phase, s.running) = (PoolState::Stopped, 0);
    s.workers.clear();
    Ok(())
}
