//! A listener for threads that really run in parallel: each keeps what it tells in a buffer of its own, with stamps.
//!
//! **It synchronises nothing.** A stamp is a reading of the monotonic clock, which is one for all processors; a buffer is
//! thread-local, and is handed over when its thread ends. What a lock or a shared counter would put in order stays as it is.
//!
//! **What the stamps say.** An event is told next to the step that it is about, after the events before it on its thread. So
//! its step lies between the stamp of the event before, or of the operation that has begun since ([`Stamps::begin`]), and
//! its own; [`order`](copool_spec::monitor::order) looks for an order within these bounds. A thread that the pool starts has
//! no bound before its first event.

use std::cell::RefCell;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

use copool::Listener;
use copool::spec::Event;
use copool_spec::monitor::{Stamped, ThreadLog};

/// The listener. Clones are the same one.
#[derive(Clone, Debug)]
pub struct Stamps(Arc<Sink>);

#[derive(Debug)]
struct Sink {
    start: Instant,
    /// The logs of threads that have ended.
    logs: Mutex<Vec<ThreadLog>>,
}

/// The buffer of one thread. Its end hands the log over.
struct Buffer {
    sink: Arc<Sink>,
    log: ThreadLog,
}

thread_local! {
    static BUFFER: RefCell<Option<Buffer>> = const { RefCell::new(None) };
}

impl Stamps {
    /// A listener for one pool, from now on.
    #[must_use]
    pub fn new() -> Self {
        Self(Arc::new(Sink { start: Instant::now(), logs: Mutex::default() }))
    }

    /// What this thread tells from now on did not happen before.
    pub fn begin(&self) {
        self.buffer(ThreadLog::begin);
    }

    /// The events of each thread. All threads but the calling one have ended.
    #[must_use]
    pub fn collect(&self) -> Vec<Vec<Stamped>> {
        BUFFER.set(None);
        let logs = std::mem::take(&mut *self.0.logs.lock().unwrap_or_else(PoisonError::into_inner));
        logs.into_iter().map(|log| log.entries().to_vec()).filter(|log| !log.is_empty()).collect()
    }

    /// Hands this thread's buffer and a stamp to `f`.
    fn buffer(&self, f: impl FnOnce(&mut ThreadLog, u64)) {
        let stamp = u64::try_from(self.0.start.elapsed().as_nanos()).unwrap_or(u64::MAX);
        // A thread that is past its thread-locals drives no seat and helps no task.
        let _ = BUFFER.try_with(|buffer| {
            let mut buffer = buffer.borrow_mut();
            if buffer.as_ref().is_none_or(|buffer| !Arc::ptr_eq(&buffer.sink, &self.0)) {
                *buffer = Some(Buffer { sink: Arc::clone(&self.0), log: ThreadLog::default() });
            }
            if let Some(buffer) = &mut *buffer {
                f(&mut buffer.log, stamp);
            }
        });
    }
}

impl Default for Stamps {
    fn default() -> Self {
        Self::new()
    }
}

impl Listener for Stamps {
    fn on_event(&self, event: &Event) {
        self.buffer(|log, stamp| log.tell(stamp, *event));
    }
}

impl Drop for Buffer {
    fn drop(&mut self) {
        let log = std::mem::take(&mut self.log);
        self.sink.logs.lock().unwrap_or_else(PoisonError::into_inner).push(log);
    }
}
