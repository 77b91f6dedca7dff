//! Scripts that nobody wrote: one generator for quickcheck and for the fuzz targets, and its shrinker.
//!
//! [`script`] makes a script from any [`Choices`]. What an operation or a step is, is drawn from a table of weights,
//! [`OPS`] and [`STEPS`], whose order is that of the language: from simple to complex.
//!
//! Left out is what no pool could do: a system call that panics in a destructor ends the process, as any panic does
//! there.
//!
//! Tested by `tests/differential.rs`: no operation is rare, and scripts that show a fault shrink to few operations.

mod shrink;

use std::fmt;

use copool_spec::Tick;
use copool_spec::script::{Build, Key, Op, Script, Step, Submission};
use quickcheck::{Arbitrary, Gen};

use crate::choices::{Choices, Seeded};

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
    /// Whether drives block: then none is drawn that may rightly do so for ever.
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

/// The operations, as the text form calls them, and how often each is drawn.
pub const OPS: [(&str, u32); 23] = [
    ("submit", 22),
    ("schedule", 9),
    ("schedule-for", 4),
    ("schedule-until", 3),
    ("drain", 3),
    ("drain-for", 4),
    ("wait", 4),
    ("serve", 2),
    ("advance", 5),
    ("take", 4),
    ("detach", 3),
    ("cancel", 6),
    ("unpark", 5),
    ("join", 3),
    ("join-timeout", 3),
    ("set-min", 4),
    ("set-max", 4),
    ("set-keep-alive", 3),
    ("fail-stack", 3),
    ("fail-thread", 2),
    ("attach", 1),
    ("leave", 1),
    ("stop", 1),
];

/// The steps, likewise. Those of [`SIMPLE`] and before may stand in a destructor.
pub const STEPS: [(&str, u32); 20] = [
    ("suspend", 10),
    ("checkpoint", 4),
    ("work", 3),
    ("delay", 6),
    ("park", 6),
    ("park-timeout", 4),
    ("unpark", 7),
    ("local", 3),
    ("syscall", 5),
    ("cancel", 5),
    ("join", 6),
    ("join-timeout", 4),
    ("set-max", 2),
    ("stop", 1),
    ("submit", 8),
    ("return", 5),
    ("panic", 4),
    ("syscall-panic", 3),
    ("guard", 4),
    ("catch", 4),
];

/// The last step that may stand in a destructor, by its place in [`STEPS`].
const SIMPLE: usize = 14;

/// Names for people; they may repeat.
const NAMES: [&str; 2] = ["first", "other"];

/// Makes a script. It passes [`Script::check`].
pub fn script(choices: &mut impl Choices, size: Size) -> Script {
    let count = if size.threads > 1 { 2 + choices.below(size.threads - 1) } else { 1 };
    let build = build(choices, size.unit);
    let mut writer = Writer { choices, size, keys: 0 };
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
        let op = writer.op();
        if threads[thread].len() < most {
            threads[thread].push(op);
        }
    }
    threads[0].extend(leaves.then_some(Op::Leave));
    Script { build, threads }
}

fn build(choices: &mut impl Choices, unit: u64) -> Build {
    let max = [2, 1, 3, 4, 0][choices.below(5) as usize];
    Build {
        min: choices.below(max.min(2) + 1),
        max,
        keep_alive: [0, 0, 3, 7][choices.below(4) as usize] * unit,
        slice: [None, None, Some(0), Some(3 * unit)][choices.below(4) as usize],
        helpers: 1 - choices.below(2),
        lifo: choices.below(3) == 2,
        auto: choices.below(3) == 2,
    }
}

/// Writes a script, one decision after the other.
struct Writer<'a, C> {
    choices: &'a mut C,
    size: Size,
    /// How many keys are taken.
    keys: u8,
}

