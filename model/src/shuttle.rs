//! Checks under shuttle: large executions, their schedules drawn at random.
//!
//! Three schedulers draw them: at each step any thread that can run, and PCT, which runs the thread of the highest
//! priority and changes the order only `depth - 1` times, for the depths 2 and 3. None of them is exhaustive. The draws
//! follow from a seed, which stays the same from run to run unless [`SEED`] sets another.
//!
//! A failure prints the command that replays that one execution, and, if the check runs a [script](scripts), what the pool
//! told until then, as a sequence diagram.

pub mod input;
mod schedule;
pub mod scripts;

use std::cell::RefCell;
use std::fmt;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Instant;

use ::shuttle::scheduler::{
    PctScheduler, RandomScheduler, ReplayScheduler, Schedule, Scheduler, Task, TaskId,
    UncontrolledNondeterminismCheckScheduler,
};
use ::shuttle::{Config, FailurePersistence, Runner};
use schedule::Recording;

use crate::failing::{self, Watch};
use crate::setting::setting;
use crate::under_shuttle;

pub use ::shuttle::{rand, sync, thread};

/// The variable that sets how many executions each scheduler draws.
pub const ITERATIONS: &str = "COPOOL_SHUTTLE_ITERATIONS";

/// How many executions each scheduler draws if [`ITERATIONS`] is not set.
pub const DEFAULT_ITERATIONS: usize = 2_000;

/// The variable that sets the seed.
pub const SEED: &str = "COPOOL_SHUTTLE_SEED";

/// The variable that replays one execution of one check.
pub const REPLAY: &str = "COPOOL_SHUTTLE_REPLAY";

/// The stack of each of shuttle's threads: room for the backtrace of a failure.
const STACK: usize = 0x4_0000;

/// How a schedule is drawn.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Draw {
    Random,
    Pct(usize),
}

impl fmt::Display for Draw {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Random => f.write_str("random"),
            Self::Pct(depth) => write!(f, "PCT {depth}"),
        }
    }
}

const DRAWS: [Draw; 3] = [Draw::Random, Draw::Pct(2), Draw::Pct(3)];

/// Runs `f`, which has to start a thread, under shuttle with each scheduler, and says how many executions there were.
///
/// # Panics
/// If an execution fails, or none was run.
pub fn check(name: &'static str, f: impl Fn() + Send + Sync + 'static) -> usize {
    check_share(name, Share(1, 1), f)
}

/// So many parts of [`ITERATIONS`], of so many: a check that is one of a family takes less, one that draws more takes more.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Share(pub usize, pub usize);

/// [`check`] with another share of the executions.
///
/// # Panics
/// As [`check`] does.
pub fn check_share(name: &'static str, share: Share, f: impl Fn() + Send + Sync + 'static) -> usize {
    let f = Arc::new(f);
    if let Some(schedule) = to_replay(name) {
        let mut scheduler = ReplayScheduler::new_from_schedule(schedule);
        // The recording ends where the failure began.
        scheduler.set_allow_incomplete();
        return run(name, "the replay", scheduler, f);
    }
    let iterations = (setting(ITERATIONS, DEFAULT_ITERATIONS) * share.0).div_ceil(share.1);
    let seed = setting(SEED, 0);
    DRAWS
        .iter()
        .map(|draw| {
            let bound = draw.to_string();
            match *draw {
                Draw::Random => run(name, &bound, RandomScheduler::new_from_seed(seed, iterations), Arc::clone(&f)),
                Draw::Pct(depth) => {
                    run(name, &bound, PctScheduler::new_from_seed(seed, depth, iterations), Arc::clone(&f))
                }
            }
        })
        .sum()
}

/// Runs `f` twice under each of some random schedules, and fails if the second run goes another way than the first:
/// then something in `f` depends on more than the schedule, and no failure of its could be replayed.
///
/// # Panics
/// If an execution fails, goes another way, or none was run.
pub fn check_repeats(name: &'static str, f: impl Fn() + Send + Sync + 'static) -> usize {
    let scheduler = RandomScheduler::new_from_seed(setting(SEED, 0), setting(ITERATIONS, DEFAULT_ITERATIONS) / 2);
    run(name, "random, each twice", UncontrolledNondeterminismCheckScheduler::new(scheduler), Arc::new(f))
}

fn run<S, F>(name: &'static str, bound: &str, scheduler: S, f: Arc<F>) -> usize
where
    S: Scheduler + 'static,
    F: Fn() + Send + Sync + 'static,
{
    let start = Instant::now();
    let recording = Rc::<RefCell<Recording>>::default();
    let recorder = Recorder { inner: scheduler, recording: Rc::clone(&recording) };
    let watch = Watch::new({
        let bound = bound.to_owned();
        // The settings that the execution depends on are in the schedule.
        let command = move |recording: &Recording| failing::command(&[(REPLAY, format!("{name}:{recording}"))]);
        move || {
            // A scheduler that panics is writing.
            if let Ok(recording) = recording.try_borrow() {
                let execution = recording.number();
                eprintln!("shuttle {name}: {bound}: failed in execution {execution}; this replays it:");
                eprintln!("{}", command(&recording));
            }
        }
    });
    let executions = Runner::new(recorder, config()).run(move || {
        under_shuttle::checked::begin();
        failing::begin();
        f();
    });
    drop(watch);
    assert!(executions > 0, "shuttle ran no execution of {name}");
    println!("shuttle {name}: {bound}: {executions} executions in {:.2} s", start.elapsed().as_secs_f64());
    executions
}

fn config() -> Config {
    let mut config = Config::new();
    config.stack_size = STACK;
    // The recorder does it, in a form that names the check.
    config.failure_persistence = FailurePersistence::None;
    // Weak orderings count as SeqCst here; that is what loom is for.
    config.silence_warnings = true;
    config
}

/// The schedule that the environment asks to replay, if it is one of the check `name`.
fn to_replay(name: &str) -> Option<Schedule> {
    let text = std::env::var(REPLAY).ok()?;
    let (of, recording) = text.split_once(':').unwrap_or_else(|| panic!("{REPLAY} is {text:?}, which names no check"));
    (of == name).then(|| {
        let recording: Recording = recording.parse().unwrap_or_else(|error| panic!("{REPLAY} is {text:?}: {error}"));
        recording.schedule()
    })
}

/// A scheduler that leaves the decisions to another and writes them down.
#[derive(Debug)]
struct Recorder<S> {
    inner: S,
    recording: Rc<RefCell<Recording>>,
}

impl<S: Scheduler> Scheduler for Recorder<S> {
    fn new_execution(&mut self) -> Option<Schedule> {
        let schedule = self.inner.new_execution()?;
        self.recording.borrow_mut().begin(schedule.seed);
        Some(schedule)
    }

    fn next_task(&mut self, runnable: &[&Task], current: Option<TaskId>, is_yielding: bool) -> Option<TaskId> {
        let next = self.inner.next_task(runnable, current, is_yielding)?;
        self.recording.borrow_mut().task(next.into());
        Some(next)
    }

    fn next_u64(&mut self) -> u64 {
        self.recording.borrow_mut().random();
        self.inner.next_u64()
    }
}
