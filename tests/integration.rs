//! The pool whole, on 1, 2 and 4 schedule threads: what tasks do together comes out right wherever they run.

mod common;
#[path = "integration/limits.rs"]
mod limits;
#[path = "common/live.rs"]
mod live;
#[path = "integration/notes.rs"]
mod notes;
#[path = "integration/seats.rs"]
mod seats;
#[path = "integration/storms.rs"]
mod storms;
#[path = "integration/told.rs"]
mod told;

use std::cell::Cell;
use std::rc::Rc;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, Wake, Waker};
use std::thread::{self, ThreadId};
use std::time::Duration;

use common::within;
use copool::{Builder, CoroutinePool, DriveEnd, JoinError, JoinHandle, Outcome, PoolHandle, PoolState, TaskRef};
use copool::{delay, park, park_timeout, suspend, syscall};
use live::Live;

/// Runs `body` on pools with 1, 2 and 4 schedule threads: the caller's, which it drives, and background ones. Each pool
/// must be empty afterwards, and stop at once.
fn on_seats(what: &str, settings: fn(Builder) -> Builder, body: fn(&mut CoroutinePool)) {
    for seats in [1, 2, 4] {
        within(format!("{what} on {seats} schedule threads"), move || {
            let mut pool = settings(CoroutinePool::builder()).threads(seats - 1).build().unwrap();
            body(&mut pool);
            assert_eq!(pool.drain(None).unwrap(), DriveEnd::AllDone);
            assert_eq!((pool.size(), pool.outstanding()), (0, 0));
            let handle = pool.handle();
            assert_eq!(pool.stop(Duration::MAX).abandoned, 0);
            drop(pool);
            assert_eq!((handle.state(), handle.get_running_size()), (PoolState::Stopped, 0));
        });
    }
}

fn defaults(builder: Builder) -> Builder {
    builder
}

#[test]
fn a_tree_of_tasks_joins_its_children() {
    fn leaves(pool: &PoolHandle, depth: u32) -> u64 {
        if depth == 0 {
            return 1;
        }
        let children: Vec<_> = (0..3)
            .map(|_| {
                let handle = pool.clone();
                pool.spawn(move || leaves(&handle, depth - 1)).unwrap()
            })
            .collect();
        children.into_iter().map(|child| child.join().unwrap()).sum()
    }
    on_seats("tree", defaults, |pool| {
        let handle = pool.handle();
        let root = pool.spawn(move || leaves(&handle, 6)).unwrap();
        assert_eq!(pool.wait(&root).unwrap(), DriveEnd::AllDone);
        assert_eq!(root.join().unwrap(), 3_u64.pow(6));
        assert_eq!(pool.counters().accepted, (0..=6).map(|level| 3_u64.pow(level)).sum::<u64>());
    });
}

#[test]
fn a_chain_of_joins_hands_a_value_through() {
    on_seats("chain", defaults, |pool| {
        let mut last = pool.spawn(|| 0).unwrap();
        for n in 1..=2000 {
            let before = last;
            let link = move || {
                if n % 3 == 0 {
                    suspend();
                }
                before.join().unwrap() + 1
            };
            last = pool.spawn(link).unwrap();
        }
        assert_eq!(pool.wait(&last).unwrap(), DriveEnd::AllDone);
        assert_eq!(last.join().unwrap(), 2000);
    });
}

#[test]
fn many_wait_for_one_and_one_takes_the_value() {
    on_seats("many waiters", defaults, |pool| {
        let value = pool.spawn(park).unwrap();
        let watched = value.task_ref();
        let watchers: Vec<JoinHandle<Outcome>> = (0..100)
            .map(|_| {
                let watched = watched.clone();
                pool.spawn(move || watched.wait().unwrap()).unwrap()
            })
            .collect();
        let blocked: Vec<_> = (0..3)
            .map(|_| {
                let watched = watched.clone();
                thread::spawn(move || watched.wait().unwrap())
            })
            .collect();
        pool.try_schedule_task().unwrap();
        watched.unpark();
        pool.drain(None).unwrap();
        assert!(watchers.into_iter().all(|watcher| watcher.join().unwrap() == Outcome::Returned));
        assert!(blocked.into_iter().all(|watcher| watcher.join().unwrap() == Outcome::Returned));
        value.join().unwrap();
        assert!(matches!(pool.try_take_task_result(&watched), Err(JoinError::WrongType)));
    });
}

