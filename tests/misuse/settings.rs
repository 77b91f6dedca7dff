//! Settings that make no sense, and limits that move under the feet of workers.

use std::io::ErrorKind;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use copool::{
    AttachError, BuildError, CoroutinePool, DriveEnd, LimitError, MAX_SIZE_LIMIT, RejectReason, park, suspend, syscall,
};

use crate::common::within;

const LEAST_STACK: usize = 16 * 1024;

#[test]
fn min_above_max_is_refused_with_both_numbers() {
    let error = CoroutinePool::builder().min_size(3).max_size(2).build().unwrap_err();
    assert!(matches!(error, BuildError::MinAboveMax { min: 3, max: 2 }), "{error:?}");
    let said = error.to_string();
    assert!(said.contains('3') && said.contains('2'), "{said}");
}

#[test]
fn limits_moved_past_each_other_are_refused_and_stay_as_they_were() {
    let pool = CoroutinePool::builder().min_size(2).max_size(5).build().unwrap();
    assert_eq!(pool.set_min_size(6), Err(LimitError::MinAboveMax { min: 6, max: 5 }));
    assert_eq!(pool.set_max_size(1), Err(LimitError::MinAboveMax { min: 2, max: 1 }));
    assert_eq!((pool.min_size(), pool.max_size()), (2, 5));
}

#[test]
fn a_max_above_the_limit_is_refused_and_the_limit_itself_is_not() {
    for max in [MAX_SIZE_LIMIT + 1, u32::MAX] {
        let error = CoroutinePool::builder().max_size(max).build().unwrap_err();
        assert!(
            matches!(error, BuildError::MaxTooLarge { max: m, limit } if (m, limit) == (max, MAX_SIZE_LIMIT)),
            "{error:?}"
        );
    }
    let pool = CoroutinePool::builder().max_size(MAX_SIZE_LIMIT).build().unwrap();
    let refused = LimitError::MaxTooLarge { max: u32::MAX, limit: MAX_SIZE_LIMIT };
    assert_eq!(pool.set_max_size(u32::MAX), Err(refused));
    assert_eq!(pool.set_min_size(u32::MAX), Err(LimitError::MinAboveMax { min: u32::MAX, max: MAX_SIZE_LIMIT }));
    assert_eq!((pool.min_size(), pool.max_size()), (0, MAX_SIZE_LIMIT));
}

#[test]
fn with_a_max_of_zero_every_drive_says_stalled_and_nothing_is_lost() {
    within("max zero", || {
        let mut pool = CoroutinePool::builder().max_size(0).build().unwrap();
        let task = pool.spawn(|| 7).unwrap();
        assert_eq!(pool.try_schedule_task().unwrap_err().kind(), ErrorKind::Deadlock);
        assert_eq!(pool.try_timed_schedule_task(Duration::MAX), Ok(DriveEnd::Stalled));
        assert_eq!(pool.try_timeout_schedule_task(Instant::now() + Duration::from_secs(60)), Ok(DriveEnd::Stalled));
        assert_eq!(pool.drain(None), Ok(DriveEnd::Stalled));
        assert_eq!(pool.wait(&task), Ok(DriveEnd::Stalled));
        assert_eq!((pool.size(), pool.get_running_size()), (1, 0));
        pool.set_max_size(1).unwrap();
        assert_eq!(pool.drain(None), Ok(DriveEnd::AllDone));
        assert_eq!(task.join().unwrap(), 7);
    });
}

#[test]
fn with_a_max_of_zero_an_empty_pool_is_done_and_a_stop_ends() {
    within("max zero, empty", || {
        let mut pool = CoroutinePool::builder().max_size(0).build().unwrap();
        pool.try_schedule_task().unwrap();
        assert_eq!(pool.drain(None), Ok(DriveEnd::AllDone));
        let task = pool.spawn(|| ()).unwrap();
        let report = pool.stop(Duration::MAX);
        assert_eq!((report.abandoned, report.leaving), (1, 0), "a stalled seat cannot get further");
        drop(pool);
        assert!(task.is_finished());
    });
}

#[test]
fn a_stack_below_the_least_is_refused_with_the_size_and_the_least() {
    for size in [0, 1, 4096, LEAST_STACK - 1] {
        let error = CoroutinePool::builder().stack_size(size).build().unwrap_err();
        assert!(
            matches!(error, BuildError::StackTooSmall { size: s, least: LEAST_STACK } if s == size),
            "{size}: {error:?}"
        );
    }
}

