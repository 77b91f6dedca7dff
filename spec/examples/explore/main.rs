//! Explores the spec's scenes to the last state, or serves one of them in stateright's Explorer.
//!
//! ```text
//! cargo run --release -p copool-spec --example explore -- --check           # all scenes, and the table
//! cargo run --release -p copool-spec --example explore                      # the first scene, on 127.0.0.1:3000
//! cargo run --release -p copool-spec --example explore -- cancel 127.0.0.1:0
//! ```

mod checker;

use std::collections::BTreeMap;
use std::fmt::Debug;
use std::hash::Hash;
use std::io::{IsTerminal, Write};
use std::net::{SocketAddr, TcpListener};
use std::process::ExitCode;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use checker::{Explored, Graph};
use copool_spec::scene::{Scene, Stage, catalog};
use copool_spec::{Event, invariants, step, witness};
use stateright::report::{ReportData, ReportDiscovery, Reporter};
use stateright::{Checker, Model};

fn main() -> ExitCode {
    let args: Vec<String> = std::env::args().skip(1).collect();
    match args.first().map(String::as_str) {
        Some("--check") => check(),
        Some("--list") => {
            catalog::all().iter().for_each(|scene| println!("{}: {}", scene.name, scene.why));
            ExitCode::SUCCESS
        }
        name => serve(name, args.get(1).map_or("127.0.0.1:3000", String::as_str)),
    }
}

/// Serves a scene in the Explorer, on loopback only.
fn serve(name: Option<&str>, address: &str) -> ExitCode {
    let scenes = catalog::all();
    let Some(scene) = scenes.into_iter().find(|scene| name.is_none_or(|name| scene.name == name)) else {
        eprintln!("no scene is called {name:?}; --list tells their names");
        return ExitCode::FAILURE;
    };
    let address = match address.parse::<SocketAddr>() {
        Ok(address) if address.ip().is_loopback() => address,
        _ => {
            eprintln!("`{address}` is not an address on loopback");
            return ExitCode::FAILURE;
        }
    };
    // Port 0 asks for a free one, and the page's address must be known: find it, then serve there.
    let address = match address.port() {
        0 => TcpListener::bind(address).and_then(|listener| listener.local_addr()).unwrap_or(address),
        _ => address,
    };
    println!("exploring `{}` on http://{address}", scene.name);
    let _ = std::io::stdout().flush();
    Explored::new(Stage::new(scene), step, false).checker().serve(address);
    ExitCode::SUCCESS
}

/// What the scenes have shown so far.
#[derive(Default)]
struct Shown {
    arrows: u64,
    witnessed: u64,
    states: usize,
    faults: Vec<String>,
}

/// Explores every scene, as many at once as there are processors and the largest first, and prints the table.
fn check() -> ExitCode {
    let begun = Instant::now();
    let mut scenes = catalog::all();
    scenes.sort_by_key(|scene| scene.states);
    let (scenes, shown, progress) = (Mutex::new(scenes), Mutex::new(Shown::default()), AtomicUsize::new(0));
    println!("{:<34} {:>9} {:>9} {:>6} {:>7} {:>7}", "scene", "states", "steps", "stuck", "arrows", "time");
    std::thread::scope(|threads| {
        for _ in 0..std::thread::available_parallelism().map_or(1, usize::from) {
            threads.spawn(|| {
                let next = || lock(&scenes).pop();
                while let Some(scene) = next() {
                    explore(scene, &progress, &shown);
                }
            });
        }
    });
    let Shown { arrows, witnessed, states, mut faults } = shown.into_inner().unwrap_or_else(PoisonError::into_inner);
    let (arrows, met) = (checker::arrows(arrows), witnessed.count_ones() as usize);
    println!();
    println!("invariants {} of {} hold", invariants::ALL.len() - broken(&faults), invariants::ALL.len());
    println!("situations {met}/{}", witness::ALL.len());
    println!("arrows {arrows}/{}", Event::ARROWS);
    println!("{states} states in {:.1} s", begun.elapsed().as_secs_f64());
    if arrows != Event::ARROWS {
        faults.push(format!("only {arrows} arrows were taken"));
    }
    faults.extend(checker::unmet(witnessed).iter().map(|name| format!("never met: {name}")));
    faults.iter().for_each(|fault| eprintln!("FAULT {fault}"));
    if faults.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

fn broken(faults: &[String]) -> usize {
    invariants::ALL.iter().filter(|(name, _)| faults.iter().any(|fault| fault.contains(name))).count()
}

/// Explores one scene and adds what it showed.
fn explore(scene: Scene, progress: &AtomicUsize, shown: &Mutex<Shown>) {
    let begun = Instant::now();
    let (name, expected) = (scene.name, scene.states);
    let explored = Explored::new(Stage::new(scene), step, true);
    let checker = explored.checker().spawn_bfs().join_and_report(&mut Progress { all: progress, told: 0 });
    let model = checker.model();
    let Graph { states, steps, stuck } = model.graph();
    let seen = model.arrows.load(Ordering::Relaxed);
    let (arrows, time) = (checker::arrows(seen), begun.elapsed().as_secs_f64());
    let mut shown = lock(shown);
    println!("{name:<34} {states:>9} {steps:>9} {stuck:>6} {arrows:>4}/{} {time:>5.1} s", Event::ARROWS);
    shown.arrows |= seen;
    shown.witnessed |= model.witnessed.load(Ordering::Relaxed);
    shown.states += states;
    if (states, checker.unique_state_count()) != (expected, expected) {
        shown.faults.push(format!("`{name}` has {states} states instead of {expected}"));
    }
    if stuck > 0 {
        shown.faults.push(format!("`{name}` has {stuck} states from which nothing quiet can be reached"));
    }
    for (property, path) in checker.discoveries() {
        if model.property(property).expectation.discovery_is_failure() {
            let log: Vec<Event> = path.into_actions().into_iter().filter_map(|m| m.event).collect();
            shown.faults.push(format!("`{name}` breaks {property}:\n{}", copool_spec::draw::mermaid(&log)));
        }
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// One line on the terminal while scenes are being explored.
struct Progress<'a> {
    /// The states of all scenes.
    all: &'a AtomicUsize,
    /// Those of this one that are among them.
    told: usize,
}

impl<M: Model> Reporter<M> for Progress<'_> {
    fn report_checking(&mut self, data: ReportData) {
        // Ordering: a number for people to look at.
        let more = data.unique_states - std::mem::replace(&mut self.told, data.unique_states);
        let all = self.all.fetch_add(more, Ordering::Relaxed) + more;
        if std::io::stderr().is_terminal() {
            eprint!("\r{}", if data.done { "\x1b[K".to_owned() } else { format!("{all} states\x1b[K") });
        }
    }

    fn report_discoveries(&mut self, _: &M, _: BTreeMap<&'static str, ReportDiscovery<M>>)
    where
        M::Action: Debug + PartialEq,
        M::State: Debug + Hash + PartialEq,
    {
    }

    fn delay(&self) -> Duration {
        Duration::from_millis(25)
    }
}
