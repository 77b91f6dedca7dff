//! Random scripts of one thread.
//!
//! What they leave out: a system call that panics in a destructor would end the process, as any panic does there.

use std::fmt;

use copool::spec::Tick;
use copool::spec::script::{Build, Key, Op, Script, Step, Submission};
use quickcheck::{Arbitrary, Gen};

/// A script that quickcheck makes and shrinks; its text form is how it is shown.
#[derive(Clone)]
pub(crate) struct Case(pub(crate) Script);

impl fmt::Debug for Case {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "\n{}", self.0)
    }
}

/// How many operations a script has at most, and steps a body.
const OPS: u64 = 20;
const STEPS: u64 = 7;
/// How deep submissions, guards and catches are nested.
const DEPTH: u32 = 2;

impl Arbitrary for Case {
    fn arbitrary(g: &mut Gen) -> Self {
        let max = below(g, 5);
        let build = Build {
            min: below(g, max + 1),
            max,
            keep_alive: if bool::arbitrary(g) { 0 } else { below(g, 6) },
            slice: if bool::arbitrary(g) { None } else { Some(below(g, 4)) },
            helpers: below(g, 2),
            lifo: bool::arbitrary(g),
            auto: bool::arbitrary(g),
        };
        let mut keys = Keys(0);
        let count = 1 + below(g, OPS);
        let ops = (0..count).map(|_| keys.op(g)).collect();
        Case(Script::single(build, ops))
    }

    fn shrink(&self) -> Box<dyn Iterator<Item = Self>> {
        let build = &self.0.build;
        let plain = Build { min: build.min, max: build.max, ..Build::default() };
        let builds = [plain, Build { min: 0, ..build.clone() }, Build { keep_alive: 0, ..build.clone() }];
        let builds: Vec<Build> = builds.into_iter().filter(|other| other != build).collect();
        let ops = self.0.threads.concat();
        let script = self.0.clone();
        let shorter = (0..ops.len()).map({
            let (ops, build) = (ops.clone(), build.clone());
            move |at| Script::single(build.clone(), without(&ops, at))
        });
        let simpler = (0..ops.len()).flat_map({
            let build = build.clone();
            move |at| {
                let (ops, build) = (ops.clone(), build.clone());
                simpler_op(&ops[at]).into_iter().map(move |op| {
                    let mut ops = ops.clone();
                    ops[at] = op;
                    Script::single(build.clone(), ops)
                })
            }
        });
        let builds = builds.into_iter().map(move |build| Script { build, ..script.clone() });
        Box::new(shorter.chain(simpler).chain(builds).map(Case))
    }
}

fn without<T: Clone>(items: &[T], at: usize) -> Vec<T> {
    let mut items = items.to_vec();
    items.remove(at);
    items
}

fn simpler_op(op: &Op) -> Vec<Op> {
    match op {
        Op::Submit(submission) => simpler_submissions(submission).into_iter().map(Op::Submit).collect(),
        Op::ScheduleFor(_) | Op::ScheduleUntil(_) => vec![Op::Schedule],
        Op::DrainFor(_) | Op::Wait(_) => vec![Op::Drain],
        _ => Vec::new(),
    }
}

fn simpler_submissions(submission: &Submission) -> Vec<Submission> {
    let with = |body| Submission { body, ..submission.clone() };
    let mut simpler: Vec<Submission> = simpler_bodies(&submission.body).into_iter().map(with).collect();
    if submission.priority.is_some() {
        simpler.push(Submission { priority: None, ..submission.clone() });
    }
    simpler
}

fn simpler_bodies(body: &[Step]) -> Vec<Vec<Step>> {
    let mut simpler: Vec<Vec<Step>> = (0..body.len()).map(|at| without(body, at)).collect();
    for (at, step) in body.iter().enumerate() {
        let steps: Vec<Step> = match step {
            Step::Guard(steps) => simpler_bodies(steps).into_iter().map(Step::Guard).collect(),
            Step::Catch(steps) => simpler_bodies(steps).into_iter().map(Step::Catch).collect(),
            Step::Submit(inner) => simpler_submissions(inner).into_iter().map(|s| Step::Submit(Box::new(s))).collect(),
            _ => Vec::new(),
        };
        for step in steps {
            let mut body = body.to_vec();
            body[at] = step;
            simpler.push(body);
        }
    }
    simpler
}

