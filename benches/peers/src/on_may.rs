//! may. Its workers are not pinned to processors, as they would meet whatever else runs there.

use std::hint::black_box;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use may::coroutine::{self, Coroutine, JoinHandle};

use copool_peers::measure::{
    Round, alive_figures, cpu_ns, fastest_ns, from_threads, memory_kib, timed, timer_figures, wakes, work,
};
use copool_peers::waits::Waits;
use copool_peers::workload::{
    BATCH, CANCELS, CHAIN, CHAINS, PATIENT, ROUND_TRIPS, SMALL_TREE_DEPTH, TIMERS, UNEVEN, Workload, YIELDERS, YIELDS,
    delay_ns,
};

pub(crate) fn run(workload: Workload) -> Round {
    let threads = match workload {
        Workload::Tree(threads) | Workload::Steal(threads) => threads,
        _ => 1,
    };
    may::config().set_workers(threads as usize).set_worker_pin(false);
    match workload {
        Workload::Spawn => spawn_join(),
        Workload::Tree(_) => tree().noting("a tree of 2^14"),
        Workload::Yield => yields(),
        Workload::PingPong => ping_pong(),
        Workload::Alive(count) => inside(move || alive(count)),
        Workload::Submit(submitters) => submit(submitters),
        Workload::Timers => inside(timers),
        Workload::Wake => wakes(|begin, tell| drop(spawn(move || tell.send(begin.elapsed()).expect("a listener")))),
        Workload::Cancel => inside(cancel),
        Workload::Priority => inside(priority).noting("no priorities: first in, first out"),
        Workload::Syscall => Round::NotOffered("has no way to run a blocking call elsewhere"),
        Workload::Steal(_) => steal(),
    }
}

fn spawn<T: Send + 'static>(f: impl FnOnce() -> T + Send + 'static) -> JoinHandle<T> {
    // SAFETY: no closure here holds a reference to a thread-local across a suspension, nor overflows its stack.
    unsafe { coroutine::spawn(f) }
}

/// Runs `f` as a coroutine, and waits for it.
fn inside<T: Send + 'static>(f: impl FnOnce() -> T + Send + 'static) -> T {
    spawn(f).join().expect("returned")
}

fn spawn_join() -> Round {
    let pass = || {
        inside(|| {
            timed(|| {
                let tasks: Vec<_> = (0..BATCH).map(|i| spawn(move || black_box(i))).collect();
                let sum: u64 = tasks.into_iter().map(|task| task.join().expect("returned")).sum();
                assert_eq!(sum, BATCH * (BATCH - 1) / 2);
            })
        })
    };
    Round::of("ns", fastest_ns(BATCH, pass))
}

/// The leaves below this task.
fn node(depth: u32) -> u64 {
    if depth == 0 {
        return 1;
    }
    let (left, right) = (spawn(move || node(depth - 1)), spawn(move || node(depth - 1)));
    right.join().expect("returned") + left.join().expect("returned")
}

fn tree() -> Round {
    let pass = || timed(|| assert_eq!(inside(|| node(SMALL_TREE_DEPTH)), 1 << SMALL_TREE_DEPTH));
    Round::of("ns", fastest_ns((2 << SMALL_TREE_DEPTH) - 1, pass))
}

fn yields() -> Round {
    let pass = || {
        inside(|| {
            timed(|| {
                let task = |_| {
                    spawn(|| {
                        (0..YIELDS).for_each(|_| coroutine::yield_now());
                        YIELDS
                    })
                };
                let tasks: Vec<_> = (0..YIELDERS).map(task).collect();
                let sum: u64 = tasks.into_iter().map(|task| task.join().expect("returned")).sum();
                assert_eq!(sum, YIELDERS * YIELDS);
            })
        })
    };
    Round::of("ns", fastest_ns(YIELDERS * YIELDS, pass))
}

fn ping_pong() -> Round {
    let pass = || {
        inside(|| {
            timed(|| {
                let first = coroutine::current();
                let second = spawn(move || {
                    for _ in 0..ROUND_TRIPS {
                        coroutine::park();
                        first.unpark();
                    }
                    ROUND_TRIPS
                });
                for _ in 0..ROUND_TRIPS {
                    second.coroutine().unpark();
                    coroutine::park();
                }
                assert_eq!(second.join().expect("returned"), ROUND_TRIPS);
            })
        })
    };
    Round::of("ns", fastest_ns(ROUND_TRIPS, pass))
}

