//! The whole pool under shuttle, on real stacks: small programs, whose end state is asserted in every schedule.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use copool_model::shuttle::{check, check_repeats, thread};
use copool_model::under_shuttle::checked::ScriptedPanic;
use copool_model::under_shuttle::spec::{Cancel, Outcome, PoolState};
use copool_model::under_shuttle::{CoroutinePool, DriveEnd, JoinError, PoolHandle, delay, park, suspend, syscall};

/// Nothing is left of a pool whose owner has gone.
fn assert_over(handle: &PoolHandle) {
    assert_eq!(handle.state(), PoolState::Stopped);
    assert_eq!((handle.size(), handle.outstanding(), handle.get_running_size()), (0, 0, 0));
}

/// Counts its drops.
struct Dropped(Arc<AtomicUsize>);

impl Drop for Dropped {
    fn drop(&mut self) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }
}

/// Two seats, each with tasks that suspend; one of them joins a task of the other seat.
fn two_seats() {
    let mut pool = CoroutinePool::builder().max_size(3).build().unwrap();
    let handle = pool.handle();
    let mut first = pool
        .spawn(|| {
            suspend();
            1
        })
        .unwrap();
    let observer = first.task_ref();
    let peer = thread::spawn({
        let handle = handle.clone();
        move || {
            let mut seat = handle.attach().unwrap();
            let mut second = seat
                .spawn(move || {
                    let outcome = observer.wait().unwrap();
                    suspend();
                    outcome
                })
                .unwrap();
            assert_eq!(seat.drain(None).unwrap(), DriveEnd::AllDone);
            assert_eq!(second.try_join().unwrap().unwrap(), Outcome::Returned);
        }
    });
    assert_eq!(pool.wait(&first).unwrap(), DriveEnd::AllDone);
    assert_eq!(first.try_join().unwrap().unwrap(), 1);
    assert_eq!(pool.drain(None).unwrap(), DriveEnd::AllDone);
    peer.join().unwrap();
    assert_eq!((handle.size(), handle.outstanding()), (0, 0));
    drop(pool);
    assert_over(&handle);
}

#[test]
fn two_seats_run_suspending_tasks_to_their_end() {
    check("two seats", two_seats);
}

#[test]
fn the_whole_pool_follows_from_its_schedule() {
    check_repeats("two seats, again", two_seats);
}

#[test]
fn a_served_pool_takes_tasks_from_elsewhere_until_it_is_stopped() {
    check("serve and stop", || {
        let mut pool = CoroutinePool::builder().max_size(2).build().unwrap();
        let handle = pool.handle();
        let user = thread::spawn({
            let handle = handle.clone();
            move || {
                let doubled = handle.spawn(|| {
                    suspend();
                    21 * 2
                });
                assert_eq!(doubled.unwrap().join().unwrap(), 42);
                let panics = handle.spawn(|| ScriptedPanic("on purpose".to_owned()).raise()).unwrap();
                let payload = match panics.join() {
                    Err(JoinError::Panicked(payload)) => payload,
                    other => panic!("{other:?}"),
                };
                assert!(payload.is::<ScriptedPanic>());
                let report = handle.stop(Duration::from_secs(1));
                assert_eq!(report.abandoned, 0);
                assert!(handle.spawn(|| ()).is_err());
            }
        });
        assert_eq!(pool.serve().unwrap(), DriveEnd::Stopped);
        user.join().unwrap();
        drop(pool);
        assert_over(&handle);
    });
}

#[test]
fn a_cancelled_task_unwinds_wherever_it_waits_and_no_other_does() {
    check("cancel", || {
        let mut pool = CoroutinePool::builder().max_size(2).build().unwrap();
        let handle = pool.handle();
        let drops = Arc::new(AtomicUsize::new(0));
        let mut parked = pool
            .spawn({
                let dropped = Dropped(Arc::clone(&drops));
                move || {
                    let _dropped = dropped;
                    park();
                    suspend();
                    unreachable!("nobody unparks it");
                }
            })
            .unwrap();
        let canceller = thread::spawn({
            let task = parked.task_ref();
            move || {
                assert!(matches!(task.cancel(), Cancel::Requested | Cancel::NeverRuns));
                assert_eq!(task.wait().unwrap(), Outcome::Cancelled);
            }
        });
        let mut bystander = pool
            .spawn(|| {
                for _ in 0..3 {
                    suspend();
                }
                7
            })
            .unwrap();
        assert_eq!(pool.drain(None).unwrap(), DriveEnd::AllDone);
        canceller.join().unwrap();
        assert!(matches!(parked.try_join().unwrap(), Err(JoinError::Cancelled)));
        assert_eq!(bystander.try_join().unwrap().unwrap(), 7);
        assert_eq!(drops.load(Ordering::Relaxed), 1);
        drop(pool);
        assert_over(&handle);
    });
}

#[test]
fn a_dropped_pool_leaves_nobody_waiting() {
    let (met, missed) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicBool::new(false)));
    let (returned, abandoned) = (Arc::clone(&met), Arc::clone(&missed));
    check("drop with waiters", move || {
        let mut pool = CoroutinePool::builder().max_size(2).build().unwrap();
        let handle = pool.handle();
        let drops = Arc::new(AtomicUsize::new(0));
        let waiter = thread::spawn({
            let (handle, drops) = (handle.clone(), Arc::clone(&drops));
            move || {
                let dropped = Dropped(drops);
                let task = handle.spawn(move || {
                    suspend();
                    drop(dropped);
                });
                // Rejected, if the pool has gone by now.
                task.ok().map(|task| task.join().is_ok())
            }
        });
        pool.try_schedule_task().unwrap();
        drop(pool);
        match waiter.join().unwrap() {
            Some(true) => returned.store(true, Ordering::Relaxed),
            Some(false) => abandoned.store(true, Ordering::Relaxed),
            None => {}
        }
        assert_eq!(drops.load(Ordering::Relaxed), 1);
        assert_over(&handle);
    });
    assert!(met.load(Ordering::Relaxed) && missed.load(Ordering::Relaxed));
}

#[test]
fn timers_and_system_calls_come_back() {
    check("delay and syscall", || {
        let mut pool = CoroutinePool::builder().max_size(3).max_syscall_threads(1).build().unwrap();
        let mut slept = pool.spawn(|| delay(Duration::from_millis(50))).unwrap();
        let mut called = pool
            .spawn(|| {
                let here = 20;
                syscall("add", || here + 1)
            })
            .unwrap();
        assert_eq!(pool.drain(None).unwrap(), DriveEnd::AllDone);
        slept.try_join().unwrap().unwrap();
        assert_eq!(called.try_join().unwrap().unwrap(), 21);
        let handle = pool.handle();
        drop(pool);
        assert_over(&handle);
    });
}
