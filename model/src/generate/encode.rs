//! The bytes that say a script: so that one which somebody wrote can be a seed.
//!
//! Each method here writes what the method of the same name in `Writer` reads, in the same order.
//!
//! Tested by `tests/differential.rs`: whatever is drawn is encoded to bytes that say it.

use copool_spec::Tick;
use copool_spec::script::{Build, Key, Op, Script, Step, Submission};

use super::{Drawn, KEEP_ALIVES, MAXIMA, NAMES, OPS, PRIORITIES, SIMPLE, SLICES, STEPS, Size};

/// The bytes that [`decode`](super::decode) reads as this script. None if it could not be drawn.
#[must_use]
pub fn encode(script: &Script) -> Option<Vec<u8>> {
    let [ops] = &script.threads[..] else { return None };
    let mut reader = Reader { bytes: Vec::new(), size: Size::SINGLE, depth: Size::SINGLE.depth, keys: 0 };
    reader.build(&script.build)?;
    ops.iter().try_for_each(|op| reader.op(op))?;
    (ops.len() <= Size::SINGLE.ops as usize).then_some(reader.bytes)
}

/// Where a word begins in its table.
fn place<T>(table: &[Drawn<T>], word: &str) -> Option<u32> {
    let at = table.iter().position(|drawn| drawn.word == word)?;
    Some(table[..at].iter().map(|drawn| u32::from(drawn.weight)).sum())
}

fn sum<T>(table: &[Drawn<T>]) -> u32 {
    table.iter().map(|drawn| u32::from(drawn.weight)).sum()
}

fn index<T: PartialEq>(of: &T, table: &[T]) -> Option<u32> {
    u32::try_from(table.iter().position(|it| it == of)?).ok()
}

/// Reads a script, one decision after the other.
struct Reader {
    bytes: Vec<u8>,
    size: Size,
    depth: u32,
    keys: u8,
}

impl Reader {
    fn below(&mut self, value: u32, bound: u32) -> Option<()> {
        if value >= bound {
            return None;
        }
        if bound > 1 {
            self.bytes.push(u8::try_from(value).ok()?);
        }
        Some(())
    }

    fn build(&mut self, build: &Build) -> Option<()> {
        self.below(index(&build.max, &MAXIMA)?, 5)?;
        self.below(build.min, build.max.min(2) + 1)?;
        self.below(index(&build.keep_alive, &KEEP_ALIVES)?, 4)?;
        self.below(index(&build.slice, &SLICES)?, 4)?;
        self.below(1_u32.checked_sub(build.helpers)?, 2)?;
        self.below(2 * u32::from(build.lifo), 3)?;
        self.below(2 * u32::from(build.auto), 3)
    }

    fn time(&mut self, time: u64) -> Option<()> {
        self.below(u32::try_from(time).ok()?, 10)
    }

    fn key(&mut self, key: Key) -> Option<()> {
        self.below(key.0.into(), u32::from(self.keys) + 1)
    }

    fn op(&mut self, op: &Op) -> Option<()> {
        let text = op.to_string();
        let word = text.split(' ').next()?;
        self.below(place(&OPS, word)?, sum(&OPS))?;
        match op {
            Op::Submit(submission) => self.submission(submission),
            Op::ScheduleUntil(Tick(at)) if at % 2 == 0 => self.time(at / 2),
            Op::ScheduleUntil(_) | Op::Look => None,
            Op::ScheduleFor(time)
            | Op::DrainFor(time)
            | Op::Advance(time)
            | Op::SetKeepAlive(time)
            | Op::Stop(time) => self.time(*time),
            Op::Wait(key) | Op::Take(key) | Op::Detach(key) | Op::Cancel(key) | Op::Unpark(key) | Op::Join(key) => {
                self.key(*key)
            }
            Op::JoinTimeout(key, time) => {
                self.key(*key)?;
                self.time(*time)
            }
            Op::SetMin(min) => self.below(*min, 4),
            Op::SetMax(max) => self.below(*max, 5),
            Op::Schedule | Op::Drain | Op::Serve | Op::FailStack | Op::FailThread | Op::Attach | Op::Leave => Some(()),
        }
    }

    fn submission(&mut self, submission: &Submission) -> Option<()> {
        let Submission { key, name, priority, body } = submission;
        let next = Key(self.keys);
        self.keys = self.keys.checked_add(1)?;
        let named = NAMES.iter().position(|known| Some(*known) == name.as_deref());
        let name = if name.is_none() { NAMES.len() } else { named? };
        self.below(index(priority, &PRIORITIES)?, 8)?;
        self.below(u32::try_from(name).ok()?, 8)?;
        self.body(body, STEPS.len())?;
        (*key == next).then_some(())
    }

    fn body(&mut self, body: &[Step], kinds: usize) -> Option<()> {
        self.below(u32::try_from(body.len()).ok()?, self.size.steps + 1)?;
        body.iter().try_for_each(|step| self.step(step, kinds))
    }

    fn nested(&mut self, read: impl FnOnce(&mut Self) -> Option<()>) -> Option<()> {
        self.depth = self.depth.checked_sub(1)?;
        let read = read(self);
        self.depth += 1;
        read
    }

    fn step(&mut self, step: &Step, kinds: usize) -> Option<()> {
        let text = step.to_string();
        let word = text.split(' ').next()?;
        self.below(place(&STEPS, word)?, sum(&STEPS[..kinds]))?;
        match step {
            Step::Submit(submission) => self.nested(|it| it.submission(submission)),
            Step::Guard(body) => self.nested(|it| it.body(body, SIMPLE)),
            Step::Catch(body) => self.nested(|it| it.body(body, STEPS.len())),
            Step::Work(time) | Step::Delay(time) | Step::ParkTimeout(time) | Step::Stop(time) => self.time(*time),
            Step::Unpark(key) | Step::Cancel(key) | Step::Join(key) => self.key(*key),
            Step::JoinTimeout(key, time) => {
                self.key(*key)?;
                self.time(*time)
            }
            Step::SetMax(max) => self.below(*max, 5),
            Step::Return(value) => self.below((*value).into(), 10),
            Step::Suspend
            | Step::Checkpoint
            | Step::Park
            | Step::Local
            | Step::Syscall
            | Step::SyscallPanic
            | Step::Panic => Some(()),
        }
    }
}
