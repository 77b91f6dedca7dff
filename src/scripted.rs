//! The pool as scripts drive it: the spec's [`Pool`] for production.
//!
//! [`Scripted`] is what one thread of a script sees: a pool on a virtual clock, its seat if it has one, and the tasks by
//! their keys. It does nothing itself: each operation and each step is the call of the public interface that its name
//! says, and each error is the [`Refusal`] of the same name. Three things are kept beside: every event, as a listener
//! hears it ([`Scripted::log`]); what each task saw ([`Scripted::seen`]); and what was asked for by key.
//!
//! These are the choices that the script language leaves to a pool:
//! - `schedule` is `try_schedule_task`, whose result tells of nothing but errors: `Done`, or `Drove(Stalled)`.
//! - A join looks at the outcome through the handle and leaves the handle where it is, so a later one finds the value
//!   [`Taken`](Refusal::Taken).
//! - A task knows itself, even before its submitter has got the handle.
//! - `fail-stack` fails the next stack that is taken from the pool's store. An idle worker has one, and a seat that is
//!   being driven keeps some.
//! - `fail-thread` fails the next helper thread. On a virtual clock there is none, as the seat runs system calls itself.
//!
//! [`Scripted::build_blocking`] puts the same script on the system's clock, or a checker's: there drives block, system calls
//! have helper threads, and `advance` and `work` sleep.
//!
//! Under a checker the locks here are hidden from it, so that keeping a log orders nothing.
//!
//! Tested by `tests/conformance.rs`, where the spec's monitor reads every log.

mod answer;
mod log;
mod task;

use std::collections::BTreeMap;
use std::fmt;
use std::io;
use std::time::{Duration, Instant};

pub use copool_spec::script::Seen;
use copool_spec::script::{Build, Key, Numbers, Observation, Op, Pool, Refusal, Submission};
use copool_spec::{DriveEnd, Event, TaskId};

#[cfg(not(any(feature = "loom", feature = "shuttle")))]
use crate::sync::Mutex as Lock;
#[cfg(any(feature = "loom", feature = "shuttle"))]
use crate::sync::hidden::Hidden as Lock;

#[cfg(any(feature = "loom", feature = "shuttle"))]
pub use crate::sync::stub::ScriptedPanic;

use crate::clock::tick;
use crate::error::{AttachError, DriveError};
use crate::sync::{Arc, thread};
use crate::{Clock, CoroutinePool, LocalOrder, PoolHandle, TaskRef, VirtualClock};

use answer::{join, limit, nanos, refused_drive, take, unpark};
pub use log::Log;
use log::Told;

/// A pool as one thread of a script sees it.
#[derive(Debug)]
pub struct Scripted {
    /// This thread's seat.
    seat: Option<CoroutinePool>,
    world: World,
}

/// What another thread needs to take part.
#[derive(Debug)]
pub struct Remote(World);

/// The payload of a panic that a script tells a task to make.
#[cfg(not(any(feature = "loom", feature = "shuttle")))]
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ScriptedPanic(pub String);

#[cfg(not(any(feature = "loom", feature = "shuttle")))]
impl ScriptedPanic {
    /// Panics with this payload, without the panic hook: nothing is printed.
    pub fn raise(self) -> ! {
        crate::sync::throw(Box::new(self))
    }
}

/// What all threads and tasks of a script share.
#[derive(Clone)]
struct World {
    handle: PoolHandle,
    clock: Clock,
    /// The same clock, if it moves only when told to.
    hands: Option<VirtualClock>,
    start: Instant,
    kept: Arc<Kept>,
    told: Told,
}

#[derive(Default)]
struct Kept {
    /// The tasks that were submitted; `None` for those whose handle is gone.
    tasks: Lock<BTreeMap<Key, Option<TaskRef>>>,
    /// Their ids, which stay.
    ids: Lock<BTreeMap<Key, TaskId>>,
    seen: Lock<Vec<Seen>>,
}

/// What is left of a script whose pool was dropped.
#[derive(Debug)]
pub struct Left {
    /// Tasks whose captures are still in memory.
    pub captures: usize,
    /// Whether the pool itself is.
    pub pool: bool,
}

impl Scripted {
    /// Every event so far, on whatever thread, in the order in which they were told.
    #[must_use]
    pub fn log(&self) -> Vec<Event> {
        self.world.told.log.events()
    }

    /// How many events were told so far, and how many things the tasks saw.
    #[must_use]
    pub fn observed(&self) -> (usize, usize) {
        (self.world.told.log.len(), self.world.kept.seen.lock().len())
    }

    /// The log, with the threads. It keeps nothing of the pool in memory.
    #[must_use]
    pub fn told(&self) -> Log {
        self.world.told.log.clone()
    }

