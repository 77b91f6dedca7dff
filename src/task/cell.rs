//! The cell of a task: its words, its closure and then its result, in one allocation.
//!
//! Whoever holds a [`Task`] may ask and wait; the [`Word`] says who may touch the body. A finishing worker touches the
//! cell last through its own reference, so a waiter may drop its own at once. A value, a payload or a closure of the
//! user's is never dropped under a lock, and a panic while it is dropped is contained ([`discard`]).

use std::any::{Any, TypeId};

use copool_spec::Outcome;

use super::{Core, Task};
use crate::sync::{self, References, UnsafeCell, catch};
use crate::unwind::Unwind;

/// How a run of a closure ended. The body holds what it left behind.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Ran {
    Returned,
    Panicked,
    /// By the pool's own payload.
    Unwound,
}

/// What taking a result yields.
pub(crate) enum Taken<T> {
    /// The task returned this.
    Value(T),
    /// The task panicked.
    Panic(Box<dyn Any + Send>),
    /// It was taken before.
    Nothing,
    /// The task has not returned, nor panicked: it has this outcome, or none yet.
    Without(Option<Outcome>),
    /// It is the join handle's.
    Held,
}

/// Who takes a result.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Taker {
    /// The task's only join handle.
    Handle,
    /// One of any number of references.
    Reference,
}

/// The cell: what all tasks have, and a body whose types are forgotten in a [`Task`].
pub(crate) struct TaskCell<B: ?Sized> {
    references: References,
    core: Core,
    body: B,
}

impl<B: ?Sized> TaskCell<B> {
    #[inline]
    pub(crate) fn core(&self) -> &Core {
        &self.core
    }

    #[inline]
    pub(super) fn core_mut(&mut self) -> &mut Core {
        &mut self.core
    }

    /// How many [`Task`]s there are of it.
    #[inline]
    pub(super) fn references(&self) -> &References {
        &self.references
    }
}

impl TaskCell<dyn Job> {
    /// Runs the closure and keeps what it returned or panicked with.
    ///
    /// # Safety
    /// The caller has won `start`, and calls this once.
    #[inline]
    pub(crate) unsafe fn run(&self) -> Ran {
        // SAFETY: handed on.
        unsafe { self.body.run() }
    }

    /// Drops what is in the body.
    ///
    /// # Safety
    /// The caller owns the body: it claimed, abandoned or started the task, and has not published a result.
    pub(crate) unsafe fn drop_body(&self) {
        // SAFETY: handed on.
        unsafe { self.body.clear() }
    }

    /// Whether the result is a `T`.
    pub(super) fn gives<T: 'static>(&self) -> bool {
        self.body.result() == TypeId::of::<T>()
    }

    /// Takes the result.
    ///
    /// # Safety
    /// The result is a `T`. [`Taker::Handle`] is for the task's only `JoinHandle`, exclusively borrowed.
    #[inline]
    pub(super) unsafe fn take<T: 'static>(&self, by: Taker) -> Taken<T> {
        let word = &self.core.word;
        let outcome = word.outcome();
        if !matches!(outcome, Some(Outcome::Returned | Outcome::Panicked)) {
            return Taken::Without(outcome);
        }
        // References race with each other, and, for the one type that `submit_task` has, with the handle: the word lets one
        // through. Every other result is the one handle's, whose methods exclude each other, until the handle is gone and
        // has given it to the references.
        let anybodys = TypeId::of::<T>() == TypeId::of::<Option<usize>>();
        if by == Taker::Reference && !anybodys && !word.is_given() {
            return Taken::Held;
        }
        if (anybodys || by == Taker::Reference) && !word.take() {
            return Taken::Nothing;
        }
        let mut taken = Taken::<T>::Nothing;
        // SAFETY: the task has returned or panicked, which it publishes after its runner's last access; by the contract and
        // the above the result is a `T`, and this call's alone.
        unsafe { self.body.take((&raw mut taken).cast()) };
        taken
    }
}

/// A closure and then its result, whatever their types.
pub(crate) trait Job: Send + Sync {
    /// See [`TaskCell::run`].
    ///
    /// # Safety
    /// The caller has won `start`, and calls this once.
    unsafe fn run(&self) -> Ran;

    /// See [`TaskCell::drop_body`].
    ///
    /// # Safety
    /// The caller owns the body.
    unsafe fn clear(&self);

    /// The type of the result.
    fn result(&self) -> TypeId;

    /// Writes what there is to take to `place`.
    ///
    /// # Safety
    /// The task has returned or panicked, the caller alone takes its result, and `place` is a `Taken` of the result's type.
    unsafe fn take(&self, place: *mut ());
}

/// The body of a task.
pub(crate) struct Body<F, T>(UnsafeCell<State<F, T>>);

enum State<F, T> {
    Closure(F),
    Value(T),
    Panic(Box<dyn Any + Send>),
    Empty,
}

// SAFETY: the state is touched only by whoever the word gives it to (see the table in `word`), one thread at a time, each
// transition ordering the next owner after the last; what it holds may change threads as F and T are Send.
unsafe impl<F: Send, T: Send> Sync for Body<F, T> {}

impl<F, T> Body<F, T> {
    /// # Safety
    /// The caller owns the body.
    #[inline]
    unsafe fn swap(&self, state: State<F, T>) -> State<F, T> {
        // SAFETY: by the contract nobody else touches the state now.
        self.0.with_mut(|place| unsafe { std::mem::replace(&mut *place, state) })
    }
}

impl<F, T> TaskCell<Body<F, T>> {
    #[inline]
    pub(super) fn new(references: References, core: Core, closure: F) -> Self {
        Self { references, core, body: Body(UnsafeCell::new(State::Closure(closure))) }
    }
}

impl<F, T> Job for Body<F, T>
where
    F: FnOnce() -> T + Send + 'static,
    T: Send + 'static,
{
    unsafe fn run(&self) -> Ran {
        // SAFETY: winning `start` gives the body to this call.
        let State::Closure(closure) = (unsafe { self.swap(State::Empty) }) else {
            unreachable!("a task is started once")
        };
        let (state, ran) = match sync::catch(closure) {
            Ok(value) => (State::Value(value), Ran::Returned),
            Err(payload) => {
                let ran = if payload.is::<Unwind>() { Ran::Unwound } else { Ran::Panicked };
                (State::Panic(payload), ran)
            }
        };
        // SAFETY: the body is this call's until the outcome is published. It is Empty, so nothing is dropped here.
        unsafe { self.swap(state) };
        ran
    }

    unsafe fn clear(&self) {
        // SAFETY: by the contract of this function.
        discard(unsafe { self.swap(State::Empty) });
    }

    fn result(&self) -> TypeId {
        TypeId::of::<T>()
    }

    unsafe fn take(&self, place: *mut ()) {
        // SAFETY: the result is published, and by the contract this call alone takes it.
        let taken = match unsafe { self.swap(State::Empty) } {
            State::Value(value) => Taken::Value(value),
            State::Panic(payload) => Taken::Panic(payload),
            State::Closure(_) | State::Empty => return,
        };
        // SAFETY: by the contract it is such a place. What it holds, `Nothing`, needs no drop.
        unsafe { place.cast::<Taken<T>>().write(taken) };
    }
}

impl<F, T> Drop for Body<F, T> {
    fn drop(&mut self) {
        if !matches!(self.0.get_mut(), State::Empty) {
            discard(std::mem::replace(self.0.get_mut(), State::Empty));
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
