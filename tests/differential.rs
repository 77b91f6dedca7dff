//! Production against the reference pool: on any script of one thread, whatever a user can observe is the same.
//!
//! The scripts are drawn by quickcheck from the generator that the fuzz targets share. How many are drawn says
//! `COPOOL_DIFFERENTIAL_CASES`. A difference is shown with its script, shrunk, the first observation that differs, both
//! logs as sequence diagrams, and the command that replays it.
//!
//! That differences are found, and shrink to a few operations, is tested with pools that lie (`liars`).

mod common;
#[path = "differential/corpus.rs"]
mod corpus;
#[path = "differential/distribution.rs"]
mod distribution;
#[path = "common/draw.rs"]
mod draw;
#[path = "differential/liars.rs"]
mod liars;

use std::fmt;

use common::within;
use copool::scripted::Scripted;
use copool::spec::script::Script;
use copool_model::compare::{KNOWN, Mismatch, exact};
use copool_model::generate::Case;
use copool_model::{Logged, ModelPool, setting};
use draw::draw;

/// What the reference is.
type Reference = ModelPool;

/// A difference, with all there is to say about it.
struct Explained(Box<Mismatch>);

impl fmt::Debug for Explained {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}{}", self.0, self.0.saved())
    }
}

/// Both pools do the same.
fn agree<A: Logged, B: Logged>(script: &Script) -> Result<(), Box<Mismatch>> {
    script.check().unwrap_or_else(|why| panic!("{why}\n{script}"));
    let (script, name) = (script.clone(), script.to_string());
    within(name, move || exact::<A, B>(&script).map(drop))
}

/// How many scripts are drawn.
fn cases() -> u64 {
    setting("COPOOL_DIFFERENTIAL_CASES", 1_000)
}

#[test]
fn nothing_is_known_to_differ() {
    assert_eq!(KNOWN, []);
}

#[test]
fn any_script_of_one_thread_does_the_same_in_both_pools() {
    fn same(case: Case) -> Result<(), Explained> {
        agree::<Reference, Scripted>(&case.0).map_err(Explained)
    }
    let property: fn(Case) -> Result<(), Explained> = same;
    draw(cases(), 100).quickcheck(property);
    println!("{} scripts were drawn", cases());
}
