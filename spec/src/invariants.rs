//! What must always hold: S1–S9, each a function of a step: the state before, the event, the state after.
//!
//! They repeat nothing of the rules on purpose: a rule that is wrong is to be caught here. That they hold of every step
//! from every reachable state is what the exploration shows; that each can fail, what the negative tests show.

use crate::{state::*, vocabulary::*};

/// Whether a step keeps an invariant.
pub type Invariant = fn(before: &State, event: &Event, after: &State) -> bool;

/// All of them, by name.
pub const ALL: [(&str, Invariant); 9] = [
    ("S1 running stays within max_size", s1_running_within_max),
    ("S2 one start and one outcome", s2_one_start_one_outcome),
    ("S3 stopped means nothing runs", s3_stopped_is_still),
    ("S4 the count is the number of workers", s4_count_is_exact),
    ("S5 a started task keeps its thread", s5_started_tasks_stay),
    ("S6 order and fairness", s6_order),
    ("S7 no worker without need", s7_created_in_need),
    ("S8 no exit with a task in hand", s8_no_exit_with_a_task),
    ("S9 a rejection has no effect", s9_rejection_is_nothing),
];

/// The first invariant that a step breaks.
pub fn broken(before: &State, event: &Event, after: &State) -> Option<&'static str> {
    ALL.iter().find(|(_, holds)| !holds(before, event, after)).map(|(name, _)| *name)
}

/// S1: at its reservation a worker is within `max_size`. Only a change of the limits can leave more.
pub fn s1_running_within_max(before: &State, _: &Event, after: &State) -> bool {
    after.running <= before.running || after.running <= after.max
}

/// S2: an accepted task starts at most once and gets exactly one outcome, which stays; it has one when all is over.
pub fn s2_one_start_one_outcome(before: &State, event: &Event, after: &State) -> bool {
    let (was, now) = (|task: &TaskId| before.tasks.get(task), |task: &TaskId| after.tasks.get(task));
    let first = match event {
        Event::TaskStarted { task, .. } => was(task).is_some_and(|it| it.state == TaskState::Queued),
        Event::OutcomePublished { task, outcome } => {
            was(task).is_some_and(|it| it.outcome.is_none()) && now(task).is_some_and(|it| it.outcome == Some(*outcome))
        }
        _ => true,
    };
    let stays = |old: &Task, new: &Task| old.outcome.is_none() || old.outcome == new.outcome;
    first && before.tasks.iter().all(|(id, old)| now(id).is_some_and(|new| stays(old, new)))
}

/// S3: after Stopped nothing runs, no worker lives, no waiter waits.
pub fn s3_stopped_is_still(_: &State, _: &Event, after: &State) -> bool {
    let seats = || after.seats.values().all(|seat| seat.on.is_none() && seat.ready.is_empty());
    let still = || seats() && after.workers.is_empty() && after.running == 0 && after.outstanding == 0;
    after.phase != PoolState::Stopped || still()
}

/// S4: `running` is the number of live workers whenever no arrow is in flight: between 23 and 24 it is one behind. The other
/// counts, too, are what counting gives.
pub fn s4_count_is_exact(_: &State, _: &Event, after: &State) -> bool {
    let counted = after.workers.values().filter(|worker| worker.at != Some(Arrow::SurplusGranted)).count();
    let open = after.tasks.values().filter(|task| task.outcome.is_none()).count();
    let own = |seat: &SeatId| after.workers.values().filter(|worker| worker.seat == Some(*seat)).count();
    let polls = |id: &&WorkerId| after.workers.get(id).is_some_and(|worker| worker.task.is_none());
    let pollers = |seat: &Seat| seat.ready.iter().chain(&seat.woken).filter(polls).count();
    let right = |(id, seat): (&SeatId, &Seat)| seat.workers == own(id) && seat.pollers == pollers(seat);
    usize::try_from(after.running) == Ok(counted) && after.outstanding == open && after.seats.iter().all(right)
}

