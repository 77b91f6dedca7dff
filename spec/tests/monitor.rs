//! The monitor accepts what the diagram says, tells what is wrong with anything else, and finds an order of the logs of
//! several threads. The logs here are the orders that a pool is to tell its events in, path by path.

use copool_spec::monitor::{Stamped, ThreadLog, order};
use copool_spec::scene::{Stage, catalog};
use copool_spec::{
    Cancel, DriveEnd, Event, Goal, Interruption, Monitor, Outcome, Params, PoolId, SeatId, TaskId, Tick, WorkerId,
    WorkerState, step,
};

const P: PoolId = PoolId(7);
const SEAT: SeatId = SeatId(0);

fn w(number: u64) -> WorkerId {
    WorkerId(number)
}

fn t(number: u64) -> TaskId {
    TaskId(number)
}

/// The events by name.
macro_rules! log {
    ($($name:ident { $($field:ident $(: $value:expr)?),* $(,)? }),* $(,)?) => {
        vec![$(Event::$name { $($field $(: $value)?),* }),*]
    };
}

#[path = "monitor/drives.rs"]
mod drives;
#[path = "monitor/guards.rs"]
mod guards;
#[path = "monitor/sharp.rs"]
mod sharp;
#[path = "monitor/threads.rs"]
mod threads;

fn monitor(max: u32) -> Monitor {
    let mut monitor = Monitor::new(Params { polls_per_turn: 2, ..Params::default() }).with_invariants();
    for event in [Event::PoolBuilt { pool: P, min: 0, max }, Event::SeatAttached { seat: SEAT }] {
        monitor.accept(event).expect("the beginning");
    }
    monitor
}

fn accept(monitor: &mut Monitor, log: impl IntoIterator<Item = Event>) {
    for event in log {
        if let Err(report) = monitor.accept(event) {
            panic!("{report}");
        }
    }
}

/// The drive's beginning and end, and a worker that comes, runs what is between, and idles.
fn driven(inner: Vec<Event>, end: DriveEnd) -> Vec<Event> {
    let seat = SEAT;
    let mut log = log![
        ScheduleCalled { seat, until: Goal::Ready },
        WorkerCreated { seat, worker: w(0) },
        WorkerResumed { seat, worker: w(0) }
    ];
    log.extend(inner);
    log.extend(log![ScheduleEnded { seat, end }, ThreadResumed { seat }]);
    log
}

fn idles(worker: WorkerId) -> Vec<Event> {
    let seat = SEAT;
    log![TaskPolled { seat, worker }, PollFailed { seat, worker }, WorkerReturned { seat, worker }]
}

fn accepted(task: TaskId) -> Event {
    Event::TaskAccepted { seat: Some(SEAT), task, priority: 0 }
}

fn runs(worker: WorkerId, task: TaskId) -> Vec<Event> {
    let seat = SEAT;
    log![TaskPolled { seat, worker }, TaskStarted { seat, worker, task }]
}

fn returns(worker: WorkerId, task: TaskId) -> Vec<Event> {
    let seat = SEAT;
    log![TaskExited { seat, worker, task }, OutcomePublished { task, outcome: Outcome::Returned }]
}

fn fails(worker: WorkerId, task: TaskId) -> Vec<Event> {
    let seat = SEAT;
    log![
        TaskFailed { seat, worker, task },
        OutcomePublished { task, outcome: Outcome::Panicked },
        WorkerErrored { seat, worker },
        ErrorHeard { seat, worker },
        CountReduced { seat, worker },
    ]
}

fn suspends(worker: WorkerId, task: TaskId, why: Interruption) -> Vec<Event> {
    let seat = SEAT;
    let state = if why == Interruption::Syscall { WorkerState::Syscall } else { WorkerState::Suspend };
    log![
        TaskInterrupted { seat, worker, task, why },
        WorkerSuspended { seat, worker, state },
        SuspensionHeard { seat, worker },
    ]
}

#[test]
fn a_drive_with_nothing_to_do() {
    let seat = SEAT;
    let mut monitor = monitor(1);
    let end = DriveEnd::AllDone;
    accept(
        &mut monitor,
        log![ScheduleCalled { seat, until: Goal::Ready }, NothingToDo { seat }, ScheduleEnded { seat, end }],
    );
    accept(&mut monitor, log![ThreadResumed { seat }]);
    monitor.at_rest().expect("nothing happened");
}

