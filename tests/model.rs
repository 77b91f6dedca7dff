//! The reference pool in the scripts that were written by hand: it does what the production pool does, and shows every
//! arrow. Any other script of one thread is for `tests/differential.rs`.

#[path = "conformance/catalog.rs"]
mod catalog;
mod common;

use common::within;
use copool::scripted::Scripted;
use copool::spec::monitor::Monitor;
use copool::spec::script::{Pool, Script};
use copool::spec::{Event, Params};
use copool_model::compare::{exact, run};
use copool_model::sync::System;
use copool_model::{Logged, ModelPool, Passing};

fn catalog() -> Vec<(&'static str, Script)> {
    let parse = |(name, text): catalog::Entry| match text.parse() {
        Ok(script) => (name, script),
        Err(why) => panic!("{name}: {why}"),
    };
    catalog::entries().into_iter().map(parse).collect()
}

#[test]
fn both_pools_do_the_same_in_each_written_script() {
    let wrong = |(name, script): (&'static str, Script)| {
        let text = script.to_string();
        let compared = within(text, move || exact::<ModelPool, Scripted>(&script));
        compared.err().map(|mismatch| format!("{name}\n{mismatch}"))
    };
    let wrong: Vec<String> = catalog().into_iter().filter_map(wrong).collect();
    assert!(wrong.is_empty(), "{} scripts differ:\n{}", wrong.len(), wrong.join("\n\n"));
}

#[test]
fn the_reference_pool_shows_every_arrow() {
    let mut counts = vec![0; Event::NAMES.len()];
    let mut count = |log: &[Event]| log.iter().for_each(|event| counts[event.arrow() as usize] += 1);
    for (_, script) in catalog() {
        count(&run::<ModelPool>(&script).log);
    }
    // Arrow 19 needs a clock on which a drive blocks.
    let blocked: Script =
        "pool keep-alive 1\nthread\n submit t0 { delay 1 }\n drain\n submit t1 {}\n schedule".parse().unwrap();
    let mut pool = ModelPool::<System>::with(&blocked.build, Params::default(), Passing::Passes);
    for op in &blocked.threads[0] {
        pool.apply(op);
    }
    let log = pool.log();
    let mut monitor = Monitor::new(Params::default());
    log.iter().for_each(|event| monitor.accept(*event).unwrap_or_else(|report| panic!("{report}")));
    count(&log);
    let missing: Vec<&str> = (0..Event::ARROWS).filter(|at| counts[*at] == 0).map(|at| Event::NAMES[at]).collect();
    assert!(missing.is_empty(), "{} of {} arrows are missing: {missing:?}", missing.len(), Event::ARROWS);
    println!("{0} of {0} arrows", Event::ARROWS);
}
