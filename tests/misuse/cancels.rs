//! Tasks that will not be cancelled, or not at once. Those that have to be given up are in `process`.

use std::any::Any;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};

use copool::{CoroutinePool, DriveEnd, JoinError, park, suspend, syscall};

use crate::common::within;
use crate::forever;
use crate::live::Live;

/// After so many throws that it has swallowed, a task is given up at the next.
const MOST_THROWS: usize = 16;

#[test]
fn a_task_that_swallows_its_cancel_a_few_times_and_returns_is_cancelled() {
    within("swallowed cancel", || {
        let live = Live::default();
        let mut pool = CoroutinePool::default();
        for throws in [1, 2, MOST_THROWS] {
            let token = live.token();
            let task = pool
                .spawn(move || {
                    for _ in 0..throws {
                        assert!(catch_unwind(forever).is_err());
                    }
                    token
                })
                .unwrap();
            pool.try_schedule_task().unwrap();
            task.cancel();
            assert_eq!(pool.drain(None), Ok(DriveEnd::AllDone));
            assert!(matches!(task.join(), Err(JoinError::Cancelled)), "after {throws} throws");
            assert_eq!(live.count(), 0, "its value is dropped");
        }
        assert_eq!(pool.counters().stacks_leaked, 0);
    });
}

#[test]
fn a_task_that_panics_instead_of_unwinding_has_panicked() {
    within("panic after a cancel", || {
        let mut pool = CoroutinePool::default();
        let task = pool
            .spawn(|| {
                if catch_unwind(forever).is_err() {
                    panic!("instead");
                }
            })
            .unwrap();
        pool.try_schedule_task().unwrap();
        task.cancel();
        assert_eq!(pool.drain(None), Ok(DriveEnd::AllDone));
        assert_eq!(task.join().unwrap_err().panic_message(), Some("instead"));
    });
}

#[test]
fn the_payload_of_a_cancel_is_an_ordinary_panic_anywhere_else() {
    within("stolen payload", || {
        let mut pool = CoroutinePool::default();
        let (sender, receiver) = std::sync::mpsc::channel();
        let thrown = pool
            .spawn(move || {
                sender.send(catch_unwind(forever).unwrap_err()).unwrap();
            })
            .unwrap();
        pool.try_schedule_task().unwrap();
        thrown.cancel();
        pool.drain(None).unwrap();
        assert!(matches!(thrown.join(), Err(JoinError::Cancelled)));
        let payload = receiver.recv().unwrap();
        let rethrow: fn(Box<dyn Any + Send>) = |payload| resume_unwind(payload);
        let rethrows = pool.spawn(move || rethrow(payload)).unwrap();
        pool.drain(None).unwrap();
        let payload = match rethrows.join() {
            Err(JoinError::Panicked(payload)) => payload,
            other => panic!("{other:?}"),
        };
        assert!(catch_unwind(AssertUnwindSafe(|| resume_unwind(payload))).is_err());
        assert_eq!(pool.counters().stacks_leaked, 0);
    });
}

#[test]
fn a_cancel_in_a_syscall_takes_effect_after_it_and_drops_its_result() {
    within("cancel in a syscall", || {
        let live = Live::default();
        let mut pool = CoroutinePool::default();
        let (go, gate) = std::sync::mpsc::channel::<()>();
        let (started, running) = std::sync::mpsc::channel();
        let token = live.token();
        let task = pool
            .spawn(move || {
                syscall("cancelled", move || {
                    started.send(()).unwrap();
                    gate.recv().unwrap();
                    token
                })
            })
            .unwrap();
        while running.try_recv().is_err() {
            pool.try_schedule_task().unwrap();
        }
        task.cancel();
        pool.try_schedule_task().unwrap();
        assert!(!task.is_finished(), "the call is not cut short");
        go.send(()).unwrap();
        assert_eq!(pool.drain(None), Ok(DriveEnd::AllDone));
        assert!(matches!(task.join(), Err(JoinError::Cancelled)));
        assert_eq!(live.count(), 0);
    });
}

#[test]
fn a_cancel_that_comes_while_the_task_is_on_its_way_to_a_wait_is_not_lost() {
    within("cancel races with waits", || {
        let mut pool = CoroutinePool::builder().threads(1).build().unwrap();
        for _ in 0..500 {
            let task = pool
                .spawn(|| {
                    suspend();
                    park();
                    forever();
                })
                .unwrap();
            task.cancel();
            assert_eq!(pool.wait(&task), Ok(DriveEnd::AllDone));
            assert!(matches!(task.join(), Err(JoinError::Cancelled)));
        }
    });
}
