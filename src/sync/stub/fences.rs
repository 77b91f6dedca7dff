//! The pair of fences under loom: both full fences, or, if a check asks for it, as uneven as in production.
//!
//! In production the light fence orders nothing by itself, and only against a heavy one is it more than a compiler's.
//! Two full fences would hide a handshake with a light fence on both sides. The uneven pair is made of two words: the
//! light side gives to one and takes from the other, the heavy side gives to that other and takes from the one, and each
//! takes after it has given. So of a light and a heavy fence one comes after the other, and two light ones order
//! nothing. It costs executions.

use std::cell::Cell;

use loom::sync::atomic::{AtomicUsize, Ordering, fence};

std::thread_local! {
    /// Loom runs all threads of a model on one thread of the system.
    static UNEVEN: Cell<bool> = const { Cell::new(false) };
}

loom::lazy_static! {
    static ref LIGHT: AtomicUsize = AtomicUsize::new(0);
    static ref HEAVY: AtomicUsize = AtomicUsize::new(0);
}

/// Whether the fences are as uneven as in production from here on. Called before there is a second thread: whoever
/// finds a static of loom's made is ordered after the one who made it.
pub(crate) fn uneven(on: bool) {
    UNEVEN.set(on);
    if on {
        light();
    }
}

/// One side of a store-then-load handshake.
pub(crate) fn light() {
    if UNEVEN.get() {
        // Ordering: Release alone gives to the heavy side, and takes nothing from other light ones.
        LIGHT.fetch_add(0, Ordering::Release);
        // Ordering: Acquire alone takes from the heavy side, and gives nothing to other light ones.
        HEAVY.fetch_add(0, Ordering::Acquire);
    } else {
        // Ordering: SeqCst, the only fence that loom models.
        fence(Ordering::SeqCst);
    }
}

/// The other side.
pub(crate) fn heavy() {
    // Ordering: SeqCst; among themselves heavy fences are full ones.
    fence(Ordering::SeqCst);
    if UNEVEN.get() {
        // Ordering: as in `light`, the other way round.
        HEAVY.fetch_add(0, Ordering::Release);
        // Ordering: as above.
        LIGHT.fetch_add(0, Ordering::Acquire);
    }
}
