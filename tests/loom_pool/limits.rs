//! The word of min, max and running (S1, S4; arrows 4, 11, 17, 22 to 24), and the `LOWERED` bit beside it.
//!
//! Complete with two threads where that ends, otherwise bounded. The models leave out the workers that the counts stand for: in their place each reservation uses a
//! [`Witness`], which loom gives only to one after the other.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use copool_model::loom::{Bounds, check, thread};
use copool_model::under_loom::CoroutinePool;
use copool_model::under_loom::checked::pool::{Core, Limits, Numbers, Witness};

/// Runs `side` on another thread and `main` here, then says what the word holds.
fn race(limits: Limits, side: impl FnOnce(&Limits) + Send + 'static, main: impl FnOnce(&Limits)) -> Numbers {
    let limits = Arc::new(limits);
    let other = thread::spawn({
        let limits = Arc::clone(&limits);
        move || side(&limits)
    });
    main(&limits);
    other.join().unwrap();
    limits.numbers()
}

/// How many workers live, counted beside the word: loom does not see this count, so it orders nothing.
#[derive(Default)]
struct Live(AtomicU32);

impl Live {
    fn enter(&self, most: u32) {
        let now = self.0.fetch_add(1, Ordering::Relaxed) + 1;
        assert!(now <= most, "{now} workers live, {most} may");
    }

