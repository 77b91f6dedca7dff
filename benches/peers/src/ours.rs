//! copool.

use std::hint::black_box;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};

use copool::{Builder, CoroutinePool, DriveEnd, JoinError, JoinHandle, LocalOrder, PoolHandle, TaskRef};

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
        Workload::PingPong => ping_pong(),
        Workload::Alive(count) => alive(count),
        Workload::Submit(submitters) => submit(submitters),
        Workload::Timers => timers(),
        Workload::Wake => wake(),
        Workload::Cancel => cancel(),
        Workload::Priority => priority(),
        Workload::Syscall => syscall(),
        Workload::Steal(threads) => steal(threads),
    }
}

fn builder() -> Builder {
    CoroutinePool::builder().max_size(1 << 20)
}

fn single() -> CoroutinePool {
    builder().build().expect("a pool")
}

/// A pool that this thread drives, and so many threads in all.
fn on_threads(threads: u32, order: LocalOrder) -> CoroutinePool {
    builder().threads(threads - 1).local_order(order).build().expect("a pool")
}

fn drain(pool: &mut CoroutinePool) {
    let end = pool.drain(None).expect("the drive is not refused");
    assert!(matches!(end, DriveEnd::AllDone), "the drive ended with {end:?}");
}

fn take<T: Send + 'static>(mut task: JoinHandle<T>) -> T {
    task.try_join().expect("drained").expect("returned")
}

