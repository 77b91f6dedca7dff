//! Runs every check under loom, under shuttle and on parallel threads, and writes what they did into a table.
//!
//! ```text
//! cargo run -p copool-model --bin report
//! ```
//! Each check prints a line with its tool, its name, its bound, its executions and its time. This collects them, fails if a
//! test fails, if one of its targets prints no such line, or if a line says zero, and puts the table between the marks in
//! `model/README.md`. The bounds come from the environment, as for the tests themselves.
#![forbid(unsafe_code)]

use std::fmt::Write as _;
use std::path::Path;
use std::process::{Command, ExitCode, Stdio};

/// Where the table stands.
const MARKS: [&str; 2] = ["<!-- checked -->\n", "<!-- /checked -->"];

const TOOLS: [&str; 3] = ["loom", "shuttle", "stress"];

/// All that a check has printed, however many lines.
#[derive(Debug, PartialEq)]
struct Row {
    target: String,
    tool: &'static str,
    name: String,
    bounds: Vec<String>,
    executions: usize,
    seconds: f64,
}

/// One line of a check: `tool name: bound: 7 executions in 0.02 s`, perhaps behind the test harness's own beginning of a line.
fn parse(target: &str, line: &str) -> Option<Row> {
    let line = line.rsplit_once(" ... ").map_or(line, |(_, line)| line);
    let (tool, rest) = TOOLS.iter().find_map(|tool| Some((*tool, line.strip_prefix(tool)?.strip_prefix(' ')?)))?;
    let (what, figures) = rest.trim().rsplit_once(": ")?;
    let (executions, time) = figures.split_once(" executions in ")?;
    let (name, bound) = what.rsplit_once(": ")?;
    Some(Row {
        target: target.to_owned(),
        tool,
        name: name.to_owned(),
        bounds: vec![bound.to_owned()],
        executions: executions.parse().ok()?,
        seconds: time.split(' ').next()?.parse().ok()?,
    })
}

/// Adds a line to those of the same check.
fn add(rows: &mut Vec<Row>, row: Row) {
    let same = |other: &&mut Row| (&other.target, other.tool, &other.name) == (&row.target, row.tool, &row.name);
    match rows.iter_mut().find(same) {
        Some(other) => {
            other
                .bounds
                .extend(row.bounds.into_iter().filter(|bound| !other.bounds.contains(bound)).collect::<Vec<_>>());
            other.executions += row.executions;
            other.seconds += row.seconds;
        }
        None => rows.push(row),
    }
}

/// Runs one target's tests and adds what they print.
fn run(root: &Path, target: &str, rows: &mut Vec<Row>) -> Result<(), String> {
    eprintln!("running {target}");
    let mut test = Command::new(env!("CARGO"));
    test.current_dir(root).args(["test", "--features", "model", "--test", target, "--", "--nocapture"]);
    let output = test.stderr(Stdio::inherit()).output().map_err(|error| format!("cargo: {error}"))?;
    let text = String::from_utf8_lossy(&output.stdout);
    if !output.status.success() {
        return Err(format!("{target} fails:\n{text}"));
    }
    let lines: Vec<Row> = text.lines().filter_map(|line| parse(target, line)).collect();
    if lines.is_empty() {
        return Err(format!("{target} ran no check"));
    }
    if let Some(line) = lines.iter().find(|line| line.executions == 0) {
        return Err(format!("{target}: {} ran no execution", line.name));
    }
    lines.into_iter().for_each(|line| add(rows, line));
    Ok(())
}

/// So many of something.
fn plural(number: usize, what: &str) -> String {
    format!("{} {what}{}", grouped(number), if number == 1 { "" } else { "s" })
}

/// A number with commas.
fn grouped(number: usize) -> String {
    let digits = number.to_string();
    let comma = |at: usize| if at > 0 && (digits.len() - at).is_multiple_of(3) { "," } else { "" };
    digits.chars().enumerate().fold(String::new(), |out, (at, digit)| out + comma(at) + &digit.to_string())
}

fn table(rows: &[Row]) -> String {
    let mut out = String::from("\n| tool | test | check | bound | executions | time |\n|---|---|---|---|---:|---:|\n");
    for tool in TOOLS {
        let of = || rows.iter().filter(move |row| row.tool == tool);
        for row in of() {
            let (executions, bounds) = (grouped(row.executions), row.bounds.join("; "));
            let _ = writeln!(
                out,
                "| {tool} | `{}` | {} | {bounds} | {executions} | {:.1} s |",
                row.target, row.name, row.seconds
            );
        }
        let (executions, seconds) = (of().map(|row| row.executions).sum(), of().map(|row| row.seconds).sum::<f64>());
        let _ = writeln!(
            out,
            "| **{tool}** | | **{}** | | **{}** | **{seconds:.0} s** |",
            plural(of().count(), "check"),
            grouped(executions)
        );
    }
    out.push('\n');
    out
}

