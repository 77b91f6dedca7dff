//! The reference pool: what [`CoroutinePool`](copool::CoroutinePool) does, in so few and such simple parts that it
//! convinces when it is read.
//!
//! Everything is in one value, [`Core`], behind one [`Lock`]; all collections are std's. A task's body is a script that a
//! [`Machine`](copool_spec::script::Machine) interprets without a stack, so a worker that waits is an entry in a map and
//! nothing more. What a thread does (a drive, a stop, a leaving seat) is a sequence of steps, each under the lock, and
//! between two steps other threads come in, as a checker likes. Every event is told under the lock, so the log is one
//! order of all that happened.
//!
//! It is deterministic: the same script under the same schedule gives the same log. On one thread it does, event by
//! event, what the production pool does; `tests/model.rs` compares the two.
//!
//! These are the choices that it has where the production pool's depend on a clock of the system:
//! - [`Passing::Passes`] is such a clock: what a drive waits for with a time comes as soon as it waits.
//! - A thread without a seat that waits for less than [`PATIENCE`] sees the time over when it has looked once; one that
//!   waits for longer is patient without end.

use std::fmt;
use std::sync::Arc;

use copool_spec::script::{Build, Key, Observation, Op, Pool, Refusal, Seen};
use copool_spec::{DriveEnd, Event, Goal, Params, SeatId};

use crate::clock::{Clock, Passing};
use crate::listener::Logged;
use crate::schedule::End;
use crate::shared::Core;
use crate::sync::{Lock, Platform, System};

/// An hour: for how long a thread without a seat waits only if there is an end to what it waits for.
pub const PATIENCE: u64 = 3_600_000_000_000;

/// A reference pool as one thread of a script sees it.
pub struct ModelPool<P: Platform = System> {
    core: Arc<P::Lock<Core>>,
    /// This thread's seat.
    seat: Option<SeatId>,
    /// Whether it owns the pool.
    owner: bool,
}

/// What another thread needs to take part.
pub struct Remote<P: Platform>(Arc<P::Lock<Core>>);

impl<P: Platform> ModelPool<P> {
    /// Builds a pool with these constants, on a clock of this kind; this thread owns it and holds its first seat.
    pub fn with(build: &Build, params: Params, passing: Passing) -> Self {
        let mut core = Core::new(build, params, passing);
        let seat = core.attach();
        Self { core: Arc::new(P::Lock::new(core)), seat: Some(seat), owner: true }
    }

    /// Says what is left of a pool whose owner has gone, if anything is: a task without outcome, a worker, a seat, an
    /// entry of a queue, somebody who waits, a body that was not dropped.
    pub fn left(&self) -> Result<(), String> {
        self.core.with(|core| core.left())
    }

    fn drive(&self, goal: Goal, deadline: impl FnOnce(&Clock) -> Option<u64>) -> Result<End, Refusal> {
        let seat = self.seat.ok_or(Refusal::NoSeat)?;
        self.core.with(|core| {
            let deadline = deadline(&core.clock);
            core.begin_drive(seat, goal, deadline);
        });
        Ok(self.go_on(seat))
    }

    /// Goes on with what the seat has begun, until it is over.
    fn go_on(&self, seat: SeatId) -> End {
        loop {
            if let Some(end) = self.core.until(|core| core.step(seat)) {
                return end;
            }
        }
    }

    fn drove(&self, goal: Goal, deadline: impl FnOnce(&Clock) -> Option<u64>) -> Observation {
        match self.drive(goal, deadline) {
            Ok(Ok(end)) => Observation::Drove(end),
            Ok(Err(refusal)) | Err(refusal) => Observation::Refused(refusal),
        }
    }

    fn schedule(&self) -> Observation {
        match self.drove(Goal::Ready, |_| None) {
            stalled @ Observation::Drove(DriveEnd::Stalled) => stalled,
            Observation::Drove(_) => Observation::Done,
            refused => refused,
        }
    }

    fn wait(&self, key: Key) -> Observation {
        let known = self.core.with(|core| {
            let task = core.known(None, key)?;
            Some((task, core.tasks[&task].outcome.is_some()))
        });
        match known {
            None => Observation::Refused(Refusal::NoSuchTask),
            Some((_, true)) if self.seat.is_some() => Observation::Drove(DriveEnd::AllDone),
            Some((task, _)) => self.drove(Goal::Ended(task), |_| None),
        }
    }

