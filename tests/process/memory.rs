//! Memory after a peak goes back to the system: the resident set falls, and what was given back can be used again.
#![cfg(target_os = "linux")]

use std::fs;
use std::time::Duration;

use copool::{CoroutinePool, DriveEnd, VirtualClock, park};

use crate::{alone, name};

const TASKS: u32 = 20_000;

/// The resident set of this process, in bytes.
fn resident() -> usize {
    let statm = fs::read_to_string("/proc/self/statm").expect("Linux says");
    let pages: usize = statm.split(' ').nth(1).expect("a second field").parse().expect("a number");
    // SAFETY: sysconf reads a constant of the system.
    pages * usize::try_from(unsafe { libc::sysconf(libc::_SC_PAGESIZE) }).expect("a page has a size")
}

/// Has all tasks suspended at once, and then none; says what was resident at the peak.
fn peak(pool: &mut CoroutinePool) -> usize {
    let tasks: Vec<_> = (0..TASKS).map(|_| pool.spawn(park).expect("the pool runs")).collect();
    pool.try_schedule_task().expect("the drive is not refused");
    assert_eq!(pool.get_running_size(), TASKS);
    let resident = resident();
    tasks.iter().for_each(|task| task.task_ref().unpark());
    assert_eq!(pool.drain(None), Ok(DriveEnd::AllDone));
    resident
}

#[test]
fn after_a_peak_the_memory_of_the_stacks_goes_back_to_the_system() {
    let end = alone(name!(after_a_peak_the_memory_of_the_stacks_goes_back_to_the_system), || {
        // Each stack has touched a page at least.
        let least = TASKS as usize * 4_096 * 9 / 10;
        let clock = VirtualClock::new();
        let mut pool = CoroutinePool::builder().clock(clock.clone()).max_size(TASKS).build().unwrap();
        for round in 0..2 {
            let at_peak = peak(&mut pool);
            let after = resident();
            assert!(after + least / 10 > at_peak, "round {round}: {at_peak} at the peak, {after} right after it");
            clock.advance(Duration::from_secs(1));
            while pool.counters().stacks_emptied < u64::from(TASKS - 16) * (round + 1) {
                pool.try_schedule_task().unwrap();
            }
            let rested = resident();
            assert!(rested + least < after, "round {round}: {after} right after the peak, {rested} when rested");
        }
    });
    let Some(end) = end else { return };
    end.succeeded();
}
