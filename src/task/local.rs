//! Coroutine-local values: like thread-locals, but one for each task.

use std::any::{Any, TypeId};
use std::cell::{Cell, RefCell};
use std::rc::Rc;

use super::discard;
use crate::error::LocalError;
use crate::here::{Here, here};

/// A value that each task has for itself, made at its first use and dropped before the task's outcome is published.
///
/// Declare it as a `static`: its address is its identity. A constant has none of its own: two may share one, and one may have
/// several.
///
/// It never leaves the task's thread, so it need not be [`Send`].
///
/// ```
/// use std::cell::Cell;
/// use copool::{CoroutineLocal, CoroutinePool, LocalError};
///
/// static STEPS: CoroutineLocal<Cell<u32>> = CoroutineLocal::new(|| Cell::new(0));
///
/// fn step() -> Result<u32, LocalError> {
///     STEPS.with(|steps| {
///         steps.set(steps.get() + 1);
///         steps.get()
///     })
/// }
///
/// let mut pool = CoroutinePool::default();
/// let two = pool.spawn(|| (step(), step())).unwrap();
/// let one = pool.spawn(step).unwrap();
/// pool.drain(None).unwrap();
/// assert_eq!(two.join().unwrap(), (Ok(1), Ok(2)));
/// assert_eq!(one.join().unwrap(), Ok(1));
/// assert_eq!(step(), Err(LocalError::NoTask));
/// ```
#[derive(Debug)]
pub struct CoroutineLocal<T: 'static> {
    init: fn() -> T,
}

impl<T: 'static> CoroutineLocal<T> {
    /// A coroutine-local whose values `init` makes.
    pub const fn new(init: fn() -> T) -> Self {
        Self { init }
    }

    /// Hands the calling task's value to `f`.
    ///
    /// # Errors
    /// [`LocalError::NoTask`] outside a task and on a helper of [`syscall`](crate::syscall()), [`LocalError::Ended`] in the
    /// destructor of another coroutine-local.
    pub fn with<R>(&'static self, f: impl FnOnce(&T) -> R) -> Result<R, LocalError> {
        let value = here(|here| match here {
            Here::Task(_, frame) => frame.locals.get(self.key(), || Rc::new((self.init)())),
            Here::Plain | Here::Quiet => Err(LocalError::NoTask),
        })?;
        let value = value.downcast::<T>().expect("the type is part of the key");
        Ok(f(&value))
    }

    /// With the type, as two constants may be at one address.
    fn key(&'static self) -> Key {
        (std::ptr::from_ref(self).addr(), TypeId::of::<T>())
    }
}

/// The address of a coroutine-local, and the type of its values.
type Key = (usize, TypeId);

/// The coroutine-local values of one task.
pub(crate) struct Locals {
    values: RefCell<Vec<(Key, Rc<dyn Any>)>>,
    over: Cell<bool>,
}

impl Locals {
    pub(crate) const fn new() -> Self {
        Self { values: RefCell::new(Vec::new()), over: Cell::new(false) }
    }

    fn find(&self, key: Key) -> Option<Rc<dyn Any>> {
        self.values.borrow().iter().find(|(other, _)| *other == key).map(|(_, value)| Rc::clone(value))
    }

    fn get(&self, key: Key, init: impl FnOnce() -> Rc<dyn Any>) -> Result<Rc<dyn Any>, LocalError> {
        if let Some(value) = self.find(key) {
            return Ok(value);
        }
        if self.over.get() {
            return Err(LocalError::Ended);
        }
        // The initializer is the user's code: it may itself use this very value, which then stands.
        let value = init();
        if let Some(value) = self.find(key) {
            return Ok(value);
        }
        self.values.borrow_mut().push((key, Rc::clone(&value)));
        Ok(value)
    }

    /// Drops the values, the last one first. There are none any more after this.
    #[inline]
    pub(crate) fn clear(&self) {
        self.over.set(true);
        if !self.values.borrow().is_empty() {
            self.drop_all();
        }
    }

    #[cold]
    fn drop_all(&self) {
        loop {
            // Not in the loop's condition: the borrow must be over when the destructor runs.
            let last = self.values.borrow_mut().pop();
            let Some((_, value)) = last else { break };
            discard(value);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;

    use super::*;
    use crate::{CoroutinePool, suspend};

    /// Equal constants may be at one address.
    const NUMBER: CoroutineLocal<u32> = CoroutineLocal::new(Default::default);
    const SIGNED: CoroutineLocal<i32> = CoroutineLocal::new(Default::default);

    static FIRST: CoroutineLocal<Cell<u32>> = CoroutineLocal::new(|| Cell::new(1));
    static SECOND: CoroutineLocal<Cell<u32>> = CoroutineLocal::new(|| Cell::new(10));

    #[test]
    fn locals_of_different_types_have_different_keys_wherever_they_are() {
        let number: &'static CoroutineLocal<u32> = &NUMBER;
        let signed: &'static CoroutineLocal<i32> = &SIGNED;
        assert_ne!(number.key().1, signed.key().1);
        let mut pool = CoroutinePool::default();
        let both = pool.spawn(move || (number.with(|n| *n), signed.with(|n| *n))).unwrap();
        pool.drain(None).unwrap();
        assert_eq!(both.join().unwrap(), (Ok(0), Ok(0)));
    }

    #[test]
    fn each_local_of_each_task_is_its_own() {
        let mut pool = CoroutinePool::default();
        let count = |by: u32| {
            move || {
                let next = |local: &'static CoroutineLocal<Cell<u32>>| local.with(|n| n.replace(n.get() + by)).unwrap();
                let before = (next(&SECOND), next(&FIRST));
                suspend();
                (before, next(&FIRST), next(&SECOND))
            }
        };
        let tasks = [1, 2].map(|by| pool.spawn(count(by)).unwrap());
        pool.drain(None).unwrap();
        let [one, two] = tasks.map(|task| task.join().unwrap());
        assert_eq!((one, two), (((10, 1), 2, 11), ((10, 1), 3, 12)));
    }
}
