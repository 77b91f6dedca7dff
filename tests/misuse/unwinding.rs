//! Suspension calls in destructors while their task unwinds, by a panic or by a cancel: nothing suspends, nothing
//! throws.

use std::cell::Cell;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::mpsc::{Sender, channel};
use std::thread;
use std::time::Duration;

use copool::{
    CoroutineLocal, CoroutinePool, DriveEnd, DriveError, JoinError, Outcome, PoolHandle, TaskRef, checkpoint, current,
    delay, park, park_timeout, suspend, syscall,
};

use crate::common::within;
use crate::forever;
use crate::live::Live;

/// Calls everything that could suspend when it is dropped.
struct SuspendsOnDrop {
    pool: PoolHandle,
    /// A task of the same pool that never ends.
    other: TaskRef,
    done: Sender<Vec<String>>,
}

impl Drop for SuspendsOnDrop {
    fn drop(&mut self) {
        static LOCAL: CoroutineLocal<Cell<u32>> = CoroutineLocal::new(|| Cell::new(7));
        let mut wrong = Vec::new();
        let mut expect = |held: bool, claim: &str| {
            if !held {
                wrong.push(String::from(claim));
            }
        };
        expect(thread::panicking(), "the task unwinds");
        suspend();
        delay(Duration::MAX);
        park();
        park_timeout(Duration::MAX);
        checkpoint();
        let mine = thread::current().id();
        expect(syscall("in place", || thread::current().id()) == mine, "a syscall runs in place");
        expect(matches!(self.other.wait(), Err(JoinError::Unwinding(_))), "wait is refused");
        expect(matches!(self.other.wait_timeout(Duration::MAX), Err(JoinError::Unwinding(_))), "timed wait is refused");
        expect(current().is_some(), "the task is still current");
        expect(LOCAL.with(Cell::get) == Ok(7), "its locals are there");
        let mut inner = CoroutinePool::default();
        let task = inner.spawn(|| ()).unwrap();
        expect(inner.drain(None) == Err(DriveError::Unwinding), "no other pool is driven");
        drop(inner);
        expect(task.is_finished(), "but it is dropped");
        let spawned = self.pool.spawn(|| 7).unwrap();
        expect(matches!(spawned.join(), Err(JoinError::Unwinding(_))), "join is refused");
        expect(catch_unwind(suspend).is_ok(), "nothing throws");
        expect(thread::panicking(), "the task still unwinds");
        self.done.send(wrong).unwrap();
    }
}

/// Runs a task that unwinds by `how` over a destructor that tries to suspend, and says how it ended.
fn unwind_by(how: fn(), cancel: bool) -> Outcome {
    let mut pool = CoroutinePool::default();
    let never = pool.spawn(forever).unwrap();
    let (done, report) = channel();
    let drops = SuspendsOnDrop { pool: pool.handle(), other: never.task_ref(), done };
    let innocent = pool
        .spawn(|| {
            (0..20).all(|_| {
                suspend();
                !thread::panicking()
            })
        })
        .unwrap();
    let task = pool
        .spawn(move || {
            let _drops = drops;
            how();
        })
        .unwrap();
    pool.try_timed_schedule_task(Duration::ZERO).unwrap();
    let tick = pool.spawn(suspend).unwrap();
    pool.wait(&tick).unwrap();
    if cancel {
        task.cancel();
    }
    assert_eq!(pool.wait(&task), Ok(DriveEnd::AllDone));
    assert_eq!(pool.wait(&innocent), Ok(DriveEnd::AllDone));
    assert!(innocent.join().unwrap(), "no other task took itself to be unwinding");
    assert_eq!(report.recv().unwrap(), Vec::<String>::new());
    assert!(!never.is_finished());
    task.task_ref().outcome().unwrap()
}

#[test]
fn destructors_of_a_panicking_task_cannot_suspend() {
    let outcome = within("suspension while panicking", || {
        unwind_by(
            || {
                suspend();
                panic!("on purpose");
            },
            false,
        )
    });
    assert_eq!(outcome, Outcome::Panicked);
}

#[test]
fn destructors_of_a_cancelled_task_cannot_suspend() {
    let outcome = within("suspension while unwinding by a cancel", || unwind_by(forever, true));
    assert_eq!(outcome, Outcome::Cancelled);
}

#[test]
fn destructors_of_a_task_cancelled_in_a_syscall_cannot_suspend() {
    let outcome = within("suspension after a cancelled syscall", || {
        unwind_by(
            || loop {
                syscall("short", || ());
            },
            true,
        )
    });
    assert_eq!(outcome, Outcome::Cancelled);
}

