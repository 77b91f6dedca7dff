//! What finds a fault: an invariant, the reachability, a situation, or the number of states.

use std::sync::atomic::Ordering;

use copool_spec::scene::{Rules, Stage, catalog};
use copool_spec::{step, witness};
use stateright::{Checker, HasDiscoveries, Model};

use crate::checker::{self, Explored, Graph};

pub(crate) fn explore(scene: &str, rules: Rules, graph: bool) -> impl Checker<Explored> {
    let scene = catalog::all().into_iter().find(|s| s.name == scene).unwrap_or_else(|| panic!("no scene {scene}"));
    let explored = Explored::new(Stage::new(scene), rules, graph).checker().threads(2);
    if graph {
        explored.spawn_bfs().join()
    } else {
        explored.finish_when(HasDiscoveries::AnyFailures).spawn_bfs().join()
    }
}

/// The fault is caught by the named invariant, and by none before it.
pub(crate) fn breaks(invariant: &str, scene: &str, rules: Rules) {
    let checker = explore(scene, rules, false);
    let mut found = checker.discoveries();
    found.remove("all is quiet");
    let names: Vec<_> = found.keys().copied().collect();
    assert!(names.iter().any(|name| name.starts_with(invariant)), "{invariant} in `{scene}`: found {names:?}");
}

/// The fault leaves states from which nothing quiet can be reached any more.
pub(crate) fn gets_stuck(scene: &str, rules: Rules) {
    let checker = explore(scene, rules, true);
    let Graph { stuck, states, steps } = checker.model().graph();
    assert!(stuck > 0, "none of {states} states of `{scene}` is stuck, with {steps} steps");
}

/// The fault is noticed by the number of states, which is asserted wherever a scene is explored.
pub(crate) fn changes(scene: &str, rules: Rules) {
    let expected = explore(scene, step, false).unique_state_count();
    let states = explore(scene, rules, false).unique_state_count();
    assert_ne!(states, expected, "`{scene}` looks the same in spite of the fault");
}

fn unmet(checker: &impl Checker<Explored>) -> Vec<&'static str> {
    checker::unmet(checker.model().witnessed.load(Ordering::Relaxed))
}

/// The situation is met by the rules, and not by the faulty ones.
pub(crate) fn hides(situation: &str, scene: &str, rules: Rules) {
    assert!(witness::ALL.iter().any(|(name, _)| *name == situation), "no situation is called {situation}");
    let good = explore(scene, step, true);
    assert!(!unmet(&good).contains(&situation), "{situation} is never met in `{scene}`");
    let bad = explore(scene, rules, true);
    assert!(unmet(&bad).contains(&situation), "{situation} is met in `{scene}` in spite of the fault");
}
