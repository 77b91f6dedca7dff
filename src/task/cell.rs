//! The cell of a task: its words, its closure and then its result, in one allocation.
//!
//! Whoever holds a [`Task`] may ask and wait; the [`Word`] says who may touch the body. A finishing worker touches the
//! cell last through its own reference, so a waiter may drop its own at once. A value, a payload or a closure of the
//! user's is never dropped under a lock, and a panic while it is dropped is contained ([`discard`]).

use std::any::Any;

use copool_spec::{Outcome, TaskId, Tell};

use super::wait::{Generation, WaitWord};
use super::word::Word;
use crate::pool::{Parker, Post, Shared};
use crate::sync::{Arc, AtomicU32, Mutex, Ordering, UnsafeCell, catch};
use crate::unwind::Unwind;
use crate::{here, sync};

/// A task, whatever its types.
pub(crate) type Task = Arc<dyn Runnable>;

/// What a task has to wait on its outcome.
pub(crate) enum Waiter {
    /// A task, in the wait of this generation.
    Task(Task, Generation),
    /// A plain thread.
    Thread(Arc<Parker>),
    /// A seat that drives until this task has ended.
    Seat(Arc<Post>),
    /// A future's waker.
    Future(std::task::Waker),
}

/// Where a task was submitted to: whose counts it is in.
pub(crate) enum Home {
    /// A seat's own thread.
    Seat(Arc<Post>),
    /// Elsewhere.
    Pool(Arc<Shared>),
}

/// What few tasks have.
pub(crate) struct Label {
    pub(crate) name: Option<String>,
    /// The least stack it needs, in bytes; 0 for the pool's.
    pub(crate) stack: usize,
}

/// The part of the cell that does not depend on the task's types.
pub(crate) struct Core {
    pub(crate) word: Word,
    /// Under which key the seat of a suspended task keeps its coroutine. Only that seat's thread uses it.
    slot: AtomicU32,
    pub(crate) wait: WaitWord,
    pub(crate) id: TaskId,
    label: Option<Box<Label>>,
    home: Home,
    /// The seat that runs the task, once it has suspended for the first time.
    runner: UnsafeCell<Option<Arc<Post>>>,
    pub(crate) waiters: Mutex<Vec<Waiter>>,
}

// SAFETY: all fields but `runner` are Sync by themselves. `runner` is written once, by the running task before its first
// wait, and read by the one that ended a wait of it, which the wait word orders after (see `set_runner`, `runner`).
unsafe impl Sync for Core {}

impl Core {
    pub(crate) fn new(id: TaskId, home: Home, label: Option<Box<Label>>) -> Self {
        Self {
            word: Word::new(),
            slot: AtomicU32::new(0),
            wait: WaitWord::new(),
            id,
            label,
            home,
            runner: UnsafeCell::new(None),
            waiters: Mutex::new(Vec::new()),
        }
    }

    pub(crate) fn name(&self) -> Option<&str> {
        self.label.as_ref()?.name.as_deref()
    }

    #[inline]
    pub(crate) fn least_stack(&self) -> usize {
        self.label.as_ref().map_or(0, |label| label.stack)
    }

    pub(crate) fn shared(&self) -> &Arc<Shared> {
        match &self.home {
            Home::Seat(post) => &post.shared,
            Home::Pool(shared) => shared,
        }
    }

    pub(crate) fn set_slot(&self, slot: usize) {
        let slot = u32::try_from(slot).expect("a seat holds fewer than 2^21 workers");
        // Ordering: Relaxed; only the seat's own thread reads and writes it.
        self.slot.store(slot, Ordering::Relaxed);
    }

    pub(crate) fn slot(&self) -> usize {
        // Ordering: Relaxed, see `set_slot`.
        self.slot.load(Ordering::Relaxed) as usize
    }

    /// Says who runs the task.
    ///
    /// # Safety
    /// Only the running task itself may call this, once, before its first wait begins.
    pub(crate) unsafe fn set_runner(&self, post: &Arc<Post>) {
        self.runner.with_mut(|runner| {
            // SAFETY: by the contract nobody else can have ended a wait yet, so nobody reads.
            unsafe { *runner = Some(Arc::clone(post)) };
        });
    }

