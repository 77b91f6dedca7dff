//! The spec's graph of a small world, and the scripts that lead to its edges.
//!
//! A node is a state of the scene; its edges are the moves that the rules allow and the policy makes. What a pool may tell in
//! two orders, or with another number, is brought into one form first ([`Graph::passed`], [`plain`]), since the graph has one
//! edge for both.

use std::collections::{HashMap, VecDeque};

use copool::spec::rename::Names;
use copool::spec::scene::{By, Move, Play, Scene, Stage};
use copool::spec::script::{Key, Op, Script};
use copool::spec::{DriveEnd, Event, Goal, Params, PoolId, State, TaskId, Tick, WorkerId, step};
use copool_model::Logged;

use crate::policy::{self, Stopping};

/// A state of the pool and an event in it.
pub(crate) type Edge = (State, Event);

type Node = (Play, Stopping);

/// All that a single seat can do in a world.
pub(crate) struct Graph {
    stage: Stage,
    /// From which node, by which move, each was reached first.
    parents: Vec<Option<(usize, Move)>>,
    edges: HashMap<Edge, (usize, Move)>,
}

impl Graph {
    pub(crate) fn explore(script: &str) -> Self {
        let script: Script = script.parse().unwrap_or_else(|wrong| panic!("{wrong}"));
        let (params, seats) = (Params::default(), 1);
        let goals = &[Goal::Ready, Goal::Drained];
        let stage =
            Stage::new(Scene { name: "edges", why: "", states: 0, params, seats, goals, patient: false, script });
        let first: Node = (stage.first(), Stopping::No);
        let mut graph = Self { stage, parents: vec![None], edges: HashMap::new() };
        let mut numbers = HashMap::from([(first.clone(), 0)]);
        let mut nodes = vec![first];
        let mut moves = Vec::new();
        for at in 0.. {
            let Some((play, stopping)) = nodes.get(at).cloned() else { break };
            graph.moves(&play, stopping, &mut moves);
            for m in moves.drain(..) {
                let Some(after) = graph.stage.play(&play, &m, step) else { continue };
                if let Some(event) = m.event {
                    graph.edges.entry((normal(&play.pool), plain(event))).or_insert((at, m));
                }
                let node = (after, stopping.after(&m));
                if !numbers.contains_key(&node) {
                    numbers.insert(node.clone(), nodes.len());
                    nodes.push(node);
                    graph.parents.push(Some((at, m)));
                }
            }
        }
        graph
    }

    fn moves(&self, play: &Play, stopping: Stopping, moves: &mut Vec<Move>) {
        self.stage.moves(play, moves);
        for m in &mut *moves {
            // The scene's threads have no seat; the thread of a single seat submits on it.
            if let (By::Thread(_), Some(Event::TaskAccepted { seat, priority: 0, .. })) = (m.by, &mut m.event) {
                *seat = play.pool.seats.keys().next().copied();
            }
        }
        moves.retain(|m| self.stage.play(play, m, step).is_some());
        policy::apply(play, stopping, moves);
    }

    pub(crate) fn edges(&self) -> impl Iterator<Item = &Edge> {
        self.edges.keys()
    }

    pub(crate) fn knows(&self, edge: &Edge) -> bool {
        self.edges.contains_key(edge)
    }

    /// A script on whose way the edge is.
    pub(crate) fn script_to(&self, edge: &Edge) -> Script {
        let (mut at, last) = self.edges[edge];
        let mut path = vec![last];
        while let Some((before, m)) = self.parents[at] {
            path.push(m);
            at = before;
        }
        path.reverse();
        Script::single(self.stage.scene.script.build.clone(), self.ops(&path))
    }

    /// The operations that make these moves.
    fn ops(&self, path: &[Move]) -> Vec<Op> {
        let threads = &self.stage.scene.script.threads;
        let (mut next, mut stopping) = (vec![0; threads.len()], Stopping::No);
        let mut ops = Vec::new();
        for (n, m) in path.iter().enumerate() {
            let before = stopping;
            stopping = before.after(m);
            match (m.by, m.event) {
                (By::Thread(thread), _) if before == Stopping::No => {
                    let thread = usize::from(thread);
                    ops.push(threads[thread][next[thread]].clone());
                    next[thread] += 1;
                }
                (By::Pool, Some(Event::ScheduleCalled { .. })) if before == Stopping::No => {
                    let resumed = |m: &&Move| !matches!(m.event, Some(Event::ThreadResumed { .. }));
                    let drive: Vec<Event> = path[n..].iter().take_while(resumed).filter_map(|m| m.event).collect();
                    let any = |wanted: fn(&Event) -> bool| drive.iter().any(wanted);
                    if any(|event| matches!(event, Event::TimerFired { .. })) {
                        ops.push(Op::Advance(LATER));
                    }
                    let late = any(|event| matches!(event, Event::ScheduleEnded { end: DriveEnd::Deadline, .. }));
                    ops.push(if late { Op::ScheduleFor(0) } else { Op::Schedule });
                }
                _ => {}
            }
        }
        ops
    }

