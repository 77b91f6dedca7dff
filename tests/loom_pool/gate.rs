//! The closing gate: a submission in flight when the pool is stopped is rejected, and its closure comes back, or it is
//! accepted, and has an outcome; exactly one of the two. Beside it, who else comes or goes while a pool is stopped.
//!
//! Whole stops and drives; the models with real coroutines are bounded.

use std::sync::Arc;
use std::time::Duration;

use copool_model::loom::{Bounds, check, thread};
use copool_model::under_loom::checked::Gate;
use copool_model::under_loom::checked::pool::{Core, Signals};
use copool_model::under_loom::checked::seat;
use copool_model::under_loom::spec::{Event, Outcome, PoolState};
use copool_model::under_loom::{AttachError, Cancel, CoroutinePool, Listener, PoolHandle, RejectReason, TaskRef};

/// Submits a task that holds `token`. The reference to it if it is accepted; if not, the closure has come back whole.
fn submit(handle: &PoolHandle, token: &Arc<()>) -> Option<TaskRef> {
    let held = Arc::clone(token);
    match handle.spawn(move || drop(held)) {
        Ok(task) => Some(task.task_ref()),
        Err(rejected) => {
            assert!(matches!(rejected.reason(), RejectReason::Stopped));
            assert_ne!(handle.state(), PoolState::Running);
            rejected.into_inner()();
            None
        }
    }
}

/// The pool is over, each accepted task has one of these outcomes, and no closure is left.
fn assert_over(handle: &PoolHandle, accepted: Option<&TaskRef>, outcomes: &[Outcome], token: &Arc<()>) {
    assert_eq!(handle.state(), PoolState::Stopped);
    assert_eq!((handle.size(), handle.outstanding(), handle.get_running_size()), (0, 0, 0));
    let counters = handle.counters();
    assert_eq!(counters.accepted, counters.ended);
    if let Some(task) = accepted {
        assert!(task.outcome().is_some_and(|outcome| outcomes.contains(&outcome)), "{:?}", task.outcome());
    }
    assert_eq!(Arc::strong_count(token), 1, "each closure is dropped or came back");
}

#[test]
fn of_two_that_close_or_stop_a_pool_one_did_it() {
    check("gate: closed and stopped by two", Bounds::complete(), || {
        let signals = Arc::new(Signals::new());
        let both = |signals: &Signals| (signals.close(), signals.stopped());
        let other = thread::spawn({
            let signals = Arc::clone(&signals);
            move || both(&signals)
        });
        let here = both(&signals);
        let there = other.join().unwrap();
        assert!(here.0 != there.0 && here.1 != there.1);
        assert_eq!(signals.closed_and_stopped(), (true, true));
    });
}

#[test]
fn from_elsewhere_a_submission_is_rejected_or_has_an_outcome() {
    check("gate: a foreign submission and a stop", Bounds::preemptions().uneven().at_most(1), || {
        let token = Arc::new(());
        let pool = CoroutinePool::builder().max_size(1).build().unwrap();
        let submitter = thread::spawn({
            let (handle, token) = (pool.handle(), Arc::clone(&token));
            move || submit(&handle, &token)
        });
        pool.stop(Duration::ZERO);
        let accepted = submitter.join().unwrap();
        let handle = pool.handle();
        drop(pool);
        assert_over(&handle, accepted.as_ref(), &[Outcome::Returned, Outcome::Abandoned], &token);
    });
}

#[test]
fn a_submission_during_the_owners_drop_has_an_outcome_or_is_rejected() {
    check("gate: a foreign submission and the owner's drop", Bounds::preemptions().uneven().at_most(1), || {
        let token = Arc::new(());
        let pool = CoroutinePool::builder().max_size(1).build().unwrap();
        let handle = pool.handle();
        let submitter = thread::spawn({
            let (handle, token) = (pool.handle(), Arc::clone(&token));
            move || submit(&handle, &token)
        });
        drop(pool);
        let accepted = submitter.join().unwrap();
        assert_over(&handle, accepted.as_ref(), &[Outcome::Abandoned], &token);
    });
}

/// Opens its gate between the acceptance of a task and its push.
struct Accepted(Arc<Gate>);

impl Listener for Accepted {
    fn on_event(&self, event: &Event) {
        if matches!(event, Event::TaskAccepted { .. }) {
            self.0.open(1);
        }
    }
}

#[test]
fn a_task_that_is_accepted_before_the_owners_drop_and_queued_after_it_has_an_outcome() {
    check("gate: a push and the owner's drop", Bounds::preemptions().uneven().at_most(1), || {
        let token = Arc::new(());
        let gate = Arc::new(Gate::new());
        let pool = CoroutinePool::builder().listener(Accepted(Arc::clone(&gate))).build().unwrap();
        let handle = pool.handle();
        let submitter = thread::spawn({
            let (handle, token) = (pool.handle(), Arc::clone(&token));
            move || submit(&handle, &token)
        });
        gate.wait();
        drop(pool);
        let accepted = submitter.join().unwrap().expect("the pool was open");
        assert_over(&handle, Some(&accepted), &[Outcome::Abandoned], &token);
    });
}

