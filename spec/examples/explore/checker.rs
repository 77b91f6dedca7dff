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
    /// Steps taken.
    pub(crate) steps: AtomicU64,
    /// The graph, where it is wanted: for each step the two states, as fingerprints.
    graph: Option<Vec<Mutex<Steps>>>,
    /// The states in which all is quiet.
    quiet: Mutex<Vec<u64>>,
}

const SHARDS: usize = 16;

/// From which state to which.
type Steps = Vec<(u64, u64)>;

impl Explored {
    /// Explores a scene by these rules; `graph` also keeps the graph, for [`Explored::stuck`].
    pub(crate) fn new(stage: Stage, rules: Rules, graph: bool) -> Explored {
        let zero = || AtomicU64::new(0);
        let graph = graph.then(|| (0..SHARDS).map(|_| Mutex::default()).collect());
        let quiet = Mutex::default();
        Explored { stage, rules, arrows: zero(), witnessed: zero(), steps: zero(), graph, quiet }
    }

    fn note(&self, before: &Play, m: &Move, after: &Play) {
        // Ordering: a count and two sets that are read after all explorers have ended.
        self.steps.fetch_add(1, Ordering::Relaxed);
        if let Some(event) = &m.event {
            let seen = self.witnessed.load(Ordering::Relaxed);
            let fresh = witness::ALL
                .iter()
                .enumerate()
                .filter(|(bit, (_, holds))| seen & (1 << bit) == 0 && holds(&before.pool, event, &after.pool));
            let bits = fresh.fold(0, |bits, (bit, _)| bits | 1 << bit);
            if bits != 0 {
                self.witnessed.fetch_or(bits, Ordering::Relaxed);
            }
            let bit = 1 << (event.arrow() as u64);
            if self.arrows.load(Ordering::Relaxed) & bit == 0 {
                self.arrows.fetch_or(bit, Ordering::Relaxed);
            }
        }
        if let Some(graph) = &self.graph {
            let (from, to) = (fingerprint(before), fingerprint(after));
            lock(&graph[to as usize % SHARDS]).push((from, to));
            if self.stage.quiet(after) {
                lock(&self.quiet).push(to);
            }
        }
    }

    /// How many states cannot reach a quiet one any more, of how many, and how many steps there are: to be asked once the
    /// exploration has ended. A deadlock is such a state.
    pub(crate) fn stuck(&self) -> (usize, usize, usize) {
        let mut edges: Vec<(u64, u64)> = Vec::new();
        for shard in self.graph.iter().flatten() {
            edges.append(&mut lock(shard));
        }
        let mut states: Vec<u64> = edges.iter().flat_map(|(from, to)| [*from, *to]).collect();
        states.sort_unstable();
        states.dedup();
        // From fingerprints to numbers, with two sorts and two merges; then each state's predecessors stand together.
        edges.sort_unstable();
        edges.dedup();
        number(&states, edges.iter_mut().map(|(from, _)| from));
        edges.sort_unstable_by_key(|(_, to)| *to);
        number(&states, edges.iter_mut().map(|(_, to)| to));
        let mut quiet = std::mem::take(&mut *lock(&self.quiet));
        quiet.sort_unstable();
        quiet.dedup();
        number(&states, quiet.iter_mut());
        let predecessors = |state: u64| {
            let begin = edges.partition_point(|(_, to)| *to < state);
            edges[begin..].iter().take_while(move |(_, to)| *to == state).map(|(from, _)| *from)
        };
        let mut reached = vec![false; states.len()];
        while let Some(state) = quiet.pop() {
            if !std::mem::replace(&mut reached[state as usize], true) {
                quiet.extend(predecessors(state));
            }
        }
        (reached.iter().filter(|reached| !**reached).count(), states.len(), edges.len())
    }
}

/// The situations that were not met.
pub(crate) fn unmet(witnessed: u64) -> Vec<&'static str> {
    let unmet = witness::ALL.iter().enumerate().filter(|(bit, _)| witnessed >> bit & 1 == 0);
    unmet.map(|(_, (name, _))| *name).collect()
}

/// Replaces sorted fingerprints by their places among the states.
fn number<'a>(states: &[u64], sorted: impl Iterator<Item = &'a mut u64>) {
    let mut place = 0;
    for fingerprint in sorted {
        while states[place] != *fingerprint {
            place += 1;
        }
        *fingerprint = place as u64;
    }
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
}

impl Model for Explored {
    type State = Play;
    type Action = Move;

    fn init_states(&self) -> Vec<Play> {
        vec![self.stage.first()]
    }

    fn actions(&self, play: &Play, moves: &mut Vec<Move>) {
        self.stage.moves(play, moves);
    }

    fn next_state(&self, before: &Play, m: Move) -> Option<Play> {
        let after = self.stage.play(before, &m, self.rules)?;
        self.note(before, &m, &after);
        Some(after)
    }

    fn format_action(&self, m: &Move) -> String {
        m.event.map_or_else(|| format!("({:?} goes on)", m.by), |event| format!("{}: {event:?}", event.name()))
    }

    fn as_svg(&self, path: Path<Play, Move>) -> Option<String> {
        let mut log = self.stage.opening();
        log.extend(path.into_actions().into_iter().filter_map(|m| m.event));
        Some(draw::svg(&log))
    }

    fn properties(&self) -> Vec<Property<Explored>> {
        fn unbroken<const AT: usize>(_: &Explored, play: &Play) -> bool {
            play.broken != Some(invariants::ALL[AT].0)
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
            Property::sometimes("all is quiet", |explored: &Explored, play| explored.stage.quiet(play)),
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

fn fingerprint(play: &Play) -> u64 {
    let mut hasher = Folded(0);
    play.hash(&mut hasher);
    hasher.finish()
}
