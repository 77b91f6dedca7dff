//! The search: who is woken for a task, who leaves the waking to a seat that searches, and who wakes the next one (L2).
//!
//! As in `sleep`, the seats poll and sleep by the pool's own functions and run nothing; a wake-up that is lost ends a model
//! in loom's deadlock. A call without a push stands for one whose task somebody else has taken.

use std::sync::Arc;

use copool_model::loom::sync::atomic::{AtomicUsize, Ordering};
use copool_model::loom::{Bounds, check, thread};
use copool_model::under_loom::checked::Gate;
use copool_model::under_loom::checked::pool::{Core, Polled, Witness};
use copool_model::under_loom::checked::seat::{self, Sleeper};
use copool_model::under_loom::{Cancel, CoroutinePool, JoinHandle, PoolHandle};

/// Polls, and sleeps whenever there is nothing.
fn await_task(seat: &CoroutinePool) -> Polled {
    loop {
        if let Some(task) = seat::poll(seat) {
            return task;
        }
        seat::doze(seat);
    }
}

/// Nobody sleeps or searches, and nothing waits, once `tasks` are cancelled.
fn assert_over(seat: &CoroutinePool, tasks: impl IntoIterator<Item = JoinHandle<()>>) {
    let core = Core::of(seat);
    assert!(!core.has_sleepers() && !core.is_searching());
    assert_eq!(core.drain(), 0);
    tasks.into_iter().for_each(|task| assert_ne!(task.cancel(), Cancel::AlreadyEnded));
    assert_eq!((seat.size(), seat.outstanding()), (0, 0));
}

fn submit(handle: &PoolHandle) -> JoinHandle<()> {
    handle.spawn(|| ()).unwrap()
}

#[test]
fn a_seat_that_gives_up_its_search_misses_no_task_whose_waking_was_left_to_it() {
    for bounds in [Bounds::preemptions().unreduced(), Bounds::preemptions().uneven()] {
        check("search: a call for nothing, and then a task", bounds, || {
            let seat = CoroutinePool::builder().build().unwrap();
            let submitter = thread::spawn({
                let (core, handle) = (Core::of(&seat), seat.handle());
                move || {
                    core.call();
                    submit(&handle)
                }
            });
            let polled = await_task(&seat);
            // A call that came after that is heard by the next to look.
            let task = submitter.join().unwrap();
            assert_eq!(polled.id(), task.id());
            assert_over(&seat, [task]);
        });
    }
}

#[test]
fn a_seat_that_was_called_comes_after_what_its_caller_did_before_it() {
    check("search: a call is heard", Bounds::complete(), || {
        let seat = CoroutinePool::builder().build().unwrap();
        let (sleeper, before) = (Sleeper::of(&seat), Arc::new(Witness::new()));
        seat::announce(&seat);
        let caller = thread::spawn({
            let before = Arc::clone(&before);
            move || {
                // In the place of the mark that somebody searches, which the seat clears: if it could do so before it is set,
                // it would stay. Loom runs the changes of two words in the program's order, but it knows whether one is
                // ordered after the other.
                before.write();
                sleeper.call()
            }
        });
        let called = seat::rise(&seat);
        if called {
            before.read();
        }
        assert_eq!(caller.join().unwrap(), called);
        assert!(!Core::of(&seat).has_sleepers());
    });
}

#[test]
fn a_call_that_finds_nobody_asleep_answers_for_those_that_left_the_waking_to_it() {
    check("search: a call that finds nobody, and a task", Bounds::preemptions().uneven().at_most(1), || {
        let seat = CoroutinePool::builder().build().unwrap();
        assert!(Core::of(&seat).begin_search());
        let caller = thread::spawn({
            let core = Core::of(&seat);
            move || core.end_call_in_vain()
        });
        let submitter = thread::spawn({
            let handle = seat.handle();
            move || submit(&handle)
        });
        let polled = await_task(&seat);
        caller.join().unwrap();
        let task = submitter.join().unwrap();
        assert_eq!(polled.id(), task.id());
        assert_over(&seat, [task]);
    });
}

