//! What every test of the pool starts with: a bound on its time, so that a hang is a failure with a name.

use std::panic::resume_unwind;
use std::sync::mpsc::{RecvTimeoutError, channel};
use std::thread;
use std::time::Duration;

/// So long a test may take before it counts as hung. Generous: it must hold on a loaded machine too.
const PATIENCE: Duration = Duration::from_secs(60);

/// Runs `body` on a thread of its own and hands its result on, panics too. Fails with `what` if it does not end.
pub(crate) fn within<R: Send + 'static>(what: impl Into<String>, body: impl FnOnce() -> R + Send + 'static) -> R {
    let what = what.into();
    let (done, over) = channel();
    let thread = thread::Builder::new()
        .name(what.clone())
        .spawn(move || {
            let result = body();
            // The receiver is gone only if the test has failed already.
            let _ = done.send(());
            result
        })
        .expect("a test can start a thread");
    if over.recv_timeout(PATIENCE) == Err(RecvTimeoutError::Timeout) {
        panic!("{what}: not done after {PATIENCE:?}, so it hangs");
    }
    thread.join().unwrap_or_else(|payload| {
        eprintln!("{what}: failed");
        resume_unwind(payload)
    })
}
