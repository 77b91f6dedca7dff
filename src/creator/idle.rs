//! The idle workers of a pool: reserved counts with their stacks, which any seat may take.
//!
//! The list is in the order in which they idled: the one that idled last is taken first, and the first leaves first.

use std::time::Instant;

use crate::pool::Shared;
use crate::sync::Ordering;
use crate::worker::Idle;

impl Shared {
    pub(crate) fn has_idle(&self) -> bool {
        // Ordering: Relaxed; the list's lock decides, and who sleeps on it has a fence before.
        self.idle_count.load(Ordering::Relaxed) > 0
    }

    pub(crate) fn put_idle(&self, idle: Idle) {
        let mut list = self.idle.lock();
        list.push_back(idle);
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
