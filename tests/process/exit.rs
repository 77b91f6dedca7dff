//! The end of a process with suspended tasks, by an `exit` or by the return of its main function: it keeps its code, and what
//! the tasks may refer to stays as it is.

use std::mem::forget;
use std::panic::catch_unwind;

use copool::{CoroutinePool, park};

use crate::sentinel::{LOUD, assert_intact, forever, lend};
use crate::{End, alone, alone_on_main, name};

fn exit() {
    std::process::exit(42);
}

#[track_caller]
fn assert_exited(end: &End) {
    assert_eq!((end.code, end.signal), (Some(42), None), "{}", end.said);
    assert_intact(end);
}

#[test]
fn a_process_whose_main_thread_exits_with_suspended_tasks_keeps_its_exit_code_and_its_thread_locals() {
    let test = name!(a_process_whose_main_thread_exits_with_suspended_tasks_keeps_its_exit_code_and_its_thread_locals);
    let end = alone_on_main(test, || {
        let mut pool = CoroutinePool::default();
        pool.spawn(lend).unwrap();
        pool.try_schedule_task().unwrap();
        exit();
    });
    let Some(end) = end else { return };
    assert_exited(&end);
}

#[test]
fn a_main_thread_that_returns_with_tasks_of_a_forgotten_pool_keeps_its_thread_locals() {
    let end =
        alone_on_main(name!(a_main_thread_that_returns_with_tasks_of_a_forgotten_pool_keeps_its_thread_locals), || {
            let mut pool = CoroutinePool::default();
            pool.spawn(lend).unwrap();
            pool.try_schedule_task().unwrap();
            forget(pool);
        });
    let Some(end) = end else { return };
    end.succeeded();
    assert_intact(&end);
}

#[test]
fn a_main_thread_with_a_task_that_was_given_up_keeps_its_thread_locals() {
    let end = alone_on_main(name!(a_main_thread_with_a_task_that_was_given_up_keeps_its_thread_locals), || {
        let mut pool = CoroutinePool::default();
        let swallow = || LOUD.with(|_| while catch_unwind(forever).is_err() {});
        let task = pool.spawn(swallow).unwrap();
        pool.try_schedule_task().unwrap();
        task.cancel();
        pool.drain(None).unwrap();
        assert_eq!(pool.counters().stacks_leaked, 1);
        drop(pool);
        exit();
    });
    let Some(end) = end else { return };
    assert_exited(&end);
}

#[test]
fn a_main_thread_without_suspended_tasks_destroys_its_thread_locals() {
    let end = alone_on_main(name!(a_main_thread_without_suspended_tasks_destroys_its_thread_locals), || {
        // Used before the first drive, so destroyed after the thread has looked for suspended tasks.
        LOUD.with(|_| ());
        let mut pool = CoroutinePool::builder().min_size(1).build().unwrap();
        let task = pool.spawn(park).unwrap();
        pool.try_schedule_task().unwrap();
        task.task_ref().unpark();
        pool.drain(None).unwrap();
        forget(pool);
        exit();
    });
    let Some(end) = end else { return };
    assert_eq!((end.code, end.signal), (Some(42), None), "{}", end.said);
    assert!(end.said.contains("destroyed"), "{}", end.said);
}

#[test]
fn a_task_on_the_main_thread_that_exits_the_process_ends_it_with_its_code() {
    let test = name!(a_task_on_the_main_thread_that_exits_the_process_ends_it_with_its_code);
    let end = alone_on_main(test, || {
        let mut pool = CoroutinePool::default();
        pool.spawn(lend).unwrap();
        pool.try_schedule_task().unwrap();
        pool.spawn(exit).unwrap();
        let _ = pool.drain(None);
    });
    let Some(end) = end else { return };
    assert_exited(&end);
}

#[test]
fn a_task_on_any_other_thread_that_exits_the_process_ends_it_with_its_code() {
    let end = alone(name!(a_task_on_any_other_thread_that_exits_the_process_ends_it_with_its_code), || {
        let mut forgotten = CoroutinePool::default();
        forgotten.spawn(lend).unwrap();
        forgotten.try_schedule_task().unwrap();
        forget(forgotten);
        let mut pool = CoroutinePool::default();
        pool.spawn(exit).unwrap();
        let _ = pool.drain(None);
    });
    let Some(end) = end else { return };
    assert_exited(&end);
}
