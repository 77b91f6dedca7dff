//! How copool's costs grow: with the tasks, with the coroutines alive, with the priorities, with the seats; and what a
//! pool costs that has nothing to do.
//!
//! `-- growth [KIND…] [--rounds N] [--up-to SIZE]` measures, keeps the points in `benches/results/growth.tsv` and draws them;
//! larger points than asked for stay as they were kept. Each point of a round is a process of its own, and a round goes
//! through all points before the next begins. Costs are processor time of the process, user's and system's; within a
//! process the cheapest of some passes counts.

use std::collections::BTreeMap;
use std::error::Error;
use std::fmt::Write as _;
use std::process::Command;
use std::time::{Duration, Instant};
use std::{env, fs, thread};

use copool::{Builder, CoroutinePool, DriveEnd, JoinHandle};
use copool_peers::measure::{memory_kib, quantile, work};

use crate::contained::{self, Answer};
use crate::growth_plot;
use crate::rows::directory;

/// How a child's point begins: the flag before kind and size.
pub(crate) const POINT: &str = "--growth-point";

const ROUNDS: usize = 5;

/// What grows, how far, and what that is called.
pub(crate) const KINDS: [(&str, &[u64], &str); 5] = [
    ("tasks", &[1, 10, 100, 1_000, 10_000, 100_000, 1_000_000, 10_000_000], "tasks submitted before the first runs"),
    ("live", &[1, 10, 100, 1_000, 10_000, 100_000, 1_000_000], "coroutines alive at once"),
    ("priorities", &[1, 3, 10, 30, 100, 300, 1_000], "priorities among 100,000 tasks"),
    ("seats", &[1, 2, 4, 8, 16, 32, 64], "seats"),
    ("idle", &[1, 64], "background threads of an idle pool"),
];

/// Points from this size on are taken in so many rounds at most: they take seconds and gigabytes.
const LARGE: (u64, usize) = (1_000_000, 1);

/// So many operations a pass has at least, so that the clock's own cost does not count.
const PASS: u64 = 20_000;
const PASSES: usize = 7;
/// For so long a pool is watched that has nothing to do.
const WATCHED: Duration = Duration::from_secs(5);

/// The figures of a point, by name.
type Figures = Vec<(&'static str, f64)>;

/// Measures a point in this process, and prints its figures for the parent.
pub(crate) fn point(kind: &str, size: u64) {
    let figures = match kind {
        "tasks" => tasks(size),
        "live" => live(size),
        "priorities" => priorities(size),
        "seats" => seats(size),
        "idle" => idle(size),
        other => panic!("nothing grows that is called {other}"),
    };
    figures.iter().for_each(|(name, value)| println!("value\t{name}\t{value}"));
}

fn cpu_ns() -> f64 {
    let mut time = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    // SAFETY: the call writes to the given place, which outlives it.
    assert_eq!(unsafe { libc::clock_gettime(libc::CLOCK_PROCESS_CPUTIME_ID, &raw mut time) }, 0);
    time.tv_sec as f64 * 1e9 + time.tv_nsec as f64
}

/// The cost of an operation in the cheapest pass of so many; the first does not count unless it is the only one.
fn cheapest(operations: u64, mut pass: impl FnMut() -> f64) -> f64 {
    let passes = if operations < LARGE.0 { PASSES } else { 1 };
    let mut costs: Vec<f64> = (0..passes).map(|_| pass() / operations as f64).collect();
    quantile(&mut costs[usize::from(passes > 1)..], 0.0)
}

fn builder() -> Builder {
    CoroutinePool::builder().max_size(1 << 20)
}

fn drain(pool: &mut CoroutinePool) {
    let end = pool.drain(None).expect("the drive is not refused");
    assert!(matches!(end, DriveEnd::AllDone), "the drive ended with {end:?}");
}

fn take<T: Send + 'static>(mut task: JoinHandle<T>) -> T {
    task.try_join().expect("drained").expect("returned")
}

/// Spawn, run and join so many tasks.
fn tasks(count: u64) -> Figures {
    let mut pool = builder().build().expect("a pool");
    let mut tasks = Vec::with_capacity(usize::try_from(count).expect("fits"));
    // Few tasks are so soon done that the clock is read around many passes.
    let repeat = PASS.div_ceil(count);
    let cost = cheapest(count * repeat, || {
        let begin = cpu_ns();
        for _ in 0..repeat {
            tasks.extend((0..count).map(|i| pool.spawn(move || i).expect("the pool runs")));
            drain(&mut pool);
            assert_eq!(tasks.drain(..).map(take).sum::<u64>(), count * (count - 1) / 2);
        }
        cpu_ns() - begin
    });
    vec![("ns to spawn, run and join", cost)]
}

