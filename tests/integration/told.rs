//! What a sleeping seat is told and what it leaves to the others, each in the very window where it once was not: a
//! listener says when a seat sleeps.

use std::panic::catch_unwind;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::thread;
use std::time::Duration;

use copool::spec::{Event, SeatId};
use copool::{CoroutinePool, DriveEnd, Listener, Outcome, PoolHandle, PoolState, park, suspend, syscall};

use crate::common::within;
use crate::live::Live;

/// Sends on what it hears.
struct Tells(Mutex<Sender<Event>>);

impl Listener for Tells {
    fn on_event(&self, event: &Event) {
        // Nobody listens any more when the pool is being dropped.
        let _ = self.0.lock().unwrap_or_else(PoisonError::into_inner).send(*event);
    }
}

fn tells() -> (Tells, Receiver<Event>) {
    let (tell, told) = channel();
    (Tells(Mutex::new(tell)), told)
}

/// Passes over what was told, up to such an event.
fn until(told: &Receiver<Event>, wanted: impl Fn(&Event) -> bool) {
    while !wanted(&told.recv().unwrap()) {}
}

fn sleeps(seat: SeatId) -> impl Fn(&Event) -> bool {
    move |event| *event == Event::SeatBlocked { seat }
}

#[test]
fn a_sleeping_seat_keeps_no_stack_from_the_others() {
    within("stacks of a sleeping seat", || {
        let (tells, told) = tells();
        let pool = CoroutinePool::builder().threads(1).listener(tells).build().unwrap();
        let served = SeatId(1);
        for _ in 0..20 {
            pool.spawn(|| ()).unwrap();
            until(&told, |event| event.name() == "outcome_published");
            until(&told, sleeps(served));
            assert_eq!((pool.get_running_size(), pool.counters().stacks), (0, 0));
        }
    });
}

#[test]
fn two_background_threads_take_turns_with_one_stack() {
    within("one stack for two background threads", || {
        let pool = CoroutinePool::builder().threads(2).max_stacks(1).build().unwrap();
        let handle = pool.handle();
        let user = thread::spawn(move || {
            for n in 0..200 {
                assert_eq!(handle.spawn(move || n).unwrap().join().unwrap(), n);
            }
        });
        user.join().unwrap();
    });
}

/// Counts how often the owner's seat has gone to sleep.
#[derive(Clone, Default)]
struct Asleep(Arc<AtomicU32>);

impl Listener for Asleep {
    fn on_event(&self, event: &Event) {
        if sleeps(SeatId(0))(event) {
            self.0.fetch_add(1, Ordering::SeqCst);
        }
    }
}

/// A task of a pair that has all the workers there may be: each joins a task that needs one more, once the owner's drive
/// sleeps and nothing else will wake it.
fn joins_what_cannot_start(pool: &PoolHandle, started: &AtomicU32, asleep: &Asleep) {
    started.fetch_add(1, Ordering::SeqCst);
    while started.load(Ordering::SeqCst) < 2 {
        suspend();
    }
    let child = pool.spawn(|| ()).unwrap();
    let before = asleep.0.load(Ordering::SeqCst);
    // Rings the drive, after the submission has.
    pool.set_keep_alive(Duration::ZERO);
    while asleep.0.load(Ordering::SeqCst) == before {
        suspend();
    }
    child.join().unwrap();
}

#[test]
fn a_sleeping_drive_is_told_that_a_background_thread_has_completed_a_stall() {
    within("stalled elsewhere", || {
        for _ in 0..20 {
            let (asleep, started) = (Asleep::default(), Arc::new(AtomicU32::new(0)));
            let builder = CoroutinePool::builder().threads(1).max_size(2).listener(asleep.clone());
            let mut pool = builder.build().unwrap();
            for _ in 0..2 {
                let (handle, started, asleep) = (pool.handle(), Arc::clone(&started), asleep.clone());
                pool.spawn(move || joins_what_cannot_start(&handle, &started, &asleep)).unwrap();
            }
            // Both belong to the background thread before this one drives.
            while started.load(Ordering::SeqCst) < 2 {
                thread::yield_now();
            }
            assert_eq!(pool.drain(None), Ok(DriveEnd::Stalled));
            assert_eq!((pool.size(), pool.get_running_size()), (2, 2));
            pool.set_max_size(3).unwrap();
            assert_eq!(pool.drain(None), Ok(DriveEnd::AllDone));
        }
    });
}

