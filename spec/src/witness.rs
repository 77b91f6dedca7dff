//! What must happen sometimes: situations that the exploration has to have met, or it has shown little.
//!
//! Like the invariants, each is a function of a step: the state before, the event, the state after.

use crate::state::{Place, State, Task, TaskState};
use crate::{Arrow, Cancel, DriveEnd, Event, Goal, Interruption, Outcome, WorkerState};

/// Whether a step is such a situation.
pub type Witness = fn(before: &State, event: &Event, after: &State) -> bool;

/// All of them, by name.
pub const ALL: [(&str, Witness); 25] = [
    ("two seats run tasks at once", |_, _, after| running(after) > 1),
    ("a seat blocks while a task of it waits", |_, event, after| {
        matches!(event, Event::SeatBlocked { .. }) && any(after, |task| matches!(task.state, TaskState::Waiting(_)))
    }),
    ("a blocked seat wakes for work", |before, event, _| match event {
        Event::WorkerResumed { seat, .. } | Event::WorkerCreated { seat, .. } => {
            before.seats[seat].drive == Some(Arrow::SeatBlocked)
        }
        _ => false,
    }),
    ("an idle worker is taken again", |before, event, _| {
        resumed(before, event).is_some_and(|state| state == WorkerState::Idle)
    }),
    ("a worker's turn is over", |before, event, after| {
        matches!(event, Event::WorkerResumed { .. }) && rotated(before, after)
    }),
    ("a drive that waited for one task ends before another has", |_, event, after| {
        matches!(event, Event::ScheduleEnded { seat, end: DriveEnd::AllDone }
            if matches!(after.seats[seat].goal, Goal::Ended(_)) && after.outstanding > 0)
    }),
    ("a queued task is stolen", |_, event, _| matches!(event, Event::TaskStolen { .. })),
    (
        "the count of polls wraps",
        |before, event, after| matches!(event, Event::TaskPolled { seat, .. } if before.seats[seat].polls > after.seats[seat].polls),
    ),
    ("ageing starts a task before a sooner one", |before, event, _| {
        matches!(event, Event::TaskStarted { task, .. }
            if before.queues.values().flatten().any(|other| before.tasks[other].priority < before.tasks[task].priority))
    }),
    ("a task is cancelled before its start", |before, event, _| {
        matches!(event, Event::OutcomePublished { task, outcome: Outcome::Cancelled }
            if before.tasks[task].state == TaskState::Withdrawn)
    }),
    ("a started task unwinds", |_, event, _| matches!(event, Event::TaskUnwound { .. })),
    ("a cancel comes too late", |_, event, _| {
        matches!(event, Event::CancelRequested { answer: Cancel::AlreadyEnded, .. })
    }),
    (
        "a task returns though it was cancelled",
        |before, event, _| matches!(event, Event::OutcomePublished { task, outcome: Outcome::Returned } if before.tasks[task].cancelled),
    ),
    ("a panic's worker is replaced", |_, event, _| matches!(event, Event::WorkerRecreated { .. })),
    ("a suspension's worker is joined by another", |_, event, _| matches!(event, Event::WorkerAdded { .. })),
    ("a surplus worker exits", |_, event, _| matches!(event, Event::WorkerExited { .. })),
    ("a worker whose time is over stays for min_size", |before, event, _| {
        matches!(event, Event::WorkerReturned { worker, .. }
            if before.workers[worker].at == Some(Arrow::SurplusAsked) && before.running <= before.floor())
    }),
    ("a timer fires", |_, event, _| matches!(event, Event::TimerFired { .. })),
    ("a system call goes on while another task runs", |before, event, _| {
        matches!(event, Event::SyscallLeft { .. }) && running(before) > 0
    }),
    ("a parked task is woken", |before, event, _| {
        matches!(event, Event::TaskWoken { task }
            if before.tasks[task].state == TaskState::Waiting(Interruption::Park) && !before.tasks[task].cancelled)
    }),
    ("a drive says that the pool is stalled", |_, event, _| {
        matches!(event, Event::ScheduleEnded { end: DriveEnd::Stalled, .. })
    }),
    ("a submission is rejected", |_, event, _| matches!(event, Event::TaskRejected { .. })),
    (
        "a queued task is abandoned",
        |before, event, _| matches!(event, Event::TaskAbandoned { task } if before.tasks[task].state == TaskState::Queued),
    ),
    (
        "a task that was given up ends on its own",
        |before, event, _| matches!(event, Event::TaskExited { task, .. } if before.tasks[task].outcome.is_some()),
    ),
    (
        "a seat leaves tasks to the injector",
        |before, event, _| matches!(event, Event::SeatLeft { seat } if before.queues.contains_key(&Place::Deque(*seat))),
    ),
];

fn any(state: &State, is: fn(&Task) -> bool) -> bool {
    state.tasks.values().any(is)
}

fn running(state: &State) -> usize {
    state.tasks.values().filter(|task| task.state == TaskState::Running).count()
}

/// The state that a worker is resumed from.
fn resumed(before: &State, event: &Event) -> Option<WorkerState> {
    if let Event::WorkerResumed { worker, .. } = event { Some(before.workers[worker].state) } else { None }
}

/// Whether some worker had the processor before, and is ready and without a task after.
fn rotated(before: &State, after: &State) -> bool {
    before.workers.iter().any(|(id, old)| {
        let new = after.workers.get(id);
        old.at == Some(Arrow::TaskExited) && new.is_some_and(|new| new.at.is_none() || new.turn == 0)
    })
}
