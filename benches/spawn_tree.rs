//! Fork and join: a binary tree of tasks, each of which spawns two children and joins them, on one seat in LIFO order.
//!
//! The time per element is that of one task of the tree, its two joins included. Every inner task suspends in its
//! joins, so a worker per level or so is alive at once.

use copool::{LocalOrder, PoolHandle};
use criterion::{BenchmarkId, Criterion, Throughput};

mod support;

/// The leaves below this task.
fn tree(pool: &PoolHandle, depth: u32) -> u64 {
    if depth == 0 {
        return 1;
    }
    let spawn = || {
        let child = pool.clone();
        pool.spawn(move || tree(&child, depth - 1)).expect("the pool runs")
    };
    let (left, right) = (spawn(), spawn());
    right.join().expect("returned") + left.join().expect("returned")
}

fn spawn_tree(c: &mut Criterion) {
    let mut group = c.benchmark_group("spawn_tree");
    let mut pool = support::single_seat().local_order(LocalOrder::Lifo).build().expect("a pool");
    for depth in [6, 10, 14] {
        group.throughput(Throughput::Elements((2 << depth) - 1));
        group.bench_with_input(BenchmarkId::from_parameter(depth), &depth, |b, depth| {
            b.iter(|| {
                let (handle, depth) = (pool.handle(), *depth);
                let mut root = pool.spawn(move || tree(&handle, depth)).expect("the pool runs");
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
