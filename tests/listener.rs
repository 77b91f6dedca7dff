//! Listeners: what is told, in which order, and that a listener can neither break the pool nor be called inside itself.

mod common;
#[path = "common/log.rs"]
mod log;

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use common::within;
use copool::spec::{Event, WorkerId};
use copool::{AttachError, CoroutinePool, DriveEnd, JoinError, JoinHandle, Listener, PoolHandle, PoolState, TaskRef};
use copool::{Outcome, VirtualClock, WorkerState, current, delay, park, suspend, syscall};
use log::Log;

/// An event as the tests below write it: its name, and who took part.
fn line(event: &Event) -> String {
    let text = format!("{event:?}");
    let fields = text.split_once(" { ").map_or("", |(_, fields)| fields.trim_end_matches(" }"));
    format!("{} {fields}", event.name()).trim_end().to_owned()
}

#[test]
fn one_task_is_the_straight_line_through_the_diagram() {
    let lines = within("straight line", || {
        let log = Log::default();
        let mut pool = CoroutinePool::builder().listener(log.clone()).build().unwrap();
        pool.spawn(|| ()).unwrap();
        pool.try_schedule_task().unwrap();
        pool.try_schedule_task().unwrap();
        drop(pool);
        log.events().iter().skip(1).map(line).collect::<Vec<_>>()
    });
    let expected = [
        "seat_attached seat: S0",
        "task_accepted seat: Some(S0), task: T0, priority: 0",
        "schedule_called seat: S0, until: Ready",
        "worker_created seat: S0, worker: W0",
        "worker_resumed seat: S0, worker: W0",
        "task_polled seat: S0, worker: W0",
        "task_started seat: S0, worker: W0, task: T0",
        "task_exited seat: S0, worker: W0, task: T0",
        "outcome_published task: T0, outcome: Returned",
        "next_poll seat: S0, worker: W0",
        "task_polled seat: S0, worker: W0",
        "poll_failed seat: S0, worker: W0",
        "time_over seat: S0, worker: W0",
        "surplus_asked seat: S0, worker: W0",
        "surplus_granted seat: S0, worker: W0",
        "worker_exited seat: S0, worker: W0",
        "schedule_ended seat: S0, end: AllDone",
        "thread_resumed seat: S0",
        "schedule_called seat: S0, until: Ready",
        "nothing_to_do seat: S0",
        "schedule_ended seat: S0, end: AllDone",
        "thread_resumed seat: S0",
    ];
    assert_eq!(lines[..expected.len()], expected);
    let after: Vec<_> = lines[expected.len()..].iter().map(|line| line.split(' ').next().unwrap()).collect();
    assert_eq!(after, ["stop_called", "pool_stopping", "pool_stopped", "seat_leaving", "seat_left"]);
}

#[test]
fn suspension_panic_timer_cancel_and_refusal_are_told_in_the_order_of_the_diagram() {
    let names = within("branches", || {
        let (log, clock) = (Log::default(), VirtualClock::auto());
        let builder = CoroutinePool::builder().clock(clock).listener(log.clone()).keep_alive(Duration::MAX);
        let mut pool = builder.build().unwrap();
        pool.spawn(suspend).unwrap();
        pool.spawn(|| panic!("scripted")).unwrap();
        pool.drain(None).unwrap();
        pool.spawn(|| delay(Duration::from_secs(1))).unwrap();
        let parked = pool.spawn(park).unwrap();
        pool.try_schedule_task().unwrap();
        parked.cancel();
        pool.drain(None).unwrap();
        assert_eq!(pool.stop(Duration::ZERO).state, PoolState::Stopped);
        assert!(pool.try_schedule_task().is_err() && pool.spawn(|| ()).is_err());
        log.events().iter().map(Event::name).collect::<Vec<_>>()
    });
    let expected = "
        pool_built seat_attached task_accepted task_accepted schedule_called worker_created
        worker_resumed task_polled task_started task_interrupted worker_suspended suspension_heard worker_added
        worker_resumed task_polled task_started task_failed outcome_published worker_errored error_heard count_reduced
        worker_resumed task_exited outcome_published next_poll task_polled poll_failed worker_returned
        schedule_ended thread_resumed
        task_accepted task_accepted schedule_called
        worker_resumed task_polled task_started task_interrupted timer_armed worker_suspended suspension_heard
        worker_added
        worker_resumed task_polled task_started task_interrupted worker_suspended suspension_heard
        schedule_ended thread_resumed
        cancel_requested task_woken schedule_called
        worker_resumed task_unwound outcome_published next_poll task_polled poll_failed worker_returned
        timer_fired
        worker_resumed task_exited outcome_published next_poll task_polled poll_failed worker_returned
        schedule_ended thread_resumed
        stop_called pool_stopping schedule_called nothing_to_do worker_exited worker_exited pool_stopped
        schedule_ended thread_resumed
        schedule_called schedule_refused thread_resumed
        task_rejected";
    assert_eq!(names, expected.split_whitespace().collect::<Vec<_>>());
}

