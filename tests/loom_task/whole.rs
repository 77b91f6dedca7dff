//! A worker's coroutine on a real seat against one or two other threads: what the smaller models leave out.
//!
//! The main thread drives the pool's seat. Where it blocks, a wake-up that gets lost is a deadlock to loom, which aborts
//! the process.
//!
//! Left out: a second seat, except where a model says so; the queues' own races; listeners.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use copool_model::loom::{Bounds, check, thread};
use copool_model::under_loom::checked::ScriptedPanic;
use copool_model::under_loom::checked::task::{Bare, Trace};
use copool_model::under_loom::spec::PoolState;
use copool_model::under_loom::{
    Cancel, CoroutinePool, DriveEnd, JoinError, JoinHandle, Outcome, VirtualClock, park, park_timeout, suspend, syscall,
};

use crate::common::Drops;

/// A pool of one worker at a time, and its seat here.
fn pool() -> CoroutinePool {
    CoroutinePool::builder().max_size(1).build().unwrap()
}

/// A pool has run its tasks; nothing is left of it but its seat.
fn assert_quiet(pool: &CoroutinePool, tasks: u64) {
    let counters = pool.counters();
    assert_eq!((counters.accepted, counters.ended), (tasks, tasks));
    assert_eq!((pool.outstanding(), pool.size()), (0, 0));
}

fn run_here(pool: &mut CoroutinePool) {
    pool.try_schedule_task().unwrap();
}

#[test]
fn a_worker_and_a_cancel_agree_on_the_outcome() {
    check("a worker, cancel", Bounds::reduced(), || {
        let mut pool = pool();
        let (owned, captures) = Drops::new();
        let mut handle = pool
            .spawn(move || {
                owned.touch();
                suspend();
            })
            .unwrap();
        let canceller = thread::spawn({
            let task = handle.task_ref();
            move || task.cancel()
        });
        run_here(&mut pool);
        let answer = canceller.join().unwrap();
        run_here(&mut pool);
        match handle.try_join().expect("nothing holds it up") {
            Ok(()) => assert_ne!(answer, Cancel::NeverRuns),
            Err(JoinError::Cancelled) => assert_ne!(answer, Cancel::AlreadyEnded),
            Err(other) => panic!("{other}"),
        }
        assert_eq!(captures.count(), 1);
        assert_quiet(&pool, 1);
    });
}

#[test]
fn a_stop_or_the_worker_gives_up_a_task_that_would_wait_for_ever() {
    check("a worker, stop", Bounds::preemptions().at_most(1), || {
        let mut pool = pool();
        let (owned, captures) = Drops::new();
        let handle = pool
            .spawn(move || {
                owned.touch();
                park();
            })
            .unwrap();
        let stopper = thread::spawn({
            let pool = pool.handle();
            move || pool.stop(Duration::ZERO)
        });
        // It may be refused already.
        let _refused = pool.try_schedule_task();
        let report = stopper.join().unwrap();
        let outcome = handle.task_ref().outcome().expect("the stop or the worker has ended it");
        // A task that was just being started is given up by its worker, which the report does not count.
        assert!(report.abandoned <= 1);
        assert_eq!(outcome, Outcome::Abandoned);
        let rest = pool.handle();
        drop(pool);
        assert_eq!(captures.count(), 1);
        assert_eq!((rest.state(), rest.outstanding(), rest.get_running_size()), (PoolState::Stopped, 0, 0));
        assert_eq!(rest.counters().ended, 1);
    });
}

#[test]
fn a_thread_joins_what_a_worker_ends() {
    check("a worker, join", Bounds::reduced(), || {
        let mut pool = pool();
        let (owned, captures) = Drops::new();
        let handle = pool.spawn(move || owned.touch()).unwrap();
        let joiner = thread::spawn(move || {
            handle.join().unwrap();
            assert_eq!(captures.count(), 1);
        });
        run_here(&mut pool);
        joiner.join().unwrap();
        assert_quiet(&pool, 1);
    });
}

#[test]
fn a_seat_that_goes_to_sleep_wakes_for_an_unpark() {
    check("park on a sleeping seat, unpark", Bounds::preemptions(), || {
        let mut pool = pool();
        let data = Arc::new(Trace::new());
        let handle = pool
            .spawn({
                let data = Arc::clone(&data);
                move || {
                    park();
                    data.read();
                }
            })
            .unwrap();
        let unparker = thread::spawn({
            let task = handle.task_ref();
            move || {
                data.write();
                task.unpark();
            }
        });
        assert_eq!(pool.drain(None).unwrap(), DriveEnd::AllDone);
        unparker.join().unwrap();
        assert_quiet(&pool, 1);
    });
}

#[test]
fn two_unparks_do_not_wake_a_task_twice() {
    check("park on a seat, unpark, unpark", Bounds::preemptions().at_most(2), || {
        let mut pool = pool();
        let handle = pool.spawn(park).unwrap();
        let unparkers = [(); 2].map(|()| {
            let task = handle.task_ref();
            thread::spawn(move || task.unpark())
        });
        run_here(&mut pool);
        unparkers.into_iter().for_each(|unparker| unparker.join().unwrap());
        run_here(&mut pool);
        assert_eq!(handle.task_ref().outcome(), Some(Outcome::Returned));
        assert_quiet(&pool, 1);
    });
}