fn spawn() -> Round {
    let mut pool = single();
    let mut tasks = Vec::new();
    let pass = || {
        timed(|| {
            tasks.extend((0..BATCH).map(|i| pool.spawn(move || black_box(i)).expect("the pool runs")));
            drain(&mut pool);
            assert_eq!(tasks.drain(..).map(take).sum::<u64>(), BATCH * (BATCH - 1) / 2);
        })
    };
    Round::of("ns", fastest_ns(BATCH, pass))
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

fn tree(threads: u32) -> Round {
    let mut pool = on_threads(threads, LocalOrder::Lifo);
    let pass = || {
        timed(|| {
            let handle = pool.handle();
            let root = pool.spawn(move || node(&handle, TREE_DEPTH)).expect("the pool runs");
            drain(&mut pool);
            assert_eq!(take(root), 1 << TREE_DEPTH);
        })
    };
    Round::of("ns", fastest_ns((2 << TREE_DEPTH) - 1, pass))
}

fn yields() -> Round {
    let mut pool = single();
    let pass = || {
        let task = |_| {
            let task = pool.spawn(move || {
                (0..YIELDS).for_each(|_| copool::suspend());
                YIELDS
            });
            task.expect("the pool runs")
        };
        let tasks: Vec<_> = (0..YIELDERS).map(task).collect();
        let time = timed(|| drain(&mut pool));
        assert_eq!(tasks.into_iter().map(take).sum::<u64>(), YIELDERS * YIELDS);
        time
    };
    Round::of("ns", fastest_ns(YIELDERS * YIELDS, pass))
}

fn ping_pong() -> Round {
    let mut pool = single();
    let pass = || {
        let refs: Arc<[OnceLock<TaskRef>; 2]> = Arc::default();
        let player = |me: usize| {
            let refs = Arc::clone(&refs);
            let task = pool.spawn(move || {
                let other = refs[1 - me].get().expect("set before the drive");
                for _ in 0..ROUND_TRIPS {
                    if me == 0 {
                        other.unpark();
                        copool::park();
                    } else {
                        copool::park();
                        other.unpark();
                    }
                }
                ROUND_TRIPS
            });
            task.expect("the pool runs")
        };
        let tasks = [0, 1].map(player);
        for (cell, task) in refs.iter().zip(&tasks) {
            cell.set(task.task_ref()).expect("set once");
        }
        let time = timed(|| drain(&mut pool));
        assert_eq!(tasks.map(take), [ROUND_TRIPS; 2]);
        time
    };
    Round::of("ns", fastest_ns(ROUND_TRIPS, pass))
}

fn alive(count: u64) -> Round {
    let mut pool = builder().max_size(count.try_into().expect("fits")).build().expect("a pool");
    let before = memory_kib();
    let begin = Instant::now();
    let task = |i| {
        let task = pool.spawn(move || {
            copool::park();
            i
        });
        task.expect("the pool runs")
    };
    let tasks: Vec<_> = (0..count).map(task).collect();
    pool.try_schedule_task().expect("the drive is not refused");
    assert_eq!(u64::from(pool.get_running_size()), count, "every task is alive on its own worker");
    let (after, suspended) = (memory_kib(), begin.elapsed());
    tasks.iter().for_each(|task| task.task_ref().unpark());
    drain(&mut pool);
    assert_eq!(tasks.into_iter().map(take).sum::<u64>(), count * (count - 1) / 2);
    alive_figures(count, after - before, suspended)
}

fn submit(submitters: u32) -> Round {
    let pool = builder().threads(1).build().expect("a pool");
    let handle = pool.handle();
    let batch = || {
        let tasks: Vec<_> = (0..BATCH).map(|i| handle.spawn(move || i).expect("the pool runs")).collect();
        let sum: u64 = tasks.into_iter().map(|task| task.join().expect("returned")).sum();
        assert_eq!(sum, BATCH * (BATCH - 1) / 2);
    };
    Round::of("ns", fastest_ns(BATCH * u64::from(submitters), || from_threads(submitters, batch)))
}

fn timers() -> Round {
    let mut pool = single();
    let mut pass = |warm_up| {
        let (cpu, begin) = (cpu_ns(), Instant::now());
        let task = |i| {
            let due = begin + Duration::from_nanos(delay_ns(i, warm_up));
            let task = pool.spawn(move || {
                copool::delay(due.saturating_duration_since(Instant::now()));
                Instant::now().duration_since(due).as_nanos() as f64
            });
            task.expect("the pool runs")
        };
        let tasks: Vec<_> = (0..TIMERS).map(task).collect();
        drain(&mut pool);
        let lateness = tasks.into_iter().map(take).collect();
        (cpu_ns() - cpu, lateness)
    };
    pass(true);
    let (cpu, lateness) = pass(false);
    timer_figures(cpu, lateness)
}

fn wake() -> Round {
    let pool = builder().threads(1).build().expect("a pool");
    wakes(|begin, tell| {
        let task = pool.spawn(move || tell.send(begin.elapsed()).expect("somebody listens"));
        drop(task.expect("the pool runs"));
    })
}

fn cancel() -> Round {
    let mut pool = single();
    let pass = || {
        let tasks: Vec<_> = (0..CANCELS).map(|_| pool.spawn(copool::park).expect("the pool runs")).collect();
        pool.try_schedule_task().expect("the drive is not refused");
        timed(|| {
            tasks.iter().for_each(|task| {
                task.cancel();
            });
            drain(&mut pool);
            for mut task in tasks {
                assert!(matches!(task.try_join(), Some(Err(JoinError::Cancelled))), "each was cancelled");
            }
        })
    };
    Round::of("ns", fastest_ns(CANCELS, pass))
}

fn link(pool: &PoolHandle, waits: &Arc<Waits>, left: u64) {
    let (next, all, submitted) = (pool.clone(), Arc::clone(waits), waits.submitted());
    let task = pool.task().priority(-1).spawn(move || {
        all.urgent(submitted);
        if left > 1 {
            link(&next, &all, left - 1);
        }
    });
    task.expect("the pool runs");
}

fn priority() -> Round {
    let mut pool = single();
    let waits = Arc::new(Waits::default());
    let time = timed(|| {
        for _ in 0..PATIENT {
            let (all, submitted) = (Arc::clone(&waits), waits.submitted());
            pool.task().priority(10).spawn(move || all.patient(submitted)).expect("the pool runs");
        }
        (0..CHAINS).for_each(|_| link(&pool, &waits, CHAIN));
        drain(&mut pool);
    });
    waits.figures(time)
}

fn syscall() -> Round {
    let mut pool = single();
    let pass = || {
        let task = pool.spawn(|| (0..CALLS).map(|i| copool::syscall("call", || black_box(i))).sum::<u64>());
        let task = task.expect("the pool runs");
        let time = timed(|| drain(&mut pool));
        assert_eq!(take(task), CALLS * (CALLS - 1) / 2);
        time
    };
    Round::of("ns", fastest_ns(CALLS, pass))
}

fn steal(threads: u32) -> Round {
    let mut pool = on_threads(threads, LocalOrder::Fifo);
    let done = Arc::new(AtomicU64::new(0));
    let pass = || {
        let (handle, count) = (pool.handle(), Arc::clone(&done));
        let root = pool.spawn(move || {
            let task = |i| {
                let count = Arc::clone(&count);
                let task = handle.spawn(move || {
                    work(i);
                    // Ordering: the join publishes what is counted.
                    count.fetch_add(1, Ordering::Relaxed);
                });
                task.expect("the pool runs")
            };
            let tasks: Vec<_> = (0..UNEVEN).map(task).collect();
            tasks.into_iter().for_each(|task| task.join().expect("returned"));
        });
        let root = root.expect("the pool runs");
        let time = timed(|| drain(&mut pool));
        take(root);
        // Ordering: as above.
        assert_eq!(done.swap(0, Ordering::Relaxed), UNEVEN);
        time
    };
    Round::of("ns", fastest_ns(UNEVEN, pass))
}
