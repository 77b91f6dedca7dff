//! The command line: `[--max-size N] [--threads N] [--] [DIR]`.

use std::ffi::{OsStr, OsString};
use std::path::PathBuf;
use std::thread::available_parallelism;

/// What `--help` prints.
pub(crate) const HELP: &str = "\
SHA-256 of every file below DIR, in the format of sha256sum, sorted by path.

Usage: checksum [OPTIONS] [--] [DIR]

  DIR            a directory, or a file [default: this repository, without its `target` and `.git` directories]
  --max-size N   at most N files at once: the pool's max_size [default: 64]
  --threads N    schedule threads, the main thread being one of them [default: the number of processors]
  --help         print this

Symlinks below DIR are not followed; they and special files are skipped and counted.
Exit status: 0; 1 if a file or directory could not be read; 2 if the job could not be done.
";

/// What the command line asks for.
#[derive(Debug)]
pub(crate) enum Request {
    Help,
    Run(Args),
}

/// The job's parameters.
#[derive(Debug)]
pub(crate) struct Args {
    /// What to hash; `None` is the repository.
    pub(crate) dir: Option<PathBuf>,
    /// The pool's `max_size`: how many files are open at once.
    pub(crate) max_size: u32,
    /// Schedule threads, the calling one included.
    pub(crate) threads: u32,
}

/// Reads the arguments, without the program's name. The error is a message for the user.
pub(crate) fn parse(args: impl IntoIterator<Item = OsString>) -> Result<Request, String> {
    let processors = available_parallelism().map_or(1, |n| u32::try_from(n.get()).unwrap_or(u32::MAX));
    let mut parsed = Args { dir: None, max_size: 64, threads: processors };
    let mut args = args.into_iter();
    let mut options_over = false;
    while let Some(arg) = args.next() {
        let text = arg.to_str().unwrap_or_default();
        let (name, value) = match text.split_once('=') {
            Some((name, value)) => (name, Some(OsString::from(value))),
            None => (text, None),
        };
        match name {
            _ if options_over || !is_option(&arg) => set_dir(&mut parsed, arg)?,
            "--" if value.is_none() => options_over = true,
            "--help" | "-h" if value.is_none() => return Ok(Request::Help),
            "--max-size" => parsed.max_size = number(name, value.or_else(|| args.next()))?,
            "--threads" => parsed.threads = number(name, value.or_else(|| args.next()))?,
            _ => return Err(format!("unknown option {arg:?}; --help lists them")),
        }
    }
    Ok(Request::Run(parsed))
}

/// Whether the argument is an option: it begins with a dash and is more than that.
fn is_option(arg: &OsStr) -> bool {
    let bytes = arg.as_encoded_bytes();
    bytes.len() > 1 && bytes[0] == b'-'
}

fn set_dir(args: &mut Args, dir: OsString) -> Result<(), String> {
    match &args.dir {
        Some(first) => Err(format!("one DIR at a time: there is {first:?} already, and then {dir:?}")),
        None => {
            args.dir = Some(PathBuf::from(dir));
            Ok(())
        }
    }
}

fn number(name: &str, value: Option<OsString>) -> Result<u32, String> {
    let value = value.ok_or_else(|| format!("{name} needs a number"))?;
    match value.to_str().and_then(|text| text.parse().ok()) {
        Some(n) if n > 0 => Ok(n),
        _ => Err(format!("{name} needs a whole number from 1 to {}, not {value:?}", u32::MAX)),
    }
}
