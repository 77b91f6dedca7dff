//! The policy of a single seat on a virtual clock: which of the moves that the rules of the spec allow it makes.
//!
//! Each rule here is a sentence of the design or of the spec's README about one seat; together they leave one thing to do
//! wherever the user does not choose. Of two orders of telling that mean the same, the graph has one (see `graph`).

use copool::spec::Arrow::{self, *};
use copool::spec::scene::{By, Move, Play};
use copool::spec::state::Seat;
use copool::spec::{DriveEnd, Event, Goal, PoolState, SeatId};

/// How far a thread's call of `stop` is. It drives its seat once, for no time, and then gives up what is left.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub(crate) enum Stopping {
    /// None was called, or it has returned.
    #[default]
    No,
    /// This thread has called it.
    Called(u8),
    /// The pool is closed.
    Closed(u8),
    /// It drives.
    Driving(u8),
    /// It abandons.
    Sweeping(u8),
}

impl Stopping {
    /// After this move.
    pub(crate) fn after(self, m: &Move) -> Self {
        match (self, m.by, m.event.map(|event| event.arrow())) {
            (_, By::Thread(thread), Some(StopCalled)) => Self::Called(thread),
            (Self::Called(by), By::Thread(_), Some(PoolStopping) | None) => Self::Closed(by),
            (Self::Closed(by), _, Some(ScheduleCalled)) => Self::Driving(by),
            (Self::Driving(by), _, Some(ThreadResumed)) => Self::Sweeping(by),
            (Self::Sweeping(_), By::Thread(_), None) => Self::No,
            (same, ..) => same,
        }
    }

    /// The thread that is in it.
    fn by(self) -> Option<u8> {
        match self {
            Self::No => None,
            Self::Called(by) | Self::Closed(by) | Self::Driving(by) | Self::Sweeping(by) => Some(by),
        }
    }
}

fn is(m: &Move, arrows: &[Arrow]) -> bool {
    m.event.is_some_and(|event| arrows.contains(&event.arrow()))
}

/// Leaves only such moves, if there are any, and says so.
fn first(moves: &mut Vec<Move>, wanted: impl Fn(&Move) -> bool) -> bool {
    let any = moves.iter().any(&wanted);
    if any {
        moves.retain(wanted);
    }
    any
}

/// Leaves the moves that the seat makes.
pub(crate) fn apply(play: &Play, stopping: Stopping, moves: &mut Vec<Move>) {
    let state = &play.pool;
    let Some((&id, seat)) = state.seats.iter().next() else { return };
    let driven = seat.drive.is_some() || seat.on.is_some();
    // One thread: its operations come between its drives.
    moves.retain(|m| !(driven && matches!(m.by, By::Thread(_))));
    // A stop drives until all is done, and the user until nothing can run.
    let goal = if matches!(stopping, Stopping::Closed(_)) { Goal::Drained } else { Goal::Ready };
    moves.retain(|m| !matches!(m.event, Some(Event::ScheduleCalled { until, .. }) if until != goal));
    // On a virtual clock no drive blocks.
    moves.retain(|m| !is(m, &[SeatBlocked]));
    stop(play, seat, stopping, moves);
    // What is decided is told at once.
    let stopped = |m: &Move| is(m, &[PoolStopped]) && !matches!(stopping, Stopping::Called(_) | Stopping::Closed(_));
    if first(moves, |m| is(m, &[OutcomePublished])) || first(moves, stopped) {
        return;
    }
    moves.retain(|m| !is(m, &[PoolStopped]));
    if between_turns(play, id, seat, moves) {
        return;
    }
    polling(play, id, seat, moves);
    ending(play, id, seat, stopping, moves);
}

/// The parts of a stop come one after the other, and nothing of other threads in between.
fn stop(play: &Play, seat: &Seat, stopping: Stopping, moves: &mut Vec<Move>) {
    let Some(by) = stopping.by() else { return };
    moves.retain(|m| !matches!(m.by, By::Thread(other) if other != by));
    let own = |m: &Move| m.by == By::Thread(by);
    match stopping {
        Stopping::Called(_) => moves.retain(own),
        Stopping::Closed(_) => moves.retain(|m| !own(m)),
        Stopping::Driving(_) => {
            // Its time is over before it begins; that there is nothing to do it says only if all is done.
            let idle = [NothingToDo, PoolStopped, ScheduleRefused, ScheduleEnded, ThreadResumed];
            let (waits, begins) = (play.pool.outstanding > 0, seat.drive == Some(ScheduleCalled));
            let otherwise = |m: &Move| waits && is(m, &[NothingToDo]) || begins && is(m, &[PoolStopped]);
            moves.retain(|m| is(m, &idle) && !otherwise(m));
        }
        Stopping::Sweeping(_) => {
            moves.retain(|m| !is(m, &[ScheduleCalled]));
            // What follows from one abandonment is told before the next.
            if first(moves, |m| m.by == By::Pool) {
                return;
            }
            // The queue first, in its order, and then what has started.
            let queued = play.pool.queues.values().flatten().copied().next();
            let next = |m: &Move| matches!(m.event, Some(Event::TaskAbandoned { task }) if Some(task) == queued);
            let abandons = first(moves, next) || first(moves, |m| is(m, &[TaskAbandoned]));
            debug_assert!(abandons || play.pool.outstanding == 0 && seat.drive.is_none());
        }
        Stopping::No => {}
    }
}

