//! The worker's own arrows: it is suspended (9), errs (14), polls on (20), runs out of time (21), asks (22), exits (24).

use super::*;

/// Arrow 9, W→W: the coroutine state changes to Suspend or Syscall. A delay has its timer by now.
pub fn worker_suspended(s: &mut State, seat: SeatId, worker: WorkerId, state: WorkerState) -> Check {
    s.go(seat, worker, &[Arrow::TaskInterrupted], Arrow::WorkerSuspended)?;
    let task = s.workers.find(worker)?.task.and_then(|task| s.tasks.get(&task)).ok_or("the worker holds no task")?;
    let waits = |why| task.state == TaskState::Waiting(why);
    require(task.timer.is_some() || !waits(Interruption::Delay), "a delay without a timer")?;
    let suspended = state == WorkerState::Suspend && !waits(Interruption::Syscall);
    require(state == WorkerState::Syscall || suspended, "the state is another one")?;
    s.workers.find(worker)?.state = state;
    Ok(())
}

/// Arrow 14, W→W: the coroutine state changes to Error, once its task has its outcome. A worker that a task given up will
/// not leave goes the same way.
pub fn worker_errored(s: &mut State, seat: SeatId, worker: WorkerId) -> Check {
    if let Some(task) = s.workers.find(worker)?.task {
        require(s.tasks.find(task)?.outcome.is_some(), "its task has no outcome yet")?;
        s.let_go(task)?;
    }
    s.go(seat, worker, &[Arrow::TaskStarted, Arrow::TaskFailed], Arrow::WorkerErrored)?;
    s.workers.find(worker)?.state = WorkerState::Error;
    Ok(())
}

/// Arrow 20, W→W: try poll the next task. Exact: its turn is not over yet. It may be its first in a new turn, or, not
/// exact, the poll before met a tombstone.
pub fn next_poll(s: &mut State, seat: SeatId, worker: WorkerId) -> Check {
    require(!s.params.exact || s.workers.find(worker)?.turn < s.params.polls_per_turn, "its turn is over")?;
    s.go_free(seat, worker, Arrow::WorkerResumed, Arrow::NextPoll)
}

/// Arrow 21, W→W: the schedule has exceeded the timeout time, or the worker its keep-alive: it idles, or holds no task.
pub fn time_over(s: &mut State, seat: SeatId, worker: WorkerId) -> Check {
    s.take(seat, worker)?;
    s.go_free(seat, worker, Arrow::WorkerResumed, Arrow::TimeOver)
}

/// Arrow 22, W→P: has the coroutine pool exceeded the minimum pool size?
pub fn surplus_asked(s: &mut State, seat: SeatId, worker: WorkerId) -> Check {
    s.go(seat, worker, &[Arrow::TimeOver], Arrow::SurplusAsked)
}

/// Arrow 24, W→W: exit. An idle worker of a pool that stops, or above a `max_size` that was lowered, exits without asking.
pub fn worker_exited(s: &mut State, seat: SeatId, worker: WorkerId) -> Check {
    let it = s.workers.find(worker)?;
    if it.state == WorkerState::Idle && it.at.is_none() {
        require(s.phase != PoolState::Running || s.running > s.max, "the worker has not asked")?;
        s.running -= 1;
    } else {
        s.go_off(seat, worker, Arrow::SurplusGranted)?;
        s.seats.find(seat)?.workers -= 1;
    }
    s.workers.remove(&worker);
    Ok(())
}
