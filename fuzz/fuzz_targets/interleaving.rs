//! Any script of several threads, in any schedule: the production pool under shuttle, whose scheduler takes its choices
//! from the input.
#![no_main]

use copool_model::shuttle::input::{decode, execute};
use libfuzzer_sys::fuzz_target;

fuzz_target!(
    init: copool_fuzz::hide_scripted_panics(),
    |data: &[u8]| {
        if let Some((script, clock, schedule)) = decode(data) {
            execute(script, clock, schedule);
        }
    }
);
