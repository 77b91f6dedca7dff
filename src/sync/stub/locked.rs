//! The queues under shuttle: crossbeam-deque's interface over a lock.
//!
//! Shuttle knows no weak memory, so a lock hides nothing from it, and it makes each operation one step, exact in its
//! answer. What a lock would hide is that an attempt to steal may be in vain: [`Steal::Retry`] is a choice of shuttle's,
//! at most [`RETRIES`] times in a row, so that a loop of attempts ends.

use std::cell::Cell;
use std::collections::VecDeque;
use std::fmt;
use std::marker::PhantomData;
use std::sync::Arc;

use shuttle::rand::Rng as _;

use super::lock::Mutex;
use super::steal::Steal;

/// How often in a row a steal from a queue that is not empty may fail for no reason.
const RETRIES: u32 = 2;

/// How likely each of these failures is.
const RETRY: f64 = 0.25;

/// A queue behind a lock.
struct Locked<T>(Mutex<State<T>>);

struct State<T> {
    values: VecDeque<T>,
    retries: u32,
}

impl<T> Locked<T> {
    fn new() -> Self {
        Self(Mutex::new(State { values: VecDeque::new(), retries: 0 }))
    }

    fn push(&self, value: T) {
        self.0.lock().values.push_back(value);
    }

    fn len(&self) -> usize {
        self.0.lock().values.len()
    }

    fn steal(&self) -> Steal<T> {
        let mut state = self.0.lock();
        if state.values.is_empty() {
            return Steal::Empty;
        }
        if state.retries < RETRIES && shuttle::rand::thread_rng().gen_bool(RETRY) {
            state.retries += 1;
            return Steal::Retry;
        }
        state.retries = 0;
        state.values.pop_front().map_or(Steal::Empty, Steal::Success)
    }
}

/// A queue with one owner, who pushes and pops, and thieves. It is `Send` but not `Sync`.
pub struct Deque<T> {
    shared: Arc<Locked<T>>,
    lifo: bool,
    one_owner: PhantomData<Cell<()>>,
}

impl<T> Deque<T> {
    /// A deque whose owner pops the oldest value.
    pub fn new_fifo() -> Self {
        Self { shared: Arc::new(Locked::new()), lifo: false, one_owner: PhantomData }
    }

    /// A deque whose owner pops the newest value.
    pub fn new_lifo() -> Self {
        Self { lifo: true, ..Self::new_fifo() }
    }

    /// Somebody who can steal from this deque.
    pub fn stealer(&self) -> Stealer<T> {
        Stealer(Arc::clone(&self.shared))
    }

    /// Adds a value.
    pub fn push(&self, value: T) {
        self.shared.push(value);
    }

    /// Takes a value.
    pub fn pop(&self) -> Option<T> {
        let mut state = self.shared.0.lock();
        if self.lifo { state.values.pop_back() } else { state.values.pop_front() }
    }

    /// Whether there is no value.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// How many values there are.
    pub fn len(&self) -> usize {
        self.shared.len()
    }
}

impl<T> fmt::Debug for Deque<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Deque { .. }")
    }
}

/// A thief of a [`Deque`]: it takes the oldest value.
pub struct Stealer<T>(Arc<Locked<T>>);

impl<T> Stealer<T> {
    /// Tries to take a value.
    pub fn steal(&self) -> Steal<T> {
        self.0.steal()
    }

    /// Whether there is no value.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// How many values there are.
    pub fn len(&self) -> usize {
        self.0.len()
    }
}

impl<T> Clone for Stealer<T> {
    fn clone(&self) -> Self {
        Self(Arc::clone(&self.0))
    }
}

impl<T> fmt::Debug for Stealer<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Stealer { .. }")
    }
}

/// A queue that anybody pushes to and anybody steals from, the oldest value first.
pub struct Injector<T>(Locked<T>);

impl<T> Injector<T> {
    /// An empty queue.
    pub fn new() -> Self {
        Self(Locked::new())
    }

    /// Adds a value.
    pub fn push(&self, value: T) {
        self.0.push(value);
    }

    /// Tries to take a value.
    pub fn steal(&self) -> Steal<T> {
        self.0.steal()
    }

    /// Whether there is no value.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// How many values there are.
    pub fn len(&self) -> usize {
        self.0.len()
    }
}

impl<T> Default for Injector<T> {
    fn default() -> Self {
        Self::new()
    }
}

impl<T> fmt::Debug for Injector<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Injector { .. }")
    }
}
