//! The task word and the cell: start, cancel, abandonment and the end race, and whoever waits hears of it.
//!
//! One thread has the queue's reference and runs the task or gives it up, one has the `JoinHandle`, one a `TaskRef`; all
//! pairs of what they can do, and the triples with a handle and a reference. Each model asserts the end: one outcome that
//! fits what all were told, one count of it, and the closure's captures and the result each dropped once, before the
//! outcome is seen where that is promised. Loom checks the captures and the result for races.
//!
//! Left out: the coroutine and its seat (`whole.rs` has them); a cell's own end, which std's `Arc` orders and loom does
//! not see.

use std::pin::Pin;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::task::{Context, Wake, Waker};

use copool_model::loom::{Bounds, check, thread};
use copool_model::under_loom::checked::task::{Bare, Queued, abandon, give_up};
use copool_model::under_loom::checked::{Gate, ScriptedPanic};
use copool_model::under_loom::{Cancel, JoinError, JoinHandle, Outcome, TaskRef};

use crate::common::{Drops, Owned, block_on, poll_once};

/// What the thread with the queue's reference does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Holder {
    Runs,
    GivesUp,
}

/// What the thread with the handle does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Handle {
    Joins,
    Awaits,
    PollsOnce,
    Drops,
}

/// What a thread with a reference does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Ref {
    Cancels,
    Abandons,
    Waits,
}

/// One execution: the task, and what everybody has seen of it.
struct Scene {
    ran: AtomicBool,
    /// Somebody may abandon the task: then its outcome says nothing about its captures.
    abandons: bool,
    /// How many were told that it never runs.
    never_runs: AtomicUsize,
    captures: Drops,
    result: Drops,
    /// What those who waited were told.
    told: Mutex<Vec<Outcome>>,
}

impl Scene {
    /// A task that uses what it captures, and the scene around it.
    fn new(bare: &Bare, abandons: bool) -> (Arc<Self>, Queued, JoinHandle<Owned>) {
        let (owned, captures) = Drops::new();
        let (value, result) = Drops::new();
        let scene = Arc::new(Self {
            ran: AtomicBool::new(false),
            abandons,
            never_runs: AtomicUsize::new(0),
            captures,
            result,
            told: Mutex::default(),
        });
        let ran = Arc::clone(&scene);
        let (queued, handle) = bare.task(move || {
            owned.touch();
            // Ordering: Relaxed; loom runs one thread at a time.
            assert!(!ran.ran.swap(true, Ordering::Relaxed), "a task starts once");
            value.touch();
            value
        });
        (scene, queued, handle)
    }

    fn handle(&self, what: Handle, handle: JoinHandle<Owned>) {
        let result = match what {
            Handle::Joins => handle.join(),
            Handle::Awaits => block_on(handle),
            Handle::PollsOnce => match poll_once(handle) {
                Some(result) => result,
                None => return,
            },
            Handle::Drops => return,
        };
        let outcome = match result {
            Ok(value) => {
                value.touch();
                Outcome::Returned
            }
            Err(JoinError::Cancelled) => Outcome::Cancelled,
            Err(JoinError::Abandoned) => Outcome::Abandoned,
            Err(other) => panic!("{other}"),
        };
        self.hear(outcome);
    }

    fn reference(&self, what: Ref, task: &TaskRef) {
        match what {
            Ref::Cancels => {
                let answer = task.cancel();
                if answer == Cancel::AlreadyEnded && !self.abandons {
                    assert_eq!(self.captures.count(), 1);
                }
                let never_runs = answer == Cancel::NeverRuns;
                // Ordering: Relaxed, as in `new`.
                self.never_runs.fetch_add(usize::from(never_runs), Ordering::Relaxed);
            }
            Ref::Abandons => abandon(task),
            Ref::Waits => self.hear(task.wait().unwrap()),
        }
    }

    /// Whoever knows an outcome, but that of an abandonment, knows that the captures are gone.
    fn hear(&self, outcome: Outcome) {
        assert!(outcome == Outcome::Abandoned || self.captures.count() == 1);
        self.told.lock().unwrap().push(outcome);
    }

