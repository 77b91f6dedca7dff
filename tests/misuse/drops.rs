//! Pools, handles and last handles dropped where nobody should drop them.

use std::cell::RefCell;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::mpsc::channel;
use std::thread;
use std::time::Duration;

use copool::spec::Event;
use copool::{
    CoroutinePool, DriveEnd, JoinError, Listener, Outcome, PoolHandle, current, delay, park, park_timeout, suspend,
};

use crate::common::within;
use crate::live::{Live, Token};
use crate::{assert_over, forever};

thread_local! {
    static POOL: RefCell<Option<CoroutinePool>> = const { RefCell::new(None) };
}

fn put(pool: CoroutinePool) -> PoolHandle {
    let handle = pool.handle();
    POOL.with(|slot| *slot.borrow_mut() = Some(pool));
    handle
}

fn drop_pool() {
    let pool = POOL.with(|slot| slot.borrow_mut().take());
    drop(pool);
}

#[test]
fn a_pool_dropped_with_tasks_in_every_state_drops_all_they_own_and_publishes_all_outcomes() {
    within("drop with tasks everywhere", || {
        let live = Live::default();
        let mut pool = CoroutinePool::builder().keep_alive(Duration::MAX).min_size(2).build().unwrap();
        let spawn = |run: fn()| {
            let token = live.token();
            pool.spawn(move || {
                let _token = token;
                run();
            })
            .unwrap()
        };
        let started = [
            spawn(forever),
            spawn(|| delay(Duration::MAX)),
            spawn(|| {
                loop {
                    suspend()
                }
            }),
            spawn(|| park_timeout(Duration::MAX)),
        ];
        let joined = started[0].task_ref();
        let token = live.token();
        let joins = pool
            .spawn(move || {
                let _token = token;
                joined.wait().map(drop).unwrap();
                forever();
            })
            .unwrap();
        let tick = pool.spawn(|| delay(Duration::from_millis(1))).unwrap();
        pool.wait(&tick).unwrap();
        let spawn = |priority| {
            let token = live.token();
            pool.task().priority(priority).spawn(move || drop(token)).unwrap()
        };
        let queued = [spawn(0), spawn(-1), spawn(1)];
        let handle = pool.handle();
        drop(pool);
        for task in started.iter().chain(&queued).chain([&joins]) {
            assert_eq!(task.task_ref().outcome(), Some(Outcome::Abandoned), "{task:?}");
        }
        assert_eq!(live.count(), 0);
        assert_over(&handle);
    });
}

#[test]
fn a_pool_dropped_by_a_task_of_another_pool_is_dropped() {
    within("drop from a task of another pool", || {
        let live = Live::default();
        let other = put(CoroutinePool::builder().threads(1).build().unwrap());
        let token = live.token();
        other
            .spawn(move || {
                let _token = token;
                forever();
            })
            .unwrap();
        let mut pool = CoroutinePool::default();
        let drops = pool.spawn(drop_pool).unwrap();
        assert_eq!(pool.drain(None), Ok(DriveEnd::AllDone));
        drops.join().unwrap();
        assert_eq!(live.count(), 0);
        assert_over(&other);
    });
}

#[test]
fn a_pool_dropped_while_its_thread_panics_unwinds_its_tasks_and_the_panic_goes_on() {
    within("drop during a panic", || {
        let live = Live::default();
        let mut pool = CoroutinePool::default();
        for run in [
            forever as fn(),
            || delay(Duration::MAX),
            || loop {
                suspend()
            },
            || while catch_unwind(park).is_ok() {},
        ] {
            let token = live.token();
            pool.spawn(move || {
                let _token = token;
                run();
            })
            .unwrap();
        }
        let tick = pool.spawn(suspend).unwrap();
        pool.wait(&tick).unwrap();
        let token = live.token();
        pool.spawn(move || drop(token)).unwrap();
        let handle = pool.handle();
        let panicked = catch_unwind(AssertUnwindSafe(move || {
            let _pool = pool;
            panic!("on purpose");
        }));
        assert_eq!(panicked.unwrap_err().downcast_ref::<&str>(), Some(&"on purpose"));
        assert!(!thread::panicking());
        assert_eq!(live.count(), 0);
        assert_eq!(handle.counters().stacks_leaked, 0);
        assert_over(&handle);
    });
}

#[test]
fn handles_and_last_handles_are_dropped_anywhere() {
    within("drop of handles", || {
        let live = Live::default();
        let mut pool = CoroutinePool::builder().listener(Keeps(live.token())).build().unwrap();
        let handle = pool.handle();
        let task = pool.spawn(forever).unwrap();
        let kept = task.task_ref();
        let other = pool
            .spawn(move || {
                let own = handle.clone();
                drop(handle);
                let detached = own.spawn(suspend).unwrap();
                drop((own, detached, task, current()));
            })
            .unwrap();
        assert!(pool.drain(std::time::Instant::now() + Duration::from_millis(20)).is_ok());
        other.join().unwrap();
        let last = pool.handle();
        drop(pool);
        assert_eq!(kept.outcome(), Some(Outcome::Abandoned));
        let mut elsewhere = CoroutinePool::default();
        assert_eq!(live.count(), 1);
        let drops = elsewhere.spawn(move || drop((kept, last))).unwrap();
        elsewhere.drain(None).unwrap();
        drops.join().unwrap();
        assert_eq!(live.count(), 0, "with the last handle the pool's core went, inside a task");
    });
}

