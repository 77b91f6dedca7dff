//! What is drawn: of every operation and every step enough, and whatever a failure of the system can do.

use std::collections::BTreeMap;

use copool::spec::script::{Op, Script, Step};
use copool_model::choices::Seeded;
use copool_model::generate::{OPS, STEPS, Size, decode, encode, script};

/// How many scripts are looked at.
const SCRIPTS: u64 = 4_000;

/// No operation and no step is in fewer of the scripts, in per cent.
const FLOOR: u64 = 8;

/// The words of a script's operations, or of its steps.
type Words = BTreeMap<String, u64>;

fn word(text: &str) -> String {
    text.split(' ').next().unwrap_or_default().to_owned()
}

fn steps(body: &[Step], found: &mut Words) {
    for step in body {
        *found.entry(word(&step.to_string())).or_default() += 1;
        match step {
            Step::Guard(inner) | Step::Catch(inner) => steps(inner, found),
            Step::Submit(submission) => steps(&submission.body, found),
            _ => {}
        }
    }
}

fn count(script: &Script) -> (Words, Words) {
    let (mut ops, mut inside) = (Words::new(), Words::new());
    for op in script.threads.iter().flatten() {
        *ops.entry(word(&op.to_string())).or_default() += 1;
        if let Op::Submit(submission) = op {
            let named = [("(named)", submission.name.is_some()), ("(prioritised)", submission.priority.is_some())];
            named.iter().filter(|(_, is)| *is).for_each(|(what, _)| *ops.entry((*what).to_owned()).or_default() += 1);
            steps(&submission.body, &mut inside);
        }
    }
    (ops, inside)
}

/// In how many per cent of the scripts each word is, and how often in all.
fn table(words: &[&str], scripts: &[Words]) -> Vec<(String, u64, u64)> {
    let row = |word: &&str| {
        let present = scripts.iter().filter(|words| words.contains_key(*word)).count() as u64;
        let often = scripts.iter().filter_map(|words| words.get(*word)).sum();
        ((*word).to_owned(), present * 100 / scripts.len().max(1) as u64, often)
    };
    words.iter().map(row).collect()
}

#[test]
fn whatever_is_drawn_is_said_by_bytes() {
    for seed in 0..SCRIPTS {
        let drawn = script(&mut Seeded::new(seed), Size::SINGLE);
        let bytes = encode(&drawn).unwrap_or_else(|| panic!("no bytes say\n{drawn}"));
        assert_eq!(decode(&bytes), drawn, "\n{drawn}");
    }
}

#[test]
fn no_operation_and_no_step_is_rare() {
    let drawn = (0..SCRIPTS).map(|seed| count(&script(&mut Seeded::new(seed), Size::SINGLE)));
    let (ops, inside): (Vec<Words>, Vec<Words>) = drawn.unzip();
    let op_words: Vec<&str> = OPS.iter().map(|op| op.word).chain(["(named)", "(prioritised)"]).collect();
    let step_words: Vec<&str> = STEPS.iter().map(|step| step.word).collect();
    let rows = [table(&op_words, &ops), table(&step_words, &inside)].concat();
    for (word, present, often) in &rows {
        println!("{word:<16} in {present:>3} % of the scripts, {often:>6} times");
    }
    let lengths: Vec<u64> = ops.iter().map(|words| words.values().sum()).collect();
    println!("{SCRIPTS} scripts of {} operations on average", lengths.iter().sum::<u64>() / SCRIPTS);
    let rare: Vec<_> = rows.iter().filter(|(_, present, _)| *present < FLOOR).collect();
    assert!(rare.is_empty(), "in less than {FLOOR} % of the scripts: {rare:?}");
}

#[test]
fn every_script_that_is_drawn_has_a_meaning_and_a_text_form() {
    for seed in 0..SCRIPTS {
        for size in [Size::SINGLE, Size::SEATS, Size::BLOCKING] {
            let script = script(&mut Seeded::new(seed), size);
            assert_eq!(script.check(), Ok(()), "{script}");
            assert_eq!(script.to_string().parse(), Ok(script));
        }
    }
}
