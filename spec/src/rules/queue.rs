//! The queues: who waits where, and which task a poll takes.
//!
//! A submission on a seat's own thread goes to that seat's deque, any other to the injector; one with a priority other
//! than 0 goes to the lane of the whole pool. A task that is cancelled leaves its queue at once: the entry that a real
//! queue keeps is a tombstone, and nobody sees it.

use super::*;

/// A submission is accepted, before any poll can see the task.
pub fn task_accepted(s: &mut State, seat: Option<SeatId>, task: TaskId, priority: i64) -> Check {
    require(s.phase == PoolState::Running, "the pool does not take submissions any more")?;
    require(seat.is_none() || priority == 0, "a task with a priority belongs to no seat")?;
    let shared = if priority == 0 { Place::Injector } else { Place::Lane(priority) };
    let place = seat.map_or(shared, Place::Deque);
    require(seat.is_none_or(|seat| s.seats.contains_key(&seat)), "there is no such seat")?;
    let submitted = s.tasks.insert(task, Task { priority, ..Task::default() });
    require(submitted.is_none(), "this task was submitted before")?;
    s.outstanding += 1;
    s.queues.push(place, task);
    Ok(())
}

/// A submission is rejected: nothing else happens.
pub fn task_rejected(s: &mut State, task: TaskId) -> Check {
    require(s.phase != PoolState::Running, "the pool takes submissions")?;
    require(!s.tasks.contains_key(&task), "this task was accepted before")
}

/// A seat takes a task of another seat's deque to its own: one that never ran. Exact: nothing nearer is due.
pub fn task_stolen(s: &mut State, seat: SeatId, from: SeatId, task: TaskId) -> Check {
    s.exact(|s| due(s, seat, task), "another task was due")?;
    require(seat != from && s.seats.contains_key(&seat), "a seat steals from another one")?;
    require(s.queues.take(&task) == Some(Place::Deque(from)), "the task is not in that seat's deque")?;
    s.queues.push(Place::Deque(seat), task);
    Ok(())
}

/// Whether the poll in hand may take this task: the head of the queue that it looks at first. Only from the deques of others
/// there may be a choice.
pub fn due(s: &State, seat: SeatId, task: TaskId) -> bool {
    let polls = s.seats.get(&seat).map_or(0, |seat| seat.polls);
    let every = |period: u32| period != 0 && polls.is_multiple_of(period);
    let (ages, injects) = (|| every(s.params.age_every), || every(s.params.injector_every));
    // An ageing poll looks at other deques, lane, injector and own deque in a ring, each time from the next one on.
    let ring = |source: u32| (source + 4 - polls / s.params.age_every % 4) % 4;
    let rank = |(place, head): (Place, TaskId)| match place {
        Place::Lane(_) if ages() => (ring(1), head.0 as i64),
        Place::Injector if ages() => (ring(2), 0),
        Place::Deque(at) if ages() => (ring(if at == seat { 3 } else { 0 }), 0),
        Place::Injector => (if injects() { 0 } else { 3 }, 0),
        Place::Lane(priority) => (if priority < 0 { 1 } else { 5 }, priority),
        Place::Deque(at) => (if at == seat { 2 } else { 4 }, 0),
    };
    let lifo = |place: Place| s.params.lifo && !ages() && place == Place::Deque(seat);
    let heads = s.queues.iter().map(|(&place, queue)| (place, queue[if lifo(place) { queue.len() - 1 } else { 0 }]));
    let first = |it| s.queues.len() == 1 || heads.clone().all(|other| other == it || rank(it) <= rank(other));
    heads.clone().any(|it| it.1 == task && first(it))
}

/// Takes a task out of its queue for good.
pub(super) fn withdraw(s: &mut State, task: TaskId) -> Check {
    s.queues.take(&task);
    s.tasks.find(task)?.state = TaskState::Withdrawn;
    Ok(())
}
