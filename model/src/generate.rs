//! Scripts that nobody wrote: one generator for quickcheck and for the fuzz targets, and its shrinker.
//!
//! [`script`] makes a script from any [`Choices`]. What an operation or a step is, is drawn from a table with weights,
//! [`OPS`] and [`STEPS`].
//!
//! Left out is what no pool could do: a system call that panics in a destructor ends the process, as any panic does
//! there.
//!
//! Tested by `tests/differential.rs`: no operation is rare, and scripts that show a fault shrink to few operations.

mod encode;
mod shrink;

use std::fmt;

use arbitrary::Unstructured;
use copool_spec::Tick;
use copool_spec::script::{Build, Key, Op, Script, Step, Submission};
use quickcheck::{Arbitrary, Gen};

use crate::choices::{Choices, Seeded};

pub use encode::encode;
pub use shrink::{shrunk, simpler};

/// How large a script may become.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Size {
    /// How many threads it has at most.
    pub threads: u32,
    /// How many operations each thread has at most.
    pub ops: u32,
    /// How many steps each body has at most.
    pub steps: u32,
    /// How deep submissions, guards and catches are nested.
    pub depth: u32,
    /// What its times are multiples of.
    pub unit: u64,
    /// Whether drives block: then those that may rightly do so for ever are drawn only where the pool goes meanwhile.
    pub blocking: bool,
}

impl Size {
    /// One thread, on a virtual clock.
    pub const SINGLE: Self = Self { threads: 1, ops: 32, steps: 6, depth: 2, unit: 1, blocking: false };
    /// Two or three threads, each with a few operations, on a virtual clock: small enough for a checker.
    pub const SEATS: Self = Self { threads: 3, ops: 7, steps: 4, depth: 2, unit: 1_000_000, blocking: false };
    /// The same where drives block; a checker's clock moves by a millisecond when it is read.
    pub const BLOCKING: Self = Self { blocking: true, ..Self::SEATS };
}

/// An operation or a step as the text form calls it, how often it is drawn, and how it is made.
pub struct Drawn<T> {
    /// Its first word.
    pub word: &'static str,
    weight: u8,
    make: fn(&mut Writer<'_>) -> T,
}

const fn op(word: &'static str, weight: u8, make: fn(&mut Writer<'_>) -> Op) -> Drawn<Op> {
    Drawn { word, weight, make }
}

const fn step(word: &'static str, weight: u8, make: fn(&mut Writer<'_>) -> Step) -> Drawn<Step> {
    Drawn { word, weight, make }
}

/// The operations.
pub const OPS: [Drawn<Op>; 23] = [
    op("submit", 22, |w| w.submission().map_or(Op::Schedule, Op::Submit)),
    op("schedule", 9, |_| Op::Schedule),
    op("schedule-for", 4, |w| Op::ScheduleFor(w.time())),
    op("schedule-until", 3, |w| Op::ScheduleUntil(Tick(2 * w.time()))),
    op("drain", 3, |w| w.unless_blocking(Op::Drain)),
    op("drain-for", 4, |w| Op::DrainFor(w.time())),
    op("wait", 4, |w| {
        let key = w.key();
        w.unless_blocking(Op::Wait(key))
    }),
    op("serve", 2, |w| w.unless_blocking(Op::Serve)),
    op("advance", 5, |w| Op::Advance(w.time())),
    op("take", 4, |w| Op::Take(w.key())),
    op("detach", 3, |w| Op::Detach(w.key())),
    op("cancel", 6, |w| Op::Cancel(w.key())),
    op("unpark", 5, |w| Op::Unpark(w.key())),
    op("join", 3, |w| w.join()),
    op("join-timeout", 3, |w| Op::JoinTimeout(w.key(), w.time())),
    op("set-min", 4, |w| Op::SetMin(w.below(4))),
    op("set-max", 4, |w| Op::SetMax(w.below(5))),
    op("set-keep-alive", 3, |w| Op::SetKeepAlive(w.time())),
    op("fail-stack", 3, |_| Op::FailStack),
    op("fail-thread", 2, |_| Op::FailThread),
    op("attach", 1, |_| Op::Attach),
    op("leave", 1, |_| Op::Leave),
    op("stop", 1, |w| Op::Stop(w.time())),
];

