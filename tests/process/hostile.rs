//! Safe code that tries to reach what is gone: on a failure memory is corrupt, so each has a process of its own.

use std::cell::RefCell;
use std::thread;
use std::time::{Duration, Instant};

use copool::spec::Event;
use copool::{CoroutinePool, DriveEnd, JoinError, Listener, PoolHandle, PoolState, suspend};

use crate::{alone, name};

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

/// Drops the pool of its thread at one event, and fills the memory that this frees.
struct DropsPool(&'static str);
impl Listener for DropsPool {
    fn on_event(&self, event: &Event) {
        if event.name() == self.0 {
            drop_pool();
            let filled: Vec<Vec<u8>> = (4..12).flat_map(|size| (0..20).map(move |_| vec![0xaa; 1 << size])).collect();
            std::mem::forget(filled);
        }
    }
}

fn assert_over(pool: &PoolHandle) {
    assert_eq!((pool.state(), pool.size(), pool.outstanding()), (PoolState::Stopped, 0, 0));
    assert_eq!((pool.get_running_size(), pool.counters().stacks), (0, 0));
}

#[test]
fn a_pool_dropped_by_its_listener_during_a_submission_takes_the_task_along() {
    let end = alone(name!(a_pool_dropped_by_its_listener_during_a_submission_takes_the_task_along), || {
        let handle = put(CoroutinePool::builder().listener(DropsPool("task_accepted")).build().unwrap());
        let task = handle.spawn(|| ()).unwrap();
        assert!(POOL.with(|slot| slot.borrow().is_none()), "the listener was called");
        assert!(matches!(task.join(), Err(JoinError::Abandoned)));
        assert_over(&handle);
    });
    let Some(end) = end else { return };
    end.succeeded();
}

#[test]
fn a_seat_dropped_by_a_listener_during_a_submission_leaves_the_task_to_the_others() {
    let end = alone(name!(a_seat_dropped_by_a_listener_during_a_submission_leaves_the_task_to_the_others), || {
        let mut pool = CoroutinePool::builder().listener(DropsPool("task_accepted")).build().unwrap();
        let handle = pool.handle();
        let submits = thread::spawn(move || {
            let seat = handle.attach().unwrap();
            let handle = put(seat);
            let task = handle.spawn(|| 7).unwrap();
            assert!(POOL.with(|slot| slot.borrow().is_none()), "the listener was called");
            task
        });
        let task = submits.join().unwrap();
        let soon = Instant::now() + Duration::from_secs(5);
        assert_eq!(pool.drain(soon), Ok(DriveEnd::AllDone));
        assert_eq!(task.join().unwrap(), 7);
    });
    let Some(end) = end else { return };
    end.succeeded();
}

#[test]
fn a_pool_dropped_by_its_listener_at_any_event_of_a_stop_is_left_in_order() {
    let end = alone(name!(a_pool_dropped_by_its_listener_at_any_event_of_a_stop_is_left_in_order), || {
        for event in Event::NAMES.iter().filter(|event| **event != "task_accepted") {
            let handle = put(CoroutinePool::builder().listener(DropsPool(event)).build().unwrap());
            let spawned = handle.spawn(suspend);
            handle.stop(Duration::from_secs(30));
            drop(spawned);
            drop_pool();
            assert_over(&handle);
        }
    });
    let Some(end) = end else { return };
    end.succeeded();
}

#[test]
fn a_pool_dropped_by_its_own_task_under_a_stop_leaves_nothing_behind() {
    let end = alone(name!(a_pool_dropped_by_its_own_task_under_a_stop_leaves_nothing_behind), || {
        let handle = put(CoroutinePool::default());
        let sleeps = handle.spawn(copool::park).unwrap();
        let drops = handle
            .spawn(|| {
                drop_pool();
                suspend();
                7
            })
            .unwrap();
        handle.stop(Duration::from_millis(50));
        assert!(POOL.with(|slot| slot.borrow().is_none()));
        assert!(matches!(drops.join(), Ok(7) | Err(JoinError::Abandoned)));
        assert!(matches!(sleeps.join(), Err(JoinError::Abandoned)));
        // What was suspended has unwound, as the pool is gone.
        assert_over(&handle);
    });
    let Some(end) = end else { return };
    end.succeeded();
}

#[test]
fn ever_larger_stacks_in_a_row_do_not_pile_up_on_the_seats_own_stack() {
    let end = alone(name!(ever_larger_stacks_in_a_row_do_not_pile_up_on_the_seats_own_stack), || {
        let seat = thread::Builder::new().stack_size(256 * 1024).spawn(|| {
            let mut pool = CoroutinePool::default();
            let tasks: Vec<_> = (1..=1_000_usize)
                .map(|n| pool.task().stack_size(64 * 1024 + n * 4096).spawn(move || n).unwrap())
                .collect();
            assert_eq!(pool.drain(None), Ok(DriveEnd::AllDone));
            tasks.into_iter().map(|task| task.join().unwrap()).sum::<usize>()
        });
        assert_eq!(seat.unwrap().join().unwrap(), 500_500);
    });
    let Some(end) = end else { return };
    end.succeeded();
}