#[test]
fn a_stop_from_the_destructor_of_an_unwinding_task_abandons_at_once() {
    struct StopsOnDrop(PoolHandle, Sender<usize>);
    impl Drop for StopsOnDrop {
        fn drop(&mut self) {
            self.1.send(self.0.stop(Duration::MAX).abandoned).unwrap();
        }
    }
    within("stop while unwinding", || {
        let mut pool = CoroutinePool::default();
        let never = pool.spawn(forever).unwrap();
        let (sender, report) = channel();
        let stops = StopsOnDrop(pool.handle(), sender);
        let task: copool::JoinHandle<()> = pool
            .spawn(move || {
                let _stops = stops;
                suspend();
                panic!("on purpose");
            })
            .unwrap();
        assert!(pool.drain(None).is_ok());
        let abandoned = report.recv().unwrap();
        assert_eq!(abandoned, 1, "all but the task itself");
        assert!(matches!(never.join(), Err(JoinError::Abandoned)));
        assert!(matches!(task.join(), Err(JoinError::Panicked(_))));
    });
}

#[test]
fn destructors_of_a_task_that_returns_may_suspend() {
    struct Suspends(Sender<bool>);
    impl Drop for Suspends {
        fn drop(&mut self) {
            suspend();
            delay(Duration::from_millis(1));
            self.0.send(thread::panicking()).unwrap();
        }
    }
    within("suspension in an ordinary destructor", || {
        static LOCAL: CoroutineLocal<Cell<Option<Suspends>>> = CoroutineLocal::new(|| Cell::new(None));
        let mut pool = CoroutinePool::default();
        let (sender, report) = channel();
        let (captured, local) = (Suspends(sender.clone()), Suspends(sender));
        pool.spawn(move || {
            LOCAL.with(|slot| slot.set(Some(local))).unwrap();
            drop(captured);
        })
        .unwrap();
        assert_eq!(pool.drain(None), Ok(DriveEnd::AllDone));
        assert_eq!(report.iter().collect::<Vec<_>>(), [false, false]);
    });
}

/// Suspends when it is dropped.
struct Suspends;
impl Drop for Suspends {
    fn drop(&mut self) {
        suspend();
    }
}

#[test]
fn a_task_that_panics_instead_of_unwinding_from_a_drop_during_a_panic_leaves_the_thread_sane() {
    within("panic of a task in a drop during a panic", || {
        let live = Live::default();
        let mut pool = CoroutinePool::default();
        let token = live.token();
        pool.spawn(move || {
            let _token = token;
            drop(catch_unwind(forever));
            let _suspends = Suspends;
            panic!("another one");
        })
        .map(|task: copool::JoinHandle<()>| drop(task))
        .unwrap();
        pool.try_schedule_task().unwrap();
        let panicked = catch_unwind(AssertUnwindSafe(move || {
            let _pool = pool;
            panic!("on purpose");
        }));
        assert!(panicked.is_err());
        assert!(!thread::panicking(), "the panic is over, and so is that of the task");
        let mut next = CoroutinePool::default();
        let task = next.spawn(|| 7).unwrap();
        assert_eq!(next.drain(None), Ok(DriveEnd::AllDone));
        assert_eq!(task.join().unwrap(), 7);
        assert_eq!(live.count(), 0);
    });
}

#[test]
fn calls_of_destructors_under_a_throw_leave_a_task_that_swallows_it_time_to_end() {
    struct Suspends;
    impl Drop for Suspends {
        fn drop(&mut self) {
            (0..2_000).for_each(|_| suspend());
        }
    }
    within("many calls under a throw in a drop during a panic", || {
        let mut pool = CoroutinePool::default();
        let live = Live::default();
        let token = live.token();
        let suspends = move || {
            let _token = token;
            let thrown = catch_unwind(|| {
                let _suspends = Suspends;
                forever();
            });
            drop(thrown);
            (0..100).for_each(|_| suspend());
        };
        pool.spawn(suspends).unwrap();
        pool.try_schedule_task().unwrap();
        let handle = dropped_during_a_panic(pool);
        assert_eq!(live.count(), 0, "it was not given up");
        crate::assert_over(&handle);
    });
}

#[test]
fn a_task_that_keeps_the_payload_of_its_cancel_cannot_hang_a_drop_during_a_panic() {
    within("kept payload in a drop during a panic", || {
        let mut pool = CoroutinePool::default();
        pool.spawn(|| {
            let kept = catch_unwind(forever);
            for _ in 0..100 {
                suspend();
            }
            drop(kept);
        })
        .unwrap();
        pool.try_schedule_task().unwrap();
        let handle = dropped_during_a_panic(pool);
        crate::assert_over(&handle);
    });
}

/// Drops the pool while its thread panics, and sees that the panic is over then.
fn dropped_during_a_panic(pool: CoroutinePool) -> PoolHandle {
    let handle = pool.handle();
    let panicked = catch_unwind(AssertUnwindSafe(move || {
        let _pool = pool;
        panic!("on purpose");
    }));
    assert!(panicked.is_err() && !thread::panicking());
    handle
}