/// What is looked at between two turns comes before the next. Whether that is all there is to do.
fn between_turns(play: &Play, id: SeatId, seat: &Seat, moves: &mut Vec<Move>) -> bool {
    let state = &play.pool;
    let on = seat.on.map(|on| &state.workers[&on]);
    let at = on.and_then(|on| on.at);
    let ended = at == Some(TaskExited) && on.is_some_and(|on| on.task.is_none());
    let free = on.is_none() || at == Some(SuspensionHeard) || ended && !seat.woken.is_empty();
    let open = !matches!(seat.drive, None | Some(ScheduleEnded | NothingToDo));
    // The creator answers at once, if a task waits: one that has not started comes before the rest of one that is suspended.
    if state.tasks_wait() && first(moves, |m| is(m, &[WorkerAdded, WorkerRecreated])) {
        return true;
    }
    moves.retain(|m| free && open || !is(m, &[SyscallLeft]));
    // A system call is entered on the way into the wait for it, and the seat itself runs it.
    let woken = |m: &Move| m.by == By::Pool && is(m, &[TaskWoken]);
    if first(moves, |m| is(m, &[SyscallEntered])) || first(moves, woken) || first(moves, |m| is(m, &[SyscallLeft])) {
        return true;
    }
    // The clock moves between drives only, so what is due fires first.
    if seat.drive != Some(ScheduleCalled) {
        moves.retain(|m| !is(m, &[TimerFired]));
    }
    // `min_size` alone is nothing to do, and is created when a drive begins, or not at all.
    let begins = seat.drive == Some(ScheduleCalled) && state.resumable(id);
    if !state.tasks_wait() && !begins {
        moves.retain(|m| !is(m, &[WorkerCreated, WorkerAdded, WorkerRecreated]));
    }
    false
}

/// How workers poll, and leave.
fn polling(play: &Play, id: SeatId, seat: &Seat, moves: &mut Vec<Move>) {
    let at = seat.on.and_then(|on| play.pool.workers[&on].at);
    // A worker's first poll in a turn is told without arrow 20 (the graph has one order for both), and a turn is over early
    // if somebody was woken.
    if at == Some(WorkerResumed) || !seat.woken.is_empty() {
        moves.retain(|m| !is(m, &[NextPoll]));
    }
    // Else it goes on.
    first(moves, |m| is(m, &[NextPoll]));
    // What is ready is resumed before a worker is created.
    if moves.iter().any(|m| is(m, &[WorkerResumed])) {
        moves.retain(|m| !is(m, &[WorkerCreated]));
    }
    // With no keep-alive, a worker whose poll fails asks at once whether it is surplus: if it is, it leaves, and else it
    // idles.
    match at {
        Some(PollFailed) => moves.retain(|m| is(m, &[TimeOver])),
        Some(SurplusAsked) => drop(first(moves, |m| is(m, &[SurplusGranted]))),
        _ => moves.retain(|m| !is(m, &[TimeOver, WorkerReturned])),
    }
    // A stopped pool refuses to be driven.
    if play.pool.phase == PoolState::Stopped {
        first(moves, |m| is(m, &[ScheduleRefused]));
    }
    // A drive that has nothing to do says so first, and does nothing.
    if seat.drive == Some(NothingToDo) {
        moves.retain(|m| is(m, &[ScheduleEnded, PoolStopped]));
    }
    let busy = play.pool.tasks_wait() || play.pool.resumable(id);
    if !busy && moves.iter().any(|m| is(m, &[NothingToDo])) {
        moves.retain(|m| is(m, &[NothingToDo, TimerFired]));
    }
}

/// When a drive ends, and why.
fn ending(play: &Play, id: SeatId, seat: &Seat, stopping: Stopping, moves: &mut Vec<Move>) {
    let state = &play.pool;
    let works = [WorkerCreated, WorkerAdded, WorkerRecreated, WorkerResumed, TaskPolled, NextPoll];
    let work = moves.iter().any(|m| is(m, &works));
    if work {
        moves.retain(|m| !is(m, &[NothingToDo]));
    }
    let reason = if matches!(stopping, Stopping::Driving(_)) {
        if state.outstanding > 0 { DriveEnd::Deadline } else { DriveEnd::AllDone }
    } else if state.phase != PoolState::Running {
        DriveEnd::Stopped
    } else if state.outstanding == 0 {
        DriveEnd::AllDone
    } else if state.stalled() {
        DriveEnd::Stalled
    } else {
        DriveEnd::Waiting { until: state.next_timer(id) }
    };
    // A drive without any time ends before it runs anything; with a `min_size` it would create that first.
    let begins = seat.drive == Some(ScheduleCalled) && state.min == 0 || seat.drive == Some(NothingToDo);
    let timeless = begins && (stopping == Stopping::No || reason == DriveEnd::Deadline);
    moves.retain(|m| match m.event {
        Some(Event::ScheduleEnded { end: DriveEnd::Deadline, .. }) => timeless,
        Some(Event::ScheduleEnded { end, .. }) => end == reason && !work,
        _ => true,
    });
}
