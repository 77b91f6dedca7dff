//! The language of scripts: what tasks do and what is done to a pool, for every pool that claims to follow the spec.
//!
//! A [`Script`] builds one pool and runs a list of operations on each of its threads; the first thread owns the pool.
//! Tasks bear static names, [`Key`]s: a submission stands at one place of the script and runs at most once, so a key
//! means one task, whatever the interleaving. Both [`Op`] and [`Step`] list their variants from simple to complex: a
//! shrinker that moves towards the front reads well.
//!
//! [`Pool`] is what a pool implements to be driven by scripts, [`Inside`] what it offers to a task that has a stack;
//! [`run_body`] interprets a body on such a stack and [`Machine`] interprets it without one. What both answer is an
//! [`Observation`], comparable with `==`.
//!
//! Tested by round trips through the text form and by running one body through both interpreters.

mod run;
mod text;

pub use run::{Ending, Machine, run_body};
pub use text::ParseError;

use crate::{Cancel, DriveEnd, Outcome, PoolState, Tick};

/// A task's static name in a script. Its text form is `t` and the number.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Key(pub u8);

/// What a task does, one step after the other; past the last step it returns 0.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Step {
    /// Returns this value.
    Return(u8),
    /// Panics.
    Panic,
    /// `suspend()`.
    Suspend,
    /// `checkpoint()`.
    Checkpoint,
    /// Uses the processor for this long: on a virtual clock, it advances it.
    Work(u64),
    /// `delay(d)`, in nanoseconds, as all times of a script.
    Delay(u64),
    /// `park()`.
    Park,
    /// `park_timeout(d)`.
    ParkTimeout(u64),
    /// Unparks a task.
    Unpark(Key),
    /// Adds one to a coroutine-local counter that starts at 0, and looks at it.
    Local,
    /// `syscall(…)` of a function that returns.
    Syscall,
    /// `syscall(…)` of a function that panics.
    SyscallPanic,
    /// Submits a task.
    Submit(Box<Submission>),
    /// Cancels a task; it may be the one that runs.
    Cancel(Key),
    /// Joins a task.
    Join(Key),
    /// Joins a task, for this long at most.
    JoinTimeout(Key, u64),
    /// Changes `max_size`.
    SetMax(u32),
    /// Stops the pool from inside, with this much grace.
    Stop(u64),
    /// Runs the rest of the body with these steps in a destructor that runs at its end.
    Guard(Vec<Step>),
    /// Runs these steps and swallows whatever unwinds out of them.
    Catch(Vec<Step>),
}

/// A task to submit.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Submission {
    /// Its name in the script; no two submissions of a script share one.
    pub key: Key,
    /// Its name for people: letters, digits, `_` and `-`.
    pub name: Option<String>,
    /// Its priority; smaller is sooner, none is 0.
    pub priority: Option<i64>,
    /// What it does.
    pub body: Vec<Step>,
}

/// What a thread does to the pool from outside its tasks.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Op {
    /// Looks at the pool's numbers.
    Look,
    /// Submits a task.
    Submit(Submission),
    /// `try_schedule_task()`.
    Schedule,
    /// `try_timed_schedule_task(d)`.
    ScheduleFor(u64),
    /// `try_timeout_schedule_task(deadline)`, the deadline a reading of the pool's clock.
    ScheduleUntil(Tick),
    /// `drain(None)`.
    Drain,
    /// `drain(deadline)`, this far from now.
    DrainFor(u64),
    /// `wait(&task)`: drives until that task has its outcome.
    Wait(Key),
    /// `serve()`: drives until the pool is stopped.
    Serve,
    /// Advances the virtual clock.
    Advance(u64),
    /// Looks at a task's result without waiting, and takes it.
    Take(Key),
    /// Drops the handle of a task.
    Detach(Key),
    /// Cancels a task.
    Cancel(Key),
    /// Unparks a task.
    Unpark(Key),
    /// Joins a task from this plain thread.
    Join(Key),
    /// Joins a task from this plain thread, for this long at most.
    JoinTimeout(Key, u64),
    /// Changes `min_size`.
    SetMin(u32),
    /// Changes `max_size`.
    SetMax(u32),
    /// Changes `keep_alive`.
    SetKeepAlive(u64),
    /// Lets the next allocation of a stack fail.
    FailStack,
    /// Lets the next spawn of a helper thread fail.
    FailThread,
    /// Attaches a seat to this thread.
    Attach,
    /// Drops this thread's seat; if it is the owner's, the pool stops with no grace.
    Leave,
    /// `stop(grace)`.
    Stop(u64),
}

/// How the pool of a script is built.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Build {
    /// `min_size`.
    pub min: u32,
    /// `max_size`.
    pub max: u32,
    /// `keep_alive`.
    pub keep_alive: u64,
    /// The slice of a task, if one is set.
    pub slice: Option<u64>,
    /// `max_syscall_threads`.
    pub helpers: u32,
    /// Whether a seat's own deque is LIFO.
    pub lifo: bool,
    /// Whether the virtual clock jumps to the next timer when nothing is runnable.
    pub auto: bool,
}

impl Default for Build {
    fn default() -> Self {
        Build { min: 0, max: 2, keep_alive: 0, slice: None, helpers: 1, lifo: false, auto: false }
    }
}

/// A whole run.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Script {
    /// How the pool is built.
    pub build: Build,
    /// What each thread does. The first builds the pool and holds its first seat.
    pub threads: Vec<Vec<Op>>,
}

