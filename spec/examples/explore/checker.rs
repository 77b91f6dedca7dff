//! The scenes as a stateright model, with what stateright does not do: properties of steps, and whether quiescence stays
//! reachable from every state.

use std::hash::{Hash, Hasher};
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};

use copool_spec::scene::{Move, Play, Rules, Stage};
use copool_spec::{Event, draw, invariants, witness};
use stateright::{Model, Path, Property};

/// A scene under exploration.
pub(crate) struct Explored {
    /// The scene.
    pub(crate) stage: Stage,
    /// The rules: the spec's, or faulty ones.
    pub(crate) rules: Rules,
    /// The events seen, one bit for each of [`Event::NAMES`].
    pub(crate) arrows: AtomicU64,
    /// The situations seen, one bit for each of [`witness::ALL`].
    pub(crate) witnessed: AtomicU64,
    /// Steps taken: each in the graph, and those of the paths that stateright gives for an answer.
    pub(crate) steps: AtomicU64,
    /// The graph, where it is wanted: for each step the two states.
    shards: Option<Vec<Mutex<Steps>>>,
    /// The states in which all is quiet.
    quiet: Mutex<Vec<Print>>,
}

/// A state, and its fingerprint: that is computed once, and then stands for the state wherever one is looked up.
#[derive(Clone)]
pub(crate) struct Seen {
    play: Play,
    print: Print,
}

/// A state's fingerprint.
type Print = u64;

/// From which state to which.
type Steps = Vec<(Print, Print)>;

const SHARDS: usize = 16;

impl Seen {
    fn new(play: Play) -> Seen {
        let mut hasher = Folded(0);
        play.hash(&mut hasher);
        Seen { play, print: hasher.finish() }
    }
}

impl Hash for Seen {
    fn hash<H: Hasher>(&self, state: &mut H) {
        state.write_u64(self.print);
    }
}

impl PartialEq for Seen {
    fn eq(&self, other: &Seen) -> bool {
        self.print == other.print && self.play == other.play
    }
}

impl std::fmt::Debug for Seen {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.play.fmt(f)
    }
}

impl Explored {
    /// Explores a scene by these rules; `graph` also keeps the graph, for [`Explored::graph`].
    pub(crate) fn new(stage: Stage, rules: Rules, graph: bool) -> Explored {
        let zero = || AtomicU64::new(0);
        let shards = graph.then(|| (0..SHARDS).map(|_| Mutex::default()).collect());
        let quiet = Mutex::default();
        let (arrows, witnessed, steps) = (zero(), zero(), zero());
        Explored { stage, rules, arrows, witnessed, steps, shards, quiet }
    }

    fn note(&self, before: &Seen, m: &Move, after: &Seen) {
        // Ordering: a count and two sets that are read after all explorers have ended.
        self.steps.fetch_add(1, Ordering::Relaxed);
        if let Some(event) = &m.event {
            let seen = self.witnessed.load(Ordering::Relaxed);
            let fresh = witness::ALL.iter().enumerate().filter(|(bit, (_, holds))| {
                seen & (1 << bit) == 0 && holds(&before.play.pool, event, &after.play.pool)
            });
            let bits = fresh.fold(0, |bits, (bit, _)| bits | 1 << bit);
            if bits != 0 {
                self.witnessed.fetch_or(bits, Ordering::Relaxed);
            }
            let bit = 1 << (event.arrow() as u64);
            if self.arrows.load(Ordering::Relaxed) & bit == 0 {
                self.arrows.fetch_or(bit, Ordering::Relaxed);
            }
        }
        if let Some(shards) = &self.shards {
            lock(&shards[after.print as usize % SHARDS]).push((before.print, after.print));
        }
    }

    /// The graph, once the exploration has ended.
    pub(crate) fn graph(&self) -> Graph {
        let mut steps = Vec::with_capacity(self.steps.load(Ordering::Relaxed) as usize);
        for shard in self.shards.iter().flatten() {
            steps.append(&mut lock(shard));
        }
        let quiet = std::mem::take(&mut *lock(&self.quiet));
        Graph::new(Seen::new(self.stage.first()).print, steps, quiet)
    }
}

/// The graph of a scene.
pub(crate) struct Graph {
    /// How many states it has.
    pub(crate) states: usize,
    /// How many steps from one of them to another.
    pub(crate) steps: usize,
    /// How many states cannot reach a quiet one any more. A deadlock is such a state.
    pub(crate) stuck: usize,
}

impl Graph {
    fn new(first: Print, steps: Steps, mut quiet: Vec<Print>) -> Graph {
        let steps = Backwards::new(steps);
        let from_nowhere = usize::from(steps.to(first).next().is_none());
        let states = from_nowhere + steps.sorted.chunk_by(|one, other| one.1 == other.1).count();
        let mut reached = vec![false; steps.sorted.len() + 1];
        let mut count = 0;
        while let Some(state) = quiet.pop() {
            let place = steps.to(state).next().map_or(steps.sorted.len(), |(at, _)| at);
            if !std::mem::replace(&mut reached[place], true) {
                count += 1;
                quiet.extend(steps.to(state).map(|(_, from)| from));
            }
        }
        Graph { states, steps: steps.sorted.len(), stuck: states - count }
    }
}

