//! Memory: what suspended tasks take, in resident memory, page tables and mappings, and what making them takes, beside
//! touching a page each: `cargo bench --bench live_memory -- 1000000`. Without a number there are 100,000 of them.
//!
//! Not a benchmark of repeated passes, so it has its own `main`; it prints its figures and checks that every task was
//! alive at once and returned in the end. The closures and handles of the tasks are in the figures: it is all that a task
//! costs. Times are processor time, user's and system's, so that what else runs on the machine counts less.
//!
//! What it is compared with: a new mapping of the same distances, of which one page in each is touched; the same with a
//! guard beside it (where `MADV_GUARD_INSTALL` is refused, these figures are equal); and the same with 64 guards and then
//! 64 pages made by a system call each, as the pool does where the kernel can: what the kernel's part takes by itself. All
//! are taken before and after the tasks, and once more at first, when the system may have to find the memory.

use std::{env, fs, io, ptr};

use copool::{CoroutinePool, DriveEnd};

/// The distance of stacks of the default size: 64 KiB, a page for the guard, and one in which their bases are spread.
const DISTANCE: usize = 72 * 1024;

/// `MADV_GUARD_INSTALL`, Linux 6.13.
const GUARD_INSTALL: libc::c_int = 102;

/// `PIDFD_SELF_THREAD`.
const SELF: libc::c_int = -10_000;

/// What there is to compare with, for each page of many.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Way {
    /// It is touched.
    Touched,
    /// A guard is made beside it, and it is touched.
    Guarded,
    /// Its guard, and it, are made with 63 others, and it is touched.
    Ahead,
}

/// What the kernel says about this process.
struct Usage {
    resident_kib: f64,
    page_tables_kib: f64,
    mappings: usize,
    cpu_ns: f64,
}

impl Usage {
    fn now() -> Self {
        let status = fs::read_to_string("/proc/self/status").expect("Linux");
        let field = |name: &str| -> f64 {
            let line = status.lines().find_map(|line| line.strip_prefix(name)).expect("a field of status");
            line.trim_end_matches("kB").trim().parse().expect("a number")
        };
        Self {
            resident_kib: field("VmRSS:"),
            page_tables_kib: field("VmPTE:"),
            mappings: fs::read_to_string("/proc/self/maps").expect("Linux").lines().count(),
            cpu_ns: cpu_ns(),
        }
    }
}

fn cpu_ns() -> f64 {
    let mut time = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    // SAFETY: the call writes to the given place, which outlives it.
    assert_eq!(unsafe { libc::clock_gettime(libc::CLOCK_PROCESS_CPUTIME_ID, &raw mut time) }, 0);
    time.tv_sec as f64 * 1e9 + time.tv_nsec as f64
}

/// Gives an advice about the pages at these addresses by one call. It may be refused.
fn advise_each(pages: impl Iterator<Item = *mut libc::c_void>, advice: libc::c_int) {
    let list: Vec<_> = pages.map(|page| libc::iovec { iov_base: page, iov_len: 4096 }).collect();
    // SAFETY: the call reads the list, which outlives it; the pages are those of a mapping that nothing refers to.
    unsafe { libc::syscall(libc::SYS_process_madvise, SELF, list.as_ptr(), list.len(), advice, 0) };
}

/// The nanoseconds in which a page of a new mapping is touched, of many at the distance of stacks.
fn touched(count: usize, way: Way) -> f64 {
    let len = count * DISTANCE;
    let (access, flags) =
        (libc::PROT_READ | libc::PROT_WRITE, libc::MAP_PRIVATE | libc::MAP_ANONYMOUS | libc::MAP_NORESERVE);
    // SAFETY: a new anonymous mapping, at an address that the kernel chooses: no memory of ours is touched.
    let start = unsafe { libc::mmap(ptr::null_mut(), len, access, flags, -1, 0) };
    assert_ne!(start, libc::MAP_FAILED, "{}", io::Error::last_os_error());
    // SAFETY: the advice is about the new mapping. Refused where there are no huge pages.
    unsafe { libc::madvise(start, len, libc::MADV_NOHUGEPAGE) };
    let begin = cpu_ns();
    for n in 0..count {
        // SAFETY: within the mapping.
        let place = unsafe { start.byte_add(n * DISTANCE) };
        if way == Way::Ahead && n % 64 == 0 {
            let places = || (0..64.min(count - n)).map(|i| place.wrapping_byte_add(i * DISTANCE));
            advise_each(places(), GUARD_INSTALL);
            advise_each(places().map(|place| place.wrapping_byte_add(DISTANCE - 4096)), libc::MADV_POPULATE_WRITE);
        }
        if way == Way::Guarded {
            // SAFETY: a page of the mapping that nothing refers to.
            unsafe { libc::madvise(place, 4096, GUARD_INSTALL) };
        }
        // SAFETY: within the mapping, and in no guard.
        unsafe { place.byte_add(DISTANCE - 64).cast::<u8>().write_volatile(1) };
    }
    let time = cpu_ns() - begin;
    // SAFETY: the mapping is this function's own, and nothing refers to it.
    unsafe { libc::munmap(start, len) };
    time / count as f64
}

/// Has so many tasks suspended at once; says what one takes to be made, in nanoseconds.
fn suspended(count: u32) -> f64 {
    let mut pool = CoroutinePool::builder().max_size(count).build().expect("a pool");
    let before = Usage::now();
    let spawn = |i| {
        let task = pool.spawn(move || {
            copool::park();
            i
        });
        task.expect("the pool runs")
    };
    let tasks: Vec<_> = (0..count).map(spawn).collect();
    let submitted = cpu_ns();
    pool.try_schedule_task().expect("the drive is not refused");
    assert_eq!(pool.get_running_size(), count, "every task is alive on its own worker");
    let after = Usage::now();

    let per_task = |before: f64, after: f64| (after - before) / f64::from(count);
    println!("live_memory: {count} suspended tasks");
    println!("  resident:    {:.2} KiB per task", per_task(before.resident_kib, after.resident_kib));
    println!("  page tables: {:.2} KiB per task", per_task(before.page_tables_kib, after.page_tables_kib));
    println!("  mappings:    {} before, {} after", before.mappings, after.mappings);
    let made = per_task(before.cpu_ns, after.cpu_ns);
    println!("  to make one: {made:.0} ns, {:.0} of them to submit it", per_task(before.cpu_ns, submitted));

    tasks.iter().for_each(|task| task.task_ref().unpark());
    assert!(matches!(pool.drain(None), Ok(DriveEnd::AllDone)));
    for (i, mut task) in (0..count).zip(tasks) {
        assert_eq!(task.try_join().expect("drained").expect("returned"), i);
    }
    made
}

fn main() {
    let asked = env::args().skip(1).find(|argument| !argument.starts_with("--"));
    let count = asked.map_or(100_000, |count| count.parse().expect("a number of tasks"));
    let all = || [Way::Touched, Way::Guarded, Way::Ahead].map(|way| touched(count as usize, way));
    all();
    let before = all();
    let made = suspended(count);
    let after = all();
    for (i, what) in ["touch a page", "touch a page and make a guard", "do both for 64 at once"].into_iter().enumerate()
    {
        let (low, high) = (before[i].min(after[i]), before[i].max(after[i]));
        let ratio = made * 2.0 / (low + high);
        println!("  to {what}: {low:.0} and {high:.0} ns; to make a task takes {ratio:.2} times as long");
    }
}
