//! Seats that come and go: what a leaving one takes with it, what it leaves to the others, and who is woken for it.

use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Barrier, Mutex, PoisonError};
use std::thread;
use std::time::Duration;

use copool::spec::{Event, SeatId};
use copool::{CoroutinePool, DriveEnd, DriveError, JoinError, JoinHandle, Listener, Outcome, PoolHandle, PoolState};
use copool::{TaskRef, park, suspend, syscall};

use crate::common::within;
use crate::live::Live;

struct On<F>(F);

impl<F: Fn(&Event) + Send + Sync + 'static> Listener for On<F> {
    fn on_event(&self, event: &Event) {
        (self.0)(event);
    }
}

/// Halts whoever causes an event of this name until the receiver's other end is served, having told so.
fn halt_at(name: &'static str) -> (impl Listener, Receiver<()>, Sender<()>) {
    let ((told, reached), (go, gone)) = (channel(), channel());
    let ends = Mutex::new((told, gone));
    let halts = On(move |event: &Event| {
        if event.name() == name {
            let ends = ends.lock().unwrap_or_else(PoisonError::into_inner);
            // Without the other ends the test is over.
            let _ = ends.0.send(());
            let _ = ends.1.recv();
        }
    });
    (halts, reached, go)
}

/// Runs `f` on a thread of its own, which has no seat yet.
fn elsewhere<R: Send>(f: impl FnOnce() -> R + Send) -> R {
    thread::scope(|scope| scope.spawn(f).join().unwrap())
}

#[test]
fn a_seat_that_leaves_abandons_what_it_has_started_and_hands_on_what_is_queued() {
    within("leaving", || {
        let mut pool = CoroutinePool::default();
        let (handle, live) = (pool.handle(), Live::default());
        let captured = [live.token(), live.token(), live.token()];
        let (started, queued, outside) = elsewhere(|| {
            let mut seat = handle.attach().unwrap();
            let [first, second, third] = captured;
            let started = handle.spawn(move || (park(), drop(first))).unwrap();
            seat.try_schedule_task().unwrap();
            let here = thread::current().id();
            let queued = handle.spawn(move || (suspend(), drop(second), thread::current().id() != here)).unwrap();
            let outside = elsewhere(|| handle.spawn(move || (suspend(), drop(third))).unwrap());
            (started, queued, outside)
        });
        assert!(matches!(started.join(), Err(JoinError::Abandoned)));
        assert_eq!((queued.task_ref().outcome(), outside.task_ref().outcome()), (None, None));
        assert_eq!((pool.size(), pool.outstanding(), live.count()), (2, 2, 2));
        assert_eq!(pool.drain(None).unwrap(), DriveEnd::AllDone);
        assert!(queued.join().unwrap().2, "it ran where it was left behind");
        assert!(outside.join().is_ok());
    });
}

#[test]
fn a_seat_that_leaves_runs_nobody_elses_tasks() {
    within("leaving beside a backlog", || {
        let mut pool = CoroutinePool::default();
        let handle = pool.handle();
        let backlog: Vec<_> = (0..10).map(|_| pool.spawn(|| thread::current().id()).unwrap()).collect();
        pool.set_max_size(1).unwrap();
        elsewhere(|| {
            let mut seat = handle.attach().unwrap();
            handle.task().priority(-1).spawn(park).unwrap();
            // The park takes the only worker.
            seat.try_schedule_task().unwrap();
        });
        assert_eq!(pool.size(), 10);
        pool.drain(None).unwrap();
        assert!(backlog.into_iter().all(|task| task.join().unwrap() == thread::current().id()));
    });
}

#[test]
fn a_task_submitted_while_the_owner_drops_the_pool_is_dropped_with_it() {
    within("submit during drop", || {
        let (halts, submitting, go) = halt_at("task_accepted");
        let pool = CoroutinePool::builder().listener(halts).build().unwrap();
        let (handle, live) = (pool.handle(), Live::default());
        let captured = live.token();
        let submitter = thread::spawn(move || handle.spawn(move || drop(captured)).unwrap());
        submitting.recv().unwrap();
        let handle = pool.handle();
        drop(pool);
        go.send(()).unwrap();
        let task = submitter.join().unwrap();
        assert_eq!(task.task_ref().outcome(), Some(Outcome::Abandoned));
        assert_eq!((handle.state(), handle.outstanding()), (PoolState::Stopped, 0));
        assert_eq!(live.count(), 0, "its closure was never dropped");
    });
}