/// The steps of a graph, sorted by where they lead.
struct Backwards {
    sorted: Steps,
    /// Where those end whose fingerprints begin with a number, for each number: a few steps lie between two.
    ends: Vec<usize>,
    shift: u32,
}

impl Backwards {
    fn new(mut sorted: Steps) -> Backwards {
        sorted.sort_unstable_by_key(|(from, to)| (*to, *from));
        sorted.dedup();
        let shift = Print::BITS - sorted.len().max(2).ilog2();
        let mut ends = vec![0; 1 + (Print::MAX >> shift) as usize];
        for (at, (_, to)) in sorted.iter().enumerate() {
            ends[(to >> shift) as usize] = at + 1;
        }
        let mut last = 0;
        for end in &mut ends {
            last = last.max(*end);
            *end = last;
        }
        Backwards { sorted, ends, shift }
    }

    /// The steps to a state: their places, and where they come from.
    fn to(&self, state: Print) -> impl Iterator<Item = (usize, Print)> {
        let begins = (state >> self.shift) as usize;
        let begin = if begins == 0 { 0 } else { self.ends[begins - 1] };
        let near = self.sorted[begin..self.ends[begins]].iter().enumerate();
        near.filter(move |(_, (_, to))| *to == state).map(move |(at, (from, _))| (begin + at, *from))
    }
}

/// The situations that were not met.
pub(crate) fn unmet(witnessed: u64) -> Vec<&'static str> {
    let unmet = witness::ALL.iter().enumerate().filter(|(bit, _)| witnessed >> bit & 1 == 0);
    unmet.map(|(_, (name, _))| *name).collect()
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
}

impl Model for Explored {
    type State = Seen;
    type Action = Move;

    fn init_states(&self) -> Vec<Seen> {
        vec![Seen::new(self.stage.first())]
    }

    fn actions(&self, seen: &Seen, moves: &mut Vec<Move>) {
        if self.shards.is_some() && self.stage.quiet(&seen.play) {
            lock(&self.quiet).push(seen.print);
        }
        self.stage.moves(&seen.play, moves);
    }

    fn next_state(&self, before: &Seen, m: Move) -> Option<Seen> {
        let after = Seen::new(self.stage.play(&before.play, &m, self.rules)?);
        self.note(before, &m, &after);
        Some(after)
    }

    fn format_action(&self, m: &Move) -> String {
        m.event.map_or_else(|| format!("({:?} goes on)", m.by), |event| format!("{}: {event:?}", event.name()))
    }

    fn as_svg(&self, path: Path<Seen, Move>) -> Option<String> {
        let mut log = self.stage.opening();
        log.extend(path.into_actions().into_iter().filter_map(|m| m.event));
        Some(draw::svg(&log))
    }

    fn properties(&self) -> Vec<Property<Explored>> {
        fn unbroken<const AT: usize>(_: &Explored, seen: &Seen) -> bool {
            seen.play.broken != Some(invariants::ALL[AT].0)
        }
        let always = |at: usize, holds| Property::always(invariants::ALL[at].0, holds);
        vec![
            always(0, unbroken::<0>),
            always(1, unbroken::<1>),
            always(2, unbroken::<2>),
            always(3, unbroken::<3>),
            always(4, unbroken::<4>),
            always(5, unbroken::<5>),
            always(6, unbroken::<6>),
            always(7, unbroken::<7>),
            always(8, unbroken::<8>),
            Property::sometimes("all is quiet", |explored: &Explored, seen: &Seen| explored.stage.quiet(&seen.play)),
        ]
    }
}

/// Which events were seen of those that are arrows.
pub(crate) fn arrows(seen: u64) -> usize {
    (seen & ((1 << Event::ARROWS) - 1)).count_ones() as usize
}

/// A folding multiplication hash: fast, and good enough that two of some million states do not meet.
struct Folded(u64);

impl Hasher for Folded {
    fn write(&mut self, bytes: &[u8]) {
        for chunk in bytes.chunks(8) {
            let mut word = [0; 8];
            word[..chunk.len()].copy_from_slice(chunk);
            self.write_u64(u64::from_le_bytes(word));
        }
    }

    fn write_u8(&mut self, word: u8) {
        self.write_u64(u64::from(word));
    }

    fn write_u32(&mut self, word: u32) {
        self.write_u64(u64::from(word));
    }

    fn write_usize(&mut self, word: usize) {
        self.write_u64(word as u64);
    }

    fn write_u64(&mut self, word: u64) {
        let product = u128::from(self.0 ^ word ^ 0x9E37_79B9_7F4A_7C15) * 0xD6E8_FEB8_6659_FD93;
        self.0 = (product as u64) ^ ((product >> 64) as u64) ^ self.0.rotate_left(23);
    }

    fn finish(&self) -> u64 {
        let product = u128::from(self.0 ^ 0xA076_1D64_78BD_642F) * 0xE703_7ED1_A0B4_28DB;
        (product as u64) ^ ((product >> 64) as u64)
    }
}
