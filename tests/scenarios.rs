//! Every way a task can go, in every kind of pool, with every kind of owner of its handle, and each of these brought
//! to an end in three ways: nothing may be lost, left over or delivered twice.

#[path = "common/audit.rs"]
mod audit;
#[path = "scenarios/cast.rs"]
mod cast;
mod common;
#[path = "common/draw.rs"]
mod draw;
#[path = "common/live.rs"]
mod live;
#[path = "common/log.rs"]
mod log;
#[path = "scenarios/property.rs"]
mod property;

use std::thread;
use std::time::Duration;

use cast::{Doing, Stage, direct, seen, submit_subject};
use common::within;
use copool::spec::Event;
use copool::{Cancel, CoroutinePool, JoinHandle, Outcome, PoolHandle, PoolState, TaskRef};
use live::Token;

/// Who runs the tasks.
#[derive(Clone, Copy, Debug)]
enum Crew {
    /// The thread that built the pool, when it drives.
    Lazy,
    /// So many background threads; the builder's own seat is not driven until the end.
    Threads(u32),
}

/// What the submitter does with the handle.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Handle {
    Kept,
    Dropped,
    /// A task joins the handle, and a plain thread waits by a `TaskRef`.
    JoinedByTaskWatchedByThread,
    /// The other way round.
    JoinedByThreadWatchedByTask,
}

/// Where the task is submitted.
#[derive(Clone, Copy, Debug)]
enum From {
    Seat,
    Thread,
}

/// How the pool ends.
#[derive(Clone, Copy, Debug, PartialEq)]
enum End {
    /// Once the task has ended, by `stop` and then by dropping the pool.
    Stopped,
    /// Once the task has ended, by dropping the pool.
    Dropped,
    /// By dropping the pool at once, wherever the task is then.
    DroppedAtOnce,
}

#[derive(Clone, Copy, Debug)]
struct Scenario {
    doing: Doing,
    crew: Crew,
    handle: Handle,
    from: From,
    end: End,
}

fn all(crew: Crew) {
    let mut count = 0;
    for doing in Doing::ALL {
        for handle in
            [Handle::Kept, Handle::Dropped, Handle::JoinedByTaskWatchedByThread, Handle::JoinedByThreadWatchedByTask]
        {
            for from in [From::Seat, From::Thread] {
                for end in [End::Stopped, End::Dropped, End::DroppedAtOnce] {
                    let scenario = Scenario { doing, crew, handle, from, end };
                    within(format!("{scenario:?}"), move || scenario.play());
                    count += 1;
                }
            }
        }
    }
    assert_eq!(count, 14 * 4 * 2 * 3);
}

#[test]
fn each_scenario_ends_clean_in_a_lazy_pool() {
    all(Crew::Lazy);
}

#[test]
fn each_scenario_ends_clean_with_one_background_thread() {
    all(Crew::Threads(1));
}

#[test]
fn each_scenario_ends_clean_with_two_background_threads() {
    all(Crew::Threads(2));
}

/// Those who wait for the subject.
#[derive(Default)]
struct Waiters {
    kept: Option<JoinHandle<Token>>,
    thread: Option<thread::JoinHandle<Outcome>>,
    task: Option<JoinHandle<Outcome>>,
}

impl Scenario {
    fn play(self) {
        let threads = if let Crew::Threads(threads) = self.crew { threads } else { 0 };
        let stage = Stage::default();
        // Nothing starts before all is set up: there is no room for a worker.
        let builder = CoroutinePool::builder().max_size(0).threads(threads).listener(stage.log.clone());
        let mut pool = builder.build().unwrap();
        let subject = self.submit(&pool, |pool| submit_subject(pool, self.doing, &stage));
        let task = subject.task_ref();
        let waiters = self.set_up(&pool, subject, &stage);
        if self.doing == Doing::CancelledBeforeStart {
            assert_eq!(task.cancel(), Cancel::NeverRuns);
            assert_eq!(stage.captured.count(), 0, "a cancel drops the closure before it returns");
        }
        let director = thread::spawn({
            let (task, stage) = (task.clone(), stage.clone());
            move || direct(self.doing, &task, &stage)
        });
        pool.set_max_size(8).unwrap();
        if self.end != End::DroppedAtOnce {
            self.run_to_the_end(&mut pool, &task, &waiters, &stage);
            assert_eq!(task.outcome(), Some(self.doing.outcome()));
            if self.doing == Doing::CancelledAfterEnd {
                assert_eq!(task.cancel(), Cancel::AlreadyEnded);
            }
        }
        if self.end == End::Stopped {
            let report = pool.stop(Duration::MAX);
            assert_eq!((report.abandoned, pool.outstanding()), (0, 0));
            assert!(threads > 0 || report.state == PoolState::Stopped, "{report:?}");
        }
        let handle = pool.handle();
        drop(pool);
        director.join().unwrap();
        self.see(waiters, &task);
        drop(task);
        self.assert_clean(&handle, &stage);
    }