#[test]
fn tasks_that_return_and_a_turn_that_is_over() {
    let seat = SEAT;
    let mut monitor = monitor(1);
    accept(&mut monitor, [accepted(t(1)), accepted(t(2)), accepted(t(3))]);
    let mut inner = [runs(w(0), t(1)), returns(w(0), t(1))].concat();
    inner.extend(log![NextPoll { seat, worker: w(0) }]);
    inner.extend([runs(w(0), t(2)), returns(w(0), t(2))].concat());
    // Two tasks are a turn here: no `next_poll`, the worker goes to the back and is resumed again.
    inner.extend(log![WorkerResumed { seat, worker: w(0) }]);
    inner.extend([runs(w(0), t(3)), returns(w(0), t(3))].concat());
    inner.extend(log![NextPoll { seat, worker: w(0) }]);
    inner.extend(idles(w(0)));
    accept(&mut monitor, driven(inner, DriveEnd::AllDone));
    monitor.at_rest().expect("all is done");
    assert_eq!(monitor.state().running, 1, "one idles");
    // Its keep-alive is over at the next drive.
    let worker = w(0);
    accept(
        &mut monitor,
        log![ScheduleCalled { seat, until: Goal::Ready }, TimeOver { seat, worker }, SurplusAsked { seat, worker }],
    );
    accept(&mut monitor, log![SurplusGranted { seat, worker }, WorkerExited { seat, worker }]);
    accept(&mut monitor, log![ScheduleEnded { seat, end: DriveEnd::AllDone }, ThreadResumed { seat }]);
    assert_eq!(monitor.state().running, 0);
}

#[test]
fn a_suspension_that_adds_a_worker_and_a_panic_that_recreates_one() {
    let seat = SEAT;
    let mut monitor = monitor(2);
    accept(&mut monitor, [accepted(t(1)), accepted(t(2)), accepted(t(3))]);
    let mut inner = [runs(w(0), t(1)), suspends(w(0), t(1), Interruption::Suspend)].concat();
    // The worker that is added comes before the one that was suspended.
    inner.extend(log![WorkerAdded { seat, worker: w(1) }, WorkerResumed { seat, worker: w(1) }]);
    inner.extend([runs(w(1), t(2)), fails(w(1), t(2))].concat());
    inner.extend(log![WorkerRecreated { seat, worker: w(2) }, WorkerResumed { seat, worker: w(0) }]);
    inner.extend(fails(w(0), t(1)));
    inner.extend(log![WorkerResumed { seat, worker: w(2) }]);
    inner.extend([runs(w(2), t(3)), returns(w(2), t(3)), log![NextPoll { seat, worker: w(2) }], idles(w(2))].concat());
    accept(&mut monitor, driven(inner, DriveEnd::AllDone));
    monitor.at_rest().expect("all is done");
}

#[test]
fn waits_of_each_kind() {
    let seat = SEAT;
    let mut monitor = monitor(3);
    accept(&mut monitor, [accepted(t(1)), accepted(t(2)), accepted(t(3))]);
    let mut inner = runs(w(0), t(1));
    // The timer may be armed before arrow 8 or after it, but before arrow 9.
    inner.extend(log![TimerArmed { seat, task: t(1), at: Tick(5) }]);
    inner.extend(suspends(w(0), t(1), Interruption::Delay));
    inner.extend(log![WorkerAdded { seat, worker: w(1) }, WorkerResumed { seat, worker: w(1) }]);
    inner.extend([runs(w(1), t(2)), suspends(w(1), t(2), Interruption::Syscall)].concat());
    inner.extend(log![WorkerAdded { seat, worker: w(2) }, WorkerResumed { seat, worker: w(2) }]);
    inner.extend([runs(w(2), t(3)), suspends(w(2), t(3), Interruption::Join)].concat());
    accept(&mut monitor, driven(inner, DriveEnd::Waiting { until: Some(Tick(5)) }));
    let mut inner = log![
        SyscallEntered { task: t(2), name: "call" },
        SyscallLeft { task: t(2) },
        TaskWoken { task: t(2) },
        ScheduleCalled { seat, until: Goal::Ready },
        TimerFired { seat, task: t(1) },
        WorkerResumed { seat, worker: w(1) },
    ];
    inner.extend(returns(w(1), t(2)));
    inner.extend(log![TaskWoken { task: t(3) }, NextPoll { seat, worker: w(1) }]);
    inner.extend(idles(w(1)));
    for (worker, task) in [(w(0), t(1)), (w(2), t(3))] {
        inner.extend(log![WorkerResumed { seat, worker }]);
        inner.extend(returns(worker, task));
        inner.extend(log![NextPoll { seat, worker }]);
        inner.extend(idles(worker));
    }
    inner.extend(log![SeatBlocked { seat }, ScheduleEnded { seat, end: DriveEnd::Deadline }, ThreadResumed { seat }]);
    accept(&mut monitor, inner);
    monitor.at_rest().expect("all is done");
}