    fn leave(&self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

/// Three threads that reserve and release. `most` is both max and the number that may live.
fn reserve_and_release(name: &'static str, most: u32) {
    check(name, Bounds::preemptions(), move || {
        let shared = Arc::new((Limits::new(0, most), Live::default(), Witness::new()));
        let worker = move |shared: &(Limits, Live, Witness)| {
            let (limits, live, alone) = shared;
            if limits.reserve() {
                live.enter(most);
                if most == 1 {
                    alone.write();
                }
                live.leave();
                limits.release();
            }
        };
        let others: Vec<_> = (0..2)
            .map(|_| {
                let shared = Arc::clone(&shared);
                thread::spawn(move || worker(&shared))
            })
            .collect();
        worker(&shared);
        for other in others {
            other.join().unwrap();
        }
        assert_eq!(shared.0.numbers(), Numbers { min: 0, max: most, running: 0, shut: false });
    });
}

#[test]
fn never_more_than_max_are_reserved_and_each_follows_the_release_that_made_room() {
    reserve_and_release("limits: three reserve and release, max 1", 1);
    reserve_and_release("limits: three reserve and release, max 2", 2);
}

#[test]
fn whoever_reads_a_count_as_released_sees_what_the_worker_did() {
    check("limits: a release is read", Bounds::complete(), || {
        let seen = Arc::new(Witness::new());
        let limits = Limits::new(0, 1);
        assert!(limits.reserve());
        let worker = Arc::clone(&seen);
        let end = race(
            limits,
            move |limits| {
                worker.write();
                limits.release();
            },
            |limits| {
                if limits.numbers().running == 0 {
                    seen.write();
                }
            },
        );
        assert_eq!(end.running, 0);
    });
}

#[test]
fn of_two_surplus_workers_above_min_one_leaves() {
    check("limits: arrows 22 to 24, twice", Bounds::complete(), || {
        let gone = Arc::new(Live::default());
        let leave = |gone: &Live, limits: &Limits| {
            if limits.release_surplus() {
                gone.enter(1);
            }
        };
        let limits = Limits::new(1, 2);
        assert!(limits.reserve_below_min() && limits.reserve() && !limits.reserve());
        let other = Arc::clone(&gone);
        let end = race(limits, move |limits| leave(&other, limits), |limits| leave(&gone, limits));
        assert_eq!((end.running, gone.0.load(Ordering::Relaxed)), (1, 1));
    });
}

#[test]
fn below_min_no_more_than_min_are_reserved() {
    check("limits: min is made up for by two", Bounds::complete(), || {
        let make = |limits: &Limits| while limits.reserve_below_min() {};
        let end = race(Limits::new(2, 4), make, make);
        assert_eq!(end.running, 2);
    });
}

#[test]
fn min_never_exceeds_max_whoever_sets_them() {
    check("limits: min and max are set", Bounds::complete(), || {
        let set = Arc::new(Live::default());
        let other = Arc::clone(&set);
        // Each is refused after the other.
        let end = race(
            Limits::new(1, 3),
            move |limits| {
                if limits.set_min(3) {
                    other.enter(1);
                }
            },
            |limits| {
                if limits.set_max(2) {
                    set.enter(1);
                }
                let now = limits.numbers();
                assert!(now.min <= now.max, "{now:?}");
            },
        );
        assert!(matches!((end.min, end.max), (3, 3) | (1, 2)), "{end:?}");
    });
}

#[test]
fn no_count_is_lost_to_a_change_of_the_limits() {
    check("limits: a reservation, a surplus and a change of max", Bounds::complete(), || {
        let limits = Limits::new(0, 2);
        assert!(limits.reserve());
        let reserved = Arc::new(Live::default());
        let count = Arc::clone(&reserved);
        let end = race(
            limits,
            move |limits| {
                if limits.reserve() {
                    count.enter(1);
                }
                if limits.release_above_max() {
                    count.leave();
                }
            },
            |limits| {
                assert!(limits.set_max(1));
                // From here on nothing is above the new max but what was before.
                assert!(!limits.reserve());
            },
        );
        assert_eq!((end.max, end.running), (1, 1 + reserved.0.load(Ordering::Relaxed)), "{end:?}");
    });
}

#[test]
fn once_shut_nothing_is_reserved_and_all_that_was_is_over() {
    check("limits: shut against a worker", Bounds::complete(), || {
        let seen = Arc::new(Witness::new());
        let worker = Arc::clone(&seen);
        let end = race(
            Limits::new(0, 1),
            move |limits| {
                if limits.reserve() {
                    worker.write();
                    limits.release();
                }
            },
            |limits| {
                if limits.shut() {
                    seen.write();
                    assert!(!limits.reserve() && !limits.reserve_below_min());
                }
            },
        );
        assert_eq!(end.running, 0);
    });
}

#[test]
fn workers_above_a_lowered_max_are_told_whoever_raises_it_meanwhile() {
    check("limits: max raised while it is lowered", Bounds::preemptions().unreduced(), || {
        let pool = CoroutinePool::builder().max_size(3).build().unwrap();
        let (handle, core) = (pool.handle(), Core::of(&pool));
        assert!(core.reserve() && core.reserve());
        handle.set_max_size(1).unwrap();
        assert!(core.is_lowered());
        let user = thread::spawn(move || handle.set_max_size(1).unwrap());
        pool.set_max_size(2).unwrap();
        user.join().unwrap();
        let lowered = core.numbers().max == 1;
        assert!(core.is_lowered() || !lowered, "a worker above max must be told");
        assert_eq!(core.leaves_above_max(), lowered);
        assert_eq!(core.numbers().running, if lowered { 1 } else { 2 });
        (0..core.numbers().running).for_each(|_| core.release());
    });
}

#[test]
fn a_worker_above_a_lowered_max_leaves_once() {
    check("limits: max lowered while a worker looks", Bounds::complete(), || {
        let pool = CoroutinePool::builder().max_size(3).build().unwrap();
        let (handle, core) = (pool.handle(), Core::of(&pool));
        assert!(core.reserve() && core.reserve());
        let user = thread::spawn(move || handle.set_max_size(1).unwrap());
        let mut left = u32::from(core.leaves_above_max());
        user.join().unwrap();
        left += u32::from(core.leaves_above_max());
        left += u32::from(core.leaves_above_max());
        assert_eq!((core.numbers().running, left), (1, 1));
        assert!(!core.is_lowered());
        core.release();
    });
}
