//! The note that `max_size` was lowered: as long as there are workers above it, and not longer. And tasks for which there was
//! no stack.

use std::time::Duration;

use super::Obtained;
use crate::pool::{Post, Shared};
use crate::sync::{Arc, Mutex};
use crate::task::{JoinHandle, TaskRef};
use crate::{CoroutinePool, DriveEnd, Outcome, park, suspend};

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
        seat.hold(task, 0);
        push(0);
        // Before and after what was queued meanwhile.
        seat.requeue_held();
    }
    pool.drain(None).unwrap();
    assert_eq!(*order.lock(), [-3, 0, 0, 3]);
}

/// A pool of so many stacks, and a task in its seat's hand.
fn with_stacks(most: usize) -> (CoroutinePool, JoinHandle<()>) {
    let pool = CoroutinePool::builder().max_stacks(most).build().unwrap();
    let task = pool.task().stack_size(1 << 20).spawn(|| ()).unwrap();
    let seat = pool.seat();
    seat.hold(seat.queue.poll(&seat.post).unwrap(), 0);
    (pool, task)
}

#[test]
fn a_vain_try_for_a_task_in_hand_is_no_news_for_the_seats_that_want_a_stack() {
    let (mut pool, task) = with_stacks(1);
    let (seat, shared) = (pool.seat(), pool.seat().shared());
    let only = shared.stacks.take(shared.fixed.stack_size, || ()).unwrap();
    let news = shared.stacks_given();
    for _ in 0..3 {
        seat.retry_held();
        assert_eq!((shared.stacks_given(), seat.given_seen.get()), (news, news));
        assert_eq!((seat.post.held.lock().len(), seat.workers()), (1, 0));
    }
    shared.return_stack(only);
    assert_ne!(shared.stacks_given(), seat.given_seen.get());
    seat.retry_held();
    assert_eq!((seat.post.held.lock().len(), seat.workers()), (1, 1), "it is in hand until its worker begins");
    pool.drain(None).unwrap();
    assert!(task.is_finished());
}

#[test]
fn a_worker_that_is_refused_a_stack_leaves_the_news_to_the_task_in_hand() {
    let (pool, _task) = with_stacks(1);
    let (seat, shared) = (pool.seat(), pool.seat().shared());
    let only = shared.stacks.take(shared.fixed.stack_size, || ()).unwrap();
    seat.retry_held();
    let seen = shared.stacks_given();
    shared.stacks_returned();
    let _other = pool.spawn(|| ()).unwrap();
    assert_eq!(seat.obtain(), Obtained::Exhausted);
    assert_eq!(seat.given_seen.get(), seen, "it will not sleep before it has tried for the task");
    shared.return_stack(only);
}

#[test]
fn a_task_in_hand_whose_stack_comes_when_no_worker_may_be_made_is_left_to_a_sleeper() {
    let (mut pool, task) = with_stacks(1);
    pool.set_max_size(1).unwrap();
    let shared = Arc::clone(&pool.seat().post.shared);
    assert!(shared.limits.reserve());
    let sleeper = Arc::new(Post::new(shared.next_seat_id(), Arc::clone(&shared), pool.seat().queue.stealer()));
    shared.register(&sleeper);
    sleeper.announce();
    pool.seat().retry_held();
    assert!(!shared.signals.read().has_sleepers(), "it is woken, as the count may have been released before the push");
    let _called = sleeper.rise();
    shared.unregister(&sleeper);
    assert_eq!((pool.seat().post.held.lock().len(), shared.stacks.live()), (0, 0));
    shared.limits.release();
    pool.drain(None).unwrap();
    assert!(task.is_finished());
}

#[test]
fn a_seat_that_is_never_without_a_worker_tries_for_the_task_in_its_hand() {
    let (mut pool, task) = with_stacks(2);
    let shared = Arc::clone(&pool.seat().post.shared);
    let take = || shared.stacks.take(shared.fixed.stack_size, || ()).unwrap();
    let (own, mut other) = (take(), Some(take()));
    pool.seat().retry_held();
    shared.return_stack(own);
    let wanted = task.task_ref();
    let core = Arc::clone(&shared);
    let busy = move || {
        (0..1_000).find(|turn| {
            suspend();
            if *turn == 100 {
                core.return_stack(other.take().unwrap());
            }
            wanted.is_finished()
        })
    };
    assert_eq!(pool.seat().workers(), 0, "it is still in hand");
    let mut seen = pool.spawn(busy).unwrap();
    pool.drain(None).unwrap();
    assert!(seen.try_join().unwrap().unwrap().is_some_and(|turn| turn > 100));
}

