//! The reference pool against the spec, under shuttle: scripts of two and three threads, by hand and drawn, on a clock that
//! stands, that jumps, and that passes.
//!
//! Run by `cargo test --features model --test model_shuttle`; `COPOOL_SHUTTLE_ITERATIONS` sets how many executions each
//! scheduler draws, `COPOOL_SHUTTLE_SEED` from which seed.

#[path = "model/threads.rs"]
mod threads;

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use copool::spec::Event;
use copool::spec::script::{Op, Script};
use copool_model::Passing;
use copool_model::generate::Case;
use copool_model::shuttle::rand::{Rng, thread_rng};
use copool_model::shuttle::{check, check_repeats, thread};
use copool_model::sync::Shuttle;
use quickcheck::{Arbitrary, Gen};
use threads::Join;

fn spawn(body: Box<dyn FnOnce() + Send>) -> Join {
    let thread = thread::spawn(body);
    Box::new(move || thread.join().unwrap())
}

fn any_passing() -> Passing {
    [Passing::Stands, Passing::Jumps, Passing::Passes][thread_rng().gen_range(0..3)]
}

/// A script of two or three threads, as the checker draws it: the operations of one thread, dealt out. The owner waits for
/// nothing without an end, so that it leaves, and that ends what the others wait for.
fn drawn() -> Script {
    let mut rng = thread_rng();
    let threads = rng.gen_range(2..=3);
    let Case(script) = Case::arbitrary(&mut Gen::from_size_and_seed(10, rng.r#gen()));
    let mut dealt = vec![Vec::new(); threads];
    dealt[1..].iter_mut().filter(|_| rng.gen_bool(0.5)).for_each(|ops| ops.push(Op::Attach));
    for op in script.threads.concat() {
        dealt[rng.gen_range(0..threads)].push(op);
    }
    for op in &mut dealt[0] {
        if matches!(op, Op::Serve | Op::Drain | Op::Wait(_)) {
            *op = Op::DrainFor(3);
        }
    }
    Script { threads: dealt, ..script }
}

#[test]
fn the_spec_accepts_what_two_and_three_threads_do() {
    let told = Arc::new(Mutex::new(BTreeMap::<&str, usize>::new()));
    let all = Arc::clone(&told);
    check("two and three threads, drawn", move || {
        let log = threads::run::<Shuttle>(&drawn(), any_passing(), spawn);
        let mut all = all.lock().unwrap_or_else(PoisonError::into_inner);
        log.iter().for_each(|event| *all.entry(event.name()).or_default() += 1);
    });
    let told = told.lock().unwrap_or_else(PoisonError::into_inner);
    println!("{told:?}");
    let missing: Vec<_> = Event::NAMES[..Event::ARROWS].iter().filter(|name| !told.contains_key(**name)).collect();
    assert!(missing.is_empty(), "{missing:?} are never told");
    for beside in ["task_stolen", "seat_left", "task_unwound", "task_abandoned", "task_rejected", "timer_fired"] {
        assert!(told.contains_key(beside), "{beside} is never told");
    }
}

#[test]
fn what_is_told_follows_from_the_schedule() {
    check_repeats("two and three threads, again", || {
        threads::run::<Shuttle>(&drawn(), any_passing(), spawn);
    });
}

#[test]
fn a_seat_that_sleeps_wakes_for_a_task_from_elsewhere_and_for_a_stop() {
    let script = "pool max 2\nthread\n serve\nthread\n submit t0 { park; return 1 }\n submit t1 { unpark t0 }\n join t0\n stop 0";
    check("serve, submit and stop", move || {
        let log = threads::run::<Shuttle>(&script.parse().unwrap(), Passing::Passes, spawn);
        assert_eq!(threads::count(&log, "task_exited"), 2);
        assert_eq!(threads::count(&log, "task_abandoned"), 0);
    });
}
