//! What the contestants measure with: passes of the same work, the process's processor time, its memory.

use std::hint::black_box;
use std::sync::{Barrier, mpsc};
use std::time::{Duration, Instant};
use std::{fs, thread};

use crate::workload::{TIMERS, WAKES};

/// What a round of a workload on one side came to.
pub enum Round {
    /// Figures by their names, and what is to be known of them.
    Measured(Vec<(&'static str, f64)>, Option<&'static str>),
    /// The contestant has nothing that would do this work, and why.
    NotOffered(&'static str),
}

impl Round {
    pub fn of(name: &'static str, value: f64) -> Self {
        Self::Measured(vec![(name, value)], None)
    }

    /// Prints the figures for the parent process.
    pub fn print(&self) {
        match self {
            Self::Measured(values, note) => {
                values.iter().for_each(|(name, value)| println!("value\t{name}\t{value}"));
                note.iter().for_each(|note| println!("note\t{note}"));
            }
            Self::NotOffered(reason) => println!("not offered\t{reason}"),
        }
    }

    /// Adds what is to be known of the figures.
    pub fn noting(self, note: &'static str) -> Self {
        match self {
            Self::Measured(values, _) => Self::Measured(values, Some(note)),
            other => other,
        }
    }
}

/// So long the passes of a round go on, at least [`LEAST_PASSES`] of them.
const ENOUGH: Duration = Duration::from_millis(150);
const LEAST_PASSES: usize = 3;

/// The time of an operation in the fastest of some passes of so many operations each; the first does not count. The fastest
/// is the one that whatever else runs on the machine has disturbed least.
pub fn fastest_ns(operations: u64, mut pass: impl FnMut() -> Duration) -> f64 {
    pass();
    let begin = Instant::now();
    let mut times = Vec::new();
    while times.len() < LEAST_PASSES || begin.elapsed() < ENOUGH {
        times.push(pass().as_nanos() as f64 / operations as f64);
    }
    quantile(&mut times, 0.0)
}

/// The time that `f` takes.
pub fn timed(f: impl FnOnce()) -> Duration {
    let begin = Instant::now();
    f();
    begin.elapsed()
}

/// The value in the middle.
pub fn median(values: &mut [f64]) -> f64 {
    quantile(values, 0.5)
}

/// The value that this share of them does not exceed.
pub fn quantile(values: &mut [f64], share: f64) -> f64 {
    assert!(!values.is_empty(), "nothing was measured");
    values.sort_by(f64::total_cmp);
    values[((values.len() - 1) as f64 * share).round() as usize]
}

/// The processor time of the whole process, in nanoseconds.
pub fn cpu_ns() -> f64 {
    let mut sum = 0.0;
    for task in fs::read_dir("/proc/self/task").expect("Linux") {
        let path = task.expect("a thread").path().join("schedstat");
        if let Ok(line) = fs::read_to_string(path) {
            sum += line.split(' ').next().and_then(|time| time.parse::<f64>().ok()).expect("a number");
        }
    }
    sum
}

/// The resident memory of the process and the kernel's tables for it, in KiB.
pub fn memory_kib() -> f64 {
    let status = fs::read_to_string("/proc/self/status").expect("Linux");
    let field = |name: &str| -> f64 {
        let line = status.lines().find_map(|line| line.strip_prefix(name)).expect("a field of status");
        line.trim_end_matches("kB").trim().parse().expect("a number")
    };
    field("VmRSS:") + field("VmPTE:")
}

/// About two microseconds of work that touches no memory.
pub fn work(seed: u64) -> u64 {
    let mut x = seed;
    for _ in 0..1_000 {
        x = black_box(x.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1));
    }
    x
}

/// The figures of a workload that has kept so many tasks alive.
pub fn alive_figures(count: u64, kib: f64, suspended: Duration) -> Round {
    let (kib, ns) = (kib / count as f64, suspended.as_nanos() as f64 / count as f64);
    Round::Measured(vec![("KiB", kib), ("ns to create", ns)], None)
}

/// The time from when the first of so many threads begins `batch` until the last has ended it.
pub fn from_threads(threads: u32, batch: impl Fn() + Sync) -> Duration {
    let line = Barrier::new(threads as usize);
    let run = || {
        line.wait();
        let begin = Instant::now();
        batch();
        (begin, Instant::now())
    };
    let spans: Vec<_> = thread::scope(|scope| {
        let threads: Vec<_> = (0..threads).map(|_| scope.spawn(run)).collect();
        threads.into_iter().map(|thread| thread.join().expect("it does not panic")).collect()
    });
    let begin = spans.iter().map(|span| span.0).min().expect("a thread");
    spans.iter().map(|span| span.1).max().expect("a thread") - begin
}

/// The figures of timers that took so much processor time, and were so late each.
pub fn timer_figures(cpu: f64, mut late: Vec<f64>) -> Round {
    assert_eq!(late.len() as u64, TIMERS, "each has fired once");
    assert!(late.iter().all(|&late| late >= 0.0), "none fired early");
    Round::Measured(
        vec![
            ("ns of CPU", cpu / TIMERS as f64),
            ("µs late (median)", median(&mut late) / 1e3),
            ("µs late (99 %)", quantile(&mut late, 0.99) / 1e3),
        ],
        None,
    )
}

/// How long after `submit` its task runs, if the thread that runs it sleeps.
pub fn wakes(mut submit: impl FnMut(Instant, mpsc::Sender<Duration>)) -> Round {
    let mut latencies = Vec::new();
    for _ in 0..WAKES {
        thread::sleep(Duration::from_millis(1));
        let (tell, told) = mpsc::channel();
        submit(Instant::now(), tell);
        latencies.push(told.recv().expect("the task runs").as_nanos() as f64 / 1e3);
    }
    let slow = quantile(&mut latencies, 0.9);
    Round::Measured(vec![("µs (median)", median(&mut latencies)), ("µs (90 %)", slow)], None)
}
