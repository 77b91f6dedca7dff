//! Puts small deliberate faults into copies of the sources and sees which link of the chain of evidence notices each.
//!
//! ```text
//! cargo run --release -p copool-model --bin mutants                  all of them, going on where the last run stopped
//! cargo run --release -p copool-model --bin mutants -- NAME…         those whose names contain one of these words
//! cargo run --release -p copool-model --bin mutants -- --rotate 10   ten that were caught, others every day: they still are
//! cargo run --release -p copool-model --bin mutants -- --list        what there is
//! cargo run --release -p copool-model --bin mutants -- --table       writes the matrix of what is known
//! … --jobs 2          two at a time, each in a copy of its own with what is built from it
//! … --differential    asks the comparison with the reference pool, too, of those that another link catches before it; and of
//!                     those that it finds, whether drawn scripts do, and to what those are shrunk
//! ```
//!
//! A link is a set of tests ([`link::LINKS`]). Before the first mutant each link has to pass on the sources as they are, and
//! the time that takes sets the limit beyond which a mutant counts as caught because it hangs. The link that has caught a
//! mutant before goes first. The rows are kept in `model/mutants/matrix.tsv`, and the matrix that people read is made of them,
//! `model/MUTANTS.md`; a row is stale once the mutant or the code of a file that it changes is another. A mutant that does not apply, or
//! does not compile, is an error; the others are judged all the same.
//!
//! `--rotate` is for after the tests have passed: it takes their word for the sources as they are. It chooses none that only
//! logs or storms of threads which run in parallel have caught. Scripts and schedules are drawn from fixed seeds, so what was
//! caught is caught again; only a few properties of the unit tests, of plain values without a thread, draw at random.
#![forbid(unsafe_code)]

mod limits;
mod link;
mod matrix;
mod mutant;
mod ordering;
mod yard;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::{Mutex, PoisonError};
use std::thread;

use limits::Limits;
use matrix::{Matrix, publish, today};
use mutant::{Mutant, Stale};
use yard::{Book, Office, Yard};

/// What there is to do.
struct Wanted {
    words: Vec<String>,
    rotate: Option<usize>,
    list: bool,
    table: bool,
    differential: bool,
    jobs: usize,
}

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
    let mut book = Book { matrix: Matrix::load(root.join("model/mutants/matrix.tsv")), ..Book::default() };
    if !wanted.table {
        let chosen = wanted.choose(&all, &book.matrix);
        if chosen.is_empty() {
            return Err("no mutant has such a name; --list shows them".to_owned());
        }
        book = judge(&wanted, &root, chosen, book)?;
    }
    if wanted.rotate.is_none() {
        let digest = |mutant: &Mutant| mutant.applied(&root).map(|files| mutant.digest(&files));
        let rows: Vec<_> = all
            .iter()
            .map(|mutant| (mutant.clone(), digest(mutant).unwrap_or_else(|stale| stale.to_string())))
            .collect();
        let file = root.join("model/MUTANTS.md");
        publish(&file, &book.matrix.table(&rows)).map_err(|error| error.to_string())?;
        println!("the matrix is in {}", file.display());
    }
    if book.errors.is_empty() { Ok(book.survivors == 0) } else { Err(book.errors.join("\nerror: ")) }
}

/// Judges the chosen ones, in as many copies as there are jobs.
fn judge(wanted: &Wanted, root: &Path, chosen: Vec<&Mutant>, book: Book) -> Result<Book, String> {
    let yard = root.join("target/mutants");
    fs::create_dir_all(&yard).map_err(|error| format!("{}: {error}", yard.display()))?;
    let limits = Limits::new(root, &yard);
    let (rotates, compares) = (wanted.rotate.is_some(), wanted.differential);
    let office = Office { root, limits, rotates, compares, chosen, book: Mutex::new(book) };
    thread::scope(|scope| {
        for job in 0..wanted.jobs.max(1) {
            let name = if job == 0 { "copy".to_owned() } else { format!("copy-{}", job + 1) };
            let yard = Yard::new(&office, yard.join(name));
            scope.spawn(move || yard.work());
        }
    });
    let judged = office.chosen.len();
    let book = office.book.into_inner().unwrap_or_else(PoisonError::into_inner);
    println!("mutants: {judged} judged, {} survive unexplained", book.survivors);
    Ok(book)
}

fn wanted() -> Result<Wanted, String> {
    let mut wanted =
        Wanted { words: Vec::new(), rotate: None, list: false, table: false, differential: false, jobs: 1 };
    let mut arguments = std::env::args().skip(1);
    while let Some(argument) = arguments.next() {
        let mut number = || arguments.next().and_then(|n| n.parse().ok()).ok_or(format!("{argument} wants a number"));
        match argument.as_str() {
            "--list" => wanted.list = true,
            "--table" => wanted.table = true,
            "--differential" => wanted.differential = true,
            "--rotate" => wanted.rotate = Some(number()?),
            "--jobs" => wanted.jobs = number()?,
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
            meant && (self.rotate.is_none() || matrix.is_sure(&mutant.name))
        };
        let mut chosen: Vec<&Mutant> = all.iter().filter(named).collect();
        // What nothing is known of comes first, unless a stride is to meet every kind.
        chosen.sort_by_key(|mutant| self.rotate.is_none() && matrix.knows(&mutant.name));
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
    let reasons = |name: &str| fs::read_to_string(directory.join(name)).map_err(unreadable);
    explain(&mut mutants, &reasons("equivalent")?, |mutant| &mut mutant.equivalent)?;
    explain(&mut mutants, &reasons("unseen")?, |mutant| &mut mutant.unseen)?;
    Ok(mutants)
}

/// Notes why nothing, or not the comparison, tells some mutants from the original: lines of a name, a colon and the reason.
fn explain(mutants: &mut [Mutant], text: &str, place: fn(&mut Mutant) -> &mut Option<String>) -> Result<(), Stale> {
    for line in text.lines().filter(|line| !line.is_empty() && !line.starts_with('#')) {
        let found = line.split_once(": ").and_then(|(name, why)| {
            let mutant = mutants.iter_mut().find(|mutant| mutant.name == name)?;
            *place(mutant) = Some(why.to_owned());
            Some(())
        });
        found.ok_or_else(|| Stale(format!("a reason in model/mutants names no mutant: {line}")))?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rotation_chooses_what_was_caught_but_not_by_luck() {
        let texts = ["one", "two", "three"].map(|name| format!("== {name}\nA fault.\n@@ a.rs\n-x\n"));
        let all = Mutant::parse("kind", &texts.concat()).unwrap();
        let mut matrix = Matrix::default();
        let by = ["a test", "another", "storms::a_test"];
        for ((name, link), by) in
            [("kind/one", link::LOOM), ("kind/two", link::REAL_THREADS), ("kind/three", "tests")].into_iter().zip(by)
        {
            let run = link::Run::Caught { by: by.to_owned(), execution: None };
            // It has no file, and keeps the row all the same.
            let _unwritten = matrix.keep(name, matrix::Row::new(String::new(), link, &run, std::time::Duration::ZERO));
        }
        let wanted =
            Wanted { words: Vec::new(), rotate: Some(10), list: false, table: false, differential: false, jobs: 1 };
        let chosen: Vec<_> = wanted.choose(&all, &matrix).iter().map(|mutant| mutant.name.as_str()).collect();
        assert_eq!(chosen, ["kind/one"]);
    }

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
