//! Drivers for the protocols of one task. Each is a call of what the pool itself calls, with no seat around it, so that
//! a model of two or three threads has few steps.
//!
//! The one sequence that is spelt out here is that of [`Queued::run`]: a worker does the same with a coroutine around it,
//! and `tests/loom_task/` has that whole worker under loom too.

use std::cell::{Cell, RefCell};

use crate::clock::Clock;
use crate::creator::Limits;
use crate::pool::{CoroutinePool, Count, Fixed, Post, Shared};
use crate::queue::{LocalOrder, Queue};
use crate::spec::{Outcome, PoolId, SeatId};
use crate::stack::Stacks;
use crate::sync::{Arc, UnsafeCell, serial};
use crate::syscall::{Call, Helpers};
use crate::task::{self, Begin, Generation, JoinHandle, Ran, Start, Task, TaskRef, Wait};
use crate::worker::publish;
use crate::{Counters, PoolHandle};

/// Something without content, of which loom checks that it is written alone, and read after it was written.
#[derive(Debug)]
pub struct Trace(UnsafeCell<()>);

// SAFETY: there is nothing in it; loom judges the accesses.
unsafe impl Sync for Trace {}

impl Trace {
    /// A new one.
    pub fn new() -> Self {
        Self(UnsafeCell::new(()))
    }

    /// An access that excludes all others.
    #[track_caller]
    pub fn write(&self) {
        self.0.with_mut(|_| ());
    }

    /// An access that excludes writes.
    #[track_caller]
    pub fn read(&self) {
        self.0.with(|_| ());
    }
}

impl Default for Trace {
    fn default() -> Self {
        Self::new()
    }
}

/// Leaves the result to the references, as a join that is refused does.
pub fn give_up<T: Send + 'static>(handle: JoinHandle<T>) {
    handle.give_up();
}

/// A pool's shared core, and the shared half of one seat: all that a task needs around it.
pub struct Bare {
    handle: PoolHandle,
    post: Arc<Post>,
}

impl Bare {
    /// A core of its own.
    pub fn new() -> Self {
        let fixed = Fixed { name: None, stack_size: 0, slice: None, local_order: LocalOrder::Fifo };
        let limits = Limits::new(0, 1).expect("0 is not above 1");
        let (helpers, stacks) = (Helpers::new(0, "bare"), Stacks::new());
        let shared = Shared::new(PoolId(serial()), fixed, Clock::default(), Vec::new(), limits, helpers, stacks);
        Self::with(PoolHandle::new(Arc::new(shared)))
    }

    /// That of a pool.
    pub fn of(pool: &CoroutinePool) -> Self {
        Self::with(pool.handle())
    }

    fn with(handle: PoolHandle) -> Self {
        let shared = &handle.shared;
        let post = Arc::new(Post::new(SeatId(u32::MAX), Arc::clone(shared), Queue::new(LocalOrder::Fifo).stealer()));
        shared.register(&post);
        Self { handle, post }
    }

    /// The pool.
    pub fn handle(&self) -> &PoolHandle {
        &self.handle
    }

    /// What it has counted. To be called where no other thread counts.
    pub fn counters(&self) -> Counters {
        self.handle.counters()
    }

    /// Submits a task, and takes it from its queue at once.
    pub fn task<T: Send + 'static>(&self, f: impl FnOnce() -> T + Send + 'static) -> (Queued, JoinHandle<T>) {
        let handle = self.handle.spawn(f).unwrap_or_else(|_| panic!("the pool is not stopped"));
        let task = self.post.shared.drain_queues().pop().expect("it was pushed");
        (Queued { task, post: Arc::clone(&self.post) }, handle)
    }
}

impl Default for Bare {
    fn default() -> Self {
        Self::new()
    }
}

impl Drop for Bare {
    fn drop(&mut self) {
        self.post.shared.unregister(&self.post);
    }
}

/// A queue's reference to a task: there is one, so one thread starts the task or gives it up in its queue.
pub struct Queued {
    task: Task,
    post: Arc<Post>,
}

impl Queued {
    /// Starts the task, runs it to its end, and publishes its outcome. `false` if it had ended in its queue.
    pub fn run(self) -> bool {
        self.start().map(Running::finish).is_some()
    }

    /// Starts the task, unless it has ended in its queue.
    pub fn start(self) -> Option<Running> {
        if self.task.core().word.start() == Start::Tombstone {
            return None;
        }
        self.post.tally.add(Count::Dequeued);
        Some(Running { task: self.task, post: self.post, stays: Cell::new(false), jobs: RefCell::default() })
    }

