//! A seat's own steps for the checks, each reachable alone: it polls, announces that it sleeps, sleeps, gets a worker.
//!
//! Nothing is decided here, as in [`pool`](super::pool).

use super::pool::Polled;
use crate::creator::Obtained;
use crate::pool::{CoroutinePool, Post};
use crate::schedule::Goal;
use crate::sync::Arc;
use crate::task::{Task, TaskRef};

/// Takes a task as a worker of this seat does.
pub fn poll(seat: &CoroutinePool) -> Option<Polled> {
    let seat = seat.seat();
    let task = seat.queue.poll(&seat.post)?;
    seat.found();
    Some(Polled(task))
}

/// A stack of a pool's.
#[derive(Debug)]
pub struct Stack(pub(super) crate::stack::Stack);

/// Looks for the larger stack that a polled task needs as its worker does, but has none to give for it, so that the limit refuses
/// one. `None` if there is none: then the seat has the task in hand.
pub fn enlarge(seat: &CoroutinePool, polled: Polled) -> Option<Polled> {
    let (seat, size) = (seat.seat(), polled.0.core().least_stack());
    let idles = || seat.shared().idle.lock().iter().any(|idle| idle.stack.size() >= size);
    let has_one = |()| match seat.take_stack(size) {
        Some(stack) => {
            seat.give_stack(stack);
            Ok(())
        }
        None if idles() => Ok(()),
        None => Err(()),
    };
    if seat.insist(size, (), has_one).is_ok() {
        return Some(polled);
    }
    seat.hold(polled.0);
    None
}

/// Puts the tasks in the seat's hand back.
pub fn put_back(seat: &CoroutinePool) {
    seat.seat().requeue_held();
}

/// Has the seat search, as if it had been called, unless somebody searches.
pub fn begin_search(seat: &CoroutinePool) {
    let seat = seat.seat();
    seat.searching.set(seat.shared().signals.begin_search());
}

/// Announces that the seat sleeps, looks again, and sleeps if there is nothing.
pub fn doze(seat: &CoroutinePool) {
    seat.seat().block(Goal::Stopped { patient: false });
}

/// Only announces it.
pub fn announce(seat: &CoroutinePool) {
    seat.seat().post.announce();
}

/// Takes the announcement back, if nobody else has. Whether the seat was called to search.
pub fn rise(seat: &CoroutinePool) -> bool {
    seat.seat().post.rise()
}

/// A seat as those see it who wake it.
#[derive(Clone)]
pub struct Sleeper(Arc<Post>);

impl Sleeper {
    /// This seat.
    pub fn of(seat: &CoroutinePool) -> Self {
        Self(Arc::clone(&seat.seat().post))
    }

    /// Takes its announcement back, if there is one.
    pub fn wake(&self) -> bool {
        self.0.wake()
    }

    /// Sends it a note about this task.
    pub fn send(&self, polled: &Polled) {
        self.0.send(Task::clone(&polled.0));
    }

    /// Takes its announcement back, to have it search.
    pub fn call(&self) -> bool {
        self.0.call()
    }
}

/// The same for a seat that waits until every task has its outcome.
pub fn doze_until_quiet(seat: &CoroutinePool) {
    seat.seat().block(Goal::Drained);
}

/// The same for a seat that waits for the outcome of this task.
pub fn doze_until(seat: &CoroutinePool, task: &TaskRef) {
    seat.seat().block(Goal::Ended(task.task()));
}

/// Has this seat get a worker if a task waits for one; `true` if it did.
pub fn obtain(seat: &CoroutinePool) -> bool {
    seat.seat().obtain() == Obtained::Got
}

/// Lets the workers go whose keep-alive is over.
pub fn expire(seat: &CoroutinePool) {
    let _next = seat.seat().expire_idle();
}

/// Takes no task any more, and waits for a note, as a seat that leaves does for that of a system call in flight.
pub fn leave_and_await(seat: &CoroutinePool) {
    let seat = seat.seat();
    seat.post.set_leaving();
    while !seat.post.has_mail() {
        seat.await_note();
    }
    drop(seat.post.take_mail());
}
