//! Drives from where none may begin: every way in which safe code can ask for a drive of a pool from inside one of its
//! own tasks, and drives of other pools in there, which are fine.

use std::cell::{Cell, RefCell};
use std::thread;
use std::time::{Duration, Instant};

use copool::{AttachError, CoroutinePool, DriveEnd, DriveError, JoinError, PoolState, delay, park, suspend, syscall};

use crate::common::within;
use crate::{Slot, assert_over, forever};

thread_local! {
    static POOL: RefCell<Option<CoroutinePool>> = const { RefCell::new(None) };
    static LEAKED: Cell<Option<&'static mut CoroutinePool>> = const { Cell::new(None) };
}

fn put(slot: &'static Slot, pool: CoroutinePool) -> copool::PoolHandle {
    let handle = pool.handle();
    slot.with(|slot| *slot.borrow_mut() = Some(pool));
    handle
}

fn drain(slot: &'static Slot) -> Result<DriveEnd, DriveError> {
    slot.with(|slot| slot.borrow_mut().as_mut().expect("the pool is in its slot").drain(None))
}

#[test]
fn a_pool_in_a_refcell_is_borrowed_while_its_tasks_run() {
    within("refcell", || {
        let handle = put(&POOL, CoroutinePool::default());
        let tries = handle.spawn(|| POOL.with(|pool| pool.try_borrow_mut().is_err())).unwrap();
        let panics = handle.spawn(|| drain(&POOL)).unwrap();
        assert_eq!(drain(&POOL), Ok(DriveEnd::AllDone));
        assert!(tries.join().unwrap());
        assert!(matches!(panics.join(), Err(JoinError::Panicked(_))), "by the cell's own panic");
        POOL.with(|pool| pool.take());
    });
}

#[test]
fn a_leaked_pool_in_a_cell_is_not_there_while_its_tasks_run() {
    within("leaked pool", || {
        let pool = Box::leak(Box::new(CoroutinePool::default()));
        let task = pool.spawn(|| LEAKED.take().is_none()).unwrap();
        LEAKED.set(Some(pool));
        let pool = LEAKED.take().unwrap();
        assert_eq!(pool.drain(None), Ok(DriveEnd::AllDone));
        assert!(task.join().unwrap());
    });
}

#[test]
fn every_drive_of_a_pool_that_a_stop_drives_is_refused_as_nested_inside_its_tasks() {
    within("drives below a stop", || {
        // A stop drives the seat without borrowing the pool, so a task can get hold of it.
        let handle = put(&POOL, CoroutinePool::default());
        let task = handle
            .spawn(|| {
                POOL.with(|pool| {
                    let mut pool = pool.borrow_mut();
                    let pool = pool.as_mut().unwrap();
                    let me = copool::current().unwrap();
                    assert_eq!(pool.try_schedule_task().unwrap_err().kind(), std::io::ErrorKind::ResourceBusy);
                    assert_eq!(pool.try_timed_schedule_task(Duration::MAX), Err(DriveError::Nested));
                    assert_eq!(pool.try_timeout_schedule_task(Instant::now()), Err(DriveError::Nested));
                    assert_eq!(pool.drain(None), Err(DriveError::Nested));
                    assert_eq!(pool.wait(&me), Err(DriveError::Nested));
                    assert_eq!(pool.serve(), Err(DriveError::Nested));
                    assert!(pool.attach().is_err());
                });
                suspend();
                7
            })
            .unwrap();
        let report = handle.stop(Duration::MAX);
        assert_eq!((report.state, report.abandoned), (PoolState::Stopped, 0));
        assert_eq!(task.join().unwrap(), 7);
        POOL.with(|pool| pool.take());
        assert_over(&handle);
    });
}

#[test]
fn a_drive_is_refused_two_pools_further_down_as_well() {
    within("nested twice", || {
        let handle = put(&POOL, CoroutinePool::default());
        let task = handle
            .spawn(|| {
                let mut middle = CoroutinePool::default();
                let inner = middle.spawn(|| POOL.with(|pool| pool.borrow_mut().as_mut().unwrap().drain(None))).unwrap();
                middle.drain(None).unwrap();
                inner.join().unwrap()
            })
            .unwrap();
        handle.stop(Duration::MAX);
        assert_eq!(task.join().unwrap(), Err(DriveError::Nested));
        POOL.with(|pool| pool.take());
    });
}

#[test]
fn another_pool_is_driven_inside_a_task_and_each_task_suspends_in_its_own() {
    within("other pool in a task", || {
        let mut outer = CoroutinePool::default();
        let task = outer
            .spawn(|| {
                let mut inner = CoroutinePool::default();
                let long = inner.spawn(park).unwrap();
                let short = inner
                    .spawn(|| {
                        suspend();
                        copool::current().unwrap().id()
                    })
                    .unwrap();
                let id = short.id();
                inner.try_schedule_task().unwrap();
                assert_eq!(short.join().unwrap(), id);
                // The outer task suspends while the inner pool lives on its stack, with a suspended task of its own.
                suspend();
                delay(Duration::from_millis(1));
                long.task_ref().unpark();
                assert_eq!(inner.drain(None), Ok(DriveEnd::AllDone));
                long.join().unwrap();
                copool::current().unwrap().id()
            })
            .unwrap();
        let other = outer.spawn(|| (0..10).for_each(|_| suspend())).unwrap();
        let id = task.id();
        assert_eq!(outer.drain(None), Ok(DriveEnd::AllDone));
        assert_eq!(task.join().unwrap(), id);
        other.join().unwrap();
    });
}

