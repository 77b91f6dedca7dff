//! What can be learned from a pool that a script has driven: every event, and what the tasks saw.

use copool_spec::Event;
use copool_spec::script::{Pool, Seen};

/// A pool that keeps a log, be it the reference pool or the production pool, under whatever checker.
pub trait Logged: Pool {
    /// Every event so far, on whatever thread, in the order in which they were told.
    fn log(&self) -> Vec<Event>;

    /// What the tasks saw so far.
    fn seen(&self) -> Vec<Seen>;
}

macro_rules! logged {
    ($($pool:ty),*) => {$(
        impl Logged for $pool {
            fn log(&self) -> Vec<Event> {
                <$pool>::log(self)
            }

            fn seen(&self) -> Vec<Seen> {
                <$pool>::seen(self)
            }
        }
    )*};
}

logged!(copool::scripted::Scripted, crate::under_loom::scripted::Scripted, crate::under_shuttle::scripted::Scripted);
