//! Puts small deliberate faults into copies of the sources and sees which link of the chain of evidence notices each.
//!
//! ```text
//! cargo run --release -p copool-model --bin mutants                  all of them, going on where the last run stopped
//! cargo run --release -p copool-model --bin mutants -- NAME…         those whose names contain one of these words
//! cargo run --release -p copool-model --bin mutants -- --rotate 10   ten that were caught, others every day: they still are
//! cargo run --release -p copool-model --bin mutants -- --list        what there is
//! cargo run --release -p copool-model --bin mutants -- --table       writes the matrix of what is known
//! ```
//!
//! A link is a set of tests ([`link::LINKS`]). Before the first mutant each link has to pass on the sources as they are, and
//! the time that takes sets the limit beyond which a mutant counts as caught because it hangs. The rows are kept in
//! `model/mutants/matrix.tsv`, and the matrix that people read is made of them, `model/MUTANTS.md`; a row is stale once the
//! mutant or a file that it changes is another. A mutant that does not apply, or does not compile, is an error.
//!
//! `--rotate` is for after the tests have passed: it takes their word for the sources as they are, and begins with the link
//! that has caught the mutant before.
#![forbid(unsafe_code)]

mod link;
mod matrix;
mod mutant;
mod ordering;

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

use link::{LINKS, LOOM, Link, Run};
use matrix::{Matrix, Row, digest, publish, today};
use mutant::{Mutant, Stale};

/// What there is to do.
struct Wanted {
    words: Vec<String>,
    rotate: Option<usize>,
    list: bool,
    table: bool,
}

/// The directory in which everything happens.
struct Yard {
    root: PathBuf,
    copy: PathBuf,
    limits: BTreeMap<&'static str, Duration>,
    /// Only sees whether what was caught still is.
    rotates: bool,
}

/// For how long a link may run if it was not timed.
const UNTIMED: Duration = Duration::from_secs(900);

fn main() -> ExitCode {
    match run() {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::FAILURE
        }
    }
}

fn run() -> Result<bool, String> {
    let wanted = wanted()?;
    let root = root();
    let all = all(&root).map_err(|stale| stale.to_string())?;
    if wanted.list {
        all.iter().for_each(|mutant| println!("{}: {}", mutant.name, mutant.fault));
        println!("{} mutants", all.len());
        return Ok(true);
    }
    let yard = root.join("target/mutants");
    fs::create_dir_all(&yard).map_err(|error| format!("{}: {error}", yard.display()))?;
    let mut matrix = Matrix::load(root.join("model/mutants/matrix.tsv"));
    let mut survivors = 0;
    if !wanted.table {
        let chosen = wanted.choose(&all, &matrix);
        if chosen.is_empty() {
            return Err("no mutant has such a name; --list shows them".to_owned());
        }
        let limits = BTreeMap::new();
        let mut yard = Yard { copy: yard.join("copy"), root: root.clone(), limits, rotates: wanted.rotate.is_some() };
        yard.fill()?;
        for (number, mutant) in chosen.iter().enumerate() {
            print!("{}/{} {}", number + 1, chosen.len(), mutant.name);
            survivors += usize::from(!yard.judge(mutant, &mut matrix)?);
        }
        println!("mutants: {} judged, {survivors} survive unexplained", chosen.len());
    }
    if wanted.rotate.is_none() {
        let rows: Vec<_> = all.iter().map(|m| (m.name.clone(), m.fault.clone(), m.equivalent.clone())).collect();
        let file = root.join("model/MUTANTS.md");
        publish(&file, &matrix.table(&rows)).map_err(|error| error.to_string())?;
        println!("the matrix is in {}", file.display());
    }
    Ok(survivors == 0)
}

fn wanted() -> Result<Wanted, String> {
    let mut wanted = Wanted { words: Vec::new(), rotate: None, list: false, table: false };
    let mut arguments = std::env::args().skip(1);
    while let Some(argument) = arguments.next() {
        match argument.as_str() {
            "--list" => wanted.list = true,
            "--table" => wanted.table = true,
            "--rotate" => {
                let count = arguments.next().and_then(|count| count.parse().ok());
                wanted.rotate = Some(count.ok_or("--rotate wants a number")?);
            }
            _ if argument.starts_with('-') => {
                return Err(format!("{argument} is no option; see the head of the source"));
            }
            _ => wanted.words.push(argument),
        }
    }
    Ok(wanted)
}

