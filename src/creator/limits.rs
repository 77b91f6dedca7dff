//! The limits word: how many workers may live, and how many do.
//!
//! `min`, `max` and `running` share one word, so that "one more, if below max" (arrows 4, 11, 17) and "one less, if
//! above min" (arrows 22 and 23) are one compare-and-swap each, and no reader ever sees `min > max` (S1, S4).

use crate::sync::{AtomicU64, Ordering};

const BITS: u32 = 21;
const MASK: u64 = (1 << BITS) - 1;

/// The largest `max_size`.
pub(crate) const MOST: u32 = MASK as u32;

/// The three numbers at one instant.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Numbers {
    pub(crate) min: u32,
    pub(crate) max: u32,
    pub(crate) running: u32,
    /// The pool has stopped: no worker is made any more.
    pub(crate) shut: bool,
}

impl Numbers {
    fn unpack(word: u64) -> Self {
        let field = |n: u32| ((word >> (n * BITS)) & MASK) as u32;
        Self { running: field(0), max: field(1), min: field(2), shut: word >> (3 * BITS) != 0 }
    }

    fn pack(self) -> u64 {
        let numbers = u64::from(self.running) | u64::from(self.max) << BITS | u64::from(self.min) << (2 * BITS);
        numbers | u64::from(self.shut) << (3 * BITS)
    }
}

/// Why limits were not changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Refused {
    /// It would put min above max.
    MinAboveMax { min: u32, max: u32 },
    /// It is more than the word holds.
    TooLarge { max: u32 },
}

/// The word of min, max and running.
#[derive(Debug)]
pub(crate) struct Limits(AtomicU64);

impl Limits {
    pub(crate) fn new(min: u32, max: u32) -> Result<Self, Refused> {
        if max > MOST {
            return Err(Refused::TooLarge { max });
        }
        if min > max {
            return Err(Refused::MinAboveMax { min, max });
        }
        Ok(Self(AtomicU64::new(Numbers { min, max, running: 0, shut: false }.pack())))
    }

    pub(crate) fn load(&self) -> Numbers {
        // Ordering: Acquire, so that who sees a count released also sees what the worker did before.
        Numbers::unpack(self.0.load(Ordering::Acquire))
    }

    fn change<E>(&self, mut step: impl FnMut(Numbers) -> Result<Numbers, E>) -> Result<Numbers, E> {
        // Ordering: Relaxed, the compare-exchange decides.
        let mut word = self.0.load(Ordering::Relaxed);
        loop {
            let next = step(Numbers::unpack(word))?;
            // Ordering: AcqRel. Release, so that whoever sees the count 0 sees all that the workers did; Acquire, so that a
            // reservation follows the release that made room for it.
            match self.0.compare_exchange_weak(word, next.pack(), Ordering::AcqRel, Ordering::Relaxed) {
                Ok(_) => return Ok(next),
                Err(now) => word = now,
            }
        }
    }

    /// One more worker, if there are fewer than `max`.
    #[must_use]
    pub(crate) fn reserve(&self) -> bool {
        self.change(
            |n| if n.running < n.max && !n.shut { Ok(Numbers { running: n.running + 1, ..n }) } else { Err(()) },
        )
        .is_ok()
    }

    /// One more worker, if there are fewer than `min`.
    #[must_use]
    pub(crate) fn reserve_below_min(&self) -> bool {
        self.change(
            |n| if n.running < n.min && !n.shut { Ok(Numbers { running: n.running + 1, ..n }) } else { Err(()) },
        )
        .is_ok()
    }

    /// No worker any more, from the instant at which there is none.
    #[must_use]
    pub(crate) fn shut(&self) -> bool {
        self.change(|n| if n.running == 0 { Ok(Numbers { shut: true, ..n }) } else { Err(()) }).is_ok()
    }

    /// One less, without a question.
    pub(crate) fn release(&self) {
        let released = self.change(|n| n.running.checked_sub(1).map(|running| Numbers { running, ..n }).ok_or(()));
        debug_assert!(released.is_ok(), "released a worker that nobody reserved");
    }

    /// Arrows 22 and 23: one less, if there are more than `min`.
    #[must_use]
    pub(crate) fn release_surplus(&self) -> bool {
        self.change(|n| if n.running > n.min { Ok(Numbers { running: n.running - 1, ..n }) } else { Err(()) }).is_ok()
    }

    /// One less, if there are more than `max`, which was lowered meanwhile.
    #[must_use]
    pub(crate) fn release_above_max(&self) -> bool {
        self.change(|n| if n.running > n.max { Ok(Numbers { running: n.running - 1, ..n }) } else { Err(()) }).is_ok()
    }

    pub(crate) fn set_min(&self, min: u32) -> Result<Numbers, Refused> {
        self.change(
            |n| if min <= n.max { Ok(Numbers { min, ..n }) } else { Err(Refused::MinAboveMax { min, max: n.max }) },
        )
    }

    pub(crate) fn set_max(&self, max: u32) -> Result<Numbers, Refused> {
        if max > MOST {
            return Err(Refused::TooLarge { max });
        }
        self.change(
            |n| if max >= n.min { Ok(Numbers { max, ..n }) } else { Err(Refused::MinAboveMax { min: n.min, max }) },
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use quickcheck::quickcheck;

    quickcheck! {
        fn numbers_survive_packing(min: u32, max: u32, running: u32, shut: bool) -> bool {
            let numbers = Numbers { min: min & MOST, max: max & MOST, running: running & MOST, shut };
            Numbers::unpack(numbers.pack()) == numbers
        }

        fn running_stays_within_max_at_each_reservation(steps: Vec<u8>) -> bool {
            let limits = Limits::new(1, 3).unwrap();
            let mut live = 0_u32;
            steps.iter().all(|step| {
                let before = limits.load();
                match step % 5 {
                    0 => if limits.reserve() { live += 1; if live > before.max { return false } },
                    1 => if limits.reserve_below_min() { live += 1; if live > before.min { return false } },
                    2 => if limits.release_surplus() { live -= 1; if live < before.min { return false } },
                    3 => drop(limits.set_max(u32::from(step / 5))),
                    _ => drop(limits.set_min(u32::from(step / 5))),
                }
                let now = limits.load();
                now.running == live && now.min <= now.max
            })
        }
    }

    #[test]
    fn once_shut_no_worker_is_reserved_and_only_without_any_is_it_shut() {
        let limits = Limits::new(1, 2).unwrap();
        assert!(limits.reserve_below_min() && limits.reserve());
        assert!(!limits.shut());
        limits.release();
        assert!(!limits.shut());
        limits.release();
        assert!(limits.shut());
        assert!(!limits.reserve_below_min() && !limits.reserve());
        assert!(limits.set_max(3).is_ok() && limits.set_min(2).is_ok(), "the limits still answer");
        assert!(!limits.reserve_below_min() && !limits.reserve());
        assert_eq!(limits.load(), Numbers { min: 2, max: 3, running: 0, shut: true });
    }

    #[test]
    fn limits_out_of_order_or_too_large_are_refused() {
        assert_eq!(Limits::new(2, 1).unwrap_err(), Refused::MinAboveMax { min: 2, max: 1 });
        assert_eq!(Limits::new(0, MOST + 1).unwrap_err(), Refused::TooLarge { max: MOST + 1 });
        let limits = Limits::new(1, MOST).unwrap();
        assert_eq!(limits.set_max(0), Err(Refused::MinAboveMax { min: 1, max: 0 }));
        assert!(limits.set_max(1).is_ok());
        assert_eq!(limits.set_min(2), Err(Refused::MinAboveMax { min: 2, max: 1 }));
    }
}
