//! rayon: tasks that never suspend.

use std::hint::black_box;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc;

use rayon::{ThreadPool, ThreadPoolBuilder};

use copool_peers::measure::{Round, fastest_ns, from_threads, timed, wakes, work};
use copool_peers::workload::{BATCH, TREE_DEPTH, UNEVEN, Workload};

pub(crate) fn run(workload: Workload) -> Round {
    match workload {
        Workload::Spawn => spawn().noting("a scope; results by a sum"),
        Workload::Tree(threads) => tree(threads).noting("rayon::join"),
        Workload::Submit(submitters) => submit(submitters).noting("results by a channel"),
        Workload::Wake => wake(),
        Workload::Steal(threads) => steal(threads).noting("a scope"),
        Workload::Priority | Workload::Syscall => Round::NotOffered("has nothing of the kind"),
        _ => Round::NotOffered("its tasks cannot suspend"),
    }
}

fn on_threads(threads: u32) -> ThreadPool {
    ThreadPoolBuilder::new().num_threads(threads as usize).build().expect("a pool")
}

fn spawn() -> Round {
    let pool = on_threads(1);
    let sum = AtomicU64::new(0);
    let pass = || {
        pool.install(|| {
            timed(|| {
                rayon::scope(|scope| {
                    for i in 0..BATCH {
                        let sum = &sum;
                        // Ordering: the end of the scope publishes the sum.
                        scope.spawn(move |_| _ = sum.fetch_add(black_box(i), Ordering::Relaxed));
                    }
                });
                // Ordering: as above.
                assert_eq!(sum.swap(0, Ordering::Relaxed), BATCH * (BATCH - 1) / 2);
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
    let (left, right) = rayon::join(|| node(depth - 1), || node(depth - 1));
    left + right
}

fn tree(threads: u32) -> Round {
    let pool = on_threads(threads);
    let pass = || timed(|| assert_eq!(pool.install(|| node(TREE_DEPTH)), 1 << TREE_DEPTH));
    Round::of("ns", fastest_ns((2 << TREE_DEPTH) - 1, pass))
}

fn submit(submitters: u32) -> Round {
    let pool = on_threads(1);
    let batch = || {
        let (tell, told) = mpsc::channel();
        for i in 0..BATCH {
            let tell = tell.clone();
            pool.spawn(move || tell.send(i).expect("somebody listens"));
        }
        drop(tell);
        assert_eq!(told.into_iter().sum::<u64>(), BATCH * (BATCH - 1) / 2);
    };
    Round::of("ns", fastest_ns(BATCH * u64::from(submitters), || from_threads(submitters, batch)))
}

fn wake() -> Round {
    let pool = on_threads(1);
    wakes(|begin, tell| pool.spawn(move || tell.send(begin.elapsed()).expect("somebody listens")))
}

fn steal(threads: u32) -> Round {
    let pool = on_threads(threads);
    let done = AtomicU64::new(0);
    let pass = || {
        pool.install(|| {
            timed(|| {
                rayon::scope(|scope| {
                    for i in 0..UNEVEN {
                        let done = &done;
                        scope.spawn(move |_| {
                            work(i);
                            // Ordering: the end of the scope publishes the count.
                            done.fetch_add(1, Ordering::Relaxed);
                        });
                    }
                });
                // Ordering: as above.
                assert_eq!(done.swap(0, Ordering::Relaxed), UNEVEN);
            })
        })
    };
    Round::of("ns", fastest_ns(UNEVEN, pass))
}