/// Has so many coroutines suspended at once, then lets each go on in turn.
fn live(count: u64) -> Figures {
    let mut pool = builder().build().expect("a pool");
    let yields = (PASS / count).max(2);
    let mut figures = Figures::new();
    let before = memory_kib();
    let begin = cpu_ns();
    let task = |_| {
        let task = pool.spawn(move || {
            copool::park();
            (0..yields).for_each(|_| copool::suspend());
            yields
        });
        task.expect("the pool runs")
    };
    let tasks: Vec<_> = (0..count).map(task).collect();
    pool.try_schedule_task().expect("the drive is not refused");
    assert_eq!(u64::from(pool.get_running_size()), count, "every task is alive on its own worker");
    figures.push(("ns to make, the first time", (cpu_ns() - begin) / count as f64));
    figures.push(("KiB", (memory_kib() - before) / count as f64));
    tasks.iter().for_each(|task| task.task_ref().unpark());
    let begin = cpu_ns();
    drain(&mut pool);
    // The wake-up and the end are a switch more.
    figures.push(("ns to yield", (cpu_ns() - begin) / (count * (yields + 1)) as f64));
    assert_eq!(tasks.into_iter().map(take).sum::<u64>(), count * yields);
    figures
}

/// Tasks of so many priorities in turn.
fn priorities(count: u64) -> Figures {
    const TASKS: u64 = 100_000;
    let mut pool = builder().build().expect("a pool");
    let cost = cheapest(TASKS, || {
        let begin = cpu_ns();
        let task = |i| {
            let priority = i64::try_from(i % count).expect("fits") + 1;
            pool.task().priority(priority).spawn(move || i).expect("the pool runs")
        };
        let tasks: Vec<_> = (0..TASKS).map(task).collect();
        drain(&mut pool);
        assert_eq!(tasks.into_iter().map(take).sum::<u64>(), TASKS * (TASKS - 1) / 2);
        cpu_ns() - begin
    });
    vec![("ns to spawn, run and join", cost)]
}

/// One task spawns work for all seats and waits for it: tasks that end at once, and such of one to two microseconds.
fn seats(count: u64) -> Figures {
    const TASKS: u64 = 50_000;
    let mut pool = builder().threads(u32::try_from(count).expect("fits") - 1).build().expect("a pool");
    let mut of = |does: fn(u64) -> u64| {
        let (mut cpu, mut wall, mut switched) = (Vec::new(), Vec::new(), Vec::new());
        for _ in 0..PASSES {
            let before = switches();
            let (handle, begin, start) = (pool.handle(), cpu_ns(), Instant::now());
            let root = pool.spawn(move || {
                let task = |i| handle.spawn(move || does(i)).expect("the pool runs");
                let tasks: Vec<_> = (0..TASKS).map(task).collect();
                tasks.into_iter().map(|task| task.join().expect("returned")).fold(0, u64::wrapping_add)
            });
            drain(&mut pool);
            wall.push(start.elapsed().as_nanos() as f64 / TASKS as f64);
            cpu.push((cpu_ns() - begin) / TASKS as f64);
            switched.push((switches() - before) as f64 / TASKS as f64);
            let expected = (0..TASKS).map(does).fold(0, u64::wrapping_add);
            assert_eq!(take(root.expect("the pool runs")), expected);
        }
        [cpu, wall, switched].map(|mut values| quantile(&mut values[1..], 0.5))
    };
    let [empty, empty_wall, empty_switches] = of(|i| i);
    let [busy, busy_wall, _] = of(work);
    vec![
        ("ns of CPU, empty tasks", empty),
        ("ns by the clock, empty tasks", empty_wall),
        ("switches of threads a task, empty tasks", empty_switches),
        ("ns of CPU, tasks of 1 to 2 µs", busy),
        ("ns by the clock, tasks of 1 to 2 µs", busy_wall),
    ]
}

/// How often the threads of this process have been switched away from, willingly or not.
fn switches() -> u64 {
    let of = |status: String| -> u64 {
        let fields = status.lines().filter(|line| line.contains("voluntary_ctxt_switches:"));
        fields
            .map(|line| line.split_whitespace().next_back().and_then(|n| n.parse::<u64>().ok()).expect("a number"))
            .sum()
    };
    let tasks = fs::read_dir("/proc/self/task").expect("Linux");
    tasks.map(|task| fs::read_to_string(task.expect("a thread").path().join("status")).map_or(0, of)).sum()
}