impl<C: Choices> Writer<'_, C> {
    /// Draws from a table of weights: a place in it.
    fn draw(&mut self, table: &[(&str, u32)]) -> usize {
        let mut at = self.choices.below(table.iter().map(|(_, weight)| weight).sum());
        let covers = |(_, weight): &(&str, u32)| {
            let here = at < *weight;
            at = at.saturating_sub(*weight);
            here
        };
        table.iter().position(covers).unwrap_or(0)
    }

    fn time(&mut self) -> u64 {
        u64::from(self.choices.below(10)) * self.size.unit
    }

    /// A key that was used, or is next.
    fn key(&mut self) -> Key {
        Key(u8::try_from(self.choices.below(u32::from(self.keys) + 1)).unwrap_or(0))
    }

    fn op(&mut self) -> Op {
        let mut word = OPS[self.draw(&OPS)].0;
        if word == "submit" && self.keys == u8::MAX {
            word = "schedule";
        }
        if self.size.threads > 1 && word == "join" {
            word = "join-timeout";
        }
        if self.size.blocking && matches!(word, "drain" | "wait" | "serve") {
            word = "drain-for";
        }
        match word {
            "submit" => Op::Submit(self.submission(self.size.depth)),
            "schedule" => Op::Schedule,
            "schedule-for" => Op::ScheduleFor(self.time()),
            "schedule-until" => Op::ScheduleUntil(Tick(2 * self.time())),
            "drain" => Op::Drain,
            "drain-for" => Op::DrainFor(self.time()),
            "wait" => Op::Wait(self.key()),
            "serve" => Op::Serve,
            "advance" => Op::Advance(self.time()),
            "take" => Op::Take(self.key()),
            "detach" => Op::Detach(self.key()),
            "cancel" => Op::Cancel(self.key()),
            "unpark" => Op::Unpark(self.key()),
            "join" => Op::Join(self.key()),
            "join-timeout" => Op::JoinTimeout(self.key(), self.time()),
            "set-min" => Op::SetMin(self.choices.below(4)),
            "set-max" => Op::SetMax(self.choices.below(5)),
            "set-keep-alive" => Op::SetKeepAlive(self.time()),
            "fail-stack" => Op::FailStack,
            "fail-thread" => Op::FailThread,
            "attach" => Op::Attach,
            "leave" => Op::Leave,
            _ => Op::Stop(self.time()),
        }
    }

    fn submission(&mut self, depth: u32) -> Submission {
        let key = Key(self.keys);
        self.keys += 1;
        let priority = [None, None, None, None, Some(-1), Some(1), Some(0), Some(2)][self.choices.below(8) as usize];
        let name = NAMES.get(self.choices.below(8) as usize).map(|name| (*name).to_owned());
        Submission { key, name, priority, body: self.body(depth, false) }
    }

    /// Steps, simple ones for a destructor.
    fn body(&mut self, depth: u32, simple: bool) -> Vec<Step> {
        let count = self.choices.below(self.size.steps + 1);
        (0..count).map(|_| self.step(depth, simple)).collect()
    }

    fn step(&mut self, depth: u32, simple: bool) -> Step {
        let mut word = STEPS[self.draw(if simple { &STEPS[..=SIMPLE] } else { &STEPS })].0;
        let nests = matches!(word, "submit" | "guard" | "catch");
        if nests && depth == 0 || word == "submit" && self.keys == u8::MAX {
            word = "suspend";
        }
        match word {
            "suspend" => Step::Suspend,
            "checkpoint" => Step::Checkpoint,
            "work" => Step::Work(self.time()),
            "delay" => Step::Delay(self.time()),
            "park" => Step::Park,
            "park-timeout" => Step::ParkTimeout(self.time()),
            "unpark" => Step::Unpark(self.key()),
            "local" => Step::Local,
            "syscall" => Step::Syscall,
            "cancel" => Step::Cancel(self.key()),
            "join" => Step::Join(self.key()),
            "join-timeout" => Step::JoinTimeout(self.key(), self.time()),
            "set-max" => Step::SetMax(self.choices.below(5)),
            "stop" => Step::Stop(self.time()),
            "submit" => Step::Submit(Box::new(self.submission(depth - 1))),
            "return" => Step::Return(u8::try_from(self.choices.below(10)).unwrap_or(0)),
            "panic" => Step::Panic,
            "syscall-panic" => Step::SyscallPanic,
            "guard" => Step::Guard(self.body(depth - 1, true)),
            _ => Step::Catch(self.body(depth - 1, false)),
        }
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
