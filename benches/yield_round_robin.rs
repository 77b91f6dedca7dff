//! Yielding: 1,000 tasks that suspend in turn on one seat, and 1,000 bare corosensei coroutines as the limit.
//!
//! The time per element is that of one suspension and the resumption that ends it. Both sides keep 1,000 stacks in use,
//! so both pay for their cache misses; the bare side has neither queue nor task.

use std::time::{Duration, Instant};

use copool::CoroutinePool;
use corosensei::{Coroutine, CoroutineResult};
use criterion::{Criterion, Throughput};

mod support;

const TASKS: u64 = 1_000;

/// The time in which every task yields `rounds` times.
fn pool_rounds(pool: &mut CoroutinePool, rounds: u64) -> Duration {
    let spawn = |_| {
        pool.spawn(move || {
            (0..rounds).for_each(|_| copool::suspend());
            rounds
        })
        .expect("the pool runs")
    };
    let tasks: Vec<_> = (0..TASKS).map(spawn).collect();
    let begin = Instant::now();
    support::drain(pool);
    let elapsed = begin.elapsed();
    let yields: u64 = tasks.into_iter().map(|mut task| task.try_join().expect("drained").expect("returned")).sum();
    assert_eq!(yields, TASKS * rounds);
    elapsed
}

/// The same with nothing between the coroutines and the loop that resumes them.
fn bare_rounds(rounds: u64) -> Duration {
    let mut coroutines: Vec<Coroutine<(), (), u64>> = (0..TASKS)
        .map(|_| {
            Coroutine::new(move |yielder, ()| {
                (0..rounds).for_each(|_| yielder.suspend(()));
                rounds
            })
        })
        .collect();
    let mut yields = 0;
    let begin = Instant::now();
    for round in 0..=rounds {
        for coroutine in &mut coroutines {
            match coroutine.resume(()) {
                CoroutineResult::Yield(()) => assert!(round < rounds),
                CoroutineResult::Return(rounds) => yields += rounds,
            }
        }
    }
    let elapsed = begin.elapsed();
    assert_eq!(yields, TASKS * rounds);
    elapsed
}

fn yield_round_robin(c: &mut Criterion) {
    let mut group = c.benchmark_group("yield_round_robin");
    group.throughput(Throughput::Elements(TASKS));
    let mut pool = support::single_seat().build().expect("a pool");
    // The stacks are mapped, and kept, before anything is measured.
    pool_rounds(&mut pool, 1);
    group.bench_function("copool", |b| b.iter_custom(|rounds| pool_rounds(&mut pool, rounds)));
    group.bench_function("corosensei", |b| b.iter_custom(bare_rounds));
    group.finish();
}

fn main() {
    support::run(yield_round_robin);
}
