//! Storms: everybody does everything at once, a few hundred times over. Each must end, lose nothing and deliver
//! everything once.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Barrier, Mutex};
use std::thread;
use std::time::Duration;

use copool::{CoroutinePool, JoinError, JoinHandle, Outcome, PoolHandle, PoolState, TaskRef};
use copool::{delay, park, suspend, syscall};

use crate::common::within;
use crate::live::{Live, Token};

const ROUNDS: u32 = 300;

/// Plays rounds on pools with 0, 1 and 2 background threads in turn.
fn rounds(what: &str, play: fn(u32, CoroutinePool, &Live)) {
    for round in 0..ROUNDS {
        within(format!("{what}, round {round}"), move || {
            let live = Live::default();
            let pool = CoroutinePool::builder().threads(round % 3).max_size(2 + round % 7).build().unwrap();
            let handle = pool.handle();
            play(round, pool, &live);
            assert_eq!((handle.state(), handle.get_running_size()), (PoolState::Stopped, 0));
            assert_eq!((handle.size(), handle.outstanding()), (0, 0));
            assert_eq!(live.count(), 0, "captures and results that were never dropped");
        });
    }
}

/// A task of the kind `n`, which carries a token in and one out.
fn mixed(pool: &PoolHandle, live: &Live, n: u32) -> Option<JoinHandle<Token>> {
    let (captured, live, inner) = (live.token(), live.clone(), pool.clone());
    let task = move || {
        let _captured = captured;
        match n % 8 {
            0 => {}
            1 => suspend(),
            2 => delay(Duration::from_micros(n.into())),
            3 => syscall("nothing", || ()),
            4 => park(),
            5 => std::panic::resume_unwind(Box::new(n)),
            6 => drop(mixed(&inner, &live, n / 8 % 4).map(JoinHandle::join)),
            _ => drop(std::panic::catch_unwind(park)),
        }
        live.token()
    };
    pool.task().priority(i64::from(n % 3) - 1).spawn(task).ok()
}

#[test]
fn submitting_while_the_pool_stops() {
    rounds("submit and stop", |round, pool, live| {
        let barrier = Arc::new(Barrier::new(4));
        let submitters: Vec<_> = (0..3)
            .map(|_| {
                let (pool, live, barrier) = (pool.handle(), live.clone(), Arc::clone(&barrier));
                thread::spawn(move || {
                    barrier.wait();
                    (0..).map_while(|n| mixed(&pool, &live, n % 4)).collect::<Vec<_>>()
                })
            })
            .collect();
        barrier.wait();
        (0..round).for_each(|_| std::hint::spin_loop());
        let grace = Duration::from_micros(u64::from(round % 4) * 200);
        match round % 4 {
            0 => drop(pool),
            1 => {
                let handle = pool.handle();
                thread::spawn(move || handle.stop(grace)).join().unwrap();
                drop(pool);
            }
            _ => {
                pool.stop(grace);
                drop(pool);
            }
        }
        for task in submitters.into_iter().flat_map(|submitter| submitter.join().unwrap()) {
            // A submitter may have been on its way when the pool was dropped: then it abandoned the task itself.
            assert!(matches!(task.join(), Ok(_) | Err(JoinError::Abandoned)));
        }
    });
}

#[test]
fn cancelling_and_unparking_everything_from_everywhere() {
    rounds("cancels", |round, mut pool, live| {
        let tasks: Vec<_> = (0..60).filter_map(|n| mixed(&pool, live, n + round)).collect();
        let refs: Arc<Vec<TaskRef>> = Arc::new(tasks.iter().map(JoinHandle::task_ref).collect());
        let over = Arc::new(AtomicBool::new(false));
        let stormers: Vec<_> = (0..3)
            .map(|n| {
                let (refs, over) = (Arc::clone(&refs), Arc::clone(&over));
                thread::spawn(move || {
                    while !over.load(Ordering::SeqCst) {
                        refs.iter().skip(n).step_by(n + 1).for_each(|task| {
                            task.unpark();
                            drop(format!("{:?}", task.cancel()));
                        });
                        thread::yield_now();
                    }
                })
            })
            .collect();
        if round % 2 == 0 {
            pool.drain(None).unwrap();
        } else {
            let _ = pool.try_schedule_task();
        }
        drop(pool);
        over.store(true, Ordering::SeqCst);
        stormers.into_iter().for_each(|stormer| stormer.join().unwrap());
        assert!(refs.iter().all(TaskRef::is_finished));
    });
}

#[test]
fn joining_in_chains_across_seats_while_links_break() {
    rounds("chains", |round, mut pool, live| {
        pool.set_max_size(200).unwrap();
        let mut last = mixed(&pool, live, 4).unwrap();
        let mut refs = vec![last.task_ref()];
        for n in 0..100 {
            let (before, captured, live) = (last, live.token(), live.clone());
            let link = move || {
                let _captured = captured;
                let joined = before.join().map(drop);
                if n % 10 == 9 {
                    std::panic::resume_unwind(Box::new(n));
                }
                drop(joined);
                live.token()
            };
            last = pool.spawn(link).unwrap();
            refs.push(last.task_ref());
        }
        let breaker = thread::spawn({
            let refs = refs.clone();
            move || {
                drop(format!("{:?}", refs[50].cancel()));
                refs[0].unpark();
                refs[100].wait().unwrap()
            }
        });
        if round % 4 == 0 {
            drop(pool);
        } else {
            pool.drain(None).unwrap();
            assert_eq!(refs[100].outcome(), Some(Outcome::Panicked));
            drop(pool);
        }
        assert_eq!(Some(breaker.join().unwrap()), refs[100].outcome());
        drop(last);
    });
}