/// What a pool takes that has worked, has had a peak, and has nothing to do any more. The main thread sleeps too, once.
fn idle(threads: u64) -> Figures {
    let pool = builder().threads(u32::try_from(threads).expect("fits")).build().expect("a pool");
    let tasks: Vec<_> = (0..1_000).map(|_| pool.spawn(copool::park).expect("the pool runs")).collect();
    while pool.get_running_size() < 1_000 {
        thread::yield_now();
    }
    tasks.iter().for_each(|task| task.task_ref().unpark());
    while tasks.iter().any(|task| !task.is_finished()) {
        thread::yield_now();
    }
    // The memory of the peak goes back after a second.
    thread::sleep(Duration::from_secs(2));
    let (before, cpu) = (switches(), cpu_ns());
    thread::sleep(WATCHED);
    let (used, after) = (cpu_ns() - cpu, switches());
    let seconds = WATCHED.as_secs_f64();
    vec![
        ("µs of CPU in a second", used / 1e3 / seconds),
        ("switches in a second", (after - before) as f64 / seconds),
        ("stacks emptied before", pool.counters().stacks_emptied as f64),
    ]
}

/// The values of a figure at a point: kind, figure, size.
pub(crate) type Points = BTreeMap<(usize, String, u64), Vec<f64>>;

/// Measures, keeps and draws the points of the kinds asked for, or of all.
pub(crate) fn measure(arguments: &[&str]) -> Result<(), Box<dyn Error>> {
    let (mut rounds, mut up_to, mut asked, mut rest) = (ROUNDS, u64::MAX, Vec::new(), arguments.iter());
    while let Some(&argument) = rest.next() {
        match KINDS.iter().position(|(name, ..)| *name == argument) {
            Some(kind) => asked.push(kind),
            None if argument == "--rounds" => rounds = rest.next().ok_or("--rounds takes a number")?.parse()?,
            None if argument == "--up-to" => up_to = rest.next().ok_or("--up-to takes a number")?.parse()?,
            None => return Err(format!("nothing grows that is called {argument}").into()),
        }
    }
    let mut points = load();
    if rounds > 0 {
        points.retain(|(kind, _, size), _| *size > up_to || !(asked.is_empty() || asked.contains(kind)));
    }
    for round in 0..rounds {
        for (kind, (name, sizes, _)) in KINDS.iter().enumerate() {
            if asked.is_empty() || asked.contains(&kind) {
                for &size in sizes.iter().filter(|size| **size <= up_to && (**size < LARGE.0 || round < LARGE.1)) {
                    take_point(&mut points, kind, name, size)?;
                }
            }
        }
        keep(&points)?;
    }
    growth_plot::draw(&points)?;
    Ok(())
}

fn take_point(points: &mut Points, kind: usize, name: &str, size: u64) -> Result<(), Box<dyn Error>> {
    let mut command = Command::new(env::current_exe()?);
    command.args([POINT, name, &size.to_string()]);
    match contained::run(command) {
        Answer::Measured { values, .. } => {
            for (figure, value) in values {
                println!("{name:10} {size:>10} {figure:40} {value:.3}");
                points.entry((kind, figure, size)).or_default().push(value);
            }
            Ok(())
        }
        Answer::NotOffered(reason) | Answer::Failed(reason) => Err(format!("{name} {size}: {reason}").into()),
    }
}

/// All points, with every round's value.
fn keep(points: &Points) -> Result<(), Box<dyn Error>> {
    let mut text = String::from("# kind\tfigure\tsize\tmedian\tof each round\n");
    for ((kind, figure, size), values) in points {
        let all: Vec<_> = values.iter().map(|value| format!("{value:.3}")).collect();
        let middle = quantile(&mut values.clone(), 0.5);
        writeln!(text, "{}\t{figure}\t{size}\t{middle:.3}\t{}", KINDS[*kind].0, all.join(" "))?;
    }
    fs::create_dir_all(directory())?;
    Ok(fs::write(directory().join("growth.tsv"), text)?)
}

/// The points that are kept.
fn load() -> Points {
    let text = fs::read_to_string(directory().join("growth.tsv")).unwrap_or_default();
    let parse = |line: &str| {
        let fields: Vec<_> = line.split('\t').collect();
        let [kind, figure, size, _, values] = fields[..] else { return None };
        let kind = KINDS.iter().position(|(name, ..)| *name == kind)?;
        let values: Vec<f64> = values.split(' ').filter_map(|value| value.parse().ok()).collect();
        (!values.is_empty()).then_some(((kind, String::from(figure), size.parse().ok()?), values))
    };
    text.lines().filter(|line| !line.starts_with('#')).filter_map(parse).collect()
}
