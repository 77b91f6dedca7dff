//! A drive ends with what it was asked for, or says why not.

use super::*;

/// What stands in the way of a drive for `goal` that ends so; its task t1 has returned, and t2 waits for somebody.
fn ends(exact: bool, until: Goal, end: DriveEnd) -> Result<(), &'static str> {
    let (seat, why) = (SEAT, Interruption::Park);
    let log = [
        log![PoolBuilt { pool: P, min: 0, max: 2 }, SeatAttached { seat }],
        vec![accepted(t(1)), accepted(t(2))],
        log![
            ScheduleCalled { seat, until },
            WorkerCreated { seat, worker: w(0) },
            WorkerResumed { seat, worker: w(0) }
        ],
        [runs(w(0), t(1)), returns(w(0), t(1)), log![NextPoll { seat, worker: w(0) }]].concat(),
        [runs(w(0), t(2)), suspends(w(0), t(2), why), log![ScheduleEnded { seat, end }]].concat(),
        log![ThreadResumed { seat }],
    ]
    .concat();
    let mut monitor = Monitor::new(Params { exact, ..Params::default() });
    log.into_iter().try_for_each(|event| monitor.accept(event)).map_err(|report| report.guard)
}

#[test]
fn a_drive_says_that_all_is_done_only_if_it_has_what_it_was_asked_for() {
    for exact in [true, false] {
        assert_eq!(ends(exact, Goal::Ended(t(1)), DriveEnd::AllDone), Ok(()));
        for goal in [Goal::Ready, Goal::Drained, Goal::Ended(t(2)), Goal::Stopped] {
            assert_eq!(ends(exact, goal, DriveEnd::AllDone), Err("what it was asked for is not done"), "{goal:?}");
        }
    }
}

#[test]
fn a_drive_waits_only_for_what_it_has_not_got() {
    let waiting = DriveEnd::Waiting { until: None };
    for goal in [Goal::Ready, Goal::Drained, Goal::Ended(t(2)), Goal::Stopped] {
        assert_eq!(ends(true, goal, waiting), Ok(()), "{goal:?}");
    }
    assert_eq!(ends(true, Goal::Ended(t(1)), waiting), Err("nothing is left that could wait"));
    assert_eq!(ends(false, Goal::Ended(t(1)), waiting), Ok(()), "another thread may have ended it since");
}

#[test]
fn a_serve_has_no_deadline() {
    for exact in [true, false] {
        assert_eq!(ends(exact, Goal::Drained, DriveEnd::Deadline), Ok(()));
        assert_eq!(ends(exact, Goal::Stopped, DriveEnd::Deadline), Err("it has no deadline"));
    }
}

#[test]
fn what_another_thread_submits_does_not_keep_a_drive_from_having_ended() {
    let (seat, end) = (SEAT, DriveEnd::AllDone);
    for until in [Goal::Ready, Goal::Drained] {
        let judge = |exact| {
            let mut monitor = Monitor::new(Params { exact, ..Params::default() });
            let mut log = log![PoolBuilt { pool: P, min: 0, max: 1 }, SeatAttached { seat }];
            log.extend(log![ScheduleCalled { seat, until }, NothingToDo { seat }]);
            log.extend(log![TaskAccepted { seat: None, task: t(1), priority: 0 }, ScheduleEnded { seat, end }]);
            log.into_iter().try_for_each(|event| monitor.accept(event)).map_err(|report| report.guard)
        };
        assert_eq!((judge(false), judge(true)), (Ok(()), Err("what it was asked for is not done")), "{until:?}");
    }
}

#[test]
fn a_drive_that_is_to_wait_does_not_say_that_there_is_nothing_to_do() {
    let seat = SEAT;
    let mut monitor = monitor(1);
    let inner = [runs(w(0), t(1)), suspends(w(0), t(1), Interruption::Park)].concat();
    accept(&mut monitor, [accepted(t(1))]);
    accept(&mut monitor, driven(inner, DriveEnd::Waiting { until: None }));
    let mut waits = monitor.clone();
    accept(&mut monitor, log![ScheduleCalled { seat, until: Goal::Ready }, NothingToDo { seat }]);
    accept(&mut waits, log![ScheduleCalled { seat, until: Goal::Drained }]);
    let report = waits.accept(Event::NothingToDo { seat }).expect_err("a task waits");
    assert_eq!(report.guard, "there is something to do, or to wait for");
}

#[test]
fn a_drive_that_gets_no_stack_leaves_nothing_that_the_creator_has_heard() {
    let seat = SEAT;
    let mut monitor = monitor(2);
    accept(&mut monitor, [accepted(t(1)), accepted(t(2))]);
    let inner = [runs(w(0), t(1)), suspends(w(0), t(1), Interruption::Park)].concat();
    let begins = log![WorkerCreated { seat, worker: w(0) }, WorkerResumed { seat, worker: w(0) }];
    accept(&mut monitor, [log![ScheduleCalled { seat, until: Goal::Ready }], begins, inner].concat());
    accept(&mut monitor, log![StackExhausted { seat }, ThreadResumed { seat }]);
    assert_eq!(monitor.state().seats[&seat].heard, None);
}