#[test]
fn cancels_before_and_after_the_start() {
    let seat = SEAT;
    let mut monitor = monitor(1);
    accept(&mut monitor, [accepted(t(1)), accepted(t(2))]);
    accept(
        &mut monitor,
        log![
            CancelRequested { task: t(2), answer: Cancel::NeverRuns },
            OutcomePublished { task: t(2), outcome: Outcome::Cancelled },
            CancelRequested { task: t(2), answer: Cancel::AlreadyEnded },
        ],
    );
    let inner = [runs(w(0), t(1)), suspends(w(0), t(1), Interruption::Park)].concat();
    accept(&mut monitor, driven(inner, DriveEnd::Waiting { until: None }));
    let mut inner = log![
        CancelRequested { task: t(1), answer: Cancel::Requested },
        TaskWoken { task: t(1) },
        ScheduleCalled { seat, until: Goal::Ready },
        WorkerResumed { seat, worker: w(0) },
        TaskUnwound { task: t(1) },
        OutcomePublished { task: t(1), outcome: Outcome::Cancelled },
        NextPoll { seat, worker: w(0) },
    ];
    inner.extend(idles(w(0)));
    accept(&mut monitor, inner);
    accept(&mut monitor, log![ScheduleEnded { seat, end: DriveEnd::AllDone }, ThreadResumed { seat }]);
    monitor.at_rest().expect("all is done");
}

#[test]
fn the_owner_drops_its_seat_with_a_task_suspended_and_one_queued() {
    let seat = SEAT;
    let mut monitor = monitor(1);
    accept(&mut monitor, [accepted(t(1)), accepted(t(2))]);
    let inner = [runs(w(0), t(1)), suspends(w(0), t(1), Interruption::Park)].concat();
    accept(&mut monitor, driven(inner, DriveEnd::Waiting { until: None }));
    accept(
        &mut monitor,
        log![
            StopCalled { pool: P },
            PoolStopping { pool: P },
            TaskRejected { task: t(3) },
            TaskAbandoned { task: t(2) },
            OutcomePublished { task: t(2), outcome: Outcome::Abandoned },
            TaskAbandoned { task: t(1) },
            OutcomePublished { task: t(1), outcome: Outcome::Abandoned },
            TaskWoken { task: t(1) },
            SeatLeaving { seat },
            WorkerResumed { seat, worker: w(0) },
            TaskUnwound { task: t(1) },
            TimeOver { seat, worker: w(0) },
            SurplusAsked { seat, worker: w(0) },
            SurplusGranted { seat, worker: w(0) },
            WorkerExited { seat, worker: w(0) },
            SeatLeft { seat },
            PoolStopped { pool: P },
        ],
    );
    monitor.at_rest().expect("all is given up");
}

#[test]
fn a_violation_names_the_arrow_the_rule_and_the_values() {
    let seat = SEAT;
    let mut monitor = monitor(1);
    accept(&mut monitor, [accepted(t(1))]);
    accept(&mut monitor, log![ScheduleCalled { seat, until: Goal::Ready }, WorkerCreated { seat, worker: w(0) }]);
    let report = monitor.accept(Event::WorkerCreated { seat: SEAT, worker: w(1) }).expect_err("max_size is 1");
    assert_eq!((report.guard, report.accepted), ("max_size workers live already", 5));
    let text = report.to_string();
    for part in [
        "arrow 4, rule `worker_created`: max_size workers live already",
        "event 6 of the log: WorkerCreated { seat: S0, worker: W1 }",
        "running 1 of 0..=1",
        "S0: Some(Seat {",
        "sequenceDiagram",
        "S0 ->> P: schedule_called seat: S0",
        "Note over P: task_accepted seat: Some(S0), task: T1, priority: 0",
        "P ->> W: worker_created seat: S0, worker: W1",
    ] {
        assert!(text.contains(part), "{part}\nis not in\n{text}");
    }
    let beside = monitor_after_refusal();
    assert!(beside.contains("beside the arrows, rule `task_woken`: there is no such task"), "{beside}");
}

