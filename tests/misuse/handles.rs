//! Handles in the wrong hands: of another pool, of oneself, twice, or where blocking is no way to wait.

use std::collections::HashSet;
use std::thread;
use std::time::Duration;

use copool::{AttachError, Cancel, CoroutinePool, DriveEnd, JoinError, Outcome, TaskRef, current, park, suspend};

use crate::common::within;
use crate::forever;
use crate::live::Live;

#[test]
fn a_pool_does_not_touch_the_task_of_another() {
    within("task of another pool", || {
        let (mut mine, other) = (CoroutinePool::default(), CoroutinePool::default());
        let task = mine.submit_task(None, |_| Some(1), None, None).unwrap();
        let task_ref = task.task_ref();
        assert_eq!(other.try_cancel_task(&task_ref), Cancel::AlreadyEnded);
        assert!(matches!(other.try_take_task_result(&task_ref), Err(JoinError::OtherPool)));
        assert!(matches!(other.wait_task_result(&task_ref, Duration::MAX), Err(JoinError::OtherPool)));
        assert_eq!(other.stop(Duration::ZERO).abandoned, 0);
        assert_eq!((mine.size(), task.is_finished()), (1, false));
        assert_eq!(mine.drain(None), Ok(DriveEnd::AllDone));
        assert!(matches!(other.try_take_task_result(&task_ref), Err(JoinError::OtherPool)));
        assert_eq!(mine.try_take_task_result(&task_ref).unwrap(), Some(1));
    });
}

#[test]
fn references_are_equal_if_they_are_to_the_same_task() {
    let (mine, other) = (CoroutinePool::default(), CoroutinePool::default());
    // Both have the first id of their pool.
    let tasks = [mine.spawn(|| ()).unwrap(), other.spawn(|| ()).unwrap()];
    assert_eq!(tasks[0].id(), tasks[1].id());
    let refs: HashSet<TaskRef> = tasks.iter().chain(&tasks).map(|task| task.task_ref()).collect();
    assert_eq!(refs.len(), 2);
    assert!(tasks.iter().all(|task| refs.contains(task.as_ref())));
    assert_ne!(tasks[0].task_ref(), tasks[1].task_ref());
}

#[test]
fn a_refused_join_hands_the_task_back() {
    let mut pool = CoroutinePool::default();
    let task = pool.spawn(|| 7).unwrap();
    let task = task.join().unwrap_err().into_task().unwrap();
    assert_eq!(pool.wait(&task), Ok(DriveEnd::AllDone));
    assert_eq!(task.take::<i32>().unwrap(), 7);
    assert!(task.take::<i32>().unwrap_err().into_task().is_none());
}

#[test]
fn a_drive_waits_for_the_task_of_another_pool_that_somebody_drives() {
    within("drive for a task of another pool", || {
        let mut mine = CoroutinePool::default();
        let other = CoroutinePool::builder().threads(1).build().unwrap();
        let task = other.spawn(|| 7).unwrap();
        assert_eq!(mine.wait(&task), Ok(DriveEnd::AllDone));
        assert_eq!(task.join().unwrap(), 7);
    });
}

#[test]
fn a_drive_for_the_task_of_another_pool_of_the_same_thread_comes_back() {
    within("drive for a task of another pool of the same thread", || {
        let (mut mine, other) = (CoroutinePool::default(), CoroutinePool::default());
        let task = other.spawn(|| 7).unwrap();
        // Only this thread could drive the other pool, and it is busy here.
        let _ = mine.wait(&task);
        assert!(!task.is_finished());
    });
}

#[test]
fn a_task_of_one_pool_joins_a_task_of_another() {
    within("join across pools", || {
        let mut mine = CoroutinePool::default();
        let other = CoroutinePool::builder().threads(1).build().unwrap();
        let task = other.spawn(|| 7).unwrap();
        let joins = mine.spawn(move || task.join()).unwrap();
        assert_eq!(mine.drain(None), Ok(DriveEnd::AllDone));
        assert_eq!(joins.join().unwrap().unwrap(), 7);
    });
}

