//! What the facade under shuttle promises to the pool, and that a failure under shuttle can be replayed.
//!
//! Run by `cargo test --features model --test smoke_shuttle`; `COPOOL_SHUTTLE_ITERATIONS` sets how many executions each
//! scheduler draws, `COPOOL_SHUTTLE_SEED` from which seed.

#[path = "smoke_shuttle/few.rs"]
mod few;
#[path = "smoke_shuttle/limits.rs"]
mod limits;
#[path = "smoke_shuttle/pool.rs"]
mod pool;
#[path = "smoke_shuttle/stalled.rs"]
mod stalled;
#[path = "smoke_shuttle/stopped.rs"]
mod stopped;

use std::collections::{BTreeSet, VecDeque};
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use copool_model::shuttle::rand::{Rng, thread_rng};
use copool_model::shuttle::{REPLAY, check, check_repeats, sync, thread};
use copool_model::under_shuttle::checked::{
    self, Deque, Gate, Injector, ScriptedPanic, Steal, catch, count_up, on_a_thread, panicking,
};

/// Steals until it gets something or finds nothing, and says how often it had to try.
fn steal_one<T>(mut attempt: impl FnMut() -> Steal<T>) -> (Option<T>, u32) {
    let mut attempts = 1;
    loop {
        match attempt() {
            Steal::Retry => attempts += 1,
            result => return (result.success(), attempts),
        }
    }
}

/// Gives each scheduler something to decide.
fn beside_another_thread(f: impl FnOnce()) {
    let other = thread::spawn(thread::yield_now);
    f();
    other.join().unwrap();
}

#[test]
fn alone_a_deque_does_what_a_queue_does() {
    check("deques against an oracle", || {
        beside_another_thread(|| {
            let lifo = thread_rng().gen_bool(0.5);
            let deque = if lifo { Deque::new_lifo() } else { Deque::new_fifo() };
            let stealer = deque.stealer();
            let mut oracle = VecDeque::new();
            for value in 0..12 {
                match thread_rng().gen_range(0..3) {
                    0 => {
                        deque.push(value);
                        oracle.push_back(value);
                    }
                    1 if lifo => assert_eq!(deque.pop(), oracle.pop_back()),
                    1 => assert_eq!(deque.pop(), oracle.pop_front()),
                    _ => assert_eq!(steal_one(|| stealer.steal()).0, oracle.pop_front()),
                }
                assert_eq!((deque.len(), stealer.clone().len()), (oracle.len(), oracle.len()));
                assert_eq!((deque.is_empty(), stealer.is_empty()), (oracle.is_empty(), oracle.is_empty()));
            }
        });
    });
}

#[test]
fn alone_an_injector_does_what_a_queue_does() {
    check("the injector against an oracle", || {
        beside_another_thread(|| {
            let injector = Injector::default();
            let mut oracle = VecDeque::new();
            for value in 0..12 {
                if thread_rng().gen_bool(0.5) {
                    injector.push(value);
                    oracle.push_back(value);
                } else {
                    assert_eq!(steal_one(|| injector.steal()).0, oracle.pop_front());
                }
                assert_eq!((injector.len(), injector.is_empty()), (oracle.len(), oracle.is_empty()));
            }
        });
    });
}

#[test]
fn racing_an_owner_and_thieves_share_each_value_once() {
    const VALUES: u32 = 6;
    check("an owner and two thieves", || {
        let deque = if thread_rng().gen_bool(0.5) { Deque::new_lifo() } else { Deque::new_fifo() };
        let injector = Arc::new(Injector::new());
        let thieves: Vec<_> = (0..2)
            .map(|_| {
                let (stealer, injector) = (deque.stealer(), Arc::clone(&injector));
                thread::spawn(move || {
                    let stolen = (0..3).filter_map(|_| steal_one(|| stealer.steal()).0);
                    stolen.chain(steal_one(|| injector.steal()).0).collect::<Vec<u32>>()
                })
            })
            .collect();
        let mut taken = Vec::new();
        for value in 0..VALUES {
            deque.push(value);
            injector.push(VALUES + value);
            if value % 2 == 1 {
                taken.extend(deque.pop());
            }
        }
        taken.extend(thieves.into_iter().flat_map(|thief| thief.join().unwrap()));
        taken.extend(std::iter::from_fn(|| deque.pop()));
        taken.extend(std::iter::from_fn(|| steal_one(|| injector.steal()).0));
        assert!(deque.is_empty() && injector.is_empty());
        assert_eq!(taken.len(), 2 * VALUES as usize);
        assert_eq!(taken.into_iter().collect::<BTreeSet<_>>(), (0..2 * VALUES).collect());
    });
}

#[test]
fn a_steal_may_be_in_vain_but_not_for_ever() {
    let most = Arc::new(std::sync::atomic::AtomicU32::new(0));
    let seen = Arc::clone(&most);
    check("retries", move || {
        beside_another_thread(|| {
            let injector = Injector::new();
            assert_eq!(steal_one(|| injector.steal()), (None, 1), "an empty queue is known at once");
            injector.push(1);
            let (value, attempts) = steal_one(|| injector.steal());
            assert_eq!(value, Some(1));
            seen.fetch_max(attempts, Ordering::Relaxed);
        });
    });
    assert_eq!(most.load(Ordering::Relaxed), 3);
}

#[test]
fn a_gate_passes_its_value() {
    check("a gate", || {
        let gate = Arc::new(Gate::default());
        let opener = thread::spawn({
            let gate = Arc::clone(&gate);
            move || gate.open(7)
        });
        assert_eq!(gate.wait(), 7);
        opener.join().unwrap();
        assert_eq!(Arc::into_inner(gate).map(Gate::into_value), Some(7));
    });
}

