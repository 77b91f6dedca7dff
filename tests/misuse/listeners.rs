//! Listeners that panic, block, suspend and call back.

use std::panic::panic_any;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, OnceLock};
use std::time::{Duration, Instant};

use copool::spec::{Event, WorkerId};
use copool::{
    AttachError, CoroutinePool, DriveEnd, DriveError, JoinError, Listener, PoolHandle, TaskRef, WorkerState,
    checkpoint, current, delay, park, suspend, syscall,
};

use crate::assert_over;
use crate::common::within;

/// A life with most events in it.
fn live_a_life(pool: &mut CoroutinePool) {
    let panics: copool::JoinHandle<()> = pool.spawn(|| panic_any(1)).unwrap();
    let cancelled = pool.spawn(park).unwrap();
    let unrun = pool.task().priority(3).spawn(|| ()).unwrap();
    let works = pool
        .spawn(|| {
            suspend();
            delay(Duration::from_millis(1));
            syscall("call", || ());
            7
        })
        .unwrap();
    let of_works = works.task_ref();
    let joins = pool.spawn(move || of_works.wait().unwrap()).unwrap();
    unrun.cancel();
    pool.try_schedule_task().unwrap();
    cancelled.cancel();
    let _ = pool.set_min_size(1);
    assert_eq!(pool.drain(None), Ok(DriveEnd::AllDone));
    assert_eq!(works.join().unwrap(), 7);
    joins.join().unwrap();
    assert!(matches!(panics.join(), Err(JoinError::Panicked(_))));
    let abandoned = pool.spawn(|| ()).unwrap();
    pool.stop(Duration::ZERO);
    assert!(matches!(abandoned.join(), Err(JoinError::Abandoned)));
    assert!(pool.spawn(|| ()).is_err());
    assert!(pool.drain(None).is_err());
}

/// Panics with a payload that panics.
struct Bomb;
impl Drop for Bomb {
    fn drop(&mut self) {
        panic_any(1);
    }
}

#[derive(Default)]
struct Panics(AtomicUsize);
impl Listener for Panics {
    fn on_state_changed(&self, _: WorkerId, _: WorkerState, _: WorkerState) {
        self.0.fetch_add(1, Ordering::SeqCst);
        std::panic::resume_unwind(Box::new(Bomb));
    }

    fn on_event(&self, _: &Event) {
        self.0.fetch_add(1, Ordering::SeqCst);
        std::panic::resume_unwind(Box::new("listener"));
    }
}

#[test]
fn a_listener_that_panics_at_every_event_changes_nothing_and_hides_none_from_the_next() {
    within("panicking listener", || {
        let (first, second) = (Arc::new(Panics::default()), Arc::new(Panics::default()));
        let mut pool =
            CoroutinePool::builder().listener(Arc::clone(&first)).listener(Arc::clone(&second)).build().unwrap();
        live_a_life(&mut pool);
        let handle = pool.handle();
        drop(pool);
        assert_over(&handle);
        assert!(first.0.load(Ordering::SeqCst) > 50);
        assert_eq!(first.0.load(Ordering::SeqCst), second.0.load(Ordering::SeqCst));
    });
}

/// At every event calls everything there is to call.
#[derive(Default)]
struct CallsBack {
    pool: OnceLock<PoolHandle>,
    /// A task that never ends by itself.
    task: OnceLock<TaskRef>,
    calls: AtomicUsize,
    inside: AtomicBool,
    spawned: Mutex<Vec<copool::JoinHandle<i32>>>,
    wrong: Mutex<Vec<String>>,
}

