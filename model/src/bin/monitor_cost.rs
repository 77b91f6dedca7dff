//! What it costs to judge a run: nanoseconds per event of the production pool, of the same run with its events kept, and of the
//! monitor that then judges them.
//!
//! ```text
//! cargo run --release -p copool-model --bin monitor_cost
//! ```

use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use copool::{CoroutinePool, DriveEnd, Listener, suspend};
use copool_spec::{Event, Monitor, Params};

/// Keeps what it hears.
#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<Event>>>);

impl Listener for Log {
    fn on_event(&self, event: &Event) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).push(*event);
    }
}

/// What is run: so many tasks at once, so often, each suspended so often.
#[derive(Clone, Copy)]
struct Load {
    name: &'static str,
    rounds: u32,
    tasks: u32,
    suspensions: u32,
}

const LOADS: [Load; 3] = [
    Load { name: "one task at a time", rounds: 2_000, tasks: 1, suspensions: 0 },
    Load { name: "64 tasks at once", rounds: 64, tasks: 64, suspensions: 0 },
    Load { name: "64 tasks, suspended 4 times each", rounds: 16, tasks: 64, suspensions: 4 },
];

/// Runs the load and drops the pool; gives the time that it took.
fn run(load: Load, log: Option<&Log>) -> Duration {
    let builder = CoroutinePool::builder().max_size(1_000);
    let builder = if let Some(log) = log { builder.listener(log.clone()) } else { builder };
    let begun = Instant::now();
    let mut pool = builder.build().expect("a pool without threads");
    for _ in 0..load.rounds {
        for _ in 0..load.tasks {
            let body = move || (0..load.suspensions).for_each(|_| suspend());
            drop(pool.spawn(body).expect("it runs"));
        }
        assert_eq!(pool.drain(None), Ok(DriveEnd::AllDone));
    }
    drop(pool);
    begun.elapsed()
}

/// Judges a log; gives the time that it took.
fn judge(log: &[Event], mut monitor: Monitor) -> Duration {
    let begun = Instant::now();
    for event in log {
        if let Err(report) = monitor.accept(*event) {
            panic!("{report}");
        }
    }
    begun.elapsed()
}

/// The best of some.
fn best(mut once: impl FnMut() -> Duration) -> Duration {
    (0..10).map(|_| once()).min().unwrap_or_default()
}

fn main() {
    println!("{:<34} {:>8} {:>10} {:>10} {:>10}", "ns per event", "events", "run", "told", "judged");
    for load in LOADS {
        let log = Log::default();
        run(load, Some(&log));
        let events = log.0.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let per_event = |time: Duration| time.as_secs_f64() * 1e9 / events.len() as f64;
        let plain = per_event(best(|| run(load, None)));
        let told = per_event(best(|| run(load, Some(&Log::default()))));
        let judged = per_event(best(|| judge(&events, Monitor::new(Params::default()))));
        println!("{:<34} {:>8} {plain:>10.1} {told:>10.1} {judged:>10.1}", load.name, events.len());
    }
}