    /// Whose coroutine the task is.
    ///
    /// # Safety
    /// The caller has ended a wait of this task, by the wait word.
    unsafe fn runner(&self) -> Arc<Post> {
        self.runner.with(|runner| {
            // SAFETY: it was written before the wait began, and whoever ended the wait acquired that from the wait word.
            let runner = unsafe { &*runner };
            Arc::clone(runner.as_ref().expect("a task that waits has a seat"))
        })
    }

    /// Wakes everybody who waits for the outcome, which is published.
    #[cold]
    pub(crate) fn wake_waiters(&self) {
        wake_all(self.take_waiters());
    }

    pub(crate) fn take_waiters(&self) -> Vec<Waiter> {
        std::mem::take(&mut *self.waiters.lock())
    }
}

/// Wakes everybody in a list that was taken from under its lock.
pub(crate) fn wake_all(waiters: Vec<Waiter>) {
    for waiter in waiters {
        match waiter {
            Waiter::Task(task, generation) => wake(&task, generation),
            Waiter::Thread(parker) => parker.unpark(),
            Waiter::Seat(post) => post.ring(),
            // A waker is the user's code: it may panic.
            Waiter::Future(waker) => {
                if let Err(payload) = catch(|| waker.wake()) {
                    discard(payload);
                }
            }
        }
    }
}

/// Drops the closures of tasks that were abandoned in a queue.
pub(crate) fn bury(remains: Vec<Task>) {
    for task in remains {
        // SAFETY: whoever put the task among the remains has abandoned it before its start, which gave it the body; each
        // is taken out once.
        unsafe { task.drop_body() };
    }
}

/// Ends the wait of this generation, if it is still on.
pub(crate) fn wake(task: &Task, generation: Generation) {
    if task.core().wait.wake(generation) {
        // SAFETY: this call has just ended a wait of the task.
        unsafe { deliver(task) };
    }
}

/// Ends the task's park, or leaves it a token.
pub(crate) fn unpark(task: &Task) {
    if task.core().wait.unpark() {
        // SAFETY: this call has just ended a wait of the task.
        unsafe { deliver(task) };
    }
}

/// Makes the task unwind at its present or next wait.
pub(crate) fn interrupt(task: &Task) {
    if task.core().wait.interrupt() {
        // SAFETY: this call has just ended a wait of the task.
        unsafe { deliver(task) };
    }
}

/// Tells the seat of a task that its wait is over.
///
/// # Safety
/// The caller has ended a wait of this task, by the wait word, and calls this once.
unsafe fn deliver(task: &Task) {
    let core = task.core();
    core.shared().task_woken(core.id);
    // SAFETY: handed on.
    let post = unsafe { core.runner() };
    let own = here::innermost(|seat| match seat {
        Some(seat) if Arc::ptr_eq(&seat.post, &post) => {
            seat.woken.borrow_mut().push(Arc::clone(task));
            true
        }
        _ => false,
    });
    if !own {
        post.send(Arc::clone(task));
    }
}

/// How a run of a closure ended. The body holds what it left behind.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Ran {
    Returned,
    Panicked,
    /// By the pool's own payload.
    Unwound,
}

/// What taking a result yields.
pub(crate) enum Taken {
    /// The value is in the place that was handed in.
    Value,
    /// The task panicked.
    Panic(Box<dyn Any + Send>),
    /// There is nothing, or nothing any more.
    Nothing,
    /// The place was of another type; the result is still there.
    WrongType,
}

/// A task whose types are forgotten.
pub(crate) trait Runnable: Send + Sync {
    fn core(&self) -> &Core;

    /// Runs the closure and keeps what it returned or panicked with.
    ///
    /// # Safety
    /// The caller has won `start`, and calls this once.
    unsafe fn run(&self) -> Ran;

