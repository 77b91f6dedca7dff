//! Where a generator takes its decisions from: the bytes of a fuzzer, or a seed.
//!
//! One trait, so that there is one generator: what a fuzzer finds is what quickcheck could have drawn.
//!
//! Tested through [`generate`](crate::generate).

use arbitrary::Unstructured;
use quickcheck::Gen;

/// A source of decisions.
pub trait Choices {
    /// A number below `bound`, which is not 0. Once the source is spent, 0: the simplest choice.
    fn below(&mut self, bound: u32) -> u32;

    /// Whether no decision is left, so that a list should end.
    fn spent(&self) -> bool;
}

/// A fuzzer's input: each decision takes the bytes that it needs, in order, so that cutting the input cuts the script.
impl Choices for Unstructured<'_> {
    fn below(&mut self, bound: u32) -> u32 {
        // An input that has ended gives the lower end of any range, and never an error.
        self.int_in_range(0..=bound.saturating_sub(1)).unwrap_or(0)
    }

    fn spent(&self) -> bool {
        self.is_empty()
    }
}

/// Decisions that follow from a number.
#[derive(Clone, Debug)]
pub struct Seeded {
    state: u64,
    /// How many lists' items are left to be decided on.
    left: u32,
}

impl Seeded {
    /// The decisions of this seed.
    #[must_use]
    pub fn new(seed: u64) -> Self {
        let mut seeded = Self { state: seed, left: 0 };
        // From one operation to long scripts, and all lengths alike.
        seeded.left = LEAST + seeded.below(MOST - LEAST);
        seeded
    }

    /// The decisions of a seed that quickcheck draws.
    pub fn drawn(g: &mut Gen) -> Self {
        // `u64::arbitrary` likes 0 and its like too well: too many scripts would be the same.
        let byte = |g: &mut Gen| u64::from(*g.choose(&BYTES).unwrap_or(&0));
        Self::new((0..8).fold(0, |seed, _| seed << 8 | byte(g)))
    }
}

/// About so many decisions make a script.
const LEAST: u32 = 8;
const MOST: u32 = 180;

const BYTES: [u8; 256] = {
    let mut bytes = [0; 256];
    let mut at = 0_u8;
    loop {
        bytes[at as usize] = at;
        if at == u8::MAX {
            break bytes;
        }
        at += 1;
    }
};

impl Choices for Seeded {
    fn below(&mut self, bound: u32) -> u32 {
        self.left = self.left.saturating_sub(1);
        // SplitMix64.
        self.state = self.state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.state ^ (self.state >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        let high = (mixed ^ (mixed >> 31)) >> 32;
        // The high half times the bound: its own high half is below the bound.
        u32::try_from((high * u64::from(bound)) >> 32).unwrap_or(0)
    }

    fn spent(&self) -> bool {
        self.left == 0
    }
}
