//! Each guard of each rule refuses something: a rule that has lost one, or asks it in vain, is noticed here, whatever other
//! rule asks the same.

use std::collections::{BTreeMap, BTreeSet, HashSet};

use copool_spec::State;

use super::*;

/// Each event, and below it the guards that refuse it somewhere.
const EXPECTED: &str = include_str!("guards.txt");

/// Where the guards are.
const RULES: [&str; 9] = [
    include_str!("../../src/rules/creator.rs"),
    include_str!("../../src/rules/lifecycle.rs"),
    include_str!("../../src/rules/pool.rs"),
    include_str!("../../src/rules/queue.rs"),
    include_str!("../../src/rules/schedule.rs"),
    include_str!("../../src/rules/task.rs"),
    include_str!("../../src/rules/wait.rs"),
    include_str!("../../src/rules/worker.rs"),
    include_str!("../../src/rules.rs"),
];

/// The guards that have refused each event.
type Refusals = BTreeMap<&'static str, BTreeSet<&'static str>>;

/// What no walk tells, since no pool does it.
fn never_told() -> Vec<Event> {
    let (seat, worker, task) = (SEAT, w(0), t(0));
    let mut events = vec![
        Event::LimitsChanged { min: 2, max: 1, keep_alive: 0 },
        Event::TaskAccepted { seat: Some(seat), task: t(99), priority: 1 },
        Event::TaskStolen { seat, from: seat, task },
        Event::ScheduleEnded { seat, end: DriveEnd::Waiting { until: Some(Tick(99)) } },
        Event::ScheduleEnded { seat, end: DriveEnd::Stalled },
        Event::Overran { seat: SeatId(1), task },
    ];
    for why in [Interruption::Delay, Interruption::Park] {
        events.push(Event::TaskInterrupted { seat, worker, task, why });
    }
    events
}

/// The states and the events of some walks through a scene.
fn sample(name: &str) -> (BTreeSet<State>, HashSet<Event>) {
    let (mut states, mut events) = (BTreeSet::new(), HashSet::from_iter(never_told()));
    for seed in 1..9 {
        let (params, log) = walk(name, seed, 200);
        let mut state = State::new(params);
        for event in &log {
            let after = step(state.clone(), event).expect("a walk keeps to the rules");
            states.insert(state);
            events.insert(*event);
            state = after;
        }
        states.insert(state);
    }
    let beside: Vec<_> =
        states.iter().flat_map(|state| never_told().into_iter().map(move |e| (state.clone(), e))).collect();
    states.extend(beside.into_iter().filter_map(|(state, event)| step(state, &event).ok()));
    (states, events)
}

/// Puts every event to every state, also to one whose order of events is not exact.
fn refusals() -> Refusals {
    let mut refusals = Refusals::new();
    for scene in catalog::small() {
        let (states, events) = sample(scene.name);
        for (state, event) in states.iter().flat_map(|state| events.iter().map(move |event| (state, event))) {
            for exact in [true, false] {
                let mut state = state.clone();
                state.params.exact = exact;
                if let Err(violation) = step(state, event) {
                    refusals.entry(event.name()).or_default().insert(violation.guard);
                }
            }
        }
    }
    refusals
}

#[test]
fn each_guard_of_each_rule_refuses_something() {
    let told: String = refusals()
        .iter()
        .map(|(event, guards)| {
            let guards: String = guards.iter().map(|guard| format!("  {guard}\n")).collect();
            format!("{event}\n{guards}")
        })
        .collect();
    let difference = told.lines().zip(EXPECTED.lines()).find(|(told, expected)| told != expected);
    assert!(told == EXPECTED, "{difference:?} is the first that was refused, and that was expected, in:\n{told}");
}

#[test]
fn no_guard_is_left_out_but_those_that_others_come_before() {
    const NEVER: [&str; 1] = ["the worker holds no task"];
    let guards = RULES.iter().flat_map(|rules| {
        let code = rules.lines().filter(|line| !line.trim_start().starts_with("//"));
        code.flat_map(|line| line.split('"').skip(1).step_by(2)).filter(|text| text.contains(' '))
    });
    let missing: BTreeSet<_> = guards.filter(|guard| !EXPECTED.contains(&format!("  {guard}\n"))).collect();
    assert_eq!(missing, BTreeSet::from(NEVER));
}
