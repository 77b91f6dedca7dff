//! Between worker and task: poll (6), run (7), interrupt (8), exit (12), fail (13), nothing to poll (18); and the
//! outcome, which each accepted task gets exactly once.

use super::queue;
use super::{Check, require};
use crate::state::{State, TaskState};
use crate::{Arrow, Interruption, Outcome, SeatId, TaskId, WorkerId};

/// Arrow 6, W→T: try poll a task.
pub fn task_polled(s: &mut State, seat: SeatId, worker: WorkerId) -> Check {
    require(!s.leaving(Some(seat)), "the seat leaves")?;
    s.go(seat, worker, &[Arrow::WorkerResumed, Arrow::NextPoll], Arrow::TaskPolled)?;
    let wrap = s.params.wrap;
    let it = s.seat(seat)?;
    it.polls = (it.polls + 1) % wrap;
    Ok(())
}

/// Arrow 7, T→T: poll success, run the task. Which task is due, says [`queue::due`].
pub fn task_started(s: &mut State, seat: SeatId, worker: WorkerId, task: TaskId) -> Check {
    let in_reach = queue::in_reach(s, seat, task)?;
    require(in_reach, "the task is in no queue that this seat may poll")?;
    require(!s.params.exact || queue::due(s, seat).contains(&task), "another task was due")?;
    s.go(seat, worker, &[Arrow::TaskPolled], Arrow::TaskStarted)?;
    queue::take(s, task);
    s.worker(worker)?.task = Some(task);
    let it = s.task(task)?;
    require(it.state == TaskState::Queued, "the task has started, or was withdrawn")?;
    (it.state, it.seat, it.worker) = (TaskState::Running, Some(seat), Some(worker));
    Ok(())
}

/// Arrow 8, T→W: the task is preempted, enters a system call, or suspends itself. Exact: a task that was cancelled waits for
/// nothing; if it only lets others go first, it is thrown at when it comes back.
pub fn task_interrupted(s: &mut State, seat: SeatId, worker: WorkerId, task: TaskId, why: Interruption) -> Check {
    let exact = s.params.exact;
    leave(s, seat, worker, task, Arrow::TaskInterrupted)?;
    let it = s.task(task)?;
    it.state = match why {
        Interruption::Suspend | Interruption::Preempt => TaskState::Ready,
        _ => TaskState::Waiting(why),
    };
    let waits = it.state == TaskState::Waiting(why);
    require(!(exact && it.cancelled && waits), "a cancelled task waits instead of unwinding")
}

/// Arrow 12, T→W: the task exited normally.
pub fn task_exited(s: &mut State, seat: SeatId, worker: WorkerId, task: TaskId) -> Check {
    leave(s, seat, worker, task, Arrow::TaskExited)?;
    finish(s, worker, task, Outcome::Returned)
}

/// Arrow 13, T→W: the task exited abnormally.
pub fn task_failed(s: &mut State, seat: SeatId, worker: WorkerId, task: TaskId) -> Check {
    leave(s, seat, worker, task, Arrow::TaskFailed)?;
    finish(s, worker, task, Outcome::Panicked)
}

/// Beside the arrows: a started task was thrown at and has unwound, since it was cancelled or given up, or its seat leaves.
pub fn task_unwound(s: &mut State, task: TaskId) -> Check {
    let it = s.task(task)?;
    let (asked, seat, worker) = (it.cancelled || it.abandoned, it.seat, it.worker.ok_or("the task is on no worker")?);
    require(asked || s.leaving(seat), "nobody asked it to unwind")?;
    leave(s, seat.ok_or("the task is on no seat")?, worker, task, Arrow::TaskExited)?;
    finish(s, worker, task, Outcome::Cancelled)
}

/// Arrow 18, T→W: poll fail, increase count and yield to the next coroutine. Exact: nothing is there to poll.
pub fn poll_failed(s: &mut State, seat: SeatId, worker: WorkerId) -> Check {
    require(!s.params.exact || queue::due(s, seat).is_empty(), "there is a task to poll")?;
    s.go(seat, worker, &[Arrow::TaskPolled], Arrow::PollFailed)
}

/// Beside the arrows: the outcome is published. A task that was thrown at, swallowed it and returned, is cancelled; one that
/// has unwound since its seat leaves, is abandoned.
pub fn outcome_published(s: &mut State, task: TaskId, outcome: Outcome) -> Check {
    let leaving = s.leaving(s.tasks.get(&task).and_then(|task| task.seat));
    let it = s.task(task)?;
    require(it.outcome.is_none(), "the task has its outcome already")?;
    let right = match outcome {
        Outcome::Abandoned => it.abandoned || leaving && it.state == TaskState::Finished(Outcome::Cancelled),
        Outcome::Returned | Outcome::Panicked => it.state == TaskState::Finished(outcome),
        Outcome::Cancelled => match it.state {
            TaskState::Withdrawn | TaskState::Finished(Outcome::Returned) => it.cancelled,
            state => it.cancelled && state == TaskState::Finished(Outcome::Cancelled),
        },
    };
    require(right && (!it.abandoned || outcome == Outcome::Abandoned), "this is not how the task ended")?;
    it.outcome = Some(outcome);
    if let (TaskState::Finished(_), Some(worker)) = (it.state, it.worker) {
        let_go(s, worker, task)?;
    }
    Ok(())
}

/// The task that runs on this worker gives it the processor back.
fn leave(s: &mut State, seat: SeatId, worker: WorkerId, task: TaskId, to: Arrow) -> Check {
    require(s.worker(worker)?.task == Some(task), "the worker holds another task")?;
    s.go(seat, worker, &[Arrow::TaskStarted], to)
}

/// The body is over. The worker holds the task until its outcome is published, if it was not before.
fn finish(s: &mut State, worker: WorkerId, task: TaskId, outcome: Outcome) -> Check {
    s.worker(worker)?.turn += 1;
    let it = s.task(task)?;
    (it.state, it.timer, it.call) = (TaskState::Finished(outcome), None, None);
    if it.outcome.is_some() { let_go(s, worker, task) } else { Ok(()) }
}

fn let_go(s: &mut State, worker: WorkerId, task: TaskId) -> Check {
    s.worker(worker)?.task = None;
    s.task(task)?.worker = None;
    Ok(())
}
