//! The counted pointer to a task's cell.
//!
//! A [`Task`] is to its cell what an `Arc` is to its value. It is a type of its own for what a task costs: a cell is
//! born with the two references that every submission needs, there are no weak ones, the last reference goes without a
//! read-modify-write, and the memory of a cell that was submitted and is given up on its seat's own thread is kept by
//! that seat for the next one ([`Rooms`](super::Rooms)).
//!
//! Invariant: each `Task` is one of its cell's counted references, and the cell lives until the last is dropped. Tested
//! below, and by whatever runs under AddressSanitizer, where no memory is kept.

use std::alloc::Layout;
use std::ops::Deref;
use std::ptr::{self, NonNull};

use copool_spec::TaskId;

use super::cell::{Body, Job, TaskCell};
use super::room::{Room, rounded};
use super::{Core, Home, Label};
use crate::here;
use crate::schedule::Seat;
use crate::sync::{Arc, References};

/// A task, whatever its types.
pub(crate) struct Task(NonNull<TaskCell<dyn Job>>);

// SAFETY: as an `Arc`: it hands out shared references to the cell, which is Sync, and the thread that drops the last one
// drops the cell, which is Send. The check below has the compiler say so.
unsafe impl Send for Task {}
// SAFETY: as above.
unsafe impl Sync for Task {}

const _: fn() = || {
    fn cells_may_be_shared<C: ?Sized + Send + Sync>() {}
    cells_may_be_shared::<TaskCell<dyn Job>>();
};

impl Task {
    /// A new cell, with one reference for its handle and one for its queue.
    #[inline]
    pub(crate) fn pair<F, T>(
        seat: Option<&Seat>,
        outside: &Arc<Home>,
        (id, label): (TaskId, Option<Box<Label>>),
        closure: F,
    ) -> (Self, Self)
    where
        F: FnOnce() -> T + Send + 'static,
        T: Send + 'static,
    {
        let layout = const { rounded(Layout::new::<TaskCell<Body<F, T>>>()) };
        let (room, home) = match seat {
            Some(seat) => seat.rooms.take(layout),
            None => (Room::new(layout), Arc::clone(outside)),
        };
        let at = room.into_address().cast::<TaskCell<Body<F, T>>>();
        // SAFETY: the room is of the cell's layout, rounded up, and nobody else's.
        unsafe { at.write(TaskCell::new(References::two(), Core::new(id, home, label), closure)) };
        (Self(at), Self(at))
    }

    /// Whether both are the same task.
    #[inline]
    pub(crate) fn is(&self, other: &Self) -> bool {
        ptr::addr_eq(self.0.as_ptr(), other.0.as_ptr())
    }

    /// Where the cell is: no other task's is there as long as there is a reference.
    pub(super) fn address(&self) -> usize {
        self.0.addr().get()
    }

    /// Drops the cell.
    ///
    /// # Safety
    /// This was the last reference.
    #[inline(never)]
    unsafe fn drop_cell(&mut self) {
        let cell = self.0.as_ptr();
        // SAFETY: nobody else has a reference, so the cell is this call's alone; its memory was got for its layout, rounded
        // up. If a destructor in it panics, the room is given back all the same, and its count of the home is dropped.
        let (room, home) = unsafe {
            let room = Room::of(self.0.cast(), rounded(Layout::for_value(&*cell)));
            let home = (*cell).core_mut().take_home();
            ptr::drop_in_place(cell);
            (room, home)
        };
        here::seat_of(home, |seat, home| {
            if let Some(seat) = seat {
                seat.rooms.keep(room, home);
            }
        });
    }
}

impl Deref for Task {
    type Target = TaskCell<dyn Job>;

    #[inline]
    fn deref(&self) -> &Self::Target {
        // SAFETY: this reference is counted, so the cell is there.
        unsafe { self.0.as_ref() }
    }
}

impl Clone for Task {
    #[inline]
    fn clone(&self) -> Self {
        self.references().add();
        Self(self.0)
    }
}

impl Drop for Task {
    #[inline]
    fn drop(&mut self) {
        if self.references().is_last_to_leave() {
            // SAFETY: the count has just said so.
            unsafe { self.drop_cell() };
        }
    }
}

#[cfg(test)]
mod tests {
    use crate::CoroutinePool;
    use crate::sync::Arc;

    #[test]
    fn whichever_reference_is_the_last_drops_the_cell_once() {
        let mut pool = CoroutinePool::default();
        let witness = Arc::new(());
        for _ in 0..200 {
            let result = Arc::clone(&witness);
            let task = pool.spawn(move || result).unwrap();
            pool.drain(None).unwrap();
            let threads = [(); 3].map(|()| {
                let other = task.task_ref();
                std::thread::spawn(move || drop(other.clone()))
            });
            drop(task);
            threads.into_iter().for_each(|thread| thread.join().unwrap());
            assert_eq!(Arc::strong_count(&witness), 1, "the result was dropped with the cell, once");
        }
    }

    #[test]
    fn references_are_the_same_task_or_not() {
        let pool = CoroutinePool::default();
        let (one, other) = (pool.spawn(|| ()).unwrap().task_ref(), pool.spawn(|| ()).unwrap().task_ref());
        assert!(one.task().is(one.clone().task()));
        assert!(!one.task().is(other.task()));
    }
}
