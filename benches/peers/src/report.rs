//! What is printed: a line a row as soon as it is known, the table, and JSON.

use crate::contestant;
use crate::rows::{Row, number};
use copool_peers::workload;

/// One row in a line, for whoever looks on.
pub(crate) fn line(row: &Row, rows: &[Row]) -> String {
    let Row { workload, contestant, figure, note, .. } = row;
    let spread = row.spread.map(|[_, low, high]| format!(" [{} to {}]", number(low), number(high))).unwrap_or_default();
    let note = if note.is_empty() { String::new() } else { format!("; {note}") };
    format!("{workload:10} {contestant:15} {figure:17} {}{spread}{note}", row.cell(rows))
}

/// The table: a line a figure, a column a contestant.
pub(crate) fn table(rows: &[Row]) -> String {
    let mut text = format!(
        "| workload | | {} |\n|---|---|{}\n",
        contestant::ALL.join(" | "),
        "---|".repeat(contestant::ALL.len())
    );
    for (name, _, title) in workload::ALL {
        let of: Vec<_> = rows.iter().filter(|row| row.workload == name).collect();
        let mut figures: Vec<&str> = Vec::new();
        for row in &of {
            if row.spread.is_some() && !figures.contains(&row.figure.as_str()) {
                figures.push(&row.figure);
            }
        }
        for (i, figure) in figures.iter().enumerate() {
            text += &format!("| {} | {figure} |", if i == 0 { title } else { "" });
            for contestant in contestant::ALL {
                let mine =
                    |row: &&&Row| row.contestant == contestant && (row.figure == *figure || row.spread.is_none());
                let cell = of.iter().find(mine).map_or_else(|| String::from("–"), |row| row.cell(rows));
                text += &format!(" {cell} |");
            }
            text.push('\n');
        }
    }
    text
}

/// All rows as a JSON array.
pub(crate) fn json(rows: &[Row]) -> String {
    let objects: Vec<_> = rows.iter().map(|row| format!("  {}", object(row, rows))).collect();
    format!("[\n{}\n]", objects.join(",\n"))
}

fn object(row: &Row, rows: &[Row]) -> String {
    let number = |value: Option<f64>| value.map_or_else(|| String::from("null"), |value| format!("{value:.3}"));
    let [median, low, high] = row.spread.map_or([None; 3], |spread| spread.map(Some)).map(number);
    format!(
        r#"{{"workload":{},"contestant":{},"figure":{},"median":{median},"lower_quartile":{low},"upper_quartile":{high},"ratio":{},"rounds":{},"failed":{},"note":{}}}"#,
        string(&row.workload),
        string(&row.contestant),
        string(&row.figure),
        number(row.ratio(rows)),
        row.rounds,
        row.failed,
        string(&row.note),
    )
}

fn string(text: &str) -> String {
    let mut quoted = String::from('"');
    for c in text.chars() {
        match c {
            '"' | '\\' => quoted.extend(['\\', c]),
            c if c.is_control() => quoted += &format!("\\u{:04x}", u32::from(c)),
            c => quoted.push(c),
        }
    }
    quoted + "\""
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn json_strings_are_quoted() {
        assert_eq!(string("a \"b\" \\ \n"), r#""a \"b\" \\ \u000a""#);
    }
}
