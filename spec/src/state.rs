//! What the rules speak of: a pool, its seats (S), its workers (W), its tasks (T), and the queues between them.
//!
//! A state is a plain value. The rules are in [`rules`](crate::rules), what must hold of every state in
//! [`invariants`](crate::invariants).

use std::collections::VecDeque;

use crate::{Params, queues::Queues, table::Table, vocabulary::*};
pub use crate::{Place, TaskState};

/// A pool at one instant.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct State {
    /// The pool's constants.
    pub params: Params,
    /// The pool, once it is built.
    pub pool: Option<PoolId>,
    /// Running, Stopping, Stopped.
    pub phase: PoolState,
    /// Whether somebody called `stop`.
    pub stop_called: bool,
    /// `min_size`.
    pub min: u32,
    /// `max_size`.
    pub max: u32,
    /// The count of workers. The pool decides by this number; that it is right is S4.
    pub running: u32,
    /// How many tasks have no outcome yet.
    pub outstanding: usize,
    /// The seats that are attached.
    pub seats: Table<SeatId, Seat>,
    /// The workers that live.
    pub workers: Table<WorkerId, Worker>,
    /// Every task that was ever accepted.
    pub tasks: Table<TaskId, Task>,
    /// The tasks that wait to be polled, by the place where they wait, oldest first. No queue is empty.
    pub queues: Queues<Place, TaskId>,
}

/// The place of one schedule thread.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Seat {
    /// Which arrow its drive passed last: 1, 3, 5 (its workers run), 19, or 26 (answered); none while it is not driven.
    /// Leaving is a kind of drive, too.
    pub drive: Option<Arrow>,
    /// What that drive was asked for.
    pub goal: Goal,
    /// The worker that has its processor.
    pub on: Option<WorkerId>,
    /// Its workers that wait for their turn, first come first served.
    pub ready: VecDeque<WorkerId>,
    /// Its workers that were woken since its last turn was over: they go to the back of the ready ones next.
    pub woken: VecDeque<WorkerId>,
    /// How many workers are its own: all that live and do not idle, each on one seat.
    pub workers: usize,
    /// How many of its ready and woken workers hold no task.
    pub pollers: usize,
    /// How often its workers polled, modulo `wrap`.
    pub polls: u32,
    /// What the creator has just heard and may answer with a new worker: arrow 10 or 16.
    pub heard: Option<Arrow>,
    /// Whether this drive could not get a stack.
    pub starved: bool,
}

/// A worker coroutine.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Worker {
    /// What its listener is told.
    pub state: WorkerState,
    /// Which arrow it passed last, while it has its seat's processor; a task that runs makes it stand at 7.
    pub at: Option<Arrow>,
    /// Its seat; none while it idles.
    pub seat: Option<SeatId>,
    /// The task that it holds.
    pub task: Option<TaskId>,
    /// How many tasks have ended on it since it went to the back of the ready ones without a task.
    pub turn: u32,
}

/// A task.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Task {
    /// What it is doing.
    pub state: TaskState,
    /// Smaller is sooner.
    pub priority: i64,
    /// Where it started.
    pub seat: Option<SeatId>,
    /// Which worker holds it.
    pub worker: Option<WorkerId>,
    /// The timer that it has armed.
    pub timer: Option<Tick>,
    /// Where its system call is, if it is in one: entered, or left and its task does not know yet.
    pub call: Option<Arrow>,
    /// Whether somebody asked to cancel it.
    pub cancelled: bool,
    /// Whether it was given up.
    pub abandoned: bool,
    /// How it ended.
    pub outcome: Option<Outcome>,
}

impl State {
    /// A pool that is yet to be built.
    pub fn new(params: Params) -> State {
        State { params, ..State::default() }
    }

    /// Whether a task waits to be polled (`size` is not 0).
    pub fn tasks_wait(&self) -> bool {
        !self.queues.is_empty()
    }

    /// What the recycling leaves alive: `min_size`, but nothing once the pool stops.
    pub fn floor(&self) -> u32 {
        if self.phase == PoolState::Running { self.min } else { 0 }
    }

    /// Whether a new worker would be a second one to the same end: one idles, or waits for its turn on this seat to poll.
    pub fn poller_at_hand(&self, seat: SeatId) -> bool {
        let busy = self.seats.values().map(|seat| seat.workers).sum();
        self.workers.len() > busy || self.seats[&seat].pollers > 0
    }

    /// Whether a task waits, and this seat can have a worker for it.
    pub fn could_run(&self, seat: SeatId) -> bool {
        let worker = self.poller_at_hand(seat) || self.running < self.max;
        self.tasks_wait() && worker && !self.seats[&seat].starved
    }

    /// Whether a task of this seat waits for nothing but the processor.
    pub fn resumable(&self, seat: SeatId) -> bool {
        self.seats.get(&seat).is_some_and(|seat| seat.ready.len() + seat.woken.len() > seat.pollers)
    }

    /// Whether a seat is on its way out.
    pub fn leaving(&self, seat: Option<SeatId>) -> bool {
        seat.and_then(|seat| self.seats.get(&seat)).is_some_and(|seat| seat.drive == Some(Arrow::SeatLeaving))
    }

    /// Whether a task that has started unwinds at its next suspension: cancelled, given up, or its seat leaves.
    pub fn thrown_at(&self, task: TaskId) -> bool {
        self.tasks.get(&task).is_some_and(|task| task.cancelled || task.abandoned || self.leaving(task.seat))
    }

    /// Whether the drive of a seat has what it was asked for. Not exact: as far as its own thread can know, for what there was
    /// elsewhere, there may be more of again.
    pub fn reached(&self, seat: SeatId) -> bool {
        let (now, it) = (self.params.exact, &self.seats[&seat]);
        let open = |task: TaskId| self.tasks[&task].outcome.is_none();
        match it.goal {
            Goal::Ready => it.workers == 0 && !(now && self.tasks_wait()),
            Goal::Drained if now => self.outstanding == 0,
            Goal::Drained => !self.workers.values().any(|it| it.seat == Some(seat) && it.task.is_some_and(open)),
            Goal::Ended(task) => self.tasks.get(&task).is_none_or(|task| task.outcome.is_some()),
            Goal::Stopped => false,
        }
    }

    /// The earliest timer of a seat.
    pub fn next_timer(&self, seat: SeatId) -> Option<Tick> {
        let tasks = self.workers.values().filter(|it| it.seat == Some(seat)).filter_map(|it| self.tasks.get(&it.task?));
        tasks.filter(|task| matches!(task.state, TaskState::Waiting(_))).filter_map(|task| task.timer).min()
    }

    /// Tasks are queued, all `max_size` workers wait for tasks of this pool, and nothing can wake any of them.
    pub fn stalled(&self) -> bool {
        let waits = |task: &Task| matches!(task.state, TaskState::Waiting(Interruption::Join | Interruption::Stop));
        let stuck = |task: &Task| waits(task) && task.timer.is_none() && !task.cancelled && !task.abandoned;
        let holds = |worker: &Worker| worker.task.is_some_and(|task| stuck(&self.tasks[&task]));
        self.tasks_wait() && self.running >= self.max && self.workers.values().all(holds)
    }
}
