#![doc = include_str!("../README.md")]
#![forbid(unsafe_code)]

pub mod draw;
pub mod enabled;
pub mod invariants;
pub mod monitor;
pub mod rules;
pub mod scene;
pub mod script;
pub mod state;
pub mod table;
mod vocabulary;
pub mod witness;

pub use enabled::enabled;
pub use monitor::{Monitor, Report};
pub use rules::{Violation, apply, step};
pub use state::{Params, State};
pub use vocabulary::*;
