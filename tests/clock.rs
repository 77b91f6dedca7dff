//! Time on a virtual clock: what a pool with one seat does on it is the same each time, no drive blocks on it, and what
//! is due fires when, and only when, the clock says so.

#[path = "clock/background.rs"]
mod background;
mod common;
#[path = "clock/idle.rs"]
mod idle;
#[path = "common/log.rs"]
mod log;
#[path = "clock/memory.rs"]
mod memory;

use std::sync::{Arc, Mutex};
use std::time::Duration;

use common::within;
use copool::spec::Event;
use copool::{Cancel, CoroutinePool, DriveEnd, JoinError, Outcome, PoolState, VirtualClock};
use copool::{checkpoint, delay, park, park_timeout, suspend, syscall};
use log::Log;

const SECOND: Duration = Duration::from_secs(1);

fn on(clock: &VirtualClock) -> CoroutinePool {
    CoroutinePool::builder().clock(clock.clone()).build().unwrap()
}

/// A bit of everything that a seat does.
fn medley() -> Vec<Event> {
    let (clock, log) = (VirtualClock::auto(), Log::default());
    let builder = CoroutinePool::builder().clock(clock.clone()).listener(log.clone()).max_size(5).keep_alive(SECOND);
    let mut pool = builder.build().unwrap();
    let handle = pool.handle();
    let sleepers: Vec<_> = (0..20_u32).map(|n| pool.spawn(move || delay(SECOND * (n * 7 % 5))).unwrap()).collect();
    let parked = pool.spawn(park).unwrap().task_ref();
    for n in 0..20 {
        let (handle, parked) = (handle.clone(), parked.clone());
        let task = move || {
            match n % 5 {
                0 => drop(handle.task().priority(-n).spawn(suspend).unwrap().join()),
                1 => syscall("nothing", || ()),
                2 => park_timeout(SECOND),
                3 => panic!("scripted"),
                _ => parked.unpark(),
            }
            checkpoint();
        };
        drop(pool.task().priority(n % 3 - 1).spawn(task).unwrap());
    }
    assert_eq!(sleepers[19].cancel(), Cancel::NeverRuns);
    assert_eq!(pool.drain(None).unwrap(), DriveEnd::AllDone);
    let ends = |event: &Event| !matches!(event, Event::PoolBuilt { .. });
    log.events().into_iter().filter(ends).collect()
}

#[test]
fn the_same_script_gives_the_same_events() {
    within("determinism", || {
        let first = medley();
        assert!(first.len() > 500);
        assert_eq!(first, medley());
    });
}

#[test]
fn a_drive_that_waits_for_timers_says_until_when() {
    within("waiting until", || {
        let clock = VirtualClock::new();
        let mut pool = on(&clock);
        let start = clock.now();
        for seconds in [3, 1, 2] {
            pool.spawn(move || delay(SECOND * seconds)).unwrap();
        }
        for seconds in 1..=3 {
            let until = DriveEnd::Waiting { until: Some(start + SECOND * seconds) };
            assert_eq!(pool.drain(None).unwrap(), until);
            assert_eq!(pool.try_timed_schedule_task(Duration::MAX).unwrap(), until);
            clock.advance(SECOND - Duration::from_nanos(1));
            assert_eq!(pool.drain(None).unwrap(), until, "a nanosecond too early");
            assert_eq!(pool.outstanding(), 4 - seconds as usize);
            clock.advance(Duration::from_nanos(1));
        }
        assert_eq!(pool.drain(None).unwrap(), DriveEnd::AllDone);
    });
}

#[test]
fn an_automatic_clock_jumps_only_when_nothing_can_run() {
    within("auto", || {
        let clock = VirtualClock::auto();
        let mut pool = on(&clock);
        let start = clock.now();
        let at = |clock: &VirtualClock| clock.now() - start;
        let busy = clock.clone();
        let sleeper = pool.spawn(|| delay(SECOND)).unwrap();
        let runs = pool.spawn(move || {
            (0..100).for_each(|_| suspend());
            busy.now() - start
        });
        assert_eq!(pool.wait(&sleeper).unwrap(), DriveEnd::AllDone);
        assert_eq!((runs.unwrap().join().unwrap(), at(&clock)), (Duration::ZERO, SECOND));
        pool.spawn(|| delay(SECOND * 9)).unwrap();
        let deadline = clock.now() + SECOND;
        assert_eq!(pool.drain(deadline).unwrap(), DriveEnd::Deadline);
        assert_eq!(at(&clock), SECOND * 2, "to the deadline, which is sooner");
        assert!(matches!(pool.try_timed_schedule_task(SECOND).unwrap(), DriveEnd::Waiting { until: Some(_) }));
        assert_eq!(at(&clock), SECOND * 2, "what runs only what can run now waits for no timer");
        assert_eq!(pool.drain(None).unwrap(), DriveEnd::AllDone);
        assert_eq!(at(&clock), SECOND * 10);
    });
}

