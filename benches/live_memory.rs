//! Memory: what 100,000 suspended tasks take, in resident memory, page tables and mappings.
//!
//! Not a measurement of time, so it has its own `main`; it prints its figures and checks that every task was alive at
//! once and returned in the end. The closures and handles of the tasks are in the figure: it is all that a task costs.

use std::fs;

use copool::{CoroutinePool, DriveEnd};

const TASKS: u32 = 100_000;

/// What the kernel says about this process.
struct Usage {
    resident_kib: f64,
    page_tables_kib: f64,
    mappings: usize,
}

impl Usage {
    fn now() -> Self {
        let status = fs::read_to_string("/proc/self/status").expect("Linux");
        let field = |name: &str| -> f64 {
            let line = status.lines().find_map(|line| line.strip_prefix(name)).expect("a field of status");
            line.trim_end_matches("kB").trim().parse().expect("a number")
        };
        let statm = fs::read_to_string("/proc/self/statm").expect("Linux");
        let resident: f64 = statm.split(' ').nth(1).expect("a second field").parse().expect("a number");
        // SAFETY: sysconf reads a constant of the system.
        let page = unsafe { libc::sysconf(libc::_SC_PAGESIZE) };
        Self {
            resident_kib: resident * page as f64 / 1024.0,
            page_tables_kib: field("VmPTE:"),
            mappings: fs::read_to_string("/proc/self/maps").expect("Linux").lines().count(),
        }
    }
}

fn main() {
    let mut pool = CoroutinePool::builder().max_size(TASKS).build().expect("a pool");
    let before = Usage::now();
    let spawn = |i| {
        let task = pool.spawn(move || {
            copool::park();
            i
        });
        task.expect("the pool runs")
    };
    let tasks: Vec<_> = (0..TASKS).map(spawn).collect();
    pool.try_schedule_task().expect("the drive is not refused");
    assert_eq!(u64::from(pool.get_running_size()), u64::from(TASKS), "every task is alive on its own worker");
    let after = Usage::now();

    let per_task = |before: f64, after: f64| (after - before) / f64::from(TASKS);
    println!("live_memory: {TASKS} suspended tasks");
    println!("  resident:    {:.2} KiB per task", per_task(before.resident_kib, after.resident_kib));
    println!("  page tables: {:.2} KiB per task", per_task(before.page_tables_kib, after.page_tables_kib));
    println!("  mappings:    {} before, {} after", before.mappings, after.mappings);

    tasks.iter().for_each(|task| task.task_ref().unpark());
    assert!(matches!(pool.drain(None), Ok(DriveEnd::AllDone)));
    for (i, mut task) in (0..TASKS).zip(tasks) {
        assert_eq!(task.try_join().expect("drained").expect("returned"), i);
    }
}