fn monitor_after_refusal() -> String {
    monitor(1).accept(Event::TaskWoken { task: t(9) }).expect_err("no such task").to_string()
}

/// A walk through a scene, as the log of one thread or of two that take turns.
fn walk(name: &str, seed: usize, length: usize) -> (Params, Vec<Event>) {
    let scene = catalog::all().into_iter().find(|scene| scene.name == name).expect("there is such a scene");
    let params = scene.params;
    let stage = Stage::new(scene);
    let (mut play, mut log, mut random) = (stage.first(), stage.opening(), seed);
    while log.len() < length {
        let mut moves = Vec::new();
        stage.moves(&play, &mut moves);
        let mut next: Vec<_> =
            moves.into_iter().filter_map(|m| Some((m.event, stage.play(&play, &m, step)?))).collect();
        if next.is_empty() {
            break;
        }
        random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        let (event, after) = next.swap_remove((random >> 33) % next.len());
        log.extend(event);
        play = after;
    }
    (params, log)
}

#[test]
fn walks_through_the_scenes_are_accepted() {
    for scene in catalog::small() {
        for seed in 0..5 {
            let (params, log) = walk(scene.name, seed, 300);
            let mut monitor = Monitor::new(params).with_invariants();
            accept(&mut monitor, log.iter().copied());
            assert_eq!(monitor.counts().iter().sum::<usize>(), log.len());
        }
    }
}

/// Deals a log to threads, by seat, and blurs the stamps by so much.
fn deal(log: &[Event], blur: u64) -> Vec<Vec<Stamped>> {
    let mut threads = vec![Vec::new(); 3];
    for (at, event) in log.iter().enumerate() {
        let text = format!("{event:?}");
        let thread = if text.contains("seat: S0") {
            0
        } else if text.contains("seat: S1") {
            1
        } else {
            2
        };
        let at = 10 * at as u64 + 1000;
        threads[thread].push(Stamped { begin: at - blur, end: at + blur, event: *event });
    }
    threads
}

#[test]
fn an_order_is_found_for_blurred_logs_of_several_threads() {
    for name in ["two seats, two workers", "two stops, two seats", "parks and wake-ups", "seats come and leave"] {
        for seed in 0..10 {
            let (params, log) = walk(name, seed, 200);
            let threads = deal(&log, 45);
            let threads: Vec<&[Stamped]> = threads.iter().map(Vec::as_slice).collect();
            let params = Params { exact: false, ..params };
            let found = order(params, &threads).unwrap_or_else(|report| panic!("{name}, {seed}: {report}"));
            assert_eq!(found.len(), log.len());
            let mut monitor = Monitor::new(params);
            accept(&mut monitor, found);
        }
    }
}

#[test]
fn no_order_is_found_where_a_thread_saw_what_had_not_begun() {
    let seat = SEAT;
    let mut owner = ThreadLog::default();
    let beginning =
        log![PoolBuilt { pool: P, min: 0, max: 1 }, SeatAttached { seat }, ScheduleCalled { seat, until: Goal::Ready }];
    let rest =
        [log![WorkerCreated { seat, worker: w(0) }, WorkerResumed { seat, worker: w(0) }], runs(w(0), t(1))].concat();
    for (at, event) in beginning.into_iter().chain(rest).enumerate() {
        owner.tell(10 * (at as u64 + 1), event);
    }
    let submission = |begin, end| {
        let mut other = ThreadLog::default();
        other.begin(begin);
        other.tell(end, Event::TaskAccepted { seat: None, task: t(1), priority: 0 });
        other
    };
    let params = Params { exact: false, ..Params::default() };
    let timely = submission(25, 65);
    assert_eq!(order(params, &[owner.entries(), timely.entries()]).map(|order| order.len()), Ok(8));
    let late = submission(75, 80);
    let report = order(params, &[owner.entries(), late.entries()]).expect_err("it was polled before");
    assert_eq!(report.event.name(), "task_started");
    assert_eq!(report.guard, "the task is in no queue that this seat may poll");
}