/// The steps; the first `SIMPLE` may stand in a destructor.
pub const STEPS: [Drawn<Step>; 20] = [
    step("suspend", 10, |_| Step::Suspend),
    step("checkpoint", 4, |_| Step::Checkpoint),
    step("work", 3, |w| Step::Work(w.time())),
    step("delay", 6, |w| Step::Delay(w.time())),
    step("park", 6, |_| Step::Park),
    step("park-timeout", 4, |w| Step::ParkTimeout(w.time())),
    step("unpark", 7, |w| Step::Unpark(w.key())),
    step("local", 3, |_| Step::Local),
    step("syscall", 5, |_| Step::Syscall),
    step("cancel", 5, |w| Step::Cancel(w.key())),
    step("join", 6, |w| Step::Join(w.key())),
    step("join-timeout", 4, |w| Step::JoinTimeout(w.key(), w.time())),
    step("set-max", 2, |w| Step::SetMax(w.below(5))),
    step("stop", 1, |w| Step::Stop(w.time())),
    step("submit", 8, |w| w.nested(|w| w.submission().map(|it| Step::Submit(Box::new(it))))),
    step("return", 5, |w| Step::Return(w.small(10))),
    step("panic", 4, |_| Step::Panic),
    step("syscall-panic", 3, |_| Step::SyscallPanic),
    step("guard", 4, |w| w.nested(|w| Some(Step::Guard(w.body(SIMPLE))))),
    step("catch", 4, |w| w.nested(|w| Some(Step::Catch(w.body(STEPS.len()))))),
];

/// How many of [`STEPS`] may stand in a destructor.
const SIMPLE: usize = 15;

/// The sum of the weights, and for each number below it a place in the table.
struct Lots {
    places: [u8; 256],
    below: [u32; 32],
}

impl Lots {
    const fn of<T>(table: &[Drawn<T>]) -> Self {
        let (mut places, mut below) = ([0; 256], [0; 32]);
        let (mut at, mut sum) = (0, 0);
        while at < table.len() {
            let end = sum + table[at].weight as usize;
            while sum < end {
                places[sum] = at as u8;
                sum += 1;
            }
            at += 1;
            below[at] = sum as u32;
        }
        Self { places, below }
    }

    /// Draws from the first `count` of the table.
    fn draw(&self, choices: &mut dyn Choices, count: usize) -> usize {
        usize::from(self.places[choices.below(self.below[count]) as usize])
    }
}

const OP_LOTS: Lots = Lots::of(&OPS);
const STEP_LOTS: Lots = Lots::of(&STEPS);

/// Names for people; they may repeat.
const NAMES: [&str; 2] = ["first", "other"];

const PRIORITIES: [Option<i64>; 8] = [None, None, None, None, Some(-1), Some(1), Some(0), Some(2)];

const MAXIMA: [u32; 5] = [2, 1, 3, 4, 0];

/// In units.
const KEEP_ALIVES: [u64; 4] = [0, 0, 3, 7];

/// In units.
const SLICES: [Option<u64>; 4] = [None, None, Some(0), Some(3)];

/// Makes a script. It passes [`Script::check`].
pub fn script(choices: &mut dyn Choices, size: Size) -> Script {
    let count = if size.threads > 1 { 2 + choices.below(size.threads - 1) } else { 1 };
    let build = build(choices, size.unit);
    let mut writer = Writer { choices, size, depth: size.depth, keys: 0, blocks: false };
    let mut threads: Vec<Vec<Op>> = vec![Vec::new(); count as usize];
    for ops in &mut threads[1..] {
        if writer.choices.below(8) < 7 {
            ops.push(Op::Attach);
        }
    }
    // The pool may go before its other threads do.
    let leaves = count > 1 && writer.choices.below(2) == 1;
    // Operations are dealt out one by one, so that the threads of a short input are short, and all of them have some.
    let most = size.ops as usize;
    while !writer.choices.spent() && threads.iter().any(|ops| ops.len() < most) {
        let thread = if count > 1 { writer.choices.below(count) as usize } else { 0 };
        // The first thread's own operations end, and what it drops in the end sends all others home.
        writer.blocks = size.blocking && !(leaves && thread > 0);
        let op = writer.op();
        if threads[thread].len() < most {
            threads[thread].push(op);
        }
    }
    threads[0].extend(leaves.then_some(Op::Leave));
    Script { build, threads }
}

