//! The words that the spec, the model and the production pool share: ids, states, outcomes and events.
//!
//! Nothing else defines a state, an event or an outcome of the pool. An event's snake-case name is the name of its
//! arrow in the sequence diagram: the rule that allows it, the method that reports it ([`Tell`]) and the tests that
//! look for it all carry that one identifier, so that one search finds them all.

use core::fmt;

macro_rules! ids {
    ($($(#[$doc:meta])* $name:ident($repr:ty, $letter:literal, $noun:literal);)*) => {$(
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(pub $repr);

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, concat!($letter, "{}"), self.0)
            }
        }

        impl crate::table::Key for $name {
            #[inline]
            fn distance(&self, from: &Self) -> usize {
                self.0.wrapping_sub(from.0) as usize
            }
        }

        impl crate::table::Id for $name {
            const UNKNOWN: &'static str = concat!("there is no such ", $noun);
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Debug::fmt(self, f)
            }
        }
    )*};
}

ids! {
    /// A pool, unique in the process.
    PoolId(u64, "P", "pool");
    /// A seat, unique in its pool: the place of one schedule thread (S in the diagram).
    SeatId(u32, "S", "seat");
    /// A worker coroutine, unique in its pool (W in the diagram).
    WorkerId(u64, "W", "worker");
    /// A task, unique in its pool (T in the diagram).
    TaskId(u64, "T", "task");
}

/// A reading of the pool's clock: nanoseconds since the clock's own start.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Tick(pub u64);

/// Where a pool is in its life. It only ever moves forward.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum PoolState {
    /// Accepts submissions.
    #[default]
    Running,
    /// Rejects submissions; what was accepted may still run until the deadline of the stop.
    Stopping,
    /// Nothing runs, no worker lives, nobody waits.
    Stopped,
}

/// What a worker coroutine is doing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum WorkerState {
    /// Created, or awake again, and waiting for its turn.
    Ready,
    /// On the processor: polling, or running a task.
    Running,
    /// Its task is suspended, parked, delayed, or joins another.
    Suspend,
    /// Its task is in a system call on a helper thread.
    Syscall,
    /// It found nothing to poll and gave up its frames: a reserved count and a stack.
    Idle,
    /// Its task panicked. It ends.
    Error,
    /// It is gone.
    Exited,
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

/// Where a task waits to be polled.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Place {
    /// The lane of the whole pool: of a priority other than 0, and smaller is sooner.
    Lane(i64),
    /// Of priority 0, and from outside.
    Injector,
    /// Of priority 0, and submitted on this seat.
    Deque(SeatId),
}

impl crate::table::Key for Place {
    fn distance(&self, _: &Self) -> usize {
        usize::MAX
    }
}

/// How a task ended. Each accepted task gets exactly one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Outcome {
    /// It returned a value.
    Returned,
    /// It panicked.
    Panicked,
    /// It was cancelled on request: before its start, or by unwinding.
    Cancelled,
    /// A stop, a drop or a leaving seat gave it up.
    Abandoned,
}

/// What became of a request to cancel.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Cancel {
    /// The task had not started and now never will; its closure is dropped.
    NeverRuns,
    /// The task has started: it unwinds at its present or next suspension call.
    Requested,
    /// The task has its outcome already.
    AlreadyEnded,
}

/// What a drive was asked for: it goes on until there is this, if nothing else ends it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Goal {
    /// What can run now has run.
    #[default]
    Ready,
    /// Every accepted task has its outcome.
    Drained,
    /// This task has its outcome.
    Ended(TaskId),
    /// The pool is stopped.
    Stopped,
}

/// Why a drive came back.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum DriveEnd<Time = Tick> {
    /// What the drive was asked for is done.
    AllDone,
    /// What is left waits: for a timer that is due at `until`, or, if that is `None`, for somebody else.
    Waiting {
        /// The earliest armed timer of this seat.
        until: Option<Time>,
    },
    /// The deadline passed first.
    Deadline,
    /// The pool has stopped, or it was stopped and this seat has nothing more to do.
    Stopped,
    /// Tasks are queued, every one of the `max_size` workers waits for a task of this pool, and nothing can wake any.
    Stalled,
}

/// Why a task gave up the processor (arrow 8).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Interruption {
    /// `suspend()`: it is ready again at once.
    Suspend,
    /// `checkpoint()`: its slice was used up.
    Preempt,
    /// `delay(d)`: until a timer.
    Delay,
    /// `park()`: until an unpark, or a timer.
    Park,
    /// `join()`: until another task's outcome, or a timer.
    Join,
    /// `syscall()`: until the system call is over.
    Syscall,
    /// `stop()`: until the pool is drained, or a timer.
    Stop,
}