#[test]
fn a_cancel_is_answered_by_where_the_task_is_each_time() {
    within("cancel again and again", || {
        let live = Live::default();
        let mut pool = CoroutinePool::default();
        let token = live.token();
        let queued = pool.spawn(move || drop(token)).unwrap();
        assert_eq!(queued.cancel(), Cancel::NeverRuns);
        assert_eq!(live.count(), 0, "the closure is dropped before cancel returns");
        assert_eq!(queued.cancel(), Cancel::AlreadyEnded);
        assert_eq!((pool.size(), pool.outstanding()), (0, 0));
        let token = live.token();
        let started = pool
            .spawn(move || {
                let _token = token;
                forever();
            })
            .unwrap();
        pool.try_schedule_task().unwrap();
        assert_eq!(started.cancel(), Cancel::Requested);
        assert_eq!(pool.try_cancel_task(&started.task_ref()), Cancel::Requested);
        assert!(!started.is_finished());
        assert_eq!(pool.drain(None), Ok(DriveEnd::AllDone));
        assert_eq!((started.cancel(), live.count()), (Cancel::AlreadyEnded, 0));
        let done = pool.spawn(|| 7).unwrap();
        pool.drain(None).unwrap();
        assert_eq!(done.cancel(), Cancel::AlreadyEnded);
        assert_eq!(done.join().unwrap(), 7, "a cancel after the end takes nothing away");
        assert!(matches!(queued.join(), Err(JoinError::Cancelled)));
        assert!(matches!(started.join(), Err(JoinError::Cancelled)));
        assert_eq!(pool.counters().ended, 3);
    });
}

#[test]
fn a_task_that_cancels_itself_unwinds_at_its_next_suspension() {
    within("cancel of oneself", || {
        let live = Live::default();
        let mut pool = CoroutinePool::default();
        let token = live.token();
        let unwinds = pool
            .spawn(move || {
                let _token = token;
                let me = current().unwrap();
                assert_eq!((me.cancel(), me.cancel()), (Cancel::Requested, Cancel::Requested));
                suspend();
                unreachable!("a cancelled task does not come back from a suspension");
            })
            .unwrap();
        let returns = pool
            .spawn(|| {
                current().unwrap().cancel();
                7
            })
            .unwrap();
        assert_eq!(pool.drain(None), Ok(DriveEnd::AllDone));
        assert!(matches!(unwinds.join(), Err::<(), _>(JoinError::Cancelled)));
        assert_eq!(returns.join().unwrap(), 7, "who returns before it is thrown at has returned");
        assert_eq!(live.count(), 0);
    });
}

#[test]
fn a_task_cannot_wait_for_itself_by_any_call() {
    within("join of oneself", || {
        let mut pool = CoroutinePool::default();
        let handle = pool.handle();
        let task = pool
            .submit_task(
                None,
                move |_| {
                    let me = current().unwrap();
                    assert!(matches!(me.wait(), Err(JoinError::SelfJoin(_))));
                    assert!(matches!(me.wait_timeout(Duration::MAX), Err(JoinError::SelfJoin(_))));
                    let waited = handle.wait_task_result(&me, Duration::MAX);
                    assert!(matches!(waited, Err(JoinError::SelfJoin(_))), "{waited:?}");
                    Some(7)
                },
                None,
                None,
            )
            .unwrap();
        assert_eq!(pool.drain(None), Ok(DriveEnd::AllDone));
        assert_eq!(task.join().unwrap(), Some(7));
    });
}

#[test]
fn a_task_that_is_handed_its_own_join_handle_cannot_join_it() {
    within("own join handle", || {
        let mut pool = CoroutinePool::default();
        let (sender, receiver) = std::sync::mpsc::channel::<copool::JoinHandle<()>>();
        let task = pool
            .spawn(move || {
                let own = receiver.recv().unwrap();
                let joined = own.join();
                assert!(matches!(joined, Err(JoinError::SelfJoin(_))), "{joined:?}");
            })
            .unwrap();
        let watch = task.task_ref();
        sender.send(task).unwrap();
        assert_eq!(pool.drain(None), Ok(DriveEnd::AllDone));
        assert_eq!(watch.outcome(), Some(Outcome::Returned));
    });
}

#[test]
fn a_ring_of_joins_ends_by_a_timeout_or_a_cancel() {
    within("ring of joins", || {
        let mut pool = CoroutinePool::default();
        let (sender, receiver) = std::sync::mpsc::channel::<TaskRef>();
        let first = pool.spawn(move || receiver.recv().unwrap().wait()).unwrap();
        let of_first = first.task_ref();
        let second = pool
            .spawn(move || {
                let timed = of_first.wait_timeout(Duration::from_millis(5));
                assert!(matches!(timed, Err(JoinError::Timeout(_))), "{timed:?}");
                of_first.wait()
            })
            .unwrap();
        sender.send(second.task_ref()).unwrap();
        let end = pool.drain(std::time::Instant::now() + Duration::from_millis(30)).unwrap();
        assert_eq!(end, DriveEnd::Deadline);
        assert_eq!(second.cancel(), Cancel::Requested);
        assert_eq!(pool.drain(None), Ok(DriveEnd::AllDone));
        assert_eq!(first.join().unwrap().unwrap(), Outcome::Cancelled);
    });
}

