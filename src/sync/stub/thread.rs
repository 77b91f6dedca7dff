//! The checker's threads behind the facade's interface.

use std::fmt;
use std::io;
use std::time::Duration;

use super::{checker, time};
pub(crate) use checker::thread::yield_now;

/// The stack of a checker's thread, in the checker's unit: shuttle counts bytes, loom words. 256 KiB leave room for the
/// backtrace of a failure.
const STACK: usize = if cfg!(feature = "loom") { 0x4_0000 / size_of::<usize>() } else { 0x4_0000 };

/// A thread that can be joined.
pub(crate) struct Thread(checker::thread::JoinHandle<()>);

impl Thread {
    /// Waits for the thread's end. A panic in it fails the run anyway.
    pub(crate) fn join(self) {
        drop(self.0.join());
    }

    /// Whether this is the calling thread.
    pub(crate) fn is_current(&self) -> bool {
        self.0.thread().id() == checker::thread::current().id()
    }
}

impl fmt::Debug for Thread {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Thread").field(&self.0.thread().id()).finish()
    }
}

/// Starts a thread. The checker never refuses: loom fails the run at its fifth thread.
pub(crate) fn spawn(name: String, f: impl FnOnce() + Send + 'static) -> io::Result<Thread> {
    checker::thread::Builder::new().name(name).stack_size(STACK).spawn(f).map(Thread)
}

/// Lets the others run, and the time pass.
pub(crate) fn sleep(time: Duration) {
    time::pass(time);
    yield_now();
}
