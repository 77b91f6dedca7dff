//! The life of a pool: Running → Stopping → Stopped, and the ways a task is given up.

use copool_spec::script::Observation;
use copool_spec::{Event, Outcome, PoolState, SeatId, TaskId};

use crate::shared::Core;
use crate::task::Task;

impl Core {
    pub(crate) fn state(&self) -> PoolState {
        match (self.stopped, self.closed) {
            (true, _) => PoolState::Stopped,
            (false, true) => PoolState::Stopping,
            (false, false) => PoolState::Running,
        }
    }

    /// How many tasks have no outcome yet.
    pub(crate) fn outstanding(&self) -> usize {
        self.tasks.values().filter(|task| task.outcome.is_none()).count()
    }

    /// Whether all that is unfinished is in `stop` itself.
    pub(crate) fn is_quiet(&self) -> bool {
        self.outstanding() <= self.tasks.values().filter(|task| task.in_stop).count()
    }

    /// Running → Stopping: from now on every submission is rejected.
    pub(crate) fn close(&mut self) {
        self.tell(Event::StopCalled { pool: self.id });
        if !self.closed {
            self.closed = true;
            self.tell(Event::PoolStopping { pool: self.id });
        }
    }

    /// A task has its outcome, or does not count any more: perhaps the pool is quiet now.
    pub(crate) fn completed(&mut self) {
        let matters = self.closed || !self.watchers.is_empty();
        if matters && self.is_quiet() {
            for task in std::mem::take(&mut self.watchers) {
                self.wake(task);
            }
            self.settle();
        }
    }

    /// Stopping → Stopped, as soon as every task has its outcome and no worker lives but idle ones, who go now.
    pub(crate) fn settle(&mut self) {
        if !self.closed || self.outstanding() > 0 {
            return;
        }
        while let Some(idle) = self.idle.pop_back() {
            self.running -= 1;
            self.tell(Event::WorkerExited { seat: idle.by.0, worker: idle.worker });
        }
        if self.running == 0 && !self.stopped {
            self.stopped = true;
            self.tell(Event::PoolStopped { pool: self.id });
        }
    }

    /// The deadline of a stop has passed: everything is given up but tasks in `stop`. Says how many tasks those were.
    pub(crate) fn abandon_rest(&mut self) -> usize {
        if self.is_quiet() {
            return 0;
        }
        self.abandoning = true;
        self.sweep()
    }

    /// The owner's seat is dropped: everything is given up, and nothing spared.
    pub(crate) fn abandon_all(&mut self) {
        if !self.closed {
            self.close();
        }
        (self.abandoning, self.dropped) = (true, true);
        self.sweep();
    }

    fn sweep(&mut self) -> usize {
        let queued = self.abandon_queues();
        let unfinished = |core: &Self, id: &TaskId| {
            let task = &core.tasks[id];
            task.outcome.is_none() && (core.dropped || !task.in_stop)
        };
        let started: Vec<TaskId> = self.tasks.keys().filter(|id| unfinished(self, id)).copied().collect();
        for &task in &started {
            self.abandon(task);
            self.interrupt(task);
        }
        self.completed();
        queued + started.len()
    }

    /// Gives up what is queued anywhere.
    pub(crate) fn abandon_queues(&mut self) -> usize {
        let queued = self.drain_queues();
        queued.iter().for_each(|task| self.abandon(*task));
        self.completed();
        queued.len()
    }

    /// Gives up a task. If it has started, it unwinds later, on its seat.
    pub(crate) fn abandon(&mut self, task: TaskId) {
        self.tell(Event::TaskAbandoned { task });
        self.publish(task, Outcome::Abandoned);
    }

    /// What a `stop` that abandoned so many comes back with.
    pub(crate) fn report(&mut self, abandoned: usize) -> Observation {
        self.settle();
        Observation::Stop { state: self.state(), abandoned, leaving: self.running as usize }
    }

    /// Arrow by arrow, a seat leaves; this is the end of it: what is queued there goes to all.
    pub(crate) fn hand_back(&mut self, seat: SeatId) {
        let deque = std::mem::take(&mut self.seat(seat).deque);
        let any = !deque.is_empty();
        self.injector.extend(deque);
        if any && self.abandoning {
            self.abandon_queues();
        }
        self.seats.remove(&seat);
        self.tell(Event::SeatLeft { seat });
        self.settle();
    }

    /// Says what is left of a pool whose owner has gone, if anything is.
    pub(crate) fn left(&self) -> Result<(), String> {
        let unfinished = |task: &&Task| {
            let waits = task.wait.is_some() || task.pending.is_some() && !task.leaked || !task.waiters.is_empty();
            waits || task.outcome.is_none() || task.machine.is_some() || task.in_stop
        };
        if let Some(task) = self.tasks.values().find(unfinished) {
            return Err(format!("a task is not done: {task:?}"));
        }
        let counts = [self.running as usize, self.size(), self.idle.len(), self.seats.len(), self.watchers.len()];
        if self.stopped && counts == [0; 5] {
            Ok(())
        } else {
            Err(format!("{:?} with workers, queued, idle, seats, watchers {counts:?}", self.state()))
        }
    }
}
