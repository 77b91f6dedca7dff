//! The regular files below a directory, as `find DIR -type f` would name them.
//!
//! Invariants: one directory is open at a time, however deep the tree; symlinks are not followed, except the root
//! itself, so the walk ends; whatever is not yielded is counted or kept as an error, but for the excluded directories.

use std::fs::{self, DirEntry, FileType, ReadDir};
use std::io;
use std::path::{Path, PathBuf};

/// What could not be read, and why.
pub(crate) type Failure = (PathBuf, io::Error);

/// An iterator over the paths of regular files, in no particular order.
#[derive(Debug)]
pub(crate) struct Walk {
    /// The root, if that is a file.
    single: Option<PathBuf>,
    /// Directories still to be read.
    pending: Vec<PathBuf>,
    /// The one that is being read.
    open: Option<(PathBuf, ReadDir)>,
    /// Names of directories to leave out.
    exclude: &'static [&'static str],
    skipped: u64,
    failures: Vec<Failure>,
}

impl Walk {
    /// Begins at `root`, which may be a symlink, and need not be a directory. It is an error if it does not exist.
    pub(crate) fn new(root: &Path, exclude: &'static [&'static str]) -> io::Result<Self> {
        let kind = fs::metadata(root)?.file_type();
        let (mut single, mut pending, mut skipped) = (None, Vec::new(), 0);
        if kind.is_dir() {
            pending.push(root.to_owned());
        } else if kind.is_file() {
            single = Some(root.to_owned());
        } else {
            skipped = 1;
        }
        Ok(Self { single, pending, open: None, exclude, skipped, failures: Vec::new() })
    }

    /// How many symlinks and special files were met, and what could not be read.
    pub(crate) fn finish(self) -> (u64, Vec<Failure>) {
        (self.skipped, self.failures)
    }

    /// The next entry of the open directory or, that being done, of the next.
    fn next_entry(&mut self) -> Option<DirEntry> {
        loop {
            if let Some((dir, entries)) = &mut self.open {
                match entries.next() {
                    Some(Ok(entry)) => return Some(entry),
                    // A directory whose stream has failed once may fail for ever: it is left.
                    Some(Err(error)) => self.failures.push((dir.clone(), error)),
                    None => {}
                }
            }
            self.open = None;
            let dir = self.pending.pop()?;
            match fs::read_dir(&dir) {
                Ok(entries) => self.open = Some((dir, entries)),
                Err(error) => self.failures.push((dir, error)),
            }
        }
    }

    /// The entry's path, if it is a regular file.
    fn visit(&mut self, entry: &DirEntry, kind: FileType) -> Option<PathBuf> {
        if kind.is_file() {
            return Some(entry.path());
        }
        if !kind.is_dir() {
            self.skipped += 1;
        } else if !self.exclude.iter().any(|name| entry.file_name() == *name) {
            self.pending.push(entry.path());
        }
        None
    }
}

impl Iterator for Walk {
    type Item = PathBuf;

    fn next(&mut self) -> Option<PathBuf> {
        if let Some(file) = self.single.take() {
            return Some(file);
        }
        while let Some(entry) = self.next_entry() {
            match entry.file_type() {
                Ok(kind) => {
                    if let Some(file) = self.visit(&entry, kind) {
                        return Some(file);
                    }
                }
                Err(error) => self.failures.push((entry.path(), error)),
            }
        }
        None
    }
}