fn below<T>(g: &mut Gen, bound: T) -> T
where
    T: TryFrom<u64> + Into<u64>,
{
    let number = u64::arbitrary(g) % bound.into().max(1);
    T::try_from(number).unwrap_or_else(|_| unreachable!("less than a bound of its own type"))
}

/// The keys that are taken.
struct Keys(u8);

impl Keys {
    /// A key that was used, or is soon.
    fn any(&self, g: &mut Gen) -> Key {
        Key(below(g, self.0.saturating_add(2)))
    }

    fn submission(&mut self, g: &mut Gen, depth: u32) -> Submission {
        let key = Key(self.0);
        self.0 += 1;
        let priority = match below(g, 6_u32) {
            0 => Some(-1),
            1 => Some(1),
            2 => Some(0),
            _ => None,
        };
        Submission { key, name: None, priority, body: self.body(g, depth, false) }
    }

    fn body(&mut self, g: &mut Gen, depth: u32, simple: bool) -> Vec<Step> {
        (0..below(g, STEPS)).map(|_| self.step(g, depth, simple)).collect()
    }

    /// A step; a simple one for a destructor.
    fn step(&mut self, g: &mut Gen, depth: u32, simple: bool) -> Step {
        let time = below(g, 8);
        match below(g, if simple { 24_u32 } else { 30 }) {
            0..=3 => Step::Suspend,
            4 => Step::Checkpoint,
            5 => Step::Work(time),
            6..=7 => Step::Delay(time),
            8..=9 => Step::Park,
            10 => Step::ParkTimeout(time),
            11..=12 => Step::Unpark(self.any(g)),
            13 => Step::Local,
            14..=15 => Step::Syscall,
            16..=17 => Step::Cancel(self.any(g)),
            18 => Step::Join(self.any(g)),
            19 => Step::JoinTimeout(self.any(g), time),
            20 => Step::SetMax(below(g, 4)),
            21 if below(g, 4_u32) == 0 => Step::Stop(time),
            21..=23 if depth > 0 => Step::Submit(Box::new(self.submission(g, depth - 1))),
            24 => Step::Panic,
            25 => Step::SyscallPanic,
            26 => Step::Return(below(g, 10)),
            27 if depth > 0 => Step::Guard(self.body(g, depth - 1, true)),
            28..=29 if depth > 0 => Step::Catch(self.body(g, depth - 1, false)),
            _ => Step::Checkpoint,
        }
    }

    fn op(&mut self, g: &mut Gen) -> Op {
        let time = below(g, 10);
        match below(g, 32_u32) {
            0..=11 => Op::Submit(self.submission(g, DEPTH)),
            12..=14 => Op::Schedule,
            15 => Op::ScheduleFor(time),
            16 => Op::ScheduleUntil(Tick(time)),
            17 => Op::Drain,
            18 => Op::DrainFor(time),
            19 => Op::Wait(self.any(g)),
            20 => [Op::Serve, Op::FailStack, Op::Attach, Op::FailThread][below::<u8>(g, 4) as usize].clone(),
            21 => Op::Advance(time),
            22 => Op::Take(self.any(g)),
            23 => Op::Detach(self.any(g)),
            24..=25 => Op::Cancel(self.any(g)),
            26 => Op::Unpark(self.any(g)),
            27 => [Op::Join(self.any(g)), Op::JoinTimeout(self.any(g), time)][below::<u8>(g, 2) as usize].clone(),
            28 => Op::SetMin(below(g, 4)),
            29 => Op::SetMax(below(g, 5)),
            30 => Op::SetKeepAlive(time),
            _ if below(g, 3_u32) > 0 => Op::Schedule,
            _ if bool::arbitrary(g) => Op::Leave,
            _ => Op::Stop(time),
        }
    }
}