#[test]
fn a_stack_beyond_any_memory_is_refused() {
    for size in [usize::MAX, usize::MAX - 4096, isize::MAX as usize + 1, usize::MAX / 4] {
        let error = CoroutinePool::builder().stack_size(size).build().unwrap_err();
        assert!(
            matches!(error, BuildError::StackTooLarge { size: s, most } if s == size && most < size),
            "{size}: {error:?}"
        );
    }
}

#[test]
fn what_is_refused_converts_into_an_io_error_that_holds_it() {
    let built = std::io::Error::from(CoroutinePool::builder().min_size(2).max_size(1).build().unwrap_err());
    let pool = CoroutinePool::default();
    let limited = std::io::Error::from(pool.set_max_size(u32::MAX).unwrap_err());
    let seated = std::io::Error::from(pool.attach().unwrap_err());
    assert_eq!(
        [built.kind(), limited.kind(), seated.kind()],
        [ErrorKind::InvalidInput, ErrorKind::InvalidInput, ErrorKind::AlreadyExists]
    );
    assert!(matches!(built.downcast(), Ok(BuildError::MinAboveMax { min: 2, max: 1 })));
    assert!(matches!(limited.downcast(), Ok(LimitError::MaxTooLarge { max: u32::MAX, .. })));
    assert!(matches!(seated.downcast(), Ok(AttachError::AlreadySeated)));
}

#[test]
fn the_least_and_an_unaligned_stack_run_tasks() {
    within("stack sizes", || {
        for size in [LEAST_STACK, LEAST_STACK + 1, 65_537, 99_999, 1 << 20] {
            let mut pool = CoroutinePool::builder().stack_size(size).build().unwrap();
            let task = pool
                .spawn(|| {
                    suspend();
                    7
                })
                .unwrap();
            assert_eq!(pool.drain(None), Ok(DriveEnd::AllDone));
            assert_eq!(task.join().unwrap(), 7, "with {size} bytes");
        }
    });
}

#[test]
fn a_task_with_an_impossible_stack_is_rejected_with_its_closure() {
    let mut pool = CoroutinePool::default();
    let small = pool.task().stack_size(0).spawn(|| 1).unwrap_err();
    assert_eq!(small.reason(), RejectReason::StackTooSmall { size: 0, least: LEAST_STACK });
    assert_eq!(small.into_inner()(), 1);
    let large = pool.task().stack_size(usize::MAX).spawn(|| 2).unwrap_err();
    assert!(matches!(large.reason(), RejectReason::StackTooLarge { size: usize::MAX, most } if most < usize::MAX));
    let error = std::io::Error::from(pool.task().stack_size(usize::MAX).spawn(|| 2).unwrap_err());
    assert_eq!(error.kind(), ErrorKind::InvalidInput);
    assert!(error.get_ref().is_some_and(|inner| inner.is::<RejectReason>()));
    assert_eq!(large.into_inner()(), 2);
    assert_eq!((pool.size(), pool.outstanding(), pool.counters().accepted), (0, 0, 0), "a rejection has no effect");
    let odd = pool.task().stack_size(LEAST_STACK + 1).spawn(|| 3).unwrap();
    pool.drain(None).unwrap();
    assert_eq!(odd.join().unwrap(), 3);
}

#[test]
fn a_pool_name_with_nul_bytes_builds_background_threads() {
    within("NUL in the name of a pool with threads", || {
        let mut pool = CoroutinePool::builder().name("with\0nul\0").threads(1).build().unwrap();
        assert_eq!(pool.name(), Some("with\0nul\0"));
        let task = pool.spawn(|| 7).unwrap();
        pool.drain(None).unwrap();
        assert_eq!(task.join().unwrap(), 7);
    });
}

#[test]
fn a_pool_name_with_nul_bytes_does_not_break_syscalls() {
    within("NUL in the name of a pool with helpers", || {
        let mut pool = CoroutinePool::builder().name("with\0nul").max_syscall_threads(1).build().unwrap();
        let tasks = [1, 2].map(|n| pool.spawn(move || syscall("a\0b", move || n)).unwrap());
        pool.drain(None).unwrap();
        assert_eq!(tasks.map(|task| task.join().unwrap()), [1, 2]);
    });
}