#[test]
fn a_task_that_a_stop_abandons_while_the_owner_drops_the_pool_is_dropped_with_it() {
    within("stop during drop", || {
        let (halts, abandoning, go) = halt_at("task_abandoned");
        let pool = CoroutinePool::builder().listener(halts).build().unwrap();
        let (handle, live) = (pool.handle(), Live::default());
        let captured = live.token();
        let task = pool.spawn(move || drop(captured)).unwrap();
        let stopper = thread::spawn(move || handle.stop(Duration::ZERO));
        abandoning.recv().unwrap();
        let handle = pool.handle();
        drop(pool);
        go.send(()).unwrap();
        assert_eq!(stopper.join().unwrap().abandoned, 1);
        assert_eq!(task.task_ref().outcome(), Some(Outcome::Abandoned));
        assert_eq!((handle.state(), handle.outstanding()), (PoolState::Stopped, 0));
        assert_eq!(live.count(), 0, "its closure was never dropped");
    });
}

/// Submits from this thread, which has no seat, until the task runs; `false` if it does not in time.
fn runs(pool: &PoolHandle) -> bool {
    pool.spawn(|| ()).unwrap().join_timeout(Duration::from_secs(10)).is_ok()
}

#[test]
fn a_seat_that_waits_for_a_system_call_to_leave_takes_no_wake_up_from_the_others() {
    within("leaving asleep", || {
        // Tells which seat blocks, so that both are asleep before the submissions below.
        let (told, blocked) = channel();
        let told = Mutex::new(told);
        let tells = On(move |event: &Event| {
            if let Event::SeatBlocked { seat } = event {
                let _ = told.lock().unwrap_or_else(PoisonError::into_inner).send(*seat);
            }
        });
        let pool = CoroutinePool::builder().listener(tells).build().unwrap();
        let handle = pool.handle();
        let (go, gone) = channel::<()>();
        let (inside, entered) = channel();
        let leaver = thread::spawn(move || {
            let mut seat = handle.attach().unwrap();
            let call = move || {
                syscall("long", move || {
                    inside.send(()).unwrap();
                    // Until the test is over, whatever came of it.
                    let _ = gone.recv();
                });
            };
            handle.spawn(call).unwrap();
            seat.try_schedule_task().unwrap();
        });
        entered.recv().unwrap();
        let handle = pool.handle();
        let server = thread::spawn(move || handle.attach().unwrap().serve());
        assert_eq!(blocked.recv().unwrap(), SeatId(2));
        let handle = pool.handle();
        let all_run = elsewhere(|| (0..8).all(|_| runs(&handle)));
        drop(go);
        leaver.join().unwrap();
        pool.stop(Duration::ZERO);
        assert!(server.join().unwrap().is_ok());
        assert!(all_run, "a task waits while a seat sleeps that could run it");
    });
}

#[test]
fn a_pool_is_not_stalled_while_a_joiner_has_been_woken_on_another_seat() {
    within("no false stall", || {
        let (told, blocked) = channel();
        let (told, go) = (Mutex::new(told.clone()), told);
        let tells = On(move |event: &Event| {
            if matches!(event, Event::SeatBlocked { seat: SeatId(0) }) {
                let _ = told.lock().unwrap_or_else(PoisonError::into_inner).send(());
            }
        });
        let mut pool = CoroutinePool::builder().max_size(1).listener(tells).build().unwrap();
        let (handle, (ready, set)) = (pool.handle(), channel());
        let awaited = pool.spawn(|| ()).unwrap();
        let other = thread::spawn(move || {
            let mut seat = handle.attach().unwrap();
            handle.spawn(move || awaited.join().unwrap()).unwrap();
            // It takes the only worker, so that nobody steals what it joins.
            assert_eq!(seat.try_timed_schedule_task(Duration::MAX).unwrap(), DriveEnd::Stalled);
            ready.send(()).unwrap();
            // Driven again once the builder's seat waits for it.
            let _ = blocked.recv();
            seat.drain(None).unwrap()
        });
        set.recv().unwrap();
        pool.set_max_size(2).unwrap();
        let handle = pool.handle();
        // The awaited task ends and wakes its joiner over there. Then this one joins a third, which gets no worker.
        let chain = pool.spawn(move || handle.spawn(|| ()).unwrap().join().unwrap()).unwrap();
        let end = pool.drain(None).unwrap();
        // Had it been stalled, nobody would have told the other seat.
        let _ = go.send(());
        while pool.drain(None).unwrap() != DriveEnd::AllDone {
            thread::yield_now();
        }
        assert_eq!(other.join().unwrap(), DriveEnd::AllDone);
        chain.join().unwrap();
        assert_eq!(end, DriveEnd::AllDone, "as the other seat's drive has shown");
    });
}