#[test]
fn two_tasks_pass_a_ball_by_parking_and_unparking() {
    const PASSES: u32 = 2000;
    on_seats("ping-pong", defaults, |pool| {
        let ball = Arc::new(AtomicU32::new(0));
        let players: Arc<Mutex<Vec<TaskRef>>> = Arc::default();
        let play = |me: u32| {
            let (ball, players) = (Arc::clone(&ball), Arc::clone(&players));
            move || {
                loop {
                    let at = ball.load(Ordering::SeqCst);
                    if at >= PASSES {
                        break;
                    }
                    if at % 2 == me {
                        ball.store(at + 1, Ordering::SeqCst);
                        let other = players.lock().unwrap()[1 - me as usize].clone();
                        other.unpark();
                    } else {
                        park();
                    }
                }
            }
        };
        let mut held = players.lock().unwrap();
        let tasks = [pool.spawn(play(0)).unwrap(), pool.spawn(play(1)).unwrap()];
        held.extend(tasks.iter().map(JoinHandle::task_ref));
        drop(held);
        pool.drain(None).unwrap();
        tasks.into_iter().for_each(|task| task.join().unwrap());
        assert_eq!(ball.load(Ordering::SeqCst), PASSES);
    });
}

#[test]
fn submitters_everywhere_lose_nothing() {
    on_seats("submitters", defaults, |pool| {
        let (sum, live) = (Arc::new(AtomicU64::new(0)), Live::default());
        let submit = |pool: &PoolHandle, n: u64| {
            let (sum, captured, handle) = (Arc::clone(&sum), live.token(), pool.clone());
            let task = move || {
                let captured = captured;
                sum.fetch_add(n, Ordering::SeqCst);
                if n.is_multiple_of(5) {
                    suspend();
                }
                handle.task().priority(n as i64 % 3).spawn(move || sum.fetch_add(1, Ordering::SeqCst)).unwrap();
                drop(captured);
            };
            pool.task().priority(n as i64 % 2).spawn(task).unwrap();
        };
        thread::scope(|scope| {
            for _ in 0..4 {
                let handle = pool.handle();
                scope.spawn(move || (1..=500).for_each(|n| submit(&handle, n)));
            }
            (1..=500).for_each(|n| {
                submit(pool, n);
                if n % 50 == 0 {
                    pool.try_schedule_task().unwrap();
                }
            });
        });
        pool.drain(None).unwrap();
        assert_eq!(sum.load(Ordering::SeqCst), 5 * (500 * 501 / 2 + 500));
        assert_eq!(live.count(), 0);
        assert_eq!((pool.counters().accepted, pool.counters().ended), (5000, 5000));
    });
}

#[test]
fn a_started_task_never_changes_its_thread() {
    on_seats("threads", defaults, |pool| {
        let (handle, helped) = (pool.handle(), pool.spawn(|| delay(Duration::from_millis(1))).unwrap().task_ref());
        let task = move |n: u32, handle: PoolHandle, helped: TaskRef| {
            // Neither is Send: what lives across a suspension may be tied to the thread.
            let (kept, here) = (Rc::new(Cell::new(n)), thread::current().id());
            let same = |step: &str| assert_eq!(thread::current().id(), here, "after {step}");
            suspend();
            same("suspend");
            delay(Duration::from_micros(n.into()));
            same("delay");
            park_timeout(Duration::from_micros(n.into()));
            same("park_timeout");
            assert_ne!(syscall("where", || thread::current().id()), here);
            same("syscall");
            handle.spawn(suspend).unwrap().join().unwrap();
            same("join");
            helped.wait().unwrap();
            same("wait");
            assert_eq!(kept.get(), n);
            here
        };
        let tasks: Vec<JoinHandle<ThreadId>> = (0..200)
            .map(|n| {
                let (inner, helped) = (handle.clone(), helped.clone());
                pool.spawn(move || task(n, inner, helped)).unwrap()
            })
            .collect();
        pool.drain(None).unwrap();
        assert!(tasks.into_iter().all(|task| task.join().is_ok()));
    });
}

