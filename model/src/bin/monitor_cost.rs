//! What it costs to judge a run: nanoseconds per event of the production pool with nobody listening, of the same run with a
//! listener that keeps the log, and of the monitor that then judges that log.
//!
//! The three are taken in turns and the medians are told, so that what else the machine does falls on all of them alike.
//!
//! ```text
//! cargo run --release -p copool-model --bin monitor_cost
//! ```

use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use copool::scripted::Scripted;
use copool::{Builder, CoroutinePool, DriveEnd, Listener, VirtualClock, delay, suspend};
use copool_model::compare;
use copool_model::generate::decode;
use copool_spec::monitor::judge;
use copool_spec::script::Script;
use copool_spec::{Event, Params};

/// Keeps what it hears.
#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<Event>>>);

impl Listener for Log {
    fn on_event(&self, event: &Event) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).push(*event);
    }
}

/// What is run, from the pool's building to its drop.
struct Load {
    name: &'static str,
    run: fn(Builder),
}

const LOADS: [Load; 6] = [
    Load { name: "one task at a time", run: |builder| rounds(builder, 2_000, 1, 0) },
    Load { name: "64 tasks at once", run: |builder| rounds(builder, 64, 64, 0) },
    Load { name: "64 tasks, suspended 4 times each", run: |builder| rounds(builder, 16, 64, 4) },
    Load { name: "10,000 tasks, suspended 4 times", run: |builder| rounds(builder, 1, 10_000, 4) },
    Load { name: "1,000 timers, a drive for each", run: |builder| timers(builder, 1_000) },
    Load { name: "1,000 queued tasks are cancelled", run: |builder| cancels(builder, 1_000) },
];

/// So many tasks at once, so often, each suspended so often.
fn rounds(builder: Builder, rounds: u32, tasks: u32, suspensions: u32) {
    let mut pool = builder.build().expect("a pool without threads");
    for _ in 0..rounds {
        for _ in 0..tasks {
            let body = move || (0..suspensions).for_each(|_| suspend());
            drop(pool.spawn(body).expect("it runs"));
        }
        assert_eq!(pool.drain(None), Ok(DriveEnd::AllDone));
    }
}

/// So many tasks that wait for one instant after the other.
fn timers(builder: Builder, tasks: u32) {
    let clock = VirtualClock::new();
    let mut pool = builder.clock(clock.clone()).build().expect("a pool without threads");
    for at in 1..=tasks {
        drop(pool.spawn(move || delay(Duration::from_secs(at.into()))).expect("it runs"));
    }
    while pool.drain(None) != Ok(DriveEnd::AllDone) {
        clock.advance(Duration::from_secs(1));
    }
}

/// So many tasks that are cancelled before they start, the last one first.
fn cancels(builder: Builder, tasks: u32) {
    let mut pool = builder.build().expect("a pool without threads");
    let queued: Vec<_> = (0..tasks).map(|_| pool.spawn(|| {}).expect("it runs")).collect();
    for task in queued.iter().rev() {
        assert_eq!(task.cancel(), copool::Cancel::NeverRuns);
    }
    assert_eq!(pool.drain(None), Ok(DriveEnd::AllDone));
}

/// Runs a load; gives the time that it took.
fn run(load: &Load, log: Option<&Log>) -> Duration {
    let builder = CoroutinePool::builder().max_size(20_000);
    let builder = if let Some(log) = log { builder.listener(log.clone()) } else { builder };
    let begun = Instant::now();
    (load.run)(builder);
    begun.elapsed()
}

/// Judges a log; gives the time that it took.
fn judge_log(log: &[Event]) -> Duration {
    let begun = Instant::now();
    judge(Params::default(), log).unwrap_or_else(|report| panic!("{report}"));
    begun.elapsed()
}

fn median(mut figures: Vec<f64>) -> f64 {
    figures.sort_by(f64::total_cmp);
    figures[figures.len() / 2]
}

/// How often each is taken.
const TURNS: usize = 21;

/// The scripts that the tests draw: the run keeps its log, and what the users see besides.
fn scripts() {
    let mut seed = 1_u64;
    let mut draw = || {
        // Any bytes do; these are those of a multiplicative generator.
        seed = seed.wrapping_mul(0x5851_f42d_4c95_7f2d).wrapping_add(0x1405_7b7e_f767_814f);
        (seed >> 56) as u8
    };
    let scripts: Vec<_> = (0..1_000).map(|_| decode(&(0..600).map(|_| draw()).collect::<Vec<_>>())).collect();
    let runs: Vec<_> = scripts.iter().map(compare::run::<Scripted>).collect();
    let events: usize = runs.iter().map(|run| run.log.len()).sum();
    let per_event = |begun: Instant| begun.elapsed().as_secs_f64() * 1e9 / events as f64;
    let [mut told, mut judged, mut thorough] = [const { Vec::new() }; 3];
    for _ in 0..TURNS {
        let begun = Instant::now();
        scripts.iter().for_each(|script| drop(compare::run::<Scripted>(script)));
        told.push(per_event(begun));
        for (judge, took) in [(compare::follows as Judge, &mut judged), (compare::judge, &mut thorough)] {
            let begun = Instant::now();
            for (script, run) in scripts.iter().zip(&runs) {
                judge(script, run).unwrap_or_else(|why| panic!("{script}\n{why}"));
            }
            took.push(per_event(begun));
        }
    }
    let [told, judged, thorough] = [told, judged, thorough].map(median);
    for (name, judged) in [("1,000 drawn scripts", judged), ("... and S1 to S9 at each event", thorough)] {
        println!("{name:<34} {events:>8} {:>8} {told:>8.1} {judged:>8.1} {:>12.2}", "", judged / told);
    }
}

/// How a run is judged.
type Judge = fn(&Script, &compare::Run) -> Result<(), String>;

fn main() {
    println!("{:<34} {:>8} {:>8} {:>8} {:>8} {:>12}", "ns per event", "events", "run", "told", "judged", "judged/told");
    for load in &LOADS {
        let log = Log::default();
        run(load, Some(&log));
        let events = log.0.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let per_event = |time: Duration| time.as_secs_f64() * 1e9 / events.len() as f64;
        let [mut plain, mut told, mut judged, mut ratio] = [const { Vec::new() }; 4];
        for _ in 0..TURNS {
            plain.push(per_event(run(load, None)));
            told.push(per_event(run(load, Some(&Log::default()))));
            judged.push(per_event(judge_log(&events)));
            ratio.push(judged[judged.len() - 1] / told[told.len() - 1]);
        }
        let [plain, told, judged, ratio] = [plain, told, judged, ratio].map(median);
        println!("{:<34} {:>8} {plain:>8.1} {told:>8.1} {judged:>8.1} {ratio:>12.2}", load.name, events.len());
    }
    scripts();
}
