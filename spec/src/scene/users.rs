//! What the users of a scene do: the tasks, and the threads beside the seats.

use std::sync::Arc;

use super::{By, Move, POOL, Play, Stage};
use crate::script::{Ending, Op, Step, Submission};
use crate::state::TaskState;
use crate::{Cancel, Event, Interruption, PoolState, SeatId, TaskId, Tick};

fn id(key: crate::script::Key) -> TaskId {
    TaskId(u64::from(key.0))
}

impl Stage {
    /// What a task that has the processor does next.
    pub(super) fn of_task(&self, play: &Play, task: TaskId, moves: &mut Vec<Move>) {
        let at = task.0 as usize;
        let (doing, it) = (&play.tasks[at], &play.pool.tasks[&task]);
        let (Some(seat), Some(worker)) = (it.seat, it.worker) else { return };
        let mut then = |event| moves.push(Move { by: By::Task(task), event });
        let thrown = play.pool.thrown_at(task);
        let interrupt = |why| Some(Event::TaskInterrupted { seat, worker, task, why });
        let Some(step) = doing.body.step(&self.tasks[at].body) else {
            return then(Some(match doing.body.ending() {
                Some(Ending::Unwound) if thrown => Event::TaskUnwound { task },
                Some(Ending::Unwound) => Event::TaskFailed { seat, worker, task },
                _ => Event::TaskExited { seat, worker, task },
            }));
        };
        let unwinding = doing.body.unwinding();
        let timed = |time: u64, why| match it.timer {
            None => Some(Event::TimerArmed { seat, task, at: Tick(time) }),
            Some(_) => interrupt(why),
        };
        match step {
            step if waits(step) && (thrown || unwinding) => then(None),
            Step::Suspend => then(interrupt(Interruption::Suspend)),
            Step::Checkpoint => {
                then(None);
                then(interrupt(Interruption::Preempt));
            }
            Step::Delay(time) => then(timed(*time, Interruption::Delay)),
            Step::Park | Step::ParkTimeout(_) if doing.token => then(None),
            Step::Park => then(interrupt(Interruption::Park)),
            Step::ParkTimeout(time) => then(timed(*time, Interruption::Park)),
            Step::Syscall | Step::SyscallPanic => then(interrupt(Interruption::Syscall)),
            Step::Join(key) if super::ended(&play.pool, id(*key)) => then(None),
            Step::JoinTimeout(key, _) if it.timer.is_none() && super::ended(&play.pool, id(*key)) => then(None),
            Step::Join(_) => then(interrupt(Interruption::Join)),
            Step::JoinTimeout(_, time) => then(timed(*time, Interruption::Join)),
            Step::Submit(submission) => then(self.submit(play, submission, Some(seat))),
            Step::Cancel(key) => cancel(play, id(*key), &mut then),
            Step::Unpark(key) => then(unpark(play, id(*key))),
            Step::SetMax(max) => then(Some(Event::LimitsChanged { min: play.pool.min, max: *max, keep_alive: 0 })),
            _ => then(None),
        }
    }

    /// A task of the script has moved: its body goes on.
    pub(super) fn advance(&self, before: &Play, after: &mut Play, task: TaskId, event: Option<Event>) {
        let at = task.0 as usize;
        let body = &self.tasks[at].body;
        let thrown = before.pool.thrown_at(task);
        let step = after.tasks[at].body.step(body).cloned();
        if let Some(step) = &step {
            self.token(before, after, step, event);
        }
        let doing = &mut Arc::make_mut(&mut after.tasks)[at];
        match (event, step) {
            (Some(Event::TimerArmed { .. }), _) | (_, None) => {}
            (Some(Event::TaskInterrupted { .. }), _) => doing.waited = true,
            (None, Some(Step::Panic)) => doing.body.throw(body),
            (None, Some(step)) if waits(&step) && thrown && !doing.body.unwinding() => doing.body.throw(body),
            (None, Some(Step::Park | Step::ParkTimeout(_))) => {
                doing.token = false;
                doing.body.advance(body);
            }
            _ => doing.body.advance(body),
        }
    }

    /// An unpark that found its task not parked leaves its token.
    fn token(&self, before: &Play, after: &mut Play, step: &Step, event: Option<Event>) {
        if let (Step::Unpark(key), None) = (step, event)
            && !super::ended(&before.pool, id(*key))
        {
            Arc::make_mut(&mut after.tasks)[usize::from(key.0)].token = true;
        }
    }