    /// Everybody has done what they do; the cell is gone.
    fn assert_over(&self, bare: &Bare, outcome: Option<Outcome>) {
        let counters = bare.counters();
        assert_eq!((counters.accepted, counters.ended, bare.handle().size()), (1, 1, 0), "one outcome, counted once");
        let outcome = outcome.expect("every task has an outcome");
        assert!(self.told.lock().unwrap().iter().all(|told| *told == outcome), "all were told the same");
        // Ordering: Relaxed, as in `new`.
        let (ran, never_runs) = (self.ran.load(Ordering::Relaxed), self.never_runs.load(Ordering::Relaxed));
        match outcome {
            Outcome::Returned => assert!(ran && never_runs == 0),
            Outcome::Cancelled => assert!(!ran && never_runs > 0),
            Outcome::Abandoned => assert_eq!(never_runs, 0),
            Outcome::Panicked => panic!("nothing in it panics"),
        }
        assert_eq!((self.captures.count(), self.result.count()), (1, 1), "dropped once");
    }
}

/// Runs the model of these. Who is not there has gone before the others begin.
fn race(name: &'static str, bounds: Bounds, holder: Holder, handle: Handle, refs: &'static [Ref]) {
    check(name, bounds, move || {
        let bare = Bare::new();
        let abandons = holder == Holder::GivesUp || refs.contains(&Ref::Abandons);
        let (scene, queued, join) = Scene::new(&bare, abandons);
        let last = join.task_ref();
        let mut threads = Vec::new();
        if handle == Handle::Drops && !refs.is_empty() {
            drop(join);
        } else {
            let scene = Arc::clone(&scene);
            threads.push(thread::spawn(move || scene.handle(handle, join)));
        }
        for act in refs {
            let (scene, task) = (Arc::clone(&scene), last.clone());
            threads.push(thread::spawn(move || scene.reference(*act, &task)));
        }
        match holder {
            Holder::Runs => drop(queued.run()),
            Holder::GivesUp => drop(queued.give_up()),
        }
        threads.into_iter().for_each(|thread| thread.join().unwrap());
        let outcome = last.outcome();
        drop(last);
        scene.assert_over(&bare, outcome);
    });
}

#[test]
fn a_join_hears_the_outcome_of_a_run_and_of_an_abandonment() {
    race("run, join", Bounds::complete(), Holder::Runs, Handle::Joins, &[]);
    race("run, await", Bounds::preemptions().unreduced(), Holder::Runs, Handle::Awaits, &[]);
    race("run, poll once", Bounds::complete(), Holder::Runs, Handle::PollsOnce, &[]);
    race("run, drop the handle", Bounds::complete(), Holder::Runs, Handle::Drops, &[]);
    race("give up, join", Bounds::complete(), Holder::GivesUp, Handle::Joins, &[]);
    race("give up, await", Bounds::complete(), Holder::GivesUp, Handle::Awaits, &[]);
}

#[test]
fn of_start_cancel_and_abandonment_one_wins() {
    race("run, cancel", Bounds::complete(), Holder::Runs, Handle::Drops, &[Ref::Cancels]);
    race("run, abandon", Bounds::complete(), Holder::Runs, Handle::Drops, &[Ref::Abandons]);
    race("run, wait", Bounds::preemptions().unreduced(), Holder::Runs, Handle::Drops, &[Ref::Waits]);
    race("give up, cancel", Bounds::complete(), Holder::GivesUp, Handle::Drops, &[Ref::Cancels]);
    race("give up, abandon", Bounds::complete(), Holder::GivesUp, Handle::Drops, &[Ref::Abandons]);
    race("give up, wait", Bounds::complete(), Holder::GivesUp, Handle::Drops, &[Ref::Waits]);
}

#[test]
fn of_two_who_end_a_task_beside_its_runner_one_wins() {
    race("run, cancel, cancel", Bounds::preemptions(), Holder::Runs, Handle::Drops, &[Ref::Cancels, Ref::Cancels]);
    race("run, cancel, abandon", Bounds::preemptions(), Holder::Runs, Handle::Drops, &[Ref::Cancels, Ref::Abandons]);
    race("run, abandon, abandon", Bounds::preemptions(), Holder::Runs, Handle::Drops, &[Ref::Abandons, Ref::Abandons]);
    race(
        "give up, cancel, cancel",
        Bounds::preemptions(),
        Holder::GivesUp,
        Handle::Drops,
        &[Ref::Cancels, Ref::Cancels],
    );
}