/// S5: a started task never changes its thread: neither its seat, nor the seat of the worker that holds it.
pub fn s5_started_tasks_stay(before: &State, _: &Event, after: &State) -> bool {
    before.tasks.iter().filter(|(_, old)| old.seat.is_some()).all(|(id, old)| {
        let new = after.tasks.get(id);
        let holder = new.and_then(|new| new.worker).and_then(|worker| after.workers.get(&worker));
        new.is_some_and(|new| new.seat == old.seat) && holder.is_none_or(|holder| holder.seat == old.seat)
    })
}

/// S6: ready workers take turns, first come first served, and no turn is longer than its bound. An ordinary poll takes
/// the soonest: below 0 by priority, own deque, injector, what others have, above 0 by priority; first come first served
/// within each. An injector poll takes the injector's oldest, if there is one; an ageing poll the oldest of its source.
pub fn s6_order(before: &State, event: &Event, after: &State) -> bool {
    let bounded = after.workers.values().all(|worker| worker.turn <= after.params.polls_per_turn);
    let in_order = match event {
        Event::TaskStarted { seat, task, .. } => taken_in_order(before, *seat, *task),
        Event::WorkerResumed { seat, worker } => {
            let seat = &before.seats[seat];
            let first = seat.ready.front().or(seat.woken.front().filter(|_| seat.on.is_none()));
            before.workers[worker].state == WorkerState::Idle || first.is_none_or(|first| first == worker)
        }
        _ => true,
    };
    !before.params.exact || bounded && in_order
}

fn taken_in_order(s: &State, seat: SeatId, task: TaskId) -> bool {
    let (polls, params, own) = (s.seats[&seat].polls, s.params, Place::Deque(seat));
    if params.age_every != 0 && polls % params.age_every == 0 {
        let source = |place: Place| match polls / params.age_every % 4 {
            0 => matches!(place, Place::Deque(other) if other != seat),
            1 => matches!(place, Place::Lane(_)),
            2 => place == Place::Injector,
            _ => place == own,
        };
        let heads = s.queues.iter().filter(|(place, _)| source(**place)).map(|(_, queue)| queue[0]);
        return heads.min().is_none_or(|oldest| oldest == task);
    }
    let injects = params.injector_every != 0 && polls % params.injector_every == 0;
    if injects && let Some(injector) = s.queues.get(&Place::Injector) {
        return injector[0] == task;
    }
    let rank = |place: Place| match place {
        Place::Lane(priority) => (if priority < 0 { 0 } else { 4 }, priority),
        Place::Deque(other) => (if other == seat { 1 } else { 3 }, 0),
        Place::Injector => (2, 0),
    };
    let Some((&place, queue)) = s.queues.iter().find(|(_, queue)| queue.contains(&task)) else { return false };
    let next = if params.lifo && place == own { queue.back() } else { queue.front() };
    next == Some(&task) && s.queues.keys().all(|other| rank(place) <= rank(*other))
}

/// S7: when a worker was created, a task waited, or `running < min_size`.
pub fn s7_created_in_need(before: &State, _: &Event, after: &State) -> bool {
    let created = after.workers.keys().any(|id| !before.workers.contains_key(id));
    !(before.params.exact && created) || before.tasks_wait() || before.running < before.min
}

/// S8: a worker that holds a task never leaves by arrow 24.
pub fn s8_no_exit_with_a_task(before: &State, event: &Event, _: &State) -> bool {
    let (Event::SurplusGranted { worker, .. } | Event::WorkerExited { worker, .. }) = event else { return true };
    before.workers.get(worker).is_some_and(|worker| worker.task.is_none())
}

/// S9: a rejected submission has no effect.
pub fn s9_rejection_is_nothing(before: &State, event: &Event, after: &State) -> bool {
    let Event::TaskRejected { task } = event else { return true };
    before == after && !after.tasks.contains_key(task)
}
