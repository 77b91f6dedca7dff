//! The search must be able to fail: logs that no pool can have told are rejected.

use std::collections::BTreeMap;

use copool::spec::Event;
use copool::spec::monitor::Stamped;
use copool_model::judge::judge;

use super::params;
use super::work::{Draw, run};

/// Events of which one may be left out, as the next says the same or nothing hangs on it; see `tests/conformance.rs`. Where
/// threads are many, the reasons of a wait and of a drive's end are not asked for either.
const OPTIONAL: [&str; 16] = [
    "cancel_requested",
    "limits_changed",
    "next_poll",
    "nothing_to_do",
    "overran",
    "poll_failed",
    "seat_blocked",
    "stack_exhausted",
    "stop_called",
    "syscall_entered",
    "syscall_left",
    "task_rejected",
    "task_woken",
    "timer_armed",
    "worker_exited",
    "worker_returned",
];

/// Events that may come twice, or change places with their neighbours.
const REPEATABLE: [&str; 5] = ["cancel_requested", "limits_changed", "stop_called", "task_rejected", "worker_exited"];

/// A log with one fault in it.
type Fault = fn(&mut Vec<Stamped>, at: usize) -> bool;

/// Leaves an event out.
fn drop_one(log: &mut Vec<Stamped>, at: usize) -> bool {
    !OPTIONAL.contains(&log.remove(at).event.name())
}

/// Tells an event twice.
fn double(log: &mut Vec<Stamped>, at: usize) -> bool {
    log.insert(at, log[at]);
    !OPTIONAL.contains(&log[at].event.name()) && !REPEATABLE.contains(&log[at].event.name())
}

/// Exchanges two arrows of one thread.
fn swap(log: &mut Vec<Stamped>, at: usize) -> bool {
    let Some(next) = log.get(at + 1).map(|next| next.event) else { return false };
    let this = std::mem::replace(&mut log[at].event, next);
    log[at + 1].event = this;
    let arrow = |event: &Event| (event.arrow() as usize) < Event::ARROWS && !REPEATABLE.contains(&event.name());
    arrow(&this) && arrow(&next) && this.name() != next.name()
}

/// Tells what happened at the end as if it had at the beginning.
fn too_early(log: &mut Vec<Stamped>, at: usize) -> bool {
    let (name, first) = (log[at].event.name(), log[0]);
    log[at] = Stamped { event: log[at].event, ..first };
    log[..=at].rotate_right(1);
    at > 5 && !OPTIONAL.contains(&name) && !REPEATABLE.contains(&name)
}

#[test]
fn a_log_with_a_fault_in_it_is_rejected() {
    let faults: [(&str, Fault); 4] =
        [("left out", drop_one), ("told twice", double), ("exchanged", swap), ("told too early", too_early)];
    let mut draw = Draw::new(7);
    let (mut rejected, mut missed) = (BTreeMap::<&str, usize>::new(), Vec::new());
    for seed in 0..60 {
        let logs = run(1_000_000 + seed);
        judge(params(), &[], &logs).unwrap_or_else(|why| panic!("{why}"));
        let thread = (0..logs.len()).max_by_key(|at| logs[*at].len()).expect("somebody told something");
        for (name, fault) in &faults {
            let mut logs = logs.clone();
            let at = usize::try_from(draw.below(logs[thread].len() as u64)).expect("an index");
            let event = logs[thread][at].event;
            if !fault(&mut logs[thread], at) {
                continue;
            }
            match judge(params(), &[], &logs) {
                Ok(_) => missed.push((name, event)),
                Err(_) => *rejected.entry(name).or_default() += 1,
            }
        }
    }
    println!("stress  faulty logs that were rejected: {rejected:?}");
    assert!(missed.is_empty(), "accepted: {missed:#?}");
    assert!(faults.iter().all(|(name, _)| rejected.get(name).is_some_and(|count| *count > 5)), "{rejected:?}");
}
