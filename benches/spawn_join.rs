//! Spawn, run and join: batches of 1,000 empty tasks on one seat, each result taken and checked.
//!
//! The time per element is that of one task's whole life: submitted, run on a worker, its result taken and its handle
//! dropped. `submit`, `run` and `join` time these three parts of it, each for the whole batch (`src/README.md` has what
//! they consist of).

use std::hint::black_box;
use std::time::{Duration, Instant};

use copool::{CoroutinePool, JoinHandle};
use criterion::{Criterion, Throughput};

mod support;

const BATCH: u64 = 1_000;

/// Runs a batch and adds the times of its parts to those given.
fn batch(pool: &mut CoroutinePool, tasks: &mut Vec<JoinHandle<u64>>, parts: &mut [Duration; 3]) {
    let begin = Instant::now();
    for i in 0..BATCH {
        tasks.push(pool.spawn(move || black_box(i)).expect("the pool runs"));
    }
    let submitted = Instant::now();
    support::drain(pool);
    let ran = Instant::now();
    let mut sum = 0;
    for mut task in tasks.drain(..) {
        sum += task.try_join().expect("drained").expect("returned");
    }
    let joined = Instant::now();
    assert_eq!(sum, BATCH * (BATCH - 1) / 2);
    for (part, time) in parts.iter_mut().zip([submitted - begin, ran - submitted, joined - ran]) {
        *part += time;
    }
}

fn spawn_join(c: &mut Criterion) {
    let mut group = c.benchmark_group("spawn_join");
    group.throughput(Throughput::Elements(BATCH));
    let mut pool = support::single_seat().build().expect("a pool");
    let mut tasks = Vec::new();
    let mut measure = |name, time: fn([Duration; 3]) -> Duration| {
        group.bench_function(name, |b| {
            b.iter_custom(|batches| {
                let mut parts = [Duration::ZERO; 3];
                (0..batches).for_each(|_| batch(&mut pool, &mut tasks, &mut parts));
                time(parts)
            });
        });
    };
    measure("1000", |parts| parts.iter().sum());
    measure("submit", |parts| parts[0]);
    measure("run", |parts| parts[1]);
    measure("join", |parts| parts[2]);
    group.finish();
}

fn main() {
    support::run(spawn_join);
}
