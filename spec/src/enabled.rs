//! What may happen next: [`enabled`] asks the rules about every event that could be meant.
//!
//! Where a rule leaves a number to the user or to the clock (a priority, a limit, a due time), or a name to the pool (a new
//! worker), one stands for all: exploring the rest would show nothing new.

use crate::state::{Place, State, TaskState};
use crate::{
    Arrow, Cancel, DriveEnd, Event, Goal, Interruption, Outcome, PoolId, PoolState, SeatId, TaskId, Tick, WorkerId,
    WorkerState, step,
};

/// Every event that a rule allows in this state, of the pool itself and of its users.
#[must_use]
pub fn enabled(state: &State) -> Vec<Event> {
    let mut events = Vec::new();
    of_pool(state, &mut events);
    of_users(state, &mut events);
    events.retain(|event| step(state.clone(), event).is_ok());
    events
}

/// What seats, workers and creators may do next: candidates, some of which a rule refuses. Left out is what changes
/// nothing: an idle worker that is resumed with no task to poll, a call's end that only repeats it.
pub fn of_pool(s: &State, events: &mut Vec<Event>) {
    for (&seat, it) in &s.seats {
        match (it.drive, it.on) {
            (_, Some(worker)) => of_worker(s, seat, worker, events),
            (None, _) => {
                let goals = [Goal::Ready, Goal::Drained, Goal::Stopped].into_iter();
                let goals = goals.chain(s.tasks.keys().map(|task| Goal::Ended(*task)));
                events.extend(goals.map(|until| Event::ScheduleCalled { seat, until }));
            }
            (Some(Arrow::SeatLeaving), _) => {
                let ready = it.ready.iter().chain(&it.woken);
                events.extend(ready.map(|&worker| Event::WorkerResumed { seat, worker }));
                pollers(s, seat, |worker| events.push(Event::TimeOver { seat, worker }));
            }
            (Some(Arrow::ScheduleEnded), _) => events.push(Event::ThreadResumed { seat }),
            (Some(Arrow::NothingToDo), _) => ends(s, seat, events),
            (drive, _) => {
                if drive == Some(Arrow::ScheduleCalled) {
                    events.extend([Event::ScheduleRefused { seat }, Event::NothingToDo { seat }]);
                }
                of_free_seat(s, seat, events);
                ends(s, seat, events);
                if drive != Some(Arrow::SeatBlocked) {
                    events.push(Event::SeatBlocked { seat });
                }
            }
        }
    }
}

/// A driven seat whose processor is free.
fn of_free_seat(s: &State, seat: SeatId, events: &mut Vec<Event>) {
    let it = &s.seats[&seat];
    let worker = fresh(s);
    events.push(match it.heard {
        Some(Arrow::SuspensionHeard) => Event::WorkerAdded { seat, worker },
        Some(Arrow::CountReduced) => Event::WorkerRecreated { seat, worker },
        _ => Event::WorkerCreated { seat, worker },
    });
    let ready = it.ready.iter().chain(&it.woken).chain(&it.on);
    events.extend(ready.map(|&worker| Event::WorkerResumed { seat, worker }));
    let idle = || s.workers.iter().filter(|(_, w)| w.state == WorkerState::Idle && w.seat.is_none()).map(|(id, _)| *id);
    if s.tasks_wait() {
        events.extend(idle().map(|worker| Event::WorkerResumed { seat, worker }));
    }
    if s.running > s.floor() {
        events.extend(idle().map(|worker| Event::TimeOver { seat, worker }));
        pollers(s, seat, |worker| events.push(Event::TimeOver { seat, worker }));
    }
    timers(s, seat, events);
}

fn timers(s: &State, seat: SeatId, events: &mut Vec<Event>) {
    events.extend(s.tasks.iter().filter(|(_, t)| t.timer.is_some()).map(|(&task, _)| Event::TimerFired { seat, task }));
}

/// The smallest number that no live worker bears.
fn fresh(s: &State) -> WorkerId {
    let taken = s.workers.keys().zip(0..).take_while(|(id, at)| id.0 == *at).count();
    WorkerId(taken as u64)
}

fn pollers(s: &State, seat: SeatId, mut then: impl FnMut(WorkerId)) {
    s.seats[&seat].ready.iter().filter(|id| s.workers[id].task.is_none()).for_each(|id| then(*id));
}

fn ends(s: &State, seat: SeatId, events: &mut Vec<Event>) {
    let mut end = |end| events.push(Event::ScheduleEnded { seat, end });
    end(DriveEnd::AllDone);
    end(DriveEnd::Deadline);
    end(DriveEnd::Waiting { until: s.next_timer(seat) });
    if s.phase != PoolState::Running {
        end(DriveEnd::Stopped);
    }
    end(DriveEnd::Stalled);
}

