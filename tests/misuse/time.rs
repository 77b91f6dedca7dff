//! Deadlines in the past, no time at all, and more time than there is.

use std::thread;
use std::time::{Duration, Instant};

use copool::{
    Cancel, CoroutinePool, DriveEnd, JoinError, Outcome, VirtualClock, checkpoint, delay, park, park_timeout, suspend,
};

use crate::common::within;
use crate::forever;

#[test]
fn a_deadline_in_the_past_ends_a_drive_at_once_and_loses_nothing() {
    within("past deadline", || {
        let mut pool = CoroutinePool::default();
        let now = Instant::now();
        let past = now.checked_sub(Duration::from_secs(1)).unwrap_or(now);
        let task = pool.spawn(|| 7).unwrap();
        assert_eq!(pool.try_timeout_schedule_task(past), Ok(DriveEnd::Deadline));
        assert_eq!(pool.drain(past), Ok(DriveEnd::Deadline));
        assert_eq!(pool.try_timed_schedule_task(Duration::ZERO), Ok(DriveEnd::Deadline));
        assert_eq!((pool.size(), pool.counters().started), (1, 0));
        assert_eq!(pool.drain(None), Ok(DriveEnd::AllDone));
        assert_eq!(task.join().unwrap(), 7);
    });
}

#[test]
fn a_deadline_in_the_past_of_a_pool_with_suspended_tasks_resumes_none() {
    within("past deadline, suspended tasks", || {
        let mut pool = CoroutinePool::default();
        let task = pool.spawn(suspend).unwrap();
        let busy = pool.spawn(forever).unwrap();
        pool.try_schedule_task().unwrap();
        busy.task_ref().unpark();
        let resumed = Instant::now();
        assert_eq!(pool.drain(resumed), Ok(DriveEnd::Deadline));
        assert!(task.is_finished());
        assert_eq!(busy.cancel(), Cancel::Requested);
        assert_eq!(pool.drain(None), Ok(DriveEnd::AllDone));
    });
}

#[test]
fn zero_durations_inside_a_task_let_others_run_and_return() {
    within("zero durations in a task", || {
        let mut pool = CoroutinePool::builder().slice(Duration::ZERO).keep_alive(Duration::ZERO).build().unwrap();
        let other = pool.spawn(forever).unwrap();
        let other_ref = other.task_ref();
        let task = pool
            .spawn(move || {
                delay(Duration::ZERO);
                park_timeout(Duration::ZERO);
                for _ in 0..3 {
                    checkpoint();
                }
                let waited = other_ref.wait_timeout(Duration::ZERO);
                assert!(matches!(waited, Err(JoinError::Timeout(Duration::ZERO))), "{waited:?}");
                other_ref.cancel();
                7
            })
            .unwrap();
        assert_eq!(pool.drain(None), Ok(DriveEnd::AllDone));
        assert_eq!(task.join().unwrap(), 7);
        assert!(matches!(other.join(), Err(JoinError::Cancelled)));
    });
}

#[test]
fn zero_durations_outside_a_task_return_at_once() {
    within("zero durations outside", || {
        delay(Duration::ZERO);
        park_timeout(Duration::ZERO);
        park();
        let pool = CoroutinePool::default();
        let mut task = pool.submit_task(None, |_| Some(1), None, None).unwrap();
        let handle = pool.handle();
        thread::spawn(move || {
            let zero = Duration::ZERO;
            assert!(matches!(task.join_timeout(zero), Err(JoinError::Timeout(Duration::ZERO))));
            let waited = handle.wait_task_result(task.as_ref(), zero);
            assert!(matches!(waited, Err(JoinError::Timeout(Duration::ZERO))), "{waited:?}");
            let taken = handle.try_take_task_result(task.as_ref());
            assert!(matches!(taken, Err(JoinError::Timeout(Duration::ZERO))), "{taken:?}");
            assert!(task.try_join().is_none());
        })
        .join()
        .unwrap();
        assert_eq!(pool.size(), 1, "a timeout takes nothing away");
    });
}

