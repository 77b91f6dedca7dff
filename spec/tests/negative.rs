//! Faulty rules are found: each by the invariant, the situation or the reachability that is there to find it.

#[path = "../examples/explore/checker.rs"]
mod checker;

#[path = "negative/judges.rs"]
mod judges;

use std::sync::atomic::Ordering;

use copool_spec::state::{Place, State, TaskState, Worker};
use copool_spec::{
    Arrow, Cancel, DriveEnd, Event, Goal, Interruption, Outcome, PoolState, SeatId, TaskId, Violation, WorkerState,
    step, witness,
};
use judges::{breaks, changes, explore, gets_stuck, hides};
use stateright::Checker;

type Stepped = Result<State, Violation>;

fn refused(event: &Event) -> Stepped {
    Err(Violation { event: *event, guard: "a fault of this test" })
}

/// A step under other constants than the state's own.
fn under(mut state: State, event: &Event, change: impl Fn(&mut State)) -> Stepped {
    let params = state.params;
    change(&mut state);
    let mut state = step(state, event)?;
    state.params = params;
    Ok(state)
}

/// No queue order, no count of idle workers, no bound of a turn.
fn lax(state: State, event: &Event) -> Stepped {
    under(state, event, |state| state.params.exact = false)
}

/// A drive that says that all is done, as if it had been asked for something else.
fn asked(mut state: State, event: &Event, change: fn(Goal) -> Goal) -> Stepped {
    let Event::ScheduleEnded { seat, end: DriveEnd::AllDone } = event else { return step(state, event) };
    let goal = state.seats[seat].goal;
    state.seats.get_mut(seat).expect("driven").goal = change(goal);
    let mut state = step(state, event)?;
    state.seats.get_mut(seat).expect("driven").goal = goal;
    Ok(state)
}

/// The rules without one event.
fn without<const ARROW: usize>(state: State, event: &Event) -> Stepped {
    if event.arrow() as usize == ARROW { refused(event) } else { step(state, event) }
}

