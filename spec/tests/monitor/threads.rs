//! What is accepted of several threads, and of one is not.

use super::*;

/// The events of one drive, as the log of several threads and as that of one, which the monitor takes to the letter.
fn loose_and_exact(max: u32, inner: &[Event]) -> (Result<(), String>, Result<(), String>) {
    let judge = |exact| {
        let mut monitor = Monitor::new(Params { exact, ..Params::default() });
        let beginning = [Event::PoolBuilt { pool: P, min: 0, max }, Event::SeatAttached { seat: SEAT }];
        let mut log = beginning.iter().chain(inner);
        log.try_for_each(|event| monitor.accept(*event)).map_err(|report| report.guard.to_owned())
    };
    (judge(false), judge(true))
}

#[test]
fn what_other_threads_do_meanwhile_is_accepted_only_of_several_threads() {
    let (seat, worker, task, at) = (SEAT, w(0), t(1), Tick(5));
    let begun = [
        vec![accepted(task)],
        log![
            ScheduleCalled { seat, until: Goal::Ready },
            WorkerCreated { seat, worker },
            WorkerResumed { seat, worker }
        ],
        runs(worker, task),
    ]
    .concat();
    // A timer for a wait that another thread has ended by now.
    let why = Interruption::Join;
    let late = log![TaskInterrupted { seat, worker, task, why }, TaskWoken { task }, TimerArmed { seat, task, at }];
    let (loose, exact) = loose_and_exact(1, &[&begun[..], &late[..]].concat());
    assert_eq!((loose, exact.is_err()), (Ok(()), true), "a late timer");
    // A wake-up whose note has not reached the seat yet; a worker that needs no note must not wait.
    let woken = [suspends(worker, task, why), log![TaskWoken { task }, SeatBlocked { seat }]].concat();
    let (loose, exact) = loose_and_exact(1, &[&begun[..], &woken[..]].concat());
    assert_eq!((loose, exact.is_err()), (Ok(()), true), "a note on its way");
    let polls = log![ScheduleCalled { seat, until: Goal::Ready }, WorkerCreated { seat, worker }, SeatBlocked { seat }];
    assert!(loose_and_exact(1, &polls).0.is_err(), "a worker that could poll");
}

#[test]
fn a_task_of_a_seat_that_leaves_may_be_polled_before_the_seat_has_left() {
    let (seat, other, worker, task) = (SEAT, SeatId(1), w(0), t(1));
    let log = [
        log![
            SeatAttached { seat: other },
            TaskAccepted { seat: Some(other), task, priority: 0 },
            ScheduleCalled { seat, until: Goal::Ready }
        ],
        log![WorkerCreated { seat, worker }, WorkerResumed { seat, worker }, SeatLeaving { seat: other }],
        runs(worker, task),
        log![SeatLeft { seat: other }],
    ]
    .concat();
    assert_eq!(loose_and_exact(1, &log).0, Ok(()));
    let (stays, _) = loose_and_exact(1, &[&log[..5], &log[6..]].concat());
    assert_eq!(stays, Err("the task is in another seat's deque".to_owned()), "it would have to be stolen");
}

#[test]
fn a_worker_may_be_added_after_the_creator_let_an_idle_one_go() {
    let (seat, worker, idle, why) = (SEAT, w(0), w(1), Interruption::Suspend);
    let mut log = vec![accepted(t(1)), accepted(t(2))];
    log.extend(log![
        ScheduleCalled { seat, until: Goal::Ready },
        WorkerCreated { seat, worker },
        WorkerResumed { seat, worker }
    ]);
    log.extend([runs(worker, t(1)), suspends(worker, t(1), Interruption::Park)].concat());
    log.extend(log![WorkerAdded { seat, worker: idle }, WorkerResumed { seat, worker: idle }]);
    log.extend([runs(idle, t(2)), returns(idle, t(2)), log![NextPoll { seat, worker: idle }], idles(idle)].concat());
    log.extend(log![TaskWoken { task: t(1) }, WorkerResumed { seat, worker }]);
    log.extend(suspends(worker, t(1), why));
    log.extend(log![
        TimeOver { seat, worker: idle },
        SurplusAsked { seat, worker: idle },
        SurplusGranted { seat, worker: idle },
        WorkerExited { seat, worker: idle },
        TaskAccepted { seat: None, task: t(3), priority: 0 },
        WorkerAdded { seat, worker: w(2) },
    ]);
    let (loose, exact) = loose_and_exact(2, &log);
    assert_eq!((loose, exact.is_err()), (Ok(()), true));
}

#[test]
fn a_worker_may_leave_for_one_that_another_seat_then_gets_no_stack_for() {
    let (other, worker, task) = (SeatId(1), w(0), t(1));
    let leaves = |before: Vec<Event>| {
        let mut log = vec![Event::LimitsChanged { min: 1, max: 2, keep_alive: 0 }, accepted(task)];
        log.extend(log![
            SeatAttached { seat: other },
            ScheduleCalled { seat: other, until: Goal::Ready },
            ScheduleCalled { seat: SEAT, until: Goal::Ready }
        ]);
        log.extend(log![WorkerCreated { seat: SEAT, worker }, WorkerResumed { seat: SEAT, worker }]);
        log.extend([runs(worker, task), returns(worker, task), log![NextPoll { seat: SEAT, worker }]].concat());
        log.extend(log![TaskPolled { seat: SEAT, worker }, PollFailed { seat: SEAT, worker }]);
        log.extend(before);
        log.extend(log![TimeOver { seat: SEAT, worker }, SurplusAsked { seat: SEAT, worker }]);
        log.extend(log![SurplusGranted { seat: SEAT, worker }, WorkerExited { seat: SEAT, worker }]);
        log
    };
    let refused = log![StackExhausted { seat: other }];
    let (loose, exact) = loose_and_exact(2, &leaves(refused));
    assert_eq!((loose, exact.is_err()), (Ok(()), true));
    assert_eq!(
        loose_and_exact(2, &leaves(Vec::new())).0,
        Err("min_size workers live".to_owned()),
        "nobody reserved one"
    );
}

#[test]
fn events_of_one_step_have_one_interval() {
    let (seat, worker, task, outcome) = (SEAT, w(0), t(1), Outcome::Abandoned);
    let mut log = ThreadLog::default();
    log.begin(3);
    log.tell(5, Event::TaskAbandoned { task });
    log.tell(9, Event::OutcomePublished { task, outcome });
    log.tell(12, Event::OutcomePublished { task: t(2), outcome });
    let intervals: Vec<_> = log.entries().iter().map(|entry| (entry.begin, entry.end)).collect();
    assert_eq!(intervals, [(3, 5), (3, 9), (9, 12)], "an abandonment and its outcome");
    let mut log = ThreadLog::default();
    log.tell(2, Event::PollFailed { seat, worker });
    let leaves = log![TimeOver { seat, worker }, SurplusAsked { seat, worker }, SurplusGranted { seat, worker }];
    leaves.into_iter().chain(log![WorkerExited { seat, worker }]).for_each(|event| log.tell(5, event));
    log.tell(6, Event::WorkerExited { seat, worker: w(1) });
    let begins: Vec<u64> = log.entries().iter().map(|entry| entry.begin).collect();
    assert_eq!(begins, [0, 2, 2, 2, 2, 5], "a worker that leaves, and another");
}