    /// A plain thread waits for a task.
    fn join(&self, key: Key, timeout: Option<u64>) -> Observation {
        let seated = self.seat.is_some();
        let patient = timeout.is_none_or(|timeout| timeout >= PATIENCE);
        self.core.until(|core| {
            let Some(task) = core.known(None, key) else { return Some(Observation::Refused(Refusal::NoSuchTask)) };
            match core.tasks[&task].outcome {
                Some(_) => Some(core.take_result(task)),
                None if seated => Some(Observation::Refused(Refusal::WouldBlockSeat)),
                None => (!patient).then_some(Observation::Refused(Refusal::Timeout)),
            }
        })
    }

    fn attach(&mut self) -> Observation {
        let seated = self.seat.is_some();
        let attached = self.core.with(|core| match () {
            () if seated && !core.stopped => Err(Refusal::AlreadySeated),
            () if core.closed => Err(Refusal::Stopped),
            () => Ok(core.attach()),
        });
        match attached {
            Ok(seat) => {
                self.seat = Some(seat);
                Observation::Done
            }
            Err(refusal) => Observation::Refused(refusal),
        }
    }

    fn leave(&mut self) -> Observation {
        let Some(seat) = self.seat.take() else { return Observation::Refused(Refusal::NoSeat) };
        if self.owner {
            self.core.with(Core::abandon_all);
        }
        self.core.with(|core| core.begin_leaving(seat));
        // However this ends, the seat is gone.
        let _end = self.go_on(seat);
        Observation::Done
    }

    /// A plain thread stops the pool: it drives its seat if it has one, or else waits, and then gives up what is left.
    fn stop(&self, grace: u64) -> Observation {
        self.core.with(Core::close);
        if self.seat.is_some() {
            let _end = self.drive(Goal::Drained, |clock| Some(clock.after(grace)));
        } else if grace >= PATIENCE {
            self.core.until(|core| core.is_quiet().then_some(()));
        }
        self.core.with(|core| {
            let abandoned = core.abandon_rest();
            core.report(abandoned)
        })
    }
}

impl<P: Platform> Pool for ModelPool<P> {
    type Remote = Remote<P>;

    fn build(build: &Build) -> Self {
        Self::with(build, Params::default(), if build.auto { Passing::Jumps } else { Passing::Stands })
    }

    fn apply(&mut self, op: &Op) -> Observation {
        if let Some(observation) = self.core.with(|core| core.at_once(self.seat, op)) {
            return observation;
        }
        match op {
            Op::Schedule => self.schedule(),
            Op::ScheduleFor(time) => self.drove(Goal::Ready, |clock| Some(clock.after(*time))),
            Op::ScheduleUntil(at) => self.drove(Goal::Ready, |_| Some(at.0)),
            Op::Drain => self.drove(Goal::Drained, |_| None),
            Op::DrainFor(time) => self.drove(Goal::Drained, |clock| Some(clock.after(*time))),
            Op::Wait(key) => self.wait(*key),
            Op::Serve => self.drove(Goal::Stopped, |_| None),
            Op::Join(key) => self.join(*key, None),
            Op::JoinTimeout(key, time) => self.join(*key, Some(*time)),
            Op::Attach => self.attach(),
            Op::Leave => self.leave(),
            Op::Stop(grace) => self.stop(*grace),
            other => unreachable!("`{other}` is done at once"),
        }
    }

    fn remote(&self) -> Remote<P> {
        Remote(Arc::clone(&self.core))
    }

    fn arrive(remote: Remote<P>) -> Self {
        Self { core: remote.0, seat: None, owner: false }
    }
}

impl<P: Platform> Logged for ModelPool<P> {
    const NAME: &'static str = "the reference pool";

    fn log(&self) -> Vec<Event> {
        self.core.with(|core| core.log.clone())
    }

    fn seen(&self) -> Vec<Seen> {
        self.core.with(|core| core.seen.clone())
    }

    fn observed(&self) -> (usize, usize) {
        self.core.with(|core| (core.log.len(), core.seen.len()))
    }
}

impl<P: Platform> Drop for ModelPool<P> {
    fn drop(&mut self) {
        // A check that has failed unwinds with whatever is left.
        if !std::thread::panicking() {
            self.leave();
        }
    }
}

impl<P: Platform> fmt::Debug for ModelPool<P> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ModelPool").field("seat", &self.seat).field("owner", &self.owner).finish_non_exhaustive()
    }
}

impl<P: Platform> fmt::Debug for Remote<P> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Remote").finish_non_exhaustive()
    }
}
