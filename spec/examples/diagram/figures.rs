//! The diagrams, made from the rules: the texts of the arrows are the first sentences of the rules that bear their names,
//! and the state graphs are the changes that were seen while the small scenes were walked through.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;

use copool_spec::scene::{Stage, catalog};
use copool_spec::state::{State, TaskState};
use copool_spec::{Event, TaskId, WorkerId, draw};

/// Where the rules of the arrows are written, in the order of the diagram.
const RULES: [&str; 5] = [
    include_str!("../../src/rules/schedule.rs"),
    include_str!("../../src/rules/pool.rs"),
    include_str!("../../src/rules/task.rs"),
    include_str!("../../src/rules/worker.rs"),
    include_str!("../../src/rules/creator.rs"),
];

/// The alternatives of the sequence diagram: from which arrow to which, and when.
const ALTERNATIVES: [(usize, usize, &str); 10] = [
    (2, 2, "the coroutine pool is stopped"),
    (3, 3, "the task queue in the coroutine pool is empty"),
    (4, 4, "create worker coroutines"),
    (6, 20, "run tasks"),
    (7, 17, "poll success"),
    (8, 11, "in execution"),
    (12, 12, "run success"),
    (13, 17, "run fail"),
    (18, 19, "poll fail"),
    (21, 24, "recycle coroutines"),
];

const HEAD: &str = "%% Generated: cargo run -p copool-spec --example diagram\n";

/// All diagrams, by file name.
pub(crate) fn all() -> Vec<(&'static str, String)> {
    let mut graphs = Graphs::default();
    // Some small scenes of each kind show every change of state; the wider ones only show them again.
    for scene in catalog::small().into_iter().filter(|scene| scene.states < 25_000) {
        Stage::new(scene).walk(copool_spec::step, |before, event, after| graphs.note(before, event, after));
    }
    vec![
        ("sequence.mmd", sequence()),
        ("worker.mmd", graphs.draw("worker")),
        ("task.mmd", graphs.draw("task")),
        ("pool.mmd", graphs.draw("pool")),
    ]
}

/// The sequence diagram.
fn sequence() -> String {
    let mut out = format!("{HEAD}sequenceDiagram\n");
    for (letter, name) in draw::PARTICIPANTS {
        let kind = if letter == 'S' { "actor" } else { "participant" };
        let _ = writeln!(out, "    {kind} {letter} as {name}");
    }
    let mut depth = 1;
    for number in 1..=Event::ARROWS {
        for (_, _, title) in ALTERNATIVES.iter().filter(|(first, _, _)| *first == number) {
            let _ = writeln!(out, "{}alt {title}", "    ".repeat(depth));
            depth += 1;
        }
        let (from, to) = draw::ends(number - 1).expect("every arrow has two ends");
        let (name, text) = (Event::NAMES[number - 1], sentence(number));
        let _ = writeln!(out, "{}{from} ->> {to}: {number} {name} - {text}", "    ".repeat(depth));
        for _ in ALTERNATIVES.iter().filter(|(_, last, _)| *last == number) {
            depth -= 1;
            let _ = writeln!(out, "{}end", "    ".repeat(depth));
        }
    }
    out
}

/// The first sentence of the rule of an arrow.
fn sentence(number: usize) -> String {
    let mark = format!("/// Arrow {number}, ");
    let rules = RULES.iter().find_map(|file| file.split_once(&mark)).expect("every arrow has a rule").1;
    let (text, rule) = rules.split_once("\npub fn ").expect("a rule is a function");
    let name = rule.split('(').next();
    assert_eq!(name, Some(Event::NAMES[number - 1]), "the rule of arrow {number} bears its name");
    let text = text.replace("\n/// ", " ");
    let (ends, text) = text.split_once(": ").expect("an arrow has ends and a text");
    let (from, to) = draw::ends(number - 1).expect("every arrow has two ends");
    assert_eq!(ends, format!("{from}→{to}"), "the rule of arrow {number} has the arrow's ends");
    let first = text.split(". ").next().unwrap_or_default();
    first.trim_end_matches('.').replace(';', ",").replace('`', "")
}

/// Which changes of state were seen, and by which events.
#[derive(Default)]
struct Graphs(BTreeMap<(&'static str, String, String), BTreeSet<&'static str>>);

impl Graphs {
    fn note(&mut self, before: &State, event: &Event, after: &State) {
        let mut note = |graph, from: String, to: String| {
            if from != to {
                self.0.entry((graph, from, to)).or_default().insert(event.name());
            }
        };
        let worker = |state: &State, id: &WorkerId| state.workers.get(id).map(|w| format!("{:?}", w.state));
        let task = |state: &State, id: &TaskId| state.tasks.get(id).map(task_state);
        let end = || "[*]".to_owned();
        for id in before.workers.keys().chain(after.workers.keys()) {
            note("worker", worker(before, id).unwrap_or_else(end), worker(after, id).unwrap_or_else(end));
        }
        for id in after.tasks.keys() {
            note("task", task(before, id).unwrap_or_else(end), task(after, id).unwrap_or_else(end));
        }
        note("pool", format!("{:?}", before.phase), format!("{:?}", after.phase));
    }

    fn draw(&self, graph: &str) -> String {
        let mut out = format!("{HEAD}stateDiagram-v2\n");
        if graph == "pool" {
            out.push_str("    [*] --> Running: pool_built\n");
        }
        for ((_, from, to), events) in self.0.iter().filter(|((name, ..), _)| *name == graph) {
            let events: Vec<_> = events.iter().copied().collect();
            let _ = writeln!(out, "    {from} --> {to}: {}", events.join(", "));
        }
        out
    }
}

/// The state of a task as the graph names it: a task that has its outcome is in the state of that name, whatever its worker
/// still has to unwind.
fn task_state(task: &copool_spec::state::Task) -> String {
    match (task.outcome, task.state) {
        (Some(outcome), _) => format!("{outcome:?}"),
        (None, TaskState::Waiting(_)) => "Waiting".to_owned(),
        (None, TaskState::Finished(_)) => "Finished".to_owned(),
        (None, state) => format!("{state:?}"),
    }
}