/// Follows each worker's state, and keeps what does not follow from what was told before.
#[derive(Clone, Default)]
struct States(Arc<Mutex<Seen>>);

#[derive(Clone, Default)]
struct Seen {
    last: BTreeMap<WorkerId, WorkerState>,
    broken: Vec<String>,
}

impl Listener for States {
    fn on_state_changed(&self, worker: WorkerId, old: WorkerState, new: WorkerState) {
        let mut seen = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let before = seen.last.insert(worker, new).unwrap_or(WorkerState::Ready);
        if before != old {
            seen.broken.push(format!("{worker} was {before:?}, and is told to have gone from {old:?} to {new:?}"));
        }
    }
}

#[test]
fn each_state_that_is_left_is_the_one_that_was_entered_before() {
    let seen = within("states", || {
        let states = States::default();
        let clock = VirtualClock::auto();
        let builder = CoroutinePool::builder().clock(clock).min_size(2).keep_alive(Duration::from_secs(1));
        let mut pool = builder.listener(states.clone()).build().unwrap();
        pool.spawn(|| syscall("nothing", || ())).unwrap();
        pool.spawn(|| panic!("scripted")).unwrap();
        pool.spawn(|| delay(Duration::from_secs(1))).unwrap();
        (0..3).for_each(|_| drop(pool.spawn(suspend).unwrap()));
        pool.drain(None).unwrap();
        let parked = pool.spawn(park).unwrap();
        pool.try_schedule_task().unwrap();
        parked.cancel();
        pool.set_keep_alive(Duration::ZERO);
        pool.set_min_size(0).unwrap();
        pool.drain(None).unwrap();
        pool.spawn(|| ()).unwrap();
        pool.drain(None).unwrap();
        drop(pool);
        let seen = states.0.lock().unwrap();
        seen.clone()
    });
    assert!(seen.last.values().all(|state| *state == WorkerState::Exited), "{:?}", seen.last);
    assert!(seen.broken.is_empty(), "{:#?}", seen.broken);
}

struct Panics;

impl Listener for Panics {
    fn on_state_changed(&self, worker: WorkerId, _: WorkerState, _: WorkerState) {
        panic!("told of {worker}");
    }

    fn on_event(&self, event: &Event) {
        std::panic::resume_unwind(Box::new(*event));
    }
}

#[test]
fn a_listener_that_panics_harms_nobody() {
    within("panicking listener", || {
        let log = Log::default();
        let builder = CoroutinePool::builder().listener(Panics).listener(log.clone()).clock(VirtualClock::auto());
        let mut pool = builder.build().unwrap();
        let returns = pool.spawn(|| delay(Duration::from_secs(1))).unwrap();
        let panics = pool.spawn(|| panic!("its own")).unwrap();
        let cancelled = pool.spawn(park).unwrap();
        pool.try_schedule_task().unwrap();
        cancelled.cancel();
        assert_eq!(pool.drain(None).unwrap(), DriveEnd::AllDone);
        assert!(returns.join().is_ok());
        assert_eq!(panics.join().unwrap_err().panic_message(), Some("its own"));
        assert!(matches!(cancelled.join(), Err(JoinError::Cancelled)));
        assert_eq!((pool.get_running_size(), pool.outstanding()), (0, 0));
        let heard = |name| log.events().iter().filter(|event| event.name() == name).count();
        assert_eq!((heard("task_started"), heard("outcome_published"), heard("worker_resumed")), (3, 3, 5));
    });
}

