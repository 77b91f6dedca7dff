//! Listeners: who is told what happens in a pool.
//!
//! A listener is called outside every lock, on the stack where the event arises, with
//! [`current`](crate::current) hidden and its panics contained. While it runs, suspending calls return at once,
//! drives and joins are refused, and events that it causes itself are not told. With no listener installed an event
//! costs one predictable branch. Tested in `tests/listener.rs`.

use copool_spec::{Event, Tell, WorkerId, WorkerState};

use crate::here;
use crate::pool::Shared;
use crate::sync::{Arc, catch};

/// Somebody who wants to know what happens in a pool.
///
/// ```
/// use std::sync::{Arc, atomic::{AtomicUsize, Ordering}};
/// use copool::{CoroutinePool, Listener, spec::Event};
///
/// #[derive(Default)]
/// struct Starts(AtomicUsize);
/// impl Listener for Starts {
///     fn on_event(&self, event: &Event) {
///         if event.name() == "task_started" {
///             self.0.fetch_add(1, Ordering::Relaxed);
///         }
///     }
/// }
///
/// let starts = Arc::new(Starts::default());
/// let mut pool = CoroutinePool::builder().listener(Arc::clone(&starts)).build().unwrap();
/// pool.spawn(|| ()).unwrap();
/// pool.drain(None).unwrap();
/// assert_eq!(starts.0.load(Ordering::Relaxed), 1);
/// ```
pub trait Listener: Send + Sync + 'static {
    /// A worker, which was in state `old`, is in state `new`.
    fn on_state_changed(&self, worker: WorkerId, old: WorkerState, new: WorkerState) {
        let _ = (worker, old, new);
    }

    /// Something happened.
    fn on_event(&self, event: &Event) {
        let _ = event;
    }
}

impl<L: Listener + ?Sized> Listener for Arc<L> {
    fn on_state_changed(&self, worker: WorkerId, old: WorkerState, new: WorkerState) {
        (**self).on_state_changed(worker, old, new);
    }

    fn on_event(&self, event: &Event) {
        (**self).on_event(event);
    }
}

impl Tell for Shared {
    #[inline]
    fn listens(&self) -> bool {
        !self.listeners.is_empty()
    }

    #[cold]
    fn tell(&self, event: Event) {
        self.each_listener(|listener| listener.on_event(&event));
    }
}

impl Shared {
    /// Reports a worker's change of state.
    #[inline]
    pub(crate) fn state_changed(&self, worker: WorkerId, old: WorkerState, new: WorkerState) {
        if self.listens() {
            self.each_listener(|listener| listener.on_state_changed(worker, old, new));
        }
    }

    #[cold]
    fn each_listener(&self, call: impl Fn(&dyn Listener)) {
        // While a listener runs, nothing is told: an event that it causes would have it called inside itself.
        let Some(_quiet) = here::Quiet::enter() else { return };
        for listener in &self.listeners {
            if let Err(payload) = catch(|| call(&**listener)) {
                crate::task::discard(payload);
            }
        }
    }
}
