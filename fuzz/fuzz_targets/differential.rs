//! Any script of one thread does the same in the reference pool and in production, and the spec accepts what it does.
//!
//! The bytes are decoded to a script by the generator that quickcheck uses too. A difference is shown with the script in
//! its text form, both logs, and the command that replays it.
#![no_main]

use copool::scripted::Scripted;
use copool_model::ModelPool;
use copool_model::compare::exact;
use copool_model::generate::decode;
use libfuzzer_sys::fuzz_target;

fuzz_target!(
    init: copool_fuzz::hide_scripted_panics(),
    |data: &[u8]| {
        if let Err(mismatch) = exact::<ModelPool, Scripted>(&decode(data)) {
            eprintln!("{mismatch}{}", mismatch.saved());
            std::process::abort();
        }
    }
);
