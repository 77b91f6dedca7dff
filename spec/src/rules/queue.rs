//! The queues: who waits where, and which task a poll takes.
//!
//! A submission on a seat's own thread goes to that seat's deque, any other to the injector; one with a priority other
//! than 0 goes to the lane of the whole pool. A task that is cancelled leaves its queue at once: the entry that a real
//! queue keeps is a tombstone, and nobody sees it.

use super::{Check, remove, require};
use crate::state::{State, Task, TaskState};
use crate::{PoolState, SeatId, TaskId};

/// A submission is accepted, before any poll can see the task.
pub fn task_accepted(s: &mut State, seat: Option<SeatId>, task: TaskId, priority: i64) -> Check {
    require(s.phase == PoolState::Running, "the pool does not take submissions any more")?;
    require(!s.tasks.contains_key(&task), "this task was submitted before")?;
    require(seat.is_none() || priority == 0, "a task with a priority belongs to no seat")?;
    match seat {
        Some(seat) => s.seat(seat)?.deque.push_back(task),
        None if priority == 0 => s.injector.push_back(task),
        None => {
            let sooner = |other: &TaskId| s.tasks[other].priority <= priority;
            let at = s.lane.partition_point(sooner);
            s.lane.insert(at, task);
        }
    }
    s.tasks.insert(task, Task { priority, ..Task::default() });
    Ok(())
}

/// A submission is rejected: nothing else happens.
pub fn task_rejected(s: &mut State, task: TaskId) -> Check {
    require(s.phase != PoolState::Running, "the pool takes submissions")?;
    require(!s.tasks.contains_key(&task), "this task was accepted before")
}

/// A seat takes a task of another seat's deque to its own: one that never ran. Exact: nothing nearer is due.
pub fn task_stolen(s: &mut State, seat: SeatId, from: SeatId, task: TaskId) -> Check {
    require(!s.params.exact || due(s, seat).contains(&task), "another task was due")?;
    require(seat != from && s.seats.contains_key(&seat), "a seat steals from another one")?;
    let deque = &mut s.seat(from)?.deque;
    require(deque.contains(&task), "the task is not in that seat's deque")?;
    remove(deque, &task);
    s.seat(seat)?.deque.push_back(task);
    Ok(())
}

/// The tasks of which the poll in hand must take one: those of the first source that has any. Only from the deques of
/// others there may be a choice.
pub fn due(s: &State, seat: SeatId) -> Vec<TaskId> {
    let Some(it) = s.seats.get(&seat) else { return Vec::new() };
    let one = |head: Option<&TaskId>| Vec::from_iter(head.copied());
    let urgent = one(s.lane.front().filter(|head| s.tasks[*head].priority < 0));
    let own = one(if s.params.lifo { it.deque.back() } else { it.deque.front() });
    let (injector, lane) = (one(s.injector.front()), one(s.lane.front()));
    let every = |period: u32| period != 0 && it.polls.is_multiple_of(period);
    let ageing = every(s.params.age_every);
    let (bottom, oldest) = (one(it.deque.front()), one(if ageing { s.lane.iter().min() } else { None }));
    let others = s.seats.iter().filter(|(id, _)| **id != seat);
    let others = others.filter_map(|(_, other)| other.deque.front().copied()).collect();
    let order = match () {
        () if ageing => match it.polls / s.params.age_every % 4 {
            1 => [oldest, injector, bottom, others, lane],
            2 => [injector, bottom, others, oldest, lane],
            3 => [bottom, others, oldest, injector, lane],
            _ => [others, oldest, injector, bottom, lane],
        },
        () if every(s.params.injector_every) => [injector, urgent, own, others, lane],
        () => [urgent, own, injector, others, lane],
    };
    order.into_iter().find(|source| !source.is_empty()).unwrap_or_default()
}

/// Whether a poll of this seat can take the task without stealing.
pub(super) fn in_reach(s: &mut State, seat: SeatId, task: TaskId) -> Result<bool, &'static str> {
    let own = s.seat(seat)?.deque.contains(&task);
    Ok(own || s.injector.contains(&task) || s.lane.contains(&task))
}

/// Takes a task out of whatever queue it is in.
pub(super) fn take(s: &mut State, task: TaskId) {
    let deques = s.seats.values_mut().map(|seat| &mut seat.deque);
    for queue in deques.chain([&mut s.injector, &mut s.lane]) {
        remove(queue, &task);
    }
}

/// Takes a task out of its queue for good.
pub(super) fn withdraw(s: &mut State, task: TaskId) -> Check {
    take(s, task);
    s.task(task)?.state = TaskState::Withdrawn;
    Ok(())
}
