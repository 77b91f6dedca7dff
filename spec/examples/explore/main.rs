//! x
mod checker;
use checker::Explored;
use copool_spec::scene::{Stage, catalog};
use stateright::{Checker, Model};

fn main() {
    let only = std::env::args().nth(1);
    let mut arrows = 0;
    let mut witnessed = 0;
    for scene in catalog::all() {
        if only.as_ref().is_some_and(|o| !scene.name.contains(o.as_str())) {
            continue;
        }
        let name = scene.name;
        let begun = std::time::Instant::now();
        let checker = Explored::new(Stage::new(scene), copool_spec::step, true).checker().threads(2).spawn_bfs().join();
        let t = begun.elapsed();
        let m = checker.model();
        let stuck = m.stuck();
        let a = m.arrows.load(std::sync::atomic::Ordering::Relaxed);
        arrows |= a;
        witnessed |= m.witnessed.load(std::sync::atomic::Ordering::Relaxed);
        println!(
            "{name:30} states {} stuck {stuck:?} arrows {} {t:?} + {:?} depth {}",
            checker.unique_state_count(),
            checker::arrows(a),
            begun.elapsed() - t,
            checker.max_depth()
        );
        for (p, path) in checker.discoveries() {
            if p == "all is quiet" {
                continue;
            }
            println!("  BROKEN {p}");
            for m in path.into_actions() {
                println!("     {m:?}");
            }
        }
    }
    for (i, n) in copool_spec::Event::NAMES.iter().enumerate() {
        if arrows >> i & 1 == 0 {
            println!("unseen {n}");
        }
    }
    for (i, n) in copool_spec::witness::ALL.iter().enumerate() {
        if witnessed >> i & 1 == 0 {
            println!("unmet {}", n.0);
        }
    }
}