/// The text of a test's file and of those in the directory of its name.
fn text_of(test: &Path) -> String {
    let parts = std::fs::read_dir(test.with_extension("")).into_iter().flatten().flatten().map(|entry| entry.path());
    let files = std::iter::once(test.to_owned()).chain(parts);
    files.filter(|file| file.is_file()).filter_map(|file| std::fs::read_to_string(file).ok()).collect()
}

/// The tests that use the harness.
fn targets(root: &Path) -> Result<Vec<String>, String> {
    let mut targets = Vec::new();
    for file in std::fs::read_dir(root.join("tests")).map_err(|error| format!("tests: {error}"))?.flatten() {
        let path = file.path();
        let text = if path.is_file() { text_of(&path) } else { String::new() };
        let checks = ["copool_model::loom::", "copool_model::shuttle::{", "copool_model::judge"];
        if let (Some(stem), true) = (path.file_stem(), checks.iter().any(|module| text.contains(module))) {
            targets.push(stem.to_string_lossy().into_owned());
        }
    }
    targets.sort();
    Ok(targets)
}

fn report() -> Result<(), String> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let mut rows = Vec::new();
    for target in targets(&root)? {
        run(&root, &target, &mut rows)?;
    }
    if rows.is_empty() {
        return Err("there is no check".to_owned());
    }
    let table = table(&rows);
    print!("{table}");
    let readme = root.join("model/README.md");
    let text = std::fs::read_to_string(&readme).map_err(|error| format!("{}: {error}", readme.display()))?;
    let replaced = replace(&text, &table).ok_or("model/README.md has no place for the table")?;
    std::fs::write(&readme, replaced).map_err(|error| format!("{}: {error}", readme.display()))
}

/// The text with the table between the marks.
fn replace(text: &str, table: &str) -> Option<String> {
    let (before, rest) = text.split_once(MARKS[0])?;
    let (_, after) = rest.split_once(MARKS[1])?;
    Some(format!("{before}{}{table}{}{after}", MARKS[0], MARKS[1]))
}

fn main() -> ExitCode {
    match report() {
        Ok(()) => ExitCode::SUCCESS,
        Err(why) => {
            eprintln!("{why}");
            ExitCode::FAILURE
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_is_understood_behind_the_test_harness_too() {
        let line = "shuttle drawn scripts: PCT 2: 2000 executions in 1.25 s";
        let row = parse("x", line).expect("a line");
        assert_eq!(
            (row.tool, &*row.name, &*row.bounds[0], row.executions),
            ("shuttle", "drawn scripts", "PCT 2", 2000)
        );
        assert_eq!(parse("x", &format!("test a::b ... {line}")), Some(row));
        assert_eq!(parse("x", "test a::b ... ok"), None);
        let stress =
            parse("x", "stress  threads: 9 events, 4.0 threads each: 3 executions in 1.00 s (0.10 s of search)");
        assert_eq!(stress.map(|row| (row.name, row.executions)), Some(("threads".to_owned(), 3)));
    }

    #[test]
    fn the_lines_of_one_check_are_one_row() {
        let mut rows = Vec::new();
        for bound in ["random", "PCT 2", "PCT 2"] {
            add(&mut rows, parse("x", &format!("shuttle a: {bound}: 1000 executions in 0.50 s")).expect("a line"));
        }
        assert_eq!(rows.len(), 1);
        assert!(table(&rows).contains("| shuttle | `x` | a | random; PCT 2 | 3,000 | 1.5 s |"), "{}", table(&rows));
    }

    #[test]
    fn every_test_under_a_checker_is_a_target() {
        let targets = targets(&Path::new(env!("CARGO_MANIFEST_DIR")).join("..")).expect("the tests can be read");
        for target in ["loom_pool", "loom_task", "model_loom", "shuttle_pool", "smoke_loom", "stress_logs"] {
            assert!(targets.iter().any(|other| other == target), "{target} is not among {targets:?}");
        }
    }

    #[test]
    fn the_table_takes_the_place_between_the_marks() {
        let text = format!("a{}old{}b", MARKS[0], MARKS[1]);
        assert_eq!(replace(&text, "new"), Some(format!("a{}new{}b", MARKS[0], MARKS[1])));
        assert_eq!(replace("no marks", "new"), None);
    }
}