    fn submit<R: Send>(self, pool: &CoroutinePool, submit: impl FnOnce(&PoolHandle) -> R + Send) -> R {
        match self.from {
            From::Seat => submit(pool),
            From::Thread => {
                let pool = pool.handle();
                thread::scope(|scope| scope.spawn(|| submit(&pool)).join().unwrap())
            }
        }
    }

    /// Hands the handle to whoever is to have it.
    fn set_up(self, pool: &CoroutinePool, subject: JoinHandle<Token>, stage: &Stage) -> Waiters {
        let watched = subject.task_ref();
        let captured = stage.others.token();
        let cleared = {
            let stage = stage.clone();
            move |outcome| stage.assert_cleared(outcome)
        };
        match self.handle {
            Handle::Kept => Waiters { kept: Some(subject), ..Waiters::default() },
            Handle::Dropped => Waiters::default(),
            Handle::JoinedByTaskWatchedByThread => {
                let join = move || {
                    let _captured = captured;
                    seen(subject.join())
                };
                let thread = thread::spawn(move || cleared(watched.wait().unwrap()));
                let task = self.submit(pool, |pool| pool.spawn(join).unwrap());
                Waiters { thread: Some(thread), task: Some(task), ..Waiters::default() }
            }
            Handle::JoinedByThreadWatchedByTask => {
                let watch = move || {
                    let _captured = captured;
                    cleared(watched.wait().unwrap())
                };
                let thread = thread::spawn(move || seen(subject.join()));
                let task = self.submit(pool, |pool| pool.spawn(watch).unwrap());
                Waiters { thread: Some(thread), task: Some(task), ..Waiters::default() }
            }
        }
    }

    fn run_to_the_end(self, pool: &mut CoroutinePool, task: &TaskRef, waiters: &Waiters, stage: &Stage) {
        if matches!(self.crew, Crew::Lazy) {
            pool.drain(None).unwrap();
            assert_eq!(pool.outstanding(), 0);
        } else {
            let ended = |of: &TaskRef| {
                let of = of.id();
                stage.log.wait_for(|event| matches!(event, Event::OutcomePublished { task, .. } if *task == of));
            };
            ended(task);
            waiters.task.iter().for_each(|waiter| ended(waiter.as_ref()));
        }
    }

    /// Everybody who waited has seen the outcome, and the same one.
    fn see(self, waiters: Waiters, task: &TaskRef) {
        let outcome = task.outcome().expect("dropping the pool leaves no task without an outcome");
        if let Some(kept) = waiters.kept {
            assert_eq!(seen(kept.join()), outcome);
        }
        if let Some(thread) = waiters.thread {
            assert_eq!(thread.join().unwrap(), outcome);
        }
        if let Some(waiter) = waiters.task {
            let gone = self.doing == Doing::StopsThePool || self.end == End::DroppedAtOnce;
            match waiter.join() {
                Ok(seen) => assert_eq!(seen, outcome),
                Err(error) => assert!(gone && seen::<()>(Err(error)) == Outcome::Abandoned),
            }
        }
    }

    fn assert_clean(self, pool: &PoolHandle, stage: &Stage) {
        let what = format!("{self:?}");
        assert_eq!(pool.state(), PoolState::Stopped);
        assert_eq!((pool.size(), pool.outstanding(), pool.get_running_size()), (0, 0, 0));
        let live = [&stage.captured, &stage.locals, &stage.results, &stage.others].map(live::Live::count);
        assert_eq!(live, [0; 4], "captured, locals, results, others");
        stage.log.assert_complete(&what);
    }
}
