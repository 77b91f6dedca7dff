//! Beside the arrows: what ends a task's wait. Timers, wake-ups, and system calls on their helper threads.

use super::{Check, require};
use crate::state::{State, TaskState};
use crate::{Arrow, Interruption, SeatId, TaskId, Tick};

/// A task arms a timer, on its way into a wait. If the wait does not come about, its next one arms anew.
pub fn timer_armed(s: &mut State, seat: SeatId, task: TaskId, at: Tick) -> Check {
    let it = s.task(task)?;
    require(it.seat == Some(seat), "the task belongs to another seat")?;
    require(matches!(it.state, TaskState::Running | TaskState::Waiting(_)), "the task is not on its way into a wait")?;
    require(it.timer.is_none() || it.state == TaskState::Running, "the task has a timer already")?;
    it.timer = Some(at);
    Ok(())
}

/// A timer ends its task's wait. Its seat looks at it between two turns.
pub fn timer_fired(s: &mut State, seat: SeatId, task: TaskId) -> Check {
    s.looks(seat)?;
    let it = s.task(task)?;
    require(it.seat == Some(seat), "the task belongs to another seat")?;
    require(it.timer.is_some(), "the task has no timer")?;
    end_wait(s, task)
}

/// Somebody took a waiting task's wait and wakes it. A delay ends early, and a system call before it was entered, only
/// for a task that is cancelled or given up.
pub fn task_woken(s: &mut State, task: TaskId) -> Check {
    let leaving = s.leaving(s.tasks.get(&task).and_then(|task| task.seat));
    let it = s.task(task)?;
    let thrown = it.cancelled || it.abandoned || leaving;
    let may = match it.state {
        TaskState::Waiting(Interruption::Delay) => thrown,
        TaskState::Waiting(Interruption::Syscall) => it.call == Some(Arrow::SyscallLeft) || it.call.is_none() && thrown,
        _ => true,
    };
    require(may, "what it waits for is not over")?;
    end_wait(s, task)
}

/// A task, or a helper thread in its name, enters a system call.
pub fn syscall_entered(s: &mut State, task: TaskId, _name: &'static str) -> Check {
    let it = s.task(task)?;
    let there = matches!(it.state, TaskState::Running | TaskState::Waiting(Interruption::Syscall));
    require(there && it.call != Some(Arrow::SyscallLeft), "the task is not on its way into a system call")?;
    it.call = Some(Arrow::SyscallEntered);
    Ok(())
}

/// The system call is over: now its task may be woken, or unwound.
pub fn syscall_left(s: &mut State, task: TaskId) -> Check {
    let it = s.task(task)?;
    require(it.call == Some(Arrow::SyscallEntered), "the task is in no system call")?;
    it.call = if it.state == TaskState::Running { None } else { Some(Arrow::SyscallLeft) };
    Ok(())
}

/// A task ran for longer than its slice.
pub fn overran(s: &mut State, seat: SeatId, task: TaskId) -> Check {
    let it = s.task(task)?;
    require(it.seat == Some(seat) && it.state == TaskState::Running, "the task does not run on this seat")
}

fn end_wait(s: &mut State, task: TaskId) -> Check {
    let it = s.task(task)?;
    require(matches!(it.state, TaskState::Waiting(_)), "the task does not wait")?;
    (it.state, it.timer, it.call) = (TaskState::Ready, None, None);
    let worker = it.worker.ok_or("the task is on no worker")?;
    s.rouse(worker)
}
