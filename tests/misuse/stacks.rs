//! No stack to be had: the drive says so, the tasks stay queued, and they run once there are stacks.

use std::io::ErrorKind;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, OnceLock};
use std::thread;
use std::time::Duration;

use copool::spec::Event;
use copool::{Cancel, CoroutinePool, DriveEnd, DriveError, Listener, Outcome, PoolHandle, park, suspend};

use crate::common::within;

fn with_stacks(most: usize) -> CoroutinePool {
    CoroutinePool::builder().max_stacks(most).build().unwrap()
}

#[test]
fn without_a_single_stack_every_drive_says_exhausted_and_the_task_stays_queued() {
    within("no stacks", || {
        let mut pool = with_stacks(0);
        let task = pool.spawn(|| 7).unwrap();
        assert_eq!(pool.try_schedule_task().unwrap_err().kind(), ErrorKind::OutOfMemory);
        assert_eq!(pool.try_timed_schedule_task(Duration::MAX), Err(DriveError::StackExhausted));
        assert_eq!(pool.drain(None), Err(DriveError::StackExhausted));
        assert_eq!(pool.wait(&task), Err(DriveError::StackExhausted));
        assert_eq!(pool.serve(), Err(DriveError::StackExhausted));
        assert_eq!((pool.size(), pool.get_running_size(), task.is_finished()), (1, 0, false));
        assert!(pool.counters().stacks_refused > 0);
        let report = pool.stop(Duration::from_secs(30));
        assert_eq!((report.abandoned, report.leaving), (1, 0), "a stop does not wait for what cannot run");
    });
}

#[test]
fn with_too_few_stacks_all_tasks_run_all_the_same() {
    within("few stacks", || {
        for stacks in 1..4 {
            let mut pool = with_stacks(stacks);
            let tasks: Vec<_> = (0..50)
                .map(|n| {
                    pool.spawn(move || {
                        suspend();
                        n
                    })
                    .unwrap()
                })
                .collect();
            assert_eq!(pool.drain(None), Ok(DriveEnd::AllDone));
            assert!(pool.counters().peak_stacks <= stacks);
            for (n, task) in tasks.into_iter().enumerate() {
                assert_eq!(task.join().unwrap(), n);
            }
        }
    });
}

#[test]
fn a_task_that_found_no_stack_runs_once_a_suspended_one_has_ended() {
    within("stack freed", || {
        let mut pool = with_stacks(1);
        let holder = pool.spawn(park).unwrap();
        let queued = pool.spawn(|| 7).unwrap();
        assert_eq!(pool.try_timed_schedule_task(Duration::MAX), Ok(DriveEnd::Waiting { until: None }));
        assert_eq!((pool.size(), queued.is_finished()), (1, false));
        holder.task_ref().unpark();
        assert_eq!(pool.drain(None), Ok(DriveEnd::AllDone));
        assert_eq!(queued.join().unwrap(), 7);
    });
}

#[test]
fn an_exhaustion_that_is_over_is_not_reported_again() {
    within("stale exhaustion", || {
        let mut pool = with_stacks(0);
        let task = pool.spawn(|| 7).unwrap();
        assert_eq!(pool.drain(None), Err(DriveError::StackExhausted));
        task.cancel();
        assert!(pool.is_empty());
        pool.try_schedule_task().expect("nothing is queued, so no stack is missing");
    });
}

#[test]
fn a_task_with_a_larger_stack_runs_in_place_of_the_worker_that_polled_it() {
    within("larger stack at the limit", || {
        let mut pool = with_stacks(1);
        let task = pool.task().stack_size(1 << 20).spawn(|| 7).unwrap();
        assert_eq!(pool.drain(None), Ok(DriveEnd::AllDone), "one stack is allowed, and none is in use");
        assert_eq!(task.join().unwrap(), 7);
    });
}

