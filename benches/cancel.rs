//! Cancelling suspended tasks, on one seat: each unwinds its stack.
//!
//! The time per element is that of one task. `request` is the call of `cancel` alone; `end` is all that comes after it: the
//! drive in which the tasks unwind, and the drop of their handles.

use std::time::{Duration, Instant};

use copool::{Cancel, CoroutinePool, JoinError};
use criterion::{BenchmarkId, Criterion, Throughput};

mod support;

/// The times in which so many suspended tasks are asked to end, and in which they end.
fn cancelled(pool: &mut CoroutinePool, count: u64) -> [Duration; 2] {
    let tasks: Vec<_> = (0..count).map(|_| pool.spawn(copool::park).expect("the pool runs")).collect();
    pool.try_schedule_task().expect("the drive is not refused");
    let begin = Instant::now();
    for task in &tasks {
        assert_eq!(task.cancel(), Cancel::Requested);
    }
    let requested = begin.elapsed();
    support::drain(pool);
    for mut task in tasks {
        assert!(matches!(task.try_join(), Some(Err(JoinError::Cancelled))), "each was cancelled");
    }
    [requested, begin.elapsed() - requested]
}

fn cancel(c: &mut Criterion) {
    let mut group = c.benchmark_group("cancel");
    for count in [1_000, 10_000] {
        let mut pool = support::single_seat().build().expect("a pool");
        group.throughput(Throughput::Elements(count));
        for (part, what) in ["request", "end"].into_iter().enumerate() {
            group.bench_with_input(BenchmarkId::new(what, count), &count, |b, &count| {
                b.iter_custom(|times| (0..times).map(|_| cancelled(&mut pool, count)[part]).sum());
            });
        }
    }
    group.finish();
}

fn main() {
    support::run(cancel);
}
