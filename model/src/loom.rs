//! Checks under loom: every schedule up to a bound on the preemptions, and weak memory.
//!
//! Loom counts a preemption where a thread that could go on has to wait for another. With a bound an exploration is
//! thorough but not complete; without one it is complete, and only the smallest models end. Loom's own reduction would
//! leave schedules out even then: what a complete check does about that says `src/sync/stub/atomic.rs`.

use std::cell::RefCell;
use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Instant;

use corosensei::stack::DefaultStack;
use corosensei::{Coroutine, CoroutineResult};

use crate::failing::{self, Watch};
use crate::setting::setting;
use crate::under_loom;

pub mod thread;

pub use ::loom::sync;

/// The variable that sets how many preemptions [`Bounds::preemptions`] allows.
pub const BOUND: &str = "COPOOL_LOOM_BOUND";

/// How many preemptions [`Bounds::preemptions`] allows if [`BOUND`] is not set.
pub const DEFAULT_BOUND: usize = 2;

/// Loom's own variable: with it loom notes where in the sources each access is, and takes much longer.
const LOCATION: &str = "LOOM_LOCATION";

/// How far a check goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Bounds {
    preemptions: Option<usize>,
    branches: usize,
    /// Whether loads depend on each other, without which loom's reduction leaves schedules out.
    loads: bool,
    /// Whether two light fences order nothing, as in production.
    uneven: bool,
}

impl Bounds {
    /// How many choices one execution may have before loom takes it for endless, unless [`Bounds::branches`] says so.
    const BRANCHES: usize = 10_000;

    /// All schedules.
    #[must_use]
    pub const fn complete() -> Self {
        Self { preemptions: None, branches: Self::BRANCHES, loads: true, uneven: false }
    }

    /// All schedules but those that loom's reduction leaves out where a thread loads an atomic before it changes it.
    #[must_use]
    pub const fn reduced() -> Self {
        Self { loads: false, ..Self::complete() }
    }

    /// The schedules with at most as many preemptions as [`BOUND`] says, reduced as in [`Bounds::reduced`].
    #[must_use]
    pub fn preemptions() -> Self {
        Self { preemptions: Some(setting(BOUND, DEFAULT_BOUND)), ..Self::reduced() }
    }

    /// Without what loom's reduction leaves out beyond the bound.
    #[must_use]
    pub const fn unreduced(self) -> Self {
        Self { loads: true, ..self }
    }

    /// With a light and a heavy fence, as in production, instead of two full ones.
    #[must_use]
    pub const fn uneven(self) -> Self {
        Self { uneven: true, ..self }
    }

    /// With at most `most` preemptions, for a model that cannot afford more.
    #[must_use]
    pub fn at_most(self, most: usize) -> Self {
        Self { preemptions: Some(self.preemptions.map_or(most, |bound| bound.min(most))), ..self }
    }

    /// What a run with the same executions needs in its environment.
    fn settings(self) -> Vec<(&'static str, String)> {
        let bound = self.preemptions.map(|bound| (BOUND, bound.to_string()));
        bound.into_iter().chain([(LOCATION, "1".to_owned())]).collect()
    }

    /// Whether new threads come first, in each exploration.
    const fn orders(self) -> &'static [bool] {
        if self.preemptions.is_some() { &[false, true] } else { &[false] }
    }

    /// With up to `branches` choices in one execution.
    #[must_use]
    pub const fn branches(self, branches: usize) -> Self {
        Self { branches, ..self }
    }
}

impl fmt::Display for Bounds {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.preemptions {
            Some(bound) => {
                let plural = if bound == 1 { "" } else { "s" };
                write!(f, "up to {bound} preemption{plural}{}", if self.loads { ", unreduced" } else { "" })?;
            }
            None if self.loads => f.write_str("all schedules")?,
            None => f.write_str("all schedules after loom's reduction")?,
        }
        f.write_str(if self.uneven { ", uneven fences" } else { "" })
    }
}

/// Runs `f` under loom in every execution within `bounds`, and says how many they were.
///
/// # Panics
/// If an execution fails, or none was run.
pub fn check(name: &'static str, bounds: Bounds, f: impl Fn() + Send + Sync + 'static) -> usize {
    let start = Instant::now();
    let executions = Arc::new(AtomicUsize::new(0));
    let watch = Watch::new({
        let executions = Arc::clone(&executions);
        move || {
            let execution = executions.load(Ordering::Relaxed);
            eprintln!(
                "loom    {name}: {bounds}: failed in execution {execution}; the same again, with racing lines named:"
            );
            eprintln!("{}", failing::command(&bounds.settings()));
        }
    });
    let f = Arc::new(f);
    for &new_first in bounds.orders() {
        let (f, count) = (Arc::clone(&f), Arc::clone(&executions));
        builder(bounds).check(move || {
            count.fetch_add(1, Ordering::Relaxed);
            under_loom::checked::begin();
            failing::begin();
            under_loom::checked::depend_loads(bounds.loads);
            under_loom::checked::uneven_fences(bounds.uneven);
            thread::begin(new_first);
            let f = Arc::clone(&f);
            on_a_large_stack(move || f());
        });
    }
    drop(watch);
    let executions = executions.load(Ordering::Relaxed);
    assert!(executions > 0, "loom ran no execution of {name}");
    println!("loom    {name}: {bounds}: {executions} executions in {:.2} s", start.elapsed().as_secs_f64());
    executions
}

fn builder(bounds: Bounds) -> ::loom::model::Builder {
    let mut builder = ::loom::model::Builder::new();
    builder.preemption_bound = bounds.preemptions;
    builder.max_branches = bounds.branches;
    // Loom stops at these without a word, and the report would claim too much.
    builder.max_duration = None;
    builder.max_permutations = None;
    builder
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
