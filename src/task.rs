//! Tasks: their state, their results, and the handles to them.

mod cell;
mod core;
mod frame;
mod handle;
mod local;
mod wait;
mod word;

pub(crate) use self::core::{Core, Home, Label, Waiter, interrupt, unpark, wake, wake_all};
pub(crate) use cell::{Ran, Taken, Task, TaskCell, bury, discard};
pub(crate) use frame::Frame;
pub(crate) use handle::take;
pub use handle::{JoinHandle, TaskRef};
pub use local::CoroutineLocal;
pub(crate) use local::Locals;
pub(crate) use wait::{Generation, Wait};
pub(crate) use word::{Abandon, CancelWord, Finish, Start};
