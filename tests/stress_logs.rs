//! The production pool on threads that really run in parallel: what they tell, in whatever order it happened, is one of the
//! spec's.
//!
//! Each run is short, so that the search for an order is, too: a few threads with a seat, one without, and helpers for
//! system calls do some ten things each, drawn from a seed, in some runs with too few stacks; then the owner drops its pool,
//! sometimes under the others' feet. Every thread keeps its own log (`copool_model::stamped`), and the spec's monitor searches
//! for an order of all of them within their stamps. How many events are checked in all says `COPOOL_STRESS_EVENTS`, where the
//! seeds begin `COPOOL_STRESS_SEED`.

#[path = "stress_logs/mutation.rs"]
mod mutation;
#[path = "stress_logs/work.rs"]
mod work;

use std::time::{Duration, Instant};

use copool::spec::Params;
use copool_model::judge::judge;

/// The constants that the pool has in production; the order of its looks at several queues is nobody's.
fn params() -> Params {
    Params { exact: false, ..Params::default() }
}

fn setting(name: &str, default: u64) -> u64 {
    match std::env::var(name) {
        Ok(text) => text.parse().unwrap_or_else(|_| panic!("{name} is {text:?}, which is no number")),
        Err(_) => default,
    }
}

#[test]
fn the_spec_accepts_what_parallel_threads_tell() {
    let (most, first) = (setting("COPOOL_STRESS_EVENTS", 1_000_000), setting("COPOOL_STRESS_SEED", 1));
    let (start, mut searching) = (Instant::now(), Duration::ZERO);
    let (mut runs, mut events, mut threads) = (0, 0, 0);
    while events < most {
        let seed = first + runs;
        let logs = work::run(seed, true);
        let told: usize = logs.iter().map(Vec::len).sum();
        let search = Instant::now();
        judge(params(), &[], &logs).unwrap_or_else(|why| panic!("COPOOL_STRESS_SEED={seed}: {why}"));
        searching += search.elapsed();
        assert!(told > 0, "a run told nothing");
        events += told as u64;
        threads += logs.len();
        runs += 1;
    }
    assert!(runs > 0 && threads as u64 > runs, "no run had two threads that told something");
    println!(
        "stress  parallel threads: {events} events, {:.1} threads each: {runs} executions in {:.2} s ({:.2} s of search)",
        threads as f64 / runs as f64,
        start.elapsed().as_secs_f64(),
        searching.as_secs_f64(),
    );
}