/// Does something at each event of one name, as long as it has something.
struct Does<F> {
    at: &'static str,
    what: F,
    times: AtomicUsize,
}

impl<F: Fn() + Send + Sync + 'static> Does<F> {
    fn at(at: &'static str, what: F) -> Arc<Self> {
        Arc::new(Self { at, what, times: AtomicUsize::new(0) })
    }
}

impl<F: Fn() + Send + Sync + 'static> Listener for Does<F> {
    fn on_event(&self, event: &Event) {
        if event.name() == self.at {
            self.times.fetch_add(1, Ordering::SeqCst);
            (self.what)();
        }
    }
}

type Later<T> = Arc<Mutex<Option<T>>>;

fn with<T>(later: &Later<T>, f: impl FnOnce(&T)) {
    if let Some(value) = later.lock().unwrap_or_else(PoisonError::into_inner).as_ref() {
        f(value);
    }
}

/// Plays three tasks with a listener that calls `what` at each event of the name. All must end as if it did not.
fn play_with(at: &'static str, what: impl Fn(&PoolHandle) + Send + Sync + 'static) {
    let later: Later<PoolHandle> = Later::default();
    let pool = Arc::clone(&later);
    let does = Does::at(at, move || with(&pool, &what));
    let clock = VirtualClock::auto();
    let mut pool = CoroutinePool::builder().listener(Arc::clone(&does)).clock(clock).build().unwrap();
    *later.lock().unwrap() = Some(pool.handle());
    let tasks = [
        pool.spawn(suspend).unwrap(),
        pool.spawn(|| delay(Duration::from_secs(1))).unwrap(),
        pool.spawn(|| syscall("nothing", || ())).unwrap(),
    ];
    let panics = pool.spawn(|| panic!("scripted")).unwrap();
    assert_eq!(pool.drain(None).unwrap(), DriveEnd::AllDone, "{at}");
    assert_eq!(panics.task_ref().outcome(), Some(Outcome::Panicked), "{at}");
    tasks.into_iter().for_each(|task| task.join().unwrap());
    later.lock().unwrap().take();
    assert!(does.times.load(Ordering::SeqCst) > 0, "{at} was never told");
}

/// Those that a run without trouble tells of.
const TOLD: &str = "
    task_accepted schedule_called worker_created worker_added worker_resumed task_polled task_started
    task_interrupted worker_suspended suspension_heard timer_armed syscall_entered syscall_left task_woken
    timer_fired task_exited task_failed outcome_published worker_errored count_reduced poll_failed next_poll";

#[test]
fn a_listener_may_call_the_pool_back() {
    within("calls back", || {
        for at in TOLD.split_whitespace() {
            let extra: Arc<Mutex<Vec<JoinHandle<()>>>> = Arc::default();
            let spawned = Arc::clone(&extra);
            play_with(at, move |pool| {
                assert_eq!((pool.state(), pool.name()), (PoolState::Running, None));
                assert!(pool.size() <= pool.outstanding() && pool.counters().accepted >= 1);
                pool.set_max_size(100).unwrap();
                pool.set_keep_alive(Duration::from_secs(2));
                let mut spawned = spawned.lock().unwrap();
                if spawned.len() < 20 {
                    let priority = if spawned.len() < 10 { 1 } else { -1 };
                    spawned.push(pool.task().priority(priority).spawn(|| ()).unwrap());
                    let cancelled = pool.spawn(|| ()).unwrap();
                    cancelled.cancel();
                    spawned.push(cancelled);
                }
            });
            let extra = std::mem::take(&mut *extra.lock().unwrap());
            assert!(extra.iter().all(JoinHandle::is_finished), "{at}: what a listener submits runs like any task");
        }
    });
}

