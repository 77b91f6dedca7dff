//! In which order a seat runs what waits: priorities, first in first out or last in first out, and the bounds, counted
//! in polls, that keep anything from waiting for ever.
//!
//! The expected order comes from [`Sources`], which is the rule of the pool's queues in a few lines.

mod common;
#[path = "common/draw.rs"]
mod draw;

use std::collections::VecDeque;
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

use common::within;
use copool::{Cancel, CoroutinePool, DriveEnd, LocalOrder, PoolHandle, VirtualClock, delay, park, suspend};
use draw::draw;

/// Every so many polls the injector is looked at first.
const INJECTOR_EVERY: u32 = 61;
/// Every so many polls the oldest task of a source is taken, whatever its priority.
const AGE: u32 = 257;
/// After so many tasks a worker lets the others have a turn.
const POLLS_PER_TURN: usize = 32;

/// What a seat polls, by the rule: numbers of tasks, each source in the order of submission.
#[derive(Default)]
struct Sources {
    lane: Vec<(i64, usize)>,
    own: VecDeque<usize>,
    injector: VecDeque<usize>,
    /// The deque of another seat, to be stolen from.
    peer: VecDeque<usize>,
    lifo: bool,
    polls: u32,
    aged: u32,
}

impl Sources {
    fn poll(&mut self) -> Option<usize> {
        self.polls += 1;
        if self.polls.is_multiple_of(AGE) {
            self.aged += 1;
            return (0..4).find_map(|n| self.oldest((self.aged - 1 + n) % 4));
        }
        let injector = self.polls.is_multiple_of(INJECTOR_EVERY).then(|| self.injector.pop_front()).flatten();
        injector
            .or_else(|| self.first_of_lane(true))
            .or_else(|| if self.lifo { self.own.pop_back() } else { self.own.pop_front() })
            .or_else(|| self.injector.pop_front())
            .or_else(|| self.peer.pop_front())
            .or_else(|| self.first_of_lane(false))
    }

    fn oldest(&mut self, source: u32) -> Option<usize> {
        match source {
            0 if self.lane.is_empty() => None,
            0 => Some(self.lane.remove(0).1),
            1 => self.injector.pop_front(),
            2 => self.own.pop_front(),
            _ => self.peer.pop_front(),
        }
    }

    fn first_of_lane(&mut self, urgent: bool) -> Option<usize> {
        // The first of the smallest: `min_by_key` takes the first of equals.
        let (at, (priority, _)) = self.lane.iter().enumerate().min_by_key(|(_, (priority, _))| *priority)?;
        (*priority < 0 || !urgent).then(|| self.lane.remove(at).1)
    }

    fn all(mut self) -> Vec<usize> {
        std::iter::from_fn(|| self.poll()).collect()
    }
}

/// Who ran, in order.
#[derive(Clone, Default)]
struct Ran(Arc<Mutex<Vec<usize>>>);

impl Ran {
    fn push(&self, n: usize) {
        self.0.lock().unwrap().push(n);
    }

    fn task(&self, n: usize) -> impl FnOnce() + Send + 'static {
        let ran = self.clone();
        move || ran.push(n)
    }

    fn take(&self) -> Vec<usize> {
        std::mem::take(&mut self.0.lock().unwrap())
    }
}

fn elsewhere(pool: &PoolHandle, submit: impl FnOnce(&PoolHandle) + Send) {
    thread::scope(|scope| scope.spawn(|| submit(pool)).join().unwrap());
}

/// Submits tasks as (priority, from the seat's own thread), and says in which order they ran and should have.
fn run(tasks: &[(i64, bool)], lifo: bool) -> (Vec<usize>, Vec<usize>) {
    let order = if lifo { LocalOrder::Lifo } else { LocalOrder::Fifo };
    let mut pool = CoroutinePool::builder().local_order(order).build().unwrap();
    let (ran, mut sources) = (Ran::default(), Sources { lifo, ..Sources::default() });
    for (n, (priority, own)) in tasks.iter().enumerate() {
        match (*priority, own) {
            (0, true) => sources.own.push_back(n),
            (0, false) => sources.injector.push_back(n),
            (priority, _) => sources.lane.push((priority, n)),
        }
        if *priority != 0 || *own {
            drop(pool.task().priority(*priority).spawn(ran.task(n)).unwrap());
        }
    }
    elsewhere(&pool, |pool| {
        for n in &sources.injector {
            drop(pool.spawn(ran.task(*n)).unwrap());
        }
    });
    assert_eq!(pool.drain(None).unwrap(), DriveEnd::AllDone);
    (ran.take(), sources.all())
}

