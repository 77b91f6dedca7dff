//! The other direction: whatever the spec allows a single seat to do, the pools do.
//!
//! The spec's graph of a small world is explored completely, as far as the policy of a single seat goes (`edges/policy.rs`:
//! rules, not a list). Every edge of it, a state and an event in it, is given a script that should lead there; the script
//! runs on a pool, and the edges that its log passes count as driven. All of them have to be, and no log may leave the
//! graph: then the policy says exactly what the pool does.
//!
//! The worlds have up to three tasks: one suspends, waits, delays, calls or joins while the others end, panic, submit, wake or
//! cancel it, and threads do the same between drives. Left out are turns that are over by their number of tasks and the bounds of
//! fairness, which are too large for a graph (`tests/order.rs` has them), and slices.

#[path = "edges/graph.rs"]
mod graph;
#[path = "edges/policy.rs"]
mod policy;

use std::collections::{BTreeSet, HashSet};

use copool::scripted::Scripted;
use copool::spec::Event;
use copool_model::{Logged, ModelPool};
use graph::{Edge, Graph};

/// A world: what it is about, and its script. Each thread's operations come in their order, those of several in any.
const WORLDS: [(&str, &str); 9] = [
    (
        "suspend, panic, cancel",
        "pool max 2\nthread\n submit t0 { suspend }\nthread\n submit t1 { panic }\nthread\n cancel t0",
    ),
    (
        "parks, tokens, wake-ups",
        "pool max 2\nthread\n submit t0 { park; suspend }\n submit t1 { unpark t0 }\nthread\n cancel t0\nthread\n unpark t0",
    ),
    ("a timer and a cancel", "pool max 1\nthread\n submit t0 { delay 5 }\nthread\n submit t1 { }\nthread\n cancel t0"),
    ("a join", "pool max 2\nthread\n submit t1 { suspend }\n submit t0 { join t1 }\nthread\n cancel t1"),
    (
        "a join, a stall, a raised limit",
        "pool max 1\nthread\n submit t1 { suspend }\n submit t0 { join t1 }\n cancel t0\nthread\n set-max 2",
    ),
    (
        "a stall",
        "pool max 1\nthread\n submit t1 { park }\n submit t0 { join t1 }\nthread\n submit t2 { }\nthread\n unpark t1",
    ),
    ("a system call", "pool max 2\nthread\n submit t0 { syscall }\nthread\n submit t1 { }\nthread\n cancel t0"),
    (
        "min_size, a nested submission, an urgent task",
        "pool min 1 max 2\nthread\n submit t0 { suspend; submit t2 { } }\nthread\n submit t1 priority -1 { panic }",
    ),
    ("stop", "pool max 2\nthread\n submit t0 { park }\nthread\n submit t1 { }\nthread\n stop 0\nthread\n cancel t0"),
];

/// What came of a world.
struct Driven {
    edges: usize,
    left: Vec<Edge>,
    /// What the pool did and the policy does not know.
    beyond: Vec<Edge>,
    scripts: usize,
}

fn drive<P: Logged>(graph: &Graph) -> Driven {
    let mut left: HashSet<&Edge> = graph.edges().collect();
    let edges = left.len();
    let (mut scripts, mut beyond) = (BTreeSet::new(), HashSet::new());
    for edge in graph.edges() {
        if !left.contains(edge) {
            continue;
        }
        let script = graph.script_to(edge);
        if !scripts.insert(script.clone()) {
            continue;
        }
        for passed in graph.passed::<P>(&script) {
            let opening = matches!(passed.1, Event::PoolBuilt { .. } | Event::SeatAttached { .. });
            if !left.remove(&passed) && !opening && !graph.knows(&passed) {
                beyond.insert(passed);
            }
        }
    }
    let (left, beyond) = (left.into_iter().cloned().collect(), beyond.into_iter().collect());
    Driven { edges, left, beyond, scripts: scripts.len() }
}

fn every_edge_is_driven<P: Logged>() {
    let (mut edges, mut scripts) = (0, 0);
    for (world, script) in WORLDS {
        let driven = drive::<P>(&Graph::explore(script));
        let show = |edges: &[Edge]| edges.iter().take(2).map(|(s, e)| format!("\n{e:?} in {s:?}")).collect::<String>();
        let (left, beyond) = (driven.left.len(), driven.beyond.len());
        assert_eq!(left, 0, "{world}: {left} of {} edges are not driven:{}", driven.edges, show(&driven.left));
        assert_eq!(beyond, 0, "{world}: the pool leaves the graph {beyond} times:{}", show(&driven.beyond));
        println!(
            "edges   {}, {world}: {} of {} edges by {} scripts",
            P::NAME,
            driven.edges,
            driven.edges,
            driven.scripts
        );
        (edges, scripts) = (edges + driven.edges, scripts + driven.scripts);
    }
    println!("edges   {}: all {edges} edges of {} worlds by {scripts} scripts", P::NAME, WORLDS.len());
    assert_eq!(edges, 2_625, "of the nine graphs");
}

#[test]
fn production_drives_every_edge_that_its_policy_allows_and_no_other() {
    every_edge_is_driven::<Scripted>();
}

#[test]
fn the_model_drives_every_edge_that_its_policy_allows_and_no_other() {
    every_edge_is_driven::<ModelPool>();
}
