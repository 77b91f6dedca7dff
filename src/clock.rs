//! Time: the monotonic clock, or a virtual one that the caller moves.
//!
//! Deadlines are [`Instant`]s on both. A [`VirtualClock`] starts at the moment of its creation and stands still until
//! [`advance`](VirtualClock::advance)d, so that a pool with one seat on it is fully deterministic. Tested in
//! `tests/clock.rs`.

use std::time::{Duration, Instant};

use copool_spec::Tick;

use crate::pool::Shared;
use crate::sync::{Arc, AtomicU64, Mutex, Ordering, Weak, now};

/// Where a pool gets its time from: by default the monotonic clock of the system.
#[derive(Clone, Debug, Default)]
pub struct Clock(Source);

#[derive(Clone, Debug, Default)]
enum Source {
    #[default]
    Monotonic,
    Virtual(VirtualClock),
}

impl Clock {
    /// The system's monotonic clock.
    #[must_use]
    pub fn monotonic() -> Self {
        Self::default()
    }

    /// The present moment of this clock.
    #[must_use]
    pub fn now(&self) -> Instant {
        match &self.0 {
            Source::Monotonic => now(),
            Source::Virtual(clock) => clock.now(),
        }
    }

    pub(crate) fn is_virtual(&self) -> bool {
        matches!(self.0, Source::Virtual(_))
    }

    /// Jumps to `at`, if this is a virtual clock that jumps by itself.
    pub(crate) fn jump_to(&self, at: Instant) -> bool {
        match &self.0 {
            Source::Virtual(clock) if clock.0.auto => {
                clock.advance(at.saturating_duration_since(clock.now()));
                true
            }
            _ => false,
        }
    }

    pub(crate) fn is_auto(&self) -> bool {
        matches!(&self.0, Source::Virtual(clock) if clock.0.auto)
    }

    /// Has the pool's sleeping seats woken when the clock is advanced.
    pub(crate) fn subscribe(&self, shared: &Arc<Shared>) {
        if let Source::Virtual(clock) = &self.0 {
            let mut pools = clock.0.pools.lock();
            pools.retain(|pool| pool.strong_count() > 0);
            pools.push(Arc::downgrade(shared));
        }
    }
}

impl From<VirtualClock> for Clock {
    fn from(clock: VirtualClock) -> Self {
        Self(Source::Virtual(clock))
    }
}

/// A clock that moves only when told to.
///
/// On it no drive of a single-seat pool blocks: a drive that has only timers to wait for says until when
/// ([`DriveEnd::Waiting`](crate::DriveEnd)). Clones are the same clock.
///
/// ```
/// use std::time::Duration;
/// use copool::{CoroutinePool, DriveEnd, VirtualClock};
///
/// let clock = VirtualClock::new();
/// let mut pool = CoroutinePool::builder().clock(clock.clone()).build().unwrap();
/// let task = pool.spawn(|| copool::delay(Duration::from_secs(3600))).unwrap();
/// let hour = clock.now() + Duration::from_secs(3600);
/// assert_eq!(pool.drain(None).unwrap(), DriveEnd::Waiting { until: Some(hour) });
/// clock.advance(Duration::from_secs(3600));
/// assert_eq!(pool.drain(None).unwrap(), DriveEnd::AllDone);
/// assert!(task.is_finished());
/// ```
#[derive(Clone, Debug)]
pub struct VirtualClock(Arc<Virtual>);

struct Virtual {
    base: Instant,
    nanos: AtomicU64,
    auto: bool,
    pools: Mutex<Vec<Weak<Shared>>>,
}

impl std::fmt::Debug for Virtual {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Virtual").field("nanos", &self.nanos).field("auto", &self.auto).finish_non_exhaustive()
    }
}

impl VirtualClock {
    /// A clock that stands still until it is advanced.
    #[must_use]
    pub fn new() -> Self {
        Self::with(false)
    }

    /// A clock that jumps to the next timer or deadline by itself, wherever a drive would block for it.
    ///
    /// ```
    /// # use std::time::Duration;
    /// # use copool::{CoroutinePool, DriveEnd, VirtualClock};
    /// let clock = VirtualClock::auto();
    /// let start = clock.now();
    /// let mut pool = CoroutinePool::builder().clock(clock.clone()).build().unwrap();
    /// pool.spawn(|| copool::delay(Duration::from_secs(3600))).unwrap();
    /// assert_eq!(pool.drain(None).unwrap(), DriveEnd::AllDone);
    /// assert_eq!(clock.now() - start, Duration::from_secs(3600));
    /// ```
    #[must_use]
    pub fn auto() -> Self {
        Self::with(true)
    }

    fn with(auto: bool) -> Self {
        let (nanos, pools) = (AtomicU64::new(0), Mutex::new(Vec::new()));
        Self(Arc::new(Virtual { base: now(), nanos, auto, pools }))
    }

    /// The present moment of this clock.
    #[must_use]
    pub fn now(&self) -> Instant {
        // Ordering: Acquire pairs with the Release in `advance`: who sees the new time sees what came before it.
        let offset = Duration::from_nanos(self.0.nanos.load(Ordering::Acquire));
        self.0.base.checked_add(offset).unwrap_or(self.0.base)
    }

    /// Moves the clock forward. What is due fires when its seat is next driven, or at once if it is blocked in a drive.
    ///
    /// The clock ends about 290 years after its creation; advancing it further leaves it there.
    pub fn advance(&self, by: Duration) {
        const END: u64 = i64::MAX as u64;
        let by = u64::try_from(by.as_nanos()).unwrap_or(END);
        // Ordering: Relaxed, the compare-exchange decides.
        let mut nanos = self.0.nanos.load(Ordering::Relaxed);
        loop {
            let next = nanos.saturating_add(by).min(END);
            // Ordering: Release, see `now`; being a read-modify-write, it keeps what others published before.
            match self.0.nanos.compare_exchange_weak(nanos, next, Ordering::Release, Ordering::Relaxed) {
                Ok(_) => break,
                Err(now) => nanos = now,
            }
        }
        let pools: Vec<_> = self.0.pools.lock().iter().filter_map(Weak::upgrade).collect();
        for pool in pools {
            pool.wake_all();
        }
    }
}

impl Default for VirtualClock {
    fn default() -> Self {
        Self::new()
    }
}

/// `at` as a reading of a clock that started at `start`.
pub(crate) fn tick(start: Instant, at: Instant) -> Tick {
    Tick(u64::try_from(at.saturating_duration_since(start).as_nanos()).unwrap_or(u64::MAX))
}