macro_rules! faults {
    ($($(#[$doc:meta])* $name:ident: $check:ident($($what:expr),*) = |$state:ident, $event:ident| $rules:expr;)*) => {
        $($(#[$doc])* #[test]
        fn $name() {
            fn rules($state: State, $event: &Event) -> Stepped {
                $rules
            }
            $check($($what,)* rules);
        })*

        #[test]
        fn every_invariant_and_every_situation_has_a_fault() {
            let covered = [$(stringify!($($what),*)),*].join("\n") + include_str!("negative.rs");
            for at in 1..=copool_spec::invariants::ALL.len() {
                assert!(covered.contains(&format!("breaks(\"S{at}\"")), "no fault for S{at}");
            }
            for (name, _) in witness::ALL {
                assert!(covered.contains(&format!("hides(\"{name}\"")), "no fault for: {name}");
            }
        }
    };
}

faults! {
    /// The reservation compares with one more than `max_size`.
    a_worker_is_created_above_max_size: breaks("S1", "two seats, one worker") = |state, event| {
        let mut state = state;
        let max = state.max;
        state.max += u32::from(matches!(event, Event::WorkerCreated { .. }));
        let mut state = step(state, event)?;
        state.max = if let Event::LimitsChanged { max, .. } = event { *max } else { max };
        Ok(state)
    };
    /// A task that starts stays in its queue.
    a_task_is_started_twice: breaks("S2", "two seats, one worker") = |state, event| {
        let mut state = state;
        let Event::TaskStarted { task, .. } = event else { return step(state, event) };
        state.tasks.get_mut(task).expect("queued").state = TaskState::Queued;
        let mut state = step(state, event)?;
        state.queues.push(Place::Injector, *task);
        Ok(state)
    };
    /// A cancel that comes too late writes its outcome all the same.
    an_outcome_is_published_twice: breaks("S2", "cancel") = |state, event| {
        let mut state = step(state, event)?;
        if let Event::CancelRequested { task, answer: Cancel::AlreadyEnded } = event {
            state.tasks.get_mut(task).expect("known").outcome = Some(Outcome::Cancelled);
        }
        Ok(state)
    };
    /// Stopped is announced as soon as nothing is queued.
    the_pool_is_stopped_before_it_is_drained: breaks("S3", "stop during work") = |state, event| {
        let mut state = state;
        if matches!(event, Event::PoolStopped { .. }) && !state.tasks_wait() {
            state.phase = PoolState::Stopped;
            return Ok(state);
        }
        step(state, event)
    };
    /// A drive says that all is done as soon as nobody has the processor.
    a_drive_ends_before_it_has_what_it_was_asked_for: changes("each kind of drive") = |state, event| {
        asked(state, event, |_| Goal::Ended(TaskId(u64::MAX)))
    };
    /// A `serve` comes back once all is done.
    a_drive_until_the_stop_ends_before_it: changes("each kind of drive") = |state, event| {
        asked(state, event, |goal| if goal == Goal::Stopped { Goal::Drained } else { goal })
    };
    /// Whoever waits for one task waits for all.
    a_wait_for_one_task_is_a_drain: hides("a drive that waited for one task ends before another has", "each kind of drive")
        = |state, event| match event {
        Event::ScheduleEnded { end: DriveEnd::AllDone, .. } if state.outstanding > 0 => refused(event),
        _ => step(state, event),
    };
    /// Idle workers are forgotten at the end.
    a_worker_survives_the_pool: breaks("S3", "stop during work") = |state, event| {
        let old = state.clone();
        let mut state = step(state, event)?;
        if matches!(event, Event::PoolStopped { .. }) {
            (state.workers, state.running) = (old.workers, old.running);
        }
        Ok(state)
    };
    /// Arrow 16 forgets the count.
    the_count_is_not_reduced_on_error: breaks("S4", "panic and replacement") = |state, event| {
        let mut state = step(state, event)?;
        state.running += u32::from(matches!(event, Event::CountReduced { .. }));
        Ok(state)
    };
    /// A worker that returns releases its count as if it had exited.
    an_idle_worker_is_not_counted: breaks("S4", "one seat") = |state, event| {
        let mut state = step(state, event)?;
        state.running -= u32::from(matches!(event, Event::WorkerReturned { .. }));
        Ok(state)
    };
    /// The answer of arrow 23 releases nothing.
    a_granted_exit_keeps_the_count: breaks("S4", "min_size and keep-alive") = |state, event| {
        let mut state = step(state, event)?;
        state.running += u32::from(matches!(event, Event::SurplusGranted { .. }));
        Ok(state)
    };
    /// A woken task goes to the seat that has the least to do.
    a_woken_task_migrates: breaks("S5", "parks and wake-ups") = |state, event| {
        let mut state = step(state, event)?;
        if let Event::TaskWoken { task } = event {
            let worker = state.tasks[task].worker.expect("waits");
            let home = state.workers.get_mut(&worker).expect("lives").seat.replace(SeatId(1)).expect("not idle");
            state.seats.find(home).expect("there").workers -= 1;
            state.seats.find(SeatId(1)).expect("there").workers += 1;
        }
        Ok(state)
    };
    /// A poll takes whatever it finds.
    the_priority_is_ignored: breaks("S6", "order and ageing") = |state, event| match event {
        Event::TaskStarted { .. } => lax(state, event),
        _ => step(state, event),
    };
    /// No poll is an ageing poll.
    ageing_is_forgotten: breaks("S6", "order and ageing") = |state, event| match event {
        Event::TaskStarted { .. } => under(state, event, |state| state.params.age_every = 0),
        _ => step(state, event),
    };
    /// The worker that became ready last may run first.
    ready_workers_do_not_take_turns: breaks("S6", "turns") = |state, event| match event {
        Event::WorkerResumed { .. } => lax(state, event),
        _ => step(state, event),
    };
    /// A worker polls for as long as there are tasks.
    a_turn_has_no_end: breaks("S6", "turns") = |state, event| match event {
        Event::NextPoll { .. } => lax(state, event),
        _ => step(state, event),
    };
    /// Every drive creates a worker.
    a_worker_is_created_without_need: breaks("S7", "one seat") = |state, event| match event {
        Event::WorkerCreated { .. } => lax(state, event),
        _ => step(state, event),
    };
    /// A worker leaves between its task's end and its outcome.
    a_worker_exits_with_a_task_in_hand: breaks("S8", "one seat") = |state, event| {
        let mut state = state;
        match event {
            Event::TimeOver { worker, .. } | Event::SurplusGranted { worker, .. } => {
                let held = state.workers.get_mut(worker).and_then(|worker: &mut Worker| worker.task.take());
                let mut state = step(state, event)?;
                state.workers.get_mut(worker).expect("lives").task = held;
                Ok(state)
            }
            _ => step(state, event),
        }
    };
    /// A rejected task is queued before the gate is looked at.
    a_rejected_task_is_queued: breaks("S9", "stop during work") = |state, event| {
        let mut state = step(state, event)?;
        if let Event::TaskRejected { task } = event {
            state.queues.push(Place::Injector, *task);
        }
        Ok(state)
    };

    /// A cancel marks its task, and wakes nobody.
    a_cancel_is_lost: gets_stuck("cancel") = |state, event| match event {
        Event::TaskWoken { task } if state.tasks[task].cancelled => refused(event),
        _ => step(state, event),
    };
    /// A seat that blocks does not hear of new tasks (L2).
    a_blocked_seat_sleeps_on: gets_stuck("two seats, two workers") = |state, event| match event {
        Event::WorkerCreated { seat, .. } | Event::WorkerResumed { seat, .. }
            if state.seats[seat].drive == Some(Arrow::SeatBlocked) => refused(event),
        _ => step(state, event),
    };
    /// A wake-up between the decision to suspend and the suspension is dropped.
    a_wake_up_is_lost: gets_stuck("parks and wake-ups") = |state, event| match event {
        Event::TaskWoken { task } if state.workers[&state.tasks[task].worker.expect("waits")].at.is_some() => {
            step(state, event).map(|mut state| {
                state.tasks.get_mut(task).expect("known").state = TaskState::Waiting(Interruption::Park);
                state
            })
        }
        _ => step(state, event),
    };
    /// A timer never fires (L5).
    a_timer_is_lost: gets_stuck("system calls and timers") = |state, event| {
        without::<{ Arrow::TimerFired as usize }>(state, event)
    };
    /// Whoever joins is not told of the outcome (L4).
    a_join_never_returns: gets_stuck("joins and a stall") = |state, event| match event {
        Event::TaskWoken { .. } => refused(event),
        _ => step(state, event),
    };
    /// A pool that stops never gets there (L3).
    a_stop_never_ends: gets_stuck("stop during work") = |state, event| {
        without::<{ Arrow::PoolStopped as usize }>(state, event)
    };
    /// An abandoned task's outcome is not published (L1).
    an_abandoned_task_has_no_outcome: gets_stuck("stop during work") = |state, event| match event {
        Event::OutcomePublished { outcome: Outcome::Abandoned, .. } => refused(event),
        _ => step(state, event),
    };
    /// A drive on a stalled pool blocks for ever.
    a_stall_is_not_told: gets_stuck("joins and a stall") = |state, event| match event {
        Event::ScheduleEnded { end: DriveEnd::Stalled, .. } | Event::LimitsChanged { .. } => refused(event),
        _ => step(state, event),
    };

    seats_share_one_lock: hides("two seats run tasks at once", "parks and wake-ups") = |state, event| match event {
        Event::WorkerResumed { .. } if state.seats.values().any(|seat| seat.on.is_some()) => refused(event),
        _ => step(state, event),
    };
    a_waiting_seat_spins: hides("a seat blocks while a task of it waits", "system calls and timers") =
        |state, event| match event {
            Event::SeatBlocked { .. } if state.outstanding > 0 => refused(event),
            _ => step(state, event),
        };
    a_blocked_seat_is_deaf: hides("a blocked seat wakes for work", "two seats, one worker") = |state, event| match event {
        Event::WorkerCreated { seat, .. } | Event::WorkerResumed { seat, .. }
            if state.seats[seat].drive == Some(Arrow::SeatBlocked) => refused(event),
        _ => step(state, event),
    };
    idle_workers_are_never_taken: hides("an idle worker is taken again", "one seat") = |state, event| match event {
        Event::WorkerResumed { worker, .. } if state.workers[worker].state == WorkerState::Idle => refused(event),
        _ => step(state, event),
    };
    no_turn_is_ever_over: hides("a worker's turn is over", "turns") = |state, event| match event {
        Event::WorkerResumed { seat, .. } if state.seats[seat].on.is_some() => refused(event),
        _ => step(state, event),
    };
    nobody_steals: hides("a queued task is stolen", "seats come and leave") = |state, event| {
        without::<{ Arrow::TaskStolen as usize }>(state, event)
    };
    the_count_of_polls_stands_still: hides("the count of polls wraps", "every poll ages") = |state, event| {
        let polls = state.seats[&SeatId(0)].polls;
        let mut state = step(state, event)?;
        state.seats.get_mut(&SeatId(0)).expect("stays").polls = state.seats[&SeatId(0)].polls.max(polls);
        Ok(state)
    };
    nothing_ages: hides("ageing starts a task before a sooner one", "order and ageing") = |state, event| {
        under(state, event, |state| (state.params.age_every, state.params.injector_every) = (0, 0))
    };
    queued_tasks_cannot_be_cancelled: hides("a task is cancelled before its start", "cancel") =
        |state, event| match event {
            Event::CancelRequested { answer: Cancel::NeverRuns, .. } => refused(event),
            _ => step(state, event),
        };
    started_tasks_never_unwind: hides("a started task unwinds", "cancel") = |state, event| {
        without::<{ Arrow::TaskUnwound as usize }>(state, event)
    };
    no_cancel_comes_too_late: hides("a cancel comes too late", "cancel") = |state, event| match event {
        Event::CancelRequested { answer: Cancel::AlreadyEnded, .. } => refused(event),
        _ => step(state, event),
    };
    a_cancelled_task_cannot_return: hides("a task returns though it was cancelled", "cancel") =
        |state, event| match event {
            Event::OutcomePublished { task, outcome: Outcome::Returned } if state.tasks[task].cancelled => refused(event),
            _ => step(state, event),
        };
    a_panic_is_not_replaced: hides("a panic's worker is replaced", "panic and replacement") = |state, event| {
        without::<{ Arrow::WorkerRecreated as usize }>(state, event)
    };
    a_suspension_adds_nobody: hides("a suspension's worker is joined by another", "system calls and timers") = |state, event| {
        without::<{ Arrow::WorkerAdded as usize }>(state, event)
    };
    workers_live_for_ever: hides("a surplus worker exits", "min_size and keep-alive") = |state, event| {
        without::<{ Arrow::SurplusGranted as usize }>(state, event)
    };
    min_size_is_not_looked_at: hides("a worker whose time is over stays for min_size", "min_size and keep-alive") =
        |state, event| match event {
            Event::WorkerReturned { worker, .. } if state.workers[worker].at == Some(Arrow::SurplusAsked) => refused(event),
            _ => step(state, event),
        };
    no_timer_fires: hides("a timer fires", "system calls and timers") = |state, event| {
        without::<{ Arrow::TimerFired as usize }>(state, event)
    };
    a_system_call_blocks_the_seat: hides("a system call goes on while another task runs", "system calls and timers") =
        |state, event| match event {
            Event::WorkerResumed { .. }
                if state.workers.values().any(|worker| worker.state == WorkerState::Syscall) => refused(event),
            Event::SyscallLeft { .. }
                if state.tasks.values().any(|task| task.state == TaskState::Running) => refused(event),
            _ => step(state, event),
        };
    nobody_is_unparked: hides("a parked task is woken", "parks and wake-ups") = |state, event| match event {
        Event::TaskWoken { .. } => refused(event),
        _ => step(state, event),
    };
    a_stall_looks_like_any_wait: hides("a drive says that the pool is stalled", "joins and a stall") =
        |state, event| match event {
            Event::ScheduleEnded { end: DriveEnd::Stalled, .. } => refused(event),
            _ => step(state, event),
        };
    nothing_is_rejected: hides("a submission is rejected", "stop during work") = |state, event| {
        without::<{ Arrow::TaskRejected as usize }>(state, event)
    };
    queued_tasks_are_kept_by_a_stop: hides("a queued task is abandoned", "stop during work") =
        |state, event| match event {
            Event::TaskAbandoned { task } if state.tasks[task].state == TaskState::Queued => refused(event),
            _ => step(state, event),
        };
    a_given_up_task_cannot_end: hides("a task that was given up ends on its own", "stop during work") =
        |state, event| match event {
            Event::TaskExited { task, .. } if state.tasks[task].abandoned => refused(event),
            _ => step(state, event),
        };
    a_leaving_seat_takes_its_queue_along: hides("a seat leaves tasks to the injector", "seats come and leave") =
        |state, event| match event {
            Event::SeatLeft { seat } if state.queues.contains_key(&Place::Deque(*seat)) => refused(event),
            _ => step(state, event),
        };
}

#[test]
fn a_fault_is_no_fault_of_the_test() {
    for scene in ["one seat", "turns", "cancel", "joins and a stall", "no stack"] {
        let checker = explore(scene, step, true);
        checker.assert_properties();
        assert_eq!(checker.model().graph().stuck, 0, "{scene}");
        assert!(checker::arrows(checker.model().arrows.load(Ordering::Relaxed)) > 15, "{scene}");
    }
}
