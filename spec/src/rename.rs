//! Other names for the same participants: two pools that number their workers and tasks differently do the same.

use crate::{Cancel, DriveEnd, Goal, Interruption, Outcome, PoolId, SeatId, TaskId, Tick, WorkerId, WorkerState};

/// Says what the participants are to be called. Whom it does not mention keeps its name.
pub trait Names {
    /// The name of a pool.
    fn pool(&mut self, pool: PoolId) -> PoolId {
        pool
    }

    /// The name of a worker.
    fn worker(&mut self, worker: WorkerId) -> WorkerId {
        worker
    }

    /// The name of a task.
    fn task(&mut self, task: TaskId) -> TaskId {
        task
    }
}

/// What stands in a field of an event.
pub(crate) trait Field {
    /// The same, by its new name.
    fn renamed(self, names: &mut impl Names) -> Self;
}

macro_rules! named {
    ($($id:ty: $method:ident;)*) => {$(
        impl Field for $id {
            fn renamed(self, names: &mut impl Names) -> Self {
                names.$method(self)
            }
        }
    )*};
}

macro_rules! plain {
    ($($kind:ty),*) => {$(
        impl Field for $kind {
            fn renamed(self, _: &mut impl Names) -> Self {
                self
            }
        }
    )*};
}

named! {
    PoolId: pool;
    WorkerId: worker;
    TaskId: task;
}

impl Field for Goal {
    fn renamed(self, names: &mut impl Names) -> Self {
        if let Goal::Ended(task) = self { Goal::Ended(names.task(task)) } else { self }
    }
}

plain!(SeatId, Option<SeatId>, Tick, DriveEnd, Interruption, WorkerState, Outcome, Cancel, u32, u64, i64, &'static str);

/// Calls everybody by the order of the first appearance.
#[derive(Clone, Debug, Default)]
pub struct ByAppearance {
    workers: Vec<WorkerId>,
    tasks: Vec<TaskId>,
}

fn place<T: PartialEq>(known: &mut Vec<T>, it: T) -> u64 {
    let at = known.iter().rposition(|other| *other == it).unwrap_or_else(|| {
        known.push(it);
        known.len() - 1
    });
    at as u64
}

impl Names for ByAppearance {
    fn pool(&mut self, _: PoolId) -> PoolId {
        PoolId(0)
    }

    fn worker(&mut self, worker: WorkerId) -> WorkerId {
        WorkerId(place(&mut self.workers, worker))
    }

    fn task(&mut self, task: TaskId) -> TaskId {
        TaskId(place(&mut self.tasks, task))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Event;

    #[test]
    fn participants_are_called_by_the_order_in_which_they_appear() {
        let mut names = ByAppearance::default();
        let created = |worker| Event::WorkerCreated { seat: SeatId(3), worker: WorkerId(worker) };
        let started = Event::TaskStarted { seat: SeatId(3), worker: WorkerId(9), task: TaskId(70) };
        assert_eq!(created(7).renamed(&mut names), created(0));
        assert_eq!(created(9).renamed(&mut names), created(1));
        let expected = Event::TaskStarted { seat: SeatId(3), worker: WorkerId(1), task: TaskId(0) };
        assert_eq!(started.renamed(&mut names), expected);
        assert_eq!(created(7).renamed(&mut names), created(0));
    }
}
