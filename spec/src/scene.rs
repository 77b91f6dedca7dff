//! Small worlds to explore: a pool, seats that are driven freely, tasks that follow a script, and threads that do what a
//! script says whenever they like.
//!
//! A [`Scene`] bounds a world, a [`Play`] is one state of it, a [`Move`] leads from one to the next. The pool's own events
//! come from [`enabled::of_pool`], and whether they may happen decides nobody but the rules; the script decides what users
//! do. Seats call and end drives at any time, so that every way to drive them is among the paths.

pub mod catalog;
mod users;

use std::collections::{HashSet, VecDeque};
use std::sync::Arc;

use crate::enabled;
use crate::script::{Machine, Op, Script, Step, Submission};
use crate::state::{State, TaskState};
use crate::{
    Arrow, DriveEnd, Event, Goal, Interruption, Outcome, Params, PoolId, PoolState, SeatId, TaskId, Violation,
};

/// The bounds of a small world.
#[derive(Clone, Debug)]
pub struct Scene {
    /// Its name.
    pub name: &'static str,
    /// Why these bounds show all there is to see of their kind.
    pub why: &'static str,
    /// How many states it has: any change of the rules shows here.
    pub states: usize,
    /// The pool's constants.
    pub params: Params,
    /// How many seats there are from the beginning.
    pub seats: u32,
    /// What its drives may be asked for.
    pub goals: &'static [Goal],
    /// Whether no drive has a deadline, or gives up: one that goes on until there is something must get there, unless the pool
    /// is stopped or stalled, and a blocked seat must be woken.
    pub patient: bool,
    /// The pool's limits, and what the threads beside the seats do. Drives need no operation, and those of the script are
    /// passed over. Of `stop`, grace 0 abandons at once, `u64::MAX` never does, and any other does at any time.
    pub script: Script,
}

/// One state of a scene.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Play {
    /// The pool.
    pub pool: State,
    /// How far each task of the script is. Most steps are the pool's own: they share this with the state before.
    tasks: Arc<Vec<Doing>>,
    /// How far each thread is: its operation, and the part of it.
    threads: Arc<Vec<(u8, u8)>>,
    /// The invariant that the last step broke.
    pub broken: Option<&'static str>,
}

/// How far a task is.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
struct Doing {
    body: Machine,
    /// It has given up the processor for the step that is due.
    waited: bool,
    /// It was unparked while it did not park.
    token: bool,
}

/// Who moves, and what happens; nothing that the pool would tell, perhaps.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Move {
    /// Who.
    pub by: By,
    /// What.
    pub event: Option<Event>,
}

/// Who moves.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum By {
    /// The pool, a seat, a worker, a helper: nobody's script.
    Pool,
    /// A task.
    Task(TaskId),
    /// A thread of the script.
    Thread(u8),
}

/// A scene with its tasks looked up.
#[derive(Clone, Debug)]
pub struct Stage {
    /// The scene.
    pub scene: Scene,
    /// The tasks, by number.
    tasks: Vec<Submission>,
}

/// How a step of the rules is made: [`crate::step`], or, to see that faults are found, a faulty one.
pub type Rules = fn(State, &Event) -> Result<State, Violation>;

const POOL: PoolId = PoolId(0);

impl Stage {
    /// Sets the stage.
    #[must_use]
    pub fn new(scene: Scene) -> Stage {
        let mut tasks: Vec<Submission> = scene.script.submissions().into_iter().cloned().collect();
        tasks.sort_by_key(|task| task.key);
        Stage { scene, tasks }
    }

    /// The events before the first state: the pool is built and its seats attached.
    #[must_use]
    pub fn opening(&self) -> Vec<Event> {
        let build = &self.scene.script.build;
        let mut events = vec![Event::PoolBuilt { pool: POOL, min: build.min, max: build.max }];
        events.extend((0..self.scene.seats).map(|seat| Event::SeatAttached { seat: SeatId(seat) }));
        events
    }

    /// The first state.
    #[must_use]
    pub fn first(&self) -> Play {
        let mut pool = State::new(self.scene.params);
        for event in self.opening() {
            if let Ok(next) = crate::step(pool.clone(), &event) {
                pool = next;
            }
        }
        let doing = |task: &Submission| Doing { body: Machine::new(&task.body), waited: false, token: false };
        let tasks = self.tasks.iter().map(doing).collect();
        let threads = vec![(0, 0); self.scene.script.threads.len()];
        Play { pool, tasks: Arc::new(tasks), threads: Arc::new(threads), broken: None }
    }

    /// What may happen next: candidates, some of which a rule refuses.
    pub fn moves(&self, play: &Play, moves: &mut Vec<Move>) {
        if play.broken.is_some() {
            return;
        }
        let mut events = Vec::new();
        enabled::of_pool(&play.pool, &mut events);
        events.retain(|event| match event {
            Event::ScheduleCalled { until, .. } => self.scene.goals.contains(until),
            Event::ScheduleEnded { end: DriveEnd::Deadline | DriveEnd::Waiting { .. }, seat } => {
                let seat = &play.pool.seats[seat];
                !self.scene.patient || seat.goal == Goal::Ready || seat.drive == Some(Arrow::NothingToDo)
            }
            _ => true,
        });
        for (&id, task) in &play.pool.tasks {
            between(&play.pool, id, task, &mut events);
            if self.joined(play, id) {
                events.push(Event::TaskWoken { task: id });
            }
        }
        if play.pool.phase == PoolState::Stopping {
            events.push(Event::PoolStopped { pool: POOL });
        }
        moves.extend(events.into_iter().map(|event| Move { by: By::Pool, event: Some(event) }));
        for (&id, task) in &play.pool.tasks {
            let on = task.worker.and_then(|worker| play.pool.workers.get(&worker));
            if on.is_some_and(|on| on.at == Some(Arrow::TaskStarted)) {
                self.of_task(play, id, moves);
            }
        }
        for thread in 0..play.threads.len() {
            self.of_thread(play, thread, moves);
        }
    }