#[test]
fn equals_run_first_in_first_out() {
    let (ran, _) = within("fifo", || run(&[(0, true); 100], false));
    assert_eq!(ran, Vec::from_iter(0..100));
}

#[test]
fn the_lifo_option_runs_the_last_submitted_first() {
    let (ran, _) = within("lifo", || run(&[(0, true); 60], true));
    assert_eq!(ran, Vec::from_iter((0..60).rev()));
}

#[test]
fn a_smaller_priority_is_sooner_and_none_is_0() {
    let tasks =
        [(i64::MAX, true), (1, false), (0, false), (0, true), (-1, true), (i64::MIN, false), (-1, false), (1, true)];
    let (ran, _) = within("priorities", move || run(&tasks, false));
    assert_eq!(ran, [5, 4, 6, 3, 2, 1, 7, 0]);
}

#[test]
fn a_priority_holds_against_tasks_submitted_meanwhile() {
    let ran = within("meanwhile", || {
        let mut pool = CoroutinePool::default();
        let (ran, handle) = (Ran::default(), pool.handle());
        let first = ran.clone();
        let submits = move || {
            first.push(0);
            for (n, priority) in [(3, 7), (2, 0), (1, -7)] {
                drop(handle.task().priority(priority).spawn(first.task(n)).unwrap());
            }
        };
        drop(pool.spawn(submits).unwrap());
        pool.drain(None).unwrap();
        ran.take()
    });
    assert_eq!(ran, [0, 1, 2, 3]);
}

#[test]
fn each_61st_poll_looks_at_the_injector_first() {
    let tasks: Vec<_> = (0..250).map(|n| (0, n < 240)).collect();
    let (ran, expected) = within("injector", move || run(&tasks, false));
    assert_eq!(ran, expected);
    let places: Vec<_> = (240..243).map(|n| 1 + ran.iter().position(|ran| *ran == n).unwrap()).collect();
    assert_eq!(places, [61, 122, 183]);
}

#[test]
fn each_257th_poll_takes_the_oldest_of_the_sources_in_turn() {
    // The lane is full of urgent tasks, and a late one came first of all.
    let mut tasks = vec![(5, true), (0, true), (0, true)];
    tasks.extend([(-1, true); 2000]);
    let (ran, expected) = within("aging", move || run(&tasks, false));
    assert_eq!(ran, expected);
    assert_eq!(ran[256], 0, "the oldest of the lane");
    assert_eq!(ran[513], 1, "no injector, so the oldest of the deque");
    assert_eq!(ran[770], 2, "then that again");
    assert_eq!(ran[1027], ran[1026] + 1, "no other deque, so the oldest of the lane");
}

#[test]
fn aging_takes_the_oldest_of_a_lifo_deque_too() {
    let (ran, expected) = within("lifo aging", || run(&[(0, true); 600], true));
    assert_eq!(ran, expected);
    assert_eq!((ran[256], ran[513]), (0, 1));
}

#[test]
fn any_mix_runs_as_the_rule_says() {
    fn as_the_rule_says(tasks: Vec<(i8, bool)>, lifo: bool) -> bool {
        let tasks: Vec<_> = tasks.iter().map(|(priority, own)| (i64::from(priority % 3), *own)).collect();
        let (ran, expected) = run(&tasks, lifo);
        ran == expected
    }
    within("any mix", || {
        let check: fn(Vec<(i8, bool)>, bool) -> bool = as_the_rule_says;
        draw(40, 2000).quickcheck(check);
    });
}

#[test]
fn a_tombstone_counts_as_no_poll_and_as_no_size() {
    within("tombstones", || {
        let mut pool = CoroutinePool::default();
        let ran = Ran::default();
        let mut sources = Sources::default();
        for n in 0..600 {
            let (priority, gone) = (i64::from(n % 5 == 0) * 3 - i64::from(n % 7 == 0), n % 3 == 0);
            let task = pool.task().priority(priority).spawn(ran.task(n)).unwrap();
            match priority {
                _ if gone => assert_eq!(task.cancel(), Cancel::NeverRuns),
                0 => sources.own.push_back(n),
                priority => sources.lane.push((priority, n)),
            }
        }
        let injected = Mutex::new(Vec::new());
        elsewhere(&pool, |pool| {
            for n in 600..700 {
                let task = pool.spawn(ran.task(n)).unwrap();
                if n % 2 == 0 {
                    assert_eq!(task.cancel(), Cancel::NeverRuns);
                } else {
                    injected.lock().unwrap().push(n);
                }
            }
        });
        sources.injector.extend(injected.into_inner().unwrap());
        assert_eq!(pool.size(), 400 + 50);
        pool.drain(None).unwrap();
        assert_eq!(ran.take(), sources.all());
    });
}

