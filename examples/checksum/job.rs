//! The job itself: a task per file on a pool.
//!
//! Invariants: a task touches the file only inside `syscall` and hashes only outside of it; each path that goes in comes
//! out once, with its digest or with the reason why it has none; at most `max_size` files are open at once. The calling
//! thread owns a seat: it submits, and then drives with the others until every task has its outcome.

use std::fs::{File, OpenOptions};
use std::io::{self, Read as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use copool::{CoroutinePool, Counters, DriveEnd, JoinHandle};
use indicatif::ProgressBar;
use sha2::{Digest as _, Sha256};

/// What a task reads at once. Enough to make the switch to a helper thread cheap beside it.
const CHUNK: u64 = 128 * 1024;
/// The least it reads at once: some file systems say 0 for the size of files that are not empty.
const LEAST: u64 = 4096;
/// How often the progress bar is looked at.
const TICK: Duration = Duration::from_millis(100);

/// A file's digest and length.
#[derive(Debug)]
pub(crate) struct Sum {
    pub(crate) bytes: u64,
    pub(crate) digest: [u8; 32],
}

/// What came of one file.
pub(crate) type Summed = (PathBuf, io::Result<Sum>);

/// Hashes `files` on a pool of at most `max_size` workers and `threads` schedule threads, the calling one included.
///
/// The results come in the order of the files. The error is a message for the user: the pool could not be built, or
/// could not go on.
pub(crate) fn sum_all(
    files: impl Iterator<Item = PathBuf>,
    max_size: u32,
    threads: u32,
    bar: &ProgressBar,
) -> Result<(Vec<Summed>, Counters), String> {
    let builder = CoroutinePool::builder().name("checksum").max_size(max_size).threads(threads - 1);
    let mut pool = builder.build().map_err(|error| error.to_string())?;
    let mut tasks = Vec::new();
    for path in files {
        let task = pool.spawn(move || {
            let sum = sum_file(&path);
            (path, sum)
        });
        tasks.push(task.map_err(|rejected| rejected.to_string())?);
        if tasks.len() % 1024 == 0 {
            show(bar, &pool, tasks.len());
        }
    }
    drive(&mut pool, bar, tasks.len())?;
    let counters = pool.counters();
    let sums = tasks.into_iter().map(take).collect::<Result<_, _>>()?;
    Ok((sums, counters))
}

/// Drives this thread's seat until all tasks have ended, wherever they ran.
fn drive(pool: &mut CoroutinePool, bar: &ProgressBar, total: usize) -> Result<(), String> {
    loop {
        show(bar, pool, total);
        // Nobody looks at a hidden bar: then this thread need not come back before the end.
        let until = (!bar.is_hidden()).then(|| Instant::now() + TICK);
        match pool.drain(until) {
            Ok(DriveEnd::AllDone) => return Ok(()),
            Ok(DriveEnd::Deadline) => {}
            Ok(end) => return Err(format!("the pool ended early: {end:?}")),
            Err(error) => return Err(format!("the pool cannot go on: {error}")),
        }
    }
}

fn show(bar: &ProgressBar, pool: &CoroutinePool, total: usize) {
    if !bar.is_hidden() {
        bar.set_length(total as u64);
        bar.set_position((total as u64).saturating_sub(pool.outstanding() as u64));
    }
}

/// The result of a task that has ended.
fn take(mut task: JoinHandle<Summed>) -> Result<Summed, String> {
    match task.try_join() {
        Some(Ok(summed)) => Ok(summed),
        Some(Err(error)) => Err(format!("a task was lost: {error}")),
        None => Err("a task has not ended".to_owned()),
    }
}

/// The task: reads `path` in chunks inside `syscall`, and hashes them outside of it.
fn sum_file(path: &Path) -> io::Result<Sum> {
    let mut chunk = Vec::new();
    let (mut file, mut len) = copool::syscall("read", || {
        let (mut file, size) = open(path)?;
        chunk.resize(usize::try_from((size + 1).clamp(LEAST, CHUNK)).unwrap_or(usize::MAX), 0);
        let len = fill(&mut file, &mut chunk)?;
        io::Result::Ok((file, len))
    })?;
    let mut hasher = Sha256::new();
    let mut bytes = 0;
    loop {
        hasher.update(&chunk[..len]);
        bytes += len as u64;
        if len < chunk.len() {
            return Ok(Sum { bytes, digest: hasher.finalize().into() });
        }
        len = copool::syscall("read", || fill(&mut file, &mut chunk))?;
    }
}

/// Opens a regular file and tells its size. What was one when the tree was walked may be a fifo by now: then the open
/// must not wait for a writer.
fn open(path: &Path) -> io::Result<(File, u64)> {
    let file = OpenOptions::new().read(true).custom_flags(libc::O_NONBLOCK).open(path)?;
    let metadata = file.metadata()?;
    if !metadata.is_file() {
        return Err(io::Error::other("no longer a regular file"));
    }
    Ok((file, metadata.len()))
}

/// Reads until the chunk is full or the file ends: less than a full chunk is the last.
fn fill(file: &mut File, chunk: &mut [u8]) -> io::Result<usize> {
    let mut len = 0;
    while len < chunk.len() {
        match file.read(&mut chunk[len..]) {
            Ok(0) => break,
            Ok(n) => len += n,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(len)
}
