//! The matrix: which link caught which mutant. Kept row by row while it grows, and written as a table at its end.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::io;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use crate::link::{DRAWS_MOST, Drawn, REAL_THREADS, Run, STORMS};
use crate::mutant::Mutant;

/// What is known of one mutant.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Row {
    /// A digest of the mutant and of the files that it changes: another one makes the row stale.
    pub(crate) digest: String,
    /// The day, as a number since 1970.
    pub(crate) day: u64,
    /// The link that caught it, or nothing.
    pub(crate) link: Option<String>,
    /// The test that did.
    pub(crate) by: String,
    /// In which execution.
    pub(crate) execution: Option<u64>,
    /// How long the tests of all links up to that ran, without the builds.
    pub(crate) seconds: f64,
    /// Whether the comparison with the reference pool was asked, whether it found the fault, and after how many seconds.
    pub(crate) differential: Option<Option<f64>>,
    /// If it did: what drawn scripts make of it, if they were asked.
    pub(crate) drawn: Option<Drawn>,
}

/// All rows, by the mutants' names, and the file where they are kept.
#[derive(Default)]
pub(crate) struct Matrix {
    rows: BTreeMap<String, Row>,
    file: PathBuf,
}

impl Row {
    /// A row of today.
    pub(crate) fn new(digest: String, link: &str, run: &Run, took: Duration) -> Self {
        let (link, by, execution) = match run {
            Run::Caught { by, execution } => (Some(link.to_owned()), by.clone(), *execution),
            Run::Passed | Run::Broken(_) => (None, String::new(), None),
        };
        Self { digest, day: today(), link, by, execution, seconds: took.as_secs_f64(), differential: None, drawn: None }
    }

    fn written(&self, name: &str) -> String {
        let execution = self.execution.map(|n| n.to_string()).unwrap_or_default();
        let link = self.link.as_deref().unwrap_or("");
        let by = self.by.replace('\t', " ");
        let differential = match self.differential {
            None => String::new(),
            Some(None) => "-".to_owned(),
            Some(Some(seconds)) => format!("{seconds:.2}"),
        };
        let drawn = match self.drawn {
            None => String::new(),
            Some(Drawn::Missed) => "\t-".to_owned(),
            Some(Drawn::Found) => "\t+".to_owned(),
            Some(Drawn::Shrunk { operations, seconds }) => format!("\t{operations} {seconds:.2}"),
        };
        let (digest, day, seconds) = (&self.digest, self.day, self.seconds);
        format!("{name}\t{digest}\t{day}\t{link}\t{by}\t{execution}\t{seconds:.2}\t{differential}{drawn}")
    }

    fn read(line: &str) -> Option<(String, Row)> {
        let mut parts = line.split('\t');
        let mut next = || parts.next();
        let name = next()?.to_owned();
        let (digest, day) = (next()?.to_owned(), next()?.parse().ok()?);
        let link = Some(next()?.to_owned()).filter(|link| !link.is_empty());
        let (by, execution, seconds) = (next()?.to_owned(), next()?.parse().ok(), next()?.parse().ok()?);
        let differential = match next() {
            None | Some("") => None,
            Some("-") => Some(None),
            Some(seconds) => Some(Some(seconds.parse().ok()?)),
        };
        let drawn = match next() {
            None => None,
            Some("-") => Some(Drawn::Missed),
            Some("+") => Some(Drawn::Found),
            Some(pair) => {
                let (operations, seconds) = pair.split_once(' ')?;
                Some(Drawn::Shrunk { operations: operations.parse().ok()?, seconds: seconds.parse().ok()? })
            }
        };
        Some((name, Row { digest, day, link, by, execution, seconds, differential, drawn }))
    }
}

impl Matrix {
    /// What `file` has kept.
    pub(crate) fn load(file: PathBuf) -> Self {
        let text = std::fs::read_to_string(&file).unwrap_or_default();
        Self { rows: text.lines().filter_map(Row::read).collect(), file }
    }

    /// The row of a mutant, if it is not stale.
    pub(crate) fn row(&self, name: &str, digest: &str) -> Option<&Row> {
        self.rows.get(name).filter(|row| row.digest == digest)
    }

    /// The link that caught a mutant when it was last run, stale or not.
    pub(crate) fn caught_by(&self, name: &str) -> Option<&str> {
        self.rows.get(name)?.link.as_deref()
    }

