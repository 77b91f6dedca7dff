#![doc = include_str!("../README.md")]
#![forbid(unsafe_code)]

pub mod draw;
pub mod enabled;
pub mod invariants;
pub mod monitor;
mod params;
pub mod queues;
pub mod rename;
pub mod rules;
pub mod scene;
pub mod script;
pub mod state;
mod step;
pub mod table;
mod vocabulary;
pub mod witness;

pub use enabled::enabled;
pub use monitor::{Monitor, Report};
pub use params::Params;
pub use state::State;
pub use step::{Check, Violation, apply, step};
pub use vocabulary::*;
