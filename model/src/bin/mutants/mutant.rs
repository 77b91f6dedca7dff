//! A mutant: a small deliberate fault of the sources, and how it is read and applied.
//!
//! The files in `model/mutants/` hold them, one file for each kind of fault:
//!
//! ```text
//! == name-of-the-mutant
//! What is wrong, in a sentence, and which pool has shipped it.
//! equivalent: why nothing can tell it from the original      (only if that is so)
//! @@ src/file.rs
//!  a line that stays
//! -a line that goes
//! +a line that comes
//! ```
//!
//! A hunk is found by its lines, wherever they stand, but must be found exactly once: one that fits nowhere, or twice, is an
//! error, so that no mutant goes stale unseen. The indentation does not count.

use std::fmt;
use std::path::Path;

use crate::matrix::digest;

/// A deliberate fault.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Mutant {
    /// Kind and name, `kind/name`.
    pub(crate) name: String,
    /// What is wrong.
    pub(crate) fault: String,
    /// Why nothing can tell it from the original, if that is so.
    pub(crate) equivalent: Option<String>,
    /// Why the comparison with the reference pool does not find it, if that is known.
    pub(crate) unseen: Option<String>,
    pub(crate) hunks: Vec<Hunk>,
}

/// A change of one place.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Hunk {
    /// The file, from the root of the repository.
    pub(crate) file: String,
    old: Vec<String>,
    new: Vec<String>,
    /// Which occurrence is meant, of how many; only a generated mutant knows.
    nth: Option<usize>,
}

/// Why a mutant could not be read or applied.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Stale(pub(crate) String);

impl fmt::Display for Stale {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl Mutant {
    /// Reads every mutant of a file.
    pub(crate) fn parse(kind: &str, text: &str) -> Result<Vec<Mutant>, Stale> {
        let mut mutants: Vec<Mutant> = Vec::new();
        for (number, line) in text.lines().enumerate() {
            let wrong = |what: &str| Stale(format!("{kind}, line {}: {what}", number + 1));
            if let Some(name) = line.strip_prefix("== ") {
                let name = format!("{kind}/{}", name.trim());
                mutants.push(Mutant { name, fault: String::new(), equivalent: None, unseen: None, hunks: Vec::new() });
                continue;
            }
            let Some(mutant) = mutants.last_mut() else { continue };
            if let Some(file) = line.strip_prefix("@@ ") {
                mutant.hunks.push(Hunk::new(file.trim()));
            } else if let Some(hunk) = mutant.hunks.last_mut() {
                hunk.push(line).ok_or_else(|| wrong("a line of a hunk begins with ' ', '-' or '+'"))?;
            } else if let Some(why) = line.strip_prefix("equivalent: ") {
                mutant.equivalent = Some(why.to_owned());
            } else if !line.is_empty() {
                let space = if mutant.fault.is_empty() { "" } else { " " };
                mutant.fault = format!("{}{space}{}", mutant.fault, line.trim());
            }
        }
        for mutant in &mutants {
            if mutant.fault.is_empty() || mutant.hunks.is_empty() {
                return Err(Stale(format!("{}: says no fault, or changes nothing", mutant.name)));
            }
        }
        Ok(mutants)
    }

    /// The changed files: path and text.
    pub(crate) fn applied(&self, root: &Path) -> Result<Vec<(String, String)>, Stale> {
        let mut files: Vec<(String, String)> = Vec::new();
        for hunk in &self.hunks {
            let at = files.iter().position(|(file, _)| *file == hunk.file);
            let text = match at {
                Some(at) => files.swap_remove(at).1,
                None => std::fs::read_to_string(root.join(&hunk.file))
                    .map_err(|error| Stale(format!("{}: {}: {error}", self.name, hunk.file)))?,
            };
            let text = hunk.apply(&text).map_err(|stale| Stale(format!("{}: {stale}", self.name)))?;
            files.push((hunk.file.clone(), text));
        }
        Ok(files)
    }

    /// Tells a state of this mutant, and of the code of the files that it has changed, from others: comments do nothing.
    pub(crate) fn digest(&self, files: &[(String, String)]) -> String {
        digest([self.fault.as_str()].into_iter().chain(files.iter().flat_map(|(_, text)| code(text))))
    }
}

/// The lines of a text that are neither blank nor only a comment.
fn code(text: &str) -> impl Iterator<Item = &str> {
    text.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with("//"))
}

