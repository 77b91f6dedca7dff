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
const REPEATABLE: [&str; 6] =
    ["cancel_requested", "limits_changed", "nothing_to_do", "stop_called", "task_rejected", "worker_exited"];

/// Puts a fault into a log at a place, if that place is one for it.
type Fault = fn(Vec<Stamped>, usize) -> Option<Vec<Stamped>>;

fn is_optional(event: Event) -> bool {
    OPTIONAL.contains(&event.name())
}

fn is_fixed(event: Event) -> bool {
    !REPEATABLE.contains(&event.name())
}

/// Leaves an event out.
fn drop_one(mut log: Vec<Stamped>, at: usize) -> Option<Vec<Stamped>> {
    let left_out = log.remove(at).event;
    (!is_optional(left_out)).then_some(log)
}

/// Tells an event twice.
fn double(mut log: Vec<Stamped>, at: usize) -> Option<Vec<Stamped>> {
    let event = log[at].event;
    log.insert(at, log[at]);
    (!is_optional(event) && is_fixed(event)).then_some(log)
}

/// Exchanges two arrows of one thread that follow one another.
fn swap(mut log: Vec<Stamped>, at: usize) -> Option<Vec<Stamped>> {
    let (this, next) = (log[at].event, log.get(at + 1)?.event);
    (log[at].event, log[at + 1].event) = (next, this);
    let arrow = |event: Event| (event.arrow() as usize) < Event::ARROWS && is_fixed(event);
    (arrow(this) && arrow(next) && this.name() != next.name()).then_some(log)
}

/// Tells what happened later as if it had been the thread's first.
fn too_early(mut log: Vec<Stamped>, at: usize) -> Option<Vec<Stamped>> {
    let event = log[at].event;
    log[at] = Stamped { event, ..log[0] };
    log[..=at].rotate_right(1);
    let may_be = matches!(event, Event::TaskAccepted { .. } | Event::SeatAttached { .. }) || is_optional(event);
    (at > 5 && !may_be && is_fixed(event)).then_some(log)
}

/// Whether an event may be left out because a seat leaves: others may poll its tasks without stealing them, and what unwinds
/// there has been abandoned, whoever said so before.
fn goes_with_a_seat(fault: &str, event: Event, logs: &[Vec<Stamped>]) -> bool {
    let told = |is: &dyn Fn(Event) -> bool| logs.iter().flatten().any(|stamped| is(stamped.event));
    let leaves = match event {
        Event::TaskStolen { from, .. } => told(&|event| matches!(event, Event::SeatLeaving { seat } if seat == from)),
        Event::TaskAbandoned { task } => {
            let unwinds = told(&|event| matches!(event, Event::TaskUnwound { task: other } if other == task));
            unwinds && told(&|event| matches!(event, Event::SeatLeaving { .. }))
        }
        _ => false,
    };
    fault == "left out" && leaves
}

#[test]
fn a_log_with_a_fault_in_it_is_rejected() {
    let faults: [(&str, Fault); 4] =
        [("left out", drop_one), ("told twice", double), ("exchanged", swap), ("told too early", too_early)];
    let mut draw = Draw::new(7);
    let (mut rejected, mut missed) = (BTreeMap::<&str, usize>::new(), Vec::new());
    for seed in 0..60 {
        // With stacks enough: a drive that is refused one may end without saying so.
        let logs = run(1_000_000 + seed, false);
        judge(params(), &[], &logs).unwrap_or_else(|why| panic!("{why}"));
        let thread = (0..logs.len()).max_by_key(|at| logs[*at].len()).expect("somebody told something");
        for (name, fault) in &faults {
            let mut logs = logs.clone();
            let at = usize::try_from(draw.below(logs[thread].len() as u64)).expect("an index");
            let event = logs[thread][at].event;
            let Some(faulty) = fault(logs[thread].clone(), at) else { continue };
            logs[thread] = faulty;
            match judge(params(), &[], &logs) {
                Ok(_) if goes_with_a_seat(name, event, &logs) => {}
                Ok(_) => missed.push((name, event)),
                Err(_) => *rejected.entry(name).or_default() += 1,
            }
        }
    }
    println!("stress  faulty logs that were rejected: {rejected:?}");
    assert!(missed.is_empty(), "accepted: {missed:#?}");
    assert!(faults.iter().all(|(name, _)| rejected.get(name).is_some_and(|count| *count > 5)), "{rejected:?}");
}
