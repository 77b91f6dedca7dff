//! The note that `max_size` was lowered: as long as there are workers above it, and not longer. And tasks for which there was
//! no stack.

use std::cell::Cell;
use std::time::Duration;

use super::Obtained;
use crate::pool::{Post, Shared};
use crate::queue::Queue;
use crate::sync::{Arc, AtomicU32, Mutex, Ordering};
use crate::task::{JoinHandle, TaskRef};
use crate::{Builder, CoroutinePool, DriveError, LocalOrder, park, suspend};

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
    seat.hold(seat.queue.poll(&seat.post).unwrap());
}

fn held(pool: &CoroutinePool) -> usize {
    pool.seat().post.held.lock().len()
}

/// What others see of another seat, until it is unregistered.
fn another(shared: &Arc<Shared>) -> Arc<Post> {
    let stealer = Queue::new(LocalOrder::Fifo).stealer();
    let post = Arc::new(Post::new(shared.next_seat_id(), Arc::clone(shared), stealer));
    shared.register(&post);
    post
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
    hold(&pool);
    pool.seat().requeue_on_news();
    assert_eq!(held(&pool), 1, "that was before");
    pool.seat().requeue_held();
    pool.drain(None).unwrap();
    assert!(task.is_finished());
}

#[test]
fn a_vain_try_for_a_task_loses_neither_a_count_nor_a_stack() {
    let mut pool = CoroutinePool::default();
    let task = pool.task().stack_size(LARGER).spawn(|| ()).unwrap();
    let shared = Arc::clone(&pool.seat().post.shared);
    shared.stacks.refuse_larger(true);
    assert_eq!(pool.drain(None), Err(DriveError::StackExhausted));
    assert_eq!((task.is_finished(), pool.size()), (false, 1));
    assert_eq!((pool.get_running_size(), pool.counters().stacks), (0, 0));
    shared.stacks.refuse_larger(false);
    pool.drain(None).unwrap();
    assert!(task.is_finished());
}

#[test]
fn a_vain_try_ends_though_its_worker_idles_with_a_larger_stack() {
    let mut pool = CoroutinePool::builder().min_size(1).build().unwrap();
    pool.task().stack_size(LARGER).spawn(|| ()).unwrap();
    pool.drain(None).unwrap();
    pool.seat().post.shared.stacks.refuse_larger(true);
    let task = pool.task().stack_size(2 * LARGER).spawn(|| ()).unwrap();
    assert_eq!(pool.drain(std::time::Instant::now() + Duration::from_secs(60)), Err(DriveError::StackExhausted));
    assert!(!task.is_finished());
}

#[test]
fn a_stack_is_offered_to_the_seats_that_want_one_of_its_size_or_a_smaller() {
    let mut pool = CoroutinePool::builder().keep_alive(Duration::from_secs(3_600)).build().unwrap();
    let shared = Arc::clone(&pool.seat().post.shared);
    let post = another(&shared);
    let is_offered = |size| {
        let offered = post.is_offered();
        post.want_nothing();
        post.want(size);
        offered
    };
    assert!(!is_offered(LARGER));
    pool.spawn(|| ()).unwrap();
    pool.drain(None).unwrap();
    assert!(!is_offered(LARGER), "that is one of the usual size");
    pool.task().stack_size(LARGER).spawn(|| ()).unwrap();
    pool.drain(None).unwrap();
    assert!(is_offered(LARGER + 1), "its worker idles with it");
    give_larger(&shared);
    assert!(!is_offered(LARGER), "it is smaller");
    give_larger(&shared);
    assert!(is_offered(1 << 17), "it came back");
    let small = shared.stacks.take(1 << 17, || ()).unwrap();
    let large = pool.seat().exchange(small, LARGER).map_err(|_| ()).unwrap();
    assert!(is_offered(LARGER), "a smaller one was given for it");
    post.want_nothing();
    shared.return_stack(large);
    assert!(!post.is_offered(), "it wants nothing");
    shared.unregister(&post);
}

#[test]
fn what_is_offered_before_the_second_try_is_found_in_it() {
    let (pool, _task) = in_hand(CoroutinePool::builder());
    let (seat, tries) = (pool.seat(), Cell::new(0));
    let attempt = |()| {
        tries.set(tries.get() + 1);
        if tries.get() == 2 { Ok(()) } else { Err(()) }
    };
    assert_eq!(seat.insist(LARGER, (), attempt), Ok(()));
    give_larger(seat.shared());
    assert!(seat.has_news_of_stacks(), "the task in hand still wants one");
    seat.requeue_held();
    tries.set(0);
    assert_eq!(seat.insist(LARGER, (), attempt), Ok(()));
    give_larger(seat.shared());
    assert!(!seat.post.is_offered(), "nothing is in hand");
}

#[test]
fn a_task_in_hand_that_goes_back_with_an_offer_is_for_a_sleeper_too() {
    let (mut pool, _task) = in_hand(CoroutinePool::builder());
    let shared = Arc::clone(&pool.seat().post.shared);
    let post = another(&shared);
    let tasks = (0..40).map(|n| {
        let (shared, post) = (Arc::clone(&shared), Arc::clone(&post));
        pool.spawn(move || {
            if n == 5 {
                give_larger(&shared);
                post.announce();
            }
            shared.signals.read().has_sleepers()
        })
        .unwrap()
    });
    let tasks: Vec<_> = tasks.collect();
    pool.drain(None).unwrap();
    let sleeps: Vec<_> = tasks.into_iter().map(|task| task.join().unwrap()).collect();
    // After a full turn.
    assert_eq!(sleeps.iter().filter(|sleeps| **sleeps).count(), 32 - 5);
    assert!(post.rise(), "it was called for the task");
    shared.signals.end_search();
    shared.unregister(&post);
}

#[test]
fn a_turn_goes_on_after_its_worker_got_a_larger_stack() {
    let mut pool = CoroutinePool::default();
    let (turns, seen) = (Arc::new(Mutex::new(Vec::new())), Arc::new(AtomicU32::new(0)));
    // It is ready again after each turn of the others.
    let (counts, stop) = (Arc::clone(&seen), Arc::clone(&turns));
    pool.spawn(move || {
        while stop.lock().len() < 41 {
            // Ordering: Relaxed; one thread.
            counts.fetch_add(1, Ordering::Relaxed);
            suspend();
        }
    })
    .unwrap();
    for n in 0..41 {
        let (turns, seen) = (Arc::clone(&turns), Arc::clone(&seen));
        let size = if n == 20 { LARGER } else { pool.seat().shared().fixed.stack_size };
        pool.task().stack_size(size).spawn(move || turns.lock().push(seen.load(Ordering::Relaxed))).unwrap();
    }
    pool.drain(None).unwrap();
    let turns = turns.lock();
    assert_eq!(turns.iter().filter(|turn| **turn == turns[0]).count(), 32);
}

#[test]
fn a_cancelled_task_in_hand_wants_no_stack() {
    let (mut pool, task) = in_hand(CoroutinePool::builder());
    task.cancel();
    pool.try_schedule_task().unwrap();
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
    assert!(taken.size() >= LARGER);
    let too_small = shared.swap_idle(taken, LARGER * 2).err().unwrap();
    shared.return_stack(too_small);
    pool.drain(None).unwrap();
    assert!(last.is_finished());
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
    let sleeper = another(&shared);
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