#[test]
fn timers_fire_in_their_order_and_equal_ones_as_they_were_armed() {
    within("order of timers", || {
        for clock in [VirtualClock::auto(), VirtualClock::new()] {
            let mut pool = on(&clock);
            let fired = Arc::new(Mutex::new(Vec::new()));
            let times = [5, 1, 3, 1, 5, 2, 1, 4, 3];
            for (n, seconds) in times.into_iter().enumerate() {
                let fired = Arc::clone(&fired);
                let sleeper = move || {
                    delay(SECOND * seconds);
                    fired.lock().unwrap().push(n);
                };
                pool.spawn(sleeper).unwrap();
            }
            pool.try_schedule_task().unwrap();
            // All at once, unless the clock jumps from one to the next by itself.
            clock.advance(SECOND * 5);
            assert_eq!(pool.drain(None).unwrap(), DriveEnd::AllDone);
            assert_eq!(*fired.lock().unwrap(), [1, 3, 6, 5, 2, 8, 7, 0, 4]);
        }
    });
}

#[test]
fn a_delay_of_zero_is_a_suspension_and_one_without_end_ends_by_a_cancel_or_a_stop() {
    within("extreme delays", || {
        let mut pool = on(&VirtualClock::new());
        let zero = pool.spawn(|| {
            delay(Duration::ZERO);
            park_timeout(Duration::ZERO);
        });
        let endless: Vec<_> = (0..2).map(|_| pool.spawn(|| delay(Duration::MAX)).unwrap()).collect();
        let parked = pool.spawn(|| park_timeout(Duration::MAX)).unwrap();
        assert_eq!(pool.drain(None).unwrap(), DriveEnd::Waiting { until: None });
        assert!(zero.unwrap().join().is_ok());
        parked.task_ref().unpark();
        assert_eq!(endless[0].cancel(), Cancel::Requested);
        assert_eq!(pool.drain(None).unwrap(), DriveEnd::Waiting { until: None });
        assert_eq!(endless[0].task_ref().outcome(), Some(Outcome::Cancelled));
        assert!(parked.join().is_ok());
        let report = pool.stop(Duration::MAX);
        assert_eq!(report.abandoned, 1, "on a virtual clock that nobody advances, waiting on is in vain");
        assert_eq!(endless[1].task_ref().outcome(), Some(Outcome::Abandoned));
        assert!(pool.drain(None).is_ok());
        assert_eq!((pool.state(), pool.get_running_size()), (PoolState::Stopped, 0));
    });
}

#[test]
fn a_timer_beyond_the_end_of_an_automatic_clock_holds_no_drive() {
    within("beyond the end", || {
        let mut pool = on(&VirtualClock::auto());
        pool.spawn(|| delay(SECOND * u32::MAX * 4)).unwrap();
        assert!(matches!(pool.drain(None).unwrap(), DriveEnd::Waiting { .. }));
    });
}

#[test]
fn the_end_of_the_clock_is_no_wrap() {
    let clock = VirtualClock::new();
    let start = clock.now();
    clock.advance(Duration::MAX);
    let end = clock.now();
    assert!(end - start > SECOND * 60 * 60 * 24 * 365 * 290);
    clock.advance(SECOND);
    assert_eq!(clock.now(), end);
}

#[test]
fn a_stale_timer_ends_no_later_wait_and_is_not_waited_for() {
    within("stale timers", || {
        let clock = VirtualClock::new();
        let mut pool = on(&clock);
        let start = clock.now();
        let log = Arc::new(Mutex::new(Vec::new()));
        let (told, time) = (Arc::clone(&log), clock.clone());
        let task = pool.spawn(move || {
            let tell = || told.lock().unwrap().push((time.now() - start).as_secs());
            park_timeout(SECOND);
            tell();
            delay(SECOND * 5);
            tell();
            park_timeout(SECOND);
            tell();
        });
        let task = task.unwrap().task_ref();
        assert_eq!(pool.drain(None).unwrap(), DriveEnd::Waiting { until: Some(start + SECOND) });
        task.unpark();
        assert_eq!(pool.drain(None).unwrap(), DriveEnd::Waiting { until: Some(start + SECOND * 5) });
        clock.advance(SECOND);
        assert_eq!(pool.drain(None).unwrap(), DriveEnd::Waiting { until: Some(start + SECOND * 5) });
        clock.advance(SECOND * 4);
        assert_eq!(pool.drain(None).unwrap(), DriveEnd::Waiting { until: Some(start + SECOND * 6) });
        clock.advance(SECOND);
        assert_eq!(pool.drain(None).unwrap(), DriveEnd::AllDone);
        assert_eq!(*log.lock().unwrap(), [0, 5, 6]);
    });
}

#[test]
fn a_deadline_that_is_not_ahead_runs_nothing_and_loses_nothing() {
    within("past deadlines", || {
        let clock = VirtualClock::new();
        let mut pool = on(&clock);
        let past = clock.now();
        clock.advance(SECOND);
        let task = pool.spawn(|| 1).unwrap();
        assert_eq!(pool.try_timeout_schedule_task(past).unwrap(), DriveEnd::Deadline);
        assert_eq!(pool.try_timed_schedule_task(Duration::ZERO).unwrap(), DriveEnd::Deadline);
        assert_eq!(pool.drain(past).unwrap(), DriveEnd::Deadline);
        assert_eq!((pool.size(), pool.get_running_size()), (1, 0));
        assert_eq!(pool.try_timed_schedule_task(Duration::from_nanos(1)).unwrap(), DriveEnd::AllDone);
        assert_eq!(task.join().unwrap(), 1);
        assert_eq!(pool.drain(past).unwrap(), DriveEnd::AllDone, "nothing is left to do");
    });
}