impl CallsBack {
    fn call(&self, what: &str) {
        let (Some(pool), Some(task)) = (self.pool.get(), self.task.get()) else { return };
        assert!(!self.inside.swap(true, Ordering::SeqCst), "a listener is not called inside itself");
        let began = Instant::now();
        self.calls.fetch_add(1, Ordering::SeqCst);
        suspend();
        park();
        checkpoint();
        delay(Duration::from_secs(3_600));
        copool::park_timeout(Duration::from_secs(3_600));
        let expect = |held: bool, claim: &str| {
            if !held {
                self.wrong.lock().unwrap().push(format!("at {what}: {claim}"));
            }
        };
        expect(began.elapsed() < Duration::from_secs(600), "suspending calls return at once");
        expect(current().is_none(), "current is hidden");
        expect(syscall("quiet", || 7) == 7, "a syscall runs in place");
        let waited = task.wait_timeout(Duration::MAX);
        expect(matches!(waited, Err(JoinError::Unwinding(_))) || task.is_finished(), "waiting is refused");
        expect(matches!(pool.attach(), Err(AttachError::Refused | AttachError::Stopped)), "attaching is refused");
        let mut other = CoroutinePool::default();
        expect(other.drain(None) == Err(DriveError::Nested), "driving is refused");
        drop(other);
        if let Ok(spawned) = pool.spawn(|| 7) {
            if self.calls.load(Ordering::SeqCst).is_multiple_of(2) {
                spawned.cancel();
            }
            self.spawned.lock().unwrap().push(spawned);
        }
        let _ = (pool.size(), pool.outstanding(), pool.counters(), pool.state(), format!("{pool:?} {task:?}"));
        pool.set_keep_alive(Duration::ZERO);
        let _ = pool.set_max_size(pool.max_size());
        task.unpark();
        self.inside.store(false, Ordering::SeqCst);
    }
}

impl Listener for CallsBack {
    fn on_state_changed(&self, _: WorkerId, old: WorkerState, new: WorkerState) {
        self.call(&format!("{old:?} to {new:?}"));
    }

    fn on_event(&self, event: &Event) {
        // What it submits makes events of its own: it would never end.
        if matches!(event, Event::StopCalled { .. } | Event::TimerArmed { .. } | Event::SyscallEntered { .. })
            || self.calls.load(Ordering::SeqCst) < 200
        {
            self.call(event.name());
        }
    }
}

#[test]
fn a_listener_that_calls_back_is_refused_what_blocks_and_granted_the_rest() {
    within("listener calls back", || {
        let listener = Arc::new(CallsBack::default());
        let mut pool = CoroutinePool::builder().listener(Arc::clone(&listener)).build().unwrap();
        let task = pool.spawn(crate::forever).unwrap();
        listener.task.set(task.task_ref()).unwrap();
        listener.pool.set(pool.handle()).unwrap();
        for _ in 0..5 {
            pool.spawn(|| {
                suspend();
                delay(Duration::from_millis(1));
                syscall("call", || ());
            })
            .unwrap();
        }
        let tick = pool.spawn(|| delay(Duration::from_millis(5))).unwrap();
        assert_eq!(pool.wait(&tick), Ok(DriveEnd::AllDone));
        pool.stop(Duration::from_millis(10));
        let handle = pool.handle();
        drop(pool);
        assert_over(&handle);
        assert!(listener.calls.load(Ordering::SeqCst) >= 200);
        assert_eq!(*listener.wrong.lock().unwrap(), Vec::<String>::new());
        assert!(listener.spawned.lock().unwrap().iter().all(copool::JoinHandle::is_finished));
    });
}

/// Stops the pool at its n-th event.
struct StopsAt {
    at: usize,
    seen: AtomicUsize,
    pool: OnceLock<PoolHandle>,
}
impl Listener for StopsAt {
    fn on_event(&self, _: &Event) {
        if self.seen.fetch_add(1, Ordering::SeqCst) == self.at
            && let Some(pool) = self.pool.get()
        {
            pool.stop(Duration::MAX);
        }
    }
}

#[test]
fn a_listener_that_stops_the_pool_at_any_event_abandons_at_once_and_loses_no_outcome() {
    within("listener stops", || {
        for at in 1..80 {
            let listener = Arc::new(StopsAt { at, seen: AtomicUsize::new(0), pool: OnceLock::new() });
            let mut pool = CoroutinePool::builder().listener(Arc::clone(&listener)).build().unwrap();
            assert!(listener.pool.set(pool.handle()).is_ok());
            let tasks: Vec<_> = (0..3)
                .map_while(|_| {
                    let task = pool.spawn(|| {
                        suspend();
                        delay(Duration::from_micros(1));
                        park();
                    });
                    task.ok()
                })
                .collect();
            let tick = pool.spawn(|| (0..3).for_each(|_| suspend()));
            if let Ok(tick) = &tick {
                let _ = pool.wait(tick);
            }
            let handle = pool.handle();
            drop(pool);
            assert_over(&handle);
            assert!(tasks.iter().all(copool::JoinHandle::is_finished), "stopped at event {at}");
        }
    });
}