#[test]
fn seats_that_attach_and_leave_under_load_lose_nothing() {
    for round in 0..100 {
        within(format!("attach and leave, round {round}"), move || {
            let mut pool = CoroutinePool::builder().threads(round % 2).build().unwrap();
            let live = Live::default();
            let visitors: Vec<_> = (0..3)
                .map(|_| {
                    let (handle, live) = (pool.handle(), live.clone());
                    thread::spawn(move || visit(&handle, &live))
                })
                .collect();
            for _ in 0..200 {
                let captured = live.token();
                pool.spawn(move || (suspend(), drop(captured))).unwrap();
            }
            let tasks: Vec<_> = visitors.into_iter().flat_map(|visitor| visitor.join().unwrap()).collect();
            assert_eq!(pool.drain(None).unwrap(), DriveEnd::AllDone);
            assert_eq!(live.count(), 0);
            let fair = |outcome| matches!(outcome, Some(Outcome::Returned | Outcome::Abandoned));
            assert!(tasks.iter().all(|task| fair(task.task_ref().outcome())));
        });
    }
}

/// Comes ten times, submits some tasks, drives a little and leaves in the middle.
fn visit(pool: &PoolHandle, live: &Live) -> Vec<JoinHandle<()>> {
    let mut tasks = Vec::new();
    for n in 0..10_usize {
        let mut seat = pool.attach().unwrap();
        for _ in 0..5 {
            let captured = Arc::new(live.token());
            tasks.push(pool.spawn(move || (0..n).for_each(|_| drop((suspend(), Arc::clone(&captured))))).unwrap());
        }
        seat.try_timed_schedule_task(Duration::from_micros(20)).unwrap();
    }
    tasks
}

#[test]
fn every_seat_that_drains_or_serves_learns_of_the_end() {
    for round in 0..200 {
        within(format!("drains and serves, round {round}"), move || {
            let mut pool = CoroutinePool::builder().threads(round % 2).build().unwrap();
            let barrier = Arc::new(Barrier::new(5));
            let others: Vec<_> = (0..4)
                .map(|n| {
                    let (handle, barrier) = (pool.handle(), Arc::clone(&barrier));
                    thread::spawn(move || {
                        let mut seat = handle.attach().unwrap();
                        let tasks: Vec<_> = (0..10).map(|_| handle.spawn(suspend).unwrap()).collect();
                        barrier.wait();
                        let end = if n < 2 { seat.drain(None) } else { seat.serve() };
                        assert!(tasks.iter().all(JoinHandle::is_finished));
                        end
                    })
                })
                .collect();
            barrier.wait();
            assert_eq!(pool.drain(None).unwrap(), DriveEnd::AllDone);
            assert_eq!(pool.stop(Duration::MAX).abandoned, 0);
            let ends: Vec<_> = others.into_iter().map(|other| other.join().unwrap()).collect();
            // One that begins only after the stop is refused.
            let stopped = |end: &Result<_, _>| matches!(end, Ok(DriveEnd::Stopped) | Err(DriveError::Stopped));
            assert!(ends[..2].iter().all(|end| *end == Ok(DriveEnd::AllDone) || stopped(end)), "{ends:?}");
            assert!(ends[2..].iter().all(stopped), "{ends:?}");
            let handle = pool.handle();
            drop(pool);
            assert_eq!((handle.state(), handle.get_running_size()), (PoolState::Stopped, 0));
        });
    }
}

#[test]
fn a_stop_returns_though_a_seat_with_started_tasks_is_not_driven_any_more() {
    within("undriven seat", || {
        let mut pool = CoroutinePool::default();
        let (handle, live, (ready, set), (go, gone)) = (pool.handle(), Live::default(), channel(), channel::<()>());
        let captured = live.token();
        let idler = thread::spawn(move || {
            let mut seat = handle.attach().unwrap();
            let parked = handle.spawn(move || (park(), drop(captured))).unwrap();
            seat.try_schedule_task().unwrap();
            ready.send(parked.task_ref()).unwrap();
            let _ = gone.recv();
            // It unwinds in the next drive.
            assert_eq!(seat.drain(None).unwrap(), DriveEnd::Stopped);
        });
        let parked: TaskRef = set.recv().unwrap();
        let report = pool.stop(Duration::from_millis(5));
        assert_eq!((report.state, report.abandoned, report.leaving), (PoolState::Stopping, 1, 1));
        assert_eq!((parked.outcome(), live.count()), (Some(Outcome::Abandoned), 1));
        assert_eq!((pool.outstanding(), pool.get_running_size()), (0, 1));
        drop(go);
        idler.join().unwrap();
        assert_eq!((pool.state(), pool.get_running_size(), live.count()), (PoolState::Stopped, 0, 0));
        assert_eq!(pool.drain(None).unwrap_err(), DriveError::Stopped);
    });
}
