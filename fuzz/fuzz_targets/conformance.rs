//! Any script of one thread, run on the production pool: the spec's monitor accepts every event that it tells.
//!
//! The bytes are decoded to a script, whose text form is in the message if the monitor rejects the log.
#![no_main]

use arbitrary::{Arbitrary, Result, Unstructured};
use copool::scripted::Scripted;
use copool::spec::Params;
use copool::spec::monitor::Monitor;
use copool::spec::script::{Build, Key, Op, Pool, Script, Step, Submission};
use libfuzzer_sys::fuzz_target;

/// How many operations and how many steps a script has at most.
const MOST_OPS: usize = 32;
const MOST_STEPS: usize = 6;

fuzz_target!(
    init: {
        // libFuzzer's own hook aborts at any panic; scripted ones are part of the input. What is not caught aborts anyway.
        std::panic::set_hook(Box::new(|info| {
            if info.payload().is::<String>() || info.payload().is::<&str>() {
                eprintln!("{info}");
            }
        }));
    },
    |data: &[u8]| {
        let Ok(script) = decode(&mut Unstructured::new(data)) else { return };
        check(&script);
    }
);

/// AddressSanitizer's settings: its copies of stack frames belong to threads, so coroutines that unwind or are dropped
/// leave them behind, and the process grows.
#[unsafe(no_mangle)]
extern "C" fn __asan_default_options() -> *const std::ffi::c_char {
    c"detect_stack_use_after_return=0:quarantine_size_mb=64".as_ptr()
}

fn check(script: &Script) {
    if script.check().is_err() {
        return;
    }
    let mut pool = Scripted::build(&script.build);
    for op in &script.threads[0] {
        let _ = pool.apply(op);
    }
    let remote = pool.remote();
    drop(pool);
    let log = Scripted::arrive(remote).log();
    let params = Params { lifo: script.build.lifo, ..Params::default() };
    let mut monitor = Monitor::new(params).with_invariants();
    for event in log {
        if let Err(violation) = monitor.accept(event) {
            eprintln!("{script}\n{violation}");
            std::process::abort();
        }
    }
}

fn decode(bytes: &mut Unstructured<'_>) -> Result<Script> {
    let build = Build {
        min: u32::from(u8::arbitrary(bytes)? % 3),
        max: u32::from(u8::arbitrary(bytes)? % 5),
        keep_alive: u64::from(u8::arbitrary(bytes)? % 3) * 10,
        slice: bool::arbitrary(bytes)?.then_some(5),
        helpers: u32::from(u8::arbitrary(bytes)? % 2),
        lifo: bool::arbitrary(bytes)?,
        auto: bool::arbitrary(bytes)?,
    };
    let build = Build { min: build.min.min(build.max), ..build };
    let mut keys = 0;
    let mut ops = Vec::new();
    while !bytes.is_empty() && ops.len() < MOST_OPS {
        ops.push(op(bytes, &mut keys)?);
    }
    Ok(Script::single(build, ops))
}

fn op(bytes: &mut Unstructured<'_>, keys: &mut u8) -> Result<Op> {
    let time = |bytes: &mut Unstructured<'_>| -> Result<u64> { Ok(u64::from(u8::arbitrary(bytes)? % 32)) };
    Ok(match u8::arbitrary(bytes)? % 24 {
        0..=5 => Op::Submit(submission(bytes, keys, 0)?),
        6 => Op::Schedule,
        7 => Op::ScheduleFor(time(bytes)?),
        8 => Op::Drain,
        9 => Op::DrainFor(time(bytes)?),
        10 => Op::Wait(key(bytes, *keys)?),
        11 => Op::Advance(time(bytes)?),
        12 => Op::Take(key(bytes, *keys)?),
        13 => Op::Detach(key(bytes, *keys)?),
        14 => Op::Cancel(key(bytes, *keys)?),
        15 => Op::Unpark(key(bytes, *keys)?),
        16 => Op::Join(key(bytes, *keys)?),
        17 => Op::SetMin(u32::from(u8::arbitrary(bytes)? % 4)),
        18 => Op::SetMax(u32::from(u8::arbitrary(bytes)? % 5)),
        19 => Op::SetKeepAlive(time(bytes)?),
        20 => Op::FailStack,
        21 => Op::Serve,
        22 => Op::Stop(time(bytes)?),
        _ => Op::Look,
    })
}

fn key(bytes: &mut Unstructured<'_>, keys: u8) -> Result<Key> {
    Ok(Key(u8::arbitrary(bytes)? % keys.max(1)))
}

fn submission(bytes: &mut Unstructured<'_>, keys: &mut u8, depth: u8) -> Result<Submission> {
    let key = Key(*keys);
    *keys = keys.saturating_add(1);
    let priority = match u8::arbitrary(bytes)? % 6 {
        0 => Some(-1),
        1 => Some(1),
        2 => Some(2),
        _ => None,
    };
    Ok(Submission { key, name: None, priority, body: body(bytes, keys, depth)? })
}

fn body(bytes: &mut Unstructured<'_>, keys: &mut u8, depth: u8) -> Result<Vec<Step>> {
    let count = usize::from(u8::arbitrary(bytes)?) % (MOST_STEPS + 1);
    (0..count).map(|_| step(bytes, keys, depth)).collect()
}

fn step(bytes: &mut Unstructured<'_>, keys: &mut u8, depth: u8) -> Result<Step> {
    let time = |bytes: &mut Unstructured<'_>| -> Result<u64> { Ok(u64::from(u8::arbitrary(bytes)? % 32)) };
    Ok(match u8::arbitrary(bytes)? % 20 {
        0 => Step::Return(u8::arbitrary(bytes)?),
        1 => Step::Panic,
        2 | 3 => Step::Suspend,
        4 => Step::Checkpoint,
        5 => Step::Work(time(bytes)?),
        6 => Step::Delay(time(bytes)?),
        7 => Step::Park,
        8 => Step::ParkTimeout(time(bytes)?),
        9 => Step::Unpark(key(bytes, *keys)?),
        10 => Step::Local,
        11 => Step::Syscall,
        12 => Step::SyscallPanic,
        13 if depth < 2 => Step::Submit(Box::new(submission(bytes, keys, depth + 1)?)),
        14 => Step::Cancel(key(bytes, *keys)?),
        15 => Step::Join(key(bytes, *keys)?),
        16 => Step::JoinTimeout(key(bytes, *keys)?, time(bytes)?),
        17 => Step::Stop(time(bytes)?),
        18 if depth < 2 => Step::Catch(body(bytes, keys, depth + 1)?),
        19 if depth < 2 => Step::Guard(vec![Step::Suspend]),
        _ => Step::Suspend,
    })
}
