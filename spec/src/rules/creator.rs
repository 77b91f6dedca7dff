//! The creator's arrows: it hears of a suspension (10) and adds a worker (11), or hears of an error (15), reduces the
//! count (16) and recreates one (17).

use super::*;

/// Arrow 10, W→C: `Listener::on_state_changed`. The seat's processor is free now; if the task waits for nothing but the
/// processor, its worker goes to the back of the ready ones, behind the worker of arrow 11, if there is one.
pub fn suspension_heard(s: &mut State, seat: SeatId, worker: WorkerId) -> Check {
    s.go(seat, worker, &[Arrow::WorkerSuspended], Arrow::SuspensionHeard)?;
    s.seats.find(seat)?.heard = Some(Arrow::SuspensionHeard);
    let ready = s.workers.find(worker)?.task.is_some_and(|task| s.tasks[&task].state == TaskState::Ready);
    if ready { Ok(()) } else { s.go_off(seat, worker, Arrow::SuspensionHeard) }
}

/// Arrow 11, C→W: create worker coroutines only if the pool has not reached its maximum size.
pub fn worker_added(s: &mut State, seat: SeatId, worker: WorkerId) -> Check {
    pool::create(s, seat, worker, Some(Arrow::SuspensionHeard))
}

/// Arrow 15, W→C: `Listener::on_state_changed`.
pub fn error_heard(s: &mut State, seat: SeatId, worker: WorkerId) -> Check {
    s.go(seat, worker, &[Arrow::WorkerErrored], Arrow::ErrorHeard)
}

/// Arrow 16, C→C: reduce the current coroutine count. The worker is gone.
pub fn count_reduced(s: &mut State, seat: SeatId, worker: WorkerId) -> Check {
    s.go_off(seat, worker, Arrow::ErrorHeard)?;
    let it = s.seats.find(seat)?;
    (it.heard, it.workers, s.running) = (Some(Arrow::CountReduced), it.workers - 1, s.running - 1);
    s.workers.remove(&worker);
    Ok(())
}

/// Arrow 17, C→W: recreate a worker coroutine only if the pool has not reached its maximum size.
pub fn worker_recreated(s: &mut State, seat: SeatId, worker: WorkerId) -> Check {
    pool::create(s, seat, worker, Some(Arrow::CountReduced))
}
