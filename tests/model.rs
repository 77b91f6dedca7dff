//! The reference pool does what the production pool does: whatever a script of one thread asks for, both come back with the
//! same observations and numbers, and tell the same events in the same order, but for the ids of workers.
//!
//! The spec's monitor reads the reference pool's logs as it reads those of the production pool (`tests/conformance.rs`).

#[path = "conformance/catalog.rs"]
mod catalog;
mod common;
#[path = "common/draw.rs"]
mod draw;

use std::cell::RefCell;
use std::fmt;
use std::sync::mpsc::channel;
use std::thread;

use common::within;
use copool::scripted::Scripted;
use copool::spec::monitor::{at_rest, judge};
use copool::spec::script::{Build, Key, Observation, Op, Pool, Script, Step, Submission};
use copool::spec::{Event, Outcome, Params};
use copool_model::compare::{Run, difference, exact, judge_log, looks, run, run_on};
use copool_model::generate::Case;
use copool_model::sync::System;
use copool_model::{Logged, ModelPool, Passing, setting};
use draw::draw;

type Model = ModelPool<System>;

/// Why two runs differ, or a log is not one of the spec's.
struct Wrong(String);

impl fmt::Debug for Wrong {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Both pools do the same.
fn same(script: &Script) -> Result<(), Wrong> {
    let (name, script) = (script.to_string(), script.clone());
    within(name, move || exact::<Model, Scripted>(&script).map(drop).map_err(|mismatch| Wrong(mismatch.to_string())))
}

fn catalog() -> Vec<(&'static str, Script)> {
    let parse = |(name, text): catalog::Entry| match text.parse() {
        Ok(script) => (name, script),
        Err(why) => panic!("{name}: {why}"),
    };
    catalog::entries().into_iter().map(parse).collect()
}

#[test]
fn both_pools_do_the_same_in_each_written_script() {
    let wrong = |(name, script)| same(&script).err().map(|why| format!("{name}\n{}", why.0));
    let wrong: Vec<String> = catalog().into_iter().filter_map(wrong).collect();
    assert!(wrong.is_empty(), "{} scripts differ:\n{}", wrong.len(), wrong.join("\n\n"));
}

/// How large a drawn script gets.
const SIZE: usize = 100;

/// How many scripts are drawn.
fn cases() -> u64 {
    setting("COPOOL_MODEL_CASES", 1_000)
}

#[test]
fn both_pools_do_the_same_in_any_script_of_one_thread() {
    fn alike(case: Case) -> Result<(), Wrong> {
        same(&case.0)
    }
    let cases = cases();
    let property: fn(Case) -> Result<(), Wrong> = alike;
    draw(cases, SIZE).quickcheck(property);
    println!("{cases} scripts were drawn");
}

#[test]
fn the_reference_pool_shows_every_arrow() {
    let mut counts = vec![0; Event::NAMES.len()];
    let mut count = |log: &[Event]| log.iter().for_each(|event| counts[event.arrow() as usize] += 1);
    for (_, script) in catalog() {
        count(&run::<Model>(&script).log);
    }
    // Arrow 19 needs a clock on which a drive blocks.
    let blocked: Script =
        "pool keep-alive 1\nthread\n submit t0 { delay 1 }\n drain\n submit t1 {}\n schedule".parse().unwrap();
    let pool = Model::with(&blocked.build, Params::default(), Passing::Passes);
    let log = run_on(pool, &blocked.threads[0], Model::apply, || ()).log;
    judge(Params::default(), &log).unwrap_or_else(|report| panic!("{report}"));
    count(&log);
    let missing: Vec<&str> = (0..Event::ARROWS).filter(|at| counts[*at] == 0).map(|at| Event::NAMES[at]).collect();
    assert!(missing.is_empty(), "{} of {} arrows are missing: {missing:?}", missing.len(), Event::ARROWS);
    println!("{0} of {0} arrows", Event::ARROWS);
}

// --- several threads, one at a time --------------------------------------------------------------------------------

/// Runs operations of several threads, each on a thread of its own, but one after the other; then the threads go, the
/// owner first.
fn run_in_turns<P: Logged + 'static>(build: &Build, threads: usize, ops: &[(usize, Op)]) -> Run {
    let pool = P::build(build);
    let others: Vec<_> = (1..threads)
        .map(|_| {
            let (remote, (ask, asked), (tell, told)) = (pool.remote(), channel::<Op>(), channel());
            let thread = thread::spawn(move || {
                let mut pool = P::arrive(remote);
                asked.iter().for_each(|op| tell.send(pool.apply(&op)).expect("the other side waits for it"));
            });
            (ask, told, thread)
        })
        .collect();
    let others = RefCell::new(others);
    let apply = |pool: &mut P, (by, op): &(usize, Op)| match by.checked_sub(1) {
        None => pool.apply(op),
        Some(other) => {
            let (ask, told, _) = &others.borrow()[other];
            ask.send(op.clone()).expect("it waits for operations");
            told.recv().expect("it answers")
        }
    };
    let leave = || {
        for (ask, _, thread) in others.take() {
            drop(ask);
            thread.join().expect("it has not panicked");
        }
    };
    run_on(pool, ops, apply, leave)
}

