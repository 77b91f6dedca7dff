//! What a script's pool tells: each event in the order in which it was told, with the thread that told it.
//!
//! A pool tells an event next to the step that it is about, not in it. So with several threads the order of telling is
//! not yet the order of the steps: an event happened at some instant between the thread's entry before it and its own.
//! [`Log::stamped`] gives the entries to the spec's monitor like that, with their places in the log for stamps. With one
//! thread the two orders are the same.

use std::cell::Cell;

use copool_spec::Event;
use copool_spec::monitor::{Stamped, ThreadLog};

use super::Lock;
use crate::Listener;
use crate::sync::{Arc, local, serial};

local! { static THREAD: Cell<u64> = Cell::new(u64::MAX) }

/// A number for the calling thread. It says which entries are of one thread, and nothing else.
fn thread() -> u64 {
    let number = || {
        THREAD.try_with(|thread| {
            if thread.get() == u64::MAX {
                thread.set(serial());
            }
            thread.get()
        })
    };
    number().unwrap_or(u64::MAX)
}

/// The events of a pool. Clones are the same log.
#[derive(Clone, Debug, Default)]
pub struct Log(Arc<Lock<Kept>>);

#[derive(Debug, Default)]
struct Kept {
    entries: Vec<Entry>,
    /// How many of them have an event.
    events: usize,
}

#[derive(Clone, Copy, Debug)]
struct Entry {
    thread: u64,
    /// None where an operation of the script begins.
    event: Option<Event>,
}

impl Log {
    fn push(&self, event: Option<Event>) {
        let entry = Entry { thread: thread(), event };
        let mut kept = self.0.lock();
        kept.events += usize::from(event.is_some());
        kept.entries.push(entry);
    }

    /// What this thread tells from now on did not happen before.
    pub(super) fn begin(&self) {
        self.push(None);
    }

    /// The events in the order in which they were told.
    #[must_use]
    pub fn events(&self) -> Vec<Event> {
        self.0.lock().entries.iter().filter_map(|entry| entry.event).collect()
    }

    /// How many events there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.0.lock().events
    }

    /// Whether nothing was told yet.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The events of each thread.
    #[must_use]
    pub fn stamped(&self) -> Vec<Vec<Stamped>> {
        let mut threads: Vec<(u64, ThreadLog)> = Vec::new();
        for (stamp, entry) in (1..).zip(self.0.lock().entries.iter()) {
            let at = threads.iter().position(|(thread, _)| *thread == entry.thread).unwrap_or_else(|| {
                threads.push((entry.thread, ThreadLog::default()));
                threads.len() - 1
            });
            match entry.event {
                Some(event) => threads[at].1.tell(stamp, event),
                None => threads[at].1.begin(stamp),
            }
        }
        threads.into_iter().map(|(_, log)| log.entries().to_vec()).filter(|log| !log.is_empty()).collect()
    }
}

/// The listener that keeps the log.
#[derive(Clone, Default)]
pub(super) struct Told {
    pub(super) log: Log,
    /// The pool has a share in it for as long as it is in memory.
    pub(super) pool: Arc<()>,
}

impl Listener for Told {
    fn on_event(&self, event: &Event) {
        self.log.push(Some(*event));
    }
}
