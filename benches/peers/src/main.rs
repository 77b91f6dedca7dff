//! copool beside its rivals: the same work on each side, in turns, each round in a process of its own.
//!
//! `cargo run --release --manifest-path benches/peers/Cargo.toml -- [WORKLOAD…] [--rounds N] [--json]` runs the workloads
//! named, or all, and prints the table; `-- kept` prints that of all rows that are kept; `-- third-opinion [SCRIPTS]`
//! compares results and order with open-coroutine-core; `-- growth` draws how copool's own costs grow. `benches/README.md` says what the figures are.

mod contained;
mod contestant;
mod growth;
mod growth_plot;
mod on_corosensei;
mod on_may;
mod on_rayon;
mod on_tokio;
mod ours;
mod plot;
mod report;
mod rows;
mod third_opinion;

use std::collections::BTreeMap;
use std::env;
use std::error::Error;
use std::process::ExitCode;

use contained::Answer;
use contestant::Programs;
use copool_peers::workload;
use rows::Row;

const ROUNDS: usize = 7;
/// So many scripts the third opinion is asked about.
const SCRIPTS: u64 = 1_000;
/// A rival that fails so often in a workload is not tried again there.
const FAILURES: usize = 2;

/// What a contestant has come to so far in a workload.
#[derive(Default)]
struct Tally {
    /// The figures in the order in which they are printed, each with its values.
    figures: Vec<(String, Vec<f64>)>,
    rounds: usize,
    failed: usize,
    note: String,
    not_offered: bool,
}

impl Tally {
    fn add(&mut self, answer: Answer) {
        self.rounds += 1;
        match answer {
            Answer::Measured { values, note } => {
                for (name, value) in values {
                    match self.figures.iter_mut().find(|(known, _)| *known == name) {
                        Some((_, values)) => values.push(value),
                        None => self.figures.push((name, vec![value])),
                    }
                }
                self.note = note.unwrap_or_default();
            }
            Answer::NotOffered(reason) => (self.note, self.not_offered) = (reason, true),
            Answer::Failed(reason) => {
                self.failed += 1;
                self.note = reason;
            }
        }
    }

    fn goes_on(&self) -> bool {
        !self.not_offered && self.failed < FAILURES
    }

    fn rows(self, workload: &str, contestant: &str) -> Vec<Row> {
        let row = |(figure, values)| Row {
            workload: String::from(workload),
            contestant: String::from(contestant),
            figure,
            spread: Row::spread(values),
            rounds: self.rounds,
            failed: self.failed,
            note: self.note.replace('\t', " "),
        };
        if self.figures.is_empty() {
            return vec![row((String::new(), Vec::new()))];
        }
        self.figures.into_iter().map(row).collect()
    }
}

/// All rounds of a workload, the contestants in turns.
fn run(workload: &str, rounds: usize, programs: &Programs) -> Vec<Row> {
    let mut tallies: BTreeMap<usize, Tally> = BTreeMap::new();
    for _ in 0..rounds {
        for (i, contestant) in contestant::ALL.into_iter().enumerate() {
            let Some(command) = programs.command(workload, contestant) else { continue };
            let tally = tallies.entry(i).or_default();
            if tally.goes_on() {
                tally.add(contained::run(command));
            }
        }
    }
    tallies.into_iter().flat_map(|(i, tally)| tally.rows(workload, contestant::ALL[i])).collect()
}

/// What the command line asks for.
struct Asked {
    workloads: Vec<String>,
    rounds: usize,
    json: bool,
}

fn asked(arguments: &[String]) -> Result<Asked, String> {
    let mut asked = Asked { workloads: Vec::new(), rounds: ROUNDS, json: false };
    let mut arguments = arguments.iter();
    while let Some(argument) = arguments.next() {
        match argument.as_str() {
            "--json" => asked.json = true,
            "--rounds" => {
                let rounds = arguments.next().and_then(|rounds| rounds.parse().ok());
                asked.rounds = rounds.filter(|rounds| *rounds > 0).ok_or("--rounds takes a number above 0")?;
            }
            name if workload::named(name).is_some() => asked.workloads.push(String::from(name)),
            // All that begin so: `tree` is both of its kind.
            other => {
                let kind =
                    workload::ALL.iter().map(|(name, ..)| *name).filter(|name| name.starts_with(&format!("{other}-")));
                let before = asked.workloads.len();
                asked.workloads.extend(kind.map(String::from));
                if asked.workloads.len() == before {
                    let known: Vec<_> = workload::ALL.iter().map(|(name, ..)| *name).collect();
                    return Err(format!("no workload is called {other}; there are: {}", known.join(" ")));
                }
            }
        }
    }
    if asked.workloads.is_empty() {
        asked.workloads = workload::ALL.iter().map(|(name, ..)| String::from(*name)).collect();
    }
    Ok(asked)
}

fn measure(asked: &Asked) -> Result<(), Box<dyn Error>> {
    let programs = Programs::build()?.with_go();
    let mut rows = rows::load();
    for workload in &asked.workloads {
        let new = run(workload, asked.rounds, &programs);
        new.iter().for_each(|row| eprintln!("{}", report::line(row, &new)));
        rows::keep(&mut rows, workload, new)?;
    }
    plot::draw(&rows)?;
    rows.retain(|row| asked.workloads.contains(&row.workload));
    println!("{}", if asked.json { report::json(&rows) } else { report::table(&rows) });
    Ok(())
}

fn main() -> ExitCode {
    let arguments: Vec<String> = env::args().skip(1).collect();
    match go(&arguments) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}

fn go(arguments: &[String]) -> Result<(), Box<dyn Error>> {
    match arguments.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        [contestant::CHILD, contestant, workload] => contestant::child(contestant, workload),
        ["kept"] => {
            let rows = rows::load();
            plot::draw(&rows)?;
            println!("{}", report::table(&rows));
        }
        [growth::POINT, kind, size] => growth::point(kind, size.parse()?),
        ["growth", ref more @ ..] => growth::measure(more)?,
        ["third-opinion"] => third_opinion::ask(SCRIPTS)?,
        ["third-opinion", scripts] => third_opinion::ask(scripts.parse()?)?,
        _ => measure(&asked(arguments)?)?,
    }
    Ok(())
}
