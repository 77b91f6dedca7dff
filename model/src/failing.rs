//! Says what failed, at the first panic of a check.
//!
//! From the panic hook, as the unwinding of a failed execution may end in an abort: the destructors that run meanwhile
//! call into a checker that has given up.

use std::cell::RefCell;
use std::sync::Once;

thread_local! {
    /// What to do if the check that runs on this thread fails. A checker runs all its threads on the thread that calls
    /// it.
    static REPORT: RefCell<Option<Box<dyn FnOnce()>>> = const { RefCell::new(None) };
}

/// While it lives, the first panic on this thread makes a report.
pub(crate) struct Watch(());

impl Watch {
    pub(crate) fn new(report: impl FnOnce() + 'static) -> Self {
        static HOOK: Once = Once::new();
        HOOK.call_once(|| {
            let hook = std::panic::take_hook();
            std::panic::set_hook(Box::new(move |info| {
                if let Some(report) = REPORT.take() {
                    report();
                }
                hook(info);
            }));
        });
        REPORT.set(Some(Box::new(report)));
        Self(())
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        REPORT.set(None);
    }
}