impl Wanted {
    fn choose<'a>(&self, all: &'a [Mutant], matrix: &Matrix) -> Vec<&'a Mutant> {
        let named = |mutant: &&Mutant| {
            let meant = self.words.is_empty() || self.words.iter().any(|word| mutant.name.contains(word.as_str()));
            meant && (self.rotate.is_none() || matrix.caught_by(&mutant.name).is_some())
        };
        let chosen: Vec<&Mutant> = all.iter().filter(named).collect();
        let Some(count) = self.rotate.filter(|count| *count < chosen.len()) else { return chosen };
        // A stride that meets every kind, and every mutant in the course of the days.
        let first = usize::try_from(today()).unwrap_or(0);
        let stride = chosen.len().div_ceil(count);
        (0..count).map(|n| chosen[(first + n * stride) % chosen.len()]).collect()
    }
}

/// The root of the repository.
fn root() -> PathBuf {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    here.parent().unwrap_or(here).to_owned()
}

/// Every mutant there is, by kinds.
fn all(root: &Path) -> Result<Vec<Mutant>, Stale> {
    let directory = root.join("model/mutants");
    let unreadable = |error: std::io::Error| Stale(format!("{}: {error}", directory.display()));
    let mut files: Vec<PathBuf> = fs::read_dir(&directory)
        .map_err(unreadable)?
        .filter_map(|entry| entry.ok().map(|entry| entry.path()))
        .filter(|path| path.extension().is_some_and(|extension| extension == "txt"))
        .collect();
    files.sort();
    let mut mutants = Vec::new();
    for file in files {
        let kind = file.file_stem().unwrap_or_default().to_string_lossy().into_owned();
        mutants.extend(Mutant::parse(&kind, &fs::read_to_string(&file).map_err(unreadable)?)?);
    }
    mutants.extend(ordering::mutants(root)?);
    explain(&mut mutants, &fs::read_to_string(directory.join("equivalent")).map_err(unreadable)?)?;
    Ok(mutants)
}

/// Notes why nothing can tell some generated mutants from the original: lines of a name, a colon and the reason.
fn explain(mutants: &mut [Mutant], text: &str) -> Result<(), Stale> {
    for line in text.lines().filter(|line| !line.is_empty() && !line.starts_with('#')) {
        let found = line.split_once(": ").and_then(|(name, why)| {
            let mutant = mutants.iter_mut().find(|mutant| mutant.name == name)?;
            mutant.equivalent = Some(why.to_owned());
            Some(())
        });
        found.ok_or_else(|| Stale(format!("model/mutants/equivalent names no mutant: {line}")))?;
    }
    Ok(())
}

impl Yard {
    /// Brings the copy up to date, leaving alone what has not changed, so that little is built again.
    fn fill(&self) -> Result<(), String> {
        let _ = fs::remove_dir_all(self.copy.join("tests"));
        copy(&self.root, &self.copy).map_err(|error| format!("{}: {error}", self.copy.display()))
    }

