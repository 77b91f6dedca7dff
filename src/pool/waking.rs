//! Who is woken when, and when a closed pool has stopped.
//!
//! Whoever brings something (a task, a released count, an outcome) makes it visible, executes the light fence, and then
//! looks whether anybody sleeps or watches; whoever is about to sleep announces it, executes the heavy fence, and looks
//! again. A wake-up for a task goes to one sleeper: if that one cannot take the task (its drive ends), it passes the
//! wake-up on ([`Shared::pass_on`]).
//!
//! **One searches at a time.** Until the seat that was woken for a task has found one, or has given up, nobody else is woken
//! for a task: with more seats than processors each push would otherwise wake one more, which finds nothing. Invariant: while
//! a task is queued that could run and a seat sleeps, somebody searches, or is between two steps of this:
//!
//! 1. Whoever has pushed and sees sleepers sets `SEARCHING`. If it was set already, the waking is left to who took it first.
//! 2. Who has set it wakes a sleeper. If it finds none, it clears the mark, and then wakes all that sleep by now, for those
//!    who have left their waking to it: nobody knows how many they are.
//! 3. The woken seat clears the mark as soon as it has polled a task, before it runs it, or is about to do something else
//!    (it resumes a task of its own; its drive ends), and then sees to what else is queued, from 1 on. One that finds nothing
//!    clears it before it announces that it sleeps again, so that its look again comes later. If that look finds something, it
//!    searches on, as more may have been left to it than it can take; unless another search has begun, which then answers.
//!
//! Setting and clearing are read-modify-writes of one word, and whoever clears looks afterwards. So a push whose wake-up was
//! left to somebody comes before the clearing, and is seen by the look after it; or it finds the mark cleared. This needs no
//! fence. A searching seat holds up the waking of others while the system does not let it run, or while it is in a listener; the
//! destructors of stale timers run after the search. `tests/loom_pool/search.rs` has the checks.

use copool_spec::Tell;

use super::{Post, Shared};
use crate::sync::{Ordering, heavy_fence, light_fence};
use crate::task::{self, Waiter};

impl Shared {
    /// Whether any shared source holds a task; seats' own deques come on top.
    pub(crate) fn shared_work(&self) -> bool {
        !self.injector.is_empty() || !self.lane.is_empty()
    }

    /// Whether any source of any seat holds something.
    pub(crate) fn any_work(&self) -> bool {
        self.shared_work() || self.registry.lock().posts.iter().any(|post| !post.stealer.is_empty())
    }

    /// After a push: wakes a sleeper, if there is one, unless one that was woken still searches (see the module's text).
    #[cold]
    pub(crate) fn wake_one(&self) {
        if self.signals.begin_search() && !self.wake_any(Post::call) {
            self.found_nobody();
        }
    }

    /// Nobody sleeps whom a search could be given to. Whoever left the waking to the caller meanwhile has seen sleepers, which
    /// were not asleep yet at the caller's look. Those that leave are let be, as they would pass it on for ever.
    #[cold]
    pub(crate) fn found_nobody(&self) {
        self.signals.end_search();
        for post in self.posts().iter().filter(|post| !post.is_leaving()) {
            post.wake();
        }
    }

    /// Wakes a sleeper in this way; `false` if there is none.
    pub(crate) fn wake_any(&self, wake: fn(&Post) -> bool) -> bool {
        let posts = self.posts();
        if posts.is_empty() {
            return false;
        }
        // Ordering: Relaxed; it only spreads the wake-ups.
        let from = self.next_wake.fetch_add(1, Ordering::Relaxed);
        for n in 0..posts.len() {
            let post = &posts[from.wrapping_add(n) % posts.len()];
            if !post.is_leaving() && wake(post) {
                return true;
            }
        }
        false
    }

    /// Has every sleeping seat look again.
    pub(crate) fn wake_all(&self) {
        light_fence();
        for post in self.posts() {
            post.wake();
        }
    }