#[test]
fn a_task_in_hand_gets_the_stack_of_a_worker_that_idles() {
    let (mut pool, task) = with_stacks(1);
    pool.set_keep_alive(Duration::from_secs(3_600));
    let small = pool.spawn(|| ()).unwrap();
    assert_eq!(pool.drain(None), Ok(DriveEnd::AllDone));
    assert!(small.is_finished() && task.is_finished());
}

#[test]
fn a_stop_finds_a_task_in_hand_whose_worker_has_not_begun() {
    let (mut pool, task) = with_stacks(1);
    pool.seat().retry_held();
    assert_eq!(pool.seat().workers(), 1);
    let handle = pool.handle();
    std::thread::spawn(move || handle.stop(Duration::ZERO)).join().unwrap();
    assert_eq!(task.task_ref().outcome(), Some(Outcome::Abandoned));
    assert_eq!(pool.drain(None), Ok(DriveEnd::Stopped));
}

#[test]
fn news_for_a_task_in_hand_are_not_seen_by_the_refusal_of_another() {
    let (pool, _task) = with_stacks(1);
    let (seat, shared) = (pool.seat(), pool.seat().shared());
    let only = shared.stacks.take(shared.fixed.stack_size, || ()).unwrap();
    seat.retry_held();
    let seen = seat.given_seen.get();
    shared.stacks_returned();
    let _other = pool.spawn(|| ()).unwrap();
    seat.hold(seat.queue.poll(&seat.post).unwrap(), shared.stacks_given());
    assert_eq!((seat.given_seen.get(), seat.post.held.lock().len()), (seen, 2));
    shared.return_stack(only);
}

#[test]
fn each_of_two_tasks_in_hand_is_tried_for_before_a_sleep() {
    let (mut pool, first) = with_stacks(2);
    let second = pool.task().stack_size(1 << 21).spawn(|| ()).unwrap();
    let (seat, shared) = (pool.seat(), pool.seat().shared());
    seat.hold(seat.queue.poll(&seat.post).unwrap(), shared.stacks_given());
    seat.retry_held();
    assert_ne!(seat.given_seen.get(), shared.stacks_given(), "the second has not been tried for");
    pool.drain(None).unwrap();
    assert!(first.is_finished() && second.is_finished());
}

#[test]
fn a_task_in_hand_that_was_cancelled_gets_no_worker() {
    let (pool, task) = with_stacks(1);
    task.cancel();
    pool.seat().retry_held();
    assert_eq!((pool.seat().workers(), pool.seat().post.held.lock().len()), (0, 0));
}

#[test]
fn a_drive_that_ends_before_the_worker_of_a_task_in_hand_has_run_leaves_the_task_queued_and_no_worker() {
    let (mut pool, task) = with_stacks(1);
    let seat = pool.seat();
    seat.retry_held();
    assert_eq!(seat.workers(), 1);
    assert_eq!(pool.try_timed_schedule_task(Duration::ZERO), Ok(DriveEnd::Deadline));
    assert_eq!((pool.size(), pool.get_running_size(), task.is_finished()), (1, 0, false));
    pool.drain(None).unwrap();
    assert!(task.is_finished());
}

#[test]
fn a_seat_that_was_called_and_gets_a_stack_for_the_task_in_its_hand_searches_no_more() {
    let (mut pool, task) = with_stacks(1);
    let (seat, shared) = (pool.seat(), pool.seat().shared());
    seat.searching.set(shared.signals.begin_search());
    seat.retry_held();
    assert!(!seat.searching.get() && shared.signals.begin_search(), "the next call is for another");
    shared.signals.end_search();
    pool.drain(None).unwrap();
    assert!(task.is_finished());
}

#[test]
fn a_task_in_hand_goes_back_to_where_it_was() {
    let pool = CoroutinePool::default();
    let (seat, handle) = (pool.seat(), pool.handle());
    let own = pool.spawn(|| ()).unwrap();
    let outside = std::thread::spawn(move || handle.spawn(|| ()).unwrap()).join().unwrap();
    while let Some(task) = seat.queue.poll(&seat.post) {
        seat.hold(task, 0);
    }
    assert_eq!(seat.post.held.lock().len(), 2);
    seat.requeue_held();
    let own_deque: Vec<_> = seat.queue.drain().iter().map(|task| task.core().id).collect();
    assert_eq!(own_deque, [own.id()]);
    assert!(!seat.shared().injector.is_empty(), "a thief of what is on a seat's deque says that it was there");
    drop(outside);
}
