//! What can be learned from a pool that a script has driven: every event, and what the tasks saw.

use copool_spec::Event;
use copool_spec::script::{Pool, Seen};

/// A pool that keeps a log, be it the reference pool or the production pool, under whatever checker.
pub trait Logged: Pool {
    /// How the pool is called in a report.
    const NAME: &'static str;

    /// Every event so far, on whatever thread, in the order in which they were told.
    fn log(&self) -> Vec<Event>;

    /// What the tasks saw so far.
    fn seen(&self) -> Vec<Seen>;

    /// How many events were told so far, and how many things the tasks saw.
    fn observed(&self) -> (usize, usize) {
        (self.log().len(), self.seen().len())
    }
}

macro_rules! logged {
    ($($(#[$cfg:meta])? $pool:ty, $name:literal;)*) => {$(
        $(#[$cfg])?
        impl Logged for $pool {
            const NAME: &'static str = $name;

            fn log(&self) -> Vec<Event> {
                <$pool>::log(self)
            }

            fn seen(&self) -> Vec<Seen> {
                <$pool>::seen(self)
            }

            fn observed(&self) -> (usize, usize) {
                <$pool>::observed(self)
            }
        }
    )*};
}

logged! {
    copool::scripted::Scripted, "production";
    #[cfg(feature = "loom")] crate::under_loom::scripted::Scripted, "production under loom";
    crate::under_shuttle::scripted::Scripted, "production under shuttle";
}
