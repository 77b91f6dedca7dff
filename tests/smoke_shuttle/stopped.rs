//! Stopped is the end, in every schedule: no worker comes into being after it.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use copool_model::shuttle::{check, thread};
use copool_model::under_shuttle::spec::{Event, PoolState};
use copool_model::under_shuttle::{CoroutinePool, DriveEnd, Listener, park};

/// Notes the events that make a worker, and the end of the pool.
#[derive(Clone, Default)]
struct Told(Arc<Mutex<Vec<&'static str>>>);

impl Listener for Told {
    fn on_event(&self, event: &Event) {
        if matches!(event.name(), "worker_created" | "worker_added" | "worker_recreated" | "pool_stopped") {
            self.0.lock().unwrap().push(event.name());
        }
    }
}

#[test]
fn no_worker_is_made_in_a_pool_that_has_stopped() {
    check("a first drive against a stop", || {
        let told = Told::default();
        let builder = CoroutinePool::builder().min_size(1).max_size(1).listener(told.clone());
        let mut pool = builder.build().unwrap();
        pool.spawn(|| ()).unwrap();
        let handle = pool.handle();
        let stopper = thread::spawn(move || handle.stop(Duration::ZERO));
        // It runs its task, or finds it given up, or the pool stopped.
        let _ = pool.try_schedule_task();
        stopper.join().unwrap();
        assert_eq!((pool.state(), pool.get_running_size()), (PoolState::Stopped, 0));
        let told = told.0.lock().unwrap();
        assert_eq!(told.iter().position(|name| *name == "pool_stopped"), Some(told.len() - 1), "{told:?}");
    });
}

#[test]
fn what_is_cancelled_or_rejected_meanwhile_never_counts_as_started_nor_as_ended_twice() {
    check("counters against cancels and rejections", || {
        let pool = CoroutinePool::builder().max_size(1).build().unwrap();
        let handle = pool.handle();
        let other = thread::spawn(move || {
            handle.spawn(|| ()).unwrap().cancel();
            handle.stop(Duration::ZERO);
            (0..3).for_each(|_| assert!(handle.spawn(|| ()).is_err()));
        });
        for _ in 0..3 {
            let counters = pool.counters();
            // A rejected submission is counted for a moment.
            assert!(counters.accepted <= 2 && counters.started == 0 && counters.ended <= 1, "{counters:?}");
            thread::yield_now();
        }
        other.join().unwrap();
        let counters = pool.counters();
        assert_eq!((counters.accepted, counters.started, counters.ended), (1, 0, 1));
    });
}

#[test]
fn a_cancel_on_the_way_into_a_stop_leaves_the_watchers_in_order() {
    check("a cancel against a stop in a task", || {
        let mut pool = CoroutinePool::builder().max_size(2).build().unwrap();
        let (handle, never) = (pool.handle(), pool.spawn(park).unwrap());
        let stops = pool.spawn(move || handle.stop(Duration::MAX)).unwrap();
        let canceller = thread::spawn({
            let task = stops.task_ref();
            move || task.cancel()
        });
        assert_eq!(pool.wait(&stops).unwrap(), DriveEnd::AllDone);
        canceller.join().unwrap();
        // Whoever waits for quiet is still woken.
        let handle = pool.handle();
        let waits = thread::spawn(move || handle.stop(Duration::MAX));
        never.cancel();
        // It may have stopped already.
        let _ = pool.drain(None);
        waits.join().unwrap();
        assert_eq!(pool.state(), PoolState::Stopped);
    });
}