#[test]
fn a_task_whose_larger_stack_is_refused_stays_queued_and_can_be_cancelled() {
    within("larger stack refused", || {
        let mut pool = with_stacks(1);
        let holder = pool.spawn(park).unwrap();
        pool.try_schedule_task().unwrap();
        let large = pool.task().stack_size(1 << 20).priority(-1).spawn(|| 7).unwrap();
        assert_eq!(pool.try_timed_schedule_task(Duration::MAX), Ok(DriveEnd::Waiting { until: None }));
        assert_eq!((pool.size(), large.is_finished()), (1, false));
        large.cancel();
        holder.task_ref().unpark();
        assert_eq!(pool.drain(None), Ok(DriveEnd::AllDone));
    });
}

#[test]
fn a_stack_that_one_seat_keeps_for_later_is_no_exhaustion_for_another() {
    within("kept stacks", || {
        let mut pool = with_stacks(1);
        pool.spawn(|| ()).unwrap();
        assert_eq!(pool.drain(None), Ok(DriveEnd::AllDone));
        assert_eq!(pool.get_running_size(), 0, "nobody uses the one stack any more");
        let handle = pool.handle();
        thread::spawn(move || {
            let mut seat = handle.attach().unwrap();
            let task = seat.spawn(|| 7).unwrap();
            assert_eq!(seat.drain(None), Ok(DriveEnd::AllDone));
            assert_eq!(task.join().unwrap(), 7);
        })
        .join()
        .unwrap();
    });
}

/// A task that has one of two stacks and shares its seat with another. When that one's worker has gone, it keeps the thread
/// until it hears that another seat was given its stack.
fn keeps_the_seat(handle: &PoolHandle, go: &Sender<()>, over: &Receiver<()>) {
    // It ends once another seat was refused a stack and its task was withdrawn, so that nobody here takes that task.
    let other = handle.clone();
    let refused = move || {
        while other.counters().stacks_refused == 0 || other.size() > 0 {
            suspend();
        }
    };
    let other = handle.spawn(refused).unwrap();
    while handle.get_running_size() < 2 {
        suspend();
    }
    go.send(()).unwrap();
    while !other.is_finished() || handle.get_running_size() > 1 {
        suspend();
    }
    go.send(()).unwrap();
    over.recv().unwrap();
}

#[test]
fn a_seat_gives_up_a_stack_in_the_middle_of_its_drive_once_another_was_refused_one() {
    within("kept stacks in a drive", || {
        let mut pool = with_stacks(2);
        let ((go, gate), (tell, over)) = (channel(), channel());
        let (keeper, handle) = (pool.handle(), pool.handle());
        pool.spawn(move || keeps_the_seat(&keeper, &go, &over)).unwrap();
        let other = thread::spawn(move || {
            let mut seat = handle.attach().unwrap();
            gate.recv().unwrap();
            let refused = seat.spawn(|| 7).unwrap();
            assert_eq!(seat.wait(&refused), Err(DriveError::StackExhausted));
            assert_eq!(refused.cancel(), Cancel::NeverRuns);
            gate.recv().unwrap();
            // The owner's thread is busy, and drives no further.
            let task = seat.spawn(|| 7).unwrap();
            let end = seat.wait(&task);
            tell.send(()).unwrap();
            (end, task.is_finished())
        });
        assert_eq!(pool.drain(None), Ok(DriveEnd::AllDone));
        assert_eq!(other.join().unwrap(), (Ok(DriveEnd::AllDone), true));
    });
}

#[test]
fn a_join_of_a_task_for_which_there_is_no_stack_does_not_hang_the_drive() {
    within("join without a stack", || {
        let mut pool = with_stacks(1);
        let handle = pool.handle();
        let joins = pool.spawn(move || handle.spawn(|| 7).unwrap().join()).unwrap();
        // The one stack is held by the task that waits for the other.
        let end = pool.drain(None);
        assert!(matches!(end, Ok(DriveEnd::Stalled) | Err(DriveError::StackExhausted)), "{end:?}");
        assert_eq!(joins.cancel(), Cancel::Requested);
        assert_eq!(pool.drain(None), Ok(DriveEnd::AllDone));
    });
}

