//! What drawn scripts are drawn from: at random, or from a seed, so that a run can be had again.

use quickcheck::{Gen, QuickCheck};

/// The variable that sets the seed.
const SEED: &str = "COPOOL_DRAW_SEED";

/// Draws so many cases of at most this size, all of which have to pass.
pub(crate) fn draw(cases: u64, size: usize) -> QuickCheck {
    let source = match std::env::var(SEED) {
        Ok(seed) => {
            let number = seed.parse().unwrap_or_else(|_| panic!("{SEED} is {seed:?}, which is no number"));
            Gen::from_size_and_seed(size, number)
        }
        Err(_) => Gen::new(size),
    };
    QuickCheck::new().rng(source).tests(cases).max_tests(cases).min_tests_passed(cases.max(1))
}