    /// What a thread of the script does next.
    pub(super) fn of_thread(&self, play: &Play, thread: usize, moves: &mut Vec<Move>) {
        let Some(op) = self.op(play, thread) else { return };
        let own = self.own_seat(thread);
        let seated = play.pool.seats.contains_key(&own);
        let part = play.threads[thread].1;
        let mut then = |event| moves.push(Move { by: By::Thread(thread as u8), event });
        let limits = |min, max| Some(Event::LimitsChanged { min, max, keep_alive: 0 });
        match op {
            Op::Submit(submission) => then(self.submit(play, submission, Some(own).filter(|_| seated))),
            Op::Cancel(key) => cancel(play, id(*key), &mut then),
            Op::Unpark(key) => then(unpark(play, id(*key))),
            Op::SetMin(min) => then(limits(*min, play.pool.max)),
            Op::SetMax(max) => then(limits(play.pool.min, *max)),
            Op::FailStack => play.pool.seats.keys().for_each(|&seat| then(Some(Event::StackExhausted { seat }))),
            Op::Attach => {
                let takes = !seated && play.pool.phase != PoolState::Stopped;
                then(takes.then_some(Event::SeatAttached { seat: own }));
            }
            Op::Leave if !seated => then(None),
            Op::Leave if part == 0 => then(Some(Event::SeatLeaving { seat: own })),
            Op::Leave => then(Some(Event::SeatLeft { seat: own })),
            Op::Stop(grace) => stop(play, part, *grace, &mut then),
            _ => then(None),
        }
    }

    /// A thread of the script has moved.
    pub(super) fn turn(&self, after: &mut Play, thread: usize, event: Option<Event>) {
        let Some(op) = self.op(after, thread).cloned() else { return };
        if let (Op::Unpark(key), None) = (&op, event)
            && !super::ended(&after.pool, id(*key))
        {
            Arc::make_mut(&mut after.tasks)[usize::from(key.0)].token = true;
        }
        let (at, part) = &mut Arc::make_mut(&mut after.threads)[thread];
        match (op, event) {
            (_, Some(Event::TaskAbandoned { .. })) => {}
            (Op::Leave, Some(Event::SeatLeaving { .. })) => *part = 1,
            (Op::Stop(_), _) if *part < 2 => *part += 1,
            _ => (*at, *part) = (*at + 1, 0),
        }
    }

    fn submit(&self, play: &Play, submission: &Submission, seat: Option<SeatId>) -> Option<Event> {
        let (task, priority) = (id(submission.key), submission.priority.unwrap_or(0));
        Some(if play.pool.phase == PoolState::Running {
            Event::TaskAccepted { seat: seat.filter(|_| priority == 0), task, priority }
        } else {
            Event::TaskRejected { task }
        })
    }
}

/// Whether a step is a suspension point, and so a cancellation point.
fn waits(step: &Step) -> bool {
    use Step::{Checkpoint, Delay, Join, JoinTimeout, Park, ParkTimeout, Suspend, Syscall, SyscallPanic};
    let timed = matches!(step, Delay(_) | ParkTimeout(_) | JoinTimeout(..));
    timed || matches!(step, Suspend | Checkpoint | Park | Syscall | SyscallPanic | Join(_))
}

fn cancel(play: &Play, task: TaskId, then: &mut dyn FnMut(Option<Event>)) {
    if play.pool.tasks.contains_key(&task) {
        let answers = [Cancel::NeverRuns, Cancel::Requested, Cancel::AlreadyEnded];
        answers.into_iter().for_each(|answer| then(Some(Event::CancelRequested { task, answer })));
    } else {
        then(None);
    }
}

fn unpark(play: &Play, task: TaskId) -> Option<Event> {
    let parked = play.pool.tasks.get(&task).is_some_and(|t| t.state == TaskState::Waiting(Interruption::Park));
    parked.then_some(Event::TaskWoken { task })
}

fn stop(play: &Play, part: u8, grace: u64, then: &mut dyn FnMut(Option<Event>)) {
    match part {
        0 => then(Some(Event::StopCalled { pool: POOL })),
        1 if play.pool.phase == PoolState::Running => then(Some(Event::PoolStopping { pool: POOL })),
        1 => then(None),
        _ => {
            if play.pool.outstanding == 0 {
                then(None);
            } else if grace != u64::MAX {
                play.pool.tasks.keys().for_each(|&task| then(Some(Event::TaskAbandoned { task })));
            }
        }
    }
}
