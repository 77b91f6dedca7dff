//! The program around the job: arguments in, lines and a summary out, an exit status.
//!
//! Everything it touches is a parameter, so that the tests run the very program.

use std::ffi::OsString;
use std::io::{self, BufWriter, Write};
use std::os::unix::ffi::OsStrExt as _;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use copool::Counters;
use indicatif::{ProgressBar, ProgressStyle};

use crate::args::{self, Args, Request};
use crate::job::{self, Sum};
use crate::walk::{Failure, Walk};

/// Directories that are left out when the job is done on the repository, as it is by default.
const NOT_SOURCE: &[&str] = &["target", ".git"];

/// What there is to say at the end.
struct Report {
    /// Sorted by the bytes of the path.
    sums: Vec<(PathBuf, Sum)>,
    /// Likewise.
    failures: Vec<Failure>,
    skipped: u64,
    elapsed: Duration,
    counters: Counters,
}

/// Runs the program and returns its exit status: 0, 1 (something could not be read) or 2 (the job could not be done).
pub(crate) fn run(
    args: impl IntoIterator<Item = OsString>,
    out: &mut dyn Write,
    err: &mut dyn Write,
    terminal: bool,
) -> u8 {
    let done = match args::parse(args) {
        Ok(Request::Help) => written(out.write_all(args::HELP.as_bytes())).map(|_| 0),
        Ok(Request::Run(args)) => run_job(&args, out, err, terminal),
        Err(message) => Err(message),
    };
    done.unwrap_or_else(|message| {
        // There is no one left to tell if standard error is gone too.
        let _ = writeln!(err, "checksum: {message}");
        2
    })
}

fn run_job(args: &Args, out: &mut dyn Write, err: &mut dyn Write, terminal: bool) -> Result<u8, String> {
    let bar = if terminal { bar()? } else { ProgressBar::hidden() };
    let report = report(args, &bar);
    bar.finish_and_clear();
    let report = report?;
    let read_to_the_end = written(write_lines(out, &report.sums))?;
    for (path, error) in &report.failures {
        let _ = writeln!(err, "checksum: {path:?}: {error}");
    }
    if read_to_the_end {
        let _ = summarize(err, &report);
    }
    Ok(u8::from(!report.failures.is_empty()))
}

fn bar() -> Result<ProgressBar, String> {
    let style = ProgressStyle::with_template("{wide_bar} {pos}/{len} files, {eta} left");
    Ok(ProgressBar::new(0).with_style(style.map_err(|error| error.to_string())?))
}

/// Does the job.
fn report(args: &Args, bar: &ProgressBar) -> Result<Report, String> {
    let begin = Instant::now();
    let (root, exclude) = match &args.dir {
        Some(dir) => (dir.clone(), [].as_slice()),
        None => (repository(), NOT_SOURCE),
    };
    let mut walk = Walk::new(&root, exclude).map_err(|error| format!("{root:?}: {error}"))?;
    let (summed, counters) = job::sum_all(&mut walk, args.max_size, args.threads, bar)?;
    let (skipped, mut failures) = walk.finish();
    let mut sums = Vec::with_capacity(summed.len());
    for (path, result) in summed {
        match result {
            Ok(sum) => sums.push((path, sum)),
            Err(error) => failures.push((path, error)),
        }
    }
    sums.sort_unstable_by(|(a, _), (b, _)| bytes(a).cmp(bytes(b)));
    failures.sort_by(|(a, _), (b, _)| bytes(a).cmp(bytes(b)));
    Ok(Report { sums, failures, skipped, elapsed: begin.elapsed(), counters })
}

/// This repository: as `.` from inside, so that the output is the same wherever it lies.
fn repository() -> PathBuf {
    let repository = Path::new(env!("CARGO_MANIFEST_DIR"));
    let here = std::env::current_dir().is_ok_and(|here| here == repository);
    if here { PathBuf::from(".") } else { repository.to_owned() }
}

fn bytes(path: &Path) -> &[u8] {
    path.as_os_str().as_bytes()
}

/// Whether the output was written to the end, or only until its reader went away.
fn written(result: io::Result<()>) -> Result<bool, String> {
    match result {
        Ok(()) => Ok(true),
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(false),
        Err(error) => Err(format!("cannot write the output: {error}")),
    }
}

fn write_lines(out: &mut dyn Write, sums: &[(PathBuf, Sum)]) -> io::Result<()> {
    let mut out = BufWriter::new(out);
    for (path, sum) in sums {
        out.write_all(&line(bytes(path), &sum.digest))?;
    }
    out.flush()
}

/// A line as `sha256sum` writes it: a leading backslash says that the name's special bytes are escaped.
fn line(name: &[u8], digest: &[u8; 32]) -> Vec<u8> {
    const HEX: &[u8; 16] = b"0123456789abcdef";
    let mut line = Vec::with_capacity(name.len() + 68);
    if name.iter().any(|byte| b"\\\n\r".contains(byte)) {
        line.push(b'\\');
    }
    line.extend(digest.iter().flat_map(|byte| [HEX[usize::from(byte >> 4)], HEX[usize::from(byte & 15)]]));
    line.extend(b"  ");
    for byte in name {
        match byte {
            b'\\' => line.extend(b"\\\\"),
            b'\n' => line.extend(b"\\n"),
            b'\r' => line.extend(b"\\r"),
            byte => line.push(*byte),
        }
    }
    line.push(b'\n');
    line
}

fn summarize(err: &mut dyn Write, report: &Report) -> io::Result<()> {
    let bytes: u64 = report.sums.iter().map(|(_, sum)| sum.bytes).sum();
    let seconds = report.elapsed.as_secs_f64();
    writeln!(
        err,
        "checksum: {} files, {bytes} bytes in {seconds:.3} s ({:.1} MB/s), {} errors, {} skipped",
        report.sums.len(),
        bytes as f64 / 1e6 / seconds.max(f64::MIN_POSITIVE),
        report.failures.len(),
        report.skipped,
    )?;
    let counters = &report.counters;
    // The pool counts the threads that it has started; this one drove as well.
    writeln!(
        err,
        "checksum: {} workers, {} stacks, {} threads",
        counters.workers_created,
        counters.peak_stacks,
        counters.threads + 1,
    )
}