/// The script of one thread that a fuzzer's bytes say.
#[must_use]
pub fn decode(bytes: &[u8]) -> Script {
    script(&mut Unstructured::new(bytes), Size::SINGLE)
}

fn build(choices: &mut dyn Choices, unit: u64) -> Build {
    let max = MAXIMA[choices.below(5) as usize];
    Build {
        min: choices.below(max.min(2) + 1),
        max,
        keep_alive: KEEP_ALIVES[choices.below(4) as usize] * unit,
        slice: SLICES[choices.below(4) as usize].map(|slice| slice * unit),
        helpers: 1 - choices.below(2),
        lifo: choices.below(3) == 2,
        auto: choices.below(3) == 2,
    }
}

/// Writes a script, one decision after the other.
pub struct Writer<'a> {
    choices: &'a mut dyn Choices,
    size: Size,
    /// How deep the next block may be nested.
    depth: u32,
    /// How many keys are taken.
    keys: u8,
    /// Whether a drive without a limit could last for ever.
    blocks: bool,
}

impl Writer<'_> {
    fn below(&mut self, bound: u32) -> u32 {
        self.choices.below(bound)
    }

    fn small(&mut self, bound: u32) -> u8 {
        u8::try_from(self.below(bound)).unwrap_or(0)
    }

    fn time(&mut self) -> u64 {
        u64::from(self.below(10)) * self.size.unit
    }

    /// A key that was used, or is next.
    fn key(&mut self) -> Key {
        let bound = u32::from(self.keys) + 1;
        Key(self.small(bound))
    }

    fn op(&mut self) -> Op {
        let place = OP_LOTS.draw(self.choices, OPS.len());
        (OPS[place].make)(self)
    }

    fn unless_blocking(&mut self, op: Op) -> Op {
        if self.blocks { Op::DrainFor(self.time()) } else { op }
    }

    /// Where there are several threads, one without a seat could wait for ever.
    fn join(&mut self) -> Op {
        let key = self.key();
        if self.size.threads > 1 { Op::JoinTimeout(key, self.time()) } else { Op::Join(key) }
    }

    /// None if there is no key left.
    fn submission(&mut self) -> Option<Submission> {
        let key = Key(self.keys);
        self.keys = self.keys.checked_add(1)?;
        let priority = PRIORITIES[self.below(8) as usize];
        let name = NAMES.get(self.below(8) as usize).map(|name| (*name).to_owned());
        Some(Submission { key, name, priority, body: self.body(STEPS.len()) })
    }

    /// What is one deeper, or a simple step.
    fn nested(&mut self, make: impl FnOnce(&mut Self) -> Option<Step>) -> Step {
        let Some(depth) = self.depth.checked_sub(1) else { return Step::Suspend };
        self.depth = depth;
        let step = make(self);
        self.depth += 1;
        step.unwrap_or(Step::Suspend)
    }

    /// Steps out of the first `kinds` of the table.
    fn body(&mut self, kinds: usize) -> Vec<Step> {
        let count = self.below(self.size.steps + 1);
        (0..count).map(|_| self.step(kinds)).collect()
    }

    fn step(&mut self, kinds: usize) -> Step {
        let place = STEP_LOTS.draw(self.choices, kinds);
        (STEPS[place].make)(self)
    }
}

/// A script of one thread that quickcheck draws and shrinks; its text form is how it is shown.
#[derive(Clone, PartialEq, Eq)]
pub struct Case(pub Script);

impl fmt::Debug for Case {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "\n{}", self.0)
    }
}

impl Arbitrary for Case {
    fn arbitrary(g: &mut Gen) -> Self {
        Self(script(&mut Seeded::drawn(g), Size::SINGLE))
    }

    fn shrink(&self) -> Box<dyn Iterator<Item = Self>> {
        Box::new(simpler(&self.0).map(Self))
    }
}
