//! What is told of a change of the limits, in every schedule: what this change has set, whoever else changes them meanwhile.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use copool_model::shuttle::{check, thread};
use copool_model::under_shuttle::spec::Event;
use copool_model::under_shuttle::{CoroutinePool, Listener};

/// The changes as they were told: minimum, maximum, keep-alive in nanoseconds.
#[derive(Clone, Default)]
struct Told(Arc<Mutex<Vec<(u32, u32, u64)>>>);

impl Listener for Told {
    fn on_event(&self, event: &Event) {
        if let Event::LimitsChanged { min, max, keep_alive } = *event {
            self.0.lock().unwrap().push((min, max, keep_alive));
        }
    }
}

#[test]
fn each_change_of_the_keep_alive_is_told() {
    check("two change the keep-alive", || {
        let told = Told::default();
        let pool = CoroutinePool::builder().max_size(1).listener(told.clone()).build().unwrap();
        let handle = pool.handle();
        let other = thread::spawn(move || handle.set_keep_alive(Duration::from_nanos(1)));
        pool.set_keep_alive(Duration::from_nanos(2));
        other.join().unwrap();
        let mut told = told.0.lock().unwrap().clone();
        told.sort_unstable();
        assert_eq!(told, [(0, 1, 1), (0, 1, 2)]);
    });
}

#[test]
fn each_change_of_the_maximum_is_told() {
    check("two change the maximum", || {
        let told = Told::default();
        let pool = CoroutinePool::builder().max_size(1).listener(told.clone()).build().unwrap();
        let handle = pool.handle();
        let other = thread::spawn(move || handle.set_max_size(2).unwrap());
        pool.set_max_size(3).unwrap();
        other.join().unwrap();
        let mut told = told.0.lock().unwrap().clone();
        told.sort_unstable();
        assert_eq!(told, [(0, 2, 0), (0, 3, 0)]);
    });
}