#[test]
fn whoever_sees_a_pool_stopped_or_quiet_sees_every_outcome() {
    check("gate: a look at a pool that is stopped", Bounds::preemptions().unreduced().at_most(1), || {
        let mut pool = CoroutinePool::builder().max_size(1).build().unwrap();
        let run = pool.spawn(|| ()).unwrap().task_ref();
        let looker = thread::spawn({
            let handle = pool.handle();
            move || {
                if handle.state() == PoolState::Stopped || handle.outstanding() == 0 {
                    assert!(run.is_finished());
                }
            }
        });
        pool.try_schedule_task().unwrap();
        pool.stop(Duration::ZERO);
        looker.join().unwrap();
    });
    check("gate: a look at a pool whose last task is cancelled", Bounds::complete(), || {
        let pool = CoroutinePool::builder().build().unwrap();
        let task = pool.spawn(|| ()).unwrap();
        let task_ref = task.task_ref();
        let canceller = thread::spawn(move || assert_eq!(task.cancel(), Cancel::NeverRuns));
        if pool.outstanding() == 0 {
            assert_eq!(task_ref.outcome(), Some(Outcome::Cancelled));
        }
        canceller.join().unwrap();
    });
    check("gate: a look at a pool that is dropped", Bounds::preemptions().unreduced().at_most(1), || {
        let pool = CoroutinePool::builder().build().unwrap();
        let task = pool.spawn(|| ()).unwrap().task_ref();
        let looker = thread::spawn({
            let handle = pool.handle();
            move || {
                if handle.state() == PoolState::Stopped {
                    assert_eq!(task.outcome(), Some(Outcome::Abandoned));
                }
            }
        });
        drop(pool);
        looker.join().unwrap();
    });
}

#[test]
fn a_look_at_the_unfinished_tasks_counts_one_that_was_there_all_the_time() {
    for bounds in [Bounds::complete(), Bounds::preemptions().uneven()] {
        check("gate: a look while a task comes and goes", bounds, || {
            let pool = CoroutinePool::builder().build().unwrap();
            let there = pool.spawn(|| ()).unwrap();
            let other = thread::spawn({
                let handle = pool.handle();
                move || assert_eq!(handle.spawn(|| ()).unwrap().cancel(), Cancel::NeverRuns)
            });
            assert!(pool.outstanding() >= 1);
            other.join().unwrap();
            assert_eq!(there.cancel(), Cancel::NeverRuns);
            assert_eq!(pool.outstanding(), 0);
        });
    }
}

#[test]
fn what_a_patient_stop_accepted_before_it_is_run() {
    check(
        "gate: a foreign submission and a stop without a deadline",
        Bounds::preemptions().uneven().at_most(1),
        || {
            let token = Arc::new(());
            let pool = CoroutinePool::builder().max_size(1).build().unwrap();
            let submitter = thread::spawn({
                let (handle, token) = (pool.handle(), Arc::clone(&token));
                move || submit(&handle, &token)
            });
            let report = pool.stop(Duration::MAX);
            let accepted = submitter.join().unwrap();
            assert_eq!(report.abandoned, 0);
            assert_over(&pool, accepted.as_ref(), &[Outcome::Returned], &token);
        },
    );
}

#[test]
fn from_the_seats_own_thread_a_submission_is_rejected_or_has_an_outcome() {
    check("gate: a seat's own submission and a stop from elsewhere", Bounds::preemptions().uneven().at_most(1), || {
        let token = Arc::new(());
        let mut pool = CoroutinePool::builder().max_size(1).build().unwrap();
        let stopper = thread::spawn({
            let handle = pool.handle();
            move || handle.stop(Duration::MAX)
        });
        let accepted = submit(&pool, &token);
        // It blocks until the stop, and the stop until it has run everything.
        let _ended = pool.serve();
        let report = stopper.join().unwrap();
        assert_eq!(report.abandoned, 0);
        assert_over(&pool, accepted.as_ref(), &[Outcome::Returned], &token);
    });
}

#[test]
fn a_submission_against_an_impatient_stop_from_elsewhere_has_one_outcome() {
    check("gate: a seat's own submission and a zero stop from elsewhere", Bounds::preemptions().at_most(1), || {
        let token = Arc::new(());
        let mut pool = CoroutinePool::builder().max_size(1).build().unwrap();
        let stopper = thread::spawn({
            let handle = pool.handle();
            move || handle.stop(Duration::ZERO).abandoned
        });
        let accepted = submit(&pool, &token);
        let _ended = pool.drain(None);
        let abandoned = stopper.join().unwrap();
        let gone = accepted.as_ref().is_some_and(|task| task.outcome() == Some(Outcome::Abandoned));
        // A submission that comes in between abandons its task itself.
        assert!(abandoned <= usize::from(gone));
        let handle = pool.handle();
        drop(pool);
        assert_over(&handle, accepted.as_ref(), &[Outcome::Returned, Outcome::Abandoned], &token);
    });
}

