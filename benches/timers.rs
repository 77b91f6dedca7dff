//! Timers: tasks that each sleep once, for times in no order, on one seat with a virtual clock that jumps.
//!
//! The time per element is that of one timer: armed, fired, its task woken and ended; the task's spawn and join are in it
//! (see `spawn_join`). Nothing waits in real time.

use std::time::Duration;

use copool::VirtualClock;
use criterion::{BenchmarkId, Criterion, Throughput};

mod support;

/// A permutation of `1..=count` that is nowhere near sorted, as microseconds: no stack shall rest for a second, or it would
/// be emptied.
fn delays(count: u64) -> impl Iterator<Item = Duration> {
    // 7,919 is a prime that divides none of the counts.
    (0..count).map(move |i| Duration::from_micros(i * 7_919 % count + 1))
}

fn timers(c: &mut Criterion) {
    let mut group = c.benchmark_group("timers");
    for count in [1_000, 10_000, 100_000] {
        let clock = VirtualClock::auto();
        let mut pool = support::single_seat().clock(clock.clone()).build().expect("a pool");
        group.sample_size(if count > 10_000 { 10 } else { 100 });
        group.throughput(Throughput::Elements(count));
        group.bench_with_input(BenchmarkId::from_parameter(count), &count, |b, &count| {
            b.iter(|| {
                let begin = clock.now();
                let spawn = |delay| pool.spawn(move || copool::delay(delay)).expect("the pool runs");
                let tasks: Vec<_> = delays(count).map(spawn).collect();
                support::drain(&mut pool);
                assert_eq!(clock.now() - begin, Duration::from_micros(count));
                tasks.into_iter().for_each(|mut task| task.try_join().expect("drained").expect("returned"));
            });
        });
    }
    group.finish();
}

fn main() {
    support::run(timers);
}
