//! Any script of several threads, in any schedule: the production pool under shuttle, whose scheduler takes its choices
//! from the input.
#![no_main]

use copool_fuzz::leaks::are_meant;
use copool_model::shuttle::input::{decode, execute};

copool_fuzz::target!(run, text);

fn run(input: &[u8]) {
    if let Some((script, clock, schedule)) = decode(input)
        && !are_meant(&script)
    {
        execute(script, clock, schedule);
    }
}

fn text(input: &[u8]) -> String {
    decode(input).map_or_else(String::new, |(script, clock, schedule)| format!("{script}\n{clock:?}, {schedule:?}"))
}
