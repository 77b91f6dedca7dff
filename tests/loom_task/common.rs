//! What the models share.

use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll, Wake, Waker};

use copool_model::under_loom::checked::Gate;
use copool_model::under_loom::checked::task::Trace;

/// Something that a task owns, and drops once: loom checks that the drop is ordered with whoever looks after it.
pub(crate) struct Owned {
    drops: Drops,
}

/// How often an [`Owned`] was dropped.
#[derive(Clone)]
pub(crate) struct Drops(Arc<(AtomicUsize, Trace)>);

impl Drops {
    pub(crate) fn new() -> (Owned, Self) {
        let drops = Self(Arc::new((AtomicUsize::new(0), Trace::new())));
        (Owned { drops: drops.clone() }, drops)
    }

    /// How often, for one who knows that it comes after the drop, or that there was none.
    pub(crate) fn count(&self) -> usize {
        self.0.1.read();
        // Ordering: Relaxed; loom runs one thread at a time, and the trace checks the order.
        self.0.0.load(Ordering::Relaxed)
    }
}

impl Owned {
    /// Uses it.
    pub(crate) fn touch(&self) {
        self.drops.0.1.write();
    }
}

impl Drop for Owned {
    fn drop(&mut self) {
        self.touch();
        // Ordering: Relaxed, as in `count`.
        self.drops.0.0.fetch_add(1, Ordering::Relaxed);
    }
}

/// A waker that a thread waits for.
struct Opens(Gate);

impl Wake for Opens {
    fn wake(self: Arc<Self>) {
        self.0.open(1);
    }
}

/// Polls a future once and drops it.
pub(crate) fn poll_once<F: Future + Unpin>(mut future: F) -> Option<F::Output> {
    let waker = Waker::from(Arc::new(Opens(Gate::new())));
    match Pin::new(&mut future).poll(&mut Context::from_waker(&waker)) {
        Poll::Ready(output) => Some(output),
        Poll::Pending => None,
    }
}

/// Runs a future on this thread. It polls once with a waker that does not count any more when it polls the second time.
pub(crate) fn block_on<F: Future + Unpin>(mut future: F) -> F::Output {
    let stale = Waker::from(Arc::new(Opens(Gate::new())));
    if let Poll::Ready(output) = Pin::new(&mut future).poll(&mut Context::from_waker(&stale)) {
        return output;
    }
    let opens = Arc::new(Opens(Gate::new()));
    let waker = Waker::from(Arc::clone(&opens));
    if let Poll::Ready(output) = Pin::new(&mut future).poll(&mut Context::from_waker(&waker)) {
        return output;
    }
    opens.0.wait();
    match Pin::new(&mut future).poll(&mut Context::from_waker(&waker)) {
        Poll::Ready(output) => output,
        Poll::Pending => panic!("it was woken for its outcome"),
    }
}
