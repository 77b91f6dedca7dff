//! The numbers of workers: changed under load, by several seats at once, and kept by whoever has to keep them.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use copool::{CoroutinePool, DriveEnd, PoolState, VirtualClock, delay, suspend};

use crate::common::within;

/// Counts what is between its two ends, and keeps the most there ever was.
#[derive(Default)]
struct Gauge {
    now: AtomicU32,
    most: AtomicU32,
}

impl Gauge {
    fn within(&self, f: impl FnOnce()) {
        let now = self.now.fetch_add(1, Ordering::SeqCst) + 1;
        self.most.fetch_max(now, Ordering::SeqCst);
        f();
        self.now.fetch_sub(1, Ordering::SeqCst);
    }
}

/// Waits, without sleeping, for what other threads bring about. `false` if it takes too long.
fn comes_true(condition: impl Fn() -> bool) -> bool {
    let begin = Instant::now();
    while !condition() {
        if begin.elapsed() > Duration::from_secs(10) {
            return false;
        }
        thread::yield_now();
    }
    true
}

#[test]
fn never_more_tasks_are_started_and_unfinished_than_max_size() {
    for threads in [0, 1, 3] {
        within(format!("max_size with {threads} background threads"), move || {
            let mut pool = CoroutinePool::builder().max_size(5).threads(threads).build().unwrap();
            let gauge = Arc::new(Gauge::default());
            for n in 0..500 {
                let gauge = Arc::clone(&gauge);
                let task =
                    move || gauge.within(|| if n % 2 == 0 { suspend() } else { delay(Duration::from_micros(50)) });
                pool.spawn(task).unwrap();
            }
            assert_eq!(pool.drain(None).unwrap(), DriveEnd::AllDone);
            assert_eq!(gauge.most.load(Ordering::SeqCst), 5);
        });
    }
}

#[test]
fn workers_above_a_lowered_max_size_finish_the_tasks_they_have_and_no_more() {
    within("lowered max_size", || {
        let clock = VirtualClock::new();
        let mut pool = CoroutinePool::builder().clock(clock.clone()).max_size(8).build().unwrap();
        let gauge = Arc::new(Gauge::default());
        for _ in 0..80 {
            let gauge = Arc::clone(&gauge);
            pool.spawn(move || gauge.within(|| delay(Duration::from_secs(1)))).unwrap();
        }
        let step = |pool: &mut CoroutinePool, max| {
            pool.set_max_size(max).unwrap();
            clock.advance(Duration::from_secs(1));
            assert!(matches!(pool.drain(None).unwrap(), DriveEnd::Waiting { .. }));
            (gauge.now.load(Ordering::SeqCst), pool.get_running_size())
        };
        pool.drain(None).unwrap();
        assert_eq!(step(&mut pool, 1), (1, 1));
        assert_eq!(step(&mut pool, 4), (4, 4), "raised again");
        assert_eq!(step(&mut pool, 2), (2, 2));
    });
}

#[test]
fn a_max_size_that_goes_up_and_down_under_load_loses_nothing() {
    for round in 0..100 {
        within(format!("changing max_size, round {round}"), move || {
            let mut pool = CoroutinePool::builder().max_size(2).threads(2).build().unwrap();
            let (handle, over) = (pool.handle(), Arc::new(AtomicBool::new(false)));
            let changer = thread::spawn({
                let over = Arc::clone(&over);
                move || {
                    let mut max = round;
                    while !over.load(Ordering::SeqCst) {
                        max = (max * 7 + 3) % 11;
                        handle.set_max_size(max).unwrap();
                        thread::yield_now();
                    }
                    // Whatever it was last: with 0 the rest would never run.
                    handle.set_max_size(3).unwrap();
                }
            });
            let gauge = Arc::new(Gauge::default());
            let tasks: Vec<_> = (0..200)
                .map(|n| {
                    let gauge = Arc::clone(&gauge);
                    pool.spawn(move || {
                        gauge.within(|| {
                            if n % 3 == 0 {
                                suspend()
                            }
                        })
                    })
                    .unwrap()
                })
                .collect();
            // It may find itself stalled at 0; the next drive goes on.
            let drives = comes_true(|| tasks.iter().filter(|task| task.is_finished()).count() > 50);
            over.store(true, Ordering::SeqCst);
            changer.join().unwrap();
            assert_eq!(pool.drain(None).unwrap(), DriveEnd::AllDone);
            assert!(drives, "the background threads stood still");
            assert!(tasks.into_iter().all(|task| task.join().is_ok()));
            assert!(gauge.most.load(Ordering::SeqCst) <= 10);
        });
    }
}

