//! Submissions to a pool that stops, and stops from everywhere.

use std::io::ErrorKind;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Sender, channel};
use std::sync::{Arc, Barrier};
use std::thread;
use std::time::Duration;

use copool::{
    AttachError, Cancel, CoroutinePool, DriveEnd, DriveError, JoinError, Outcome, PoolHandle, PoolState, RejectReason,
    current, park_timeout, suspend, syscall,
};

use crate::common::within;
use crate::live::Live;
use crate::{assert_over, assert_stopped, forever};

#[test]
fn a_stopped_pool_gives_every_closure_back_unharmed() {
    let live = Live::default();
    let mut pool = CoroutinePool::default();
    assert_eq!(pool.stop(Duration::ZERO).state, PoolState::Stopped);
    let token = live.token();
    let rejected = pool.spawn(move || drop(token)).unwrap_err();
    assert_eq!((rejected.reason(), live.count()), (RejectReason::Stopped, 1));
    let closure = rejected.into_inner();
    let rejected = pool.task().name("named").priority(-3).spawn(closure).unwrap_err();
    rejected.into_inner()();
    assert_eq!(live.count(), 0);
    let rejected = pool.submit_task(Some("named".into()), |n| n, Some(3), Some(1)).unwrap_err();
    assert_eq!(rejected.into_inner()(Some(3)), Some(3));
    let error = std::io::Error::from(pool.spawn(|| ()).unwrap_err());
    assert_eq!(error.kind(), ErrorKind::BrokenPipe);
    let (handle, counters) = (pool.handle(), pool.counters());
    let seatless = thread::spawn(move || handle.spawn(|| ()).unwrap_err().reason());
    assert_eq!(seatless.join().unwrap(), RejectReason::Stopped);
    assert_eq!((counters.accepted, counters.started, counters.ended), (0, 0, 0), "a rejected submission has no effect");
    assert_eq!(pool.counters(), counters);
    assert_eq!(pool.drain(None), Err(DriveError::Stopped));
    assert_eq!(pool.try_schedule_task().unwrap_err().kind(), ErrorKind::BrokenPipe);
    assert_stopped(&pool);
}

#[test]
fn a_stopping_pool_gives_the_closure_back_to_a_running_task_and_to_another_thread() {
    within("submit while stopping", || {
        let pool = CoroutinePool::default();
        let handle = pool.handle();
        let task = pool
            .spawn(move || {
                while handle.state() == PoolState::Running {
                    suspend();
                }
                let rejected = handle.spawn(|| 7).unwrap_err();
                assert_eq!(rejected.reason(), RejectReason::Stopped);
                let elsewhere = handle.clone();
                let other = thread::spawn(move || elsewhere.spawn(|| 8).unwrap_err().into_inner()());
                rejected.into_inner()() + other.join().unwrap()
            })
            .unwrap();
        let report = pool.stop(Duration::MAX);
        assert_eq!((report.state, report.abandoned, report.leaving), (PoolState::Stopped, 0, 0));
        assert_eq!(task.join().unwrap(), 15);
        assert_stopped(&pool);
    });
}

#[test]
fn no_seat_is_attached_to_a_stopped_pool() {
    let pool = CoroutinePool::default();
    pool.stop(Duration::ZERO);
    assert_eq!(pool.attach().unwrap_err(), AttachError::Stopped);
    let handle = pool.handle();
    drop(pool);
    assert_eq!(handle.attach().unwrap_err(), AttachError::Stopped);
    thread::spawn(move || assert_eq!(handle.attach().unwrap_err(), AttachError::Stopped)).join().unwrap();
}

#[test]
fn a_second_stop_changes_nothing() {
    within("stop twice", || {
        let pool = CoroutinePool::default();
        let task = pool.spawn(|| 7).unwrap();
        let first = pool.stop(Duration::MAX);
        assert_eq!((first.state, first.abandoned), (PoolState::Stopped, 0));
        for grace in [Duration::ZERO, Duration::MAX] {
            assert_eq!(pool.stop(grace), first);
        }
        assert_eq!(task.join().unwrap(), 7);
        assert_stopped(&pool);
    });
}

#[test]
fn a_stop_without_grace_abandons_each_task_once_however_often_it_is_called() {
    within("zero grace twice", || {
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
        let token = live.token();
        let queued = pool.spawn(move || drop(token)).unwrap();
        let report = pool.stop(Duration::ZERO);
        assert_eq!((report.state, report.abandoned, report.leaving), (PoolState::Stopping, 2, 1));
        for task in [&suspended, &queued] {
            assert_eq!(task.task_ref().outcome(), Some(Outcome::Abandoned));
        }
        assert_eq!(pool.stop(Duration::ZERO).abandoned, 0);
        assert_eq!(pool.drain(None), Ok(DriveEnd::Stopped));
        assert_eq!(live.count(), 0, "the destructors ran in the drive that followed");
        assert_stopped(&pool);
    });
}

