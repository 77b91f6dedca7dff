//! The production pool follows the spec: whatever a script of one thread does, the spec's monitor accepts every event
//! in the order in which it was told, to the letter (`Params::exact`).
//!
//! The scripts are written by hand, for each arrow (`catalog`), and drawn (`copool_model::generate`). How many are drawn says
//! `COPOOL_CONFORMANCE_CASES`. A rejected log is shown with its script, shrunk, and as a sequence diagram.

#[path = "conformance/catalog.rs"]
mod catalog;
mod common;
#[path = "common/draw.rs"]
mod draw;

use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use common::within;
use copool::scripted::Scripted;
use copool::spec::script::{Build, Pool, Script};
use copool::spec::{Event, Params};
use copool::{CoroutinePool, Listener};
use copool_model::compare::{self, Run, exact, judge_log};
use copool_model::generate::Case;
use copool_model::setting;

/// Runs a script of one thread, drops the pool, and keeps what there is to know.
fn run(script: &Script) -> Run {
    script.check().unwrap_or_else(|why| panic!("{why}\n{script}"));
    let (script, name) = (script.clone(), script.to_string());
    within(name, move || compare::run::<Scripted>(&script))
}

/// Why a log is not one of the spec's, with its script.
struct Rejected(String);

impl fmt::Debug for Rejected {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Up to so many events a log is asked for what becomes of it without one of them.
const SHORT: usize = 400;

fn params(lifo: bool) -> Params {
    Params { lifo, ..Params::default() }
}

fn conforms(script: &Script) -> Result<Run, Rejected> {
    let run = run(script);
    match compare::judge(script, &run) {
        Ok(()) => Ok(run),
        Err(why) => Err(Rejected(format!("{script}\n{why}"))),
    }
}

fn catalog() -> Vec<(&'static str, Script)> {
    let parse = |(name, text): catalog::Entry| match text.parse() {
        Ok(script) => (name, script),
        Err(why) => panic!("{name}: {why}"),
    };
    catalog::entries().into_iter().map(parse).collect()
}

#[test]
fn the_spec_accepts_what_each_written_script_does() {
    let wrong: Vec<String> = catalog()
        .into_iter()
        .filter_map(|(name, script)| conforms(&script).err().map(|why| format!("{name}\n{}", why.0)))
        .collect();
    assert!(wrong.is_empty(), "{} scripts are not accepted:\n{}", wrong.len(), wrong.join("\n\n"));
}

/// How large a drawn script gets.
const SIZE: usize = 100;

/// How many scripts are drawn.
fn cases() -> u64 {
    setting("COPOOL_CONFORMANCE_CASES", 1_000)
}

/// Checks that many drawn scripts; says how many.
fn draw(cases: u64, property: fn(Case) -> Result<(), Rejected>) {
    draw::draw(cases, SIZE).quickcheck(property);
    println!("{cases} scripts were drawn");
}

#[test]
fn the_spec_accepts_what_any_script_of_one_thread_does() {
    static TOLD: Mutex<[usize; Event::ARROWS]> = Mutex::new([0; Event::ARROWS]);
    fn accepted(case: Case) -> Result<(), Rejected> {
        let run = conforms(&case.0)?;
        let mut told = TOLD.lock().unwrap_or_else(PoisonError::into_inner);
        let arrows = run.log.iter().map(|event| event.arrow() as usize).filter(|arrow| *arrow < Event::ARROWS);
        arrows.for_each(|arrow| told[arrow] += 1);
        Ok(())
    }
    draw(cases(), accepted);
    let told = TOLD.lock().unwrap_or_else(PoisonError::into_inner);
    println!("{:?}", Event::NAMES.iter().zip(*told).collect::<Vec<_>>());
}

#[test]
fn a_script_of_one_thread_does_the_same_each_time() {
    fn same(case: Case) -> Result<(), Rejected> {
        let name = case.0.to_string();
        let result = within(name, move || exact::<Scripted, Scripted>(&case.0));
        result.map(drop).map_err(|mismatch| Rejected(mismatch.to_string()))
    }
    catalog().into_iter().for_each(|(name, script)| same(Case(script)).unwrap_or_else(|why| panic!("{name}: {why:?}")));
    draw(cases().div_ceil(4), same);
}

/// The tasks of which a script's log tells an event of this name, by their numbers in the order of submission.
fn told_of(name: &str, text: &str) -> Vec<u64> {
    named(name, &run(&text.parse().unwrap_or_else(|why| panic!("{why}"))).log)
}

fn named(name: &str, log: &[Event]) -> Vec<u64> {
    let task = |event: &Event| match event {
        Event::TaskWoken { task } | Event::TaskAbandoned { task } | Event::TaskUnwound { task } => Some(task.0 / 2),
        _ => None,
    };
    log.iter().filter(|event| event.name() == name).filter_map(task).collect()
}

#[test]
fn whoever_came_first_is_given_up_unwound_and_woken_first() {
    // The places of the list of suspended tasks are used again, the last one first.
    let suspended = "pool max 5\nthread\n submit t0 { park }\n submit t1 { park }\n submit t2 { park }\n schedule\n \
                     unpark t0\n schedule\n submit t3 { park }\n schedule\n";
    assert_eq!(told_of("task_abandoned", &format!("{suspended} stop 0")), [1, 2, 3]);
    let joined = "pool max 9\nthread\n submit t0 { park }\n submit t1 { join-timeout t0 1 }\n submit t2 { join t0 }\n \
                  submit t3 { join t0 }\n submit t4 { join t0 }\n schedule\n advance 5\n schedule\n unpark t0\n schedule";
    assert_eq!(told_of("task_woken", joined), [0, 2, 3, 4]);
}

#[test]
fn what_is_suspended_on_a_leaving_seat_unwinds_in_the_order_of_submission() {
    let log = within("another seat leaves", || {
        let script: Script =
            "thread\n attach\n submit t0 { park }\n submit t1 { park }\n submit t2 { park }\n schedule\n \
                              unpark t0\n schedule\n submit t3 { park }\n schedule\n leave"
                .parse()
                .unwrap();
        let owner = Scripted::build(&Build { max: 9, ..Build::default() });
        let remote = owner.remote();
        let attached = std::thread::spawn(move || {
            let mut pool = Scripted::arrive(remote);
            for op in &script.threads[0] {
                pool.apply(op);
            }
            pool.log()
        });
        attached.join().unwrap()
    });
    // T0 to T3 of the seat's own block of ids.
    assert_eq!(named("task_unwound", &log).windows(2).filter(|pair| pair[0] < pair[1]).count(), 2, "{log:?}");
}

#[test]
fn a_task_that_was_withdrawn_keeps_no_worker() {
    let text = "pool max 1\nthread\n submit t0 { cancel t1; work 5 }\n submit t1 {}\n drain-for 4\n";
    let returned = run(&text.parse().unwrap()).log.iter().any(|event| event.name() == "worker_returned");
    assert!(!returned, "its time is over, and what waits is only a tombstone");
}

/// Keeps the events of a pool that no script builds.
#[derive(Clone, Default)]
struct Told(Arc<Mutex<Vec<Event>>>);

impl Listener for Told {
    fn on_event(&self, event: &Event) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).push(*event);
    }
}

