//! Tasks that panic where it hurts: with odd payloads, in destructors, and in what is dropped for them.

use std::any::Any;
use std::panic::{catch_unwind, panic_any};
use std::time::Duration;

use copool::{CoroutineLocal, CoroutinePool, DriveEnd, JoinError, Outcome, park, suspend, syscall};

use crate::common::within;
use crate::live::{Live, Token};
use crate::{assert_over, forever};

/// Panics when it is dropped.
struct Bomb(#[expect(dead_code, reason = "counted while it lives")] Token);

impl Drop for Bomb {
    fn drop(&mut self) {
        panic!("a bomb went off");
    }
}

/// Panics with another one when it is dropped, without end.
struct Hydra;

impl Drop for Hydra {
    fn drop(&mut self) {
        panic_any(Hydra);
    }
}

fn message(error: &JoinError) -> &str {
    error.panic_message().expect("the task panicked with a message")
}

/// The pool works as before.
fn assert_works(pool: &mut CoroutinePool) {
    let task = pool
        .spawn(|| {
            suspend();
            7
        })
        .unwrap();
    assert_eq!(pool.drain(None), Ok(DriveEnd::AllDone));
    assert_eq!(task.join().unwrap(), 7);
    assert_eq!((pool.get_running_size(), pool.outstanding()), (0, 0));
}

#[test]
fn a_panics_payload_reaches_the_joiner_whatever_it_is() {
    within("odd payloads", || {
        let mut pool = CoroutinePool::default();
        let number = pool.spawn(|| panic_any(42_u64)).map(|task: copool::JoinHandle<()>| task).unwrap();
        let text: copool::JoinHandle<()> = pool.spawn(|| panic!("{}", "formatted")).unwrap();
        let boxed: copool::JoinHandle<()> = pool.spawn(|| panic_any(Box::new(1) as Box<dyn Any + Send>)).unwrap();
        let suspended: copool::JoinHandle<()> = pool
            .spawn(|| {
                suspend();
                panic!("after a suspension");
            })
            .unwrap();
        assert_eq!(pool.drain(None), Ok(DriveEnd::AllDone));
        match number.join().unwrap_err() {
            JoinError::Panicked(payload) => assert_eq!(payload.downcast_ref(), Some(&42_u64)),
            other => panic!("{other:?}"),
        }
        assert_eq!(message(&text.join().unwrap_err()), "formatted");
        assert_eq!(boxed.join().unwrap_err().panic_message(), None);
        assert_eq!(message(&suspended.join().unwrap_err()), "after a suspension");
        assert_works(&mut pool);
    });
}

#[test]
fn a_panic_while_captures_are_dropped_is_the_tasks_panic() {
    within("bomb in the captures", || {
        let live = Live::default();
        let mut pool = CoroutinePool::default();
        let bomb = Bomb(live.token());
        let task = pool
            .spawn(move || {
                let _bomb = bomb;
                suspend();
                7
            })
            .unwrap();
        assert_eq!(pool.drain(None), Ok(DriveEnd::AllDone));
        assert_eq!(message(&task.join().unwrap_err()), "a bomb went off");
        assert_eq!(live.count(), 0);
        assert_works(&mut pool);
    });
}

#[test]
fn captures_that_panic_when_dropped_unrun_spoil_no_cancel_stop_or_drop() {
    within("bomb in a queue", || {
        let live = Live::default();
        let bomb = || Bomb(live.token());
        let mut pool = CoroutinePool::default();
        let first = bomb();
        let cancelled = pool.spawn(move || drop(first)).unwrap();
        cancelled.cancel();
        assert!(matches!(cancelled.join(), Err(JoinError::Cancelled)));
        let (second, third) = (bomb(), bomb());
        let stopped = [pool.spawn(move || drop(second)).unwrap(), pool.spawn(move || drop(third)).unwrap()];
        assert_eq!(pool.stop(Duration::ZERO).abandoned, 2);
        assert_eq!(pool.drain(None), Err(copool::DriveError::Stopped));
        assert!(stopped.iter().all(|task| task.task_ref().outcome() == Some(Outcome::Abandoned)));
        drop(pool);
        let dropped = CoroutinePool::default();
        let bomb = bomb();
        dropped.spawn(move || drop(bomb)).unwrap();
        let handle = dropped.handle();
        drop(dropped);
        assert_over(&handle);
        assert_eq!(live.count(), 0);
    });
}

#[test]
fn a_result_that_panics_in_drop_harms_nobody_but_who_drops_it() {
    within("bomb as a result", || {
        let live = Live::default();
        let mut pool = CoroutinePool::default();
        let (detached, joined, cancelled) = (Bomb(live.token()), Bomb(live.token()), Bomb(live.token()));
        drop(pool.spawn(move || detached).unwrap());
        let joined = pool.spawn(move || joined).unwrap();
        let cancelled = pool
            .spawn(move || {
                assert!(catch_unwind(forever).is_err());
                cancelled
            })
            .unwrap();
        pool.try_schedule_task().unwrap();
        cancelled.cancel();
        assert_eq!(pool.drain(None), Ok(DriveEnd::AllDone));
        assert!(matches!(cancelled.join(), Err(JoinError::Cancelled)));
        let value = joined.join().map_err(drop);
        assert_eq!(live.count(), 1);
        assert!(catch_unwind(std::panic::AssertUnwindSafe(move || drop(value))).is_err());
        assert_eq!(live.count(), 0);
        assert_works(&mut pool);
    });
}

#[test]
fn a_payload_that_panics_in_drop_without_end_is_given_up() {
    within("endless payload", || {
        let mut pool = CoroutinePool::default();
        let detached = pool.spawn(|| panic_any(Hydra)).map(|task: copool::JoinHandle<()>| task.task_ref()).unwrap();
        assert_eq!(pool.drain(None), Ok(DriveEnd::AllDone));
        assert_eq!(detached.outcome(), Some(Outcome::Panicked));
        drop(detached);
        let captured = Hydra;
        let cancelled = pool.spawn(move || drop(captured)).unwrap();
        cancelled.cancel();
        let captured = Hydra;
        pool.spawn(move || drop(captured)).unwrap();
        assert_eq!(pool.drain(None), Ok(DriveEnd::AllDone));
        assert_works(&mut pool);
    });
}

#[test]
fn coroutine_locals_that_panic_in_drop_or_in_their_initializer_spoil_no_outcome() {
    static BOMB: CoroutineLocal<Hydra> = CoroutineLocal::new(|| Hydra);
    static FAILS: CoroutineLocal<u32> = CoroutineLocal::new(|| panic!("no value"));
    within("bombs as locals", || {
        let mut pool = CoroutinePool::default();
        let drops = pool
            .spawn(|| {
                BOMB.with(|_| suspend()).unwrap();
                7
            })
            .unwrap();
        let fails = pool
            .spawn(|| {
                let first = catch_unwind(|| FAILS.with(|n| *n)).is_err();
                let second = catch_unwind(|| FAILS.with(|n| *n)).is_err();
                (first, second)
            })
            .unwrap();
        assert_eq!(pool.drain(None), Ok(DriveEnd::AllDone));
        assert_eq!(drops.join().unwrap(), 7);
        assert_eq!(fails.join().unwrap(), (true, true));
        assert_works(&mut pool);
    });
}

#[test]
fn a_panic_in_a_syscall_is_the_tasks_panic_wherever_the_call_ran() {
    within("panic in a syscall", || {
        for helpers in [0, 1] {
            let mut pool = CoroutinePool::builder().max_syscall_threads(helpers).build().unwrap();
            let fails: copool::JoinHandle<()> = pool.spawn(|| syscall("fails", || panic_any(42_u64))).unwrap();
            let caught = pool.spawn(|| catch_unwind(|| syscall("fails", || panic!("caught"))).is_err()).unwrap();
            let helper_lives = pool.spawn(|| syscall("works", || 7)).unwrap();
            assert_eq!(pool.drain(None), Ok(DriveEnd::AllDone));
            match fails.join().unwrap_err() {
                JoinError::Panicked(payload) => assert_eq!(payload.downcast_ref(), Some(&42_u64)),
                other => panic!("{other:?}"),
            }
            assert!(caught.join().unwrap());
            assert_eq!(helper_lives.join().unwrap(), 7);
            assert_works(&mut pool);
        }
    });
}

#[test]
fn ten_thousand_panics_leave_no_worker_and_no_stack_behind() {
    within("many panics", || {
        let mut pool = CoroutinePool::builder().max_size(3).build().unwrap();
        let tasks: Vec<copool::JoinHandle<()>> =
            (0..10_000).map(|_| pool.spawn(|| std::panic::resume_unwind(Box::new(()))).unwrap()).collect();
        assert_eq!(pool.drain(None), Ok(DriveEnd::AllDone));
        assert!(tasks.into_iter().all(|task| matches!(task.join(), Err(JoinError::Panicked(_)))));
        assert!(pool.counters().peak_stacks <= 3);
        assert_works(&mut pool);
        let handle = pool.handle();
        drop(pool);
        assert_over(&handle);
    });
}

#[test]
fn a_waker_that_panics_takes_no_one_along() {
    struct Panics;
    impl std::task::Wake for Panics {
        fn wake(self: std::sync::Arc<Self>) {
            panic!("a waker panics");
        }
    }
    within("panicking waker", || {
        let mut pool = CoroutinePool::default();
        let mut task = pool.spawn(park).unwrap();
        let waker = std::task::Waker::from(std::sync::Arc::new(Panics));
        let polled =
            std::future::Future::poll(std::pin::Pin::new(&mut task), &mut std::task::Context::from_waker(&waker));
        assert!(polled.is_pending());
        let watched = task.task_ref();
        let joins = pool.spawn(move || watched.wait().unwrap()).unwrap();
        pool.try_schedule_task().unwrap();
        task.task_ref().unpark();
        assert_eq!(pool.drain(None), Ok(DriveEnd::AllDone));
        assert_eq!(joins.join().unwrap(), Outcome::Returned);
        task.join().unwrap();
        assert_works(&mut pool);
    });
}

#[test]
fn a_waker_is_replaced_by_the_next_one_and_not_kept_beside_it() {
    struct Counted(#[expect(dead_code, reason = "counted while it lives")] Token);
    impl std::task::Wake for Counted {
        fn wake(self: std::sync::Arc<Self>) {}
    }
    within("many wakers", || {
        let live = Live::default();
        let mut pool = CoroutinePool::default();
        let mut task = pool.spawn(park).unwrap();
        for _ in 0..100 {
            let waker = std::task::Waker::from(std::sync::Arc::new(Counted(live.token())));
            let mut context = std::task::Context::from_waker(&waker);
            assert!(std::future::Future::poll(std::pin::Pin::new(&mut task), &mut context).is_pending());
        }
        assert_eq!(live.count(), 1, "only the last waker counts");
        task.cancel();
        pool.drain(None).unwrap();
    });
}
