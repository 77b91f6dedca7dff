//! Tasks that catch their cancel's unwinding and suspend again: they are given up, with their stacks.
//!
//! What is on such a stack may refer to thread-locals, so its thread must not end: these tests have the main thread, at
//! whose end the process ends.

use std::panic::catch_unwind;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::channel;
use std::thread;
use std::time::Duration;

use copool::{CoroutinePool, DriveEnd, Outcome, PoolHandle, PoolState, park, suspend};

use crate::{alone, alone_on_main, name};

/// After so many throws that it has swallowed, a task is given up at the next.
const MOST_THROWS: usize = 16;

/// Swallows every throw and suspends again. Counts them.
fn stubborn(thrown: &AtomicUsize) {
    loop {
        if catch_unwind(park).is_err() {
            thrown.fetch_add(1, Ordering::SeqCst);
        }
    }
}

fn assert_over_but_for(leaked: u64, pool: &PoolHandle) {
    assert_eq!((pool.state(), pool.size(), pool.outstanding()), (PoolState::Stopped, 0, 0));
    let counters = pool.counters();
    assert_eq!((pool.get_running_size(), counters.stacks as u64, counters.stacks_leaked), (0, leaked, leaked));
    assert_eq!((counters.accepted, counters.threads), (counters.ended, 0));
}

#[test]
fn a_task_that_swallows_its_cancel_and_suspends_again_is_given_up_after_sixteen_throws() {
    let test = name!(a_task_that_swallows_its_cancel_and_suspends_again_is_given_up_after_sixteen_throws);
    let end = alone_on_main(test, || {
        let thrown = Arc::new(AtomicUsize::new(0));
        let mut pool = CoroutinePool::builder().max_size(1).build().unwrap();
        let count = Arc::clone(&thrown);
        let task = pool.spawn(move || stubborn(&count)).unwrap().task_ref();
        pool.try_schedule_task().unwrap();
        task.cancel();
        let next = pool.spawn(|| 7).unwrap();
        assert_eq!(pool.drain(None), Ok(DriveEnd::AllDone), "the worker's place is free again");
        assert_eq!(next.join().unwrap(), 7);
        assert_eq!(thrown.load(Ordering::SeqCst), MOST_THROWS);
        assert_eq!(task.outcome(), Some(Outcome::Abandoned));
        let handle = pool.handle();
        drop(pool);
        assert_over_but_for(1, &handle);
        assert_eq!(Arc::strong_count(&thrown), 2, "what is on the leaked stack stays for ever");
    });
    let Some(end) = end else { return };
    end.succeeded();
}

#[test]
fn a_task_given_up_before_its_first_suspension_is_counted_out_as_well() {
    let end = alone_on_main(name!(a_task_given_up_before_its_first_suspension_is_counted_out_as_well), || {
        let mut pool = CoroutinePool::default();
        let never: fn() = || loop {
            let _ = catch_unwind(copool::checkpoint);
        };
        let task = pool
            .spawn(move || {
                copool::current().unwrap().cancel();
                never();
            })
            .unwrap();
        assert_eq!(pool.drain(None), Ok(DriveEnd::AllDone));
        assert_eq!(task.task_ref().outcome(), Some(Outcome::Abandoned));
        assert_eq!(pool.stop(Duration::MAX).state, PoolState::Stopped);
        let handle = pool.handle();
        drop(pool);
        assert_over_but_for(1, &handle);
    });
    let Some(end) = end else { return };
    end.succeeded();
}

#[test]
fn stubborn_tasks_do_not_keep_a_drop_from_returning() {
    let end = alone_on_main(name!(stubborn_tasks_do_not_keep_a_drop_from_returning), || {
        let thrown = Arc::new(AtomicUsize::new(0));
        let mut pool = CoroutinePool::default();
        for _ in 0..3 {
            let count = Arc::clone(&thrown);
            pool.spawn(move || stubborn(&count)).unwrap();
        }
        pool.try_schedule_task().unwrap();
        let handle = pool.handle();
        drop(pool);
        assert_eq!(thrown.load(Ordering::SeqCst), 3 * MOST_THROWS);
        assert_over_but_for(3, &handle);
    });
    let Some(end) = end else { return };
    end.succeeded();
}