#[test]
fn a_thief_takes_another_seats_tasks_in_their_order() {
    within("stealing", || {
        let pool = CoroutinePool::default();
        let (ran, mut sources) = (Ran::default(), Sources::default());
        // On this seat's deque, which is not driven.
        for n in 0..400 {
            drop(pool.spawn(ran.task(n)).unwrap());
            sources.peer.push_back(n);
        }
        elsewhere(&pool, |pool| {
            for n in 400..450 {
                drop(pool.spawn(ran.task(n)).unwrap());
                sources.injector.push_back(n);
            }
            let mut thief = pool.attach().unwrap();
            for (n, priority) in [(450, 0), (451, 0), (452, -1), (453, 1)] {
                drop(thief.task().priority(priority).spawn(ran.task(n)).unwrap());
                if priority == 0 { sources.own.push_back(n) } else { sources.lane.push((priority, n)) }
            }
            assert_eq!(thief.drain(None).unwrap(), DriveEnd::AllDone);
        });
        assert_eq!(ran.take(), sources.all());
        assert_eq!(pool.counters().stolen, 400);
    });
}

/// Submits `backlog` tasks and one that suspends again and again; says how many ran before each of its turns.
fn turns_among(backlog: usize) -> Vec<usize> {
    let mut pool = CoroutinePool::default();
    let ran = Ran::default();
    let (turns, counted) = (Ran::default(), ran.clone());
    let told = turns.clone();
    let suspends = move || {
        for _ in 0..5 {
            told.push(counted.0.lock().unwrap().len());
            suspend();
        }
    };
    drop(pool.spawn(suspends).unwrap());
    for n in 0..backlog {
        drop(pool.spawn(ran.task(n)).unwrap());
    }
    pool.drain(None).unwrap();
    turns.take()
}

#[test]
fn a_suspended_task_waits_for_one_turn_of_32_tasks() {
    let turns = within("turns", || turns_among(100));
    assert_eq!(turns, [0, POLLS_PER_TURN, 2 * POLLS_PER_TURN, 3 * POLLS_PER_TURN, 100]);
}

/// Ten tasks that suspend `rounds` times each; parked first, if asked, so that all start before any goes round.
fn round_robin(rounds: usize, parked: bool) -> Vec<usize> {
    let mut pool = CoroutinePool::default();
    let ran = Ran::default();
    let goes_round = |n| {
        let ran = ran.clone();
        let round = move || {
            if parked {
                park();
            }
            for _ in 0..rounds {
                ran.push(n);
                suspend();
            }
        };
        pool.spawn(round).unwrap()
    };
    let tasks: Vec<_> = (0..10).map(goes_round).collect();
    if parked {
        pool.try_schedule_task().unwrap();
        tasks.iter().for_each(|task| task.task_ref().unpark());
    }
    pool.drain(None).unwrap();
    ran.take()
}

#[test]
fn ready_tasks_take_turns() {
    let ran = within("round robin", || round_robin(4, true));
    assert_eq!(ran, Vec::from_iter((0..4).flat_map(|_| 0..10)));
}

#[test]
fn a_worker_that_polls_is_one_entry_among_the_ready() {
    let ran = within("polling in turn", || round_robin(8, false));
    assert_eq!(ran[..21], [0, 1, 0, 2, 1, 0, 3, 2, 1, 0, 4, 3, 2, 1, 0, 5, 4, 3, 2, 1, 0]);
}

#[test]
fn a_backlog_delays_a_due_timer_by_one_task_at_most() {
    let ran = within("due timer", || {
        let clock = VirtualClock::new();
        let mut pool = CoroutinePool::builder().clock(clock.clone()).build().unwrap();
        let ran = Ran::default();
        let late = ran.task(1000);
        let sleeper = move || {
            delay(Duration::from_millis(5));
            late();
        };
        drop(pool.spawn(sleeper).unwrap());
        pool.try_schedule_task().unwrap();
        for n in 1..=100 {
            let (clock, ran) = (clock.clone(), ran.clone());
            let takes_time = move || {
                clock.advance(Duration::from_millis(1));
                ran.push(n);
            };
            drop(pool.spawn(takes_time).unwrap());
        }
        pool.drain(None).unwrap();
        ran.take()
    });
    // It is due at the end of task 5.
    let at = ran.iter().position(|n| *n == 1000).unwrap();
    assert!(at <= 6, "{at} tasks ran before it");
}
