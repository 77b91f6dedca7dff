//! Ids by the order of their first appearance, so that two pools that count differently can be compared.

use copool_spec::{Event, PoolId, TaskId, WorkerId};

/// Calls pools, workers and tasks by the order in which a log first names them.
#[derive(Debug, Default)]
pub struct Names {
    workers: Vec<WorkerId>,
    tasks: Vec<TaskId>,
}

/// The place of an id; what is named now was mostly named a short while ago.
fn place<Id: Copy + PartialEq>(ids: &mut Vec<Id>, id: Id) -> u64 {
    let place = ids.iter().rposition(|other| *other == id).unwrap_or_else(|| {
        ids.push(id);
        ids.len() - 1
    });
    place as u64
}

impl Names {
    fn worker(&mut self, id: WorkerId) -> WorkerId {
        WorkerId(place(&mut self.workers, id))
    }

    fn task(&mut self, id: TaskId) -> TaskId {
        TaskId(place(&mut self.tasks, id))
    }

    /// The event with its participants' names; seats keep theirs.
    #[must_use]
    pub fn rename(&mut self, mut event: Event) -> Event {
        use Event as E;
        match &mut event {
            E::WorkerCreated { worker, .. }
            | E::WorkerResumed { worker, .. }
            | E::TaskPolled { worker, .. }
            | E::WorkerSuspended { worker, .. }
            | E::SuspensionHeard { worker, .. }
            | E::WorkerAdded { worker, .. }
            | E::WorkerErrored { worker, .. }
            | E::ErrorHeard { worker, .. }
            | E::CountReduced { worker, .. }
            | E::WorkerRecreated { worker, .. }
            | E::PollFailed { worker, .. }
            | E::NextPoll { worker, .. }
            | E::TimeOver { worker, .. }
            | E::SurplusAsked { worker, .. }
            | E::SurplusGranted { worker, .. }
            | E::WorkerExited { worker, .. }
            | E::WorkerReturned { worker, .. } => *worker = self.worker(*worker),
            E::TaskStarted { worker, task, .. }
            | E::TaskInterrupted { worker, task, .. }
            | E::TaskExited { worker, task, .. }
            | E::TaskFailed { worker, task, .. } => (*worker, *task) = (self.worker(*worker), self.task(*task)),
            E::TaskAccepted { task, .. }
            | E::TaskRejected { task }
            | E::TaskStolen { task, .. }
            | E::TaskWoken { task }
            | E::TimerArmed { task, .. }
            | E::TimerFired { task, .. }
            | E::SyscallEntered { task, .. }
            | E::SyscallLeft { task }
            | E::CancelRequested { task, .. }
            | E::TaskUnwound { task }
            | E::OutcomePublished { task, .. }
            | E::Overran { task, .. }
            | E::TaskAbandoned { task } => *task = self.task(*task),
            E::PoolBuilt { pool, .. } | E::StopCalled { pool } | E::PoolStopping { pool } | E::PoolStopped { pool } => {
                *pool = PoolId(0)
            }
            E::ScheduleCalled { .. }
            | E::ScheduleRefused { .. }
            | E::NothingToDo { .. }
            | E::SeatBlocked { .. }
            | E::ScheduleEnded { .. }
            | E::ThreadResumed { .. }
            | E::SeatAttached { .. }
            | E::SeatLeaving { .. }
            | E::SeatLeft { .. }
            | E::LimitsChanged { .. }
            | E::StackExhausted { .. } => {}
        }
        event
    }
}