    /// The state after a move, if its rule allows it.
    #[must_use]
    pub fn play(&self, before: &Play, m: &Move, rules: Rules) -> Option<Play> {
        let (pool, broken) = match &m.event {
            Some(event) => {
                let pool = rules(before.pool.clone(), event).ok()?;
                let broken = crate::invariants::broken(&before.pool, event, &pool);
                (pool, broken)
            }
            None => (before.pool.clone(), None),
        };
        let mut after = Play { pool, broken, tasks: before.tasks.clone(), threads: before.threads.clone() };
        match m.by {
            By::Task(id) => self.advance(before, &mut after, id, m.event),
            By::Thread(thread) => self.turn(&mut after, usize::from(thread), m.event),
            By::Pool => {}
        }
        if let Some(Event::WorkerResumed { worker, .. }) = m.event
            && let Some(id) = after.pool.workers[&worker].task
        {
            let at = id.0 as usize;
            let thrown = after.pool.thrown_at(id);
            if after.tasks[at].waited {
                let doing = &mut Arc::make_mut(&mut after.tasks)[at];
                doing.waited = false;
                if !thrown {
                    doing.body.advance(&self.tasks[at].body);
                }
            }
        }
        Some(after)
    }

    /// Whether everything is over: every script is done, every task has its outcome, every seat and worker rests, and a
    /// pool that was stopped is Stopped. Or the pool is stalled and says so, and nobody is left who could change it.
    #[must_use]
    pub fn quiet(&self, play: &Play) -> bool {
        let scripts =
            play.threads.iter().zip(&self.scene.script.threads).all(|(at, ops)| usize::from(at.0) == ops.len());
        let away = play.pool.seats.values().all(|seat| seat.drive.is_none() && seat.on.is_none());
        let stopped = !play.pool.stop_called || play.pool.phase == PoolState::Stopped;
        scripts && away && stopped && (crate::monitor::at_rest(&play.pool).is_ok() || play.pool.stalled())
    }

    /// Walks through every state, nearest first, and shows each step of the pool that is found on the way.
    pub fn walk(&self, rules: Rules, mut show: impl FnMut(&State, &Event, &State)) {
        let first = self.first();
        let mut seen = HashSet::from([first.clone()]);
        let mut next = VecDeque::from([first]);
        let mut moves = Vec::new();
        while let Some(play) = next.pop_front() {
            self.moves(&play, &mut moves);
            for m in moves.drain(..) {
                let Some(after) = self.play(&play, &m, rules) else { continue };
                if let Some(event) = &m.event {
                    show(&play.pool, event, &after.pool);
                }
                if !seen.contains(&after) {
                    seen.insert(after.clone());
                    next.push_back(after);
                }
            }
        }
    }

    fn op(&self, play: &Play, thread: usize) -> Option<&Op> {
        self.scene.script.threads[thread].get(usize::from(play.threads[thread].0))
    }

    /// The seat that a thread of the script attaches.
    fn own_seat(&self, thread: usize) -> SeatId {
        SeatId(self.scene.seats + u32::try_from(thread).unwrap_or(0))
    }

    /// Whether a task waits for another one that has its outcome.
    fn joined(&self, play: &Play, id: TaskId) -> bool {
        let at = id.0 as usize;
        let waits = play.pool.tasks[&id].state == TaskState::Waiting(Interruption::Join);
        waits
            && matches!(play.tasks[at].body.step(&self.tasks[at].body),
            Some(Step::Join(key) | Step::JoinTimeout(key, _)) if ended(&play.pool, TaskId(u64::from(key.0))))
    }
}

fn ended(pool: &State, task: TaskId) -> bool {
    pool.tasks.get(&task).is_some_and(|task| task.outcome.is_some())
}

/// What may happen to a task that no script decides: its outcome is published, its wait ends, its system call goes on, it
/// is unwound with its seat.
fn between(pool: &State, id: TaskId, task: &crate::state::Task, events: &mut Vec<Event>) {
    let publish = |outcome| Event::OutcomePublished { task: id, outcome };
    let thrown = pool.thrown_at(id);
    match task.state {
        _ if task.outcome.is_some() => {}
        _ if task.abandoned => events.push(publish(Outcome::Abandoned)),
        TaskState::Withdrawn => events.push(publish(Outcome::Cancelled)),
        TaskState::Finished(Outcome::Cancelled) if !task.cancelled => events.push(publish(Outcome::Abandoned)),
        TaskState::Finished(outcome) => events.push(publish(outcome)),
        _ => {}
    }
    if let TaskState::Waiting(why) = task.state {
        match (why, task.call) {
            (Interruption::Syscall, None) => events.push(Event::SyscallEntered { task: id, name: "call" }),
            (Interruption::Syscall, Some(Arrow::SyscallEntered)) => events.push(Event::SyscallLeft { task: id }),
            _ => {}
        }
        if thrown || task.call == Some(Arrow::SyscallLeft) {
            events.push(Event::TaskWoken { task: id });
        }
    }
}