#[test]
fn a_timed_wait_ends_though_nobody_notifies() {
    let (passed, late) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicBool::new(false)));
    let (on_time, timed_out) = (Arc::clone(&passed), Arc::clone(&late));
    check("a gate with a deadline", move || {
        let gate = Arc::new(Gate::new());
        let opener = thread::spawn({
            let gate = Arc::clone(&gate);
            move || gate.open(7)
        });
        let value = gate.wait_until(checked::now() + Duration::from_secs(3600));
        on_time.fetch_or(value == Some(7), Ordering::Relaxed);
        timed_out.fetch_or(value.is_none(), Ordering::Relaxed);
        opener.join().unwrap();
        assert_eq!(Gate::new().wait_until(checked::now() + Duration::from_secs(1 << 33)), None);
    });
    assert!(passed.load(Ordering::Relaxed) && late.load(Ordering::Relaxed));
}

#[test]
fn each_thread_has_its_own_locals() {
    check("locals", || {
        beside_another_thread(|| {
            assert_eq!((count_up(), count_up()), (0, 1));
            assert!(on_a_thread(Duration::from_secs(1), || assert_eq!(count_up(), 0)));
            assert_eq!(count_up(), 2);
        });
    });
}

/// Runs another thread in the middle of its destructor.
struct Interrupted;

impl Drop for Interrupted {
    fn drop(&mut self) {
        assert!(panicking());
        thread::yield_now();
        assert!(panicking());
        // A destructor that throws and catches still unwinds afterwards.
        catch(|| ScriptedPanic("inner".to_owned()).raise()).unwrap_err();
        assert!(panicking());
    }
}

#[test]
fn only_the_thread_that_unwinds_is_panicking() {
    let crossed = Arc::new(AtomicBool::new(false));
    let seen = Arc::clone(&crossed);
    check("two threads, one unwinds", move || {
        let seen = Arc::clone(&seen);
        let other = thread::spawn(move || {
            for _ in 0..4 {
                assert!(!panicking());
                seen.fetch_or(std::thread::panicking(), Ordering::Relaxed);
                thread::yield_now();
            }
        });
        let payload = catch(|| {
            let _interrupted = Interrupted;
            ScriptedPanic("outer".to_owned()).raise();
        })
        .unwrap_err();
        assert_eq!(*payload.downcast::<ScriptedPanic>().unwrap(), ScriptedPanic("outer".to_owned()));
        assert!(!panicking());
        other.join().unwrap();
    });
    assert!(crossed.load(Ordering::Relaxed), "std's panicking would have said otherwise");
}

#[test]
fn what_was_swallowed_unwinds_no_more() {
    check("a scripted panic that is swallowed", || {
        beside_another_thread(|| {
            let swallowed = std::panic::catch_unwind(|| ScriptedPanic("swallowed".to_owned()).raise());
            assert!(swallowed.is_err() && !panicking());
            thread::yield_now();
            assert!(!panicking());
        });
    });
}

#[test]
fn an_execution_follows_from_its_schedule() {
    check_repeats("time, chance and threads", || {
        let start = checked::now();
        let gate = Arc::new(Gate::new());
        let opener = thread::spawn({
            let gate = Arc::clone(&gate);
            move || gate.open(thread_rng().r#gen())
        });
        if gate.wait_until(start + Duration::from_millis(20)).is_none() {
            thread::yield_now();
        }
        for _ in 0..checked::now().duration_since(start).as_millis() % 7 {
            thread::yield_now();
        }
        opener.join().unwrap();
    });
}

/// Set in the process that the last test starts, which loses an update on purpose.
const LOSES: &str = "COPOOL_TEST_LOSES_AN_UPDATE";

/// The body of that process.
fn lose_an_update() {
    check("a lost update", || {
        let count = Arc::new(sync::atomic::AtomicU32::new(0));
        let add = |count: &sync::atomic::AtomicU32| {
            let before = count.load(Ordering::SeqCst);
            count.store(before + 1, Ordering::SeqCst);
        };
        let other = thread::spawn({
            let count = Arc::clone(&count);
            move || add(&count)
        });
        add(&count);
        other.join().unwrap();
        assert_eq!(count.load(Ordering::SeqCst), 2);
    });
}

#[test]
fn a_failure_says_how_to_replay_it() {
    if std::env::var_os(LOSES).is_some() {
        return lose_an_update();
    }
    let run = |replay: Option<&str>| {
        let mut test = Command::new(std::env::current_exe().unwrap());
        test.args(["--exact", "a_failure_says_how_to_replay_it", "--nocapture"]).env_remove(REPLAY).env(LOSES, "1");
        let output = test.envs(replay.map(|schedule| (REPLAY, schedule))).output().unwrap();
        assert!(!output.status.success());
        String::from_utf8_lossy(&output.stderr).into_owned()
    };
    let first = run(None);
    let command =
        first.lines().find(|line| line.starts_with(REPLAY)).unwrap_or_else(|| panic!("no command in: {first}"));
    let (replay, rest) = command.split_once("='").unwrap().1.split_once("' ").unwrap();
    assert!(replay.starts_with("a lost update:"));
    let test = "cargo test --features model --test smoke_shuttle -- --exact a_failure_says_how_to_replay_it";
    assert_eq!(rest, test);
    let again = run(Some(replay));
    assert!(again.contains("a lost update: the replay: failed in execution 1"), "{again}");
    assert!(again.contains(replay), "the same schedule again: {again}");
}
