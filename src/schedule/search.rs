//! A seat's part in the search for tasks, whose protocol `pool/waking.rs` states: only the seat that was called searches,
//! or one that found something just as it gave up, and whoever ends a search has another seat look for what else was left to
//! it.
//!
//! Tested by `tests/loom_pool/search.rs`.

use super::Seat;

impl Seat {
    /// Begins or goes on with the search that this seat has the mark for. News come first: then it has found something.
    pub(super) fn search_if(&self, marked: bool) {
        self.searching.set(marked);
        if self.has_news() {
            self.found();
        }
    }

    /// A seat that was called has found something to do: who else sleeps is for what else is queued.
    pub(crate) fn found(&self) {
        if self.stop_searching() {
            self.shared().pass_on();
        }
    }

    /// Ends the search that the seat was called for, if it was: `true`. It looks for tasks, or has another seat look, after this.
    pub(crate) fn stop_searching(&self) -> bool {
        let searched = self.searching.take();
        if searched {
            self.shared().signals.end_search();
        }
        searched
    }
}
