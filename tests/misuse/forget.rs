//! Every public type forgotten instead of dropped.

use std::mem::forget;
use std::thread;
use std::time::Duration;

use copool::{
    AttachError, CoroutineLocal, CoroutinePool, DriveEnd, JoinError, Listener, Outcome, PoolState, VirtualClock,
    current, suspend,
};

use crate::common::within;
use crate::live::{Live, Token};
use crate::{assert_over, assert_stopped, forever};

struct Keeps(#[expect(dead_code, reason = "counted while it lives")] Token);
impl Listener for Keeps {}

#[test]
fn a_forgotten_join_handle_task_ref_or_error_keeps_nothing_but_the_tasks_own_cell() {
    within("forgotten handles", || {
        let live = Live::default();
        let mut pool = CoroutinePool::builder().listener(Keeps(live.token())).build().unwrap();
        for _ in 0..10 {
            let token = live.token();
            let task = pool
                .spawn(move || {
                    suspend();
                    drop(token);
                })
                .unwrap();
            forget(task.task_ref());
            forget(task);
            forget(pool.handle());
        }
        let panics: copool::JoinHandle<()> = pool.spawn(|| forget(current().unwrap())).unwrap();
        forget(pool.spawn(|| std::panic::resume_unwind(Box::new(1))).map(|task: copool::JoinHandle<()>| task));
        assert_eq!(pool.drain(None), Ok(DriveEnd::AllDone));
        forget(panics.join());
        let handle = pool.handle();
        drop(pool);
        assert_over(&handle);
        let text = String::from("rejected");
        forget(handle.spawn(move || text).unwrap_err());
        assert_eq!(live.count(), 1, "the core stays with a forgotten handle, and nothing else");
    });
}

#[test]
fn forgotten_builders_clocks_and_values_hold_up_nothing() {
    within("forgotten builders", || {
        static LOCAL: CoroutineLocal<String> = CoroutineLocal::new(String::new);
        let clock = VirtualClock::new();
        forget(clock.clone());
        forget(CoroutinePool::builder().name("forgotten").threads(3).clock(clock.clone()));
        let mut pool = CoroutinePool::builder().clock(clock).build().unwrap();
        forget(pool.task().name("forgotten"));
        let task = pool
            .spawn(|| {
                LOCAL.with(|value| forget(value.clone())).unwrap();
            })
            .unwrap();
        assert_eq!(pool.drain(None), Ok(DriveEnd::AllDone));
        task.join().unwrap();
    });
}

#[test]
fn a_forgotten_pool_that_never_ran_is_stopped_by_a_handle() {
    within("forgotten fresh pool", || {
        let live = Live::default();
        let pool = CoroutinePool::default();
        let token = live.token();
        let task = pool.spawn(move || drop(token)).unwrap();
        let handle = pool.handle();
        forget(pool);
        assert_eq!(handle.attach().unwrap_err(), AttachError::AlreadySeated);
        let report = thread::spawn({
            let handle = handle.clone();
            move || handle.stop(Duration::ZERO)
        })
        .join()
        .unwrap();
        assert_eq!((report.state, report.abandoned), (PoolState::Stopped, 1));
        assert!(matches!(task.join(), Err(JoinError::Abandoned)));
        assert_over(&handle);
    });
}

#[test]
fn the_tasks_of_a_forgotten_pool_are_run_by_another_seat_and_unwound_by_a_stop_on_its_thread() {
    within("forgotten pool with suspended tasks", || {
        let live = Live::default();
        let mut pool = CoroutinePool::default();
        let token = live.token();
        let suspended = pool
            .spawn(move || {
                let _token = token;
                forever();
            })
            .unwrap();
        pool.try_schedule_task().unwrap();
        let queued = pool.spawn(|| 7).unwrap();
        let handle = pool.handle();
        forget(pool);
        let other = handle.clone();
        thread::spawn(move || {
            let mut seat = other.attach().unwrap();
            assert_eq!(seat.wait(&queued), Ok(DriveEnd::AllDone));
            assert_eq!(queued.join().unwrap(), 7);
        })
        .join()
        .unwrap();
        assert_eq!(handle.stop(Duration::ZERO).state, PoolState::Stopping);
        assert_eq!(suspended.task_ref().outcome(), Some(Outcome::Abandoned));
        // The forgotten seat still lives on this thread, so a stop drives it, and what is left unwinds.
        assert_eq!(handle.stop(Duration::from_secs(30)).state, PoolState::Stopped);
        assert_eq!(live.count(), 0);
        assert_stopped(&handle);
    });
}

#[test]
fn a_forgotten_attached_seat_is_no_more_than_an_idle_one() {
    within("forgotten attached seat", || {
        let mut pool = CoroutinePool::default();
        let handle = pool.handle();
        let queued = thread::spawn(move || {
            let mut seat = handle.attach().unwrap();
            seat.spawn(|| ()).unwrap();
            seat.drain(None).unwrap();
            let queued = seat.spawn(|| 7).unwrap();
            forget(seat);
            queued
        })
        .join()
        .unwrap();
        assert_eq!(pool.drain(None), Ok(DriveEnd::AllDone));
        assert_eq!(queued.join().unwrap(), 7);
        let handle = pool.handle();
        drop(pool);
        assert_eq!(handle.state(), PoolState::Stopped);
        assert_eq!((handle.outstanding(), handle.get_running_size()), (0, 0));
    });
}

#[test]
fn a_forgotten_pool_with_background_threads_is_stopped_by_a_handle() {
    within("forgotten pool with threads", || {
        let pool = CoroutinePool::builder().threads(2).build().unwrap();
        let task = pool.spawn(forever).unwrap();
        let handle = pool.handle();
        forget(pool);
        thread::spawn({
            let (handle, task) = (handle.clone(), task.task_ref());
            move || {
                handle.stop(Duration::from_millis(5));
                assert_eq!(task.wait().unwrap(), Outcome::Abandoned);
            }
        })
        .join()
        .unwrap();
        assert_eq!((handle.size(), handle.outstanding()), (0, 0));
    });
}

#[test]
fn a_pending_future_that_is_forgotten_or_dropped_does_not_hold_its_task_up() {
    within("forgotten future", || {
        let mut pool = CoroutinePool::default();
        let mut tasks = [pool.spawn(suspend).unwrap(), pool.spawn(suspend).unwrap()];
        let refs = tasks.each_ref().map(copool::JoinHandle::task_ref);
        let mut context = std::task::Context::from_waker(std::task::Waker::noop());
        for task in &mut tasks {
            assert!(std::future::Future::poll(std::pin::Pin::new(task), &mut context).is_pending());
        }
        let [forgotten, dropped] = tasks;
        forget(forgotten);
        drop(dropped);
        assert_eq!(pool.drain(None), Ok(DriveEnd::AllDone));
        assert!(refs.iter().all(copool::TaskRef::is_finished));
    });
}