struct Keeps(#[expect(dead_code, reason = "counted while it lives")] Token);
impl Listener for Keeps {}

struct DropPanics;
impl Listener for DropPanics {}
impl Drop for DropPanics {
    fn drop(&mut self) {
        panic!("a listener panics in Drop");
    }
}

#[test]
fn a_listener_whose_drop_panics_does_not_make_the_drop_of_a_pool_panic() {
    let pool = CoroutinePool::builder().listener(DropPanics).build().unwrap();
    assert!(catch_unwind(AssertUnwindSafe(move || drop(pool))).is_ok());
}

/// Holds a submission up between its acceptance and its queue.
struct HoldsUp(std::sync::Mutex<Option<Gate>>);
struct Gate {
    accepted: std::sync::mpsc::Sender<()>,
    go_on: std::sync::mpsc::Receiver<()>,
}
impl Listener for HoldsUp {
    fn on_event(&self, event: &Event) {
        if event.name() == "task_accepted"
            && let Some(gate) = self.0.lock().unwrap().take()
        {
            gate.accepted.send(()).unwrap();
            gate.go_on.recv().unwrap();
        }
    }
}

#[test]
fn a_submission_in_flight_while_the_pool_is_dropped_leaks_nothing() {
    within("submission in flight", || {
        let live = Live::default();
        let (accepted, has_accepted) = channel();
        let (go, go_on) = channel();
        let listener = Arc::new(HoldsUp(std::sync::Mutex::new(Some(Gate { accepted, go_on }))));
        let core = Arc::downgrade(&listener);
        let pool = CoroutinePool::builder().listener(listener).build().unwrap();
        let (handle, token) = (pool.handle(), live.token());
        let submits = thread::spawn(move || handle.spawn(move || drop(token)).map(|task| task.join()));
        has_accepted.recv().unwrap();
        drop(pool);
        go.send(()).unwrap();
        match submits.join().unwrap() {
            Ok(joined) => assert!(matches!(joined, Err(JoinError::Abandoned))),
            Err(rejected) => drop(rejected),
        }
        assert_eq!(live.count(), 0, "the closure is dropped, though no seat is left to do it");
        assert_eq!(core.strong_count(), 0, "and the pool's core is gone");
    });
}

#[test]
fn a_closure_that_an_owner_drops_may_wait_for_a_stop_by_another_thread() {
    /// Something a task has captured.
    struct Waits(PoolHandle);

    impl Drop for Waits {
        fn drop(&mut self) {
            thread::scope(|scope| scope.spawn(|| self.0.stop(Duration::ZERO)).join().expect("it only stops"));
        }
    }

    within("the drop of a pool with such a closure in its queue", || {
        let pool = CoroutinePool::default();
        let waits = Waits(pool.handle());
        let task = pool.spawn(move || drop(waits)).unwrap().task_ref();
        drop(pool);
        assert_eq!(task.outcome(), Some(Outcome::Abandoned));
    });
}

/// Tells when the task `late` is accepted, and keeps its submitter until the gate opens.
struct KeepsSubmitter {
    accepted: std::sync::mpsc::Sender<()>,
    gate: std::sync::Mutex<std::sync::mpsc::Receiver<()>>,
    first: std::sync::atomic::AtomicBool,
}

impl Listener for KeepsSubmitter {
    fn on_event(&self, event: &Event) {
        // Ordering: Relaxed; the second submission comes after the first by a spawn of its thread.
        let first = event.name() == "task_accepted" && !self.first.swap(true, std::sync::atomic::Ordering::Relaxed);
        if event.name() == "task_accepted" && !first {
            self.accepted.send(()).unwrap();
            self.gate.lock().unwrap().recv().unwrap();
        }
    }
}

/// When it is dropped, lets a submitter go on and waits until it has.
struct WaitsForSubmitter(std::sync::mpsc::Sender<()>, std::sync::mpsc::Receiver<()>);

impl Drop for WaitsForSubmitter {
    fn drop(&mut self) {
        self.0.send(()).unwrap();
        self.1.recv().unwrap();
    }
}

#[test]
fn the_closure_of_an_abandoned_task_may_wait_for_one_who_abandons_another() {
    within("burial beside an abandonment", || {
        let ((accepted, is_accepted), (open, gate), (over, is_over)) = (channel(), channel(), channel());
        let keeps = KeepsSubmitter { accepted, gate: gate.into(), first: false.into() };
        let mut pool = CoroutinePool::builder().listener(keeps).build().unwrap();
        let waits = WaitsForSubmitter(open, is_over);
        let buried = pool.spawn(move || drop(waits)).unwrap();
        let handle = pool.handle();
        let submitter = thread::spawn(move || {
            let late = handle.spawn(|| ()).unwrap();
            over.send(()).unwrap();
            late
        });
        is_accepted.recv().unwrap();
        // Its sweep comes before the late task is queued.
        pool.stop(Duration::ZERO);
        assert_eq!(pool.drain(None), Ok(DriveEnd::Stopped), "it buries what was swept");
        let late = submitter.join().unwrap();
        assert_eq!(
            (buried.task_ref().outcome(), late.task_ref().outcome()),
            (Some(Outcome::Abandoned), Some(Outcome::Abandoned))
        );
        assert_over(&pool);
    });
}
