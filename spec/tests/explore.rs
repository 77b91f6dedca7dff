//! The small scenes, explored to the last state; the large ones are explored by the example of this name.

#[path = "../examples/explore/checker.rs"]
mod checker;

use std::sync::atomic::Ordering;

use checker::{Explored, Graph};
use copool_spec::scene::{Stage, catalog};
use copool_spec::{Event, enabled, step, witness};
use stateright::{Checker, Model};

#[test]
fn small_scenes_keep_every_property_and_show_every_arrow_and_situation() {
    let (mut arrows, mut met) = (0, 0);
    for scene in catalog::small() {
        let (name, expected) = (scene.name, scene.states);
        let checker = Explored::new(Stage::new(scene), step, true).checker().threads(2).spawn_bfs().join();
        checker.assert_properties();
        let model = checker.model();
        assert_eq!(checker.unique_state_count(), expected, "states of `{name}`");
        let Graph { stuck, states, steps } = model.graph();
        assert_eq!((stuck, states), (0, expected), "`{name}`: states from which nothing quiet can be reached");
        println!("{name}: {states} states, {steps} steps, {} tried", model.steps.load(Ordering::Relaxed));
        arrows |= model.arrows.load(Ordering::Relaxed);
        met |= model.witnessed.load(Ordering::Relaxed);
    }
    assert_eq!(checker::arrows(arrows), Event::ARROWS);
    assert_eq!(checker::unmet(met), [""; 0]);
    assert_eq!(checker::unmet(0).len(), witness::ALL.len());
}

#[test]
fn what_a_scene_plays_is_enabled() {
    for scene in catalog::small() {
        let stage = Stage::new(scene);
        let mut play = stage.first();
        for round in 0_usize..200 {
            let mut moves = Vec::new();
            stage.moves(&play, &mut moves);
            moves.retain(|m| stage.play(&play, m, step).is_some());
            let events = enabled(&play.pool);
            for event in moves.iter().filter_map(|m| m.event) {
                let known = events.iter().any(|other| other.arrow() == event.arrow());
                assert!(known, "{event:?} is played, but nothing of its name is enabled");
            }
            let Some(m) = moves.get(round * 7919 % moves.len().max(1)) else { break };
            play = stage.play(&play, m, step).expect("it was a move");
        }
    }
}
