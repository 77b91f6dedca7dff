//! The hot paths for `ci/instructions`, which has callgrind count their instructions: `instructions PATH LENGTH` goes so
//! far along one path, and prints how many operations that were.
//!
//! A count is taken as the difference of two lengths, so that what a run begins and ends with is not in it. All paths
//! stay on one thread and on a clock that moves only when told, so that the same program executes the same instructions
//! each time. Without arguments, as `cargo bench` and `ci/bench-build` start it, every path is gone along once. Each
//! checks its results.

use std::env;
use std::hint::black_box;
use std::process::ExitCode;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use copool::{Builder, CoroutinePool, DriveEnd, JoinHandle, LocalOrder, PoolHandle, TaskRef, VirtualClock};

/// Tasks of a batch, all alive at once.
const BATCH: u64 = 1_000;
/// A full binary tree of this depth has 2,047 tasks.
const TREE_DEPTH: u32 = 10;

/// Goes so far, and says how many operations that were.
type Path = fn(length: u64) -> u64;

const PATHS: [(&str, Path); 5] =
    [("spawn", spawn), ("yield", yields), ("ping-pong", ping_pong), ("tree", tree), ("timers", timers)];

fn pool(builder: Builder) -> CoroutinePool {
    builder.max_size(1 << 20).build().expect("a pool")
}

fn drain(pool: &mut CoroutinePool) {
    let end = pool.drain(None).expect("the drive is not refused");
    assert!(matches!(end, DriveEnd::AllDone), "the drive ended with {end:?}");
}

fn take<T: Send + 'static>(mut task: JoinHandle<T>) -> T {
    task.try_join().expect("drained").expect("returned")
}

/// Batches of tasks that never suspend: spawn, run and join.
fn spawn(length: u64) -> u64 {
    let mut pool = pool(CoroutinePool::builder());
    let mut tasks = Vec::new();
    for _ in 0..length {
        tasks.extend((0..BATCH).map(|i| pool.spawn(move || black_box(i)).expect("the pool runs")));
        drain(&mut pool);
        assert_eq!(tasks.drain(..).map(take).sum::<u64>(), BATCH * (BATCH - 1) / 2);
    }
    length * BATCH
}

/// A batch of tasks that suspend in turn.
fn yields(length: u64) -> u64 {
    let mut pool = pool(CoroutinePool::builder());
    let task = |_| {
        let task = pool.spawn(move || {
            (0..length).for_each(|_| copool::suspend());
            length
        });
        task.expect("the pool runs")
    };
    let tasks: Vec<_> = (0..BATCH).map(task).collect();
    drain(&mut pool);
    tasks.into_iter().map(take).sum()
}

/// Two tasks that wake each other in turn: round trips.
fn ping_pong(length: u64) -> u64 {
    let mut pool = pool(CoroutinePool::builder());
    let refs: Arc<[OnceLock<TaskRef>; 2]> = Arc::default();
    let player = |me: usize| {
        let refs = Arc::clone(&refs);
        let task = pool.spawn(move || {
            let other = refs[1 - me].get().expect("set before the drive");
            for _ in 0..length {
                if me == 0 {
                    other.unpark();
                    copool::park();
                } else {
                    copool::park();
                    other.unpark();
                }
            }
            length
        });
        task.expect("the pool runs")
    };
    let tasks = [0, 1].map(player);
    for (cell, task) in refs.iter().zip(&tasks) {
        cell.set(task.task_ref()).expect("set once");
    }
    drain(&mut pool);
    assert_eq!(tasks.map(take), [length; 2]);
    length
}

/// The leaves below this task.
fn node(pool: &PoolHandle, depth: u32) -> u64 {
    if depth == 0 {
        return 1;
    }
    let child = || {
        let child = pool.clone();
        pool.spawn(move || node(&child, depth - 1)).expect("the pool runs")
    };
    let (left, right) = (child(), child());
    right.join().expect("returned") + left.join().expect("returned")
}

/// Trees of forks and joins, last in, first out.
fn tree(length: u64) -> u64 {
    let mut pool = pool(CoroutinePool::builder().local_order(LocalOrder::Lifo));
    for _ in 0..length {
        let handle = pool.handle();
        let root = pool.spawn(move || node(&handle, TREE_DEPTH)).expect("the pool runs");
        drain(&mut pool);
        assert_eq!(take(root), 1 << TREE_DEPTH);
    }
    length * ((2 << TREE_DEPTH) - 1)
}

/// Batches of tasks that each sleep once, for times in no order.
fn timers(length: u64) -> u64 {
    let clock = VirtualClock::auto();
    let mut pool = pool(CoroutinePool::builder().clock(clock.clone()));
    for _ in 0..length {
        let begin = clock.now();
        // 7,919 is a prime that does not divide the count.
        let delays = (0..BATCH).map(|i| Duration::from_millis(i * 7_919 % BATCH + 1));
        let tasks: Vec<_> =
            delays.map(|delay| pool.spawn(move || copool::delay(delay)).expect("the pool runs")).collect();
        drain(&mut pool);
        assert_eq!(clock.now() - begin, Duration::from_millis(BATCH));
        tasks.into_iter().for_each(take);
    }
    length * BATCH
}

fn main() -> ExitCode {
    let asked: Vec<String> = env::args().skip(1).filter(|argument| !argument.starts_with("--")).collect();
    match &asked[..] {
        [] => {
            for (name, path) in PATHS {
                println!("{name}: {} operations; ci/instructions counts", path(1));
            }
        }
        [name, length] => {
            let path = PATHS.iter().find(|(known, _)| known == name);
            let (Some((_, path)), Ok(length)) = (path, length.parse()) else {
                eprintln!("there is no path {name}, or no length {length}");
                return ExitCode::FAILURE;
            };
            println!("{}", path(length));
        }
        _ => {
            eprintln!("usage: instructions [PATH LENGTH]");
            return ExitCode::FAILURE;
        }
    }
    ExitCode::SUCCESS
}
