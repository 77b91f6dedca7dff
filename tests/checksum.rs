//! The checksum example, run as the program that it is, on trees with everything in them that makes such a job fail.
//!
//! The example's own modules are included, so that nothing but `main` itself is left out; `ci/checksum` runs that.
//! Where `sha256sum` is installed, its output and its `-c` judge ours too.

use std::ffi::{OsStr, OsString};
use std::fs;
use std::io::{self, ErrorKind, Write};
use std::os::unix::ffi::{OsStrExt as _, OsStringExt as _};
use std::os::unix::fs::{PermissionsExt as _, symlink};
use std::os::unix::net::UnixListener;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use indicatif::ProgressBar;

#[path = "../examples/checksum/args.rs"]
mod args;
#[path = "../examples/checksum/cli.rs"]
mod cli;
#[path = "../examples/checksum/job.rs"]
mod job;
#[path = "../examples/checksum/walk.rs"]
mod walk;

const EMPTY: &str = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";
const ABC: &str = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
const MILLION_A: &str = "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0";

/// A directory of this test's own, gone at the end.
struct Dir(PathBuf);

impl Dir {
    fn new(test: &str) -> Self {
        let dir = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("checksum-{test}-{}", std::process::id()));
        fs::create_dir_all(&dir).expect("a directory for the test");
        Self(dir)
    }

    fn file(&self, name: impl AsRef<OsStr>, content: impl AsRef<[u8]>) -> PathBuf {
        let path = self.0.join(name.as_ref());
        fs::create_dir_all(path.parent().expect("a parent")).expect("directories");
        fs::write(&path, content).expect("a file");
        path
    }

    fn fifo(&self, name: &str) -> PathBuf {
        let path = self.0.join(name);
        let name = std::ffi::CString::new(path.as_os_str().as_bytes()).expect("no NUL");
        // SAFETY: a string that ends in NUL; mkfifo keeps no pointer to it.
        assert_eq!(unsafe { libc::mkfifo(name.as_ptr(), 0o600) }, 0);
        path
    }
}

