//! Submitting from outside: one or two threads without a seat submit batches of 1,000 empty tasks to a pool that one
//! background thread serves, and wait for each result.
//!
//! The time per element is that of one task across the threads: pushed to the injector, run, its waiter woken. It says
//! as much about the machine's wake-ups as about the pool; the seat sleeps whenever it has caught up.

use std::sync::Barrier;
use std::thread;
use std::time::{Duration, Instant};

use copool::PoolHandle;
use criterion::{BenchmarkId, Criterion, Throughput};

mod support;

const BATCH: u64 = 1_000;

/// Submits a batch and joins it, so many times over.
fn submit(pool: &PoolHandle, batches: u64) {
    for _ in 0..batches {
        let tasks: Vec<_> = (0..BATCH).map(|i| pool.spawn(move || i).expect("the pool runs")).collect();
        let sum: u64 = tasks.into_iter().map(|task| task.join().expect("returned")).sum();
        assert_eq!(sum, BATCH * (BATCH - 1) / 2);
    }
}

/// The time from the first submitter's begin to the last one's end.
fn run(pool: &PoolHandle, submitters: usize, batches: u64) -> Duration {
    let line = Barrier::new(submitters);
    thread::scope(|scope| {
        let submitters: Vec<_> = (0..submitters)
            .map(|_| {
                scope.spawn(|| {
                    line.wait();
                    // Read by the submitters, as a thread that only waits for them may be told late that they have begun.
                    let begin = Instant::now();
                    submit(pool, batches);
                    (begin, Instant::now())
                })
            })
            .collect();
        let times: Vec<_> = submitters.into_iter().map(|submitter| submitter.join().expect("returned")).collect();
        let begin = times.iter().map(|(begin, _)| *begin).min().expect("a submitter");
        let end = times.iter().map(|(_, end)| *end).max().expect("a submitter");
        end - begin
    })
}

fn cross_thread_submit(c: &mut Criterion) {
    let mut group = c.benchmark_group("cross_thread_submit");
    let mut pool = support::single_seat().threads(1).build().expect("a pool");
    for submitters in [1, 2] {
        group.throughput(Throughput::Elements(BATCH * submitters as u64));
        let id = BenchmarkId::from_parameter(submitters);
        group.bench_function(id, |b| b.iter_custom(|batches| run(&pool, submitters, batches)));
    }
    group.finish();
    // This thread's own seat was never driven: the background thread has run everything.
    assert_eq!(pool.outstanding(), 0);
    support::drain(&mut pool);
}

fn main() {
    support::run(cross_thread_submit);
}
