//! What the rules speak of: a pool, its seats (S), its workers (W), its tasks (T), and the queues between them.
//!
//! A state is a plain value. The rules are in [`rules`](crate::rules), what must hold of every state in
//! [`invariants`](crate::invariants).

use std::collections::VecDeque;

use crate::table::Table;
use crate::{Arrow, Interruption, Outcome, PoolId, PoolState, SeatId, TaskId, Tick, WorkerId, WorkerState};

/// What the rules depend on besides the state: constants of a pool, tiny under a checker.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Params {
    /// Whether every event is known to have happened at one instant, in the order given: so it is in an exploration, and
    /// in the log of one thread that nobody else disturbs. Where several threads take part, a pool looks at one queue
    /// after the other while they change, and rules about *all* queues at one instant (`exact` in their text) are not
    /// asked of it.
    pub exact: bool,
    /// Whether a seat takes the youngest task of its own deque first.
    pub lifo: bool,
    /// How many tasks a worker ends before it goes to the back of its seat's ready workers.
    pub polls_per_turn: u32,
    /// Each so-manieth poll of a seat looks at the injector first; 0 is never.
    pub injector_every: u32,
    /// Each so-manieth poll of a seat takes the oldest of one source, the sources in turn; 0 is never.
    pub age_every: u32,
    /// How many polls a seat counts before it begins again from 0: a multiple of `injector_every` and of 4 `age_every`.
    pub wrap: u32,
}

/// Those of the production pool.
impl Default for Params {
    fn default() -> Params {
        Params { exact: true, lifo: false, polls_per_turn: 32, injector_every: 61, age_every: 257, wrap: 61 * 257 * 4 }
    }
}

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
    /// The seats that are attached.
    pub seats: Table<SeatId, Seat>,
    /// The workers that live.
    pub workers: Table<WorkerId, Worker>,
    /// Every task that was ever accepted.
    pub tasks: Table<TaskId, Task>,
    /// Tasks of priority 0 that came from outside, oldest first.
    pub injector: VecDeque<TaskId>,
    /// Tasks of every other priority, soonest first, oldest first within a priority.
    pub lane: VecDeque<TaskId>,
}

/// The place of one schedule thread.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Seat {
    /// Which arrow its drive passed last: 1, 3, 5 (its workers run), 19, or 26 (answered); none while it is not driven.
    /// Leaving is a kind of drive, too.
    pub drive: Option<Arrow>,
    /// The worker that has its processor.
    pub on: Option<WorkerId>,
    /// Its workers that wait for their turn, first come first served.
    pub ready: VecDeque<WorkerId>,
    /// Its workers that were woken since its last turn was over: they go to the back of the ready ones next.
    pub woken: VecDeque<WorkerId>,
    /// The tasks that were submitted on it, oldest first.
    pub deque: VecDeque<TaskId>,
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

/// What a task is doing.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum TaskState {
    /// Accepted, never started.
    #[default]
    Queued,
    /// Cancelled or abandoned before its start: it never runs.
    Withdrawn,
    /// It runs.
    Running,
    /// It waits, and why.
    Waiting(Interruption),
    /// It waits for nothing but the processor.
    Ready,
    /// Its body is over: returned, panicked, or (`Cancelled`) unwound by a throw.
    Finished(Outcome),
}

impl State {
    /// A pool that is yet to be built.
    pub fn new(params: Params) -> State {
        State { params, ..State::default() }
    }

    /// Every task that waits in a queue.
    pub fn queued(&self) -> impl Iterator<Item = TaskId> + '_ {
        let deques = self.seats.values().flat_map(|seat| &seat.deque);
        self.lane.iter().chain(&self.injector).chain(deques).copied()
    }

    /// Whether a task waits to be polled (`size` is not 0).
    pub fn tasks_wait(&self) -> bool {
        self.queued().next().is_some()
    }

    /// Whether some accepted task has no outcome yet.
    pub fn outstanding(&self) -> bool {
        self.tasks.values().any(|task| task.outcome.is_none())
    }

    /// What the recycling leaves alive: `min_size`, but nothing once the pool stops.
    pub fn floor(&self) -> u32 {
        if self.phase == PoolState::Running { self.min } else { 0 }
    }

    /// Whether a new worker would be a second one to the same end: one idles, or waits for its turn on this seat to poll.
    pub fn poller_at_hand(&self, seat: SeatId) -> bool {
        self.workers.values().any(|worker| match worker.state {
            WorkerState::Idle => worker.at.is_none(),
            WorkerState::Ready => worker.seat == Some(seat) && worker.task.is_none(),
            _ => false,
        })
    }

    /// Whether (exact) a task waits, and this seat can have a worker for it.
    pub fn could_run(&self, seat: SeatId) -> bool {
        let starved = self.seats.get(&seat).is_some_and(|seat| seat.starved);
        let hand = self.poller_at_hand(seat) || self.running < self.max;
        self.params.exact && self.tasks_wait() && hand && !starved
    }

    /// Whether a task of this seat waits for nothing but the processor.
    pub fn resumable(&self, seat: SeatId) -> bool {
        let ready = |id: &WorkerId| self.workers.get(id).is_some_and(|worker| worker.task.is_some());
        self.seats.get(&seat).is_some_and(|seat| seat.ready.iter().chain(&seat.woken).any(ready))
    }

    /// Whether a seat is on its way out.
    pub fn leaving(&self, seat: Option<SeatId>) -> bool {
        seat.and_then(|seat| self.seats.get(&seat)).is_some_and(|seat| seat.drive == Some(Arrow::SeatLeaving))
    }

    /// The earliest timer of a seat.
    pub fn next_timer(&self, seat: SeatId) -> Option<Tick> {
        let waits = |task: &&Task| task.seat == Some(seat) && matches!(task.state, TaskState::Waiting(_));
        self.tasks.values().filter(waits).filter_map(|task| task.timer).min()
    }

    /// Tasks are queued, all `max_size` workers wait for tasks of this pool, and nothing can wake any of them.
    pub fn stalled(&self) -> bool {
        let stuck = |worker: &Worker| {
            worker.task.and_then(|id| self.tasks.get(&id)).is_some_and(|task| {
                let waits = matches!(task.state, TaskState::Waiting(Interruption::Join | Interruption::Stop));
                waits && task.timer.is_none() && !task.cancelled && !task.abandoned
            })
        };
        self.tasks_wait() && self.running >= self.max && self.workers.values().all(stuck)
    }
}

impl Task {
    /// Whether it has begun to run, whatever became of it.
    pub fn started(&self) -> bool {
        !matches!(self.state, TaskState::Queued | TaskState::Withdrawn)
    }
}
