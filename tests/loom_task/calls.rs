//! The hand-over of system calls to helper threads: a call against a helper that goes idle or leaves, that has just told of its
//! last call, against the close of a stop and the join of the owner's drop.
//!
//! The tasks are ones that run on the main thread without a coroutine, the calls write a trace that the task reads when
//! its note has come.
//!
//! Left out: under loom a timed wait always times out, so a helper that idles leaves as soon as it is let; a notification
//! that is lost is not found. A helper that cannot be started is not either: loom starts every thread.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use copool_model::loom::{Bounds, check, thread};
use copool_model::under_loom::checked::task::{Bare, Began, Calls, Running, Ticket, Trace};

/// A task in a call: the call counts, and writes the trace.
struct Caller {
    bare: Bare,
    task: Running,
    ticket: Ticket,
    made: Arc<(AtomicUsize, Trace)>,
}

impl Caller {
    fn new() -> Self {
        let bare = Bare::new();
        let (queued, _) = bare.task(|| ());
        let task = queued.start().expect("nobody has ended it");
        let Began::Waits(ticket) = task.call() else { panic!("nobody has woken it") };
        Self { bare, task, ticket, made: Arc::new((AtomicUsize::new(0), Trace::new())) }
    }

    fn submit(&self, calls: &Calls) -> bool {
        let made = Arc::clone(&self.made);
        calls.submit(&self.task, self.ticket, move || {
            made.1.write();
            // Ordering: Relaxed; the trace checks the order.
            made.0.fetch_add(1, Ordering::Relaxed);
        })
    }

    /// The call was made once, and its end has told the task once. All helpers are gone.
    fn assert_made(self) {
        assert_eq!((self.task.notes(), self.task.waits(self.ticket)), (1, false));
        self.made.1.read();
        // Ordering: Relaxed, as above.
        assert_eq!(self.made.0.load(Ordering::Relaxed), 1);
        self.task.finish();
        assert_eq!(self.bare.counters().ended, 1);
    }
}

#[test]
fn a_call_is_made_once_whatever_becomes_of_its_helper() {
    check("a call, then the drop", Bounds::complete(), || {
        let calls = Calls::new(1);
        let caller = Caller::new();
        assert!(caller.submit(&calls));
        calls.join();
        assert_eq!(calls.threads(), 0);
        caller.assert_made();
    });
}

#[test]
fn a_second_call_finds_the_helper_or_starts_another() {
    check("two calls, one helper at a time", Bounds::preemptions(), || {
        let calls = Calls::new(1);
        let callers = [(); 2].map(|()| Caller::new());
        assert!(callers.iter().all(|caller| caller.submit(&calls)));
        calls.join();
        assert_eq!(calls.threads(), 0);
        callers.into_iter().for_each(Caller::assert_made);
    });
}

#[test]
fn two_calls_with_two_helpers_are_each_made_once() {
    check("two calls, two helpers", Bounds::preemptions(), || {
        let calls = Calls::new(2);
        let callers = [(); 2].map(|()| Caller::new());
        assert!(callers.iter().all(|caller| caller.submit(&calls)));
        calls.join();
        assert_eq!(calls.threads(), 0);
        callers.into_iter().for_each(Caller::assert_made);
    });
}

#[test]
fn a_call_that_follows_another_relies_on_its_helper() {
    let followed = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&followed);
    check("a call, then another", Bounds::preemptions(), move || {
        let calls = Calls::new(2);
        let [first, second] = [(); 2].map(|()| Caller::new());
        assert!(first.submit(&calls));
        let follows = !first.task.waits(first.ticket);
        assert!(second.submit(&calls));
        if follows {
            // Ordering: Relaxed; loom's threads are one.
            count.fetch_add(1, Ordering::Relaxed);
            assert!(calls.threads() <= 1, "whose helper was told of before it was free");
        }
        calls.join();
        [first, second].into_iter().for_each(Caller::assert_made);
    });
    assert!(followed.load(Ordering::Relaxed) > 0);
}

/// A call against what another thread does; at the end everything was joined.
fn call_against(name: &'static str, bounds: Bounds, other: impl Fn(&Calls) + Send + Sync + Copy + 'static) {
    check(name, bounds, move || {
        let calls = Arc::new(Calls::new(1));
        let caller = Caller::new();
        let closer = thread::spawn({
            let calls = Arc::clone(&calls);
            move || other(&calls)
        });
        let handed_over = caller.submit(&calls);
        closer.join().unwrap();
        assert!(handed_over || calls.threads() == 0, "it runs in place only after the close");
        calls.join();
        caller.assert_made();
    });
}

#[test]
fn a_call_is_made_whether_it_comes_before_the_close_or_after() {
    call_against("a call, close", Bounds::preemptions(), Calls::close);
}

#[test]
fn after_the_owners_join_no_helper_is_left() {
    call_against("a call, join", Bounds::preemptions(), |calls| {
        calls.join();
        assert_eq!(calls.threads(), 0, "a helper that was being started is left");
    });
}
