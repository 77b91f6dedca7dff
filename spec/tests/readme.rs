//! The README says what the code says: the worlds with their state counts, the files, and the size of the spec.

use copool_spec::scene::catalog;

const README: &str = include_str!("../README.md");

#[test]
fn the_table_of_worlds_is_the_catalog() {
    let grouped = |number: usize| {
        let digits = number.to_string();
        let groups: Vec<&str> = digits.as_bytes().rchunks(3).rev().map(|c| str::from_utf8(c).unwrap_or("")).collect();
        groups.join(",")
    };
    for scene in catalog::all() {
        let row = format!("| {} | {} |", scene.name, grouped(scene.states));
        assert!(README.contains(&row), "not in the README: {row}");
    }
    let together: usize = catalog::all().iter().map(|scene| scene.states).sum();
    assert!(README.contains(&format!("| together | {} |", grouped(together))), "{together}");
}

#[test]
fn every_file_that_the_readme_names_is_there() {
    let links = README.split("](").skip(1).filter_map(|rest| rest.split(')').next());
    let mut count = 0;
    for link in links.filter(|link| !link.contains("://")) {
        let path = format!("{}/{link}", env!("CARGO_MANIFEST_DIR"));
        assert!(std::path::Path::new(&path).exists(), "{link}");
        count += 1;
    }
    assert!(count > 10, "only {count} links");
}

/// Lines of code: all but blank ones, comments and tests.
fn lines(source: &str) -> usize {
    let code = source.split("#[cfg(test)]").next().unwrap_or("").lines();
    code.filter(|line| !line.trim().is_empty() && !line.trim().starts_with("//")).count()
}

#[test]
fn state_rules_and_invariants_stay_small() {
    let sources = [
        include_str!("../src/state.rs"),
        include_str!("../src/rules.rs"),
        include_str!("../src/rules/schedule.rs"),
        include_str!("../src/rules/pool.rs"),
        include_str!("../src/rules/task.rs"),
        include_str!("../src/rules/worker.rs"),
        include_str!("../src/rules/creator.rs"),
        include_str!("../src/rules/queue.rs"),
        include_str!("../src/rules/wait.rs"),
        include_str!("../src/rules/lifecycle.rs"),
        include_str!("../src/invariants.rs"),
    ];
    let total: usize = sources.into_iter().map(lines).sum();
    assert!((600..=700).contains(&total), "{total} lines of code");
}