/// Arrow 19 needs a clock that goes by itself: on a virtual one a pool with one seat never blocks.
fn blocked() -> Vec<Event> {
    let told = Told::default();
    let kept = told.clone();
    within("a seat blocks for a keep-alive", move || {
        let builder = CoroutinePool::builder().keep_alive(Duration::from_millis(1));
        let mut pool = builder.listener(told).build().expect("the settings are valid");
        pool.spawn(|| copool::delay(Duration::from_millis(1))).expect("it runs");
        pool.drain(None).expect("nothing refuses it");
        pool.spawn(|| ()).expect("it runs");
        pool.try_schedule_task().expect("nothing refuses it");
    });
    kept.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
}

#[test]
fn every_arrow_is_seen() {
    let mut counts = vec![0; Event::NAMES.len()];
    let mut count = |log: &[Event]| log.iter().for_each(|event| counts[event.arrow() as usize] += 1);
    catalog().iter().for_each(|(_, script)| count(&run(script).log));
    let log = blocked();
    assert_eq!(judge_log(params(false), &log, &[]), Ok(()));
    count(&log);
    let named =
        |from: &[usize]| Event::NAMES.iter().zip(from).map(|(name, n)| format!("{name} {n}")).collect::<Vec<_>>();
    println!("{}", named(&counts).join("\n"));
    let missing: Vec<&str> = (0..Event::ARROWS).filter(|at| counts[*at] == 0).map(|at| Event::NAMES[at]).collect();
    assert!(missing.is_empty(), "{} of {} arrows are missing: {missing:?}", missing.len(), Event::ARROWS);
}

/// What may be left out somewhere: what says nothing that the next event does not say too, and what changed nothing. Of
/// every other event each single one is missed.
const OPTIONAL: [&str; 9] = [
    "cancel_requested",
    "limits_changed",
    "next_poll",
    "nothing_to_do",
    "overran",
    "task_rejected",
    "timer_armed",
    "worker_exited",
    "worker_returned",
];

#[test]
fn an_event_that_is_left_out_is_noticed() {
    let mut unnoticed = BTreeMap::new();
    for (name, script) in catalog() {
        let log = run(&script).log;
        for at in (0..log.len()).filter(|_| log.len() <= SHORT) {
            let rest = [&log[..at], &log[at + 1..]].concat();
            if judge_log(params(script.build.lifo), &rest, &[]).is_ok() {
                unnoticed.insert(log[at].name(), name);
            }
        }
    }
    let surprises: Vec<_> = unnoticed.iter().filter(|(event, _)| !OPTIONAL.contains(event)).collect();
    assert!(surprises.is_empty(), "left out and not noticed, each in the script of this name: {surprises:?}");
}
