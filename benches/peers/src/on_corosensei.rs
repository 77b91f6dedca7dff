//! Bare corosensei coroutines: the limit for whatever is built on them. No queue, no task, no result to wait for.

use std::hint::black_box;
use std::time::Instant;

use corosensei::stack::DefaultStack;
use corosensei::{Coroutine, CoroutineResult};

use copool_peers::measure::{Round, alive_figures, fastest_ns, memory_kib, timed};
use copool_peers::workload::{BATCH, Workload, YIELDERS, YIELDS};

const STACK: usize = 64 * 1024;

pub(crate) fn run(workload: Workload) -> Round {
    match workload {
        Workload::Spawn => spawn().noting("a boxed closure on one reused stack"),
        Workload::Yield => yields(),
        Workload::Alive(count) => alive(count),
        _ => Round::NotOffered("only switches stacks"),
    }
}

fn spawn() -> Round {
    let mut stack = Some(DefaultStack::new(STACK).expect("a stack"));
    let mut closures: Vec<Box<dyn FnOnce() -> u64>> = Vec::new();
    let pass = || {
        timed(|| {
            closures.extend((0..BATCH).map(|i| Box::new(move || black_box(i)) as Box<dyn FnOnce() -> u64>));
            let mut sum = 0;
            for closure in closures.drain(..) {
                let idle = stack.take().expect("given back");
                let mut coroutine = Coroutine::<(), (), u64, _>::with_stack(idle, move |_, ()| closure());
                match coroutine.resume(()) {
                    CoroutineResult::Return(value) => sum += value,
                    CoroutineResult::Yield(()) => unreachable!("it does not yield"),
                }
                stack = Some(coroutine.into_stack());
            }
            assert_eq!(sum, BATCH * (BATCH - 1) / 2);
        })
    };
    Round::of("ns", fastest_ns(BATCH, pass))
}

fn yields() -> Round {
    let pass = || {
        let coroutine = |_| {
            let stack = DefaultStack::new(STACK).expect("a stack");
            Coroutine::<(), (), u64, _>::with_stack(stack, |yielder, ()| {
                (0..YIELDS).for_each(|_| yielder.suspend(()));
                YIELDS
            })
        };
        let mut coroutines: Vec<_> = (0..YIELDERS).map(coroutine).collect();
        let mut yields = 0;
        let time = timed(|| {
            for _ in 0..=YIELDS {
                for coroutine in &mut coroutines {
                    if let CoroutineResult::Return(count) = coroutine.resume(()) {
                        yields += count;
                    }
                }
            }
        });
        assert_eq!(yields, YIELDERS * YIELDS);
        time
    };
    Round::of("ns", fastest_ns(YIELDERS * YIELDS, pass))
}

fn alive(count: u64) -> Round {
    let before = memory_kib();
    let begin = Instant::now();
    let coroutine = |i| {
        let stack = DefaultStack::new(STACK).expect("a stack");
        let mut coroutine = Coroutine::<(), (), u64, _>::with_stack(stack, move |yielder, ()| {
            yielder.suspend(());
            i
        });
        assert!(matches!(coroutine.resume(()), CoroutineResult::Yield(())));
        coroutine
    };
    let coroutines: Vec<_> = (0..count).map(coroutine).collect();
    let (after, suspended) = (memory_kib(), begin.elapsed());
    let mut sum = 0;
    for mut coroutine in coroutines {
        match coroutine.resume(()) {
            CoroutineResult::Return(value) => sum += value,
            CoroutineResult::Yield(()) => unreachable!("it yields once"),
        }
    }
    assert_eq!(sum, count * (count - 1) / 2);
    alive_figures(count, after - before, suspended)
}
