//! Tasks: their state, their results, and the handles to them.

mod cell;
mod core;
mod frame;
mod handle;
mod local;
mod pointer;
mod room;
mod wait;
mod word;

pub(crate) use self::core::{Core, Home, Label, Waiter, Waiters, interrupt, unpark, wake, wake_all, wake_one};
pub(crate) use cell::{Ran, bury, discard};
use cell::{Taken, Taker};
pub(crate) use frame::Frame;
pub use handle::{JoinHandle, TaskRef};
pub use local::CoroutineLocal;
pub(crate) use local::Locals;
pub(crate) use pointer::Task;
pub(crate) use room::Rooms;
#[cfg(any(test, feature = "loom", feature = "shuttle"))]
pub(crate) use wait::Begin;
pub(crate) use wait::{Generation, Wait};
pub(crate) use word::{Abandon, CancelWord, Finish, Start};
