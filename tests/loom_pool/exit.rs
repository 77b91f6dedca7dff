//! The keep-alive exit: a worker that leaves looks again, and what it leaves behind goes to whoever waits for it.
//!
//! Whole drives with real stacks, so the bounds are low. Time is loom's: a keep-alive is over as soon as it is looked at.

use std::time::Duration;

use copool_model::loom::{Bounds, check, thread};
use copool_model::under_loom::checked::pool::Core;
use copool_model::under_loom::checked::seat;
use copool_model::under_loom::{Cancel, CoroutinePool, DriveEnd, VirtualClock};

#[test]
fn a_worker_that_leaves_misses_no_task() {
    check("exit: a submission while the last worker leaves", Bounds::preemptions(), || {
        let mut seat = CoroutinePool::builder().max_size(1).build().unwrap();
        let submitter = thread::spawn({
            let handle = seat.handle();
            move || handle.spawn(|| ()).unwrap()
        });
        // It idles or leaves, whatever the submitter does, and this drive or the next takes the task.
        assert_eq!(seat.drain(None).unwrap(), DriveEnd::AllDone);
        let mut task = submitter.join().unwrap();
        if !task.is_finished() {
            assert_eq!(seat.drain(None).unwrap(), DriveEnd::AllDone);
        }
        task.try_join().unwrap().unwrap();
        assert_eq!((seat.size(), seat.outstanding(), seat.get_running_size()), (0, 0, 0));
    });
}

#[test]
fn a_wait_for_a_task_that_comes_while_the_last_worker_leaves_ends() {
    check("exit: a served pool's worker leaves while a task comes", Bounds::preemptions().at_most(1), || {
        let mut seat = CoroutinePool::builder().max_size(1).build().unwrap();
        let first = seat.spawn(|| ()).unwrap();
        let user = thread::spawn({
            let handle = seat.handle();
            move || {
                assert!(handle.spawn(|| ()).unwrap().join().is_ok());
                handle.stop(Duration::ZERO);
            }
        });
        assert_eq!(seat.serve().unwrap(), DriveEnd::Stopped);
        user.join().unwrap();
        assert!(first.is_finished());
        assert_eq!(seat.get_running_size(), 0);
    });
}

#[test]
fn a_count_that_leaves_goes_to_the_seat_that_waits_for_it() {
    check("exit: an idle worker leaves, or is taken by another seat", Bounds::preemptions(), || {
        let mut seat = CoroutinePool::builder().max_size(1).keep_alive(Duration::MAX).build().unwrap();
        drop(seat.spawn(|| ()).unwrap());
        assert_eq!(seat.drain(None).unwrap(), DriveEnd::AllDone);
        let core = Core::of(&seat);
        assert_eq!((core.idle(), core.numbers().running), (1, 1));
        seat.set_keep_alive(Duration::ZERO);
        let other = thread::spawn({
            let handle = seat.handle();
            move || {
                let seat = handle.attach().unwrap();
                let task = seat.spawn(|| ()).unwrap();
                while !seat::obtain(&seat) {
                    seat::doze(&seat);
                }
                assert_eq!(seat.get_running_size(), 1);
                assert_eq!(task.cancel(), Cancel::NeverRuns);
            }
        });
        seat::expire(&seat);
        other.join().unwrap();
        // The other seat's worker has left with it, or idles.
        assert_eq!(core.numbers().running as usize, core.idle());
        assert!(!core.has_sleepers());
    });
}

#[test]
fn a_seat_going_to_sleep_beside_an_idle_worker_hears_of_a_new_keep_alive() {
    check("exit: a keep-alive changes before the sleep", Bounds::preemptions().uneven(), || {
        // On a virtual clock a seat sleeps until it is woken; a sleep with a deadline is none under loom.
        let builder = CoroutinePool::builder().max_size(1).clock(VirtualClock::new());
        let mut seat = builder.keep_alive(Duration::MAX).build().unwrap();
        drop(seat.spawn(|| ()).unwrap());
        assert_eq!(seat.drain(None).unwrap(), DriveEnd::AllDone);
        let core = Core::of(&seat);
        assert_eq!(core.idle(), 1);
        let other = thread::spawn({
            let handle = seat.handle();
            move || handle.set_keep_alive(Duration::ZERO)
        });
        seat::expire(&seat);
        while core.idle() > 0 {
            seat::doze(&seat);
            seat::expire(&seat);
        }
        other.join().unwrap();
        assert_eq!(core.numbers().running, 0);
        assert!(!core.has_sleepers());
    });
}
