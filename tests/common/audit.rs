//! What holds of every complete log, and waiting for an event without polling.

use std::collections::BTreeMap;
use std::sync::PoisonError;

use copool::spec::{Event, Outcome, TaskId};

use crate::log::Log;

impl Log {
    /// Blocks until an event is, or was, `wanted`.
    pub(crate) fn wait_for(&self, wanted: impl Fn(&Event) -> bool) {
        let events = self.0.events.lock().unwrap_or_else(PoisonError::into_inner);
        let mut seen = 0;
        let heard = self.0.heard.wait_while(events, |events| {
            let found = events[seen..].iter().any(&wanted);
            seen = events.len();
            !found
        });
        drop(heard.unwrap_or_else(PoisonError::into_inner));
    }

    /// Asserts what holds of every log of a pool that has stopped: each accepted task has exactly one outcome and was
    /// started at most once, none that was rejected was ever heard of again, and nothing runs after the stop.
    pub(crate) fn assert_complete(&self, what: &str) {
        let events = self.events();
        let mut tasks: BTreeMap<TaskId, (u32, Vec<Outcome>)> = BTreeMap::new();
        let unknown = |task: &TaskId, event: &Event| panic!("{what}: {event:?} of {task}, which was not accepted");
        let mut stopped = false;
        for event in &events {
            match event {
                Event::TaskAccepted { task, .. } => {
                    assert!(tasks.insert(*task, (0, Vec::new())).is_none(), "{what}: {task} accepted twice");
                }
                Event::TaskStarted { task, .. } => {
                    assert!(!stopped, "{what}: {task} started after the stop");
                    tasks.get_mut(task).unwrap_or_else(|| unknown(task, event)).0 += 1;
                }
                Event::OutcomePublished { task, outcome } => {
                    tasks.get_mut(task).unwrap_or_else(|| unknown(task, event)).1.push(*outcome);
                }
                Event::PoolStopped { .. } => {
                    assert!(!stopped, "{what}: stopped twice");
                    stopped = true;
                }
                _ => {}
            }
        }
        assert!(stopped, "{what}: pool_stopped was never told");
        for (task, (starts, outcomes)) in &tasks {
            assert!(*starts <= 1, "{what}: {task} started {starts} times");
            assert_eq!(outcomes.len(), 1, "{what}: {task} has the outcomes {outcomes:?}");
        }
    }
}
