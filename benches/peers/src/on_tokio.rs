//! tokio: the current-thread runtime for one thread, the multi-thread runtime otherwise.

use std::future::Future;
use std::hint::black_box;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use tokio::runtime::{Builder, Handle, Runtime};
use tokio::sync::Notify;

use copool_peers::measure::{
    Round, alive_figures, cpu_ns, fastest_ns, from_threads, memory_kib, timed, timer_figures, wakes, work,
};
use copool_peers::waits::Waits;
use copool_peers::workload::{
    BATCH, CALLS, CANCELS, CHAIN, CHAINS, PATIENT, ROUND_TRIPS, TIMERS, TREE_DEPTH, UNEVEN, Workload, YIELDERS, YIELDS,
    delay_ns,
};

pub(crate) fn run(workload: Workload) -> Round {
    match workload {
        Workload::Spawn => spawn(),
        Workload::Tree(threads) => tree(threads),
        Workload::Yield => yields(),
        Workload::PingPong => ping_pong().noting("two tokio::sync::Notify"),
        Workload::Alive(count) => alive(count),
        Workload::Submit(submitters) => submit(submitters),
        Workload::Timers => timers().noting("its timers count in milliseconds"),
        Workload::Wake => wake(),
        Workload::Cancel => cancel(),
        Workload::Priority => priority().noting("no priorities: first in, first out"),
        Workload::Syscall => syscall().noting("spawn_blocking"),
        Workload::Steal(threads) => steal(threads),
    }
}

fn single() -> Runtime {
    Builder::new_current_thread().enable_time().build().expect("a runtime")
}

fn on_threads(threads: u32) -> Runtime {
    if threads == 1 {
        return single();
    }
    Builder::new_multi_thread().worker_threads(threads as usize).build().expect("a runtime")
}

fn spawn() -> Round {
    let runtime = single();
    let mut tasks = Vec::new();
    let pass = || {
        timed(|| {
            runtime.block_on(async {
                tasks.extend((0..BATCH).map(|i| tokio::spawn(async move { black_box(i) })));
                let mut sum = 0;
                for task in tasks.drain(..) {
                    sum += task.await.expect("returned");
                }
                assert_eq!(sum, BATCH * (BATCH - 1) / 2);
            });
        })
    };
    Round::of("ns", fastest_ns(BATCH, pass))
}

/// The leaves below this task.
fn node(depth: u32) -> Pin<Box<dyn Future<Output = u64> + Send>> {
    Box::pin(async move {
        if depth == 0 {
            return 1;
        }
        let (left, right) = (tokio::spawn(node(depth - 1)), tokio::spawn(node(depth - 1)));
        right.await.expect("returned") + left.await.expect("returned")
    })
}

fn tree(threads: u32) -> Round {
    let runtime = on_threads(threads);
    let pass = || {
        timed(|| {
            let leaves = runtime.block_on(async { tokio::spawn(node(TREE_DEPTH)).await.expect("returned") });
            assert_eq!(leaves, 1 << TREE_DEPTH);
        })
    };
    Round::of("ns", fastest_ns((2 << TREE_DEPTH) - 1, pass))
}

fn yields() -> Round {
    let runtime = single();
    let pass = || {
        let task = |_| {
            runtime.spawn(async {
                for _ in 0..YIELDS {
                    tokio::task::yield_now().await;
                }
                YIELDS
            })
        };
        let tasks: Vec<_> = (0..YIELDERS).map(task).collect();
        timed(|| {
            runtime.block_on(async {
                let mut sum = 0;
                for task in tasks {
                    sum += task.await.expect("returned");
                }
                assert_eq!(sum, YIELDERS * YIELDS);
            });
        })
    };
    Round::of("ns", fastest_ns(YIELDERS * YIELDS, pass))
}

fn ping_pong() -> Round {
    let runtime = single();
    let pass = || {
        let notes: Arc<[Notify; 2]> = Arc::default();
        let player = |me: usize| {
            let notes = Arc::clone(&notes);
            runtime.spawn(async move {
                for _ in 0..ROUND_TRIPS {
                    if me == 0 {
                        notes[1].notify_one();
                        notes[0].notified().await;
                    } else {
                        notes[1].notified().await;
                        notes[0].notify_one();
                    }
                }
                ROUND_TRIPS
            })
        };
        let [first, second] = [0, 1].map(player);
        timed(|| {
            runtime.block_on(async {
                assert_eq!(first.await.expect("returned") + second.await.expect("returned"), 2 * ROUND_TRIPS);
            });
        })
    };
    Round::of("ns", fastest_ns(ROUND_TRIPS, pass))
}

