//! What the rules depend on besides the state.

/// The constants of a pool: tiny under a checker.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Params {
    /// Whether every event is known to have happened at one instant, in the order given: so it is in an exploration, and
    /// in the log of one thread that nobody else disturbs. Where several threads take part, a pool looks at one queue
    /// after the other while they change, and rules about *all* queues at one instant (`exact` in their text) are not
    /// asked of it.
    pub exact: bool,
    /// Whether a seat takes the youngest task of its own deque first.
    pub lifo: bool,
    /// How many tasks a worker ends before it goes to the back of its seat's ready workers.
    pub polls_per_turn: u32,
    /// Each so-manieth poll of a seat looks at the injector first; 0 is never.
    pub injector_every: u32,
    /// Each so-manieth poll of a seat takes the oldest of one source, the sources in turn; 0 is never.
    pub age_every: u32,
    /// How many polls a seat counts before it begins again from 0: a multiple of `injector_every` and of 4 `age_every`.
    pub wrap: u32,
}

/// Those of the production pool.
impl Default for Params {
    fn default() -> Params {
        Params { exact: true, lifo: false, polls_per_turn: 32, injector_every: 61, age_every: 257, wrap: 61 * 257 * 4 }
    }
}
