//! The note that `max_size` was lowered: as long as there are workers above it, and not longer. And tasks for which there was
//! no stack.

use crate::pool::Shared;
use crate::sync::{Arc, Mutex};
use crate::task::{JoinHandle, TaskRef};
use crate::{CoroutinePool, park};

/// A pool with two tasks that wait, each on its worker.
fn two_wait() -> (CoroutinePool, [TaskRef; 2]) {
    let mut pool = CoroutinePool::default();
    let tasks = [(), ()].map(|()| pool.spawn(park).unwrap().task_ref());
    pool.try_schedule_task().unwrap();
    assert_eq!(pool.get_running_size(), 2);
    (pool, tasks)
}

fn is_lowered(pool: &CoroutinePool) -> bool {
    let shared: &Shared = pool.seat().shared();
    shared.signals.read().is_lowered()
}

#[test]
fn a_max_that_is_not_below_the_count_is_not_noted() {
    let (pool, _tasks) = two_wait();
    pool.set_max_size(2).unwrap();
    assert!(!is_lowered(&pool));
}

#[test]
fn a_max_that_is_raised_again_takes_the_note_back() {
    let (mut pool, tasks) = two_wait();
    pool.set_max_size(1).unwrap();
    assert!(is_lowered(&pool));
    pool.set_min_size(1).unwrap();
    assert!(is_lowered(&pool), "there is still one too many");
    pool.set_max_size(2).unwrap();
    assert!(!is_lowered(&pool) && pool.seat().shared().signals.read().is_clear());
    tasks.iter().for_each(TaskRef::unpark);
    pool.drain(None).unwrap();
}

#[test]
fn the_workers_above_a_lowered_max_leave_and_the_last_look_takes_the_note_back() {
    let (mut pool, tasks) = two_wait();
    pool.set_max_size(1).unwrap();
    let queued: Vec<JoinHandle<()>> = (0..3).map(|_| pool.spawn(|| ()).unwrap()).collect();
    pool.try_schedule_task().unwrap();
    assert_eq!((pool.get_running_size(), pool.size(), is_lowered(&pool)), (2, 3, true), "whoever waits stays");
    tasks[0].unpark();
    pool.try_schedule_task().unwrap();
    assert_eq!((pool.get_running_size(), pool.size()), (1, 3), "one was too many, and polled nothing more");
    tasks[1].unpark();
    pool.drain(None).unwrap();
    assert!(!is_lowered(&pool) && queued.iter().all(JoinHandle::is_finished));
}

#[test]
fn a_task_that_was_held_for_want_of_a_stack_comes_back_with_its_priority() {
    let (mut pool, order) = (CoroutinePool::default(), Arc::new(Mutex::new(Vec::new())));
    let push = |priority: i64| {
        let order = Arc::clone(&order);
        let task = if priority == 0 { pool.task() } else { pool.task().stack_size(1 << 20) };
        task.priority(priority).spawn(move || order.lock().push(priority)).unwrap();
    };
    for held in [3, -3] {
        push(held);
        let seat = pool.seat();
        let task = seat.queue.poll(&seat.post).unwrap();
        seat.hold(task);
        push(0);
        // Before and after what was queued meanwhile.
        seat.requeue_held();
    }
    pool.drain(None).unwrap();
    assert_eq!(*order.lock(), [-3, 0, 0, 3]);
}
