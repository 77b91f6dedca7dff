//! A thread that ends with suspended tasks: the process aborts with a message before anything that they may refer to is
//! gone. Without suspended tasks nothing happens.

use std::cell::{Cell, RefCell};
use std::mem::forget;
use std::panic::catch_unwind;
use std::sync::mpsc::channel;
use std::thread;

use copool::{CoroutinePool, park, suspend, syscall};

use crate::{End, alone, name};

const MESSAGE: &str = "copool: a thread ends while";

#[track_caller]
fn assert_aborted(end: &End, coroutines: usize) {
    assert_eq!(end.signal, Some(libc::SIGABRT), "code {:?}, {}", end.code, end.said);
    let wanted = format!("{MESSAGE} {coroutines} coroutines of pool");
    assert!(end.said.contains(&wanted), "{}", end.said);
}

#[track_caller]
fn assert_quiet(end: &End) {
    end.succeeded();
    assert!(!end.said.contains("copool:"), "{}", end.said);
}

/// No thread-local that a task had used was destroyed.
#[track_caller]
pub(super) fn assert_intact(end: &End) {
    if cfg!(target_env = "gnu") {
        assert!(!end.said.contains("destroyed"), "{}", end.said);
    }
}

pub(super) fn forever() {
    loop {
        park();
    }
}

#[test]
fn a_thread_that_ends_with_waiting_tasks_of_a_forgotten_pool_aborts_with_a_message() {
    let end = alone(name!(a_thread_that_ends_with_waiting_tasks_of_a_forgotten_pool_aborts_with_a_message), || {
        let mut pool = CoroutinePool::builder().name("forgotten").build().unwrap();
        for _ in 0..3 {
            pool.spawn(forever).unwrap();
        }
        pool.try_schedule_task().unwrap();
        forget(pool);
    });
    let Some(end) = end else { return };
    assert_aborted(&end, 3);
    assert!(end.said.contains("(forgotten)"), "the message names the pool: {}", end.said);
}

#[test]
fn a_thread_that_ends_with_tasks_of_a_forgotten_attached_seat_aborts_with_a_message() {
    let end = alone(name!(a_thread_that_ends_with_tasks_of_a_forgotten_attached_seat_aborts_with_a_message), || {
        let pool = CoroutinePool::default();
        let handle = pool.handle();
        let ended = thread::spawn(move || {
            let mut seat = handle.attach().unwrap();
            seat.spawn(forever).unwrap();
            seat.try_schedule_task().unwrap();
            forget(seat);
        });
        ended.join().unwrap();
    });
    let Some(end) = end else { return };
    assert_aborted(&end, 1);
}

#[test]
fn a_thread_that_ends_with_tasks_that_are_ready_to_go_on_aborts_with_a_message() {
    let end = alone(name!(a_thread_that_ends_with_tasks_that_are_ready_to_go_on_aborts_with_a_message), || {
        let mut pool = CoroutinePool::default();
        pool.spawn(|| {
            loop {
                suspend()
            }
        })
        .map(|task: copool::JoinHandle<()>| drop(task))
        .unwrap();
        let tick = pool.spawn(|| ()).unwrap();
        pool.wait(&tick).unwrap();
        assert_eq!(pool.counters().started, 2);
        forget(pool);
    });
    let Some(end) = end else { return };
    assert_aborted(&end, 1);
}

#[test]
fn a_thread_that_ends_with_a_syscall_in_flight_aborts_with_a_message() {
    let end = alone(name!(a_thread_that_ends_with_a_syscall_in_flight_aborts_with_a_message), || {
        let mut pool = CoroutinePool::default();
        let (started, running) = channel();
        pool.spawn(move || {
            syscall("in flight", move || {
                started.send(()).unwrap();
                thread::park_timeout(std::time::Duration::from_secs(30));
            });
        })
        .unwrap();
        pool.try_schedule_task().unwrap();
        running.recv().unwrap();
        forget(pool);
    });
    let Some(end) = end else { return };
    assert_aborted(&end, 1);
}

/// Says so when it is destroyed.
pub(super) struct Loud;
impl Drop for Loud {
    fn drop(&mut self) {
        eprintln!("destroyed");
    }
}

thread_local! {
    pub(super) static LOUD: Loud = const { Loud };
    static POOL: RefCell<Option<CoroutinePool>> = const { RefCell::new(None) };
}

#[test]
fn a_thread_that_ends_with_a_task_suspended_in_one_of_its_thread_locals_aborts() {
    let end = alone(name!(a_thread_that_ends_with_a_task_suspended_in_one_of_its_thread_locals_aborts), || {
        let mut pool = CoroutinePool::default();
        // First used inside the task, so after the first drive has begun.
        pool.spawn(|| LOUD.with(|_| forever())).unwrap();
        pool.try_schedule_task().unwrap();
        forget(pool);
    });
    let Some(end) = end else { return };
    assert_aborted(&end, 1);
    assert_intact(&end);
}

#[test]
fn a_thread_local_that_a_later_drive_uses_first_is_not_destroyed_before_the_abort() {
    let end = alone(name!(a_thread_local_that_a_later_drive_uses_first_is_not_destroyed_before_the_abort), || {
        let mut pool = CoroutinePool::default();
        pool.spawn(|| {
            suspend();
            park();
            lend();
        })
        .map(|task| {
            pool.try_schedule_task().unwrap();
            task.task_ref().unpark();
        })
        .unwrap();
        pool.try_schedule_task().unwrap();
        forget(pool);
    });
    let Some(end) = end else { return };
    assert_aborted(&end, 1);
    assert_intact(&end);
}