    /// Whether a mutant was caught, and will be again: not only by threads that really run in parallel, whose order no seed
    /// decides.
    pub(crate) fn is_sure(&self, name: &str) -> bool {
        let sure =
            |row: &Row| row.link.as_deref().is_some_and(|link| link != REAL_THREADS) && !row.by.starts_with(STORMS);
        self.rows.get(name).is_some_and(sure)
    }

    /// Whether there is a row of a mutant, stale or not.
    pub(crate) fn knows(&self, name: &str) -> bool {
        self.rows.contains_key(name)
    }

    /// Keeps a row.
    pub(crate) fn keep(&mut self, name: &str, row: Row) -> io::Result<()> {
        self.rows.insert(name.to_owned(), row);
        let text: String = self.rows.iter().map(|(name, row)| row.written(name) + "\n").collect();
        std::fs::write(&self.file, text)
    }

    /// The table of these mutants, each with its digest.
    pub(crate) fn table(&self, mutants: &[(Mutant, String)]) -> String {
        let mut sum = Sum::default();
        let mut rows = String::new();
        for (mutant, digest) in mutants {
            let row = self.rows.get(&mutant.name);
            sum.old += usize::from(row.is_some_and(|row| row.digest != *digest));
            let (link, by, when) = sum.verdict(row, mutant.equivalent.as_deref());
            let differential = sum.comparison(row, mutant.unseen.as_deref());
            let fault = mutant.fault.replace('|', "\\|");
            let _ = writeln!(rows, "| `{}` | {fault} | {link} | {by} | {when} | {differential} |", mutant.name);
        }
        let day = self.rows.values().map(|row| row.day).max().map(date).unwrap_or_default();
        let links: Vec<String> = sum.links.iter().map(|(link, count)| format!("{link} {count}")).collect();
        let caught: usize = sum.links.values().sum();
        let drawn = sum.drawn();
        let Sum { equivalent, survived, unknown, old, asked, compared, explained, .. } = sum;
        format!(
            "As of {day}: {} mutants, {caught} caught ({}), {equivalent} equivalent, {survived} survive, {unknown} not run \
             yet. {old} of the rows are from before the last change of the mutant or of a file that it changes. The \
             comparison with the reference pool was asked of {asked} and finds {compared}; of \
             {explained} of the others it is said why not.{drawn}\n\n\
             | mutant | fault | caught by | test | after | differential |\n|---|---|---|---|---|---|\n{rows}",
            mutants.len(),
            links.join(", "),
        )
    }
}

/// What the rows of a table come to.
#[derive(Default)]
struct Sum<'a> {
    /// How many each link has caught.
    links: BTreeMap<&'a str, usize>,
    equivalent: usize,
    survived: usize,
    unknown: usize,
    /// Of the rows, how many are stale.
    old: usize,
    /// Of how many the comparison with the reference pool was asked, and how many of those it found.
    asked: usize,
    compared: usize,
    /// Of how many of the others it is known why.
    explained: usize,
    /// What drawn scripts make of those that it finds, where they were asked.
    drawn: Vec<Drawn>,
}

impl<'a> Sum<'a> {
    /// What caught a mutant, which test, and when; or why nothing can.
    fn verdict(&mut self, row: Option<&'a Row>, why: Option<&str>) -> (String, String, String) {
        match (row, why) {
            (Some(row), _) if row.link.is_some() => {
                let link = row.link.as_deref().unwrap_or("");
                *self.links.entry(link).or_default() += 1;
                let execution = row.execution.map(|n| format!("execution {n}, ")).unwrap_or_default();
                (link.to_owned(), format!("`{}`", row.by), format!("{execution}{:.1} s", row.seconds))
            }
            (_, Some(why)) => {
                self.equivalent += 1;
                ("equivalent".to_owned(), why.to_owned(), String::new())
            }
            (Some(row), None) => {
                self.survived += 1;
                ("**survives**".to_owned(), String::new(), format!("{:.1} s", row.seconds))
            }
            (None, None) => {
                self.unknown += 1;
                ("not run yet".to_owned(), String::new(), String::new())
            }
        }
    }

    /// Whether the comparison with the reference pool finds a mutant, or why not.
    fn comparison(&mut self, row: Option<&Row>, why: Option<&str>) -> String {
        let Some(found) = row.and_then(|row| row.differential) else { return String::new() };
        self.asked += 1;
        self.compared += usize::from(found.is_some());
        let drawn = row.and_then(|row| row.drawn);
        self.drawn.extend(drawn);
        match (found, why) {
            (Some(seconds), _) => match drawn {
                None => format!("{seconds:.1} s"),
                Some(Drawn::Missed) => format!("{seconds:.1} s, not drawn"),
                Some(Drawn::Found) => format!("{seconds:.1} s, drawn"),
                Some(Drawn::Shrunk { operations, .. }) => format!("{seconds:.1} s, shrunk to {operations}"),
            },
            (None, Some(why)) => {
                self.explained += 1;
                format!("no: {why}")
            }
            (None, None) => "no".to_owned(),
        }
    }
}