#[test]
fn of_many_waiters_all_learn_the_outcome_and_one_gets_the_value() {
    within("many joiners", || {
        let mut pool = CoroutinePool::default();
        let task = pool.submit_task(None, |_| Some(7), None, None).unwrap();
        let takers: Vec<_> = (0..4)
            .map(|_| {
                let (handle, task) = (pool.handle(), task.task_ref());
                let take = move || handle.wait_task_result(&task, Duration::MAX);
                pool.spawn(take).unwrap()
            })
            .collect();
        let on_threads: Vec<_> = (0..4)
            .map(|_| {
                let (handle, task) = (pool.handle(), task.task_ref());
                thread::spawn(move || handle.wait_task_result(&task, Duration::MAX))
            })
            .collect();
        assert_eq!(pool.drain(None), Ok(DriveEnd::AllDone));
        let results = takers
            .into_iter()
            .map(|taker| taker.join().unwrap())
            .chain(on_threads.into_iter().map(|thread| thread.join().unwrap()));
        let (mut values, mut taken) = (0, 0);
        for result in results {
            match result {
                Ok(Some(7)) => values += 1,
                Err(JoinError::Taken) => taken += 1,
                other => panic!("{other:?}"),
            }
        }
        assert_eq!((values, taken), (1, 7));
        assert!(matches!(task.join(), Err(JoinError::Taken)));
    });
}

#[test]
fn a_result_of_another_type_is_not_taken_by_the_wrong_call() {
    let mut pool = CoroutinePool::default();
    let task = pool.spawn(|| String::from("kept")).unwrap();
    pool.drain(None).unwrap();
    for _ in 0..2 {
        assert!(matches!(pool.try_take_task_result(task.as_ref()), Err(JoinError::WrongType)));
        assert!(matches!(pool.wait_task_result(task.as_ref(), Duration::ZERO), Err(JoinError::WrongType)));
    }
    assert_eq!(task.join().unwrap(), "kept");
}

#[test]
fn a_blocking_join_where_a_seat_lives_is_refused_and_loses_nothing() {
    within("blocking join on a seat", || {
        let mut pool = CoroutinePool::builder().threads(1).build().unwrap();
        let (go, gate) = std::sync::mpsc::channel::<()>();
        let mut task = pool.submit_task(None, move |_| gate.recv().ok().map(|()| 7), None, None).unwrap();
        assert!(matches!(task.join_timeout(Duration::MAX), Err(JoinError::WouldBlockSeat(_))));
        assert!(matches!(task.task_ref().wait(), Err(JoinError::WouldBlockSeat(_))));
        let waited = pool.wait_task_result(task.as_ref(), Duration::MAX);
        assert!(matches!(waited, Err(JoinError::WouldBlockSeat(_))));
        go.send(()).unwrap();
        assert_eq!(pool.wait(&task), Ok(DriveEnd::AllDone));
        assert_eq!(task.join().unwrap(), Some(7), "a finished task is no reason to refuse");
    });
}

#[test]
fn a_second_seat_of_one_pool_on_one_thread_is_refused_until_the_first_has_gone() {
    within("second seat", || {
        let pool = CoroutinePool::default();
        assert_eq!(pool.attach().unwrap_err(), AttachError::AlreadySeated);
        let handle = pool.handle();
        thread::spawn(move || {
            let seat = handle.attach().unwrap();
            assert_eq!(handle.attach().unwrap_err(), AttachError::AlreadySeated);
            assert_eq!(seat.attach().unwrap_err(), AttachError::AlreadySeated);
            drop(seat);
            drop(handle.attach().unwrap());
        })
        .join()
        .unwrap();
        let mut pools: Vec<_> = (0..10).map(|_| CoroutinePool::default()).collect();
        let tasks: Vec<_> = pools.iter().map(|pool| pool.spawn(park).unwrap()).collect();
        for pool in &mut pools {
            pool.try_schedule_task().unwrap();
        }
        // Seats leave in another order than they came.
        for at in [5, 0, 7, 1, 1, 4, 0, 0, 1, 0] {
            drop(pools.remove(at));
        }
        assert!(tasks.iter().all(|task| task.task_ref().outcome() == Some(Outcome::Abandoned)));
        assert_eq!(pool.attach().unwrap_err(), AttachError::AlreadySeated);
    });
}

#[test]
fn handles_outlive_the_pool_and_answer_all_the_same() {
    within("handles after the drop", || {
        let pool = CoroutinePool::builder().name("gone").build().unwrap();
        let handle = pool.handle();
        let task = pool.spawn(|| 7).unwrap();
        drop(pool);
        crate::assert_over(&handle);
        assert_eq!(handle.name(), Some("gone"));
        assert_eq!(task.cancel(), Cancel::AlreadyEnded);
        task.task_ref().unpark();
        handle.set_max_size(3).unwrap();
        handle.set_keep_alive(Duration::MAX);
        assert_eq!(handle.stop(Duration::MAX).abandoned, 0);
        assert!(!format!("{handle:?} {task:?}").is_empty());
        assert!(matches!(task.join(), Err(JoinError::Abandoned)));
    });
}