    /// The tasks that tasks submit.
    fn nested(&self) -> VecDeque<Key> {
        let script = &self.stage.scene.script;
        let is_top = |key| script.threads.iter().flatten().any(|op| matches!(op, Op::Submit(it) if it.key == key));
        script.submissions().into_iter().map(|it| it.key).filter(|key| !is_top(*key)).collect()
    }

    /// The edges that a pool passes with this script, until the pool is dropped.
    pub(crate) fn passed<P: Logged>(&self, script: &Script) -> Vec<Edge> {
        let mut pool = P::build(&script.build);
        let (mut tasks, mut nested, mut told) = (HashMap::new(), self.nested(), 0);
        for op in &script.threads[0] {
            pool.apply(op);
            let log = pool.log();
            for event in &log[told..] {
                let Event::TaskAccepted { task, .. } = event else { continue };
                let key = if let Op::Submit(submission) = op { Some(submission.key) } else { nested.pop_front() };
                let key = key.expect("a world has one task that submits others, in their order");
                tasks.insert(*task, TaskId(u64::from(key.0)));
            }
            told = log.len();
        }
        let mut log = pool.log();
        in_one_order(&mut log);
        let mut state = State::new(self.stage.scene.params);
        let mut workers = HashMap::new();
        let mut edges = Vec::new();
        for event in log {
            let event = event.renamed(&mut AsInTheGraph { tasks: &tasks, workers: &mut workers, state: &state });
            edges.push((normal(&state), plain(event)));
            state = step(state, &event).unwrap_or_else(|violation| panic!("{violation:?} after\n{script}"));
        }
        edges
    }
}

/// Later than any timer.
const LATER: u64 = 1_000;

/// Of two orders in which the same may be told, one: a timer and the entry of a system call come before or after the
/// interruption, and arrow 20 begins a worker's next turn or is left out.
fn in_one_order(log: &mut Vec<Event>) {
    use Event::{NextPoll, SyscallEntered, TaskInterrupted, TimerArmed, WorkerResumed};
    for n in 1..log.len() {
        let pair = (log[n - 1], log[n]);
        if matches!(pair, (TaskInterrupted { .. }, TimerArmed { .. }) | (SyscallEntered { .. }, TaskInterrupted { .. }))
        {
            log.swap(n - 1, n);
        }
    }
    let mut last = None;
    log.retain(|event| {
        let before = last.replace(*event);
        !matches!((before, event), (Some(WorkerResumed { .. }), NextPoll { .. }))
    });
}

/// The graph has no times: one stands for all.
fn normal(state: &State) -> State {
    let mut state = state.clone();
    for task in state.tasks.values_mut() {
        task.timer = task.timer.map(|_| Tick(0));
    }
    state
}

fn plain(event: Event) -> Event {
    match event {
        Event::TimerArmed { seat, task, .. } => Event::TimerArmed { seat, task, at: Tick(0) },
        Event::ScheduleEnded { seat, end: DriveEnd::Waiting { until } } => {
            Event::ScheduleEnded { seat, end: DriveEnd::Waiting { until: until.map(|_| Tick(0)) } }
        }
        Event::LimitsChanged { min, max, .. } => Event::LimitsChanged { min, max, keep_alive: 0 },
        Event::TaskRejected { .. } => Event::TaskRejected { task: TaskId(0) },
        Event::SyscallEntered { task, .. } => Event::SyscallEntered { task, name: "call" },
        event => event,
    }
}

/// Tasks by their keys, and each new worker by the smallest number that is free.
struct AsInTheGraph<'a> {
    tasks: &'a HashMap<TaskId, TaskId>,
    workers: &'a mut HashMap<WorkerId, WorkerId>,
    state: &'a State,
}

impl Names for AsInTheGraph<'_> {
    fn pool(&mut self, _: PoolId) -> PoolId {
        PoolId(0)
    }

    fn worker(&mut self, worker: WorkerId) -> WorkerId {
        let free = || (0..).map(WorkerId).find(|id| !self.state.workers.contains_key(id)).expect("few workers live");
        *self.workers.entry(worker).or_insert_with(free)
    }

    fn task(&mut self, task: TaskId) -> TaskId {
        // One that was rejected is called the same, whoever it is; see `plain`.
        self.tasks.get(&task).copied().unwrap_or(TaskId(u64::MAX))
    }
}