#[test]
fn a_listener_cannot_suspend_block_attach_or_join_and_is_no_task() {
    within("refused", || {
        for at in TOLD.split_whitespace() {
            let refused = Arc::new(AtomicUsize::new(0));
            let count = Arc::clone(&refused);
            play_with(at, move |pool| {
                suspend();
                park();
                delay(Duration::from_secs(1_000_000));
                copool::park_timeout(Duration::from_secs(1_000_000));
                copool::checkpoint();
                assert_eq!(syscall("in place", || 5), 5);
                assert!(current().is_none());
                assert_eq!(pool.attach().unwrap_err(), AttachError::Refused);
                let other = CoroutinePool::default();
                let unfinished = other.spawn(|| ()).unwrap();
                assert!(matches!(unfinished.task_ref().wait(), Err(JoinError::Unwinding(_))));
                assert!(matches!(unfinished.join(), Err(JoinError::Unwinding(_))));
                let mut other = other;
                assert_eq!(other.drain(None).unwrap_err(), copool::DriveError::Nested);
                count.fetch_add(1, Ordering::SeqCst);
            });
            // A failed assertion would be contained, like any panic of a listener.
            assert!(refused.load(Ordering::SeqCst) > 0, "{at}: an assertion in the listener failed");
        }
    });
}

#[test]
fn what_a_listener_causes_is_not_told() {
    within("not told", || {
        let later: Later<PoolHandle> = Later::default();
        let pool = Arc::clone(&later);
        let does = Does::at("task_accepted", move || with(&pool, |pool| drop(pool.spawn(|| ()).unwrap())));
        let log = Log::default();
        let mut pool = CoroutinePool::builder().listener(Arc::clone(&does)).listener(log.clone()).build().unwrap();
        *later.lock().unwrap() = Some(pool.handle());
        pool.spawn(|| ()).unwrap();
        later.lock().unwrap().take();
        pool.drain(None).unwrap();
        let heard = |name| log.events().iter().filter(|event| event.name() == name).count();
        assert_eq!((heard("task_accepted"), heard("task_started"), pool.counters().ended), (1, 2, 2));
    });
}

#[test]
fn a_listener_may_stop_the_pool_and_cancel_whoever_it_hears_of() {
    within("stops", || {
        for at in TOLD.split_whitespace() {
            let (pool_later, task_later): (Later<PoolHandle>, Later<TaskRef>) = Default::default();
            let (pool, task) = (Arc::clone(&pool_later), Arc::clone(&task_later));
            let does = Does::at(at, move || {
                with(&task, |task| drop(format!("{:?}", task.cancel())));
                with(&pool, |pool| drop(format!("{:?}", pool.stop(Duration::ZERO))));
            });
            let log = Log::default();
            let builder = CoroutinePool::builder().listener(log.clone()).listener(does).clock(VirtualClock::auto());
            let mut pool = builder.build().unwrap();
            let first = pool.spawn(suspend).unwrap();
            pool.spawn(|| delay(Duration::from_secs(1))).unwrap();
            pool.spawn(|| syscall("nothing", || ())).unwrap();
            pool.spawn(|| panic!("scripted")).unwrap();
            *task_later.lock().unwrap() = Some(first.task_ref());
            *pool_later.lock().unwrap() = Some(pool.handle());
            // At this name a submission is heard that is accepted already.
            let late = pool.spawn(|| ());
            let end = pool.drain(None);
            let handle = pool.handle();
            drop(pool);
            assert!(first.is_finished(), "{at}: {end:?}");
            assert!(late.is_ok_and(|late| late.is_finished()), "{at}");
            assert_eq!((handle.state(), handle.outstanding(), handle.size()), (PoolState::Stopped, 0, 0), "{at}");
            assert_eq!(handle.get_running_size(), 0, "{at}");
            // The listener would keep the pool alive that keeps the listener.
            *task_later.lock().unwrap() = None;
            *pool_later.lock().unwrap() = None;
        }
    });
}