#[test]
fn a_handle_hears_what_a_cancel_or_an_abandonment_made_of_a_run() {
    race("run, join, cancel", Bounds::preemptions(), Holder::Runs, Handle::Joins, &[Ref::Cancels]);
    race("run, join, abandon", Bounds::preemptions(), Holder::Runs, Handle::Joins, &[Ref::Abandons]);
    race("run, await, cancel", Bounds::preemptions(), Holder::Runs, Handle::Awaits, &[Ref::Cancels]);
    race("run, await, abandon", Bounds::preemptions(), Holder::Runs, Handle::Awaits, &[Ref::Abandons]);
    race("give up, join, cancel", Bounds::preemptions(), Holder::GivesUp, Handle::Joins, &[Ref::Cancels]);
    race("give up, await, cancel", Bounds::preemptions(), Holder::GivesUp, Handle::Awaits, &[Ref::Cancels]);
}

#[test]
fn two_who_wait_both_hear_of_the_end() {
    race("run, join, wait", Bounds::preemptions(), Holder::Runs, Handle::Joins, &[Ref::Waits]);
    race("run, await, wait", Bounds::preemptions(), Holder::Runs, Handle::Awaits, &[Ref::Waits]);
    race("give up, join, wait", Bounds::preemptions(), Holder::GivesUp, Handle::Joins, &[Ref::Waits]);
}

#[test]
fn a_panic_is_kept_for_the_handle() {
    check("a panic, join", Bounds::preemptions().unreduced(), || {
        let bare = Bare::new();
        let (owned, captures) = Drops::new();
        let (queued, handle) = bare.task(move || -> u32 {
            owned.touch();
            ScriptedPanic("on purpose".to_owned()).raise()
        });
        let joiner = thread::spawn(move || match handle.join() {
            Err(JoinError::Panicked(payload)) => {
                assert_eq!(captures.count(), 1);
                *payload.downcast::<ScriptedPanic>().unwrap()
            }
            other => panic!("{other:?}"),
        });
        assert!(queued.run());
        assert_eq!(joiner.join().unwrap(), ScriptedPanic("on purpose".to_owned()));
        assert_eq!(bare.counters().ended, 1);
    });
}

#[test]
fn a_result_that_handle_and_reference_may_take_is_taken_once() {
    check("two takers", Bounds::preemptions(), || {
        let bare = Bare::new();
        let (queued, handle) = bare.task(|| Some(7_usize));
        let task = handle.task_ref();
        let joiner = thread::spawn(move || handle.join());
        let taker = thread::spawn({
            let pool = bare.handle().clone();
            move || pool.try_take_task_result(&task)
        });
        assert!(queued.run());
        let results = [joiner.join().unwrap(), taker.join().unwrap()];
        let taken = results.iter().filter(|result| matches!(result, Ok(Some(7)))).count();
        // The reference may have come too early.
        assert_eq!(taken, 1, "{results:?}");
    });
}

#[test]
fn what_a_handle_has_taken_before_it_gives_the_result_up_no_reference_gets() {
    check("a handle takes and gives up, a reference takes", Bounds::complete(), || {
        let bare = Bare::new();
        let (queued, mut handle) = bare.task(|| 7_u32);
        let task = handle.task_ref();
        assert!(queued.run());
        let holder = thread::spawn(move || {
            let taken = handle.try_join().map(Result::unwrap);
            give_up(handle);
            taken
        });
        let taken = task.take::<u32>();
        assert!(taken.is_err(), "{taken:?}");
        assert_eq!(holder.join().unwrap(), Some(7));
    });
}

/// A waker that waits until whoever else looks at the task has done so.
struct Patient(Gate);

impl Wake for Patient {
    fn wake(self: Arc<Self>) {
        self.0.wait();
    }
}

#[test]
fn a_waker_may_wait_for_a_thread_that_polls_the_same_task() {
    check("run, a waker waits for another poll", Bounds::preemptions(), || {
        let bare = Bare::new();
        let (queued, mut handle) = bare.task(|| 7_u32);
        let patient = Arc::new(Patient(Gate::new()));
        let first = Pin::new(&mut handle).poll(&mut Context::from_waker(&Waker::from(Arc::clone(&patient))));
        assert!(first.is_pending());
        let runner = thread::spawn(move || queued.run());
        let second = poll_once(&mut handle);
        patient.0.open(0);
        assert!(runner.join().unwrap());
        let result = second.or_else(|| handle.try_join());
        assert_eq!(result.map(Result::unwrap), Some(7));
    });
}