/// The worker that has the processor of a seat.
fn of_worker(s: &State, seat: SeatId, worker: WorkerId, events: &mut Vec<Event>) {
    let it = &s.workers[&worker];
    let back = [Event::TimeOver { seat, worker }, Event::WorkerReturned { seat, worker }];
    let Some(at) = it.at else { return };
    match at {
        Arrow::WorkerResumed | Arrow::TaskExited if s.leaving(Some(seat)) => events.extend(back),
        Arrow::WorkerResumed | Arrow::NextPoll => events.push(Event::TaskPolled { seat, worker }),
        Arrow::TaskPolled => {
            events.push(Event::PollFailed { seat, worker });
            for (&place, queue) in s.queues.iter() {
                events.extend(queue.iter().map(|&task| match place {
                    Place::Deque(from) if from != seat => Event::TaskStolen { seat, from, task },
                    _ => Event::TaskStarted { seat, worker, task },
                }));
            }
        }
        Arrow::TaskInterrupted => {
            let task = it.task.and_then(|task| s.tasks.get(&task));
            let call = task.is_some_and(|task| task.state == TaskState::Waiting(Interruption::Syscall));
            let state = if call { WorkerState::Syscall } else { WorkerState::Suspend };
            events.push(Event::WorkerSuspended { seat, worker, state });
        }
        Arrow::WorkerSuspended => events.push(Event::SuspensionHeard { seat, worker }),
        Arrow::SuspensionHeard => {
            of_free_seat(s, seat, events);
            ends(s, seat, events);
        }
        Arrow::TaskExited => {
            events.push(Event::NextPoll { seat, worker });
            events.extend(back);
            // The turn is over, or ends early since something is due.
            if it.turn >= s.params.polls_per_turn || !s.seats[&seat].woken.is_empty() {
                of_free_seat(s, seat, events);
            } else {
                timers(s, seat, events);
            }
        }
        Arrow::TaskFailed => events.push(Event::WorkerErrored { seat, worker }),
        Arrow::WorkerErrored => events.push(Event::ErrorHeard { seat, worker }),
        Arrow::ErrorHeard => events.push(Event::CountReduced { seat, worker }),
        Arrow::PollFailed => events.extend(back),
        Arrow::TimeOver => events.push(Event::SurplusAsked { seat, worker }),
        Arrow::SurplusAsked => {
            events.push(Event::SurplusGranted { seat, worker });
            events.push(Event::WorkerReturned { seat, worker });
        }
        Arrow::SurplusGranted => events.push(Event::WorkerExited { seat, worker }),
        _ => {}
    }
}

/// What tasks and the threads around the pool may do next, if no script binds them: candidates.
fn of_users(s: &State, events: &mut Vec<Event>) {
    let Some(pool) = s.pool else {
        return events.push(Event::PoolBuilt { pool: PoolId(0), min: 0, max: 1 });
    };
    events.extend([Event::StopCalled { pool }, Event::PoolStopping { pool }, Event::PoolStopped { pool }]);
    events.push(Event::LimitsChanged { min: s.min, max: s.max, keep_alive: 0 });
    let task = TaskId(s.tasks.keys().next_back().map_or(0, |last| last.0 + 1));
    events.push(Event::TaskRejected { task });
    for priority in [-1, 0, 1] {
        events.push(Event::TaskAccepted { seat: None, task, priority });
    }
    events.push(Event::SeatAttached { seat: SeatId(s.seats.keys().next_back().map_or(0, |last| last.0 + 1)) });
    for &seat in s.seats.keys() {
        events.push(Event::TaskAccepted { seat: Some(seat), task, priority: 0 });
        events.extend([Event::SeatLeaving { seat }, Event::SeatLeft { seat }, Event::StackExhausted { seat }]);
    }
    s.tasks.keys().for_each(|task| of_task(s, *task, events));
}

fn of_task(s: &State, task: TaskId, events: &mut Vec<Event>) {
    use Interruption::{Delay, Join, Park, Preempt, Stop, Suspend, Syscall};
    let it = &s.tasks[&task];
    let outcomes = [Outcome::Returned, Outcome::Panicked, Outcome::Cancelled, Outcome::Abandoned];
    let answers = [Cancel::NeverRuns, Cancel::Requested, Cancel::AlreadyEnded];
    events.extend(outcomes.map(|outcome| Event::OutcomePublished { task, outcome }));
    events.extend(answers.map(|answer| Event::CancelRequested { task, answer }));
    events.extend([Event::TaskUnwound { task }, Event::TaskAbandoned { task }, Event::TaskWoken { task }]);
    events.push(if it.call == Some(Arrow::SyscallEntered) {
        Event::SyscallLeft { task }
    } else {
        Event::SyscallEntered { task, name: "call" }
    });
    let (Some(seat), Some(worker), TaskState::Running) = (it.seat, it.worker, it.state) else { return };
    events.extend([Event::TaskExited { seat, worker, task }, Event::TaskFailed { seat, worker, task }]);
    events.extend([Event::TimerArmed { seat, task, at: Tick(0) }, Event::Overran { seat, task }]);
    for why in [Suspend, Preempt, Delay, Park, Join, Syscall, Stop] {
        events.push(Event::TaskInterrupted { seat, worker, task, why });
    }
}