#[test]
fn a_seat_that_is_called_although_it_leaves_has_another_woken_for_the_task() {
    check("search: a call for a seat that leaves", Bounds::preemptions().uneven(), || {
        let seat = CoroutinePool::builder().build().unwrap();
        let sleeper = Sleeper::of(&seat);
        let other = thread::spawn({
            let handle = seat.handle();
            move || {
                let seat = handle.attach().unwrap();
                let polled = await_task(&seat);
                sleeper.send(&polled);
                polled.id()
            }
        });
        let submitter = thread::spawn({
            let handle = seat.handle();
            move || submit(&handle)
        });
        // Until the other seat has the task: what wakes this one alone is not enough.
        seat::leave_and_await(&seat);
        let polled = other.join().unwrap();
        let task = submitter.join().unwrap();
        assert_eq!(polled, task.id());
        assert_over(&seat, [task]);
    });
}

/// A task for each of two seats, this one and another, which begins by `begin`; and nobody to wake either of them but these two
/// and `submitter`.
fn assert_both_get_one<F>(seat: &CoroutinePool, begin: fn(&CoroutinePool), submitter: F)
where
    F: FnOnce() -> [JoinHandle<()>; 2] + Send + 'static,
{
    let found = Arc::new(Gate::new());
    let other = thread::spawn({
        let (handle, found) = (seat.handle(), Arc::clone(&found));
        move || {
            let seat = handle.attach().unwrap();
            begin(&seat);
            let id = await_task(&seat).id();
            // A seat that leaves would wake the other one.
            found.wait();
            id
        }
    });
    let submitter = thread::spawn(submitter);
    let here = await_task(seat).id();
    found.open(0);
    let there = other.join().unwrap();
    let tasks = submitter.join().unwrap();
    assert!(tasks.iter().all(|task| [here, there].contains(&task.id())));
    assert_over(seat, tasks);
}

#[test]
fn a_seat_that_finds_a_task_has_another_woken_for_the_next() {
    check("search: two seats, one call, a task for each", Bounds::preemptions().uneven().at_most(1), || {
        let seat = CoroutinePool::builder().build().unwrap();
        let handle = seat.handle();
        assert_both_get_one(&seat, |_| (), move || [submit(&handle), submit(&handle)]);
    });
}

#[test]
fn a_seat_that_gives_up_its_search_and_then_finds_a_task_has_another_woken_for_the_next() {
    check("search: two seats, one gives up, a task for each", Bounds::preemptions().uneven().at_most(1), || {
        let seat = CoroutinePool::builder().build().unwrap();
        let handle = seat.handle();
        assert_both_get_one(&seat, seat::begin_search, move || [submit(&handle), submit(&handle)]);
    });
}

#[test]
fn a_call_that_finds_nobody_asleep_answers_for_as_many_as_left_the_waking_to_it() {
    check("search: a call that finds nobody, and two tasks", Bounds::preemptions().uneven().at_most(1), || {
        let seat = CoroutinePool::builder().build().unwrap();
        let (core, handle) = (Core::of(&seat), seat.handle());
        assert!(core.begin_search());
        assert_both_get_one(
            &seat,
            |_| (),
            move || {
                let tasks = [submit(&handle), submit(&handle)];
                core.end_call_in_vain();
                tasks
            },
        );
    });
}

#[test]
fn whoever_ends_a_search_sees_what_was_pushed_by_those_who_left_the_waking_to_it() {
    check("search: a waking is left to a search that ends", Bounds::complete(), || {
        let pool = CoroutinePool::builder().build().unwrap();
        let (core, pushed) = (Core::of(&pool), Arc::new(AtomicUsize::new(0)));
        assert!(core.begin_search());
        let pusher = thread::spawn({
            let (core, pushed) = (Core::of(&pool), Arc::clone(&pushed));
            move || {
                // Ordering: Relaxed; in the place of a queue's own, which a look may read too early.
                pushed.store(1, Ordering::Relaxed);
                !core.begin_search()
            }
        });
        core.end_search();
        // Ordering: as above.
        let seen = pushed.load(Ordering::Relaxed);
        assert!(!pusher.join().unwrap() || seen == 1, "a push was left to a search that does not see it");
    });
}
