//! The pool's arrows to and from its workers: it creates (4), resumes (5), grants an exit (23), and takes back (25).

use super::*;

/// Arrow 4, P→W: create worker coroutines only if the pool has not reached its maximum size.
pub fn worker_created(s: &mut State, seat: SeatId, worker: WorkerId) -> Check {
    s.between_turns(seat)?;
    create(s, seat, worker, None)
}

/// What arrows 4, 11 and 17 share: the reservation of one more worker, by the drive or by who has just heard. Exact: none is at hand that could poll instead.
pub(super) fn create(s: &mut State, seat: SeatId, worker: WorkerId, heard: Option<Arrow>) -> Check {
    require(heard.is_none() || s.seats.find(seat)?.heard == heard, "the creator heard of nothing like that")?;
    require(s.running < s.max, "max_size workers live already")?;
    let needed = |s: &State| s.tasks_wait() && !s.poller_at_hand(seat) || s.running < s.min;
    s.exact(needed, "min_size workers live, and no task waits for one more")?;
    s.drive_on(seat, Arrow::WorkerResumed)?;
    let it = s.seats.find(seat)?;
    it.ready.push_back(worker);
    (it.workers, it.pollers, s.running) = (it.workers + 1, it.pollers + 1, s.running + 1);
    let new = Worker { state: WorkerState::Ready, at: None, seat: Some(seat), task: None, turn: 0 };
    require(s.workers.insert(worker, new).is_none(), "this worker lives already")
}

/// Arrow 5, P→W: schedule the worker coroutines: an idle one, or one of this seat's own. Exact: the first that is ready.
pub fn worker_resumed(s: &mut State, seat: SeatId, worker: WorkerId) -> Check {
    s.between_turns(seat)?;
    let ahead = s.give(seat, worker)?;
    s.exact(|_| ahead == 0, "another worker was ready first")?;
    if !s.leaving(Some(seat)) {
        s.drive_on(seat, Arrow::WorkerResumed)?;
    }
    s.workers.find(worker)?.state = WorkerState::Running;
    let Some(task) = s.workers[&worker].task else { return s.go(seat, worker, &[], Arrow::WorkerResumed) };
    s.tasks.find(task)?.state = TaskState::Running;
    s.go(seat, worker, &[], Arrow::TaskStarted)
}

/// Arrow 23, P→W: yes, there are more workers than `min_size` (than none, once the pool stops). The count is released
/// with this answer. Not exact: a seat that is refused a stack has reserved a count until then, and that was counted too.
pub fn surplus_granted(s: &mut State, seat: SeatId, worker: WorkerId) -> Check {
    let reserved = !s.params.exact && s.seats.values().any(|seat| seat.starved);
    require(s.running > s.floor() || reserved, "min_size workers live")?;
    s.go(seat, worker, &[Arrow::SurplusAsked], Arrow::SurplusGranted)?;
    s.running -= 1;
    Ok(())
}

/// Arrow 25, W→P: return if timeout or schedule fail. The worker idles: a count and a stack that any seat may take.
pub fn worker_returned(s: &mut State, seat: SeatId, worker: WorkerId) -> Check {
    s.take(seat, worker)?;
    s.go_free(seat, worker, Arrow::SurplusAsked, Arrow::WorkerReturned)?;
    s.go_off(seat, worker, Arrow::WorkerReturned)?;
    let it = s.workers.find(worker)?;
    (it.state, it.seat, it.turn) = (WorkerState::Idle, None, 0);
    s.seats.find(seat)?.workers -= 1;
    Ok(())
}