    /// Drops what is in the body.
    ///
    /// # Safety
    /// The caller owns the body: it claimed, abandoned or started the task, and has not published a result.
    unsafe fn drop_body(&self);

    /// Moves the result into `place`, an `Option` of the result's type.
    fn take(&self, place: &mut dyn Any) -> Taken;
}

enum Body<F, T> {
    Closure(F),
    Value(T),
    Panic(Box<dyn Any + Send>),
    Empty,
}

pub(crate) struct TaskCell<F, T> {
    core: Core,
    body: UnsafeCell<Body<F, T>>,
}

// SAFETY: the body is touched only by whoever the word gives it to (see the table in `word`), one thread at a time, each
// transition ordering the next owner after the last; what it holds may change threads as F and T are Send.
unsafe impl<F: Send, T: Send> Sync for TaskCell<F, T> {}

impl<F, T> TaskCell<F, T> {
    pub(crate) fn new(core: Core, closure: F) -> Self {
        Self { core, body: UnsafeCell::new(Body::Closure(closure)) }
    }

    fn swap_mut(&mut self, body: Body<F, T>) -> Body<F, T> {
        // SAFETY: the exclusive reference rules out any other access.
        unsafe { self.swap(body) }
    }

    /// # Safety
    /// The caller owns the body.
    #[inline]
    unsafe fn swap(&self, body: Body<F, T>) -> Body<F, T> {
        // SAFETY: by the contract nobody else touches the body now.
        self.body.with_mut(|place| unsafe { std::mem::replace(&mut *place, body) })
    }
}

impl<F, T> Runnable for TaskCell<F, T>
where
    F: FnOnce() -> T + Send + 'static,
    T: Send + 'static,
{
    #[inline]
    fn core(&self) -> &Core {
        &self.core
    }

    unsafe fn run(&self) -> Ran {
        // SAFETY: winning `start` gives the body to this call.
        let Body::Closure(closure) = (unsafe { self.swap(Body::Empty) }) else {
            unreachable!("a task is started once")
        };
        let (body, ran) = match sync::catch(closure) {
            Ok(value) => (Body::Value(value), Ran::Returned),
            Err(payload) => {
                let ran = if payload.is::<Unwind>() { Ran::Unwound } else { Ran::Panicked };
                (Body::Panic(payload), ran)
            }
        };
        // SAFETY: the body is this call's until the outcome is published. It is Empty, so nothing is dropped here.
        unsafe { self.swap(body) };
        ran
    }

    unsafe fn drop_body(&self) {
        // SAFETY: by the contract of this function.
        let body = unsafe { self.swap(Body::Empty) };
        discard(body);
    }

    fn take(&self, place: &mut dyn Any) -> Taken {
        match self.core.word.outcome() {
            Some(Outcome::Returned) => {
                let Some(place) = place.downcast_mut::<Option<T>>() else { return Taken::WrongType };
                if !self.core.word.take() {
                    return Taken::Nothing;
                }
                // SAFETY: the task has returned, and `take` let this call alone through.
                if let Body::Value(value) = unsafe { self.swap(Body::Empty) } {
                    *place = Some(value);
                }
                Taken::Value
            }
            Some(Outcome::Panicked) if self.core.word.take() => {
                // SAFETY: the task has panicked, and `take` let this call alone through.
                match unsafe { self.swap(Body::Empty) } {
                    Body::Panic(payload) => Taken::Panic(payload),
                    _ => Taken::Nothing,
                }
            }
            _ => Taken::Nothing,
        }
    }
}

impl<F, T> Drop for TaskCell<F, T> {
    fn drop(&mut self) {
        match self.swap_mut(Body::Empty) {
            Body::Empty => {}
            body => discard(body),
        }
    }
}

/// Drops something of the user's, whose destructor may panic.
pub(crate) fn discard<V>(value: V) {
    if !std::mem::needs_drop::<V>() {
        return;
    }
    if let Err(payload) = catch(|| drop(value)) {
        // A payload whose own destructor panics is given up.
        if let Err(payload) = catch(|| drop(payload)) {
            std::mem::forget(payload);
        }
    }
}
