//! Idle workers and how they leave (arrows 21 to 25).
//!
//! What idles is a reserved count and a stack, in a list of the pool from which any seat may take it: the one that idled
//! last is taken first, and the first leaves first.

use std::time::{Duration, Instant};

use copool_spec::{Tell, WorkerId, WorkerState};

use crate::pool::Shared;
use crate::schedule::Seat;
use crate::stack::Stack;
use crate::sync::Ordering;
use crate::worker::Idle;

impl Seat {
    /// A worker without a task: it leaves if its time is over and it is surplus, and idles otherwise.
    pub(super) fn idle(&self, id: WorkerId, stack: Stack, keep_alive: Duration) {
        let shared = self.shared();
        let leaves = if shared.signals.read().is_lowered() && shared.limits.release_above_max() {
            self.say_left(id, WorkerState::Running);
            true
        } else {
            // What is near may be tombstones only.
            let task_waits = || self.queue.is_near(shared) && shared.size() > 0;
            let over = keep_alive.is_zero() && (self.is_retiring() || !task_waits());
            over && self.leave_surplus(id, WorkerState::Running)
        };
        if leaves {
            self.give_stack(stack);
            shared.released();
            return;
        }
        shared.worker_returned(self.post.id, id);
        shared.state_changed(id, WorkerState::Running, WorkerState::Idle);
        let since = if keep_alive.is_zero() { shared.start } else { shared.clock.now() };
        shared.put_idle(Idle { id, stack, since, by: (self.post.id.0, self.drives.get()) });
        shared.released();
    }

    /// Arrows 21 to 24: whether the worker's count was surplus, and is released now.
    fn leave_surplus(&self, id: WorkerId, state: WorkerState) -> bool {
        let surplus = self.shared().limits.release_surplus();
        if surplus {
            self.say_left(id, state);
        } else {
            self.time_over(self.post.id, id);
            self.surplus_asked(self.post.id, id);
        }
        surplus
    }

    pub(super) fn say_left(&self, id: WorkerId, state: WorkerState) {
        let place = self.post.id;
        self.time_over(place, id);
        self.surplus_asked(place, id);
        self.surplus_granted(place, id);
        self.worker_exited(place, id);
        self.state_changed(id, state, WorkerState::Exited);
    }

    /// The time of the call is over, and with it that of the workers which it idled.
    pub(crate) fn dismiss_idle(&self) {
        let shared = self.shared();
        let mine = (self.post.id.0, self.drives.get());
        while let Some(idle) = shared.take_idle_of(mine) {
            if self.leave_surplus(idle.id, WorkerState::Idle) {
                self.give_stack(idle.stack);
                shared.released();
            } else {
                self.worker_returned(self.post.id, idle.id);
                shared.put_idle(Idle { by: (u32::MAX, 0), ..idle });
            }
        }
    }

    /// Lets the workers go whose keep-alive is over, and says when the next one's is.
    pub(crate) fn expire_idle(&self) -> Option<Instant> {
        let shared = self.shared();
        if !shared.has_idle() {
            return None;
        }
        let now = shared.clock.now();
        loop {
            match shared.take_expired(now) {
                Ok(idle) if self.leave_surplus(idle.id, WorkerState::Idle) => {
                    self.give_stack(idle.stack);
                    shared.released();
                }
                Ok(idle) => {
                    self.worker_returned(self.post.id, idle.id);
                    shared.put_idle(idle);
                    return None;
                }
                Err(until) => return until,
            }
        }
    }
}

impl Shared {
    pub(crate) fn has_idle(&self) -> bool {
        // Ordering: Relaxed; the list's lock decides, and who sleeps on it has a fence before.
        self.idle_count.load(Ordering::Relaxed) > 0
    }

    /// Puts a worker on the list. A task in hand may have its stack.
    pub(crate) fn put_idle(&self, idle: Idle) {
        let size = idle.stack.size();
        self.list_idle(idle);
        self.offer(size);
    }

    /// Exchanges a stack for that of an idle worker which has one of this size, or a larger one.
    pub(crate) fn swap_idle(&self, old: Stack, size: usize) -> Result<Stack, Stack> {
        let mut list = self.idle.lock();
        match list.iter_mut().find(|idle| idle.stack.size() >= size) {
            Some(idle) => Ok(std::mem::replace(&mut idle.stack, old)),
            None => Err(old),
        }
    }

    fn list_idle(&self, idle: Idle) {
        let mut list = self.idle.lock();
        // In the order in which they idle out, whoever put them back.
        let at = list.partition_point(|other| other.since <= idle.since);
        list.insert(at, idle);
        // Ordering: Relaxed; the lock is held.
        self.idle_count.store(list.len(), Ordering::Relaxed);
    }

    /// When the next idle worker's keep-alive is over.
    pub(crate) fn next_expiry(&self) -> Option<Instant> {
        let limits = self.limits.load();
        if !self.has_idle() || limits.running <= limits.min {
            return None;
        }
        self.idle.lock().front().and_then(|idle| idle.since.checked_add(self.keep_alive()))
    }

    /// A worker that this drive of this seat idled.
    pub(crate) fn take_idle_of(&self, drive: (u32, u64)) -> Option<Idle> {
        if !self.has_idle() {
            return None;
        }
        let mut list = self.idle.lock();
        let at = list.iter().position(|idle| idle.by == drive)?;
        let idle = list.remove(at);
        // Ordering: Relaxed; the lock is held.
        self.idle_count.store(list.len(), Ordering::Relaxed);
        idle
    }

    /// Whether a worker idles that this drive of this seat idled.
    pub(crate) fn has_idle_of(&self, drive: (u32, u64)) -> bool {
        self.has_idle() && self.idle.lock().iter().any(|idle| idle.by == drive)
    }

    /// The worker that idled last.
    pub(crate) fn take_idle(&self) -> Option<Idle> {
        if !self.has_idle() {
            return None;
        }
        let mut list = self.idle.lock();
        let idle = list.pop_back();
        // Ordering: Relaxed; the lock is held.
        self.idle_count.store(list.len(), Ordering::Relaxed);
        idle
    }

    /// Takes a worker out whose keep-alive is over at `now`, or else says when the next one's is.
    pub(crate) fn take_expired(&self, now: Instant) -> Result<Idle, Option<Instant>> {
        let keep_alive = self.keep_alive();
        let limits = self.limits.load();
        if limits.running <= limits.min {
            return Err(None);
        }
        let mut list = self.idle.lock();
        // They idle in the order of the list, so the first is the oldest.
        let until = list.front().and_then(|idle| idle.since.checked_add(keep_alive));
        if until.is_none_or(|until| until > now) {
            return Err(until);
        }
        let idle = list.pop_front();
        // Ordering: Relaxed; the lock is held.
        self.idle_count.store(list.len(), Ordering::Relaxed);
        idle.ok_or(None)
    }
}