impl Hunk {
    fn new(file: &str) -> Self {
        Self { file: file.to_owned(), old: Vec::new(), new: Vec::new(), nth: None }
    }

    /// A change of the line `number`, counted from 0, of a text.
    pub(crate) fn of_line(file: &str, text: &str, number: usize, new: &str) -> Self {
        let lines: Vec<&str> = text.lines().collect();
        let old = lines[number].trim();
        let nth = lines[..number].iter().filter(|line| line.trim() == old).count();
        Self { nth: Some(nth), old: vec![old.to_owned()], new: vec![new.to_owned()], ..Self::new(file) }
    }

    fn push(&mut self, line: &str) -> Option<()> {
        let mut chars = line.chars();
        let mark = chars.next();
        let rest = chars.as_str().to_owned();
        match mark {
            Some('-') => self.old.push(rest),
            Some('+') => self.new.push(rest),
            Some(' ') => {
                self.old.push(rest.clone());
                self.new.push(rest);
            }
            // An empty line between two mutants.
            None => {}
            Some(_) => return None,
        }
        Some(())
    }

    fn apply(&self, text: &str) -> Result<String, Stale> {
        let lines: Vec<&str> = text.lines().collect();
        let fits = |at: &usize| {
            let here = &lines[*at..];
            here.len() >= self.old.len() && self.old.iter().zip(here).all(|(old, line)| old.trim() == line.trim())
        };
        let places: Vec<usize> = (0..lines.len()).filter(fits).collect();
        let at = match (self.nth, places.as_slice()) {
            (Some(nth), places) if nth < places.len() => places[nth],
            (None, [at]) if !self.old.is_empty() => *at,
            _ => return Err(Stale(format!("{}: a hunk fits {} places, not one", self.file, places.len()))),
        };
        let mut changed: Vec<&str> = lines[..at].to_vec();
        changed.extend(self.new.iter().map(String::as_str));
        changed.extend(&lines[at + self.old.len()..]);
        Ok(changed.join("\n") + "\n")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = "fn one() {\n    two();\n    three();\n}\nfn four() {\n    three();\n}\n";

    fn read(hunk: &str) -> Mutant {
        let text = format!("== it\nA fault,\nof two lines.\n@@ a.rs\n{hunk}");
        Mutant::parse("kind", &text).unwrap().remove(0)
    }

    #[test]
    fn a_hunk_changes_the_one_place_that_it_fits() {
        let mutant = read(" two();\n-three();\n+five();\n\n");
        assert_eq!((mutant.name.as_str(), mutant.fault.as_str()), ("kind/it", "A fault, of two lines."));
        assert_eq!(
            mutant.hunks[0].apply(TEXT).unwrap(),
            TEXT.replacen("    three();", "five();", 1).replacen("    two", "two", 1)
        );
    }

    #[test]
    fn a_hunk_that_fits_nowhere_or_twice_is_an_error() {
        assert!(read("-six();\n").hunks[0].apply(TEXT).is_err());
        assert!(read("-three();\n").hunks[0].apply(TEXT).is_err());
        assert!(read("+three();\n").hunks[0].apply(TEXT).is_err());
    }

    #[test]
    fn a_generated_hunk_knows_which_of_equal_lines_it_means() {
        let hunk = Hunk::of_line("a.rs", TEXT, 5, "six();");
        assert_eq!(hunk.apply(TEXT).unwrap(), "fn one() {\n    two();\n    three();\n}\nfn four() {\nsix();\n}\n");
    }

    #[test]
    fn comments_make_no_other_state() {
        let mutant = read("-x\n");
        let digest = |text: &str| mutant.digest(&[("a.rs".to_owned(), text.to_owned())]);
        assert_eq!(digest("/// One.\nfn one() {}\n"), digest("/// The first.\n\nfn one() {}\n"));
        assert_ne!(digest("fn one() {}\n"), digest("fn two() {}\n"));
    }

    #[test]
    fn a_mutant_without_a_fault_or_a_hunk_is_an_error() {
        assert!(Mutant::parse("kind", "== it\n@@ a.rs\n-x\n").is_err());
        assert!(Mutant::parse("kind", "== it\nA fault.\n").is_err());
    }
}