#[test]
fn a_raised_max_size_reaches_seats_that_block_for_want_of_a_worker() {
    for round in 0..200 {
        within(format!("raised max_size, round {round}"), move || {
            let pool = CoroutinePool::builder().max_size(0).threads(2).build().unwrap();
            let (handle, task) = (pool.handle(), pool.spawn(|| 1).unwrap());
            let raiser = thread::spawn(move || {
                // At another moment of the seats' way to their sleep each time.
                (0..round * 10).for_each(|_| std::hint::spin_loop());
                handle.set_max_size(1).unwrap();
                task.join().unwrap()
            });
            assert_eq!(raiser.join().unwrap(), 1);
        });
    }
}

#[test]
fn after_a_burst_the_minimum_is_left_whoever_ran_it() {
    within("keep-alive on several seats", || {
        let keep_alive = Duration::from_millis(2);
        let pool = CoroutinePool::builder().min_size(2).keep_alive(keep_alive).threads(3).build().unwrap();
        for burst in 0..100 {
            let tasks: Vec<_> = (0..40).map(|_| pool.spawn(suspend).unwrap()).collect();
            let joined = thread::scope(|scope| {
                scope.spawn(|| tasks.into_iter().all(|task| task.join().is_ok())).join().unwrap()
            });
            assert!(joined);
            if burst % 5 == 0 {
                let left = comes_true(|| pool.get_running_size() == 2);
                assert!(left, "burst {burst}: {} workers stay", pool.get_running_size());
            }
        }
    });
}

#[test]
fn a_shorter_keep_alive_is_not_lost_on_a_seat_that_is_about_to_block() {
    within("changing keep-alive", || {
        let pool = CoroutinePool::builder().threads(1).build().unwrap();
        let handle = pool.handle();
        let rounds = move || {
            for round in 0..20_000_u32 {
                handle.set_keep_alive(Duration::from_secs(3600));
                handle.spawn(|| ()).unwrap().join().unwrap();
                (0..round % 500).for_each(|_| std::hint::spin_loop());
                handle.set_keep_alive(Duration::ZERO);
                assert!(comes_true(|| handle.get_running_size() == 0), "round {round}: an idle worker stays");
            }
        };
        thread::spawn(rounds).join().unwrap();
    });
}

#[test]
fn the_numbers_of_a_pool_that_never_ran_are_its_settings() {
    let pool = CoroutinePool::builder().min_size(1).max_size(7).name("idle").build().unwrap();
    assert_eq!((pool.min_size(), pool.max_size(), pool.keep_alive()), (1, 7, Duration::ZERO));
    assert_eq!((pool.get_running_size(), pool.size(), pool.outstanding()), (0, 0, 0));
    assert_eq!((pool.state(), pool.name(), pool.is_empty()), (PoolState::Running, Some("idle"), true));
}

#[test]
fn a_hundred_thousand_tasks_are_suspended_at_once() {
    within("100,000 suspended", || {
        const TASKS: u32 = 100_000;
        let mut pool = CoroutinePool::builder().max_size(TASKS).build().unwrap();
        for _ in 0..TASKS {
            pool.spawn(copool::park).unwrap();
        }
        pool.try_schedule_task().unwrap();
        let counters = pool.counters();
        // Where a guard is a mapping of its own (Linux before 6.13), the mappings end first, and the rest stays queued.
        if counters.stacks_refused == 0 {
            assert_eq!((pool.get_running_size(), pool.size()), (TASKS, 0));
        }
        assert_eq!(u64::from(pool.get_running_size()), counters.started);
        let handle = pool.handle();
        drop(pool);
        assert_eq!((handle.outstanding(), handle.get_running_size(), handle.counters().stacks), (0, 0, 0));
    });
}