fn alive(count: u64) -> Round {
    let parked = Arc::new(AtomicU64::new(0));
    let before = memory_kib();
    let begin = Instant::now();
    let parent = coroutine::current();
    let task = |i| {
        let (parked, parent) = (Arc::clone(&parked), parent.clone());
        spawn(move || {
            // Ordering: one thread.
            if parked.fetch_add(1, Ordering::Relaxed) + 1 == count {
                parent.unpark();
            }
            coroutine::park();
            i
        })
    };
    let tasks: Vec<_> = (0..count).map(task).collect();
    coroutine::park();
    let (after, suspended) = (memory_kib(), begin.elapsed());
    tasks.iter().for_each(|task| task.coroutine().unpark());
    assert_eq!(tasks.into_iter().map(|task| task.join().expect("returned")).sum::<u64>(), count * (count - 1) / 2);
    alive_figures(count, after - before, suspended)
}

fn submit(submitters: u32) -> Round {
    let batch = || {
        let tasks: Vec<_> = (0..BATCH).map(|i| spawn(move || i)).collect();
        let sum: u64 = tasks.into_iter().map(|task| task.join().expect("returned")).sum();
        assert_eq!(sum, BATCH * (BATCH - 1) / 2);
    };
    Round::of("ns", fastest_ns(BATCH * u64::from(submitters), || from_threads(submitters, batch)))
}

fn timers() -> Round {
    let pass = |warm_up| {
        let (cpu, begin) = (cpu_ns(), Instant::now());
        let task = |i| {
            let due = begin + Duration::from_nanos(delay_ns(i, warm_up));
            spawn(move || {
                coroutine::sleep(due.saturating_duration_since(Instant::now()));
                let now = Instant::now();
                // Below zero if it fired early.
                now.saturating_duration_since(due).as_nanos() as f64
                    - due.saturating_duration_since(now).as_nanos() as f64
            })
        };
        let tasks: Vec<_> = (0..TIMERS).map(task).collect();
        let lateness = tasks.into_iter().map(|task| task.join().expect("returned")).collect();
        (cpu_ns() - cpu, lateness)
    };
    pass(true);
    let (cpu, lateness) = pass(false);
    timer_figures(cpu, lateness)
}

fn cancel() -> Round {
    let pass = || {
        let parked = Arc::new(AtomicU64::new(0));
        let parent = coroutine::current();
        let task = |_| {
            let (parked, parent) = (Arc::clone(&parked), parent.clone());
            spawn(move || {
                // Ordering: one thread.
                if parked.fetch_add(1, Ordering::Relaxed) + 1 == CANCELS {
                    parent.unpark();
                }
                coroutine::park();
            })
        };
        let tasks: Vec<_> = (0..CANCELS).map(task).collect();
        coroutine::park();
        timed(|| {
            for task in &tasks {
                // SAFETY: the task holds nothing but a counted reference.
                unsafe { task.coroutine().cancel() };
            }
            tasks.into_iter().for_each(|task| assert!(task.join().is_err(), "cancelled"));
        })
    };
    Round::of("ns", fastest_ns(CANCELS, pass))
}

fn link(waits: Arc<Waits>, parent: Coroutine, left: u64) {
    let submitted = waits.submitted();
    spawn(move || {
        waits.urgent(submitted);
        if left > 1 {
            link(waits, parent, left - 1);
        } else if waits.is_done() {
            parent.unpark();
        }
    });
}

fn priority() -> Round {
    let (waits, parent) = (Arc::new(Waits::default()), coroutine::current());
    let time = timed(|| {
        for _ in 0..PATIENT {
            let (all, parent, submitted) = (Arc::clone(&waits), parent.clone(), waits.submitted());
            spawn(move || {
                all.patient(submitted);
                if all.is_done() {
                    parent.unpark();
                }
            });
        }
        (0..CHAINS).for_each(|_| link(Arc::clone(&waits), parent.clone(), CHAIN));
        coroutine::park();
    });
    waits.figures(time)
}

fn steal() -> Round {
    let expected = (0..UNEVEN).fold(0, |sum, i| sum ^ work(i));
    let pass = || {
        inside(move || {
            timed(|| {
                let task = |i| spawn(move || work(i));
                let tasks: Vec<_> = (0..UNEVEN).map(task).collect();
                // Each result has a share in it, so that none is left out.
                let sum = tasks.into_iter().fold(0, |sum: u64, task| sum ^ task.join().expect("returned"));
                assert_eq!(sum, expected);
            })
        })
    };
    Round::of("ns", fastest_ns(UNEVEN, pass))
}
