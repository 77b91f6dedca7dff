//! Between worker and task: poll (6), run (7), interrupt (8), exit (12), fail (13), nothing to poll (18); and the
//! outcome, which each accepted task gets exactly once.

use super::*;

/// Arrow 6, W→T: try poll a task.
pub fn task_polled(s: &mut State, seat: SeatId, worker: WorkerId) -> Check {
    require(!s.leaving(Some(seat)), "the seat leaves")?;
    s.go(seat, worker, &[Arrow::WorkerResumed, Arrow::NextPoll], Arrow::TaskPolled)?;
    let it = s.seats.find(seat)?;
    it.polls = if it.polls + 1 == s.params.wrap { 0 } else { it.polls + 1 };
    Ok(())
}

/// Arrow 7, T→T: poll success, run the task. Whether a task is due, says [`queue::due`]. Not exact: a seat that leaves gives its
/// queue to the injector one task after the other, before it has left.
pub fn task_started(s: &mut State, seat: SeatId, worker: WorkerId, task: TaskId) -> Check {
    s.exact(|s| due(s, seat, task), "another task was due")?;
    let place = s.queues.take(&task).ok_or("the task is in no queue that this seat may poll")?;
    let stays = |other| other != seat && (s.params.exact || !s.leaving(Some(other)));
    require(!matches!(place, Place::Deque(other) if stays(other)), "the task is in another seat's deque")?;
    s.go(seat, worker, &[Arrow::TaskPolled], Arrow::TaskStarted)?;
    s.workers.find(worker)?.task = Some(task);
    let it = s.tasks.find(task)?;
    (it.state, it.seat, it.worker) = (TaskState::Running, Some(seat), Some(worker));
    Ok(())
}

/// Arrow 8, T→W: the task is preempted, enters a system call, or suspends itself. Exact: a task that was cancelled waits for
/// nothing; if it only lets others go first, it is thrown at when it comes back.
pub fn task_interrupted(s: &mut State, seat: SeatId, worker: WorkerId, task: TaskId, why: Interruption) -> Check {
    leave(s, seat, worker, task, Arrow::TaskInterrupted)?;
    let waits = !matches!(why, Interruption::Suspend | Interruption::Preempt);
    s.exact(|s| !(waits && s.tasks[&task].cancelled), "a cancelled task waits instead of unwinding")?;
    s.tasks.find(task)?.state = if waits { TaskState::Waiting(why) } else { TaskState::Ready };
    Ok(())
}

/// Arrow 12, T→W: the task exited normally.
pub fn task_exited(s: &mut State, seat: SeatId, worker: WorkerId, task: TaskId) -> Check {
    end(s, seat, worker, task, Arrow::TaskExited, Outcome::Returned)
}

/// Arrow 13, T→W: the task exited abnormally.
pub fn task_failed(s: &mut State, seat: SeatId, worker: WorkerId, task: TaskId) -> Check {
    end(s, seat, worker, task, Arrow::TaskFailed, Outcome::Panicked)
}

/// Beside the arrows: a started task was thrown at and has unwound, since it was cancelled or given up, or its seat leaves.
pub fn task_unwound(s: &mut State, task: TaskId) -> Check {
    require(s.thrown_at(task), "nobody asked it to unwind")?;
    let it = s.tasks.find(task)?;
    let (Some(seat), Some(worker)) = (it.seat, it.worker) else { return Err("the task is on no worker") };
    end(s, seat, worker, task, Arrow::TaskExited, Outcome::Cancelled)
}

/// Arrow 18, T→W: poll fail, increase count and yield to the next coroutine. Exact: nothing is there to poll.
pub fn poll_failed(s: &mut State, seat: SeatId, worker: WorkerId) -> Check {
    s.exact(|s| !s.tasks_wait(), "there is a task to poll")?;
    s.go(seat, worker, &[Arrow::TaskPolled], Arrow::PollFailed)
}

/// Beside the arrows: the outcome is published. A task that was thrown at, swallowed it and returned, is cancelled; one that
/// has unwound since its seat leaves, is abandoned.
pub fn outcome_published(s: &mut State, task: TaskId, outcome: Outcome) -> Check {
    let leaving = s.leaving(s.tasks.get(&task).and_then(|task| task.seat));
    let it = s.tasks.find(task)?;
    require(it.outcome.is_none(), "the task has its outcome already")?;
    let ended = |how| it.state == TaskState::Finished(how);
    let right = match outcome {
        Outcome::Abandoned => it.abandoned || leaving && ended(Outcome::Cancelled),
        Outcome::Cancelled if it.state == TaskState::Withdrawn => it.cancelled,
        Outcome::Cancelled => it.cancelled && (ended(outcome) || ended(Outcome::Returned)),
        Outcome::Returned | Outcome::Panicked => ended(outcome),
    };
    require(right && (!it.abandoned || outcome == Outcome::Abandoned), "this is not how the task ended")?;
    it.outcome = Some(outcome);
    s.outstanding -= 1;
    if let TaskState::Finished(_) = it.state { s.let_go(task) } else { Ok(()) }
}

/// The task that runs on this worker gives it the processor back.
fn leave(s: &mut State, seat: SeatId, worker: WorkerId, task: TaskId, to: Arrow) -> Check {
    require(s.workers.find(worker)?.task == Some(task), "the worker holds another task")?;
    s.go(seat, worker, &[Arrow::TaskStarted], to)
}

/// The body is over. The worker holds the task until its outcome is published, if it was not before.
fn end(s: &mut State, seat: SeatId, worker: WorkerId, task: TaskId, to: Arrow, outcome: Outcome) -> Check {
    leave(s, seat, worker, task, to)?;
    s.workers.find(worker)?.turn += 1;
    let it = s.tasks.find(task)?;
    (it.state, it.timer, it.call) = (TaskState::Finished(outcome), None, None);
    if it.outcome.is_some() { s.let_go(task) } else { Ok(()) }
}