#[test]
fn the_deadline_is_looked_at_between_tasks() {
    within("deadline in a backlog", || {
        let clock = VirtualClock::new();
        let mut pool = on(&clock);
        for _ in 0..100 {
            let clock = clock.clone();
            pool.spawn(move || clock.advance(SECOND)).unwrap();
        }
        assert_eq!(pool.try_timed_schedule_task(SECOND * 10).unwrap(), DriveEnd::Deadline);
        assert_eq!((pool.size(), pool.get_running_size()), (90, 0));
    });
}

#[test]
fn a_join_in_a_task_times_out_by_the_pools_clock() {
    within("join_timeout", || {
        let clock = VirtualClock::auto();
        let mut pool = on(&clock);
        let mut sleeper = pool.spawn(|| delay(SECOND * 10)).unwrap();
        let time = clock.clone();
        let joiner = pool.spawn(move || {
            let begin = time.now();
            let timed_out = |timeout, joined| matches!(joined, Err(JoinError::Timeout(after)) if after == timeout);
            assert!(timed_out(Duration::ZERO, sleeper.join_timeout(Duration::ZERO)));
            assert_eq!(time.now(), begin);
            assert!(timed_out(SECOND, sleeper.join_timeout(SECOND)));
            assert_eq!(time.now(), begin + SECOND);
            sleeper.join_timeout(SECOND * 100).unwrap();
            time.now() - begin
        });
        assert_eq!(pool.drain(None).unwrap(), DriveEnd::AllDone);
        assert_eq!(joiner.unwrap().join().unwrap(), SECOND * 10);
    });
}

#[test]
fn the_seat_itself_runs_system_calls_first_in_first_out_and_one_per_look() {
    within("system calls", || {
        let mut pool = on(&VirtualClock::new());
        let ran = Arc::new(Mutex::new(Vec::new()));
        for n in 0..4 {
            let ran = Arc::clone(&ran);
            let calls = move || {
                let here = std::thread::current().id();
                let there = syscall("note", || {
                    ran.lock().unwrap().push(n);
                    std::thread::current().id()
                });
                assert_eq!(here, there);
                ran.lock().unwrap().push(n + 10);
            };
            pool.spawn(calls).unwrap();
        }
        assert_eq!(pool.drain(None).unwrap(), DriveEnd::AllDone);
        let ran = ran.lock().unwrap();
        let calls: Vec<_> = ran.iter().copied().filter(|n| *n < 10).collect();
        assert_eq!(calls, [0, 1, 2, 3]);
        assert_eq!(ran.iter().filter(|n| **n >= 10).count(), 4);
        assert_eq!(pool.counters().threads, 0);
    });
}

#[test]
fn a_checkpoint_suspends_once_the_slice_is_used_up_and_an_overrun_is_told() {
    within("slices", || {
        let (clock, log) = (VirtualClock::new(), Log::default());
        let builder = CoroutinePool::builder().clock(clock.clone()).slice(SECOND * 3).listener(log.clone());
        let mut pool = builder.build().unwrap();
        let (ran, time) = (Arc::new(Mutex::new(String::new())), clock.clone());
        for name in ["a", "b"] {
            let (ran, time) = (Arc::clone(&ran), time.clone());
            // A slice begins at a first checkpoint; the fourth finds it used up, the sixth finds the next one overrun.
            let computes = move || {
                for step in [0, 1, 1, 1, 1, 5] {
                    time.advance(SECOND * step);
                    checkpoint();
                    ran.lock().unwrap().push_str(name);
                }
            };
            pool.spawn(computes).unwrap();
        }
        assert_eq!(pool.drain(None).unwrap(), DriveEnd::AllDone);
        assert_eq!(*ran.lock().unwrap(), "aaabbbaabbab");
        let told = |name| log.events().iter().filter(|event| event.name() == name).count();
        assert_eq!((told("overran"), told("task_interrupted")), (2, 4));
    });
}

#[test]
fn two_pools_may_share_a_clock() {
    within("shared clock", || {
        let clock = VirtualClock::new();
        let (mut one, mut two) = (on(&clock), on(&clock));
        let slow = one.spawn(|| delay(SECOND * 2)).unwrap();
        let quick = two.spawn(|| delay(SECOND)).unwrap();
        let waits =
            |pool: &mut CoroutinePool| matches!(pool.drain(None).unwrap(), DriveEnd::Waiting { until: Some(_) });
        assert!(waits(&mut one) && waits(&mut two));
        clock.advance(SECOND);
        assert!(waits(&mut one) && !waits(&mut two));
        assert!(quick.is_finished() && !slow.is_finished());
    });
}
