//! Where mutants are put through the links: a copy of the sources, and what has become of each so far.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use crate::limits::{Limits, UNTIMED};
use crate::link::{DIFFERENTIAL, LINKS, LOOM, Link, Run, drawn};
use crate::matrix::{Matrix, Row};
use crate::mutant::Mutant;
use crate::ordering;

/// What all copies share.
pub(crate) struct Office<'a> {
    pub(crate) root: &'a Path,
    pub(crate) limits: Limits,
    /// Only sees whether what was caught still is.
    pub(crate) rotates: bool,
    /// Asks, of those that another link has caught before, whether the comparison with the reference pool finds them.
    pub(crate) compares: bool,
    /// The mutants to be judged, and how many were begun.
    pub(crate) chosen: Vec<&'a Mutant>,
    pub(crate) book: Mutex<Book>,
}

/// What has become of the mutants.
#[derive(Default)]
pub(crate) struct Book {
    pub(crate) matrix: Matrix,
    pub(crate) begun: usize,
    pub(crate) survivors: usize,
    /// Mutants that do not apply, or do not compile, and links that do not pass as they are.
    pub(crate) errors: Vec<String>,
}

/// A copy of the sources in which one mutant after the other is judged.
pub(crate) struct Yard<'a> {
    office: &'a Office<'a>,
    copy: PathBuf,
}

/// A mutant and what it makes of the files.
struct Trial<'a> {
    mutant: &'a Mutant,
    files: Vec<(String, String)>,
    digest: String,
}

