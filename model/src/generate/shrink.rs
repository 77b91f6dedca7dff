//! Simpler scripts: what a failing script is replaced by, the boldest first.
//!
//! Every candidate is smaller in a measure that cannot fall for ever: fewer threads, operations or steps, or the same
//! with an operation replaced by one that comes before it in the language, a body hoisted out of its block, or a number
//! nearer to 0. So shrinking ends. The candidates are made one by one, as they are asked for: a script of 32 operations
//! has about a thousand.

use std::rc::Rc;

use copool_spec::Tick;
use copool_spec::script::{Build, Key, Op, Script, Step, Submission};

/// The candidates, the boldest first. All of them pass [`Script::check`].
pub fn simpler(script: &Script) -> impl Iterator<Item = Script> + use<> {
    let script = Rc::new(script.clone());
    let threads = fewer_threads(&script);
    let ops = each_thread(&script, |ops| chunks(ops.len()));
    let cut = ops.map(with(&script, |script, (thread, (from, to)): (usize, (usize, usize))| {
        script.threads[thread].drain(from..to);
    }));
    let places = |script: &Rc<Script>| each_thread(script, |ops| 0..ops.len());
    let of = Rc::clone(&script);
    let replaced = places(&script).flat_map(move |(thread, at)| {
        let script = Rc::clone(&of);
        let simpler = simpler_op(&script.threads[thread][at]);
        simpler.into_iter().map(with(&script, move |script, op| script.threads[thread][at] = op))
    });
    let build = simpler_build(&script.build).into_iter().map(with(&script, |script, build| script.build = build));
    threads.chain(cut).chain(replaced).chain(build).chain(renamed(&script)).filter(|script| script.check().is_ok())
}

/// A copy of `script` with a change made to it.
fn with<T, F: Fn(&mut Script, T)>(script: &Rc<Script>, change: F) -> impl Fn(T) -> Script + use<T, F> {
    let script = Rc::clone(script);
    move |what| {
        let mut script = (*script).clone();
        change(&mut script, what);
        script
    }
}

/// What `f` makes of each thread's operations, with the thread's number.
fn each_thread<I, F>(script: &Rc<Script>, f: F) -> impl Iterator<Item = (usize, I::Item)> + use<I, F>
where
    I: IntoIterator,
    F: Fn(&[Op]) -> I,
{
    let script = Rc::clone(script);
    (0..script.threads.len()).flat_map(move |thread| f(&script.threads[thread]).into_iter().map(move |i| (thread, i)))
}

/// Without one of the threads; the first, which owns the pool, stays.
fn fewer_threads(script: &Rc<Script>) -> impl Iterator<Item = Script> + use<> {
    (1..script.threads.len()).map(with(script, |script, at| {
        script.threads.remove(at);
    }))
}

/// The ranges to take out of a list of `len` items: all, halves, quarters, down to each item, the last first.
fn chunks(len: usize) -> impl Iterator<Item = (usize, usize)> {
    let sizes = std::iter::successors(Some(len), |size| Some(size / 2)).take_while(|size| *size > 0);
    sizes.flat_map(move |size| (0..len.div_ceil(size)).rev().map(move |at| (at * size, (at * size + size).min(len))))
}

fn simpler_op(op: &Op) -> Vec<Op> {
    match op {
        Op::Submit(submission) => simpler_submission(submission).into_iter().map(Op::Submit).collect(),
        Op::ScheduleFor(time) => and(Op::Schedule, lower(*time).map(Op::ScheduleFor)),
        Op::ScheduleUntil(at) => and(Op::Schedule, lower(at.0).map(|at| Op::ScheduleUntil(Tick(at)))),
        Op::Drain => vec![Op::Schedule],
        Op::DrainFor(time) => and(Op::Drain, lower(*time).map(Op::DrainFor)),
        Op::Wait(_) | Op::Serve => vec![Op::Schedule, Op::Drain],
        Op::Advance(time) => lower(*time).map(Op::Advance).collect(),
        Op::Join(key) => vec![Op::Take(*key)],
        Op::JoinTimeout(key, time) => and(Op::Join(*key), lower(*time).map(|time| Op::JoinTimeout(*key, time))),
        Op::SetMin(limit) => lower((*limit).into()).map(|limit| Op::SetMin(small(limit))).collect(),
        Op::SetMax(limit) => lower((*limit).into()).map(|limit| Op::SetMax(small(limit))).collect(),
        Op::SetKeepAlive(time) => lower(*time).map(Op::SetKeepAlive).collect(),
        Op::Stop(grace) => lower(*grace).map(Op::Stop).collect(),
        _ => Vec::new(),
    }
}

fn and<T>(first: T, rest: impl Iterator<Item = T>) -> Vec<T> {
    std::iter::once(first).chain(rest).collect()
}

/// Numbers nearer to 0.
fn lower(number: u64) -> impl Iterator<Item = u64> {
    let mut lower = vec![0, number / 2, number.saturating_sub(1)];
    lower.retain(|other| *other < number);
    lower.dedup();
    lower.into_iter()
}

fn small<T: TryFrom<u64> + Default>(number: u64) -> T {
    T::try_from(number).unwrap_or_default()
}