#[test]
fn names_decide_nothing_whatever_is_in_them() {
    within("odd names", || {
        let long = "x".repeat(1 << 16);
        for name in ["", "\u{1b}[31m", "same", "same", &long] {
            let mut pool = CoroutinePool::builder().name(name).threads(1).max_syscall_threads(1).build().unwrap();
            let task = pool.task().name(name).spawn(|| syscall("name", || 7)).unwrap();
            pool.drain(None).unwrap();
            assert_eq!(task.name(), Some(name));
            assert_eq!(task.join().unwrap(), 7);
        }
    });
}

#[test]
fn the_extreme_priorities_are_priorities() {
    let mut pool = CoroutinePool::default();
    let order = Arc::new(std::sync::Mutex::new(Vec::new()));
    for priority in [i64::MAX, 0, i64::MIN] {
        let order = Arc::clone(&order);
        pool.submit_task(
            None,
            move |_| {
                order.lock().unwrap().push(priority);
                None
            },
            None,
            Some(priority),
        )
        .unwrap();
    }
    pool.drain(None).unwrap();
    assert_eq!(*order.lock().unwrap(), [i64::MIN, 0, i64::MAX]);
}

#[test]
fn without_helper_threads_a_syscall_runs_in_place() {
    let mut pool = CoroutinePool::builder().max_syscall_threads(0).build().unwrap();
    let here = std::thread::current().id();
    let task = pool.spawn(|| syscall("in place", || std::thread::current().id())).unwrap();
    pool.drain(None).unwrap();
    assert_eq!(task.join().unwrap(), here);
}

#[test]
fn calls_that_follow_each_other_take_one_helper() {
    within("one helper", || {
        let mut pool = CoroutinePool::builder().max_size(1).build().unwrap();
        for _ in 0..20 {
            let task = pool.spawn(|| (0..50).map(|n| syscall("next", || n)).sum::<u32>()).unwrap();
            assert_eq!(pool.drain(None), Ok(DriveEnd::AllDone));
            assert_eq!((task.join().unwrap(), pool.counters().threads), (1225, 1));
        }
    });
}

#[test]
fn lowering_max_below_the_running_count_kills_no_worker_and_raising_it_makes_new_ones() {
    within("max lowered and raised", || {
        let mut pool = CoroutinePool::builder().max_size(4).build().unwrap();
        let first: Vec<_> = (0..4).map(|_| pool.spawn(park).unwrap()).collect();
        let waits = Ok(DriveEnd::Waiting { until: None });
        assert_eq!(pool.try_timed_schedule_task(Duration::MAX), waits);
        assert_eq!(pool.get_running_size(), 4);

        pool.set_max_size(1).unwrap();
        let second: Vec<_> = (0..4).map(|_| pool.spawn(park).unwrap()).collect();
        assert_eq!(pool.try_timed_schedule_task(Duration::MAX), waits);
        assert_eq!((pool.get_running_size(), pool.size()), (4, 4), "nothing starts above the maximum");

        pool.set_max_size(6).unwrap();
        assert_eq!(pool.try_timed_schedule_task(Duration::MAX), waits);
        assert_eq!((pool.get_running_size(), pool.size()), (6, 2));

        pool.set_max_size(0).unwrap();
        for task in first.iter().chain(&second) {
            task.task_ref().unpark();
        }
        let _ = pool.try_timed_schedule_task(Duration::MAX);
        pool.set_max_size(1).unwrap();
        assert_eq!(pool.drain(None), Ok(DriveEnd::AllDone));
        assert!(first.iter().chain(&second).all(|task| task.is_finished()));
    });
}

#[test]
fn workers_above_a_lowered_max_take_no_further_tasks() {
    within("surplus workers", || {
        static AT_ONCE: AtomicUsize = AtomicUsize::new(0);
        static MOST: AtomicUsize = AtomicUsize::new(0);
        let mut pool = CoroutinePool::builder().max_size(4).build().unwrap();
        let first: Vec<_> = (0..4).map(|_| pool.spawn(park).unwrap()).collect();
        pool.try_schedule_task().unwrap();
        pool.set_max_size(1).unwrap();
        for _ in 0..20 {
            pool.spawn(|| {
                MOST.fetch_max(AT_ONCE.fetch_add(1, Ordering::SeqCst) + 1, Ordering::SeqCst);
                suspend();
                AT_ONCE.fetch_sub(1, Ordering::SeqCst);
            })
            .unwrap();
        }
        for task in &first {
            task.task_ref().unpark();
        }
        assert_eq!(pool.drain(None), Ok(DriveEnd::AllDone));
        assert_eq!(MOST.load(Ordering::SeqCst), 1, "of the tasks polled under the new maximum one ran at a time");
    });
}
