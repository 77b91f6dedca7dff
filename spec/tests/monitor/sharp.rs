//! The monitor is as sharp as the rules: a walk with one event left out, told twice or exchanged with the next is refused by it
//! where, and as, a step from state to state refuses it; and hardly an event can be faulted without notice.

use std::collections::{BTreeMap, BTreeSet};

use copool_spec::monitor::judge;
use copool_spec::{State, apply};

use super::*;

/// A log with a fault at a place, or none if it is the same log.
type Fault = fn(&mut Vec<Event>, usize);

const FAULTS: [(&str, Fault); 3] = [
    ("left out", |log, at| {
        log.remove(at);
    }),
    ("told twice", |log, at| log.insert(at, log[at])),
    ("exchanged", |log, at| {
        let next = (at + 1).min(log.len() - 1);
        log.swap(at, next);
    }),
];

/// What nothing notices, wherever it stands, since the log that is left is one that a pool may tell.
const UNNOTICED: [(&str, &[&str]); 3] = [
    // These change nothing that a later event needs.
    ("left out", &["nothing_to_do", "seat_blocked", "stack_exhausted", "task_rejected"]),
    // These may happen again at once.
    (
        "told twice",
        &[
            "cancel_requested",
            "limits_changed",
            "next_poll",
            "seat_blocked",
            "stack_exhausted",
            "stop_called",
            "syscall_entered",
            "task_rejected",
            "timer_armed",
            "worker_returned",
        ],
    ),
    // The next event, if there is one, has nothing to do with these.
    ("exchanged", &["limits_changed", "pool_stopped", "seat_left", "task_rejected", "timer_armed"]),
];

/// The first event that pure steps refuse, and why.
fn refused(mut state: State, log: &[Event]) -> Option<(usize, &'static str)> {
    for (at, event) in log.iter().enumerate() {
        match step(state, event) {
            Ok(after) => state = after,
            Err(violation) => return Some((at, violation.guard)),
        }
    }
    None
}

fn refused_by_the_monitor(mut monitor: Monitor, log: &[Event]) -> Option<(usize, &'static str)> {
    let before = monitor.log().len();
    let report = log.iter().find_map(|event| monitor.accept(*event).err())?;
    assert_eq!(report.log.last(), Some(&report.event));
    Some((report.accepted - before, report.guard))
}

#[test]
fn one_fault_in_a_log_is_refused_where_the_rules_refuse_it() {
    let (mut noticed, mut met) = (BTreeMap::<(&str, &str), usize>::new(), BTreeSet::new());
    for (scene, seed) in catalog::small().into_iter().flat_map(|scene| (1..9).map(move |seed| (scene.name, seed))) {
        let (params, log) = walk(scene, seed, 200);
        let mut monitor = Monitor::new(params);
        for (at, event) in log.iter().enumerate() {
            met.insert(event.name());
            for (fault, put) in FAULTS {
                let mut faulty = log.clone();
                put(&mut faulty, at);
                let expected = refused(monitor.state().clone(), &faulty[at..]);
                assert_eq!(
                    refused_by_the_monitor(monitor.clone(), &faulty[at..]),
                    expected,
                    "{fault}: {at} of {log:?}"
                );
                let whole = judge(params, &faulty).err().map(|report| (report.accepted - at, report.guard));
                assert_eq!(whole, expected, "{fault}: {at} of {log:?}");
                *noticed.entry((fault, event.name())).or_default() += usize::from(expected.is_some());
            }
            monitor.accept(*event).expect("a walk");
        }
        let mut state = State::new(params);
        log.iter().for_each(|event| apply(&mut state, event).expect("a walk"));
        assert_eq!(&state, monitor.state());
    }
    let never = FAULTS.map(|(fault, _)| {
        (fault, met.iter().copied().filter(|name| noticed[&(fault, *name)] == 0).collect::<Vec<_>>())
    });
    assert_eq!(never, UNNOTICED.map(|(fault, names)| (fault, names.to_vec())));
    let refused = FAULTS.map(|(fault, _)| {
        noticed.iter().filter(|((name, _), _)| *name == fault).map(|(_, count)| count).sum::<usize>()
    });
    println!("{} kinds of events; refused: {refused:?} of {:?}", met.len(), FAULTS.map(|(fault, _)| fault));
}
