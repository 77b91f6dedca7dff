//! How long each link takes on the sources as they are: it has to pass there, and a mutant may take a few times as long.
//!
//! What was measured is kept beside the copies, and measured again once a source changes that the link is made of.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use crate::link::{LINKS, Link, Run};
use crate::matrix::digest;

/// For how long a link may run if it was not timed.
pub(crate) const UNTIMED: Duration = Duration::from_secs(900);

/// The times of the links, shared by all who put mutants through them.
pub(crate) struct Limits {
    root: PathBuf,
    /// Where they are kept.
    file: PathBuf,
    /// For each link. Whoever measures one holds it, and no other.
    times: Mutex<BTreeMap<&'static str, Slot>>,
}

/// A time, once it is known.
type Slot = Arc<Mutex<Option<Duration>>>;

impl Limits {
    pub(crate) fn new(root: &Path, yard: &Path) -> Self {
        Self { root: root.to_owned(), file: yard.join("limits.tsv"), times: Mutex::default() }
    }

    /// The limit of a link. Unless it was run before, it is run for that in the copy that `as_they_are` gives, which has the
    /// sources as they are.
    pub(crate) fn of<'a>(
        &self,
        link: &Link,
        as_they_are: impl FnOnce() -> Result<&'a Path, String>,
    ) -> Result<Duration, String> {
        let slot = Arc::clone(self.times.lock().unwrap_or_else(PoisonError::into_inner).entry(link.name).or_default());
        let mut time = slot.lock().unwrap_or_else(PoisonError::into_inner);
        let took = match *time {
            Some(took) => took,
            None => {
                let sources = self.sources(link).map_err(|error| error.to_string())?;
                match self.kept(link.name, &sources) {
                    Some(took) => took,
                    None => {
                        let took = measure(link, as_they_are()?)?;
                        self.keep(link.name, &sources, took);
                        took
                    }
                }
            }
        };
        *time = Some(took);
        Ok(took * 3 + Duration::from_secs(30))
    }

    /// A digest of all that the link is made of. That is no binary of the model's.
    fn sources(&self, link: &Link) -> std::io::Result<String> {
        let mut texts = Vec::new();
        for directory in ["src", "spec/src", "model/src", "tests"] {
            read(&self.root.join(directory), &mut texts)?;
        }
        let tests = self.root.join("tests");
        let own = |path: &Path| match path.strip_prefix(&tests).ok().and_then(|path| path.components().next()) {
            // What no link names is shared.
            Some(first) => {
                let names = |link: &Link| Path::new(&first).file_stem().is_some_and(|stem| link.names(stem));
                names(link) || !LINKS.iter().any(names)
            }
            None => true,
        };
        let binaries = self.root.join("model/src/bin");
        let part = |path: &Path| own(path) && !path.starts_with(&binaries);
        Ok(digest(texts.iter().filter(|(path, _)| part(path)).map(|(_, text)| text.as_str())))
    }

    fn kept(&self, name: &str, sources: &str) -> Option<Duration> {
        let text = fs::read_to_string(&self.file).ok()?;
        let row = text.lines().rev().find_map(|line| line.strip_prefix(&format!("{name}\t{sources}\t")))?;
        Some(Duration::from_secs_f64(row.parse().ok()?))
    }

    fn keep(&self, name: &str, sources: &str, took: Duration) {
        let _whole = self.times.lock().unwrap_or_else(PoisonError::into_inner);
        let text = fs::read_to_string(&self.file).unwrap_or_default();
        // Without it, it is measured again.
        let _ = fs::write(&self.file, format!("{text}{name}\t{sources}\t{:.1}\n", took.as_secs_f64()));
    }
}

fn measure(link: &Link, copy: &Path) -> Result<Duration, String> {
    match link.run(copy, Duration::from_secs(1800), &[]) {
        (Run::Passed, took) => {
            eprintln!("{} passes on the sources as they are, in {:.0} s", link.name, took.as_secs_f64());
            Ok(took)
        }
        (run, _) => Err(format!("{} does not pass on the sources as they are: {run:?}", link.name)),
    }
}

/// All texts below a directory, in the order of their names.
fn read(directory: &Path, texts: &mut Vec<(PathBuf, String)>) -> std::io::Result<()> {
    let mut paths =
        fs::read_dir(directory)?.map(|entry| entry.map(|entry| entry.path())).collect::<Result<Vec<_>, _>>()?;
    paths.sort();
    for path in paths {
        if path.is_dir() {
            read(&path, texts)?;
        } else {
            let text = String::from_utf8_lossy(&fs::read(&path)?).into_owned();
            texts.push((path, text));
        }
    }
    Ok(())
}
