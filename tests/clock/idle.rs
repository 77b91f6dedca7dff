//! Idle workers by the clock: the keep-alive, and how long a drive stays for it.

use std::time::Duration;

use copool::{CoroutinePool, DriveEnd, VirtualClock, delay, suspend};

use crate::SECOND;
use crate::common::within;

/// A pool that has run one task at time 0 with a keep-alive of ten seconds.
fn idling(clock: &VirtualClock, min_size: u32) -> CoroutinePool {
    let builder = CoroutinePool::builder().clock(clock.clone()).keep_alive(SECOND * 10).min_size(min_size);
    let mut pool = builder.build().unwrap();
    pool.spawn(|| ()).unwrap();
    assert_eq!(pool.drain(None).unwrap(), DriveEnd::AllDone);
    pool
}

#[test]
fn an_idle_worker_stays_for_the_keep_alive_and_not_longer() {
    within("keep-alive", || {
        let clock = VirtualClock::new();
        let mut pool = idling(&clock, 0);
        assert_eq!(pool.get_running_size(), 1);
        clock.advance(SECOND * 10 - Duration::from_nanos(1));
        pool.try_schedule_task().unwrap();
        assert_eq!(pool.get_running_size(), 1);
        clock.advance(Duration::from_nanos(1));
        pool.try_schedule_task().unwrap();
        assert_eq!(pool.get_running_size(), 0);
    });
}

#[test]
fn an_idle_worker_runs_the_next_task_and_idles_anew() {
    within("reuse", || {
        let clock = VirtualClock::new();
        let mut pool = idling(&clock, 0);
        for _ in 0..5 {
            clock.advance(SECOND * 9);
            pool.spawn(|| ()).unwrap();
            pool.try_schedule_task().unwrap();
            assert_eq!((pool.get_running_size(), pool.counters().workers_created), (1, 1));
        }
    });
}

#[test]
fn a_shorter_keep_alive_and_a_lower_minimum_hold_for_who_idles_already() {
    within("limits of the idle", || {
        let clock = VirtualClock::new();
        let mut pool = idling(&clock, 3);
        assert_eq!(pool.get_running_size(), 3, "the first drive creates the minimum");
        clock.advance(SECOND * 100);
        pool.try_schedule_task().unwrap();
        assert_eq!(pool.get_running_size(), 3, "the minimum stays");
        pool.set_min_size(1).unwrap();
        pool.try_schedule_task().unwrap();
        assert_eq!(pool.get_running_size(), 1);
        let mut pool = idling(&clock, 0);
        pool.set_keep_alive(SECOND);
        clock.advance(SECOND);
        pool.try_schedule_task().unwrap();
        assert_eq!(pool.get_running_size(), 0);
    });
}

#[test]
fn a_drive_stays_for_the_keep_alive_of_workers_that_it_idled_itself() {
    within("own idlers", || {
        let clock = VirtualClock::auto();
        let start = clock.now();
        // A drain does not stay for it.
        let mut pool = idling(&clock, 0);
        assert_eq!((clock.now() - start, pool.get_running_size()), (Duration::ZERO, 1));
        // Nor does a drive that has idled nobody.
        pool.try_schedule_task().unwrap();
        assert_eq!((clock.now() - start, pool.get_running_size()), (Duration::ZERO, 1));
        pool.spawn(|| ()).unwrap();
        pool.try_schedule_task().unwrap();
        assert_eq!((clock.now() - start, pool.get_running_size()), (SECOND * 10, 0));
    });
}

#[test]
fn a_worker_that_idles_leaves_when_its_calls_deadline_has_passed() {
    within("deadline of the idle", || {
        let mut pool = CoroutinePool::builder().clock(VirtualClock::auto()).keep_alive(SECOND * 10).build().unwrap();
        pool.spawn(|| ()).unwrap();
        assert_eq!(pool.try_timed_schedule_task(SECOND).unwrap(), DriveEnd::Deadline);
        assert_eq!(pool.get_running_size(), 0);
    });
}

#[test]
fn a_keep_alive_without_end_keeps_the_worker_and_holds_no_drive() {
    within("endless keep-alive", || {
        for clock in [VirtualClock::new(), VirtualClock::auto()] {
            let builder = CoroutinePool::builder().clock(clock.clone()).keep_alive(Duration::MAX);
            let mut pool = builder.build().unwrap();
            pool.spawn(|| ()).unwrap();
            pool.try_schedule_task().unwrap();
            clock.advance(Duration::MAX);
            pool.try_schedule_task().unwrap();
            assert_eq!(pool.get_running_size(), 1);
        }
    });
}

#[test]
fn each_workers_keep_alive_counts_from_its_own_idleness() {
    within("own idleness", || {
        let clock = VirtualClock::new();
        let builder = CoroutinePool::builder().clock(clock.clone()).keep_alive(SECOND * 10).min_size(2);
        let mut pool = builder.build().unwrap();
        pool.spawn(|| delay(SECOND * 5)).unwrap();
        pool.spawn(|| ()).unwrap();
        // One worker idles from 0 on, the other one from 5; a deadline passes while the minimum keeps them.
        pool.drain(None).unwrap();
        clock.advance(SECOND * 5);
        pool.drain(None).unwrap();
        assert_eq!(pool.try_timed_schedule_task(Duration::ZERO).unwrap(), DriveEnd::Deadline);
        assert_eq!(pool.get_running_size(), 2);
        pool.set_min_size(0).unwrap();
        for (seconds, running) in [(4, 2), (1, 1), (4, 1), (1, 0)] {
            clock.advance(SECOND * seconds);
            pool.try_schedule_task().unwrap();
            assert_eq!(pool.get_running_size(), running);
        }
    });
}

#[test]
fn the_worker_that_idled_first_goes_first_whoever_was_put_back_last() {
    within("order of the idle", || {
        let clock = VirtualClock::new();
        let builder = CoroutinePool::builder().clock(clock.clone()).keep_alive(SECOND * 10).min_size(2).max_size(2);
        let mut pool = builder.build().unwrap();
        clock.advance(SECOND * 5);
        // One worker idles at 5 for want of a task. The other one finds the time of the call over: it is kept, for the
        // minimum, and its own keep-alive has been over from the start.
        pool.spawn(suspend).unwrap();
        let ticks = clock.clone();
        let late = move || {
            for _ in 0..3 {
                suspend();
            }
            ticks.advance(SECOND);
        };
        pool.spawn(late).unwrap();
        assert_eq!(pool.try_timed_schedule_task(SECOND).unwrap(), DriveEnd::Deadline);
        assert_eq!(pool.get_running_size(), 2);
        pool.set_min_size(0).unwrap();
        clock.advance(SECOND * 6);
        pool.try_schedule_task().unwrap();
        assert_eq!(pool.get_running_size(), 1, "at 12 the one has gone, and the other stays until 15");
        clock.advance(SECOND * 3);
        pool.try_schedule_task().unwrap();
        assert_eq!(pool.get_running_size(), 0);
    });
}