#[test]
fn a_pool_on_a_tasks_stack_is_stopped_from_another_task_of_the_same_thread() {
    within("stop of a pool on a task's stack", || {
        let mut outer = CoroutinePool::default();
        let (sender, receiver) = std::sync::mpsc::channel();
        let holds = outer
            .spawn(move || {
                let mut inner = CoroutinePool::default();
                let unwinds = inner.spawn(forever).unwrap();
                inner.try_schedule_task().unwrap();
                sender.send(inner.handle()).unwrap();
                park();
                inner.drain(None).unwrap();
                unwinds.task_ref().outcome()
            })
            .unwrap();
        let waker = holds.task_ref();
        let stops = outer
            .spawn(move || {
                let inner = receiver.recv().unwrap();
                inner.spawn(suspend).unwrap();
                let report = inner.stop(Duration::from_millis(5));
                waker.unpark();
                report.abandoned
            })
            .unwrap();
        assert_eq!(outer.drain(None), Ok(DriveEnd::AllDone));
        assert_eq!(stops.join().unwrap(), 1);
        assert_eq!(holds.join().unwrap(), Some(copool::Outcome::Abandoned));
    });
}

#[test]
fn a_syscall_in_place_cannot_drive_the_seat_it_runs_on() {
    within("drive in a syscall in place", || {
        let builder = || CoroutinePool::builder().max_syscall_threads(0);
        let handle = put(&POOL, builder().build().unwrap());
        let drives = handle
            .spawn(move || {
                syscall("in place", || {
                    let nested = POOL.with(|pool| pool.borrow_mut().as_mut().unwrap().drain(None));
                    // A suspension acts on the plain thread in there.
                    suspend();
                    park();
                    nested
                })
            })
            .unwrap();
        handle.stop(Duration::MAX);
        assert_eq!(drives.join().unwrap(), Err(DriveError::Nested));
        POOL.with(|pool| pool.take());

        let mut pool = builder().build().unwrap();
        let own = pool.handle();
        let attaches = pool.spawn(move || syscall("in place", || own.attach().map(drop))).unwrap();
        assert_eq!(pool.drain(None), Ok(DriveEnd::AllDone));
        assert_eq!(attaches.join().unwrap(), Err(AttachError::AlreadySeated));
    });
}

#[test]
fn a_syscall_on_a_helper_drives_the_pool_from_a_seat_of_its_own() {
    within("drive in a syscall on a helper", || {
        let mut pool = CoroutinePool::builder().threads(0).build().unwrap();
        let handle = pool.handle();
        let task = pool
            .spawn(move || {
                syscall("helper", || {
                    let mut seat = handle.attach().unwrap();
                    let inner = seat.spawn(|| 7).unwrap();
                    seat.wait(&inner).unwrap();
                    inner.join().unwrap()
                })
            })
            .unwrap();
        assert_eq!(pool.drain(None), Ok(DriveEnd::AllDone));
        assert_eq!(task.join().unwrap(), 7);
    });
}

#[test]
fn no_drive_begins_on_a_thread_that_panics_and_the_tasks_stay() {
    struct DriveOnDrop<'a>(&'a mut CoroutinePool);
    impl Drop for DriveOnDrop<'_> {
        fn drop(&mut self) {
            assert_eq!(self.0.drain(None), Err(DriveError::Unwinding));
            assert_eq!(self.0.try_schedule_task().unwrap_err().kind(), std::io::ErrorKind::ResourceBusy);
            assert_eq!(self.0.size(), 1);
        }
    }
    within("drive during a panic", || {
        let mut pool = CoroutinePool::default();
        let task = pool.spawn(|| 7).unwrap();
        let panicked = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
            let _drives = DriveOnDrop(&mut pool);
            panic!("on purpose");
        }));
        assert!(panicked.is_err());
        assert_eq!(pool.drain(None), Ok(DriveEnd::AllDone));
        assert_eq!(task.join().unwrap(), 7);
    });
}

#[test]
fn a_suspension_on_a_plain_thread_acts_on_the_thread() {
    within("suspensions outside", || {
        suspend();
        park();
        copool::checkpoint();
        delay(Duration::from_nanos(1));
        copool::park_timeout(Duration::from_nanos(1));
        assert_eq!(syscall("plain", || 7), 7);
        assert!(copool::current().is_none());
        thread::scope(|scope| {
            let mine = thread::current().id();
            scope.spawn(move || assert_ne!(syscall("here", || thread::current().id()), mine));
        });
    });
}