#[test]
fn the_longest_duration_is_for_ever_and_a_cancel_ends_it() {
    within("longest duration", || {
        let mut pool = CoroutinePool::builder().slice(Duration::MAX).build().unwrap();
        let delayed = pool.spawn(|| delay(Duration::MAX)).unwrap();
        let parked = pool.spawn(|| park_timeout(Duration::MAX)).unwrap();
        let (first, second) = (delayed.task_ref(), parked.task_ref());
        let joins = pool.spawn(move || second.wait_timeout(Duration::MAX)).unwrap();
        let sliced = pool.spawn(|| (0..3).for_each(|_| checkpoint())).unwrap();
        let end = pool.try_timed_schedule_task(Duration::MAX).unwrap();
        assert!(matches!(end, DriveEnd::Waiting { .. }), "{end:?}");
        assert!(sliced.is_finished() && !delayed.is_finished() && !parked.is_finished() && !joins.is_finished());
        parked.task_ref().unpark();
        assert_eq!(first.cancel(), Cancel::Requested);
        assert_eq!(pool.drain(None), Ok(DriveEnd::AllDone));
        assert_eq!(joins.join().unwrap().unwrap(), Outcome::Returned);
        assert!(matches!(delayed.join(), Err(JoinError::Cancelled)));
    });
}

#[test]
fn the_longest_waits_of_a_plain_thread_end_with_the_task() {
    within("longest waits", || {
        let mut pool = CoroutinePool::default();
        let task = pool.submit_task(None, |_| Some(1), None, None).unwrap();
        let (handle, task_ref) = (pool.handle(), task.task_ref());
        let waits = thread::spawn(move || handle.wait_task_result(&task_ref, Duration::MAX));
        let outcome = task.task_ref();
        let watches = thread::spawn(move || outcome.wait_timeout(Duration::MAX));
        assert_eq!(pool.drain(None), Ok(DriveEnd::AllDone));
        assert_eq!(waits.join().unwrap().unwrap(), Some(1));
        assert_eq!(watches.join().unwrap().unwrap(), Outcome::Returned);
    });
}

#[test]
fn the_longest_keep_alive_keeps_workers_and_does_not_outlast_a_deadline() {
    within("longest keep-alive", || {
        let mut pool = CoroutinePool::builder().keep_alive(Duration::MAX).build().unwrap();
        pool.spawn(|| ()).unwrap();
        assert_eq!(pool.drain(None), Ok(DriveEnd::AllDone));
        assert_eq!(pool.get_running_size(), 1);
        pool.spawn(|| ()).unwrap();
        let end = pool.try_timed_schedule_task(Duration::from_millis(20));
        assert_eq!(end, Ok(DriveEnd::Deadline));
        pool.set_keep_alive(Duration::MAX);
        pool.set_keep_alive(Duration::ZERO);
        pool.try_schedule_task().unwrap();
        assert_eq!(pool.get_running_size(), 0);
    });
}

#[test]
fn a_keep_alive_reads_as_it_was_set_or_as_the_longest_that_can_be_counted() {
    let pool = CoroutinePool::builder().keep_alive(Duration::MAX).build().unwrap();
    assert!(pool.keep_alive() >= Duration::from_nanos(u64::MAX));
    pool.set_keep_alive(Duration::ZERO);
    assert_eq!(pool.keep_alive(), Duration::ZERO);
}

#[test]
fn a_virtual_clock_stops_at_its_end_and_what_is_beyond_never_fires() {
    within("end of the clock", || {
        let clock = VirtualClock::new();
        let start = clock.now();
        let mut pool = CoroutinePool::builder().clock(clock.clone()).build().unwrap();
        let task = pool.spawn(|| delay(Duration::MAX)).unwrap();
        let year = pool.spawn(|| delay(Duration::from_secs(31_557_600))).unwrap();
        clock.advance(Duration::ZERO);
        assert_eq!(clock.now(), start);
        let end = pool.drain(None).unwrap();
        assert!(matches!(end, DriveEnd::Waiting { until: Some(_) }), "{end:?}");
        clock.advance(Duration::MAX);
        clock.advance(Duration::MAX);
        let last = clock.now();
        assert!(last - start > Duration::from_secs(290 * 31_557_600));
        assert_eq!(pool.drain(None), Ok(DriveEnd::Waiting { until: None }));
        assert!(year.is_finished() && !task.is_finished());
    });
}

#[test]
fn a_clock_that_jumps_by_itself_does_not_jump_for_a_wait_without_end() {
    within("no jump to for ever", || {
        let clock = VirtualClock::auto();
        let start = clock.now();
        let mut pool = CoroutinePool::builder().clock(clock.clone()).keep_alive(Duration::MAX).build().unwrap();
        let task = pool.spawn(|| delay(Duration::MAX)).unwrap();
        let parked = pool.spawn(park).unwrap();
        assert_eq!(pool.drain(None), Ok(DriveEnd::Waiting { until: None }));
        assert_eq!(clock.now(), start);
        let deadline = start + Duration::from_secs(5);
        assert_eq!(pool.drain(deadline), Ok(DriveEnd::Deadline));
        assert_eq!(clock.now(), deadline);
        assert!(!task.is_finished() && !parked.is_finished());
    });
}