#[test]
fn dropping_the_pool_while_its_tasks_are_suspended_on_background_threads() {
    rounds("drop", |round, pool, live| {
        pool.set_max_size(100).unwrap();
        let tasks: Vec<_> = (0..50).filter_map(|n| mixed(&pool, live, if n % 2 == 0 { 4 } else { n })).collect();
        let waiter = thread::spawn({
            let refs: Vec<_> = tasks.iter().map(JoinHandle::task_ref).collect();
            move || assert!(refs.iter().all(|task| task.wait().is_ok()))
        });
        (0..round * 20).for_each(|_| std::hint::spin_loop());
        drop(pool);
        waiter.join().unwrap();
        assert!(tasks.iter().all(JoinHandle::is_finished));
    });
}

#[test]
fn stopping_from_tasks_and_threads_at_once() {
    rounds("stops", |round, pool, live| {
        let stopped = Arc::new(AtomicUsize::new(0));
        for n in 0..4_u32 {
            let (handle, captured, stopped) = (pool.handle(), live.token(), Arc::clone(&stopped));
            let stops = move || {
                let _captured = captured;
                suspend();
                let grace = if n % 2 == 0 { Duration::MAX } else { Duration::from_micros(100) };
                handle.stop(grace);
                stopped.fetch_add(1, Ordering::SeqCst);
            };
            // The first may have stopped the pool already.
            drop(pool.spawn(stops));
        }
        let others: Vec<_> = (0..20).filter_map(|n| mixed(&pool, live, n % 4)).collect();
        let stoppers: Vec<_> = (0..2)
            .map(|_| {
                let pool = pool.handle();
                thread::spawn(move || pool.stop(Duration::from_micros(u64::from(round) * 5)))
            })
            .collect();
        let report = pool.stop(Duration::from_millis(2));
        let reports = stoppers.into_iter().map(|stopper| stopper.join().unwrap());
        let abandoned = reports.map(|report| report.abandoned).sum::<usize>() + report.abandoned;
        drop(pool);
        assert!(abandoned <= 24, "{abandoned} of 24 tasks were abandoned");
        assert!(others.iter().all(JoinHandle::is_finished));
        assert!(stopped.load(Ordering::SeqCst) <= 4);
    });
}

#[test]
fn leaving_with_a_backlog_while_the_owner_drops_the_pool() {
    rounds("leave and drop", |_, pool, live| {
        let barrier = Arc::new(Barrier::new(5));
        let leavers: Vec<_> = (0..4)
            .map(|_| {
                let (pool, live, barrier) = (pool.handle(), live.clone(), Arc::clone(&barrier));
                thread::spawn(move || {
                    let seat = pool.attach().unwrap();
                    let submit = || {
                        let captured = live.token();
                        pool.spawn(move || drop(captured)).ok()
                    };
                    let tasks: Vec<_> = (0..300).map_while(|_| submit()).collect();
                    barrier.wait();
                    drop(seat);
                    tasks
                })
            })
            .collect();
        barrier.wait();
        drop(pool);
        let tasks: Vec<_> = leavers.into_iter().flat_map(|leaver| leaver.join().unwrap()).collect();
        assert!(tasks.iter().all(JoinHandle::is_finished), "a task was left behind without an outcome");
    });
}

#[test]
fn waiting_in_every_way_for_the_same_tasks() {
    rounds("waiters", |round, mut pool, live| {
        pool.set_max_size(100).unwrap();
        let seen = Arc::new(Mutex::new(Vec::new()));
        for n in 0..20 {
            let Some(task) = mixed(&pool, live, n % 4 + 8 * round) else { continue };
            let (watched, seen, captured) = (task.task_ref(), Arc::clone(&seen), live.token());
            let watcher = move || {
                let _captured = captured;
                let outcome = watched.wait_timeout(Duration::from_secs(60));
                seen.lock().unwrap().push(outcome.unwrap());
            };
            drop(pool.spawn(watcher).unwrap());
            if n % 2 == 0 {
                let end = pool.wait(&task).unwrap();
                assert!(task.is_finished(), "{end:?}");
            } else {
                let joined = thread::spawn(move || task.join().map(drop));
                pool.drain(None).unwrap();
                assert!(joined.join().unwrap().is_ok());
            }
        }
        pool.drain(None).unwrap();
        drop(pool);
        assert_eq!(*seen.lock().unwrap(), [Outcome::Returned; 20]);
    });
}

#[test]
fn submissions_and_outcomes_reach_seats_and_threads_that_are_about_to_sleep() {
    for (threads, keep_alive) in [(1, 0), (1, 20), (2, 0), (2, 20)] {
        within(format!("wake-ups of {threads} threads with a keep-alive of {keep_alive} us"), move || {
            let builder = CoroutinePool::builder().threads(threads).keep_alive(Duration::from_micros(keep_alive));
            let pool = builder.build().unwrap();
            let handle = pool.handle();
            let rounds = move || {
                for round in 0..10_000_u32 {
                    (0..round % 700).for_each(|_| std::hint::spin_loop());
                    let inner = handle.clone();
                    let joins = move || inner.spawn(move || round).unwrap().join().unwrap();
                    let joined = handle.spawn(joins).unwrap().join_timeout(Duration::from_secs(20));
                    assert_eq!(joined.ok(), Some(round), "a wake-up was lost");
                }
            };
            thread::spawn(rounds).join().unwrap();
        });
    }
}