#[test]
fn a_thread_that_ends_after_a_task_on_it_was_given_up_with_its_stack_aborts() {
    let end = alone(name!(a_thread_that_ends_after_a_task_on_it_was_given_up_with_its_stack_aborts), || {
        let mut pool = CoroutinePool::default();
        let task = pool
            .spawn(|| {
                LOUD.with(|_| {
                    loop {
                        let _ = catch_unwind(forever);
                    }
                });
            })
            .unwrap();
        pool.try_schedule_task().unwrap();
        task.cancel();
        pool.drain(None).unwrap();
        assert_eq!(pool.counters().stacks_leaked, 1);
        drop(pool);
    });
    let Some(end) = end else { return };
    // What is on the leaked stack may refer to the thread's values.
    assert_eq!(end.signal, Some(libc::SIGABRT), "{}", end.said);
    assert_intact(&end);
}

#[test]
fn a_thread_that_ends_with_a_forgotten_pool_without_suspended_tasks_ends_quietly() {
    let end = alone(name!(a_thread_that_ends_with_a_forgotten_pool_without_suspended_tasks_ends_quietly), || {
        let mut pool = CoroutinePool::builder().min_size(2).build().unwrap();
        pool.spawn(suspend).unwrap();
        pool.drain(None).unwrap();
        pool.spawn(|| ()).unwrap();
        forget(pool);
    });
    let Some(end) = end else { return };
    assert_quiet(&end);
}

#[test]
fn a_pool_dropped_before_its_thread_ends_ends_quietly_with_tasks_in_every_state() {
    let end = alone(name!(a_pool_dropped_before_its_thread_ends_ends_quietly_with_tasks_in_every_state), || {
        let mut pool = CoroutinePool::default();
        pool.spawn(forever).unwrap();
        pool.spawn(|| LOUD.with(|_| forever())).unwrap();
        let tick = pool.spawn(suspend).unwrap();
        pool.wait(&tick).unwrap();
        drop(pool);
    });
    let Some(end) = end else { return };
    assert_quiet(&end);
}

#[test]
fn a_pool_in_a_thread_local_without_suspended_tasks_is_dropped_with_its_thread() {
    let end = alone(name!(a_pool_in_a_thread_local_without_suspended_tasks_is_dropped_with_its_thread), || {
        let mut pool = CoroutinePool::builder().threads(1).build().unwrap();
        pool.spawn(|| syscall("short", || ())).unwrap();
        pool.drain(None).unwrap();
        pool.spawn(forever).unwrap();
        POOL.with(|slot| *slot.borrow_mut() = Some(pool));
    });
    let Some(end) = end else { return };
    assert_quiet(&end);
}

/// Does something when it is destroyed with its thread.
struct AtEnd(Cell<Option<fn()>>);
impl Drop for AtEnd {
    fn drop(&mut self) {
        if let Some(run) = self.0.take() {
            run();
        }
    }
}

thread_local! {
    static AT_END: AtEnd = const { AtEnd(Cell::new(None)) };
}

#[test]
fn a_pool_is_built_used_and_dropped_in_the_destructor_of_a_thread_local() {
    let end = alone(name!(a_pool_is_built_used_and_dropped_in_the_destructor_of_a_thread_local), || {
        AT_END.with(|at_end| {
            at_end.0.set(Some(|| {
                let mut pool = CoroutinePool::builder().threads(1).build().unwrap();
                let task = pool
                    .spawn(|| {
                        suspend();
                        syscall("late", || 7)
                    })
                    .unwrap();
                pool.drain(None).unwrap();
                assert_eq!(task.join().unwrap(), 7);
                pool.spawn(forever).unwrap();
                pool.try_schedule_task().unwrap();
                drop(pool);
                suspend();
                park();
                assert!(copool::current().is_none());
                eprintln!("used to the end");
            }));
        });
    });
    let Some(end) = end else { return };
    assert_quiet(&end);
    assert!(end.said.contains("used to the end"), "{}", end.said);
}

#[test]
fn a_pool_with_suspended_tasks_in_a_thread_local_that_goes_first_is_dropped_with_its_thread() {
    let test = name!(a_pool_with_suspended_tasks_in_a_thread_local_that_goes_first_is_dropped_with_its_thread);
    let end = alone(test, || {
        let mut pool = CoroutinePool::default();
        pool.spawn(forever).unwrap();
        pool.try_schedule_task().unwrap();
        // First used after the first drive, so destroyed before the thread looks for suspended tasks.
        POOL.with(|slot| *slot.borrow_mut() = Some(pool));
    });
    let Some(end) = end else { return };
    assert_quiet(&end);
}

/// A task that has lent one of its thread's values to a scoped thread, which would still read it.
pub(super) fn lend() {
    LOUD.with(|loud| {
        thread::scope(|scope| {
            let read = move || {
                let _ = std::ptr::from_ref(loud);
                loop {
                    thread::park();
                }
            };
            // Of a given size, for `alone_on_main`.
            thread::Builder::new().stack_size(1 << 16).spawn_scoped(scope, read).unwrap();
            forever();
        })
    })
}