#[test]
fn system_calls_beyond_the_helpers_queue_and_all_come_back() {
    on_seats(
        "system calls",
        |builder| builder.max_syscall_threads(3),
        |pool| {
            let inside = Arc::new(AtomicU32::new(0));
            let tasks: Vec<_> = (0..200_u64)
                .map(|n| {
                    let inside = Arc::clone(&inside);
                    let call = move || {
                        let mut text = format!("{n}");
                        let length = syscall("push", || {
                            assert!(inside.fetch_add(1, Ordering::SeqCst) < 3, "more calls at once than helpers");
                            thread::yield_now();
                            text.push('!');
                            inside.fetch_sub(1, Ordering::SeqCst);
                            text.len()
                        });
                        assert_eq!(length, text.len());
                        text
                    };
                    pool.spawn(call).unwrap()
                })
                .collect();
            pool.drain(None).unwrap();
            for (n, task) in tasks.into_iter().enumerate() {
                assert_eq!(task.join().unwrap(), format!("{n}!"));
            }
        },
    );
}

#[test]
fn each_outcome_reaches_its_own_handle() {
    on_seats("outcomes", defaults, |pool| {
        let tasks: Vec<_> = (0..300_u32)
            .map(|n| {
                let task = move || match n % 3 {
                    0 => n,
                    1 => std::panic::resume_unwind(Box::new(n)),
                    _ => {
                        park();
                        unreachable!("nobody unparks it")
                    }
                };
                pool.spawn(task).unwrap()
            })
            .collect();
        pool.try_schedule_task().unwrap();
        tasks.iter().skip(2).step_by(3).for_each(|task| drop(format!("{:?}", task.cancel())));
        pool.drain(None).unwrap();
        for (n, task) in (0..).zip(tasks) {
            match (n % 3, task.join()) {
                (0, Ok(value)) => assert_eq!(value, n),
                (1, Err(JoinError::Panicked(payload))) => assert_eq!(payload.downcast_ref(), Some(&n)),
                (2, Err(JoinError::Cancelled)) => {}
                (_, joined) => panic!("task {n}: {joined:?}"),
            }
        }
    });
}

#[test]
fn a_stop_with_grace_lets_everything_end() {
    for seats in [1, 2, 4] {
        within(format!("graceful stop on {seats} schedule threads"), move || {
            let pool = CoroutinePool::builder().threads(seats - 1).build().unwrap();
            let (handle, late) = (pool.handle(), Arc::new(AtomicU32::new(0)));
            let tasks: Vec<_> = (0..100)
                .map(|n| {
                    let (handle, late) = (handle.clone(), Arc::clone(&late));
                    let task = move || {
                        delay(Duration::from_millis(n % 4));
                        syscall("nothing", || ());
                        if handle.state() != PoolState::Running {
                            assert!(handle.spawn(|| ()).is_err());
                            late.fetch_add(1, Ordering::SeqCst);
                        }
                    };
                    pool.spawn(task).unwrap()
                })
                .collect();
            let report = pool.stop(Duration::MAX);
            assert_eq!((report.abandoned, pool.outstanding()), (0, 0));
            assert!(tasks.iter().all(|task| task.task_ref().outcome() == Some(Outcome::Returned)));
            assert!(late.load(Ordering::SeqCst) > 0);
            drop(pool);
            assert_eq!(handle.state(), PoolState::Stopped);
        });
    }
}

/// Runs a future on a plain thread, which sleeps until it is woken.
fn block_on<F: Future>(future: F) -> F::Output {
    struct Unpark(thread::Thread);
    impl Wake for Unpark {
        fn wake(self: Arc<Self>) {
            self.0.unpark();
        }
    }
    let (mut future, waker) = (Box::pin(future), Waker::from(Arc::new(Unpark(thread::current()))));
    loop {
        match future.as_mut().poll(&mut Context::from_waker(&waker)) {
            Poll::Ready(output) => return output,
            Poll::Pending => thread::park(),
        }
    }
}

#[test]
fn a_handle_is_a_future_for_any_executor() {
    on_seats("futures", defaults, |pool| {
        let awaited = |n: u32| {
            let task = pool.spawn(move || (0..n % 3).for_each(|_| suspend())).unwrap();
            thread::spawn(move || block_on(async move { task.await.map(|()| n) }))
        };
        let threads: Vec<_> = (0..10).map(awaited).collect();
        pool.drain(None).unwrap();
        let values: Vec<_> = threads.into_iter().map(|thread| thread.join().unwrap().unwrap()).collect();
        assert_eq!(values, Vec::from_iter(0..10));
    });
}
