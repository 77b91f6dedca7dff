//! The memory of tasks' cells.
//!
//! An allocator gives and takes it in general. A seat keeps what its own thread gives up of the cells that were
//! submitted there, up to [`KEPT`] bytes, and makes the next cells in it: so a task that stays at home costs neither a
//! call of the allocator nor a count of its pool, as each kept room comes with one count of the seat's [`Home`].
//!
//! Rooms are of few sizes, so that a room fits a cell of another type. One that is larger than [`LARGEST`], or aligned to
//! more than [`ALIGN`], is never kept. Under a checker and in fuzzing none is: there a use after the end shall be seen.

use std::alloc::{Layout, alloc, dealloc, handle_alloc_error};
use std::cell::{Cell, RefCell};
use std::mem::{ManuallyDrop, forget};
use std::ptr::NonNull;

use super::Home;
use crate::sync::Arc;

/// Sizes are multiples of this.
const GRAIN: usize = 32;

/// What every allocator gives without ado.
const ALIGN: usize = 16;

/// The size of the largest room that is kept.
const LARGEST: usize = 512;

/// How many bytes a seat keeps.
const KEPT: usize = if cfg!(any(feature = "loom", feature = "shuttle", fuzzing)) { 0 } else { 256 * 1024 };

const SIZES: usize = LARGEST / GRAIN;

/// The layout of the room for a cell of this layout.
pub(super) const fn rounded(cell: Layout) -> Layout {
    if cell.size() > LARGEST || cell.align() > ALIGN {
        return cell;
    }
    match Layout::from_size_align(cell.size().next_multiple_of(GRAIN), ALIGN) {
        Ok(rounded) => rounded,
        Err(_) => cell,
    }
}

/// Which of the kept sizes a rounded layout is; `None` if it is not kept.
#[inline]
const fn size_of(layout: Layout) -> Option<usize> {
    if layout.size() > LARGEST || layout.align() > ALIGN { None } else { Some(layout.size() / GRAIN - 1) }
}

/// Memory for a cell; given back when dropped.
pub(super) struct Room {
    at: NonNull<u8>,
    layout: Layout,
}

impl Room {
    /// Memory of this layout, which is not empty: it is for a cell.
    pub(super) fn new(layout: Layout) -> Self {
        // SAFETY: a cell has a size, so the layout has.
        let at = unsafe { alloc(layout) };
        Self { at: NonNull::new(at).unwrap_or_else(|| handle_alloc_error(layout)), layout }
    }

    /// The room at this address again.
    ///
    /// # Safety
    /// It came from `into_address` of a room of this layout, once.
    #[inline]
    pub(super) unsafe fn of(at: NonNull<u8>, layout: Layout) -> Self {
        Self { at, layout }
    }

    /// Where it is. It is not given back before it is a `Room` again.
    #[inline]
    pub(super) fn into_address(self) -> NonNull<u8> {
        ManuallyDrop::new(self).at
    }
}

impl Drop for Room {
    fn drop(&mut self) {
        // SAFETY: by `new` and `of` it was allocated with this layout, and nobody else gives it back.
        unsafe { dealloc(self.at.as_ptr(), self.layout) };
    }
}

/// The rooms that a seat keeps, and its home.
pub(crate) struct Rooms {
    home: Arc<Home>,
    /// For each size, addresses of rooms of that size. Each comes with one count of `home`.
    free: [RefCell<Vec<NonNull<u8>>>; SIZES],
    /// How many more bytes may be kept.
    left: Cell<usize>,
}

impl Rooms {
    pub(crate) fn new(home: Arc<Home>) -> Self {
        Self { home, free: std::array::from_fn(|_| RefCell::default()), left: Cell::new(KEPT) }
    }

    pub(crate) fn home(&self) -> &Arc<Home> {
        &self.home
    }

    /// A room of this rounded layout, and a count of the home.
    #[inline]
    pub(super) fn take(&self, layout: Layout) -> (Room, Arc<Home>) {
        if let Some(size) = size_of(layout)
            && let Some(at) = self.free[size].borrow_mut().pop()
        {
            self.left.set(self.left.get() + layout.size());
            // SAFETY: rooms on this list are of this layout, and this one is not on it any more.
            let room = unsafe { Room::of(at, layout) };
            // SAFETY: it came with a count of the home, which becomes this one.
            return (room, unsafe { Arc::from_raw(Arc::as_ptr(&self.home)) });
        }
        (Room::new(layout), Arc::clone(&self.home))
    }