macro_rules! events {
    ($($(#[doc = $doc:literal])* $arrow:ident = $event:ident { $($field:ident: $kind:ty),* $(,)? })*) => {
        /// Something that happened in a pool: one variant for each arrow of the sequence diagram, in its order, and
        /// then the events beside the arrows.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        pub enum Event {
            $($(#[doc = $doc])* #[expect(missing_docs, reason = "the fields are the participants that the text names")]
            $event { $($field: $kind),* },)*
        }

        /// An event without its participants: an arrow, or what is beside the arrows.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum Arrow {
            $($(#[doc = $doc])* $event,)*
        }

        impl Event {
            /// The names of all events, in the order of the diagram; the first [`Event::ARROWS`] are its arrows.
            pub const NAMES: &'static [&'static str] = &[$(stringify!($arrow)),*];

            /// What each event means, in the same order: for an arrow, its number and its two ends first.
            pub const MEANINGS: &'static [&'static str] = &[$(concat!($($doc),*)),*];

            /// The event without its participants. As a number, its place in [`Event::NAMES`].
            #[must_use]
            pub const fn arrow(&self) -> Arrow {
                match self {
                    $(Event::$event { .. } => Arrow::$event,)*
                }
            }

            /// Asks the rule of the event's name, and lets it act.
            pub(crate) fn rule(self, state: &mut crate::State) -> crate::Check {
                match self {
                    $(Event::$event { $($field),* } => crate::rules::$arrow(state, $($field),*),)*
                }
            }

            /// The same event, its participants by these names.
            #[must_use]
            pub fn renamed(self, names: &mut impl crate::rename::Names) -> Event {
                use crate::rename::Field;
                match self {
                    $(Event::$event { $($field),* } => Event::$event { $($field: $field.renamed(names)),* },)*
                }
            }

            /// The event's name in the diagram.
            #[must_use]
            pub const fn name(&self) -> &'static str {
                match self {
                    $(Event::$event { .. } => stringify!($arrow),)*
                }
            }
        }

        /// Somebody who is told what happens, each event by a method of its own name.
        ///
        /// With nobody listening a call costs one branch: the event is not even built.
        pub trait Tell {
            /// Whether anybody listens.
            fn listens(&self) -> bool;

            /// Takes an event. Called only if somebody listens.
            fn tell(&self, event: Event);

            $($(#[doc = $doc])*
            #[inline]
            fn $arrow(&self, $($field: $kind),*) {
                if self.listens() {
                    self.tell(Event::$event { $($field),* });
                }
            })*
        }
    };
}

events! {
    /// Arrow 1, S→P: a drive begins, and what for.
    schedule_called = ScheduleCalled { seat: SeatId, until: Goal }
    /// Arrow 2, P→S: the pool is stopped; the drive is refused.
    schedule_refused = ScheduleRefused { seat: SeatId }
    /// Arrow 3, P→S: nothing queued, nothing resumable; the drive succeeds at once.
    nothing_to_do = NothingToDo { seat: SeatId }
    /// Arrow 4, P→W: a worker is created, within `max_size`.
    worker_created = WorkerCreated { seat: SeatId, worker: WorkerId }
    /// Arrow 5, P→W: a worker gets the processor.
    worker_resumed = WorkerResumed { seat: SeatId, worker: WorkerId }
    /// Arrow 6, W→T: the worker tries to poll a task.
    task_polled = TaskPolled { seat: SeatId, worker: WorkerId }
    /// Arrow 7, T→T: polled; the task runs.
    task_started = TaskStarted { seat: SeatId, worker: WorkerId, task: TaskId }
    /// Arrow 8, T→W: the task suspends, is preempted, or enters a system call.
    task_interrupted = TaskInterrupted { seat: SeatId, worker: WorkerId, task: TaskId, why: Interruption }
    /// Arrow 9, W→W: the worker's state changes to Suspend or Syscall.
    worker_suspended = WorkerSuspended { seat: SeatId, worker: WorkerId, state: WorkerState }
    /// Arrow 10, W→C: the creator hears of it.
    suspension_heard = SuspensionHeard { seat: SeatId, worker: WorkerId }
    /// Arrow 11, C→W: the creator adds a worker, within `max_size`.
    worker_added = WorkerAdded { seat: SeatId, worker: WorkerId }
    /// Arrow 12, T→W: the task exited normally.
    task_exited = TaskExited { seat: SeatId, worker: WorkerId, task: TaskId }
    /// Arrow 13, T→W: the task exited abnormally.
    task_failed = TaskFailed { seat: SeatId, worker: WorkerId, task: TaskId }
    /// Arrow 14, W→W: the worker's state changes to Error.
    worker_errored = WorkerErrored { seat: SeatId, worker: WorkerId }
    /// Arrow 15, W→C: the creator hears of it.
    error_heard = ErrorHeard { seat: SeatId, worker: WorkerId }
    /// Arrow 16, C→C: the creator reduces the count of workers.
    count_reduced = CountReduced { seat: SeatId, worker: WorkerId }
    /// Arrow 17, C→W: the creator recreates a worker, within `max_size`.
    worker_recreated = WorkerRecreated { seat: SeatId, worker: WorkerId }
    /// Arrow 18, T→W: there is nothing to poll; the worker counts it and yields to the next.
    poll_failed = PollFailed { seat: SeatId, worker: WorkerId }
    /// Arrow 19, W→W: all workers of the seat failed to poll; the seat blocks for a while.
    seat_blocked = SeatBlocked { seat: SeatId }
    /// Arrow 20, W→W: the worker goes on to the next poll.
    next_poll = NextPoll { seat: SeatId, worker: WorkerId }
    /// Arrow 21, W→W: the time of the schedule call, or the worker's keep-alive, is over.
    time_over = TimeOver { seat: SeatId, worker: WorkerId }
    /// Arrow 22, W→P: are there more workers than `min_size`?
    surplus_asked = SurplusAsked { seat: SeatId, worker: WorkerId }
    /// Arrow 23, P→W: yes; the worker's count is released with this answer.
    surplus_granted = SurplusGranted { seat: SeatId, worker: WorkerId }
    /// Arrow 24, W→W: the worker exits.
    worker_exited = WorkerExited { seat: SeatId, worker: WorkerId }
    /// Arrow 25, W→P: the worker returns to its seat, its time over or nothing to schedule, and idles.
    worker_returned = WorkerReturned { seat: SeatId, worker: WorkerId }
    /// Arrow 26, P→S: the drive has ended.
    schedule_ended = ScheduleEnded { seat: SeatId, end: DriveEnd }
    /// Arrow 27, S→S: the thread goes on with its own work.
    thread_resumed = ThreadResumed { seat: SeatId }

    /// A pool was built, with these limits.
    pool_built = PoolBuilt { pool: PoolId, min: u32, max: u32 }
    /// A seat was attached.
    seat_attached = SeatAttached { seat: SeatId }
    /// A seat begins to leave: what is suspended on it unwinds.
    seat_leaving = SeatLeaving { seat: SeatId }
    /// A seat left the pool.
    seat_left = SeatLeft { seat: SeatId }
    /// A submission was accepted: on a seat's own deque, or (`None`) on a queue of the whole pool.
    task_accepted = TaskAccepted { seat: Option<SeatId>, task: TaskId, priority: i64 }
    /// A submission was rejected and its closure given back.
    task_rejected = TaskRejected { task: TaskId }
    /// A seat took a queued task from another seat's deque.
    task_stolen = TaskStolen { seat: SeatId, from: SeatId, task: TaskId }
    /// A waiting task was woken, by whoever took its wait.
    task_woken = TaskWoken { task: TaskId }
    /// A waiting task armed a timer.
    timer_armed = TimerArmed { seat: SeatId, task: TaskId, at: Tick }
    /// A timer ended its task's wait.
    timer_fired = TimerFired { seat: SeatId, task: TaskId }
    /// A task entered a system call of this name.
    syscall_entered = SyscallEntered { task: TaskId, name: &'static str }
    /// The system call is over.
    syscall_left = SyscallLeft { task: TaskId }
    /// Somebody asked to cancel a task, and was answered.
    cancel_requested = CancelRequested { task: TaskId, answer: Cancel }
    /// A started task was thrown at and has unwound.
    task_unwound = TaskUnwound { task: TaskId }
    /// A task's outcome was published.
    outcome_published = OutcomePublished { task: TaskId, outcome: Outcome }
    /// The limits or the keep-alive (in nanoseconds) changed.
    limits_changed = LimitsChanged { min: u32, max: u32, keep_alive: u64 }
    /// A task ran for longer than its slice before it reached a safe point.
    overran = Overran { seat: SeatId, task: TaskId }
    /// No stack could be had for a worker.
    stack_exhausted = StackExhausted { seat: SeatId }
    /// Somebody called `stop`.
    stop_called = StopCalled { pool: PoolId }
    /// The pool left Running.
    pool_stopping = PoolStopping { pool: PoolId }
    /// A task was given up, by a stop, a drop or a leaving seat.
    task_abandoned = TaskAbandoned { task: TaskId }
    /// The pool is Stopped.
    pool_stopped = PoolStopped { pool: PoolId }
}

impl Event {
    /// How many of [`Event::NAMES`] are arrows of the diagram.
    pub const ARROWS: usize = 27;
}

#[cfg(test)]
mod tests;
