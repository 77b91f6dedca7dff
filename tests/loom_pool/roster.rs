//! A stop from elsewhere against a task that starts, runs and ends: the roster's newcomer.
//!
//! Alone, its pointer is used only while the task's cell is there: what stands for the cell is a [`Witness`], which its
//! runner writes once it has left. With whole drives, the stop or the runner abandons the task, and never neither.

use std::sync::Arc;
use std::time::Duration;

use copool_model::loom::{Bounds, check, thread};
use copool_model::under_loom::checked::pool::{Roster, Signals, Witness};
use copool_model::under_loom::checked::seat;
use copool_model::under_loom::spec::{Outcome, PoolState};
use copool_model::under_loom::{Cancel, CoroutinePool, park};

#[test]
fn a_sweep_uses_no_cell_that_its_runner_has_let_go() {
    check("roster: a newcomer leaves while a stop sweeps", Bounds::complete().uneven(), || {
        let seat = CoroutinePool::builder().build().unwrap();
        let task = seat.spawn(|| ()).unwrap();
        let polled = seat::poll(&seat).unwrap();
        let (signals, cell) = (Arc::new(Signals::new()), Arc::new(Witness::new()));
        let sweeper = thread::spawn({
            let (roster, signals, cell) = (Roster::of(&seat), Arc::clone(&signals), Arc::clone(&cell));
            move || {
                signals.abandon();
                assert_eq!(roster.sweep(|| cell.read()), 0);
            }
        });
        let roster = Roster::of(&seat);
        cell.write();
        roster.enter(&polled);
        roster.leave_new(|| signals.is_abandoning());
        cell.write();
        sweeper.join().unwrap();
        assert_eq!(roster.sweep(|| panic!("nobody is left")), 0);
        assert_eq!(task.cancel(), Cancel::NeverRuns);
    });
}

#[test]
fn a_task_that_starts_during_a_stop_is_abandoned_by_one_of_the_two() {
    check(
        "roster: a task that would park for ever starts during a stop",
        Bounds::preemptions().uneven().at_most(1),
        || {
            let mut pool = CoroutinePool::builder().max_size(1).build().unwrap();
            let task = pool.spawn(park).unwrap().task_ref();
            let stopper = thread::spawn({
                let handle = pool.handle();
                move || handle.stop(Duration::ZERO).abandoned
            });
            let _ended = pool.drain(None);
            assert!(stopper.join().unwrap() <= 1);
            assert_eq!(task.outcome(), Some(Outcome::Abandoned));
            let handle = pool.handle();
            drop(pool);
            assert_eq!((handle.state(), handle.get_running_size()), (PoolState::Stopped, 0));
        },
    );
}

#[test]
fn a_task_that_ends_during_a_stop_has_one_outcome() {
    check("roster: a task ends during a stop", Bounds::preemptions().uneven().at_most(1), || {
        let mut pool = CoroutinePool::builder().max_size(1).build().unwrap();
        let mut task = pool.spawn(|| Box::new(7)).unwrap();
        let stopper = thread::spawn({
            let handle = pool.handle();
            move || handle.stop(Duration::ZERO).abandoned
        });
        let _ended = pool.drain(None);
        let abandoned = stopper.join().unwrap();
        let handle = pool.handle();
        drop(pool);
        let outcome = task.task_ref().outcome().unwrap();
        assert_eq!(task.try_join().unwrap().is_ok(), outcome == Outcome::Returned);
        assert!(abandoned == 0 || outcome == Outcome::Abandoned);
        assert_eq!((handle.state(), handle.outstanding(), handle.get_running_size()), (PoolState::Stopped, 0, 0));
    });
}
