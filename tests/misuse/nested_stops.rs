//! A stop inside of a stop of the same task: the waker of a future runs on the stack of whoever ends what it waits for.

use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, Wake, Waker};
use std::thread;
use std::time::Duration;

use copool::{CoroutinePool, PoolHandle, StopReport, park};

use crate::assert_stopped;
use crate::common::within;

/// Stops the pool, and then has another thread do so.
struct Stops {
    pool: PoolHandle,
    reports: Mutex<Vec<StopReport>>,
}

impl Wake for Stops {
    fn wake(self: Arc<Self>) {
        let nested = self.pool.stop(Duration::ZERO);
        let pool = self.pool.clone();
        let elsewhere = thread::spawn(move || pool.stop(Duration::ZERO)).join().unwrap();
        self.reports.lock().unwrap().extend([nested, elsewhere]);
    }
}

#[test]
fn a_stop_that_a_stop_of_the_same_task_runs_into_counts_the_task_once_and_leaves_it_spared() {
    within("stop in a stop", || {
        let mut pool = CoroutinePool::default();
        let (mut first, second) = (pool.spawn(park).unwrap(), pool.spawn(park).unwrap());
        pool.try_schedule_task().unwrap();
        let stops = Arc::new(Stops { pool: pool.handle(), reports: Mutex::default() });
        let waker = Waker::from(Arc::clone(&stops));
        assert!(matches!(Pin::new(&mut first).poll(&mut Context::from_waker(&waker)), Poll::Pending));
        let handle = pool.handle();
        let caller = pool.spawn(move || handle.stop(Duration::ZERO).abandoned).unwrap();
        let _ = pool.drain(None);
        // The outer one gives the first task up, and runs into the waker; what is left is the nested one's.
        assert_eq!(caller.join().unwrap(), 1, "the caller is spared");
        let abandoned: Vec<_> = stops.reports.lock().unwrap().iter().map(|report| report.abandoned).collect();
        assert_eq!(abandoned, [1, 0]);
        assert!(first.is_finished() && second.is_finished());
        assert_stopped(&pool);
    });
}
