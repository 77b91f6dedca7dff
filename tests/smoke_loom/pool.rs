//! The whole pool under loom: the smallest programs that have a second thread, with few preemptions.
//!
//! The pool's protocols have checks of their own, each alone; these find what goes wrong between them.

use std::time::Duration;

use copool_model::loom::{Bounds, check, thread};
use copool_model::under_loom::spec::PoolState;
use copool_model::under_loom::{CoroutinePool, DriveEnd, PoolHandle, suspend};

/// The whole pool takes many steps: one preemption is what a test of seconds can afford.
fn bounds() -> Bounds {
    Bounds::preemptions().at_most(1)
}

/// Nothing is left of a pool whose owner has gone.
fn assert_over(handle: &PoolHandle) {
    assert_eq!(handle.state(), PoolState::Stopped);
    assert_eq!((handle.size(), handle.outstanding(), handle.get_running_size()), (0, 0, 0));
}

#[test]
fn a_served_pool_wakes_for_a_task_from_elsewhere_and_for_its_stop() {
    check("serve, submit and stop", bounds(), || {
        let mut pool = CoroutinePool::builder().max_size(1).build().unwrap();
        let handle = pool.handle();
        let user = thread::spawn({
            let handle = handle.clone();
            move || {
                let task = handle.spawn(|| {
                    suspend();
                    7
                });
                assert_eq!(task.unwrap().join().unwrap(), 7);
                handle.stop(Duration::from_secs(1));
            }
        });
        assert_eq!(pool.serve().unwrap(), DriveEnd::Stopped);
        user.join().unwrap();
        drop(pool);
        assert_over(&handle);
    });
}

#[test]
fn two_seats_drain_one_pool() {
    check("two seats", bounds(), || {
        let mut pool = CoroutinePool::builder().max_size(2).build().unwrap();
        let handle = pool.handle();
        let mut first = pool.spawn(suspend).unwrap();
        let peer = thread::spawn({
            let handle = handle.clone();
            move || {
                let mut seat = handle.attach().unwrap();
                assert_eq!(seat.drain(None).unwrap(), DriveEnd::AllDone);
            }
        });
        assert_eq!(pool.drain(None).unwrap(), DriveEnd::AllDone);
        first.try_join().unwrap().unwrap();
        peer.join().unwrap();
        drop(pool);
        assert_over(&handle);
    });
}
