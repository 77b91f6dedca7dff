//! Who plays in a scenario: the subject, and the director who does from outside what has to be done to it.

use std::cell::Cell;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use copool::spec::Event;
use copool::{Cancel, CoroutineLocal, JoinError, JoinHandle, Outcome, PoolHandle, TaskRef};
use copool::{delay, park, suspend, syscall};

use crate::live::{Live, Token};
use crate::log::Log;

/// What the subject does, or what is done to it.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Doing {
    Returns,
    Panics,
    Suspends,
    Delays,
    Syscall,
    CancelledBeforeStart,
    CancelledWhileSuspended,
    CancelledWhileRunning,
    CancelledAfterEnd,
    Submits,
    Parks,
    Joins,
    CancelsAnother,
    StopsThePool,
}

impl Doing {
    pub(crate) const ALL: [Self; 14] = [
        Self::Returns,
        Self::Panics,
        Self::Suspends,
        Self::Delays,
        Self::Syscall,
        Self::CancelledBeforeStart,
        Self::CancelledWhileSuspended,
        Self::CancelledWhileRunning,
        Self::CancelledAfterEnd,
        Self::Submits,
        Self::Parks,
        Self::Joins,
        Self::CancelsAnother,
        Self::StopsThePool,
    ];

    /// How the subject ends if it is let be.
    pub(crate) fn outcome(self) -> Outcome {
        match self {
            Self::Panics => Outcome::Panicked,
            Self::CancelledBeforeStart | Self::CancelledWhileSuspended | Self::CancelledWhileRunning => {
                Outcome::Cancelled
            }
            _ => Outcome::Returned,
        }
    }
}

/// What all who play share.
#[derive(Clone, Default)]
pub(crate) struct Stage {
    pub(crate) log: Log,
    /// What the subject captured.
    pub(crate) captured: Live,
    /// What the subject keeps in its coroutine-local.
    pub(crate) locals: Live,
    /// What the subject returned.
    pub(crate) results: Live,
    /// What all other tasks capture, keep and return.
    pub(crate) others: Live,
    /// Set once the subject may stop spinning.
    go: Arc<AtomicBool>,
}

impl Stage {
    /// What a task had is dropped before its outcome can be seen, except for one that was abandoned.
    pub(crate) fn assert_cleared(&self, outcome: Outcome) -> Outcome {
        if outcome != Outcome::Abandoned {
            assert_eq!((self.captured.count(), self.locals.count()), (0, 0), "captured, locals at the outcome");
        }
        outcome
    }
}

static KEPT: CoroutineLocal<Cell<Option<Token>>> = CoroutineLocal::new(|| Cell::new(None));

fn keep(token: Token) {
    KEPT.with(|kept| kept.set(Some(token))).unwrap();
}

pub(crate) fn submit_subject(pool: &PoolHandle, doing: Doing, stage: &Stage) -> JoinHandle<Token> {
    let captured = stage.captured.token();
    let (stage, handle) = (stage.clone(), pool.clone());
    let subject = move || {
        let _captured = captured;
        keep(stage.locals.token());
        act(doing, &handle, &stage);
        stage.results.token()
    };
    pool.spawn(subject).unwrap()
}

/// A task beside the subject. `None` if the pool takes no more.
fn submit_other(pool: &PoolHandle, stage: &Stage, f: impl FnOnce() + Send + 'static) -> Option<JoinHandle<Token>> {
    let (captured, others) = (stage.others.token(), stage.others.clone());
    let other = move || {
        let _captured = captured;
        keep(others.token());
        f();
        others.token()
    };
    pool.spawn(other).ok()
}

fn act(doing: Doing, pool: &PoolHandle, stage: &Stage) {
    match doing {
        Doing::Returns | Doing::CancelledBeforeStart | Doing::CancelledAfterEnd => {}
        Doing::Panics => panic!("scripted"),
        Doing::Suspends => (0..3).for_each(|_| suspend()),
        Doing::Delays => delay(Duration::from_millis(1)),
        Doing::Syscall => {
            let mut borrowed = [0, 1, 2];
            let sum = syscall("sum", || {
                borrowed[0] = 3;
                thread::yield_now();
                borrowed.iter().sum::<u32>()
            });
            assert_eq!(sum, 6);
        }
        Doing::CancelledWhileSuspended => {
            park();
            panic!("a park that nobody ends has returned");
        }
        Doing::CancelledWhileRunning => {
            while !stage.go.load(Ordering::SeqCst) {
                thread::yield_now();
            }
            suspend();
            panic!("a cancelled task came back from a suspension");
        }
        Doing::Submits => drop(submit_other(pool, stage, suspend)),
        Doing::Parks => park(),
        Doing::Joins => {
            if let Some(other) = submit_other(pool, stage, suspend) {
                assert_eq!(seen(other.join()), Outcome::Returned);
            }
        }
        Doing::CancelsAnother => {
            if let Some(other) = submit_other(pool, stage, park) {
                suspend();
                assert_ne!(other.cancel(), Cancel::AlreadyEnded);
            }
        }
        Doing::StopsThePool => {
            let report = pool.stop(Duration::ZERO);
            assert!(report.leaving > 0, "the stopping task's own worker lives: {report:?}");
            assert!(pool.spawn(|| ()).is_err());
        }
    }
}

/// Does what has to be done from outside, as soon as the subject is ready for it.
pub(crate) fn direct(doing: Doing, subject: &TaskRef, stage: &Stage) {
    let until = |wanted: fn(&Event) -> bool| {
        let id = subject.id();
        stage.log.wait_for(|event| match event {
            Event::TaskStarted { task, .. } | Event::TaskInterrupted { task, .. } => *task == id && wanted(event),
            // It may have been given up before.
            Event::OutcomePublished { task, .. } => *task == id,
            _ => false,
        });
    };
    match doing {
        Doing::CancelledWhileSuspended => {
            until(|event| matches!(event, Event::TaskInterrupted { .. }));
            assert_ne!(subject.cancel(), Cancel::NeverRuns);
        }
        Doing::CancelledWhileRunning => {
            until(|event| matches!(event, Event::TaskStarted { .. }));
            assert_ne!(subject.cancel(), Cancel::NeverRuns);
            stage.go.store(true, Ordering::SeqCst);
        }
        Doing::Parks => {
            until(|event| matches!(event, Event::TaskInterrupted { .. }));
            subject.unpark();
        }
        _ => {}
    }
}

/// The outcome that a join tells of.
pub(crate) fn seen<T>(joined: Result<T, JoinError>) -> Outcome {
    match joined {
        Ok(_) => Outcome::Returned,
        Err(JoinError::Panicked(_)) => Outcome::Panicked,
        Err(JoinError::Cancelled) => Outcome::Cancelled,
        Err(JoinError::Abandoned) => Outcome::Abandoned,
        Err(other) => panic!("not an outcome: {other:?}"),
    }
}
