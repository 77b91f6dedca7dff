//! The ordered lane: its counts are exact under its lock, and a poll that reads them without it loses nothing.
//!
//! Complete. The models leave out the seats: what polls is a plain thread. That a look before sleeping does not miss a
//! task in the lane is in `sleep.rs`.

use copool_model::loom::{Bounds, check, thread};
use copool_model::under_loom::checked::pool::{End, Lane};
use copool_model::under_loom::spec::{Cancel, TaskId};
use copool_model::under_loom::{CoroutinePool, JoinHandle, PoolHandle};

fn submit(handle: &PoolHandle, priority: i64) -> JoinHandle<()> {
    handle.task().priority(priority).spawn(|| ()).unwrap()
}

fn pop(handle: &PoolHandle, end: End) -> Option<TaskId> {
    Lane::of(handle).pop(end).map(|task| task.id())
}

/// Nothing is left in the lane but what was counted, and the counts say so.
fn assert_empty(handle: &PoolHandle, tasks: &[JoinHandle<()>]) {
    assert!(Lane::of(handle).is_empty());
    for end in [End::Urgent, End::First, End::Oldest] {
        assert_eq!(pop(handle, end), None);
    }
    tasks.iter().for_each(|task| assert_ne!(task.cancel(), Cancel::AlreadyEnded));
    assert_eq!((handle.size(), handle.outstanding()), (0, 0));
}

/// A submitter of two tasks against a poll that takes by `end`; what it misses is there afterwards, in order.
fn submitter_and_poll(name: &'static str, priorities: [i64; 2], end: End) {
    check(name, Bounds::complete(), move || {
        let pool = CoroutinePool::builder().build().unwrap();
        let submitter = thread::spawn({
            let handle = pool.handle();
            move || priorities.map(|priority| submit(&handle, priority))
        });
        let early = pop(&pool, end);
        let tasks = submitter.join().unwrap();
        let mut rest: Vec<usize> = (0..2).filter(|n| early != Some(tasks[*n].id())).collect();
        rest.sort_by_key(|n| priorities[*n]);
        assert_eq!(rest.len(), 2 - usize::from(early.is_some()), "{early:?} is one of them");
        for n in rest {
            assert_eq!(pop(&pool, End::First), Some(tasks[n].id()));
        }
        assert_empty(&pool, &tasks);
    });
}

#[test]
fn each_task_is_taken_once_and_the_counts_end_at_zero() {
    submitter_and_poll("lane: two urgent tasks and a poll for them", [-1, -2], End::Urgent);
    submitter_and_poll("lane: a late and an urgent task and a poll for the head", [1, -1], End::First);
    submitter_and_poll("lane: two late tasks and an aged poll", [2, 1], End::Oldest);
}

#[test]
fn two_polls_take_each_task_once_and_in_order() {
    check("lane: two polls", Bounds::complete(), || {
        let pool = CoroutinePool::builder().build().unwrap();
        let tasks = [submit(&pool, 1), submit(&pool, -1)];
        let other = thread::spawn({
            let handle = pool.handle();
            move || pop(&handle, End::Urgent)
        });
        let here = pop(&pool, End::First);
        let there = other.join().unwrap();
        assert!(there.is_none_or(|id| id == tasks[1].id()));
        // The head is the urgent one unless the other has it.
        assert_eq!(here, Some(tasks[usize::from(there.is_none())].id()));
        assert_eq!(Lane::of(&pool).is_empty(), there.is_some());
        assert_eq!(pop(&pool, End::First).is_some(), there.is_none());
        assert_empty(&pool, &tasks);
    });
}