#[test]
fn two_stops_abandon_a_task_once() {
    check("gate: two stops", Bounds::preemptions().uneven().at_most(1), || {
        let token = Arc::new(());
        let pool = CoroutinePool::builder().max_size(1).build().unwrap();
        let task = submit(&pool, &token).unwrap();
        let stoppers = [(), ()].map(|()| {
            let handle = pool.handle();
            thread::spawn(move || handle.stop(Duration::ZERO).abandoned)
        });
        let abandoned: usize = stoppers.map(|stopper| stopper.join().unwrap()).iter().sum();
        assert_eq!(abandoned, 1);
        let handle = pool.handle();
        drop(pool);
        assert_over(&handle, Some(&task), &[Outcome::Abandoned], &token);
    });
}

#[test]
fn a_seat_is_attached_to_an_open_pool_or_refused() {
    check("gate: an attachment and a stop", Bounds::preemptions(), || {
        let token = Arc::new(());
        let pool = CoroutinePool::builder().max_size(1).build().unwrap();
        let core = Core::of(&pool);
        let newcomer = thread::spawn({
            let handle = pool.handle();
            move || match handle.attach() {
                // It ends although nobody tells this seat that it came too late.
                Ok(mut seat) => _ = seat.serve(),
                Err(error) => assert_eq!(error, AttachError::Stopped),
            }
        });
        pool.stop(Duration::ZERO);
        newcomer.join().unwrap();
        assert_eq!(core.seats(), 1);
        assert_over(&pool, None, &[], &token);
    });
}

#[test]
fn a_leaving_seat_takes_no_task_from_another_with_it() {
    check("gate: a seat leaves while a task is submitted", Bounds::preemptions().at_most(1), || {
        let token = Arc::new(());
        let mut pool = CoroutinePool::builder().max_size(1).build().unwrap();
        let leaver = thread::spawn({
            let (handle, token) = (pool.handle(), Arc::clone(&token));
            move || {
                let seat = handle.attach().unwrap();
                let task = submit(&seat, &token);
                drop(seat);
                task.unwrap()
            }
        });
        let own = submit(&pool, &token).unwrap();
        pool.wait(&own).unwrap();
        let handed = leaver.join().unwrap();
        pool.wait(&handed).unwrap();
        assert_eq!(handed.outcome(), Some(Outcome::Returned));
        assert_eq!((Core::of(&pool).seats(), Core::of(&pool).has_sleepers()), (1, false));
        pool.stop(Duration::ZERO);
        assert_over(&pool, Some(&own), &[Outcome::Returned], &token);
    });
}

#[test]
fn what_a_leaving_seat_hands_back_during_a_stop_has_an_outcome() {
    check("gate: a seat leaves during a stop", Bounds::preemptions().uneven(), || {
        let token = Arc::new(());
        let pool = CoroutinePool::builder().max_size(1).build().unwrap();
        let leaver = thread::spawn({
            let (handle, token) = (pool.handle(), Arc::clone(&token));
            move || submit(&*handle.attach().ok()?, &token)
        });
        pool.stop(Duration::ZERO);
        let task = leaver.join().unwrap();
        assert!(task.as_ref().is_none_or(|task| task.is_finished()) && pool.state() == PoolState::Stopped);
        // Its closure is buried by a seat that drives or goes.
        let handle = pool.handle();
        drop(pool);
        assert_over(&handle, task.as_ref(), &[Outcome::Abandoned], &token);
    });
}

#[test]
fn what_a_seat_puts_back_from_its_hand_during_a_stop_has_an_outcome() {
    const LARGER: usize = 1 << 20;
    check("gate: a task goes back from a seat's hand during a stop", Bounds::preemptions().uneven(), || {
        let token = Arc::new(());
        let pool = CoroutinePool::builder().max_stacks(0).max_size(1).build().unwrap();
        let held = Arc::clone(&token);
        let task = pool.task().stack_size(LARGER).spawn(move || drop(held)).unwrap().task_ref();
        let polled = seat::poll(&pool).unwrap();
        assert!(seat::enlarge(&pool, polled).is_none());
        let stopper = thread::spawn({
            let handle = pool.handle();
            move || handle.stop(Duration::ZERO).abandoned
        });
        seat::put_back(&pool);
        assert!(stopper.join().unwrap() <= 1);
        assert_eq!(task.outcome(), Some(Outcome::Abandoned));
        let handle = pool.handle();
        drop(pool);
        assert_over(&handle, Some(&task), &[Outcome::Abandoned], &token);
    });
}

#[test]
fn of_two_stops_neither_waits_for_the_task_in_the_other() {
    check("gate: a stop from a task, and another one", Bounds::preemptions().uneven().at_most(1), || {
        let mut pool = CoroutinePool::builder().max_size(1).build().unwrap();
        let handle = pool.handle();
        let mut task = pool.spawn(move || handle.stop(Duration::MAX).abandoned).unwrap();
        let other = thread::spawn({
            let handle = pool.handle();
            move || handle.stop(Duration::MAX).abandoned
        });
        let _ended = pool.serve();
        assert_eq!((other.join().unwrap(), task.try_join().unwrap().unwrap()), (0, 0));
        assert_eq!((pool.state(), pool.get_running_size()), (PoolState::Stopped, 0));
    });
}