impl Office<'_> {
    pub(crate) fn book(&self) -> MutexGuard<'_, Book> {
        self.book.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<'a> Yard<'a> {
    pub(crate) fn new(office: &'a Office<'a>, copy: PathBuf) -> Self {
        Self { office, copy }
    }

    /// Judges mutants until all were begun.
    pub(crate) fn work(&self) {
        let open = self.copy.with_extension("open");
        if let Err(error) = self.open(&open) {
            self.office.book().errors.push(error);
            return;
        }
        self.judge_all();
        // Should it stay, the next run builds more than it has to.
        let _ = fs::remove_file(open);
    }

    fn judge_all(&self) {
        loop {
            let mut book = self.office.book();
            let Some(mutant) = self.office.chosen.get(book.begun) else { return };
            book.begun += 1;
            let number = book.begun;
            drop(book);
            let (survives, said) = match self.judge(mutant) {
                Ok((passed, said)) => (!passed, said),
                Err(error) => {
                    let said = format!("ERROR: {error}");
                    self.office.book().errors.push(error);
                    (false, said)
                }
            };
            self.office.book().survivors += usize::from(survives);
            println!("{number}/{} {}: {said}", self.office.chosen.len(), mutant.name);
        }
    }

    /// Begins a run in this copy, which `mark` marks until it ends. If the last one did not come to its end, a compiler may
    /// have been killed in the midst of a mutant, and would be seen to take parts of that for the sources as they are: it
    /// forgets what it knows.
    fn open(&self, mark: &Path) -> Result<(), String> {
        if mark.exists() {
            let _ = fs::remove_dir_all(self.copy.with_extension("target").join("debug/incremental"));
        }
        fs::write(mark, "").map_err(|error| format!("{}: {error}", mark.display()))?;
        self.fill()
    }

    /// Brings the copy up to date, leaving alone what has not changed, so that little is built again.
    fn fill(&self) -> Result<(), String> {
        let _ = fs::remove_dir_all(self.copy.join("tests"));
        copy(self.office.root, &self.copy).map_err(|error| format!("{}: {error}", self.copy.display()))
    }

    /// Puts one mutant through its links and keeps the row. Whether it was caught, or is explained; and what there is to say.
    fn judge(&self, mutant: &Mutant) -> Result<(bool, String), String> {
        let files = mutant.applied(self.office.root).map_err(|stale| stale.to_string())?;
        let digest = mutant.digest(&files);
        let explained = mutant.equivalent.as_ref();
        if let Some(why) = explained.filter(|_| !self.office.rotates && mutant.name.starts_with(ordering::KIND)) {
            return Ok((true, format!("equivalent: {why}")));
        }
        let trial = Trial { mutant, files, digest };
        let kept = self.office.book().matrix.row(&mutant.name, &trial.digest).cloned();
        // What survived is judged again: there may be a check for it by now.
        let kept = kept.filter(|row| !self.office.rotates && (row.link.is_some() || explained.is_some()));
        let was_kept = kept.is_some();
        let row = kept.map_or_else(|| self.chain(&trial), Ok);
        let asked = row.is_ok() && self.office.compares && trial.concerns(DIFFERENTIAL);
        let row =
            row.and_then(|row| if asked && row.differential.is_none() { self.compare(&trial, row) } else { Ok(row) });
        let row = row.and_then(|row| {
            let found = matches!(row.differential, Some(Some(_)));
            if asked && found && row.drawn.is_none() { self.draw(&trial, row) } else { Ok(row) }
        });
        self.restore(&trial.files)?;
        let row = row?;
        let mut said = match (&row.link, explained) {
            (Some(link), _) => format!("{link}, {} ({:.1} s)", row.by, row.seconds),
            (None, Some(why)) => format!("survives, as it should: {why}"),
            (None, None) => format!("SURVIVES ({:.1} s)", row.seconds),
        };
        if was_kept {
            said.push_str(" (kept)");
        }
        if let (Some(link), Some(why)) = (&row.link, explained) {
            return Err(format!("{} is said to be equivalent ({why}), but {link} catches it: {}", mutant.name, row.by));
        }
        if let (Some(why), Some(Some(_))) = (&mutant.unseen, row.differential) {
            return Err(format!("{} is said to be unseen by the comparison ({why}), which finds it", mutant.name));
        }
        let good = row.link.is_some() || explained.is_some();
        if !self.office.rotates {
            self.office.book().matrix.keep(&mutant.name, row).map_err(|error| error.to_string())?;
        }
        Ok((good, said))
    }

    /// Puts a mutant through its links until one catches it. The one that has caught it before, if any has, is the first.
    fn chain(&self, trial: &Trial<'_>) -> Result<Row, String> {
        let mut links: Vec<&Link> = LINKS.iter().filter(|link| trial.concerns(link.name)).collect();
        let before = self.office.book().matrix.caught_by(&trial.mutant.name).map(str::to_owned);
        links.sort_by_key(|link| Some(link.name) != before.as_deref());
        let mut total = Duration::ZERO;
        let mut compared = None;
        for link in links {
            let (run, took) = self.pass(trial, link)?;
            total += took;
            if link.name == DIFFERENTIAL {
                compared = Some(found(&run, took));
            }
            if run != Run::Passed {
                let row = Row::new(trial.digest.clone(), link.name, &run, total);
                return Ok(Row { differential: compared, ..row });
            }
        }
        let row = Row::new(trial.digest.clone(), "", &Run::Passed, total);
        Ok(Row { differential: compared, ..row })
    }

    /// Notes whether the comparison with the reference pool finds the mutant.
    fn compare(&self, trial: &Trial<'_>, row: Row) -> Result<Row, String> {
        let Some(link) = LINKS.iter().find(|link| link.name == DIFFERENTIAL) else { return Ok(row) };
        let (run, took) = self.pass(trial, link)?;
        Ok(Row { differential: Some(found(&run, took)), ..row })
    }

    /// Notes what drawn scripts make of the mutant.
    fn draw(&self, trial: &Trial<'_>, row: Row) -> Result<Row, String> {
        self.write(&trial.files)?;
        let drawn = drawn(&self.copy).map_err(|why| format!("{}: {why}", trial.mutant.name))?;
        Ok(Row { drawn: Some(drawn), ..row })
    }

    /// Puts a mutant through a link.
    fn pass(&self, trial: &Trial<'_>, link: &Link) -> Result<(Run, Duration), String> {
        let pieces = if trial.is_ordering() { ordering::pieces(&trial.mutant.hunks[0].file) } else { &[] };
        let as_they_are = || self.restore(&trial.files).map(|()| self.copy.as_path());
        // A rotation takes the word of the tests for it that the link passes.
        let timed = if self.office.rotates { UNTIMED } else { self.office.limits.of(link, as_they_are)? };
        // Of pieces no time is known.
        let limit = if trial.is_ordering() { UNTIMED } else { timed };
        self.write(&trial.files)?;
        match link.run(&self.copy, limit, pieces) {
            (Run::Broken(why), _) => Err(format!("{}: {why}", trial.mutant.name)),
            other => Ok(other),
        }
    }

    fn write(&self, files: &[(String, String)]) -> Result<(), String> {
        files.iter().try_for_each(|(file, text)| self.replace(file, text.as_bytes()))
    }

    fn restore(&self, files: &[(String, String)]) -> Result<(), String> {
        files.iter().try_for_each(|(file, _)| {
            let original = fs::read(self.office.root.join(file)).map_err(|error| format!("{file}: {error}"))?;
            self.replace(file, &original)
        })
    }

    fn replace(&self, file: &str, text: &[u8]) -> Result<(), String> {
        let path = self.copy.join(file);
        // What is written anew is built anew.
        if fs::read(&path).is_ok_and(|old| old == text) {
            return Ok(());
        }
        fs::write(&path, text).map_err(|error| format!("{file}: {error}"))
    }
}

impl Trial<'_> {
    fn is_ordering(&self) -> bool {
        self.mutant.name.starts_with(ordering::KIND)
    }

    /// Whether this mutant is put through a link.
    fn concerns(&self, name: &str) -> bool {
        let concerns =
            |link: &Link| link.name == name && self.mutant.hunks.iter().any(|hunk| link.concerns(&hunk.file));
        LINKS.iter().any(concerns) && (!self.is_ordering() || name == LOOM)
    }
}

/// After how many seconds a link has found a fault, if it has.
fn found(run: &Run, took: Duration) -> Option<f64> {
    (*run != Run::Passed).then_some(took.as_secs_f64())
}

/// Copies a directory, without what is built and what is hidden.
fn copy(from: &Path, to: &Path) -> std::io::Result<()> {
    fs::create_dir_all(to)?;
    for entry in fs::read_dir(from)? {
        let entry = entry?;
        let name = entry.file_name();
        if name.to_string_lossy().starts_with('.') || name == "target" {
            continue;
        }
        let target = to.join(&name);
        if entry.file_type()?.is_dir() {
            copy(&entry.path(), &target)?;
        } else {
            let text = fs::read(entry.path())?;
            if fs::read(&target).ok().as_ref() != Some(&text) {
                fs::write(&target, text)?;
            }
        }
    }
    Ok(())
}
