//! Beside the arrows: what ends a task's wait. Timers, wake-ups, and system calls on their helper threads.

use super::*;

/// A task arms a timer, on its way into a wait. If the wait does not come about, its next one arms anew. Not exact: another
/// thread may have ended the wait by then, before its worker is suspended, and the timer is for nothing.
pub fn timer_armed(s: &mut State, seat: SeatId, task: TaskId, at: Tick) -> Check {
    let it = s.tasks.find(task)?;
    require(it.seat == Some(seat), "the task belongs to another seat")?;
    let (over, worker) = (it.state == TaskState::Ready, it.worker.and_then(|worker| s.workers.get(&worker)));
    let leaves = worker.is_some_and(|on| matches!(on.at, Some(Arrow::TaskStarted | Arrow::TaskInterrupted)));
    require(leaves && !(over && s.params.exact), "the task is not on its way into a wait")?;
    require(it.timer.is_none() || it.state == TaskState::Running, "the task has a timer already")?;
    it.timer = Some(at).filter(|_| !over);
    Ok(())
}

/// A timer ends its task's wait. Its seat looks at it between two turns; a worker whose turn is over may still be on its way
/// to the back.
pub fn timer_fired(s: &mut State, seat: SeatId, task: TaskId) -> Check {
    let on = s.seats.find(seat)?.on.and_then(|worker| s.workers.get(&worker));
    if !on.is_some_and(|on| on.at == Some(Arrow::TaskExited) && on.task.is_none()) {
        s.between_turns(seat)?;
    }
    let it = s.tasks.find(task)?;
    require(it.seat == Some(seat) && it.timer.is_some(), "the task has no timer on this seat")?;
    end_wait(s, task)
}

/// Somebody took a waiting task's wait and wakes it. A delay ends early, and a system call before it was entered, only
/// for a task that is cancelled or given up.
pub fn task_woken(s: &mut State, task: TaskId) -> Check {
    let thrown = s.thrown_at(task);
    let it = s.tasks.find(task)?;
    let waits = |why| it.state == TaskState::Waiting(why);
    let left = it.call == Some(Arrow::SyscallLeft) || it.call.is_none() && thrown;
    require(thrown || !waits(Interruption::Delay), "the delay is not over")?;
    require(left || !waits(Interruption::Syscall), "the system call is not over")?;
    end_wait(s, task)
}

/// A task, or a helper thread in its name, enters a system call.
pub fn syscall_entered(s: &mut State, task: TaskId, _name: &'static str) -> Check {
    let it = s.tasks.find(task)?;
    let there = matches!(it.state, TaskState::Running | TaskState::Waiting(Interruption::Syscall));
    require(there && it.call != Some(Arrow::SyscallLeft), "the task is not on its way into a system call")?;
    it.call = Some(Arrow::SyscallEntered);
    Ok(())
}

/// The system call is over: now its task may be woken, or unwound.
pub fn syscall_left(s: &mut State, task: TaskId) -> Check {
    let it = s.tasks.find(task)?;
    require(it.call == Some(Arrow::SyscallEntered), "the task is in no system call")?;
    it.call = if it.state == TaskState::Running { None } else { Some(Arrow::SyscallLeft) };
    Ok(())
}

/// A task ran for longer than its slice.
pub fn overran(s: &mut State, seat: SeatId, task: TaskId) -> Check {
    let it = s.tasks.find(task)?;
    require(it.seat == Some(seat) && it.state == TaskState::Running, "the task does not run on this seat")
}

/// The task waits for nothing but the processor: if its worker rests, that is ready now.
fn end_wait(s: &mut State, task: TaskId) -> Check {
    let it = s.tasks.find(task)?;
    require(matches!(it.state, TaskState::Waiting(_)), "the task does not wait")?;
    (it.state, it.timer, it.call) = (TaskState::Ready, None, None);
    let (Some(seat), Some(worker)) = (it.seat, it.worker) else { return Err("the task is on no worker") };
    let it = s.workers.find(worker)?;
    if it.at.is_none() {
        it.state = WorkerState::Ready;
        s.seats.find(seat)?.woken.push_back(worker);
    }
    Ok(())
}
