//! Fork and join: a binary tree of tasks, each of which spawns two children and joins them, on one seat in LIFO order.
//!
//! The time per element is that of one task of the tree, its two joins included. Every inner task suspends in its
//! joins, so a worker per level or so is alive at once. The child that a LIFO seat finishes first is joined last, unless
//! `left first` says otherwise.

use copool::{LocalOrder, PoolHandle};
use criterion::{BenchmarkId, Criterion, Throughput};

mod support;

/// The leaves below this task.
fn tree(pool: &PoolHandle, depth: u32, left_first: bool) -> u64 {
    if depth == 0 {
        return 1;
    }
    let spawn = || {
        let child = pool.clone();
        pool.spawn(move || tree(&child, depth - 1, left_first)).expect("the pool runs")
    };
    let (left, right) = (spawn(), spawn());
    if left_first {
        return left.join().expect("returned") + right.join().expect("returned");
    }
    right.join().expect("returned") + left.join().expect("returned")
}

fn spawn_tree(c: &mut Criterion) {
    let mut group = c.benchmark_group("spawn_tree");
    let mut pool = support::single_seat().local_order(LocalOrder::Lifo).build().expect("a pool");
    for (order, depth) in [("", 6), ("", 10), ("", 14), ("left first", 14), ("", 19)] {
        let left_first = !order.is_empty();
        group.sample_size(if depth > 14 { 10 } else { 100 });
        group.throughput(Throughput::Elements((2 << depth) - 1));
        let id = if left_first { BenchmarkId::new(order, depth) } else { BenchmarkId::from_parameter(depth) };
        group.bench_with_input(id, &depth, |b, depth| {
            b.iter(|| {
                let (handle, depth) = (pool.handle(), *depth);
                let mut root = pool.spawn(move || tree(&handle, depth, left_first)).expect("the pool runs");
                support::drain(&mut pool);
                assert_eq!(root.try_join().expect("drained").expect("returned"), 1 << depth);
            });
        });
    }
    group.finish();
}

fn main() {
    support::run(spawn_tree);
}
