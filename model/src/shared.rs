//! What all threads of a pool share: one value behind one lock, and what is done to it in one step.

use std::collections::{BTreeMap, VecDeque};

use copool_spec::script::{Build, Key, Numbers, Observation, Op, Refusal, Seen, Submission};
use copool_spec::{Event, Outcome, Params, PoolId, SeatId, TaskId};

use crate::clock::{Clock, Passing};
use crate::creator::Idle;
use crate::schedule::Seat;
use crate::task::Task;

/// The largest `max_size`.
const MOST: u32 = (1 << 21) - 1;

/// How many task ids a seat takes at a time.
const ID_BLOCK: u64 = 1 << 20;

/// Everything that is shared.
#[derive(Debug)]
pub(crate) struct Core {
    pub(crate) id: PoolId,
    pub(crate) params: Params,
    pub(crate) slice: Option<u64>,
    pub(crate) clock: Clock,
    pub(crate) min: u32,
    pub(crate) max: u32,
    pub(crate) keep_alive: u64,
    /// How many workers live, and how many were ever made.
    pub(crate) running: u32,
    pub(crate) workers_made: u64,
    /// `stop` was called; its deadline has passed; the owner has gone; all is over.
    pub(crate) closed: bool,
    pub(crate) abandoning: bool,
    pub(crate) dropped: bool,
    pub(crate) stopped: bool,
    pub(crate) seats: BTreeMap<SeatId, Seat>,
    seats_made: u32,
    /// Every task that was ever accepted.
    pub(crate) tasks: BTreeMap<TaskId, Task>,
    blocks: u64,
    outside_ids: u64,
    /// The tasks by their keys; `None` once the handle is gone.
    keys: BTreeMap<Key, Option<TaskId>>,
    /// Tasks of priority 0 that came from outside all seats, oldest first.
    pub(crate) injector: VecDeque<TaskId>,
    /// Tasks of every other priority, with it, oldest first.
    pub(crate) lane: Vec<(i64, TaskId)>,
    pub(crate) idle: VecDeque<Idle>,
    /// Tasks that wait in `stop` for the pool to be quiet.
    pub(crate) watchers: Vec<TaskId>,
    /// How many timers were armed.
    pub(crate) timers: u64,
    /// The next stack that is taken from the store is refused; one was.
    pub(crate) fail_stack: bool,
    pub(crate) refused: bool,
    pub(crate) log: Vec<Event>,
    pub(crate) seen: Vec<Seen>,
}

impl Core {
    pub(crate) fn new(build: &Build, params: Params, passing: Passing) -> Self {
        let mut core = Self {
            id: PoolId(0),
            params: Params { lifo: build.lifo, ..params },
            slice: build.slice,
            clock: Clock { now: 0, passing },
            min: build.min,
            max: build.max,
            keep_alive: build.keep_alive,
            running: 0,
            workers_made: 0,
            closed: false,
            abandoning: false,
            dropped: false,
            stopped: false,
            seats: BTreeMap::new(),
            seats_made: 0,
            tasks: BTreeMap::new(),
            blocks: 0,
            outside_ids: 0,
            keys: BTreeMap::new(),
            injector: VecDeque::new(),
            lane: Vec::new(),
            idle: VecDeque::new(),
            watchers: Vec::new(),
            timers: 0,
            fail_stack: false,
            refused: false,
            log: Vec::new(),
            seen: Vec::new(),
        };
        core.tell(Event::PoolBuilt { pool: core.id, min: core.min, max: core.max });
        core
    }

    pub(crate) fn tell(&mut self, event: Event) {
        self.log.push(event);
    }

    pub(crate) fn task(&mut self, id: TaskId) -> &mut Task {
        self.tasks.get_mut(&id).expect("an accepted task is never forgotten")
    }

    pub(crate) fn seat(&mut self, id: SeatId) -> &mut Seat {
        self.seats.get_mut(&id).expect("only a seat's own thread uses it, until it has left")
    }

    pub(crate) fn attach(&mut self) -> SeatId {
        let seat = SeatId(self.seats_made);
        self.seats_made += 1;
        self.seats.insert(seat, Seat::default());
        self.tell(Event::SeatAttached { seat });
        seat
    }