    /// Gives the task up as a stop does at its deadline, and then drops its closure as a seat does. `false` if somebody
    /// else ends it.
    pub fn give_up(self) -> bool {
        let shared = &self.post.shared;
        let given_up = shared.abandon_queued(&self.task);
        let remains = std::mem::take(&mut *shared.remains.lock());
        task::bury(remains);
        given_up
    }
}

/// A task that was started and runs on the calling thread.
pub struct Running {
    task: Task,
    post: Arc<Post>,
    stays: Cell<bool>,
    jobs: RefCell<Vec<Box<Job>>>,
}

type Job = dyn FnMut() + Send;

/// What [`Running::begin`] says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Began {
    /// The task waits.
    Waits(Ticket),
    /// There was a token: it does not wait.
    Token,
    /// It has to unwind: it does not wait.
    Interrupted,
}

/// Names one wait.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Ticket(Generation);

impl Running {
    /// Begins to wait for an unpark.
    pub fn park(&self) -> Began {
        self.begin(Wait::Park)
    }

    /// Begins to wait for a timer or another task's outcome.
    pub fn wait(&self) -> Began {
        self.begin(Wait::Other)
    }

    /// Begins a system call.
    pub fn call(&self) -> Began {
        self.begin(Wait::Syscall)
    }

    fn begin(&self, wait: Wait) -> Began {
        if !self.stays.replace(true) {
            // SAFETY: this is the running task's own thread, before its first wait.
            unsafe { self.task.core().set_runner(&self.post) };
        }
        match self.task.core().wait.begin(wait) {
            Begin::Waits(generation) => Began::Waits(Ticket(generation)),
            Begin::Token => Began::Token,
            Begin::Interrupted => Began::Interrupted,
        }
    }

    /// Whether that wait is still on. To be called where nobody can end it.
    pub fn waits(&self, ticket: Ticket) -> bool {
        self.task.core().wait.is_current(ticket.0)
    }

    /// How many notes have come that a wait of this task is over. Takes them.
    pub fn notes(&self) -> usize {
        let notes = self.post.take_mail();
        assert!(notes.iter().all(|note| note.is(&self.task)), "notes name the task that waits");
        notes.len()
    }

    /// Whether it has to unwind.
    pub fn must_unwind(&self) -> bool {
        self.task.core().word.must_unwind()
    }

    /// Marks the task as being in `stop`, or not any more.
    pub fn spare(&self, spared: bool) {
        self.task.core().word.spare(spared);
    }

    /// Runs the task's closure, and publishes what came of it.
    pub fn finish(self) {
        // SAFETY: the one who holds this has won `start`, and it is consumed here.
        let outcome = match unsafe { self.task.run() } {
            Ran::Returned => Outcome::Returned,
            Ran::Panicked => Outcome::Panicked,
            Ran::Unwound => Outcome::Cancelled,
        };
        // SAFETY: as above.
        unsafe { publish(&self.post, &*self.post.shared, &self.task, outcome) };
    }
}

/// Ends that wait, if it is still on: what a timer, a finished task and a finished call do.
pub fn wake(task: &TaskRef, ticket: Ticket) {
    task::wake(task.task().clone(), ticket.0);
}

/// Abandons the task if it runs, as a stop at its deadline does; a task in `stop` it spares.
pub fn abandon(task: &TaskRef) {
    let core = task.task().core();
    core.shared().abandon_started(core);
}

/// The helper threads of a pool.
pub struct Calls(Helpers);

impl Calls {
    /// At most so many helpers.
    pub fn new(most: u32) -> Self {
        Self(Helpers::new(most, "bare"))
    }

    /// Hands a call of the task, which waits for it, to a helper. `false` if it ran right here.
    pub fn submit(&self, caller: &Running, ticket: Ticket, job: impl FnMut() + Send + 'static) -> bool {
        // It stays there as on a task's stack, and is not touched again.
        let job: *mut Job = {
            let mut jobs = caller.jobs.borrow_mut();
            jobs.push(Box::new(job));
            let job = jobs.last_mut().expect("just pushed");
            &raw mut **job
        };
        // SAFETY: the caller, which outlives its call as it waits for it, has the job.
        let call = unsafe { Call::new(job, Task::clone(&caller.task), ticket.0) };
        match self.0.push(call) {
            Ok(()) => true,
            Err(call) => {
                call.run();
                false
            }
        }
    }

    /// How many helpers there are.
    pub fn threads(&self) -> usize {
        self.0.threads()
    }

    /// What a pool that has stopped does.
    pub fn close(&self) {
        self.0.close();
    }

    /// What the owner's drop does.
    pub fn join(&self) {
        self.0.join();
    }
}
