//! Stealing: a queued task goes to one taker and starts at most once (S2), whoever steals, cancels or leaves meanwhile.
//!
//! The seats poll by the pool's own function and start by the task word, but run nothing, so most models are complete.
//! The deque is the facade's stub, with loom's own reduction: crossbeam's is trusted.

use std::sync::Arc;

use copool_model::loom::{Bounds, check, thread};
use copool_model::under_loom::checked::pool::{self, Core, Witness};
use copool_model::under_loom::checked::seat;
use copool_model::under_loom::spec::{Cancel, Outcome, TaskId};
use copool_model::under_loom::{CoroutinePool, JoinHandle, LocalOrder};

/// Polls until it finds nothing, and says what it may run.
fn start_all(seat: &CoroutinePool) -> Vec<TaskId> {
    let polled = std::iter::from_fn(|| seat::poll(seat));
    polled.filter(pool::Polled::start).map(|task| task.id()).collect()
}

fn ids<const N: usize>(tasks: &[JoinHandle<()>; N]) -> [TaskId; N] {
    std::array::from_fn(|n| tasks[n].id())
}

fn owner_and_thief(name: &'static str, bounds: Bounds, order: LocalOrder) {
    check(name, bounds, move || {
        let seat = CoroutinePool::builder().local_order(order).build().unwrap();
        let handle = seat.handle();
        let thief = thread::spawn(move || {
            let seat = handle.attach().unwrap();
            seat::poll(&seat).filter(pool::Polled::start).map(|task| task.id())
        });
        let tasks = [seat.spawn(|| ()).unwrap(), seat.spawn(|| ()).unwrap()];
        let mut started = start_all(&seat);
        let stolen = thief.join().unwrap();
        started.extend(stolen);
        started.sort_unstable();
        assert_eq!(started, ids(&tasks), "each task starts once");
        assert_eq!(seat.counters().stolen, u64::from(stolen.is_some()));
        assert_eq!(Core::of(&seat).drain(), 0);
    });
}

#[test]
fn an_owner_and_a_thief_start_each_task_once() {
    owner_and_thief("steal: owner and thief, FIFO", Bounds::preemptions().unreduced(), LocalOrder::Fifo);
    owner_and_thief("steal: owner and thief, LIFO", Bounds::preemptions().unreduced(), LocalOrder::Lifo);
}

#[test]
fn a_task_is_started_or_cancelled_and_a_tombstone_counts_for_nothing() {
    check("steal: a poll and a cancel", Bounds::complete(), || {
        let seat = CoroutinePool::builder().build().unwrap();
        let tasks = [seat.spawn(|| ()).unwrap(), seat.spawn(|| ()).unwrap()];
        let canceller = thread::spawn({
            let first = tasks[0].task_ref();
            move || first.cancel()
        });
        // One poll: a tombstone is not one, so there is something to start at any rate.
        let polled = seat::poll(&seat).expect("two tasks wait");
        let started = polled.start();
        match canceller.join().unwrap() {
            Cancel::NeverRuns => {
                assert_eq!(tasks[0].task_ref().outcome(), Some(Outcome::Cancelled));
                assert_eq!(started, polled.id() == tasks[1].id());
                // The first is not counted any more; what was started is counted by who runs it.
                assert_eq!((seat.size(), seat.outstanding()), (1, 1));
            }
            answer => {
                assert_eq!((answer, started, polled.id()), (Cancel::Requested, true, tasks[0].id()));
                assert_eq!(tasks[0].task_ref().outcome(), None);
            }
        }
        assert_eq!(seat::poll(&seat).is_some(), polled.id() == tasks[0].id());
        assert!(seat::poll(&seat).is_none());
    });
}

#[test]
fn a_stolen_task_is_started_or_cancelled() {
    check("steal: a thief, the owner and a cancel", Bounds::preemptions().at_most(1), || {
        let seat = CoroutinePool::builder().build().unwrap();
        let task = seat.spawn(|| ()).unwrap();
        let handle = seat.handle();
        let thief = thread::spawn(move || start_all(&handle.attach().unwrap()).len());
        let canceller = thread::spawn({
            let task = task.task_ref();
            move || task.cancel() == Cancel::NeverRuns
        });
        let here = start_all(&seat).len();
        let (there, cancelled) = (thief.join().unwrap(), canceller.join().unwrap());
        assert_eq!(here + there + usize::from(cancelled), 1);
        assert_eq!(seat.size(), usize::from(!cancelled));
        assert_eq!(Core::of(&seat).drain(), 0);
    });
}

#[test]
fn what_a_seat_hands_back_as_it_leaves_is_found_once_whoever_steals_meanwhile() {
    check("steal: a seat leaves while it is robbed", Bounds::preemptions().unreduced(), || {
        let seat = CoroutinePool::builder().build().unwrap();
        let handle = seat.handle();
        let leaver = thread::spawn(move || {
            let seat = handle.attach().unwrap();
            let tasks = [seat.spawn(|| ()).unwrap(), seat.spawn(|| ()).unwrap()];
            drop(seat);
            tasks
        });
        let mut started: Vec<_> =
            seat::poll(&seat).filter(pool::Polled::start).map(|task| task.id()).into_iter().collect();
        let tasks = leaver.join().unwrap();
        started.extend(start_all(&seat));
        started.sort_unstable();
        assert_eq!(started, ids(&tasks), "each task starts once");
        assert_eq!((Core::of(&seat).drain(), Core::of(&seat).seats()), (0, 1));
        assert_eq!(seat.counters().accepted, 2);
    });
}

#[test]
fn whoever_takes_a_task_sees_what_its_submitter_did() {
    check("steal: a task's captures", Bounds::preemptions().unreduced(), || {
        let seen = Arc::new(Witness::new());
        let seat = CoroutinePool::builder().build().unwrap();
        let submitter = thread::spawn({
            let (handle, seen) = (seat.handle(), Arc::clone(&seen));
            move || {
                seen.write();
                drop(handle.spawn(|| ()).unwrap());
            }
        });
        if let Some(task) = seat::poll(&seat) {
            assert!(task.start());
            seen.write();
        }
        submitter.join().unwrap();
    });
}
