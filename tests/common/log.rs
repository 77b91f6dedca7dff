//! A listener that keeps what it hears.

use std::sync::{Arc, Condvar, Mutex, PoisonError};

use copool::Listener;
use copool::spec::Event;

/// Everything heard so far.
#[derive(Clone, Debug, Default)]
pub(crate) struct Log(pub(crate) Arc<Inner>);

/// What the clones of a log share.
#[derive(Debug, Default)]
pub(crate) struct Inner {
    pub(crate) events: Mutex<Vec<Event>>,
    /// Notified of each event.
    pub(crate) heard: Condvar,
}

impl Log {
    /// The events so far.
    pub(crate) fn events(&self) -> Vec<Event> {
        self.0.events.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

impl Listener for Log {
    fn on_event(&self, event: &Event) {
        self.0.events.lock().unwrap_or_else(PoisonError::into_inner).push(*event);
        self.0.heard.notify_all();
    }
}