    /// Lets go of the pool, as the last of the script's threads, and says what is left of it nevertheless.
    #[must_use]
    pub fn end(self) -> Left {
        let pool = Arc::clone(&self.world.told.pool);
        let captures = Arc::strong_count(&self.world.kept) - 1;
        drop(self);
        Left { captures, pool: Arc::strong_count(&pool) > 1 }
    }

    /// [`Pool::build`] on the system's clock, or the checker's, so that drives block.
    #[must_use]
    pub fn build_blocking(build: &Build) -> Self {
        Self::build_on(build, Clock::monotonic(), None)
    }

    fn build_on(build: &Build, clock: Clock, hands: Option<VirtualClock>) -> Self {
        let told = Told::default();
        told.log.begin();
        let mut builder = CoroutinePool::builder()
            .min_size(build.min)
            .max_size(build.max)
            .keep_alive(Duration::from_nanos(build.keep_alive))
            .max_syscall_threads(build.helpers)
            .local_order(if build.lifo { LocalOrder::Lifo } else { LocalOrder::Fifo })
            .clock(clock.clone())
            .listener(told.clone());
        if let Some(slice) = build.slice {
            builder = builder.slice(Duration::from_nanos(slice));
        }
        let start = clock.now();
        let seat = builder.build().expect("a script's pool can be built: min is not above max");
        let world = World { handle: seat.handle(), clock, hands, start, kept: Arc::default(), told };
        Self { seat: Some(seat), world }
    }

    /// What the tasks saw so far.
    #[must_use]
    pub fn seen(&self) -> Vec<Seen> {
        self.world.kept.seen.lock().clone()
    }

    /// The tasks that were accepted so far, by their keys.
    #[must_use]
    pub fn tasks(&self) -> BTreeMap<Key, TaskId> {
        self.world.kept.ids.lock().clone()
    }

    /// A drive, if this thread has a seat.
    fn drive(
        &mut self,
        drive: impl FnOnce(&mut CoroutinePool, &World) -> Result<DriveEnd<Instant>, DriveError>,
    ) -> Observation {
        let Some(seat) = &mut self.seat else { return Observation::Refused(Refusal::NoSeat) };
        match drive(seat, &self.world) {
            Ok(end) => Observation::Drove(self.world.in_ticks(end)),
            Err(error) => Observation::Refused(refused_drive(error)),
        }
    }

    fn schedule(&mut self) -> Observation {
        let Some(seat) = &mut self.seat else { return Observation::Refused(Refusal::NoSeat) };
        match seat.try_schedule_task() {
            Ok(()) => Observation::Done,
            Err(error) if error.kind() == io::ErrorKind::Deadlock => Observation::Drove(DriveEnd::Stalled),
            Err(error) => {
                let why = error.get_ref().and_then(|error| error.downcast_ref::<DriveError>());
                Observation::Refused(refused_drive(*why.expect("every other error of a drive is a `DriveError`")))
            }
        }
    }

    fn wait(&mut self, key: Key) -> Observation {
        match self.world.task(key) {
            Some(task) => self.drive(|seat, _| seat.wait(&task)),
            None => Observation::Refused(Refusal::NoSuchTask),
        }
    }

    fn attach(&mut self) -> Observation {
        match self.world.handle.attach() {
            Ok(seat) => {
                self.seat = Some(seat);
                Observation::Done
            }
            Err(AttachError::AlreadySeated) => Observation::Refused(Refusal::AlreadySeated),
            Err(AttachError::Stopped) => Observation::Refused(Refusal::Stopped),
            Err(AttachError::Refused) => Observation::Refused(Refusal::Nested),
        }
    }

    fn leave(&mut self) -> Observation {
        match self.seat.take() {
            Some(seat) => {
                drop(seat);
                Observation::Done
            }
            None => Observation::Refused(Refusal::NoSeat),
        }
    }
}

impl Pool for Scripted {
    type Remote = Remote;

    fn build(build: &Build) -> Self {
        let clock = if build.auto { VirtualClock::auto() } else { VirtualClock::new() };
        Self::build_on(build, clock.clone().into(), Some(clock))
    }

