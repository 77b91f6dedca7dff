//! The note that `max_size` was lowered: as long as there are workers above it, and not longer. And tasks for which there was
//! no stack.

use std::time::Duration;

use super::Obtained;
use crate::pool::{Post, Shared};
use crate::sync::{Arc, Mutex, Ordering};
use crate::task::{JoinHandle, TaskRef};
use crate::{Builder, CoroutinePool, DriveError, park, suspend};

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

const LARGER: usize = 1 << 20;

/// A pool, and a task in its seat's hand.
fn in_hand(builder: Builder) -> (CoroutinePool, JoinHandle<()>) {
    let pool = builder.build().unwrap();
    let task = pool.task().stack_size(LARGER).spawn(|| ()).unwrap();
    hold(&pool);
    (pool, task)
}

fn hold(pool: &CoroutinePool) {
    let seat = pool.seat();
    seat.hold(seat.queue.poll(&seat.post).unwrap(), seat.shared().larger_given());
}

fn held(pool: &CoroutinePool) -> usize {
    pool.seat().post.held.lock().len()
}

/// Gives back a larger stack, as a seat does.
fn give_larger(shared: &Shared) {
    shared.return_stack(shared.stacks.take(LARGER, || ()).unwrap());
}

#[test]
fn a_task_in_hand_is_queued_again_once_a_larger_stack_was_given_back() {
    let (mut pool, task) = in_hand(CoroutinePool::builder());
    let shared = Arc::clone(&pool.seat().post.shared);
    pool.seat().requeue_on_news();
    shared.return_stack(shared.stacks.take(shared.fixed.stack_size, || ()).unwrap());
    pool.seat().requeue_on_news();
    assert_eq!(held(&pool), 1, "that was one of the usual");
    give_larger(&shared);
    pool.seat().requeue_on_news();
    assert_eq!(held(&pool), 0);
    pool.drain(None).unwrap();
    assert!(task.is_finished());
}

#[test]
fn a_vain_try_for_a_task_is_no_news_for_the_seats_that_have_one_in_hand() {
    let mut pool = CoroutinePool::default();
    let task = pool.task().stack_size(LARGER).spawn(|| ()).unwrap();
    let shared = Arc::clone(&pool.seat().post.shared);
    let news = shared.larger_given();
    // For the worker, and for the task.
    let stack = shared.stacks.take(shared.fixed.stack_size, || ()).unwrap();
    pool.seat().give_stack(stack);
    shared.stacks.refuse_larger(true);
    assert_eq!(pool.drain(None), Err(DriveError::StackExhausted));
    assert_eq!((shared.larger_given(), task.is_finished(), pool.size()), (news, false, 1));
    assert_eq!(pool.get_running_size(), 0, "no count is lost");
    shared.stacks.refuse_larger(false);
    pool.drain(None).unwrap();
    assert!(task.is_finished());
}

#[test]
fn a_worker_whose_task_finds_no_stack_polls_the_next() {
    let mut pool = CoroutinePool::builder().min_size(2).build().unwrap();
    let large = pool.task().stack_size(LARGER).spawn(|| ()).unwrap();
    let small = pool.spawn(|| ()).unwrap();
    let shared = Arc::clone(&pool.seat().post.shared);
    shared.stacks.refuse_larger(true);
    assert_eq!(pool.drain(None), Err(DriveError::StackExhausted));
    assert!(small.is_finished() && !large.is_finished());
    assert_eq!(pool.get_running_size(), 2, "those that stay have stayed");
    shared.stacks.refuse_larger(false);
    pool.drain(None).unwrap();
    assert!(large.is_finished());
}

#[test]
fn a_larger_stack_takes_the_place_of_the_smaller_where_there_is_one_place() {
    let mut pool = CoroutinePool::builder().max_stacks(1).build().unwrap();
    let sizes = [LARGER, 1 << 17, 1 << 18];
    let tasks = sizes.map(|size| pool.task().stack_size(size).spawn(|| ()).unwrap());
    pool.drain(None).unwrap();
    assert!(tasks.iter().all(JoinHandle::is_finished));
    let counters = pool.counters();
    assert_eq!((counters.peak_stacks, counters.stacks, counters.stacks_refused), (1, 0, 0));
}

#[test]
fn a_task_gets_the_larger_stack_of_a_worker_that_idles() {
    let mut pool = CoroutinePool::builder().keep_alive(Duration::from_secs(3_600)).build().unwrap();
    let tasks = [(), ()].map(|()| pool.task().stack_size(LARGER).spawn(park).unwrap());
    pool.try_schedule_task().unwrap();
    tasks.iter().for_each(|task| task.task_ref().unpark());
    pool.spawn(|| ()).unwrap();
    pool.drain(None).unwrap();
    let shared = Arc::clone(&pool.seat().post.shared);
    shared.stacks.refuse_larger(true);
    let last = pool.task().stack_size(LARGER).spawn(|| ()).unwrap();
    // A worker with a stack of the usual size.
    let stack = shared.stacks.take(shared.fixed.stack_size, || ()).unwrap();
    let taken = shared.swap_idle(stack, LARGER).map_err(|_| ()).unwrap();
    assert!(
        taken.size() >= LARGER
            && shared.swap_idle(taken, LARGER * 2).is_err_and(|old| {
                shared.return_stack(old);
                true
            })
    );
    pool.drain(None).unwrap();
    assert!(last.is_finished());
}

