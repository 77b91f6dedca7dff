//! Scripts of several threads: what must hold of a run, whatever its schedule.

use std::collections::BTreeMap;

use copool_spec::script::{Key, Observation, Op, Script, Step, Submission};
use copool_spec::{Event, Outcome, PoolState, TaskId};

use super::Mismatch;
use crate::judge::{Told, judge, tiny};
use crate::shuttle::scripts::Run;

/// Whether a run of a script of several threads, built under a checker, is one that the spec allows: its events, the
/// outcome of each task, what was handed out, the numbers in the end; and nothing is left in memory. Says how the events
/// stood in the log.
///
/// # Errors
/// What is wrong.
pub fn outcome(script: &Script, run: &Run) -> Result<Told, Box<Mismatch>> {
    check(script, run).map_err(|what| {
        let logs = vec![("production under shuttle", run.log.clone())];
        Box::new(Mismatch { script: script.clone(), what, logs })
    })
}

fn check(script: &Script, run: &Run) -> Result<Told, String> {
    let told = judge(tiny(script.build.lifo), &run.log, &run.threads)?;
    let numbers = &run.numbers;
    if (numbers.state, numbers.size, numbers.outstanding, numbers.running) != (PoolState::Stopped, 0, 0, 0) {
        return Err(format!("the pool was dropped, and says {numbers:?}"));
    }
    if run.left.captures > 0 || run.left.pool {
        return Err(format!("something is left in memory: {:?}", run.left));
    }
    let outcomes = outcomes(&run.log);
    for submission in script.submissions() {
        let ended = run.tasks.get(&submission.key).map(|id| (*id, outcomes.get(id)));
        match ended {
            Some((id, None)) => return Err(format!("{} was accepted as {id} and has no outcome", submission.key)),
            Some((_, Some(outcome))) => possible(submission, *outcome)?,
            None => {}
        }
    }
    let asked = script.threads.iter().zip(&run.observations).flat_map(|(ops, answers)| ops.iter().zip(answers));
    let of_threads = asked.filter_map(|(op, answer)| of_op(op).map(|key| (key, *answer)));
    let of_tasks = run.seen.iter().filter_map(|seen| of_step(&seen.step).map(|key| (key, seen.observation)));
    let answers: Vec<(Key, Observation)> = of_threads.chain(of_tasks).collect();
    told_once(script, run, &outcomes, &answers)?;
    Ok(told)
}

/// How each task ended, as the log says.
fn outcomes(log: &[Event]) -> BTreeMap<TaskId, Outcome> {
    let ended = |event: &Event| match event {
        Event::OutcomePublished { task, outcome } => Some((*task, *outcome)),
        _ => None,
    };
    log.iter().filter_map(ended).collect()
}

/// The task whose result an operation asks for.
fn of_op(op: &Op) -> Option<Key> {
    match op {
        Op::Take(key) | Op::Join(key) | Op::JoinTimeout(key, _) => Some(*key),
        _ => None,
    }
}

fn of_step(step: &Step) -> Option<Key> {
    match step {
        Step::Join(key) | Step::JoinTimeout(key, _) => Some(*key),
        _ => None,
    }
}

/// A task panics only if it was told to, and is cancelled or abandoned only if there is somebody who does that; the pool
/// itself is dropped in the end, so that every task may be abandoned.
fn possible(submission: &Submission, outcome: Outcome) -> Result<(), String> {
    let panics = any(&submission.body, &|step| matches!(step, Step::Panic | Step::SyscallPanic));
    if outcome == Outcome::Panicked && !panics {
        return Err(format!("{} panicked, and nothing in it does", submission.key));
    }
    Ok(())
}

fn any(body: &[Step], wanted: &impl Fn(&Step) -> bool) -> bool {
    body.iter().any(|step| match step {
        Step::Guard(steps) | Step::Catch(steps) => any(steps, wanted),
        step => wanted(step),
    })
}

/// What was handed out is what the log says, values are handed out once, and are the task's own.
fn told_once(
    script: &Script,
    run: &Run,
    outcomes: &BTreeMap<TaskId, Outcome>,
    answers: &[(Key, Observation)],
) -> Result<(), String> {
    let mut taken = BTreeMap::new();
    for (key, answer) in answers {
        let Observation::Ended(outcome, value) = answer else { continue };
        let logged = run.tasks.get(key).and_then(|id| outcomes.get(id));
        if logged != Some(outcome) {
            return Err(format!("{key} was said to have ended {outcome:?}, and the log says {logged:?}"));
        }
        let Some(value) = value else { continue };
        if taken.insert(*key, *value).is_some() {
            return Err(format!("the value of {key} was handed out twice"));
        }
        let returns = |submission: &&Submission| {
            let says = |step: &Step| matches!(step, Step::Return(said) if u64::from(*said) == *value);
            submission.key == *key && (*value == 0 || any(&submission.body, &says))
        };
        if !script.submissions().iter().any(returns) {
            return Err(format!("{key} returned {value}, which it never says"));
        }
    }
    Ok(())
}