#[test]
fn a_few_stacks_of_several_sizes_serve_many_tasks_on_several_threads() {
    within("few stacks for several threads", || {
        for stacks in 1..4 {
            let pool = CoroutinePool::builder().threads(2).max_stacks(stacks).build().unwrap();
            let tasks: Vec<_> = (0..300_usize)
                .map(|n| {
                    let size = [16, 64, 100, 256][n % 4] * 1024;
                    let run = move || {
                        suspend();
                        n
                    };
                    pool.task().stack_size(size).priority(n as i64 % 3 - 1).spawn(run).unwrap()
                })
                .collect();
            let sum = thread::spawn(|| tasks.into_iter().map(|task| task.join().unwrap()).sum::<usize>());
            assert_eq!(sum.join().unwrap(), 300 * 299 / 2);
            assert!(pool.counters().peak_stacks <= stacks);
        }
    });
}

#[test]
fn a_task_that_needs_a_larger_stack_runs_in_the_very_turn_in_which_it_was_polled() {
    within("the turn goes on", || {
        let mut pool = CoroutinePool::default();
        let small = pool.spawn(|| 1).unwrap();
        let large = pool.task().stack_size(1 << 20).spawn(|| 2).unwrap();
        assert_eq!(pool.wait(&small), Ok(DriveEnd::AllDone));
        assert_eq!((pool.size(), pool.get_running_size()), (0, 0), "the turn was not over with the first");
        assert_eq!((small.join().unwrap(), large.join().unwrap()), (1, 2));
    });
}

const HUGE: usize = 1 << 40;

/// A pool with all huge stacks that there can be.
fn hoard() -> CoroutinePool {
    let mut hoard = CoroutinePool::default();
    // 2^47 bytes of addresses hold fewer than 200 of them: then there is none for another pool.
    for _ in 0..200 {
        hoard.task().stack_size(HUGE).spawn(park).unwrap();
    }
    let _ = hoard.try_schedule_task();
    assert!(hoard.counters().stacks_refused > 0);
    hoard
}

/// Stops the pool, at once, when a stack has been refused.
#[derive(Clone, Default)]
struct StopsAtRefusal(Arc<OnceLock<PoolHandle>>);

impl Listener for StopsAtRefusal {
    fn on_event(&self, event: &Event) {
        if event.name() == "stack_exhausted" {
            self.0.get().unwrap().stop(Duration::ZERO);
        }
    }
}

#[test]
fn a_task_that_a_seat_has_in_hand_for_want_of_a_stack_is_abandoned_by_a_stop_as_the_others_are() {
    within("stopped with a task in hand", || {
        let _hoard = hoard();
        let stops = StopsAtRefusal::default();
        let mut pool = CoroutinePool::builder().listener(stops.clone()).build().unwrap();
        stops.0.set(pool.handle()).unwrap();
        let task = pool.task().stack_size(HUGE).spawn(park).unwrap();
        // It ends by the stop, or for want of stacks.
        let _ = pool.drain(None);
        assert!(pool.counters().stacks_refused > 0);
        assert_eq!(task.task_ref().outcome(), Some(Outcome::Abandoned));
        assert_eq!((pool.size(), pool.outstanding()), (0, 0));
    });
}

#[test]
fn a_stop_abandons_a_task_that_a_seat_has_in_hand_while_that_runs_another() {
    within("stopped from elsewhere with a task in hand", || {
        let _hoard = hoard();
        let mut pool = CoroutinePool::default();
        let huge = pool.task().stack_size(HUGE).spawn(park).unwrap().task_ref();
        let seen = Arc::new(OnceLock::new());
        let (handle, task, see) = (pool.handle(), huge.clone(), Arc::clone(&seen));
        pool.spawn(move || {
            thread::spawn(move || handle.stop(Duration::ZERO)).join().unwrap();
            see.set(task.outcome()).unwrap();
        })
        .unwrap();
        let _ = pool.drain(None);
        assert!(pool.counters().stacks_refused > 0);
        assert_eq!(seen.get(), Some(&Some(Outcome::Abandoned)));
    });
}