#[test]
fn a_stack_that_idles_is_news_if_it_is_a_larger_one() {
    let mut pool = CoroutinePool::builder().keep_alive(Duration::from_secs(3_600)).build().unwrap();
    let shared = Arc::clone(&pool.seat().post.shared);
    let news = shared.larger_given();
    pool.spawn(|| ()).unwrap();
    pool.drain(None).unwrap();
    assert_eq!(shared.larger_given(), news);
    pool.task().stack_size(LARGER).spawn(|| ()).unwrap();
    pool.drain(None).unwrap();
    assert_ne!(shared.larger_given(), news);
}

#[test]
fn a_seat_that_is_never_without_a_worker_hears_of_a_stack_for_the_task_in_its_hand() {
    let (mut pool, task) = in_hand(CoroutinePool::builder());
    let (shared, wanted) = (Arc::clone(&pool.seat().post.shared), task.task_ref());
    let busy = move || {
        (0..1_000).find(|turn| {
            suspend();
            if *turn == 100 {
                give_larger(&shared);
            }
            wanted.is_finished()
        })
    };
    let mut seen = pool.spawn(busy).unwrap();
    pool.drain(None).unwrap();
    assert!(seen.try_join().unwrap().unwrap().is_some_and(|turn| turn > 100));
}

#[test]
fn a_worker_that_may_have_the_stack_for_a_task_in_hand_gets_to_it_after_a_full_turn() {
    let (mut pool, task) = in_hand(CoroutinePool::builder());
    let wanted = task.task_ref();
    let last = Arc::new(Mutex::new(None));
    for n in 0..100 {
        let (wanted, last) = (wanted.clone(), Arc::clone(&last));
        pool.spawn(move || {
            if !wanted.is_finished() {
                *last.lock() = Some(n);
            }
        })
        .unwrap();
    }
    pool.drain(None).unwrap();
    assert!(task.is_finished() && last.lock().is_some());
}

#[test]
fn a_seat_that_is_never_without_a_worker_keeps_no_stack_from_those_who_are_refused_one() {
    let mut pool = CoroutinePool::default();
    let shared = Arc::clone(&pool.seat().post.shared);
    // Two end, and their stacks are kept.
    let ended = [(), ()].map(|()| pool.spawn(suspend).unwrap());
    let core = Arc::clone(&shared);
    let busy = move || {
        (0..1_000).find(|turn| {
            suspend();
            if *turn == 100 {
                // Ordering: Relaxed; one thread counts.
                core.stacks_refused.fetch_add(1, Ordering::Relaxed);
            }
            *turn > 100 && core.stacks.live() == 1
        })
    };
    let mut seen = pool.spawn(busy).unwrap();
    pool.drain(None).unwrap();
    assert!(ended.iter().all(JoinHandle::is_finished));
    assert!(seen.try_join().unwrap().unwrap().is_some());
}

#[test]
fn a_refusal_beside_news_is_told_to_who_may_sleep_for_want_of_the_count() {
    let pool = CoroutinePool::builder().max_stacks(0).max_size(1).build().unwrap();
    let shared = Arc::clone(&pool.seat().post.shared);
    let sleeper = Arc::new(Post::new(shared.next_seat_id(), Arc::clone(&shared), pool.seat().queue.stealer()));
    shared.register(&sleeper);
    let _task = pool.spawn(|| ()).unwrap();
    sleeper.announce();
    assert_eq!(pool.seat().obtain(), Obtained::Exhausted);
    assert!(shared.signals.read().has_sleepers(), "without news it would go on for ever between the two");
    let _called = sleeper.rise();
    shared.unregister(&sleeper);
}

#[test]
fn a_task_in_hand_goes_back_to_where_it_was() {
    let pool = CoroutinePool::default();
    let (seat, handle) = (pool.seat(), pool.handle());
    let own = pool.spawn(|| ()).unwrap();
    let outside = std::thread::spawn(move || handle.spawn(|| ()).unwrap()).join().unwrap();
    (0..2).for_each(|_| hold(&pool));
    assert_eq!(held(&pool), 2);
    seat.requeue_held();
    let own_deque: Vec<_> = seat.queue.drain().iter().map(|task| task.core().id).collect();
    assert_eq!(own_deque, [own.id()]);
    assert!(!seat.shared().injector.is_empty(), "a thief of what is on a seat's deque says that it was there");
    drop(outside);
}
