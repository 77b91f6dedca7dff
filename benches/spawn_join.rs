//! Spawn, run and join: batches of 1,000 empty tasks on one seat, each result taken and checked.
//!
//! The time per element is that of one task's whole life: submitted, run on a worker, its result taken.

use std::hint::black_box;

use criterion::{Criterion, Throughput};

mod support;

const BATCH: u64 = 1_000;

fn spawn_join(c: &mut Criterion) {
    let mut group = c.benchmark_group("spawn_join");
    group.throughput(Throughput::Elements(BATCH));
    let mut pool = support::single_seat().build().expect("a pool");
    let mut tasks = Vec::new();
    group.bench_function("1000", |b| {
        b.iter(|| {
            for i in 0..BATCH {
                tasks.push(pool.spawn(move || black_box(i)).expect("the pool runs"));
            }
            support::drain(&mut pool);
            let mut sum = 0;
            for mut task in tasks.drain(..) {
                sum += task.try_join().expect("drained").expect("returned");
            }
            assert_eq!(sum, BATCH * (BATCH - 1) / 2);
        });
    });
    group.finish();
}

fn main() {
    support::run(spawn_join);
}
