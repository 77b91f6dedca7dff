//! How long tasks of the priority mix wait, counted in tasks that start meanwhile.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use crate::measure::Round;
use crate::workload::{CHAIN, CHAINS, PATIENT};

/// Everything runs on one thread, so every access is relaxed.
#[derive(Default)]
pub struct Waits {
    started: AtomicU64,
    patient: AtomicU64,
    urgent: AtomicU64,
}

impl Waits {
    /// The stamp of a task that is submitted now.
    pub fn submitted(&self) -> u64 {
        // Ordering: one thread.
        self.started.load(Ordering::Relaxed)
    }

    fn start(&self, submitted: u64) -> u64 {
        // Ordering: one thread.
        self.started.fetch_add(1, Ordering::Relaxed) - submitted
    }

    /// A patient task starts.
    pub fn patient(&self, submitted: u64) {
        let waited = self.start(submitted);
        // Ordering: one thread.
        self.patient.fetch_max(waited, Ordering::Relaxed);
    }

    /// An urgent task starts.
    pub fn urgent(&self, submitted: u64) {
        let waited = self.start(submitted);
        // Ordering: one thread.
        self.urgent.fetch_max(waited, Ordering::Relaxed);
    }

    /// Every task has started.
    pub fn is_done(&self) -> bool {
        self.submitted() == CHAINS * CHAIN + PATIENT
    }

    /// The figures, after so long.
    pub fn figures(&self, time: Duration) -> Round {
        assert!(self.is_done(), "each task has started once");
        // Ordering: one thread.
        let worst = |wait: &AtomicU64| wait.load(Ordering::Relaxed) as f64;
        let ns = time.as_nanos() as f64 / self.submitted() as f64;
        let (patient, urgent) = (worst(&self.patient), worst(&self.urgent));
        Round::Measured(
            vec![
                ("ns", ns),
                ("tasks before a patient one, at worst", patient),
                ("tasks before an urgent one, at worst", urgent),
            ],
            None,
        )
    }
}
