//! Looking for memory that nobody can reach when a run ends.

use std::fmt::Display;
use std::sync::LazyLock;

/// If it is set, the scripts that leak on purpose are left out.
const LEAKS: &str = "COPOOL_FUZZ_LEAKS";

static LOOKS: LazyLock<bool> = LazyLock::new(|| std::env::var_os(LEAKS).is_some());

/// Whether this run looks for leaks, and the script makes some: a task that swallows what unwinds it is given up in the end, and
/// so is what only its stack refers to.
#[must_use]
pub fn are_meant(script: &impl Display) -> bool {
    *LOOKS && script.to_string().contains("catch {")
}