    /// Keeps a room of a rounded layout, and its cell's count of this seat's home, or gives both up.
    #[inline]
    pub(super) fn keep(&self, room: Room, home: Arc<Home>) {
        debug_assert!(Arc::ptr_eq(&home, &self.home), "each seat keeps its own");
        if let Some(size) = size_of(room.layout)
            && let Some(left) = self.left.get().checked_sub(room.layout.size())
        {
            self.left.set(left);
            self.free[size].borrow_mut().push(room.into_address());
            forget(home);
        }
    }
}

impl Drop for Rooms {
    fn drop(&mut self) {
        for (size, free) in self.free.iter_mut().enumerate() {
            let size = (size + 1) * GRAIN;
            for at in std::mem::take(free.get_mut()) {
                let layout = Layout::from_size_align(size, ALIGN).expect("a rounded layout");
                // SAFETY: rooms on this list are of this layout, and this list goes.
                drop(unsafe { Room::of(at, layout) });
                // SAFETY: it came with a count of the home.
                drop(unsafe { Arc::from_raw(Arc::as_ptr(&self.home)) });
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::CoroutinePool;
    use crate::pool::Shared;
    use crate::sync::Weak;
    use quickcheck::quickcheck;

    fn core_of(pool: &CoroutinePool) -> Weak<Shared> {
        Arc::downgrade(&pool.seat().post.shared)
    }

    fn kept(pool: &CoroutinePool) -> usize {
        let rooms = &pool.seat().rooms;
        let listed: usize =
            rooms.free.iter().enumerate().map(|(size, free)| (size + 1) * GRAIN * free.borrow().len()).sum();
        assert_eq!(listed, KEPT - rooms.left.get());
        listed
    }

    quickcheck! {
        fn a_room_holds_its_cell_and_its_layout_is_found_again(size: u16, align: u8) -> bool {
            let align = 1 << (align % 8);
            let cell = Layout::from_size_align(usize::from(size % 2_048) + 1, align).unwrap().pad_to_align();
            let room = rounded(cell);
            let kept = size_of(room).map(|size| Layout::from_size_align((size + 1) * GRAIN, ALIGN).unwrap());
            let holds = room.size() >= cell.size() && room.align() >= cell.align() && rounded(room) == room;
            holds && kept.is_none_or(|kept| kept == room && size_of(kept) < Some(SIZES))
        }
    }

    #[test]
    fn a_seat_keeps_what_it_gives_up_within_bounds_and_makes_the_next_cells_in_it() {
        let mut pool = CoroutinePool::default();
        assert_eq!(kept(&pool), 0);
        let first = pool.spawn(|| 1_u64).unwrap();
        pool.drain(None).unwrap();
        drop(first);
        let one = kept(&pool);
        assert!(one > 0);
        drop(pool.spawn(|| 2_u64).unwrap());
        assert_eq!(kept(&pool), 0, "the second cell is where the first was");
        let many: Vec<_> = (0..10_000_u64).map(|n| pool.spawn(move || n).unwrap()).collect();
        pool.drain(None).unwrap();
        drop(many);
        assert!(kept(&pool) <= KEPT && kept(&pool) > KEPT - LARGEST);
    }

    #[test]
    fn large_and_aligned_cells_are_not_kept() {
        #[repr(align(64))]
        struct Aligned(u8);
        let mut pool = CoroutinePool::default();
        let (large, aligned) = ([7_u8; LARGEST + 1], Aligned(7));
        let mut large = pool.spawn(move || u32::from(large[LARGEST])).unwrap();
        let mut aligned = pool.spawn(move || { &aligned }.0).unwrap();
        pool.drain(None).unwrap();
        assert_eq!(large.try_join().unwrap().unwrap(), 7);
        assert_eq!(aligned.try_join().unwrap().unwrap(), 7);
        drop((large, aligned));
        assert_eq!(kept(&pool), 0);
    }

    #[test]
    fn no_count_of_the_pool_is_lost_or_left_over() {
        let mut pool = CoroutinePool::default();
        let core = core_of(&pool);
        let before = Arc::strong_count(pool.seat().rooms.home());
        let mut tasks: Vec<_> = (0..100_u64).map(|n| pool.spawn(move || n).unwrap()).collect();
        pool.drain(None).unwrap();
        // Some go here, some elsewhere, some after the pool.
        let (outliving, elsewhere) = (tasks.split_off(60), tasks.split_off(30));
        std::thread::spawn(move || drop(elsewhere)).join().unwrap();
        drop(tasks);
        assert_eq!(Arc::strong_count(pool.seat().rooms.home()), before + 30 + 40, "the kept and the living");
        tasks = (0..50).map(|n| pool.spawn(move || n).unwrap()).collect();
        drop(pool);
        assert!(core.upgrade().is_some(), "a cell keeps the core of its pool");
        drop(tasks);
        drop(outliving);
        assert!(core.upgrade().is_none(), "nothing else does");
    }
}