impl Drop for Dir {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

/// What a run of the program left behind.
struct Run {
    status: u8,
    out: Vec<u8>,
    err: String,
}

fn run<A: AsRef<OsStr>>(args: &[A]) -> Run {
    let (mut out, mut err) = (Vec::new(), Vec::new());
    let status = cli::run(args.iter().map(|arg| arg.as_ref().to_owned()), &mut out, &mut err, false);
    Run { status, out, err: String::from_utf8(err).expect("messages are UTF-8") }
}

/// What `sha256sum` says about the paths; `None` if it is not installed.
fn sha256sum(paths: &[PathBuf]) -> Option<Vec<u8>> {
    match Command::new("sha256sum").args(paths).output() {
        Ok(output) => Some(output.stdout),
        Err(error) if error.kind() == ErrorKind::NotFound => None,
        Err(error) => panic!("sha256sum: {error}"),
    }
}

/// Whether `sha256sum -c` accepts the lines, in that directory; true if it is not installed.
fn accepted(dir: &Path, lines: &[u8]) -> bool {
    let check = Command::new("sha256sum").args(["-c", "--quiet"]).current_dir(dir).stdin(Stdio::piped()).spawn();
    match check {
        Ok(mut check) => {
            check.stdin.take().expect("a pipe").write_all(lines).expect("sha256sum reads its input");
            check.wait().expect("an exit status").success()
        }
        Err(error) if error.kind() == ErrorKind::NotFound => true,
        Err(error) => panic!("sha256sum: {error}"),
    }
}

fn line(digest: &str, path: &Path) -> Vec<u8> {
    [digest.as_bytes(), b"  ", path.as_os_str().as_bytes(), b"\n"].concat()
}

#[test]
fn digests_are_those_of_the_standard() {
    let dir = Dir::new("digests");
    let lines = [
        line(ABC, &dir.file("abc", "abc")),
        line(EMPTY, &dir.file("empty", "")),
        line(MILLION_A, &dir.file("million", vec![b'a'; 1_000_000])),
    ];
    let run = run(&[&dir.0]);
    assert_eq!((run.status, run.out), (0, lines.concat()));
    assert!(run.err.contains("3 files, 1000003 bytes"), "{}", run.err);
    assert!(run.err.contains("0 errors, 0 skipped"), "{}", run.err);
}

#[test]
fn file_lengths_around_the_chunk_are_read_whole() {
    let dir = Dir::new("lengths");
    let mut paths = Vec::new();
    for chunk in [4096, 128 * 1024, 256 * 1024] {
        for len in [chunk - 2, chunk - 1, chunk, chunk + 1] {
            let content: Vec<u8> = (0..len).map(|i| u8::try_from(i % 251).expect("below 251")).collect();
            paths.push(dir.file(format!("{len:08}"), content));
        }
    }
    let run = run(&[&dir.0]);
    assert_eq!(run.status, 0, "{}", run.err);
    assert_eq!(run.out.iter().filter(|byte| **byte == b'\n').count(), paths.len());
    assert!(sha256sum(&paths).is_none_or(|lines| lines == run.out));
}

#[test]
fn names_that_are_not_utf8_or_need_escapes_are_written_as_sha256sum_does() {
    let dir = Dir::new("names");
    let names: &[&[u8]] =
        &[b"new\nline", b"back\\slash", b"return\r", b"\\\n\r", b"not\xffutf8\xfe", b" *blank ", b"-"];
    let mut paths: Vec<_> = names.iter().map(|name| dir.file(OsStr::from_bytes(name), "abc")).collect();
    paths.sort_by(|a, b| a.as_os_str().as_bytes().cmp(b.as_os_str().as_bytes()));
    let run = run(&[&dir.0]);
    assert_eq!(run.status, 0, "{}", run.err);
    let base = dir.0.as_os_str().as_bytes();
    let escaped = [b"\\", ABC.as_bytes(), b"  ", base, b"/new\\nline\n"].concat();
    let raw = [ABC.as_bytes(), b"  ", base, b"/not\xffutf8\xfe\n"].concat();
    for line in [escaped, raw] {
        assert!(run.out.split_inclusive(|byte| *byte == b'\n').any(|found| found == line), "{line:?}");
    }
    assert!(sha256sum(&paths).is_none_or(|lines| lines == run.out));
    assert!(accepted(&dir.0, &run.out));
}

#[test]
fn the_order_is_that_of_the_paths_bytes() {
    let dir = Dir::new("order");
    let lines = ["Z", "a-b", "a.b", "a/b", "a/c/d", "aa", "b"].map(|name| line(EMPTY, &dir.file(name, "")));
    assert_eq!(run(&[&dir.0]).out, lines.concat());
}

#[test]
fn symlinks_and_special_files_are_skipped_and_counted() {
    let dir = Dir::new("special");
    let file = dir.file("sub/file", "abc");
    symlink(&dir.0, dir.0.join("sub/loop")).expect("a symlink");
    symlink("itself", dir.0.join("itself")).expect("a symlink");
    symlink("nowhere", dir.0.join("dangling")).expect("a symlink");
    symlink(&file, dir.0.join("again")).expect("a symlink");
    dir.fifo("fifo");
    // A socket's path must be short: there is none where the target directory lies deep.
    let sockets = u64::from(UnixListener::bind(dir.0.join("s")).is_ok());
    let run = run(&[&dir.0]);
    assert_eq!((run.status, run.out), (0, line(ABC, &file)));
    assert!(run.err.contains("1 files, 3 bytes"), "{}", run.err);
    assert!(run.err.contains(&format!("0 errors, {} skipped", 5 + sockets)), "{}", run.err);
}

#[test]
fn the_root_may_be_a_file_or_a_symlink_and_is_named_as_given() {
    let dir = Dir::new("root");
    let file = dir.file("tree/file", "abc");
    let link = dir.0.join("link");
    symlink("tree", &link).expect("a symlink");
    assert_eq!(run(&[&file]).out, line(ABC, &file));
    assert_eq!(run(&[&link]).out, line(ABC, &link.join("file")));
    assert_eq!(run(&[dir.0.join("tree/")]).out, line(ABC, &file));
    let fifo = run(&[dir.fifo("fifo")]);
    assert_eq!((fifo.status, fifo.out.len()), (0, 0));
    assert!(fifo.err.contains("0 files, 0 bytes") && fifo.err.contains("1 skipped"), "{}", fifo.err);
}

#[test]
fn what_cannot_be_read_is_reported_and_counted_and_the_rest_is_hashed() {
    let dir = Dir::new("unreadable");
    let file = dir.file("file", "abc");
    let closed_file = dir.file("closed", "abc");
    let closed_dir = dir.0.join("closed-dir");
    fs::create_dir(&closed_dir).expect("a directory");
    let set_mode = |path, mode| fs::set_permissions(path, fs::Permissions::from_mode(mode)).expect("permissions");
    set_mode(&closed_file, 0o000);
    set_mode(&closed_dir, 0o000);
    let run = run(&[&dir.0]);
    set_mode(&closed_dir, 0o700);
    // Root reads everything.
    if fs::read(&closed_file).is_ok() {
        assert_eq!((run.status, run.out), (0, [line(ABC, &closed_file), line(ABC, &file)].concat()));
    } else {
        assert_eq!((run.status, run.out), (1, line(ABC, &file)));
        let named = run.err.contains("closed\": ") && run.err.contains("closed-dir\": ");
        assert!(named && run.err.contains("2 errors"), "{}", run.err);
    }
}

#[test]
fn files_that_change_under_the_walk_become_errors_of_their_own() {
    let dir = Dir::new("vanished");
    let files = [dir.file("file", "abc"), dir.0.join("vanished"), dir.fifo("fifo"), dir.0.clone()];
    let (sums, _) = job::sum_all(files.iter().cloned(), 2, 1, &ProgressBar::hidden()).expect("the job is done");
    let paths: Vec<_> = sums.iter().map(|(path, _)| path.clone()).collect();
    assert_eq!(paths, files);
    assert_eq!(sums[0].1.as_ref().expect("a digest").bytes, 3);
    assert_eq!(sums[1].1.as_ref().expect_err("it is not there").kind(), ErrorKind::NotFound);
    assert!(sums[2].1.is_err() && sums[3].1.is_err(), "neither a fifo nor a directory is a file");
}

#[test]
#[cfg(target_os = "linux")]
fn a_read_that_fails_is_reported_with_status_1() {
    let run = run(&["/proc/self/mem"]);
    assert_eq!((run.status, run.out.len()), (1, 0));
    assert!(run.err.contains("\"/proc/self/mem\": ") && run.err.contains("1 errors"), "{}", run.err);
}

#[test]
fn thousands_of_files_give_the_same_lines_however_many_workers_and_threads() {
    let dir = Dir::new("thousands");
    let mut lines = Vec::new();
    for i in 0..3_000 {
        let (digest, content) = if i % 2 == 0 { (ABC, "abc") } else { (EMPTY, "") };
        lines.extend(line(digest, &dir.file(format!("{:02}/{:02}", i / 100, i % 100), content)));
    }
    for (max_size, threads) in [("1", "1"), ("3", "2"), ("64", "4"), ("5000", "2")] {
        let options = ["--max-size", max_size, "--threads", threads].map(OsString::from);
        let run = run(&[&options[..], &[dir.0.clone().into_os_string()]].concat());
        assert_eq!(run.status, 0, "{}", run.err);
        assert!(run.out == lines, "max_size {max_size}, threads {threads}");
    }
    assert!(accepted(&dir.0, &lines));
}

#[test]
fn without_arguments_the_repository_is_hashed_but_for_target_and_git() {
    let run = run::<&str>(&[]);
    assert_eq!(run.status, 0, "{}", run.err);
    let lines = String::from_utf8_lossy(&run.out);
    assert!(lines.lines().any(|line| line.ends_with("/tests/checksum.rs")));
    assert!(!lines.lines().any(|line| line.contains("/target/") || line.contains("/.git/")));
}

#[test]
fn a_root_that_does_not_exist_is_an_error_with_status_2() {
    let dir = Dir::new("missing");
    for root in [dir.0.join("missing").into_os_string(), OsString::new(), OsString::from_vec(b"\xff".to_vec())] {
        let run = run(&[&root]);
        assert_eq!((run.status, run.out.len()), (2, 0));
        assert!(run.err.starts_with(&format!("checksum: {root:?}: ")), "{}", run.err);
    }
}

#[test]
fn wrong_arguments_are_named_and_do_nothing() {
    for (args, named) in [
        (&["--max-size", "0"][..], "\"0\""),
        (&["--max-size=-1"], "\"-1\""),
        (&["--threads", "many"], "\"many\""),
        (&["--threads"], "--threads needs a number"),
        (&["--faster"], "\"--faster\""),
        (&["--help=no"], "\"--help=no\""),
        (&["one", "two"], "\"two\""),
        (&["--", "--missing"], "\"--missing\""),
    ] {
        let run = run(args);
        assert_eq!((run.status, run.out.len()), (2, 0), "{args:?}");
        assert!(run.err.starts_with("checksum: ") && run.err.contains(named), "{args:?}: {}", run.err);
    }
}

#[test]
fn help_names_every_option() {
    let run = run(&["--help"]);
    let text = String::from_utf8(run.out).expect("UTF-8");
    assert_eq!((run.status, run.err.as_str()), (0, ""));
    assert!(["--max-size", "--threads", "--help", "DIR"].iter().all(|word| text.contains(word)), "{text}");
}

/// An output that fails at its first byte.
struct Failing(ErrorKind);

impl Write for Failing {
    fn write(&mut self, _: &[u8]) -> io::Result<usize> {
        Err(self.0.into())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[test]
fn a_reader_that_goes_away_ends_the_job_quietly_and_a_full_disk_does_not() {
    let dir = Dir::new("pipe");
    dir.file("file", "abc");
    for (kind, status, quiet) in [(ErrorKind::BrokenPipe, 0, true), (ErrorKind::StorageFull, 2, false)] {
        let mut err = Vec::new();
        let got = cli::run([dir.0.clone().into_os_string()], &mut Failing(kind), &mut err, false);
        assert_eq!((got, err.is_empty()), (status, quiet), "{}", String::from_utf8_lossy(&err));
    }
}
