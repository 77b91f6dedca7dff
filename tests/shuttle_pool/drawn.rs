//! Scripts of several threads, drawn.
//!
//! What they leave out: on a blocking clock, calls of a plain thread that may rightly block for ever; a system call that
//! panics in a destructor, which ends the process, as any panic does there.

use copool_model::shuttle::scripts::Clock;
use copool_model::under_shuttle::spec::Tick;
use copool_model::under_shuttle::spec::script::{Build, Key, Op, Script, Step, Submission};

/// How many operations a thread has at most, and steps a body.
const OPS: u64 = 6;
const STEPS: u64 = 5;
/// How deep submissions, guards and catches are nested.
const DEPTH: u32 = 2;
/// The checker's clock moves by a millisecond at each reading.
const MILLIS: u64 = 1_000_000;

/// Draws from numbers below a bound.
pub(crate) struct Drawing<F> {
    below: F,
    clock: Clock,
    keys: u8,
}

impl<F: FnMut(u64) -> u64> Drawing<F> {
    /// A script and the clock that it is for. Its first thread drops the pool, perhaps before the others have ended.
    pub(crate) fn script(below: F) -> (Script, Clock) {
        let mut it = Self { below, clock: Clock::Virtual, keys: 0 };
        if it.one_in(2) {
            it.clock = Clock::Blocking;
        }
        let max = 1 + it.small(3);
        let build = Build {
            min: it.small(u64::from(max)),
            max,
            keep_alive: if it.one_in(2) { 0 } else { it.time() },
            slice: if it.one_in(3) { Some(it.time()) } else { None },
            helpers: it.small(2),
            lifo: it.one_in(4),
            auto: it.one_in(4),
        };
        let count = 2 + it.below(2);
        let mut threads: Vec<Vec<Op>> = (0..count).map(|at| it.thread(at)).collect();
        if it.one_in(2) {
            threads[0].push(Op::Leave);
        }
        (Script { build, threads }, it.clock)
    }

    fn thread(&mut self, at: u64) -> Vec<Op> {
        let count = 2 + self.below(OPS - 1);
        let mut ops: Vec<Op> = (0..count).map(|_| self.op()).collect();
        if at > 0 && !self.one_in(4) {
            ops.insert(0, Op::Attach);
        }
        ops
    }

    fn below(&mut self, bound: u64) -> u64 {
        (self.below)(bound.max(1))
    }

    fn small(&mut self, bound: u64) -> u32 {
        u32::try_from(self.below(bound)).expect("a small bound")
    }

    fn one_in(&mut self, chances: u64) -> bool {
        self.below(chances) == 0
    }

    fn time(&mut self) -> u64 {
        self.below(8) * MILLIS
    }

    /// A key that was used, or is soon.
    fn any(&mut self) -> Key {
        let bound = u64::from(self.keys.saturating_add(1));
        Key(u8::try_from(self.below(bound)).expect("less than a key"))
    }

    fn submission(&mut self, depth: u32) -> Submission {
        let key = Key(self.keys);
        self.keys += 1;
        let priority = match self.below(8) {
            0 => Some(-1),
            1 => Some(1),
            _ => None,
        };
        Submission { key, name: None, priority, body: self.body(depth, false) }
    }

    fn body(&mut self, depth: u32, simple: bool) -> Vec<Step> {
        (0..self.below(STEPS)).map(|_| self.step(depth, simple)).collect()
    }

    /// A step; a simple one for a destructor.
    fn step(&mut self, depth: u32, simple: bool) -> Step {
        let time = self.time();
        match self.below(if simple { 22 } else { 29 }) {
            0..=3 => Step::Suspend,
            4 => Step::Checkpoint,
            5 => Step::Work(time),
            6 => Step::Delay(time),
            7..=8 => Step::Park,
            9 => Step::ParkTimeout(time),
            10..=11 => Step::Unpark(self.any()),
            12 => Step::Local,
            13..=14 => Step::Syscall,
            15..=16 => Step::Cancel(self.any()),
            17 => Step::Join(self.any()),
            18 => Step::JoinTimeout(self.any(), time),
            19 => Step::SetMax(self.small(4)),
            20 if self.one_in(3) => Step::Stop(time),
            20..=23 if depth > 0 => Step::Submit(Box::new(self.submission(depth - 1))),
            24 => Step::Panic,
            25 if !simple => Step::SyscallPanic,
            26 => Step::Return(7),
            27 if depth > 0 => Step::Guard(self.body(depth - 1, true)),
            28 if depth > 0 => Step::Catch(self.body(depth - 1, false)),
            _ => Step::Suspend,
        }
    }

    fn op(&mut self) -> Op {
        let time = self.time();
        let may_block = self.clock == Clock::Virtual;
        match self.below(30) {
            0..=8 => Op::Submit(self.submission(DEPTH)),
            9..=12 => Op::Schedule,
            13 => Op::ScheduleFor(time),
            14 => Op::ScheduleUntil(Tick(time)),
            15 if may_block => Op::Drain,
            16 if may_block => Op::Wait(self.any()),
            17 if may_block => Op::Serve,
            15..=17 => Op::DrainFor(time),
            18 => Op::Advance(time),
            19 => Op::Take(self.any()),
            20 => Op::Detach(self.any()),
            21 => Op::Cancel(self.any()),
            22 => Op::Unpark(self.any()),
            23 => Op::JoinTimeout(self.any(), time),
            24 => [Op::SetMin(self.small(3)), Op::SetMax(self.small(4))][usize::from(self.one_in(2))].clone(),
            25 => Op::SetKeepAlive(time),
            26 => Op::FailStack,
            27 if self.one_in(3) => Op::Stop(time),
            28 if self.one_in(2) => Op::Leave,
            29 => Op::Attach,
            _ => Op::Schedule,
        }
    }
}
