//! Memory after a peak, by the clock: which stacks are emptied, and when. That the memory itself goes, `process` sees.

use std::time::Duration;

use copool::{CoroutinePool, DriveEnd, VirtualClock, park};

use crate::SECOND;
use crate::common::within;

/// So many stacks of the default size stay warm: a mebibyte.
const WARM: u64 = 16;

/// So many are emptied at a time.
const BATCH: u64 = 2_048;

fn pool(clock: &VirtualClock, keep_alive: Duration) -> CoroutinePool {
    CoroutinePool::builder().clock(clock.clone()).keep_alive(keep_alive).max_size(1 << 20).build().unwrap()
}

/// Has so many tasks suspended at once, and then none.
fn peak(pool: &mut CoroutinePool, tasks: u64) {
    let tasks: Vec<_> = (0..tasks).map(|_| pool.spawn(park).unwrap()).collect();
    pool.try_schedule_task().unwrap();
    assert_eq!(u64::from(pool.get_running_size()), tasks.len() as u64);
    tasks.iter().for_each(|task| task.task_ref().unpark());
    assert_eq!(pool.drain(None), Ok(DriveEnd::AllDone));
}

/// Has time pass, and the seat look.
fn pass(pool: &mut CoroutinePool, clock: &VirtualClock, time: Duration) -> u64 {
    clock.advance(time);
    pool.try_schedule_task().unwrap();
    pool.counters().stacks_emptied
}

const JUST: Duration = Duration::from_nanos(1);

#[test]
fn stacks_that_nobody_wants_are_emptied_after_a_second_but_for_the_warm() {
    within("a second", || {
        let clock = VirtualClock::new();
        let mut pool = pool(&clock, Duration::ZERO);
        peak(&mut pool, 100);
        assert_eq!(pass(&mut pool, &clock, SECOND - JUST), 0);
        assert_eq!(pass(&mut pool, &clock, JUST), 100 - WARM);
        assert_eq!(pass(&mut pool, &clock, SECOND * 10), 100 - WARM, "once");
    });
}

#[test]
fn the_keep_alive_is_first_that_of_the_workers_then_that_of_their_stacks() {
    within("keep-alive", || {
        let clock = VirtualClock::new();
        let mut pool = pool(&clock, SECOND * 10);
        peak(&mut pool, 100);
        assert_eq!(pass(&mut pool, &clock, SECOND * 10 - JUST), 0);
        assert_eq!(pool.get_running_size(), 100, "they idle");
        assert_eq!(pass(&mut pool, &clock, JUST), 0);
        assert_eq!(pool.get_running_size(), 0, "they have left");
        assert_eq!(pass(&mut pool, &clock, SECOND * 10 - JUST), 0);
        assert_eq!(pass(&mut pool, &clock, JUST), 100 - WARM);
    });
}

#[test]
fn stacks_in_use_every_now_and_then_stay_as_they_are() {
    within("steady use", || {
        let clock = VirtualClock::new();
        let mut pool = pool(&clock, Duration::ZERO);
        peak(&mut pool, 300);
        for half in 0..20 {
            peak(&mut pool, 100);
            // The two hundred that are not used rest through the first second.
            let rested = if half == 0 { 0 } else { 200 };
            assert_eq!(pass(&mut pool, &clock, SECOND / 2), rested, "half a second, {half} times");
        }
    });
}

#[test]
fn an_emptied_stack_is_used_again_before_a_new_one_is_made() {
    within("emptied stacks", || {
        let clock = VirtualClock::new();
        let mut pool = pool(&clock, Duration::ZERO);
        for round in 1..=5 {
            peak(&mut pool, 100);
            assert_eq!(pass(&mut pool, &clock, SECOND), round * (100 - WARM));
        }
        assert_eq!((pool.counters().stacks, pool.counters().peak_stacks), (0, 100));
    });
}

#[test]
fn many_stacks_are_emptied_a_batch_at_a_time() {
    within("batches", || {
        let clock = VirtualClock::new();
        let mut pool = pool(&clock, Duration::ZERO);
        peak(&mut pool, 2 * BATCH + 100);
        assert_eq!(pass(&mut pool, &clock, SECOND), BATCH);
        assert_eq!(pass(&mut pool, &clock, Duration::ZERO), 2 * BATCH);
        assert_eq!(pass(&mut pool, &clock, Duration::ZERO), 2 * BATCH + 100 - WARM);
        assert_eq!(pass(&mut pool, &clock, SECOND * 10), 2 * BATCH + 100 - WARM);
    });
}

#[test]
fn a_pool_of_few_stacks_empties_none() {
    within("few stacks", || {
        let clock = VirtualClock::new();
        let mut pool = pool(&clock, Duration::ZERO);
        peak(&mut pool, WARM);
        assert_eq!(pass(&mut pool, &clock, SECOND * 1_000), 0);
    });
}

/// Has a seat be busy after a peak, without a pause, while time passes; says how many stacks were emptied meanwhile.
fn busy(armed: bool) -> u64 {
    let clock = VirtualClock::new();
    let mut pool = pool(&clock, Duration::ZERO);
    peak(&mut pool, 100);
    let sleeper = armed.then(|| pool.spawn(|| copool::delay(SECOND * 1_000)).unwrap());
    let handle = pool.handle();
    let task = pool.spawn(move || {
        for _ in 0..1_000 {
            clock.advance(SECOND / 100);
            copool::suspend();
        }
        handle.counters().stacks_emptied
    });
    let mut task = task.unwrap();
    pool.try_schedule_task().unwrap();
    drop(sleeper);
    task.try_join().unwrap().unwrap()
}

#[test]
fn a_seat_that_is_never_idle_looks_while_it_has_timers() {
    within("a busy seat", || {
        assert_eq!(busy(true), 100 - WARM - 2);
        assert_eq!(busy(false), 0, "no clock is read for it");
    });
}