#[test]
fn a_stubborn_task_cannot_hang_a_drop_during_a_panic() {
    let end = alone_on_main(name!(a_stubborn_task_cannot_hang_a_drop_during_a_panic), || {
        let mut pool = CoroutinePool::default();
        let keeps: fn() = || {
            let mut kept = Vec::new();
            loop {
                kept.extend(catch_unwind(suspend).err());
            }
        };
        pool.spawn(|| stubborn(&AtomicUsize::new(0))).unwrap();
        pool.spawn(keeps).unwrap();
        let tick = pool.spawn(suspend).unwrap();
        pool.wait(&tick).unwrap();
        let handle = pool.handle();
        let panicked = catch_unwind(std::panic::AssertUnwindSafe(move || {
            let _pool = pool;
            panic!("on purpose");
        }));
        assert!(panicked.is_err() && !thread::panicking());
        assert_over_but_for(2, &handle);
    });
    let Some(end) = end else { return };
    end.succeeded();
}

/// Suspends again and again when it is dropped: more often than a task may that has swallowed a throw on a thread that was
/// panicking before.
struct SuspendsForLong;

impl Drop for SuspendsForLong {
    fn drop(&mut self) {
        (0..2_000).for_each(|_| suspend());
    }
}

#[test]
fn a_task_that_suspends_for_long_while_its_own_panic_unwinds_is_given_up_and_not_thrown_at_in_there() {
    let test = name!(a_task_that_suspends_for_long_while_its_own_panic_unwinds_is_given_up_and_not_thrown_at_in_there);
    let end = alone_on_main(test, || {
        let mut pool = CoroutinePool::default();
        let panics: fn() = || {
            drop(catch_unwind(park));
            let _suspends = SuspendsForLong;
            panic!("its own");
        };
        let task = pool.spawn(panics).unwrap();
        pool.try_schedule_task().unwrap();
        let handle = pool.handle();
        let panicked = catch_unwind(std::panic::AssertUnwindSafe(move || {
            let _pool = pool;
            panic!("on purpose");
        }));
        // A throw out of the destructor would have ended the process.
        assert!(panicked.is_err());
        assert_eq!(task.task_ref().outcome(), Some(Outcome::Abandoned));
        assert_over_but_for(1, &handle);
        assert!(thread::panicking(), "the task's panic never ends");
        // So the test harness could not go on either.
        std::process::exit(0);
    });
    let Some(end) = end else { return };
    end.succeeded();
}

#[test]
fn a_stubborn_task_of_a_background_thread_does_not_keep_the_drop_from_returning_nor_end_the_process() {
    let test = name!(a_stubborn_task_of_a_background_thread_does_not_keep_the_drop_from_returning_nor_end_the_process);
    let end = alone(test, || {
        let pool = CoroutinePool::builder().threads(1).build().unwrap();
        let (started, running) = channel();
        let task = pool
            .spawn(move || {
                started.send(()).unwrap();
                stubborn(&AtomicUsize::new(0));
            })
            .unwrap();
        running.recv().unwrap();
        let handle = pool.handle();
        drop(pool);
        assert_eq!(task.task_ref().outcome(), Some(Outcome::Abandoned));
        assert_over_but_for(1, &handle);
    });
    let Some(end) = end else { return };
    end.succeeded();
}

/// A task that swallows the throw of its leaving seat and then stops its pool, again and again, and never comes back.
fn stops_for_ever(pool: &PoolHandle, calls_before: usize) {
    let _ = catch_unwind(park);
    // Each call that returns at once brings the task nearer to being taken for endless: at one of these two counts that
    // happens inside of `stop`.
    (0..calls_before).for_each(|_| suspend());
    loop {
        let _ = catch_unwind(|| pool.stop(Duration::MAX));
    }
}

#[test]
fn a_task_that_is_given_up_in_a_stop_has_its_outcome_and_the_pool_stops() {
    let end = alone_on_main(name!(a_task_that_is_given_up_in_a_stop_has_its_outcome_and_the_pool_stops), || {
        for calls_before in [0, 1] {
            let ((give, given), (over, end)) = (channel(), channel::<()>());
            let owner = move || {
                let pool = CoroutinePool::default();
                give.send(pool.handle()).unwrap();
                let _ = end.recv();
            };
            let owner = thread::Builder::new().stack_size(1 << 20).spawn(owner).unwrap();
            let handle: PoolHandle = given.recv().unwrap();
            let (mut seat, stops) = (handle.attach().unwrap(), handle.clone());
            let task = handle.spawn(move || stops_for_ever(&stops, calls_before)).unwrap();
            seat.try_schedule_task().unwrap();
            let panicked = catch_unwind(std::panic::AssertUnwindSafe(move || {
                let _seat = seat;
                panic!("on purpose");
            }));
            assert!(panicked.is_err());
            assert_eq!(task.task_ref().outcome(), Some(Outcome::Abandoned));
            assert_over_but_for(1, &handle);
            drop(over);
            owner.join().unwrap();
        }
    });
    let Some(end) = end else { return };
    end.succeeded();
}
