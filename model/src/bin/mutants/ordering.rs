//! Mutants of the memory orderings, made from the sources: each ordering of the protocols weakened one step, and each fence
//! removed.

use std::path::Path;

use crate::mutant::{Hunk, Mutant, Stale};

/// The kind of these mutants, the first part of their names.
pub(crate) const KIND: &str = "ordering";

/// The files whose orderings a protocol rests on, each with the loom pieces that name them. Those of `src/sync` are the facade,
/// which is another one under loom.
const FILES: &[(&str, &[&str])] = &[
    ("src/clock.rs", &["whole"]),
    // Those of `leak` are argued equivalent; the fence is that of a refused stack.
    ("src/creator.rs", &["sleep"]),
    ("src/creator/hand.rs", &["sleep", "gate"]),
    ("src/creator/limits.rs", &["limits"]),
    ("src/lifecycle.rs", &["gate", "roster"]),
    ("src/lifecycle/leave.rs", &["gate"]),
    ("src/lifecycle/signals.rs", &["limits", "gate", "sleep", "search"]),
    ("src/pool/post.rs", &["sleep", "search", "roster", "calls", "whole"]),
    ("src/pool/shared.rs", &["sleep", "exit", "gate"]),
    ("src/pool/submit.rs", &["gate", "sleep"]),
    ("src/pool/waking.rs", &["sleep", "search", "exit", "gate", "whole"]),
    ("src/schedule.rs", &["sleep", "search"]),
    ("src/task/core.rs", &["outcome", "parking"]),
    ("src/task/wait.rs", &["parking", "calls"]),
    ("src/task/word.rs", &["outcome", "takers"]),
    ("src/worker.rs", &["roster", "whole"]),
];

/// The loom pieces that name the file.
pub(crate) fn pieces(file: &str) -> &'static [&'static str] {
    FILES.iter().find(|(of, _)| *of == file).map_or(&[], |(_, pieces)| pieces)
}

/// What becomes of what.
const STEPS: [(&str, &str); 6] = [
    ("Ordering::Acquire", "Ordering::Relaxed"),
    ("Ordering::Release", "Ordering::Relaxed"),
    ("Ordering::AcqRel", "Ordering::Acquire"),
    ("Ordering::AcqRel", "Ordering::Release"),
    ("light_fence();", ""),
    ("heavy_fence();", ""),
];

/// Every such mutant of the sources under `root`.
pub(crate) fn mutants(root: &Path) -> Result<Vec<Mutant>, Stale> {
    let mut mutants = Vec::new();
    for (file, _) in FILES {
        let text = std::fs::read_to_string(root.join(file)).map_err(|error| Stale(format!("{file}: {error}")))?;
        mutants.extend(of_file(file, &text));
    }
    Ok(mutants)
}

fn of_file(file: &str, text: &str) -> Vec<Mutant> {
    let mut mutants: Vec<Mutant> = Vec::new();
    let mut function = "";
    for (number, line) in text.lines().enumerate() {
        if line.starts_with("mod tests {") {
            break;
        }
        if let Some(name) = named(line) {
            function = name;
        }
        if line.trim_start().starts_with("//") {
            continue;
        }
        for (old, new) in STEPS {
            for (at, _) in line.match_indices(old) {
                let changed = format!("{}{new}{}", &line[..at], &line[at + old.len()..]);
                let what = if new.is_empty() { "removed".to_owned() } else { format!("to-{}", short(new)) };
                let stem = file.trim_start_matches("src/").trim_end_matches(".rs");
                let name = format!("{KIND}/{stem}/{function}/{}-{what}", short(old));
                let before =
                    mutants.iter().filter(|m| m.name == name || m.name.starts_with(&format!("{name}#"))).count();
                let name = if before == 0 { name } else { format!("{name}#{}", before + 1) };
                mutants.push(Mutant {
                    name,
                    fault: format!("`{}` of `{function}` in {file}: {what}.", old.trim_end_matches("();")),
                    equivalent: None,
                    unseen: None,
                    hunks: vec![Hunk::of_line(file, text, number, &changed)],
                });
            }
        }
    }
    mutants
}

/// The function that begins in this line.
fn named(line: &str) -> Option<&str> {
    let (_, rest) = line.split_once("fn ")?;
    let end = rest.find(|c: char| !c.is_alphanumeric() && c != '_')?;
    (!line.trim_start().starts_with("//") && end > 0).then_some(&rest[..end])
}

fn short(what: &str) -> &str {
    what.trim_start_matches("Ordering::").trim_end_matches("();")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_ordering_is_weakened_one_step_and_each_fence_removed() {
        let text = "fn f() {\n    // Ordering: AcqRel.\n    a.swap(1, Ordering::AcqRel);\n    light_fence();\n}\nmod tests {\n\
                    fn g() { heavy_fence(); }\n";
        let names: Vec<String> = of_file("src/x.rs", text).into_iter().map(|mutant| mutant.name).collect();
        let expected =
            ["ordering/x/f/AcqRel-to-Acquire", "ordering/x/f/AcqRel-to-Release", "ordering/x/f/light_fence-removed"];
        assert_eq!(names, expected);
    }
}
