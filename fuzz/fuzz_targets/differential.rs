//! Any script of one thread does the same in the reference pool and in production, and the spec accepts what it does.
//!
//! The bytes are decoded to a script by the generator that quickcheck uses too. A difference is shown with the script in
//! its text form, both logs, and the command that replays it.
#![no_main]

use copool::scripted::Scripted;
use copool_fuzz::guide::unseen;
use copool_fuzz::leaks::are_meant;
use copool_model::ModelPool;
use copool_model::compare::{run, same};
use copool_model::generate::decode;

copool_fuzz::target!(execute, text);

fn execute(input: &[u8]) {
    let script = decode(input);
    if are_meant(&script) {
        return;
    }
    let production = run::<Scripted>(&script);
    let compared = unseen(|| same::<ModelPool, Scripted>(&script, run::<ModelPool>(&script), &production));
    if let Err(mismatch) = compared {
        eprintln!("{mismatch}{}", mismatch.saved());
        std::process::abort();
    }
}

fn text(input: &[u8]) -> String {
    decode(input).to_string()
}