fn simpler_submission(submission: &Submission) -> Vec<Submission> {
    let with_body = |body| Submission { body, ..submission.clone() };
    let mut simpler: Vec<Submission> = simpler_body(&submission.body).into_iter().map(with_body).collect();
    if submission.name.is_some() {
        simpler.push(Submission { name: None, ..submission.clone() });
    }
    if let Some(priority) = submission.priority {
        let nearer = lower(priority.unsigned_abs()).map(|p| Some(priority.signum() * small::<i64>(p)));
        let priorities = std::iter::once(None).chain(nearer);
        simpler.extend(priorities.map(|priority| Submission { priority, ..submission.clone() }));
    }
    simpler
}

/// Fewer steps, then a block's own steps in its place, then simpler steps.
fn simpler_body(body: &[Step]) -> Vec<Vec<Step>> {
    let spliced = |from: usize, to: usize, steps: &[Step]| [&body[..from], steps, &body[to..]].concat();
    let mut simpler: Vec<Vec<Step>> = chunks(body.len()).map(|(from, to)| spliced(from, to, &[])).collect();
    for (at, step) in body.iter().enumerate() {
        if let Step::Guard(steps) | Step::Catch(steps) = step {
            simpler.push(spliced(at, at + 1, steps));
        }
    }
    for (at, step) in body.iter().enumerate() {
        simpler.extend(simpler_step(step).into_iter().map(|step| spliced(at, at + 1, &[step])));
    }
    simpler
}

fn simpler_step(step: &Step) -> Vec<Step> {
    match step {
        Step::Return(value) => lower((*value).into()).map(|value| Step::Return(small(value))).collect(),
        Step::Checkpoint => vec![Step::Suspend],
        Step::Work(time) => lower(*time).map(Step::Work).collect(),
        Step::Delay(time) => and(Step::Suspend, lower(*time).map(Step::Delay)),
        Step::Park => vec![Step::Suspend],
        Step::ParkTimeout(time) => {
            [Step::Park, Step::Delay(*time)].into_iter().chain(lower(*time).map(Step::ParkTimeout)).collect()
        }
        Step::Syscall => vec![Step::Suspend],
        Step::SyscallPanic => vec![Step::Panic],
        Step::Submit(inner) => {
            simpler_submission(inner).into_iter().map(|inner| Step::Submit(Box::new(inner))).collect()
        }
        Step::Join(_) => vec![Step::Suspend],
        Step::JoinTimeout(key, time) => and(Step::Join(*key), lower(*time).map(|time| Step::JoinTimeout(*key, time))),
        Step::SetMax(limit) => lower((*limit).into()).map(|limit| Step::SetMax(small(limit))).collect(),
        Step::Stop(grace) => lower(*grace).map(Step::Stop).collect(),
        Step::Guard(steps) => simpler_body(steps).into_iter().map(Step::Guard).collect(),
        Step::Catch(steps) => simpler_body(steps).into_iter().map(Step::Catch).collect(),
        _ => Vec::new(),
    }
}

/// Nearer to the default, setting by setting.
fn simpler_build(build: &Build) -> Vec<Build> {
    let plain = Build::default();
    let mut simpler = vec![
        plain.clone(),
        Build { auto: false, ..build.clone() },
        Build { lifo: false, ..build.clone() },
        Build { slice: None, ..build.clone() },
        Build { helpers: plain.helpers, ..build.clone() },
        Build { keep_alive: 0, ..build.clone() },
        Build { min: 0, ..build.clone() },
    ];
    simpler.extend(lower(build.min.into()).map(|min| Build { min: small(min), ..build.clone() }));
    if build.max > plain.max {
        simpler.push(Build { max: build.max - 1, ..build.clone() });
    }
    simpler.retain(|other| other != build && other.min <= other.max);
    simpler.dedup();
    simpler
}

/// With the keys of the tasks counted from 0 again.
fn renamed(script: &Rc<Script>) -> impl Iterator<Item = Script> + use<> {
    let used: Vec<Key> = script.submissions().iter().map(|submission| submission.key).collect();
    let is_compact = used.iter().enumerate().all(|(at, key)| usize::from(key.0) == at);
    let renamed = (!is_compact).then(|| rename(script, &used));
    renamed.into_iter()
}

/// By way of the text form, where a key is a word of its own.
fn rename(script: &Script, used: &[Key]) -> Script {
    let word = |word: &str| {
        let key = word.parse::<Key>().ok()?;
        let unused = used.len() + 1;
        let at = used.iter().position(|other| *other == key).unwrap_or(unused);
        Some(Key(u8::try_from(at).unwrap_or(u8::MAX)).to_string())
    };
    let line = |line: &str| {
        let bare = |part: &str| part.trim_end_matches(';').to_owned();
        let parts = line.split(' ').map(|part| match word(&bare(part)) {
            Some(key) => key + &part[bare(part).len()..],
            None => part.to_owned(),
        });
        parts.collect::<Vec<_>>().join(" ")
    };
    let text: Vec<String> = script.to_string().lines().map(line).collect();
    text.join("\n").parse().unwrap_or_else(|_| script.clone())
}

/// The smallest script that the candidates lead to and that still fails. `script` itself must fail.
pub fn shrunk(mut script: Script, fails: impl Fn(&Script) -> bool) -> Script {
    while let Some(simpler) = simpler(&script).find(|simpler| fails(simpler)) {
        script = simpler;
    }
    script
}