/// Why something was not done. One variant for each error that a user can meet.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Refusal {
    /// The script names a task that was not submitted, or was rejected, or whose handle is gone.
    NoSuchTask,
    /// This thread has no seat, so it cannot drive or leave.
    NoSeat,
    /// This thread has a seat already.
    AlreadySeated,
    /// The pool does not take submissions, drives or seats any more.
    Stopped,
    /// No stack could be had, and no worker of the seat lives.
    StackExhausted,
    /// A drive inside a task or a listener.
    Nested,
    /// Refused while the thread or the task unwinds.
    Unwinding,
    /// The time was over first.
    Timeout,
    /// There is no result yet.
    NotYet,
    /// The result was taken before.
    Taken,
    /// A task cannot join itself.
    SelfJoin,
    /// A thread with a seat of the pool must drive instead.
    WouldBlockSeat,
    /// The task belongs to another pool.
    OtherPool,
    /// A limit was refused: `min_size` above `max_size`, or `max_size` too large.
    Limit,
}

/// The numbers that a pool tells about itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Numbers {
    /// Running, Stopping or Stopped.
    pub state: PoolState,
    /// Tasks accepted and never started.
    pub size: usize,
    /// Tasks without an outcome.
    pub outstanding: usize,
    /// Live workers, idle ones included.
    pub running: u32,
    /// `min_size`.
    pub min: u32,
    /// `max_size`.
    pub max: u32,
}

/// What an operation or a step came back with.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Observation {
    /// It is done, and there is nothing to say about it.
    Done,
    /// It was not done.
    Refused(Refusal),
    /// A drive ended.
    Drove(DriveEnd<Tick>),
    /// A task has ended like this; the value is what it returned, where the caller gets it.
    Ended(Outcome, Option<u64>),
    /// A request to cancel was answered.
    Cancel(Cancel),
    /// The pool's numbers.
    Numbers(Numbers),
    /// A coroutine-local counter.
    Local(u64),
    /// A call of `stop` returned.
    Stop {
        /// The pool's state at the return.
        state: PoolState,
        /// How many tasks this call abandoned.
        abandoned: usize,
        /// How many started tasks are still on their way out.
        leaving: usize,
    },
    /// A swallowed unwinding.
    Caught,
}

/// What a task saw at one of its steps.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Seen {
    /// The task.
    pub key: Key,
    /// The step.
    pub step: Step,
    /// What it came back with.
    pub observation: Observation,
}

/// A pool as one thread of a script sees it.
pub trait Pool: Sized {
    /// What another thread needs to get its own view of the same pool.
    type Remote: Send + 'static;

    /// Builds a pool on a virtual clock; this thread owns it and holds its first seat.
    fn build(build: &Build) -> Self;

    /// Does one operation on this thread.
    fn apply(&mut self, op: &Op) -> Observation;

    /// What to carry to another thread.
    fn remote(&self) -> Self::Remote;

    /// The view of a thread that has just arrived. It has no seat until it attaches.
    fn arrive(remote: Self::Remote) -> Self;
}

/// A pool as a task with a stack sees it. Shared, since destructors use it too.
pub trait Inside {
    /// Does one simple step: all but [`Step::Return`], [`Step::Panic`], [`Step::Guard`] and [`Step::Catch`]. It may
    /// suspend the task, and unwind.
    fn perform(&self, step: &Step) -> Observation;

    /// Takes note of what a step came back with, in the order in which they did.
    fn seen(&self, step: &Step, observation: Observation);

    /// Panics with the script's own payload.
    fn panic(&self) -> !;

    /// Runs `body` and tells whether it unwound; what was thrown is swallowed.
    fn catch(&self, body: &mut dyn FnMut()) -> bool;
}

impl Script {
    /// A script of one thread.
    #[must_use]
    pub fn single(build: Build, ops: Vec<Op>) -> Script {
        Script { build, threads: vec![ops] }
    }

    /// Every submission, in the order of the text.
    #[must_use]
    pub fn submissions(&self) -> Vec<&Submission> {
        let mut found = Vec::new();
        for op in self.threads.iter().flatten() {
            if let Op::Submit(submission) = op {
                submission.collect(&mut found);
            }
        }
        found
    }

    /// Says what makes the script meaningless, if anything does: a key that two submissions share, a name that the text
    /// form cannot hold, or steps in a destructor that would end or nest it.
    pub fn check(&self) -> Result<(), String> {
        let mut keys = std::collections::BTreeSet::new();
        for submission in self.submissions() {
            if !keys.insert(submission.key) {
                return Err(format!("two submissions share the key {}", submission.key));
            }
            if let Some(name) = &submission.name {
                let fits = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == '-';
                if name.is_empty() || !name.chars().all(fits) {
                    return Err(format!("the name {name:?} of {} is not a word", submission.key));
                }
            }
            check_guards(&submission.body)?;
        }
        Ok(())
    }
}

fn check_guards(body: &[Step]) -> Result<(), String> {
    for step in body {
        match step {
            Step::Guard(steps) => {
                let wrong = |s: &&Step| matches!(s, Step::Return(_) | Step::Panic | Step::Guard(_) | Step::Catch(_));
                if let Some(step) = steps.iter().find(wrong) {
                    return Err(format!("`{step}` in a destructor"));
                }
            }
            Step::Catch(steps) => check_guards(steps)?,
            _ => {}
        }
    }
    Ok(())
}

impl Submission {
    fn collect<'a>(&'a self, found: &mut Vec<&'a Submission>) {
        found.push(self);
        collect(&self.body, found);
    }
}

fn collect<'a>(body: &'a [Step], found: &mut Vec<&'a Submission>) {
    for step in body {
        match step {
            Step::Submit(submission) => submission.collect(found),
            Step::Guard(steps) | Step::Catch(steps) => collect(steps, found),
            _ => {}
        }
    }
}