    fn apply(&mut self, op: &Op) -> Observation {
        let world = &self.world;
        world.told.log.begin();
        match op {
            Op::Look => world.look(),
            Op::Submit(submission) => world.submit(submission),
            Op::Schedule => self.schedule(),
            Op::ScheduleFor(time) => self.drive(|seat, _| seat.try_timed_schedule_task(nanos(*time))),
            Op::ScheduleUntil(at) => self.drive(|seat, world| match world.start.checked_add(nanos(at.0)) {
                Some(deadline) => seat.try_timeout_schedule_task(deadline),
                None => seat.try_timed_schedule_task(Duration::MAX),
            }),
            Op::Drain => self.drive(|seat, _| seat.drain(None)),
            Op::DrainFor(time) => self.drive(|seat, world| seat.drain(world.clock.now().checked_add(nanos(*time)))),
            Op::Wait(key) => self.wait(*key),
            Op::Serve => self.drive(|seat, _| seat.serve()),
            Op::Advance(time) => world.advance(*time),
            Op::Take(key) => world.on(*key, take),
            Op::Detach(key) => world.detach(*key),
            Op::Cancel(key) => world.on(*key, |task| Observation::Cancel(task.cancel())),
            Op::Unpark(key) => world.on(*key, unpark),
            Op::Join(key) => world.on(*key, |task| join(task, None)),
            Op::JoinTimeout(key, time) => world.on(*key, |task| join(task, Some(nanos(*time)))),
            Op::SetMin(min) => limit(world.handle.set_min_size(*min)),
            Op::SetMax(max) => limit(world.handle.set_max_size(*max)),
            Op::SetKeepAlive(time) => {
                world.handle.set_keep_alive(nanos(*time));
                Observation::Done
            }
            Op::FailStack => {
                world.handle.fail_next_stack();
                Observation::Done
            }
            Op::FailThread => {
                world.handle.fail_next_thread();
                Observation::Done
            }
            Op::Attach => self.attach(),
            Op::Leave => self.leave(),
            Op::Stop(grace) => world.stop(*grace),
        }
    }

    fn remote(&self) -> Remote {
        Remote(self.world.clone())
    }

    fn arrive(remote: Remote) -> Self {
        remote.0.told.log.begin();
        Self { seat: None, world: remote.0 }
    }
}

/// What threads and tasks do alike.
impl World {
    fn look(&self) -> Observation {
        let pool = &self.handle;
        Observation::Numbers(Numbers {
            state: pool.state(),
            size: pool.size(),
            outstanding: pool.outstanding(),
            running: pool.get_running_size(),
            min: pool.min_size(),
            max: pool.max_size(),
        })
    }

    fn submit(&self, submission: &Submission) -> Observation {
        let mut task = self.handle.task();
        if let Some(name) = &submission.name {
            task = task.name(name.clone());
        }
        if let Some(priority) = submission.priority {
            task = task.priority(priority);
        }
        match task.spawn(task::body(self.clone(), submission)) {
            Ok(task) => {
                self.kept.ids.lock().insert(submission.key, task.id());
                self.keep(submission.key, Some(task.give_up()));
                Observation::Done
            }
            // The closure, and in it this script's own handles, go here.
            Err(_rejected) => Observation::Refused(Refusal::Stopped),
        }
    }

    /// Keeps a task's handle, unless its key has had one.
    fn keep(&self, key: Key, task: Option<TaskRef>) {
        self.kept.tasks.lock().entry(key).or_insert(task);
    }

    /// The task of this key, if it was submitted and its handle is there.
    fn task(&self, key: Key) -> Option<TaskRef> {
        self.kept.tasks.lock().get(&key).cloned().flatten()
    }

    fn on(&self, key: Key, f: impl FnOnce(&TaskRef) -> Observation) -> Observation {
        self.task(key).as_ref().map_or(Observation::Refused(Refusal::NoSuchTask), f)
    }

    fn detach(&self, key: Key) -> Observation {
        let handle = self.kept.tasks.lock().get_mut(&key).and_then(Option::take);
        // The result may go with it, so not under the lock.
        if handle.is_some() { Observation::Done } else { Observation::Refused(Refusal::NoSuchTask) }
    }

    fn advance(&self, time: u64) -> Observation {
        match &self.hands {
            Some(clock) => clock.advance(nanos(time)),
            None => thread::sleep(nanos(time)),
        }
        Observation::Done
    }

    fn stop(&self, grace: u64) -> Observation {
        let report = self.handle.stop(nanos(grace));
        Observation::Stop { state: report.state, abandoned: report.abandoned, leaving: report.leaving }
    }

    fn in_ticks(&self, end: DriveEnd<Instant>) -> DriveEnd {
        match end {
            DriveEnd::AllDone => DriveEnd::AllDone,
            DriveEnd::Waiting { until } => DriveEnd::Waiting { until: until.map(|at| tick(self.start, at)) },
            DriveEnd::Deadline => DriveEnd::Deadline,
            DriveEnd::Stopped => DriveEnd::Stopped,
            DriveEnd::Stalled => DriveEnd::Stalled,
        }
    }
}

impl fmt::Debug for World {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("World").field("pool", &self.handle).field("clock", &self.clock).finish_non_exhaustive()
    }
}