fn alive(count: u64) -> Round {
    let runtime = single();
    let (note, parked) = (Arc::new(Notify::new()), Arc::new(AtomicU64::new(0)));
    let before = memory_kib();
    let begin = Instant::now();
    let task = |i| {
        let (note, parked) = (Arc::clone(&note), Arc::clone(&parked));
        runtime.spawn(async move {
            // Ordering: one thread.
            parked.fetch_add(1, Ordering::Relaxed);
            note.notified().await;
            i
        })
    };
    let tasks: Vec<_> = (0..count).map(task).collect();
    runtime.block_on(async {
        // Ordering: one thread.
        while parked.load(Ordering::Relaxed) < count {
            tokio::task::yield_now().await;
        }
    });
    let (after, suspended) = (memory_kib(), begin.elapsed());
    note.notify_waiters();
    let sum = runtime.block_on(async {
        let mut sum = 0;
        for task in tasks {
            sum += task.await.expect("returned");
        }
        sum
    });
    assert_eq!(sum, count * (count - 1) / 2);
    alive_figures(count, after - before, suspended)
}

fn submit(submitters: u32) -> Round {
    let runtime = Builder::new_multi_thread().worker_threads(1).build().expect("a runtime");
    let handle: &Handle = runtime.handle();
    let batch = || {
        let tasks: Vec<_> = (0..BATCH).map(|i| handle.spawn(async move { i })).collect();
        let sum = handle.block_on(async {
            let mut sum = 0;
            for task in tasks {
                sum += task.await.expect("returned");
            }
            sum
        });
        assert_eq!(sum, BATCH * (BATCH - 1) / 2);
    };
    Round::of("ns", fastest_ns(BATCH * u64::from(submitters), || from_threads(submitters, batch)))
}

fn timers() -> Round {
    let runtime = single();
    let pass = |warm_up| {
        let (cpu, begin) = (cpu_ns(), Instant::now());
        let task = |i| {
            let due = begin + Duration::from_nanos(delay_ns(i, warm_up));
            runtime.spawn(async move {
                tokio::time::sleep_until(due.into()).await;
                Instant::now().duration_since(due).as_nanos() as f64
            })
        };
        let tasks: Vec<_> = (0..TIMERS).map(task).collect();
        let lateness = runtime.block_on(async {
            let mut lateness = Vec::new();
            for task in tasks {
                lateness.push(task.await.expect("returned"));
            }
            lateness
        });
        (cpu_ns() - cpu, lateness)
    };
    pass(true);
    let (cpu, lateness) = pass(false);
    timer_figures(cpu, lateness)
}

fn wake() -> Round {
    let runtime = Builder::new_multi_thread().worker_threads(1).build().expect("a runtime");
    wakes(|begin, tell| {
        runtime.spawn(async move { tell.send(begin.elapsed()).expect("somebody listens") });
    })
}

fn cancel() -> Round {
    let runtime = single();
    let pass = || {
        let tasks: Vec<_> = (0..CANCELS).map(|_| runtime.spawn(std::future::pending::<()>())).collect();
        // Each has started once this returns.
        runtime.block_on(async {
            for _ in 0..1_000 {
                tokio::task::yield_now().await;
            }
        });
        timed(|| {
            tasks.iter().for_each(|task| task.abort());
            runtime.block_on(async {
                for task in tasks {
                    assert!(task.await.expect_err("aborted").is_cancelled());
                }
            });
        })
    };
    Round::of("ns", fastest_ns(CANCELS, pass))
}

fn link(waits: Arc<Waits>, left: u64) {
    let submitted = waits.submitted();
    tokio::spawn(async move {
        waits.urgent(submitted);
        if left > 1 {
            link(waits, left - 1);
        }
    });
}

fn priority() -> Round {
    let runtime = single();
    let waits = Arc::new(Waits::default());
    let time = timed(|| {
        runtime.block_on(async {
            for _ in 0..PATIENT {
                let (all, submitted) = (Arc::clone(&waits), waits.submitted());
                tokio::spawn(async move { all.patient(submitted) });
            }
            (0..CHAINS).for_each(|_| link(Arc::clone(&waits), CHAIN));
            while !waits.is_done() {
                tokio::task::yield_now().await;
            }
        });
    });
    waits.figures(time)
}

fn syscall() -> Round {
    let runtime = single();
    let pass = || {
        let task = runtime.spawn(async {
            let mut sum = 0;
            for i in 0..CALLS {
                sum += tokio::task::spawn_blocking(move || black_box(i)).await.expect("returned");
            }
            sum
        });
        timed(|| {
            let sum = runtime.block_on(task).expect("returned");
            assert_eq!(sum, CALLS * (CALLS - 1) / 2);
        })
    };
    Round::of("ns", fastest_ns(CALLS, pass))
}

fn steal(threads: u32) -> Round {
    let runtime = on_threads(threads);
    let done = Arc::new(AtomicU64::new(0));
    let pass = || {
        let count = Arc::clone(&done);
        let root = async move {
            let task = |i| {
                let count = Arc::clone(&count);
                tokio::spawn(async move {
                    work(i);
                    // Ordering: the join publishes what is counted.
                    count.fetch_add(1, Ordering::Relaxed);
                })
            };
            let tasks: Vec<_> = (0..UNEVEN).map(task).collect();
            for task in tasks {
                task.await.expect("returned");
            }
        };
        let time = timed(|| runtime.block_on(runtime.spawn(root)).expect("returned"));
        // Ordering: as above.
        assert_eq!(done.swap(0, Ordering::Relaxed), UNEVEN);
        time
    };
    Round::of("ns", fastest_ns(UNEVEN, pass))
}
