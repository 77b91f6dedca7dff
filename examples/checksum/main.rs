//! SHA-256 of every file below a directory, one task of a copool pool per file, in the format of `sha256sum`.
//!
//! ```text
//! cargo run --release --example checksum [-- [--max-size N] [--threads N] [DIR]] | sha256sum -c --quiet
//! ```
//!
//! What it shows: blocking-style closures by the hundred thousand on a bounded number of workers. The tasks read inside
//! [`copool::syscall`], so that no schedule thread waits for a disk, and hash outside of it, on the schedule threads.
//! At most `--max-size` files are open at once, since that is how many workers there are to run the tasks.
//!
//! What it does, exactly:
//!
//! - **DIR** defaults to this repository; then, and only then, directories named `target` or `.git` are left out. A
//!   DIR that is a file is hashed. DIR may be a symlink; below it symlinks are not followed (as `find DIR -type f`), so
//!   loops are harmless. Symlinks and special files (fifos, sockets, devices) are skipped and counted.
//! - **Standard output**: a line per file, sorted by the bytes of its path. Paths begin with DIR as given, so that
//!   `sha256sum -c` in the same directory finds them; their bytes are written as they are, UTF-8 or not. As in
//!   `sha256sum`, a line whose path has a newline, a carriage return or a backslash begins with a backslash, and those
//!   bytes are written as `\n`, `\r` and `\\`. A reader that goes away ends the job quietly.
//! - **Standard error**: a progress bar, if it is a terminal; what could not be read; a summary.
//! - **Exit status**: 0, or 1 if anything could not be read (the rest is hashed all the same), or 2 if the job could not
//!   be done: wrong arguments, no such DIR, output that cannot be written.
//!
//! Checked by `tests/checksum.rs`, which includes these modules, and by `ci/checksum`, which runs the program.

use std::io::{self, IsTerminal as _};
use std::process::ExitCode;

mod args;
mod cli;
mod job;
mod walk;

fn main() -> ExitCode {
    let terminal = io::stderr().is_terminal();
    ExitCode::from(cli::run(std::env::args_os().skip(1), &mut io::stdout().lock(), &mut io::stderr(), terminal))
}
