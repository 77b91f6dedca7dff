//! The queues: who waits where, and which task a poll takes.
//!
//! A submission on a seat's own thread goes to that seat's deque, any other to the injector; one with a priority other
//! than 0 goes to the lane of the whole pool. A task that is cancelled leaves its queue at once: the entry that a real
//! queue keeps is a tombstone, and nobody sees it.

use super::*;

/// A submission is accepted, before any poll can see the task.
pub fn task_accepted(s: &mut State, seat: Option<SeatId>, task: TaskId, priority: i64) -> Check {
    require(s.phase == PoolState::Running, "the pool does not take submissions any more")?;
    require(!s.tasks.contains_key(&task), "this task was submitted before")?;
    require(seat.is_none() || priority == 0, "a task with a priority belongs to no seat")?;
    let place = match seat {
        Some(seat) => Place::Deque(seat),
        None if priority == 0 => Place::Injector,
        None => Place::Lane(priority),
    };
    require(seat.is_none_or(|seat| s.seats.contains_key(&seat)), "there is no such seat")?;
    s.tasks.insert(task, Task { priority, ..Task::default() });
    s.queues.get_or_default(place).push_back(task);
    Ok(())
}

/// A submission is rejected: nothing else happens.
pub fn task_rejected(s: &mut State, task: TaskId) -> Check {
    require(s.phase != PoolState::Running, "the pool takes submissions")?;
    require(!s.tasks.contains_key(&task), "this task was accepted before")
}

/// A seat takes a task of another seat's deque to its own: one that never ran. Exact: nothing nearer is due.
pub fn task_stolen(s: &mut State, seat: SeatId, from: SeatId, task: TaskId) -> Check {
    s.exact(|s| due(s, seat).contains(&task), "another task was due")?;
    require(seat != from && s.seats.contains_key(&seat), "a seat steals from another one")?;
    require(dequeue(s, task) == Some(Place::Deque(from)), "the task is not in that seat's deque")?;
    s.queues.get_or_default(Place::Deque(seat)).push_back(task);
    Ok(())
}

/// The tasks of which the poll in hand must take one: those of the first source that has any. Only from the deques of
/// others there may be a choice.
pub fn due(s: &State, seat: SeatId) -> Vec<TaskId> {
    let polls = s.seats.get(&seat).map_or(0, |seat| seat.polls);
    let heads = |of: fn(&Place, Place) -> bool| -> Vec<TaskId> {
        let queues = s.queues.iter().filter(|(place, _)| of(place, Place::Deque(seat)));
        queues.filter_map(|(_, queue)| queue.front().copied()).collect()
    };
    let one = |task: Option<&TaskId>| Vec::from_iter(task.copied());
    let lanes = heads(|place, _| *place < Place::Injector);
    let (lane, oldest) = (one(lanes.first()), one(lanes.iter().min()));
    let urgent = one(heads(|place, _| *place < Place::Lane(0)).first());
    let injector = heads(|place, _| *place == Place::Injector);
    let bottom = heads(|place, own| *place == own);
    let top = one(s.queues.get(&Place::Deque(seat)).and_then(VecDeque::back));
    let own = if s.params.lifo { top } else { bottom.clone() };
    let others = heads(|place, own| *place > Place::Injector && *place != own);
    let every = |period: u32| period != 0 && polls.is_multiple_of(period);
    let order = match () {
        () if every(s.params.age_every) => match polls / s.params.age_every % 4 {
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

/// Takes a task out of its queue, and says which that was.
pub(super) fn dequeue(s: &mut State, task: TaskId) -> Option<Place> {
    let place = s.queues.iter().find(|(_, queue)| queue.contains(&task)).map(|(place, _)| *place)?;
    let queue = s.queues.get_mut(&place)?;
    remove(queue, &task);
    if queue.is_empty() {
        s.queues.remove(&place);
    }
    Some(place)
}

/// Takes a task out of its queue for good.
pub(super) fn withdraw(s: &mut State, task: TaskId) -> Check {
    dequeue(s, task);
    s.task(task)?.state = TaskState::Withdrawn;
    Ok(())
}
