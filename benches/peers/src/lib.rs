//! What the sides of the comparison share: the workloads, how they are measured, and the scripts of the third opinion.
//!
//! The rivals are in programs: open-coroutine-core has one of its own (`src/bin/open-coroutine.rs`), as the corosensei that
//! it builds on cannot be linked together with copool's.

pub mod measure;
pub mod script;
pub mod waits;
pub mod workload;