#[test]
fn a_stop_from_a_task_waits_for_the_others_and_spares_the_task_itself() {
    within("stop from a task", || {
        let mut pool = CoroutinePool::default();
        let handle = pool.handle();
        let other = pool.spawn(|| (0..5).for_each(|_| suspend())).unwrap();
        let stops = pool.spawn(move || handle.stop(Duration::MAX)).unwrap();
        assert_eq!(pool.drain(None), Ok(DriveEnd::AllDone));
        let report = stops.join().unwrap();
        assert_eq!((report.state, report.abandoned), (PoolState::Stopping, 0), "the caller still ran");
        other.join().unwrap();
        assert_stopped(&pool);
    });
}

#[test]
fn two_tasks_that_stop_at_once_wait_for_the_others_and_not_for_each_other() {
    within("stop from two tasks", || {
        for grace in [Duration::ZERO, Duration::from_millis(20), Duration::MAX] {
            let mut pool = CoroutinePool::default();
            let stops: Vec<_> = (0..2)
                .map(|_| {
                    let handle = pool.handle();
                    pool.spawn(move || handle.stop(grace).abandoned).unwrap()
                })
                .collect();
            let _ = pool.drain(None).unwrap();
            for stop in stops {
                let abandoned = stop.join();
                // Without grace the one abandons the other if that has not called stop yet.
                let expected = grace.is_zero() && matches!(abandoned, Err(JoinError::Abandoned) | Ok(1));
                assert!(expected || matches!(abandoned, Ok(0)), "{grace:?}: {abandoned:?}");
            }
            assert_stopped(&pool);
        }
    });
}

#[test]
fn stops_from_two_threads_and_from_tasks_on_two_seats_all_return() {
    within("stop from everywhere", || {
        for _ in 0..50 {
            let pool = CoroutinePool::builder().threads(2).build().unwrap();
            let start = Arc::new(Barrier::new(4));
            let stop = || {
                let (handle, start) = (pool.handle(), Arc::clone(&start));
                move || {
                    start.wait();
                    handle.stop(Duration::MAX).abandoned
                }
            };
            // The owner's seat is not driven: the background threads do all.
            let tasks = [pool.spawn(stop()).unwrap(), pool.spawn(stop()).unwrap()];
            let threads = [thread::spawn(stop()), thread::spawn(stop())];
            for thread in threads {
                assert_eq!(thread.join().unwrap(), 0);
            }
            for task in tasks {
                assert_eq!(thread::spawn(move || task.join().unwrap()).join().unwrap(), 0);
            }
            let handle = pool.handle();
            drop(pool);
            assert_over(&handle);
        }
    });
}

#[test]
fn a_stop_without_a_deadline_in_a_task_stalls_the_pool_if_it_holds_the_last_worker() {
    within("stalled by a stop", || {
        for joiner in [false, true] {
            let mut pool = CoroutinePool::builder().max_size(1 + u32::from(joiner)).build().unwrap();
            let handle = pool.handle();
            let stops = pool.spawn(move || handle.stop(Duration::MAX).abandoned).unwrap();
            // What these wait for, and what the stop does: tasks that no worker is left to start.
            let first = stops.task_ref();
            let others = pool
                .spawn(move || {
                    if joiner {
                        drop(first.wait())
                    }
                })
                .unwrap();
            let last = pool.spawn(|| ()).unwrap();
            assert_eq!(pool.drain(None), Ok(DriveEnd::Stalled));
            pool.set_max_size(3).unwrap();
            if joiner {
                // The stop waits for the joiner, and that for the stop.
                assert_eq!(others.cancel(), Cancel::Requested);
            }
            assert_eq!(pool.drain(None), Ok(DriveEnd::AllDone));
            assert_eq!(stops.join().unwrap(), 0);
            last.join().unwrap();
        }
    });
}

#[test]
fn a_stop_whose_tasks_never_suspend_returns_by_its_deadline() {
    within("deadline of a stop", || {
        let pool = CoroutinePool::builder().threads(1).build().unwrap();
        let (go, gate) = channel::<()>();
        let (started, running) = channel();
        let task = pool
            .spawn(move || {
                started.send(()).unwrap();
                gate.recv()
            })
            .unwrap();
        running.recv().unwrap();
        let handle = pool.handle();
        let report = thread::spawn(move || handle.stop(Duration::from_millis(20))).join().unwrap();
        assert_eq!((report.state, report.abandoned, report.leaving), (PoolState::Stopping, 1, 1));
        assert_eq!(task.task_ref().outcome(), Some(Outcome::Abandoned), "waiters do not wait for the destructors");
        go.send(()).unwrap();
        let handle = pool.handle();
        drop(pool);
        assert_over(&handle);
    });
}

