//! The whole production pool under shuttle, on real stacks, driven by scripts of several threads.
//!
//! Whatever the schedule: the spec accepts every event, in an order within the stamps, with the constants that a pool has
//! under a checker; and in the end every task has had its one outcome, the count is zero, the queues are empty, nobody
//! waits, and no task's captures, nor the pool, are left in memory.
//!
//! The scripts are written by hand, for each kind of meeting (`catalog`), and drawn anew in each execution
//! (`copool_model::generate`).

#[path = "shuttle_pool/catalog.rs"]
mod catalog;
#[path = "shuttle_pool/replay.rs"]
mod replay;

use std::sync::{Arc, Mutex, PoisonError};

use copool_model::choices::{Choices as _, Seeded};
use copool_model::generate::{self, Size};
use copool_model::judge::Told;
use copool_model::shuttle::rand::{Rng as _, thread_rng};
use copool_model::shuttle::scripts::{Clock, Run, assert_over, run};
use copool_model::shuttle::{Share, check_repeats, check_share};
use copool_model::under_shuttle::spec::Event;
use copool_model::under_shuttle::spec::script::Script;

/// What the executions of a check told, in sum.
#[derive(Default)]
struct Sum {
    counts: Vec<usize>,
    events: usize,
    reordered: usize,
}

type Sums = Arc<Mutex<Sum>>;

impl Sum {
    fn add(&mut self, run: &Run, told: Told) {
        self.counts.resize(Event::NAMES.len(), 0);
        run.log.iter().for_each(|event| self.counts[event.arrow() as usize] += 1);
        self.events += run.log.len();
        self.reordered += usize::from(told == Told::Reordered);
    }
}

/// One execution: runs a script and asserts all that must hold of it.
fn execute(script: &Script, clock: Clock, sums: &Sums) {
    let run = run(script, clock);
    let told = assert_over(script, &run);
    sums.lock().unwrap_or_else(PoisonError::into_inner).add(&run, told);
}

fn parse(text: &str) -> Script {
    text.parse().unwrap_or_else(|why| panic!("{why}\n{text}"))
}

/// Checks the script of this name.
fn written(name: &'static str) -> Sums {
    let (_, clock, text) = catalog::ENTRIES.iter().find(|entry| entry.0 == name).expect("there is such a script");
    let (script, sums) = (parse(text), Sums::default());
    let kept = Arc::clone(&sums);
    check_share(name, Share(1, 4), move || execute(&script, *clock, &kept));
    let sum = sums.lock().unwrap_or_else(PoisonError::into_inner);
    println!("        {} events, {} logs needed another order than they were told in", sum.events, sum.reordered);
    drop(sum);
    sums
}

#[test]
fn written_scripts_end_well_and_take_every_arrow() {
    let mut counts = vec![0; Event::NAMES.len()];
    for (name, ..) in catalog::ENTRIES {
        let sums = written(name);
        let sum = sums.lock().unwrap_or_else(PoisonError::into_inner);
        counts.iter_mut().zip(&sum.counts).for_each(|(all, count)| *all += count);
    }
    let missing: Vec<&str> = (0..Event::ARROWS).filter(|at| counts[*at] == 0).map(|at| Event::NAMES[at]).collect();
    assert!(missing.is_empty(), "{} of {} arrows are missing: {missing:?}", missing.len(), Event::ARROWS);
    println!("        {0}/{0} arrows", Event::ARROWS);
}

fn draw_and_execute(sums: &Sums) {
    let mut choices = Seeded::new(thread_rng().gen_range(0..=u64::MAX));
    let (size, clock) =
        if choices.below(2) == 0 { (Size::SEATS, Clock::Virtual) } else { (Size::BLOCKING, Clock::Blocking) };
    execute(&generate::script(&mut choices, size), clock, sums);
}

#[test]
fn drawn_scripts_end_well() {
    let sums = Sums::default();
    let kept = Arc::clone(&sums);
    check_share("drawn scripts", Share(4, 1), move || draw_and_execute(&kept));
    let sum = sums.lock().unwrap_or_else(PoisonError::into_inner);
    println!("        {} events, {} logs needed another order than they were told in", sum.events, sum.reordered);
}

#[test]
fn an_execution_of_a_drawn_script_follows_from_its_schedule() {
    check_repeats("drawn scripts, again", || draw_and_execute(&Sums::default()));
}
