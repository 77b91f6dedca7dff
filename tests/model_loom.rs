//! The reference pool against the spec, under loom: small scripts of two threads, every schedule up to a bound on the
//! preemptions.
//!
//! Run by `cargo test --features model --test model_loom`; `COPOOL_LOOM_BOUND` sets the bound.

#[path = "model/threads.rs"]
mod threads;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use copool::spec::script::Script;
use copool::spec::{Event, Outcome};
use copool_model::Passing;
use copool_model::loom::{Bounds, check, thread};
use copool_model::sync::Loom;
use threads::{Join, count};

/// Whether a task ended like this.
fn ended(log: &[Event], like: Outcome) -> bool {
    log.iter().any(|event| matches!(event, Event::OutcomePublished { outcome, .. } if *outcome == like))
}

fn spawn(body: Box<dyn FnOnce() + Send>) -> Join {
    let thread = thread::spawn(body);
    Box::new(move || thread.join().unwrap())
}

/// Something that may be seen in a log.
type May = fn(&[Event]) -> bool;

/// Checks a script in every schedule; `asserts` looks at each log. What `may` names happens in some schedule.
fn every(name: &'static str, text: &str, may: &[May], asserts: fn(&[Event])) {
    let script: Script = text.parse().unwrap();
    let met: Arc<Vec<(May, AtomicBool)>> = Arc::new(may.iter().map(|may| (*may, AtomicBool::new(false))).collect());
    let meets = Arc::clone(&met);
    check(name, Bounds::preemptions(), move || {
        let log = threads::run::<Loom>(&script, Passing::Passes, spawn);
        asserts(&log);
        meets.iter().filter(|(may, _)| may(&log)).for_each(|(_, met)| met.store(true, Ordering::Relaxed));
    });
    for (at, (_, met)) in met.iter().enumerate() {
        assert!(met.load(Ordering::Relaxed), "{name}: possibility {at} was in no schedule");
    }
}

#[test]
fn a_sleeping_seat_wakes_for_a_task_and_for_a_stop() {
    let text = "pool max 1\nthread\n serve\nthread\n submit t0 { suspend }\n join t0\n stop 0";
    let slept = |log: &[Event]| count(log, "seat_blocked") > 1;
    let never_slept = |log: &[Event]| count(log, "seat_blocked") == 0;
    every("serve, submit and stop", text, &[slept, never_slept], |log| {
        assert!(ended(log, Outcome::Returned));
    });
}

#[test]
fn two_seats_share_a_worker_and_a_queue() {
    let text = "pool max 1\nthread\n submit t0 {}\n submit t1 {}\n drain\nthread\n attach\n drain";
    let steals = |log: &[Event]| count(log, "task_stolen") > 0;
    let late = |log: &[Event]| count(log, "seat_left") == 1;
    every("two seats, one worker", text, &[steals, late], |log| {
        assert_eq!(count(log, "task_exited"), 2);
        assert!(count(log, "worker_created") <= 2);
    });
}

#[test]
fn a_cancel_races_the_start_and_the_end_of_its_task() {
    let text = "pool max 1\nthread\n submit t0 { suspend }\n schedule\nthread\n cancel t0";
    let never_ran = |log: &[Event]| ended(log, Outcome::Cancelled) && count(log, "task_started") == 0;
    let unwound = |log: &[Event]| count(log, "task_unwound") == 1;
    let too_late = |log: &[Event]| ended(log, Outcome::Returned) && count(log, "cancel_requested") == 1;
    every("cancel", text, &[never_ran, unwound, too_late], |_| {});
}

#[test]
fn an_unpark_from_elsewhere_is_never_lost() {
    let text = "pool max 2\nthread\n submit t0 { park }\n drain\nthread\n unpark t0\n submit t1 { unpark t0 }";
    let woken = |log: &[Event]| count(log, "task_woken") == 1;
    let token = |log: &[Event]| count(log, "task_exited") == 2 && count(log, "task_woken") == 0;
    every("unpark", text, &[woken, token], |_| {});
}

#[test]
fn a_stop_from_elsewhere_waits_for_what_was_accepted_or_gives_it_up() {
    let text = "pool max 2\nthread\n submit t0 { delay 3 }\n drain\nthread\n stop 0\n submit t1 {}";
    let given_up = |log: &[Event]| ended(log, Outcome::Abandoned);
    let finished = |log: &[Event]| ended(log, Outcome::Returned);
    every("stop without grace", text, &[given_up, finished], |log| assert!(count(log, "task_rejected") > 0));
    let text = "pool max 2\nthread\n submit t0 { suspend }\n drain\nthread\n stop 18446744073709551615";
    every("stop with patience", text, &[finished], |log| assert_eq!(count(log, "pool_stopped"), 1));
}

#[test]
fn two_stops_from_a_task_and_from_elsewhere_do_not_wait_for_each_other() {
    let text = "pool max 2\nthread\n submit t0 { stop 9 }\n drain\nthread\n stop 18446744073709551615";
    let spared = |log: &[Event]| ended(log, Outcome::Returned);
    every("two stops", text, &[spared], |_| {});
}

#[test]
fn a_seat_that_leaves_loses_no_task() {
    let text = "pool max 2\nthread\n submit t0 { suspend }\n drain\nthread\n attach\n submit t1 { suspend }\n schedule-for 0\n leave";
    let handed_back = |log: &[Event]| count(log, "task_exited") == 2;
    let given_up = |log: &[Event]| ended(log, Outcome::Abandoned);
    every("a seat leaves", text, &[handed_back, given_up], |_| {});
}

#[test]
fn a_join_across_seats_returns() {
    let text = "pool max 3\nthread\n submit t0 { park }\n submit t1 { join t0 }\n drain\nthread\n submit t2 { unpark t0 }\n join t1";
    let joined = |log: &[Event]| count(log, "task_exited") == 3;
    every("join", text, &[joined], |_| {});
}