#[test]
fn a_syscall_outlives_a_stop_and_the_drop_waits_for_it() {
    within("syscall outlives stop", || {
        let (go, gate) = channel::<()>();
        let (started, running) = channel();
        let (ended, end) = channel();
        let mut pool = CoroutinePool::default();
        let borrowed = vec![1, 2, 3];
        let task = pool
            .spawn(move || {
                let borrowed = &borrowed;
                syscall("outlives", move || {
                    started.send(()).unwrap();
                    gate.recv().unwrap();
                    ended.send(borrowed.iter().sum::<i32>()).unwrap();
                });
            })
            .unwrap();
        while running.try_recv().is_err() {
            pool.try_schedule_task().unwrap();
        }
        let report = pool.stop(Duration::ZERO);
        assert_eq!((report.state, report.abandoned, report.leaving), (PoolState::Stopping, 1, 1));
        assert!(matches!(task.join(), Err(JoinError::Abandoned)));
        let handle = pool.handle();
        let opener = thread::spawn(move || go.send(()).unwrap());
        drop(pool);
        assert_eq!(end.try_recv(), Ok(6), "the call ended, with what it borrowed, before the drop did");
        opener.join().unwrap();
        assert_over(&handle);
    });
}

#[test]
fn a_stop_from_a_tasks_own_syscall_spares_the_task() {
    within("stop from a syscall", || {
        for helpers in [0, 1] {
            let mut pool = CoroutinePool::builder().max_syscall_threads(helpers).build().unwrap();
            let handle = pool.handle();
            let task =
                pool.spawn(move || syscall("stop", || handle.stop(Duration::from_millis(20)).abandoned)).unwrap();
            let _ = pool.drain(None).unwrap();
            let abandoned = task.join();
            assert!(matches!(abandoned, Ok(0)), "with {helpers} helpers: {abandoned:?}");
        }
    });
}

#[test]
fn a_task_that_waits_for_itself_in_its_own_syscall_is_told_so() {
    within("self-join in a syscall", || {
        let mut pool = CoroutinePool::default();
        let task = pool
            .spawn(|| {
                syscall("self-join", || {
                    let me = current().expect("a syscall runs for its task");
                    me.wait_timeout(Duration::from_millis(20))
                })
            })
            .unwrap();
        assert_eq!(pool.drain(None), Ok(DriveEnd::AllDone));
        let waited = task.join().unwrap();
        assert!(matches!(waited, Err(JoinError::SelfJoin(_))), "{waited:?}");
    });
}

#[test]
fn a_stop_while_the_own_thread_panics_abandons_at_once() {
    struct StopOnDrop(PoolHandle);
    impl Drop for StopOnDrop {
        fn drop(&mut self) {
            assert!(thread::panicking());
            assert_eq!(self.0.stop(Duration::MAX).abandoned, 1);
        }
    }
    within("stop during a panic", || {
        let pool = CoroutinePool::default();
        let task = pool.spawn(|| 7).unwrap();
        let stop = StopOnDrop(pool.handle());
        let panicked = catch_unwind(AssertUnwindSafe(move || {
            let _stop = stop;
            panic!("on purpose");
        }));
        assert!(panicked.is_err());
        assert!(matches!(task.join(), Err(JoinError::Abandoned)));
    });
}

/// A result that stops its pool when it is dropped, and says how many tasks that has abandoned.
struct StopsWhenDropped(PoolHandle, Sender<usize>);

impl Drop for StopsWhenDropped {
    fn drop(&mut self) {
        assert!(!thread::panicking());
        // With a grace that a drive would wait out.
        self.1.send(self.0.stop(Duration::from_secs(1)).abandoned).unwrap();
    }
}

#[test]
fn a_stop_from_a_destructor_does_not_drive_the_seat_that_is_just_leaving() {
    const HOUR: Duration = Duration::from_secs(3600);
    within("stop while a seat leaves", || {
        let pool = CoroutinePool::default();
        let (handle, (said, report)) = (pool.handle(), channel());
        let ran = Arc::new(AtomicBool::new(false));
        let run = Arc::clone(&ran);
        let queued = thread::spawn(move || {
            let mut seat = handle.attach().unwrap();
            // A timer that counts, and behind it a stale one, which alone knows of the result: it is found stale when the
            // seat has interrupted the first task, and goes between two tasks of a seat that leaves.
            let stops = StopsWhenDropped(handle.clone(), said);
            handle.spawn(|| park_timeout(HOUR)).unwrap();
            let result = move || {
                park_timeout(2 * HOUR);
                stops
            };
            let woken = handle.spawn(result).unwrap().task_ref();
            seat.try_schedule_task().unwrap();
            woken.unpark();
            drop(woken);
            seat.try_schedule_task().unwrap();
            let queued = handle.spawn(move || run.store(true, Ordering::SeqCst)).unwrap().task_ref();
            drop(seat);
            queued
        });
        let queued = queued.join().unwrap();
        assert_eq!(report.try_recv(), Ok(2), "the first task and the queued one, which the leaving seat has not run");
        assert_eq!((queued.outcome(), ran.load(Ordering::SeqCst)), (Some(Outcome::Abandoned), false));
        assert_stopped(&pool);
    });
}
