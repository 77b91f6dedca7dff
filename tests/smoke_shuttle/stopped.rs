//! Stopped is the end, in every schedule: no worker comes into being after it.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use copool_model::shuttle::{check, thread};
use copool_model::under_shuttle::spec::{Event, PoolState};
use copool_model::under_shuttle::{CoroutinePool, Listener};

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