    /// An id for a task: even on a seat, where they are taken in blocks, odd elsewhere.
    fn next_id(&mut self, seat: Option<SeatId>) -> TaskId {
        let Some(seat) = seat else {
            self.outside_ids += 1;
            return TaskId(self.outside_ids * 2 - 1);
        };
        let blocks = self.blocks;
        let (block, next) = self.seat(seat).ids.unwrap_or((blocks, 0));
        self.blocks = blocks.max(block + 1);
        self.seat(seat).ids = Some((block, next + 1));
        TaskId((block * ID_BLOCK + next) * 2)
    }

    pub(crate) fn submit(&mut self, seat: Option<SeatId>, submission: &Submission) -> Observation {
        let task = self.next_id(seat);
        if self.closed {
            self.tell(Event::TaskRejected { task });
            return Observation::Refused(Refusal::Stopped);
        }
        let priority = submission.priority.unwrap_or(0);
        let seat = seat.filter(|_| priority == 0);
        self.tell(Event::TaskAccepted { seat, task, priority });
        self.tasks.insert(task, Task::new(submission.key, submission.body.as_slice().into()));
        self.keys.insert(submission.key, Some(task));
        match seat {
            Some(seat) => self.seat(seat).deque.push_back(task),
            None if priority == 0 => self.injector.push_back(task),
            None => self.lane.push((priority, task)),
        }
        Observation::Done
    }

    /// The task of this key, if its handle is there; a task knows itself in any case.
    pub(crate) fn known(&self, by: Option<TaskId>, key: Key) -> Option<TaskId> {
        let itself = by.filter(|by| self.tasks[by].key == key);
        self.keys.get(&key).copied().flatten().or(itself)
    }

    pub(crate) fn on(
        &mut self,
        by: Option<TaskId>,
        key: Key,
        f: impl FnOnce(&mut Self, TaskId) -> Observation,
    ) -> Observation {
        match self.known(by, key) {
            Some(task) => f(self, task),
            None => Observation::Refused(Refusal::NoSuchTask),
        }
    }

    /// The result of a task that has ended: a value or a panic can be had once.
    pub(crate) fn take_result(&mut self, id: TaskId) -> Observation {
        let task = self.task(id);
        match task.outcome {
            None => Observation::Refused(Refusal::NotYet),
            Some(outcome @ (Outcome::Cancelled | Outcome::Abandoned)) => Observation::Ended(outcome, None),
            Some(_) if std::mem::replace(&mut task.taken, true) => Observation::Refused(Refusal::Taken),
            Some(outcome) => Observation::Ended(outcome, (outcome == Outcome::Returned).then_some(task.value)),
        }
    }

    /// Changes the limits, unless `min_size` would be above `max_size`.
    pub(crate) fn set_limits(&mut self, min: Option<u32>, max: Option<u32>) -> Observation {
        let (min, max) = (min.unwrap_or(self.min), max.unwrap_or(self.max));
        if min > max || max > MOST {
            return Observation::Refused(Refusal::Limit);
        }
        (self.min, self.max) = (min, max);
        self.tell(Event::LimitsChanged { min, max, keep_alive: self.keep_alive });
        Observation::Done
    }

    fn numbers(&self) -> Observation {
        Observation::Numbers(Numbers {
            state: self.state(),
            size: self.size(),
            outstanding: self.outstanding(),
            running: self.running,
            min: self.min,
            max: self.max,
        })
    }

    /// What a thread does in one step. `None`: it takes more.
    pub(crate) fn at_once(&mut self, seat: Option<SeatId>, op: &Op) -> Option<Observation> {
        Some(match op {
            Op::Look => self.numbers(),
            Op::Submit(submission) => self.submit(seat, submission),
            Op::Advance(time) => {
                self.clock.advance(*time);
                Observation::Done
            }
            Op::Take(key) => self.on(None, *key, Self::take_result),
            Op::Detach(key) => match self.keys.get_mut(key).and_then(Option::take) {
                Some(_) => Observation::Done,
                None => Observation::Refused(Refusal::NoSuchTask),
            },
            Op::Cancel(key) => self.on(None, *key, |core, task| Observation::Cancel(core.cancel(task))),
            Op::Unpark(key) => self.on(None, *key, |core, task| {
                core.unpark(task);
                Observation::Done
            }),
            Op::SetMin(min) => self.set_limits(Some(*min), None),
            Op::SetMax(max) => self.set_limits(None, Some(*max)),
            Op::SetKeepAlive(time) => {
                self.keep_alive = *time;
                self.set_limits(None, None)
            }
            Op::FailStack => {
                self.fail_stack = true;
                Observation::Done
            }
            Op::FailThread => Observation::Done,
            _ => return None,
        })
    }
}