    /// Puts one mutant through its links and keeps the row. Whether it was caught, or is explained.
    fn judge(&mut self, mutant: &Mutant, matrix: &mut Matrix) -> Result<bool, String> {
        let files = mutant.applied(&self.root).map_err(|stale| stale.to_string())?;
        let texts = files.iter().map(|(_, text)| text.as_str());
        let digest = digest([mutant.fault.as_str()].into_iter().chain(texts));
        if let Some(why) =
            mutant.equivalent.as_ref().filter(|_| !self.rotates && mutant.name.starts_with(ordering::KIND))
        {
            println!(": equivalent: {why}");
            return Ok(true);
        }
        if let Some(row) = matrix.row(&mutant.name, &digest).filter(|_| !self.rotates) {
            println!(": {} (kept)", row.link.as_deref().unwrap_or("survived"));
            return Ok(row.link.is_some() || mutant.equivalent.is_some());
        }
        let concerned = |link: &&'static Link| {
            let orderings = mutant.name.starts_with(ordering::KIND);
            mutant.hunks.iter().any(|hunk| link.concerns(&hunk.file)) && (!orderings || link.name == LOOM)
        };
        let mut links: Vec<&'static Link> = LINKS.iter().filter(concerned).collect();
        let caught = matrix.caught_by(&mutant.name).map(str::to_owned);
        if self.rotates {
            links.sort_by_key(|link| Some(link.name) != caught.as_deref());
        }
        let row = self.chain(mutant, &files, &links, digest);
        self.restore(&files)?;
        let row = row?;
        let caught = row.link.is_some();
        match (&row.link, &mutant.equivalent) {
            (Some(link), _) => println!(": {link}, {} ({:.1} s)", row.by, row.seconds),
            (None, Some(why)) => println!(": survives, as it should: {why}"),
            (None, None) => println!(": SURVIVES ({:.1} s)", row.seconds),
        }
        if !self.rotates {
            matrix.keep(&mutant.name, row).map_err(|error| error.to_string())?;
        }
        Ok(caught || mutant.equivalent.is_some())
    }

    fn chain(
        &mut self,
        mutant: &Mutant,
        files: &[(String, String)],
        links: &[&'static Link],
        digest: String,
    ) -> Result<Row, String> {
        let mut total = Duration::ZERO;
        for link in links {
            let timed = self.limits.contains_key(link.name) || mutant.name.starts_with(ordering::KIND);
            if !self.rotates && !timed {
                self.restore(files)?;
                self.limit(link)?;
            }
            self.write(files)?;
            let limit = self.limits.get(link.name).copied().unwrap_or(UNTIMED);
            let pieces =
                if mutant.name.starts_with(ordering::KIND) { ordering::pieces(&mutant.hunks[0].file) } else { &[] };
            let (run, took) = link.run(&self.copy, limit, pieces);
            total += took;
            match run {
                Run::Broken(errors) => return Err(format!("{} does not compile: {errors}", mutant.name)),
                Run::Caught { .. } => return Ok(Row::new(digest, link.name, &run, total)),
                Run::Passed => {}
            }
        }
        Ok(Row::new(digest, "", &Run::Passed, total))
    }

    /// Runs a link on the sources as they are, once: it has to pass, and the time sets the limit.
    fn limit(&mut self, link: &'static Link) -> Result<(), String> {
        if self.limits.contains_key(link.name) {
            return Ok(());
        }
        match link.run(&self.copy, Duration::from_secs(1800), &[]) {
            (Run::Passed, took) => {
                eprintln!("\n{} passes on the sources as they are, in {:.0} s", link.name, took.as_secs_f64());
                self.limits.insert(link.name, took * 3 + Duration::from_secs(30));
                Ok(())
            }
            (run, _) => Err(format!("{} does not pass on the sources as they are: {run:?}", link.name)),
        }
    }

    fn write(&self, files: &[(String, String)]) -> Result<(), String> {
        // What is written anew is built anew.
        let differs =
            |(file, text): &&(String, String)| fs::read_to_string(self.copy.join(file)).ok().as_ref() != Some(text);
        files.iter().filter(differs).try_for_each(|(file, text)| {
            fs::write(self.copy.join(file), text).map_err(|error| format!("{file}: {error}"))
        })
    }

    fn restore(&self, files: &[(String, String)]) -> Result<(), String> {
        files.iter().try_for_each(|(file, _)| {
            let original = fs::read(self.root.join(file)).map_err(|error| format!("{file}: {error}"))?;
            fs::write(self.copy.join(file), original).map_err(|error| format!("{file}: {error}"))
        })
    }
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_mutant_applies_and_has_a_name_of_its_own() {
        let all = all(&root()).unwrap_or_else(|stale| panic!("{stale}"));
        let mut names = std::collections::BTreeSet::new();
        let mut stale = Vec::new();
        for mutant in &all {
            assert!(names.insert(&mutant.name), "two mutants are called {}", mutant.name);
            let differs =
                |(file, text): &(String, String)| fs::read_to_string(root().join(file)).is_ok_and(|o| o != *text);
            match mutant.applied(&root()) {
                Ok(files) if files.iter().all(differs) => {}
                Ok(_) => stale.push(format!("{}: changes nothing", mutant.name)),
                Err(why) => stale.push(why.to_string()),
            }
        }
        assert!(stale.is_empty(), "{} mutants are stale:\n{}", stale.len(), stale.join("\n"));
        assert!(all.len() > 100, "only {} mutants", all.len());
    }
}