#[test]
fn a_due_timer_and_an_unpark_end_a_park_once() {
    const HOUR: Duration = Duration::from_secs(3600);
    check("timed park, due timer, unpark", Bounds::reduced(), || {
        let clock = VirtualClock::new();
        let mut pool = CoroutinePool::builder().max_size(1).clock(clock.clone()).build().unwrap();
        let parks = Arc::new(Mutex::new(0));
        let handle = pool
            .spawn({
                let parks = Arc::clone(&parks);
                move || {
                    for _ in 0..3 {
                        park_timeout(HOUR);
                        *parks.lock().unwrap() += 1;
                    }
                }
            })
            .unwrap();
        run_here(&mut pool);
        assert_eq!(*parks.lock().unwrap(), 0);
        clock.advance(HOUR);
        let unparker = thread::spawn({
            let task = handle.task_ref();
            move || task.unpark()
        });
        run_here(&mut pool);
        unparker.join().unwrap();
        run_here(&mut pool);
        // One by the timer, and one by the unpark, unless it came first; never a third.
        let ended = *parks.lock().unwrap();
        assert!(matches!(ended, 1 | 2), "{ended} parks ended");
        clock.advance(HOUR);
        run_here(&mut pool);
        assert_eq!(*parks.lock().unwrap(), ended + 1);
        clock.advance(2 * HOUR);
        run_here(&mut pool);
        clock.advance(2 * HOUR);
        run_here(&mut pool);
        assert!(handle.is_finished());
        assert_quiet(&pool, 1);
    });
}

#[test]
fn who_sees_a_clock_advanced_sees_what_came_before() {
    const SECOND: Duration = Duration::from_secs(1);
    check("a virtual clock", Bounds::reduced(), || {
        let clock = VirtualClock::new();
        let start = clock.now();
        let traces = Arc::new([Trace::new(), Trace::new()]);
        let advance = |n: usize| {
            let (clock, traces) = (clock.clone(), Arc::clone(&traces));
            move || {
                traces[n].write();
                clock.advance(SECOND);
            }
        };
        let second = thread::spawn(advance(1));
        // Started last, as loom does not put off a load for one that another thread does before it writes.
        let reader = thread::spawn({
            let (clock, traces) = (clock.clone(), Arc::clone(&traces));
            move || {
                if clock.now() == start + 2 * SECOND {
                    traces.iter().for_each(Trace::read);
                }
            }
        });
        advance(0)();
        second.join().unwrap();
        reader.join().unwrap();
        assert_eq!(clock.now(), start + 2 * SECOND);
    });
}

/// A pool in which a task joins another one, which another thread runs meanwhile.
fn join_elsewhere(drive: impl Fn(&mut CoroutinePool)) {
    let mut pool = pool();
    pool.set_max_size(2).unwrap();
    let bare = Bare::of(&pool);
    let (value, drops) = Drops::new();
    let (queued, target) = bare.task(move || value);
    let joiner = pool.spawn(move || target.join().unwrap().touch()).unwrap();
    let runner = thread::spawn(move || assert!(queued.run()));
    drive(&mut pool);
    runner.join().unwrap();
    run_here(&mut pool);
    assert!(joiner.is_finished());
    assert_eq!(drops.count(), 1);
    assert_quiet(&pool, 2);
}

#[test]
fn a_task_that_joins_is_woken_by_an_end_elsewhere() {
    check("a task joins, the other ends elsewhere", Bounds::reduced(), || join_elsewhere(run_here));
}

#[test]
fn a_seat_that_goes_to_sleep_wakes_for_the_end_its_task_joins() {
    check("a task joins on a sleeping seat", Bounds::preemptions(), || {
        join_elsewhere(|pool| {
            assert_eq!(pool.drain(None).unwrap(), DriveEnd::AllDone);
        });
    });
}

#[test]
fn a_seat_that_waits_for_a_task_wakes_when_it_ends_elsewhere() {
    check("a seat waits, the task ends elsewhere", Bounds::preemptions(), || {
        let mut pool = pool();
        let bare = Bare::of(&pool);
        let (queued, target) = bare.task(|| 7);
        let runner = thread::spawn(move || assert!(queued.run()));
        assert_eq!(pool.wait(&target).unwrap(), DriveEnd::AllDone);
        assert_eq!(target.join().unwrap(), 7);
        runner.join().unwrap();
        assert_quiet(&pool, 1);
    });
}

fn called(pool: &CoroutinePool, f: impl FnOnce() -> u32 + Send + 'static) -> JoinHandle<u32> {
    pool.spawn(move || syscall("call", f)).unwrap()
}

#[test]
fn a_call_comes_back_with_its_result_to_a_seat_that_goes_to_sleep() {
    check("a call", Bounds::preemptions(), || {
        let mut pool = pool();
        let (owned, drops) = Drops::new();
        let handle = called(&pool, move || {
            owned.touch();
            7
        });
        assert_eq!(pool.drain(None).unwrap(), DriveEnd::AllDone);
        assert_eq!((handle.join().unwrap(), drops.count()), (7, 1));
        assert_quiet(&pool, 1);
    });
}

#[test]
fn a_panic_in_a_call_goes_on_in_its_task() {
    check("a call that panics", Bounds::preemptions().at_most(2), || {
        let mut pool = pool();
        let handle = called(&pool, || ScriptedPanic("on purpose".to_owned()).raise());
        assert_eq!(pool.drain(None).unwrap(), DriveEnd::AllDone);
        match handle.join() {
            Err(JoinError::Panicked(payload)) => {
                assert_eq!(*payload.downcast::<ScriptedPanic>().unwrap(), ScriptedPanic("on purpose".to_owned()));
            }
            other => panic!("{other:?}"),
        }
        assert_quiet(&pool, 1);
    });
}