/// Deals a script's operations out to three threads: the owner's, one with a seat, and one without.
fn dealt(script: &Script, deal: &[u8]) -> Vec<(usize, Op)> {
    let deal = deal.iter().map(|by| usize::from(*by % 3)).chain(std::iter::repeat(0));
    let dealt = script.threads.concat().into_iter().zip(deal).map(|(op, by)| match op {
        // Nobody else goes on while one thread waits.
        Op::Join(key) => (by, Op::JoinTimeout(key, 0)),
        op => (by, op),
    });
    // A task that was withdrawn leaves a tombstone on a deque of production's, which may look like a task nearby: then a task
    // on another seat gets its worker by arrow 11 rather than by arrow 4.
    let alone = script.to_string().contains("cancel");
    [(1, Op::Attach)].into_iter().chain(dealt).filter(|(_, op)| !alone || *op != Op::Attach).collect()
}

fn same_in_turns(script: &Script, deal: &[u8], exact: bool) -> Result<(), Wrong> {
    let ops = dealt(script, deal);
    let name: Vec<String> = ops.iter().map(|(by, op)| format!("{by}: {op}")).collect();
    let name = format!("{}\n{}", script.build, name.join("\n"));
    let (model, production) = within(name.clone(), {
        let build = script.build.clone();
        move || (run_in_turns::<Model>(&build, 3, &ops), run_in_turns::<Scripted>(&build, 3, &ops))
    });
    let params = Params { exact, lifo: script.build.lifo, ..Params::default() };
    let judged = difference::<Model, Scripted>(&model, &production);
    judged.and_then(|()| judge_log(params, &model.log, &looks(&model))).map_err(|why| Wrong(format!("{name}\n{why}")))
}

#[test]
fn both_pools_do_the_same_if_several_threads_take_turns() {
    fn alike(case: Case, deal: Vec<u8>) -> Result<(), Wrong> {
        same_in_turns(&case.0, &deal, true)
    }
    let cases = cases() / 2;
    let property: fn(Case, Vec<u8>) -> Result<(), Wrong> = alike;
    draw(cases, SIZE).quickcheck(property);
    println!("{cases} scripts were drawn");
}

#[test]
fn both_pools_poll_all_queues_in_the_same_order() {
    let submit = |key| {
        Op::Submit(Submission { key: Key(key), priority: Some(i64::from(key % 5 == 0)), ..Submission::default() })
    };
    // A worker that is there for `min_size` alone polls once, in vain: so the seat comes close to its n-th ageing poll.
    let in_vain = [Op::SetMin(2), Op::Drain, Op::SetMin(0), Op::Schedule];
    for ageing in 1..=4 {
        let polls = in_vain.iter().cloned().cycle().take(4 * (257 * ageing - 120));
        let waits = Submission { key: Key(255), body: vec![Step::Park], ..Submission::default() };
        let before = [Op::Submit(waits), Op::Schedule].into_iter().chain(polls);
        let ops: Vec<Op> = before.chain((0..250).map(submit)).chain([Op::Drain]).collect();
        // To the two seats and to the injector; the owner drains.
        let place = |key: u8| if key % 4 == 2 { 2 } else { u8::from(key % 4 == 1) };
        let deal: Vec<u8> = std::iter::repeat_n(0, ops.len() - 251).chain((0..250).map(place)).collect();
        // Not to the letter: of a poll that begins with the deques of others, the spec expects another theft as long as
        // there is anything left to steal.
        same_in_turns(&Script::single(Build::default(), ops), &deal, false).unwrap();
    }
}

#[test]
fn both_pools_hand_the_queue_of_a_leaving_seat_back_oldest_first() {
    let text = "pool max 1 lifo\nthread\n submit t0 {}\n submit t1 {}\n submit t2 {}\n leave\n drain";
    same_in_turns(&text.parse().unwrap(), &[1, 1, 1, 1, 0], true).unwrap();
}

#[test]
fn a_task_that_swallows_too_much_is_given_up() {
    let catches = "catch { park }; ".repeat(20);
    let script: Script = format!(
        "pool max 1\nthread\n submit t0 {{ {catches} }}\n schedule\n cancel t0\n submit t1 {{}}\n drain\n take t0"
    )
    .parse()
    .unwrap();
    let run = run::<Model>(&script);
    let caught = run.seen.iter().filter(|seen| seen.observation == Observation::Caught).count();
    assert_eq!(caught, 16);
    let [.., take, _drop] = &run.ops[..] else { panic!("several operations") };
    assert_eq!(take.observation, Observation::Ended(Outcome::Abandoned, None));
    let end = judge(Params::default(), &run.log).unwrap_or_else(|report| panic!("{report}"));
    assert_eq!(at_rest(&end), Ok(()));
}
