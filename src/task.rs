//! Tasks: their state, their results, and the handles to them.

mod cell;
mod frame;
mod handle;
mod local;
mod wait;
mod word;

pub(crate) use cell::{
    Core, Home, Label, Ran, Taken, Task, TaskCell, Waiter, bury, discard, interrupt, unpark, wake, wake_all,
};
pub(crate) use frame::Frame;
pub(crate) use handle::take;
pub use handle::{JoinHandle, TaskRef};
pub use local::CoroutineLocal;
pub(crate) use local::Locals;
pub(crate) use wait::{Generation, Wait};
pub(crate) use word::{Abandon, CancelWord, Finish, Start};
