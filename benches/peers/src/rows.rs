//! The rows of the table: what each contestant came to in each figure of each workload, and where they are kept.
//!
//! `benches/results/peers.tsv` has one row a line, and is written again whenever a workload is done; workloads that were not
//! run keep their rows.

use std::path::{Path, PathBuf};
use std::{fmt, fs, io};

use crate::contestant::OURS;
use copool_peers::measure::quantile;
use copool_peers::workload;

/// What a contestant came to in one figure.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Row {
    pub(crate) workload: String,
    pub(crate) contestant: String,
    /// The figure's name; empty if there is none.
    pub(crate) figure: String,
    /// Median, lower and upper quartile over the rounds.
    pub(crate) spread: Option<[f64; 3]>,
    pub(crate) rounds: usize,
    /// Of them, those that failed.
    pub(crate) failed: usize,
    pub(crate) note: String,
}

impl Row {
    /// The spread of the values.
    pub(crate) fn spread(mut values: Vec<f64>) -> Option<[f64; 3]> {
        (!values.is_empty()).then(|| [0.5, 0.25, 0.75].map(|share| quantile(&mut values, share)))
    }

    fn parse(line: &str) -> Option<Self> {
        let fields: Vec<_> = line.split('\t').collect();
        let [workload, contestant, figure, median, low, high, rounds, failed, note] = fields[..] else { return None };
        let spread = match [median, low, high].map(str::parse) {
            [Ok(median), Ok(low), Ok(high)] => Some([median, low, high]),
            _ => None,
        };
        Some(Self {
            workload: workload.into(),
            contestant: contestant.into(),
            figure: figure.into(),
            spread,
            rounds: rounds.parse().ok()?,
            failed: failed.parse().ok()?,
            note: note.into(),
        })
    }

    /// What stands in the table: the median, how many times ours it is, and whatever has gone wrong.
    pub(crate) fn cell(&self, rows: &[Self]) -> String {
        let Some([median, ..]) = self.spread else {
            return if self.failed > 0 { String::from("failed") } else { String::from("–") };
        };
        let mut cell = number(median);
        if let Some(ratio) = self.ratio(rows) {
            cell += &format!(" ({} x)", number(ratio));
        }
        if self.failed > 0 {
            cell += &format!(", failed {} of {}", self.failed, self.rounds);
        }
        cell
    }

    /// How many times our median this one is.
    pub(crate) fn ratio(&self, rows: &[Self]) -> Option<f64> {
        let same = |row: &&Self| row.contestant == OURS && row.workload == self.workload && row.figure == self.figure;
        let [ours, ..] = rows.iter().find(same)?.spread?;
        (self.contestant != OURS && ours > 0.0).then_some(self.spread?[0] / ours)
    }
}

impl fmt::Display for Row {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}\t{}\t{}\t", self.workload, self.contestant, self.figure)?;
        match self.spread {
            Some([median, low, high]) => write!(f, "{median:.3}\t{low:.3}\t{high:.3}")?,
            None => f.write_str("\t\t")?,
        }
        write!(f, "\t{}\t{}\t{}", self.rounds, self.failed, self.note)
    }
}

/// Three significant digits, as far as they are before the point.
pub(crate) fn number(value: f64) -> String {
    let digits = match value.abs() {
        value if value >= 99.95 => return grouped(value.round() as u64),
        value if value >= 9.995 => 1,
        value if value < 0.0995 => 3,
        _ => 2,
    };
    format!("{value:.digits$}")
}

fn grouped(value: u64) -> String {
    let digits = value.to_string();
    let mut text = String::new();
    for (i, digit) in digits.chars().enumerate() {
        if i > 0 && (digits.len() - i).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// Where the results are kept.
pub(crate) fn directory() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../results")
}

const HEADER: &str = "# workload\tcontestant\tfigure\tmedian\tlower quartile\tupper quartile\trounds\tfailed\tnote";

/// The rows that are kept.
pub(crate) fn load() -> Vec<Row> {
    let text = fs::read_to_string(directory().join("peers.tsv")).unwrap_or_default();
    text.lines().filter(|line| !line.starts_with('#')).filter_map(Row::parse).collect()
}

/// Puts the rows of a workload in place of those that were kept of it, and keeps them all.
pub(crate) fn keep(rows: &mut Vec<Row>, workload: &str, new: Vec<Row>) -> io::Result<()> {
    rows.retain(|row| row.workload != workload);
    rows.extend(new);
    // In the order of the table; within a workload they stay as they came.
    rows.sort_by_key(|row| workload::ALL.iter().position(|(name, ..)| *name == row.workload));
    let lines = rows.iter().map(ToString::to_string);
    let text: Vec<_> = [String::from(HEADER)].into_iter().chain(lines).chain([String::new()]).collect();
    fs::create_dir_all(directory())?;
    fs::write(directory().join("peers.tsv"), text.join("\n"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_row_is_read_as_it_was_written() {
        let row = Row {
            workload: String::from("spawn"),
            contestant: String::from("tokio"),
            figure: String::from("ns"),
            spread: Some([1.5, 1.0, 2.25]),
            rounds: 7,
            failed: 1,
            note: String::from("a note"),
        };
        assert_eq!(Row::parse(&row.to_string()), Some(row.clone()));
        let failed = Row { spread: None, ..row };
        assert_eq!(Row::parse(&failed.to_string()), Some(failed));
    }

    #[test]
    fn numbers_have_few_digits_or_all_before_the_point() {
        assert_eq!([0.0123, 1.234, 12.34, 123.4].map(number), ["0.012", "1.23", "12.3", "123"]);
        assert_eq!(number(1_234_567.0), "1,234,567");
    }
}
