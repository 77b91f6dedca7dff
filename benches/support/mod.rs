//! What the criterion benches share: their `main`, a single-seat pool with room for every task, and a drive that must
//! end well.

use copool::{Builder, CoroutinePool, DriveEnd};
use criterion::Criterion;

/// Runs a bench as the command line asks.
pub(crate) fn run(bench: fn(&mut Criterion)) {
    let mut criterion = Criterion::default().configure_from_args();
    bench(&mut criterion);
    criterion.final_summary();
}

/// A pool of one seat that never runs out of workers.
pub(crate) fn single_seat() -> Builder {
    CoroutinePool::builder().name("bench").max_size(1 << 20)
}

/// Drives the pool until every task has its outcome.
pub(crate) fn drain(pool: &mut CoroutinePool) {
    let end = pool.drain(None).expect("the drive is not refused");
    assert!(matches!(end, DriveEnd::AllDone), "the drive ended with {end:?}");
}