    /// A seat that goes on serving has found the pool stalled: the drives that sleep elsewhere and end by that look again.
    ///
    /// It may be told again and again, as it wakes nobody who would tell it back.
    pub(crate) fn tell_stall(&self) {
        light_fence();
        for post in self.posts() {
            if post.asks_for_stall() {
                post.wake();
            }
        }
    }

    /// A worker's count was released, or a drive ends: what still waits may be for a sleeper now.
    pub(crate) fn pass_on(&self) {
        light_fence();
        let signals = self.signals.read();
        if signals.is_closed() {
            self.settle();
        }
        if signals.has_sleepers() && self.any_work() {
            self.wake_one();
        }
    }

    /// After an outcome was published and counted, or a task has entered `stop`: whoever waits for quiet looks.
    #[inline]
    pub(crate) fn completed(&self) {
        light_fence();
        let signals = self.signals.read();
        if signals.is_closed() || signals.has_watchers() {
            self.completed_watched();
        }
    }

    /// A closed pool is quiet when as many tasks are unfinished as are in `stop`. Whoever makes it so wakes the watchers:
    /// a task that ends (it counts itself as ended, then comes here) or one that enters `stop` (it counts itself there,
    /// then comes here). Invariant: of two that do so at once, one sees both counts.
    ///
    /// Neither has a heavy fence to pair with the other's light one. What orders them is the registry's lock, which
    /// `outstanding` takes after the caller's own count and before the look at `in_stop`: the second to take it sees what
    /// the first counted, and its own. So `outstanding` must go on taking the lock, and must be read first.
    ///
    /// Reading it first is also what makes the answer true. It is read high, and in a closed pool it only falls: if no
    /// more tasks were unfinished than are in `stop` later, then at that later instant all unfinished ones are.
    #[cold]
    fn completed_watched(&self) {
        let outstanding = self.outstanding();
        // Ordering: Acquire; see above.
        if outstanding > self.in_stop.load(Ordering::Acquire) {
            return;
        }
        self.wake_watchers();
        self.wake_all();
        if self.signals.read().is_closed() {
            self.settle();
        }
    }

    /// Whether only tasks in `stop` are without an outcome.
    pub(crate) fn is_quiet(&self) -> bool {
        let outstanding = self.outstanding();
        // Ordering: Acquire, and after `outstanding`, as in `completed_watched`.
        outstanding <= self.in_stop.load(Ordering::Acquire)
    }

    /// Registers somebody who waits for quiet, for one wake-up. The caller looks after this.
    pub(crate) fn watch(&self, waiter: Waiter) {
        self.watchers.lock().push(waiter);
        self.signals.add_watcher();
        // Whoever watches has closed the pool and fenced that, so that outcomes look here in any case; in a pool that is
        // not closed this fence would be what shows them the watcher.
        heavy_fence();
    }

    /// Takes back what `watch` did, woken or not.
    pub(crate) fn unwatch(&self, is_mine: impl Fn(&Waiter) -> bool) {
        let mut mine = Vec::new();
        {
            let mut watchers = self.watchers.lock();
            while let Some(at) = watchers.iter().position(&is_mine) {
                // The others keep their order: who waits longest is woken first.
                mine.push(watchers.remove(at));
            }
        }
        self.signals.remove_watcher();
    }

    fn wake_watchers(&self) {
        let watchers = std::mem::take(&mut *self.watchers.lock());
        watchers.into_iter().for_each(task::wake_one);
    }

    /// In a closed pool without unfinished tasks: lets the idle workers go, and moves to Stopped after the last.
    pub(crate) fn settle(&self) {
        if self.outstanding() > 0 {
            return;
        }
        while let Some(idle) = self.take_idle() {
            self.retire(idle);
        }
        if self.limits.shut() && self.signals.stopped() {
            self.pool_stopped(self.id);
            self.stacks.trim();
            self.helpers.close();
            self.wake_watchers();
            self.wake_all();
        }
    }
}
