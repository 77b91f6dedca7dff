//! Checks under loom: every schedule up to a bound on the preemptions, and weak memory.
//!
//! Loom counts a preemption where a thread that could go on has to wait for another. With a bound an exploration is
//! thorough but not complete; without one it is complete, and only the smallest models end.

use std::cell::RefCell;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Instant;

use corosensei::stack::DefaultStack;
use corosensei::{Coroutine, CoroutineResult};

use crate::setting::setting;
use crate::under_loom;

pub use ::loom::{sync, thread};

/// The variable that sets how many preemptions [`Bounds::preemptions`] allows.
pub const BOUND: &str = "COPOOL_LOOM_BOUND";

/// How many preemptions [`Bounds::preemptions`] allows if [`BOUND`] is not set.
pub const DEFAULT_BOUND: usize = 2;

/// How far a check goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Bounds {
    preemptions: Option<usize>,
    branches: usize,
}

impl Bounds {
    /// How many choices one execution may have before loom takes it for endless, unless [`Bounds::branches`] says so.
    const BRANCHES: usize = 10_000;

    /// All schedules.
    #[must_use]
    pub const fn complete() -> Self {
        Self { preemptions: None, branches: Self::BRANCHES }
    }

    /// The schedules with at most as many preemptions as [`BOUND`] says.
    #[must_use]
    pub fn preemptions() -> Self {
        Self { preemptions: Some(setting(BOUND, DEFAULT_BOUND)), branches: Self::BRANCHES }
    }

    /// With at most `most` preemptions, for a model that cannot afford more.
    #[must_use]
    pub fn at_most(self, most: usize) -> Self {
        Self { preemptions: Some(self.preemptions.map_or(most, |bound| bound.min(most))), ..self }
    }

    /// With up to `branches` choices in one execution.
    #[must_use]
    pub const fn branches(self, branches: usize) -> Self {
        Self { branches, ..self }
    }
}

/// Runs `f` under loom in every execution within `bounds`, and says how many they were.
///
/// # Panics
/// If an execution fails, or none was run.
pub fn check(name: &'static str, bounds: Bounds, f: impl Fn() + Send + Sync + 'static) -> usize {
    let executions = Arc::new(AtomicUsize::new(0));
    let report = Report { name, bounds, executions: Arc::clone(&executions), start: Instant::now() };
    let f = Arc::new(f);
    builder(bounds).check(move || {
        executions.fetch_add(1, Ordering::Relaxed);
        under_loom::checked::begin();
        let f = Arc::clone(&f);
        on_a_large_stack(move || f());
    });
    report.passed()
}

fn builder(bounds: Bounds) -> ::loom::model::Builder {
    let mut builder = ::loom::model::Builder::new();
    builder.preemption_bound = bounds.preemptions;
    builder.max_branches = bounds.branches;
    // Loom would stop at these without a word, and the report would claim too much.
    builder.max_duration = None;
    builder.max_permutations = None;
    builder
}

/// Says what was checked, or, if dropped on the way, where it failed.
struct Report {
    name: &'static str,
    bounds: Bounds,
    executions: Arc<AtomicUsize>,
    start: Instant,
}

impl Report {
    fn passed(self) -> usize {
        let executions = self.executions.load(Ordering::Relaxed);
        assert!(executions > 0, "loom ran no execution of {}", self.name);
        println!(
            "loom    {}: {}: {executions} executions in {:.2} s",
            self.name,
            self.bound(),
            self.start.elapsed().as_secs_f64()
        );
        executions
    }

    fn bound(&self) -> String {
        match self.bounds.preemptions {
            Some(bound) => format!("up to {bound} preemptions"),
            None => "all schedules".to_owned(),
        }
    }
}

impl Drop for Report {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!(
                "loom    {}: {}: failed in execution {} (LOOM_LOCATION=1 makes loom name the lines of a data race)",
                self.name,
                self.bound(),
                self.executions.load(Ordering::Relaxed)
            );
        }
    }
}

/// Loom's main thread has 32 KiB of stack, which the report of a failure alone can use up.
const STACK: usize = 0x8_0000;

thread_local! {
    /// Stacks from one execution to the next.
    static SPARE: RefCell<Vec<DefaultStack>> = const { RefCell::new(Vec::new()) };
}

/// Runs `f` on this thread, on another stack.
fn on_a_large_stack(f: impl FnOnce() + 'static) {
    let stack = SPARE.take().pop().unwrap_or_else(|| DefaultStack::new(STACK).expect("memory for a stack"));
    let mut coroutine = Coroutine::<(), (), (), _>::with_stack(stack, move |_, ()| f());
    match coroutine.resume(()) {
        CoroutineResult::Return(()) => SPARE.set(vec![coroutine.into_stack()]),
        CoroutineResult::Yield(()) => unreachable!("nothing in it suspends"),
    }
}
