//! One result, and several who take it, under loom: its place is touched by one of them.

use copool_model::loom::{Bounds, check, thread};
use copool_model::under_loom::{CoroutinePool, JoinError, TaskRef};

/// A task that has ended, whose handle was used up by a join that was refused.
fn given_up() -> TaskRef {
    let mut pool = CoroutinePool::default();
    let Err(JoinError::WouldBlockSeat(task)) = pool.spawn(|| 7).unwrap().join() else {
        panic!("a join on the thread of the task's seat is refused")
    };
    pool.try_schedule_task().unwrap();
    task
}

#[test]
fn racing_references_of_a_given_up_handle_take_its_result_once() {
    check("two takers", Bounds::preemptions(), || {
        let task = given_up();
        let other = thread::spawn({
            let task = task.clone();
            move || task.take::<i32>().is_ok()
        });
        let here = task.take::<i32>().is_ok();
        assert!(here ^ other.join().unwrap(), "one of them gets it");
    });
}

#[test]
fn the_handle_and_a_reference_of_a_submitted_task_take_its_result_once() {
    check("a handle and a reference", Bounds::preemptions(), || {
        let mut pool = CoroutinePool::default();
        let mut handle = pool.submit_task(None, |n| n, Some(3), None).unwrap();
        pool.try_schedule_task().unwrap();
        let other = thread::spawn({
            let task = handle.task_ref();
            move || task.take::<Option<usize>>().is_ok()
        });
        let here = handle.try_join().expect("it has ended").is_ok();
        assert!(here ^ other.join().unwrap(), "one of them gets it");
    });
}

#[test]
fn who_takes_while_the_task_ends_gets_the_result_or_is_told_that_it_runs() {
    check("a taker and the end", Bounds::preemptions(), || {
        let mut pool = CoroutinePool::default();
        let task = pool.submit_task(None, |n| n, Some(3), None).unwrap();
        let other = thread::spawn({
            let task = task.task_ref();
            move || match task.take::<Option<usize>>() {
                Ok(value) => assert_eq!(value, Some(3)),
                Err(why) => assert!(matches!(why, JoinError::Timeout(_)), "{why}"),
            }
        });
        pool.try_schedule_task().unwrap();
        other.join().unwrap();
    });
}