impl Sum<'_> {
    /// What drawn scripts come to.
    fn drawn(&self) -> String {
        let (mut operations, mut seconds): (Vec<u32>, Vec<f64>) = self
            .drawn
            .iter()
            .filter_map(|drawn| match drawn {
                Drawn::Shrunk { operations, seconds } => Some((*operations, *seconds)),
                Drawn::Missed | Drawn::Found => None,
            })
            .unzip();
        operations.sort_unstable();
        seconds.sort_by(f64::total_cmp);
        let asked = self.drawn.len();
        let found = self.drawn.iter().filter(|drawn| **drawn != Drawn::Missed).count();
        let begin =
            format!(" Of {asked} of those that it finds, {DRAWS_MOST} drawn scripts find {found} without the seeds");
        match (operations.len(), operations.last(), seconds.last()) {
            _ if asked == 0 => String::new(),
            (shown, Some(longest), Some(slowest)) => format!(
                "{begin}, {shown} by a script that is then shrunk, to {} operations in the median and {longest} at most, {:.1} s \
                 after the first draw in the median and {slowest:.1} s at most.",
                operations[shown / 2],
                seconds[shown / 2],
            ),
            _ => format!("{begin}."),
        }
    }
}

/// A digest of some texts, the same on every machine.
pub(crate) fn digest<'a>(texts: impl IntoIterator<Item = &'a str>) -> String {
    // FNV-1a: not against an enemy, only against forgetting.
    let mut hash = 0xcbf2_9ce4_8422_2325_u64;
    for byte in texts.into_iter().flat_map(|text| text.bytes().chain([0])) {
        hash = (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3);
    }
    format!("{hash:016x}")
}

/// Days since 1970.
pub(crate) fn today() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs() / 86_400)
}

/// The date of a day since 1970.
fn date(day: u64) -> String {
    // The civil calendar from days, with years that begin in March.
    let day = day + 719_468;
    let era = day / 146_097;
    let of_era = day % 146_097;
    let year = (of_era - of_era / 1460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year + year / 4 - year / 100);
    let month = (5 * of_year + 2) / 153;
    let of_month = of_year - (153 * month + 2) / 5 + 1;
    let month = if month < 10 { month + 3 } else { month - 9 };
    let year = year + era * 400 + u64::from(month <= 2);
    format!("{year:04}-{month:02}-{of_month:02}")
}

/// Where the table goes: between these lines.
const MARKS: (&str, &str) = ("<!-- matrix -->\n", "<!-- /matrix -->\n");

/// Writes the table into the file that has a place for it.
pub(crate) fn publish(file: &Path, table: &str) -> io::Result<()> {
    let text = std::fs::read_to_string(file)?;
    let place = text.split_once(MARKS.0).and_then(|(before, rest)| Some((before, rest.split_once(MARKS.1)?.1)));
    let Some((before, after)) = place else {
        return Err(io::Error::other(format!("{} has no place for the matrix", file.display())));
    };
    std::fs::write(file, format!("{before}{}\n{table}\n{}{after}", MARKS.0, MARKS.1))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_row_survives_being_written() {
        let run = Run::Caught { by: "a test".to_owned(), execution: Some(7) };
        let row = Row::new(digest(["a"]), "loom", &run, Duration::from_millis(1250));
        for differential in [None, Some(None), Some(Some(2.5))] {
            let shrunk = Drawn::Shrunk { operations: 3, seconds: 0.5 };
            for drawn in [None, Some(Drawn::Missed), Some(Drawn::Found), Some(shrunk)] {
                let row = Row { differential, drawn, ..row.clone() };
                assert_eq!(Row::read(&row.written("kind/it")), Some(("kind/it".to_owned(), row)));
            }
        }
    }

    #[test]
    fn a_day_has_its_date() {
        assert_eq!(date(0), "1970-01-01");
        assert_eq!(date(11_016), "2000-02-29");
        assert_eq!(date(20_454), "2026-01-01");
    }

    #[test]
    fn digests_tell_texts_apart() {
        assert_ne!(digest(["a", "b"]), digest(["ab"]));
    }
}
