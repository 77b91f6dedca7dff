//! The cell of a task: its words, its closure and then its result, in one allocation.
//!
//! Whoever holds a [`Task`] may ask and wait; the [`Word`] says who may touch the body. A finishing worker touches the
//! cell last through its own reference, so a waiter may drop its own at once. A value, a payload or a closure of the
//! user's is never dropped under a lock, and a panic while it is dropped is contained ([`discard`]).

use std::any::{Any, TypeId};

use copool_spec::{Outcome, TaskId, Tell};

use super::wait::{Ended, Generation, WaitWord};
use super::word::Word;
use crate::pool::{Count, Parker, Post, Shared};
use crate::sync::{Arc, AtomicU32, CachePadded, Mutex, Ordering, UnsafeCell, catch};
use crate::unwind::Unwind;
use crate::{here, sync};

/// A task, whatever its types.
pub(crate) type Task = Arc<TaskCell<dyn Job>>;

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

/// A reference to the pool for the tasks of one submitting thread: they count their references here, on a cache line
/// that other threads do not write.
pub(crate) struct Home {
    shared: CachePadded<Arc<Shared>>,
}

impl Home {
    pub(crate) fn new(shared: &Arc<Shared>) -> Arc<Self> {
        Arc::new(Self { shared: CachePadded::new(Arc::clone(shared)) })
    }
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
    home: Arc<Home>,
    /// The seat that runs the task, once it has suspended for the first time.
    runner: UnsafeCell<Option<Arc<Post>>>,
    /// None of them for most tasks, so the list is behind a pointer.
    waiters: Mutex<Option<Box<Waiters>>>,
}

// SAFETY: all fields but `runner` are Sync by themselves. `runner` is written once, by the running task before its first
// wait, and read by the one that ended a wait of it, which the wait word orders after (see `set_runner`, `runner`).
unsafe impl Sync for Core {}

impl Core {
    pub(crate) fn new(id: TaskId, home: Arc<Home>, label: Option<Box<Label>>) -> Self {
        Self {
            word: Word::new(),
            slot: AtomicU32::new(0),
            wait: WaitWord::new(),
            id,
            label,
            home,
            runner: UnsafeCell::new(None),
            waiters: Mutex::new(None),
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
        &self.home.shared
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

    /// A wait of this task is over; if it was a join, the task does not stand in the way any more.
    pub(crate) fn count_ended(&self, ended: &Ended) {
        if ended.join {
            self.shared().outside.add_shared(Count::JoinOver);
        }
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
        self.waiters.lock().take().map(|waiters| waiters.0).unwrap_or_default()
    }

    /// Puts somebody on the list of those to wake; `false` if the task has ended.
    pub(crate) fn add_waiter(&self, waiter: Waiter) -> bool {
        let mut waiters = self.waiters.lock();
        // The bit is set under the lock, so whoever ends the task and sees it finds the waiter in the list.
        let waits = self.word.watch();
        if waits {
            waiters.get_or_insert_default().0.push(waiter);
        }
        waits
    }

    /// Takes waiters off the list that wait no more.
    pub(crate) fn remove_waiters(&self, is_mine: impl Fn(&Waiter) -> bool) {
        let mut mine = Vec::new();
        if let Some(waiters) = &mut *self.waiters.lock() {
            while let Some(at) = waiters.0.iter().position(&is_mine) {
                mine.push(waiters.0.swap_remove(at));
            }
        }
        // Dropped after the lock: a waiter may be the last reference to a task, or a user's waker.
        drop(mine);
    }
}

#[derive(Default)]
struct Waiters(Vec<Waiter>);

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
    if let Some(ended) = task.core().wait.wake(generation) {
        deliver(task, ended);
    }
}

/// Ends the task's park, or leaves it a token.
pub(crate) fn unpark(task: &Task) {
    if let Some(ended) = task.core().wait.unpark() {
        deliver(task, ended);
    }
}

/// Makes the task unwind at its present or next wait.
pub(crate) fn interrupt(task: &Task) {
    if let Some(ended) = task.core().wait.interrupt() {
        deliver(task, ended);
    }
}

/// Tells the seat of a task that its wait is over.
fn deliver(task: &Task, ended: Ended) {
    let core = task.core();
    core.count_ended(&ended);
    core.shared().task_woken(core.id);
    // SAFETY: whoever has `ended` has ended a wait of the task.
    let post = unsafe { core.runner() };
    let own = here::innermost(|seat| match seat {
        Some(seat) if Arc::ptr_eq(&seat.post, &post) => {
            seat.note_woken(Arc::clone(task));
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

/// The cell: what all tasks have, and a body whose types are forgotten in a [`Task`].
pub(crate) struct TaskCell<B: ?Sized> {
    core: Core,
    body: B,
}

impl<B: ?Sized> TaskCell<B> {
    #[inline]
    pub(crate) fn core(&self) -> &Core {
        &self.core
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

    /// Moves the result into `place`, an `Option` of the result's type.
    #[inline]
    pub(crate) fn take(&self, place: &mut dyn Any) -> Taken {
        match self.core.word.outcome() {
            // SAFETY: the task has returned or panicked, which it publishes after its runner's last access.
            Some(Outcome::Returned | Outcome::Panicked) => unsafe { self.body.take(&self.core.word, place) },
            _ => Taken::Nothing,
        }
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

    /// See [`TaskCell::take`].
    ///
    /// # Safety
    /// The task has returned or panicked. For a place of the result's type, unless that is `Option<usize>`, the caller is
    /// the task's only `JoinHandle`, exclusively borrowed.
    unsafe fn take(&self, word: &Word, place: &mut dyn Any) -> Taken;
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
    pub(crate) fn new(core: Core, closure: F) -> Self {
        Self { core, body: Body(UnsafeCell::new(State::Closure(closure))) }
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

    unsafe fn take(&self, word: &Word, place: &mut dyn Any) -> Taken {
        let Some(place) = place.downcast_mut::<Option<T>>() else { return Taken::WrongType };
        // The pool takes results by a `TaskRef` only of the one type that `submit_task` has; there it and the handle race.
        // Every other result is taken through the one `JoinHandle`, whose methods exclude each other.
        if TypeId::of::<T>() == TypeId::of::<Option<usize>>() && !word.take() {
            return Taken::Nothing;
        }
        // SAFETY: the result is published, and by the above this call alone takes it.
        match unsafe { self.swap(State::Empty) } {
            State::Value(value) => {
                *place = Some(value);
                Taken::Value
            }
            State::Panic(payload) => Taken::Panic(payload),
            State::Closure(_) | State::Empty => Taken::Nothing,
        }
    }
}

impl<F, T> Drop for Body<F, T> {
    fn drop(&mut self) {
        match std::mem::replace(self.0.get_mut(), State::Empty) {
            State::Empty => {}
            state => discard(state),
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