#[test]
fn a_count_that_a_leaving_seat_releases_goes_to_a_sleeper_that_needs_it() {
    within("released count", || {
        let (tells, told) = tells();
        let mut pool = CoroutinePool::builder().max_size(2).listener(tells).build().unwrap();
        let (handle, (taken, both)) = (pool.handle(), channel());
        let (go, gate) = channel::<()>();
        let leaver = thread::spawn(move || {
            let mut seat = handle.attach().unwrap();
            let parks = handle.spawn(park).unwrap();
            let calls = handle.spawn(move || syscall("waits for a task", move || gate.recv().unwrap())).unwrap();
            seat.try_schedule_task().unwrap();
            taken.send(()).unwrap();
            until(&told, sleeps(SeatId(0)));
            // The first task unwinds and its worker goes; the second one's call lasts until the owner has run its task.
            drop(seat);
            (parks.task_ref().outcome(), calls.task_ref().outcome())
        });
        both.recv().unwrap();
        let needed = pool.spawn(move || go.send(()).unwrap()).unwrap();
        assert_eq!(pool.wait(&needed), Ok(DriveEnd::AllDone));
        needed.join().unwrap();
        assert_eq!(leaver.join().unwrap(), (Some(Outcome::Abandoned), Some(Outcome::Abandoned)));
    });
}

/// Stops the pool, at once, when a task has been started and has not yet run.
#[derive(Clone, Default)]
struct StopsAtStart(Arc<OnceLock<PoolHandle>>);

impl Listener for StopsAtStart {
    fn on_event(&self, event: &Event) {
        if event.name() == "task_started" {
            self.0.get().unwrap().stop(Duration::ZERO);
        }
    }
}

#[test]
fn a_closure_that_a_stop_gives_up_between_start_and_run_is_dropped_and_never_runs() {
    within("given up at its start", || {
        let (live, ran, stops) = (Live::default(), Arc::new(AtomicBool::new(false)), StopsAtStart::default());
        let mut pool = CoroutinePool::builder().listener(stops.clone()).build().unwrap();
        stops.0.set(pool.handle()).unwrap();
        let (token, runs) = (live.token(), Arc::clone(&ran));
        let task = pool
            .spawn(move || {
                let _token = token;
                runs.store(true, Ordering::SeqCst);
            })
            .unwrap();
        // The pool stops under it.
        let _ = pool.try_schedule_task();
        assert_eq!(task.task_ref().outcome(), Some(Outcome::Abandoned));
        assert!(!ran.load(Ordering::SeqCst), "a task without a future does not run");
        assert_eq!((live.count(), pool.state(), pool.outstanding()), (0, PoolState::Stopped, 0));
        assert!(catch_unwind(move || drop(pool)).is_ok());
    });
}

#[test]
fn a_sleeper_sets_its_alarm_for_the_memory_that_a_drive_elsewhere_leaves_behind() {
    within("an alarm", || {
        let (tells, told) = tells();
        let mut pool = CoroutinePool::builder().threads(1).listener(tells).build().unwrap();
        let (hold, held) = channel::<()>();
        // The background thread is busy while this one takes its tasks.
        let (here, busy) = channel();
        let holder = pool.spawn(move || {
            here.send(()).unwrap();
            held.recv().unwrap();
        });
        drop(holder);
        busy.recv().unwrap();
        while told.try_recv().is_ok() {}
        let tasks: Vec<_> = (0..100).map(|_| pool.spawn(park).unwrap()).collect();
        pool.try_schedule_task().unwrap();
        hold.send(()).unwrap();
        until(&told, sleeps(SeatId(1)));
        // It sleeps, knows of nothing, and this thread never drives again.
        tasks.iter().for_each(|task| task.task_ref().unpark());
        pool.try_schedule_task().unwrap();
        assert_eq!(pool.outstanding(), 0);
        until(&told, |_| pool.counters().stacks_emptied > 0);
    });
}
