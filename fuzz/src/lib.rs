//! What all targets share: how they start ([`target!`]), and what guides them ([`guide`]).

use std::ffi::{CStr, c_char, c_int};

pub mod guide;
pub mod leaks;

#[doc(hidden)]
pub use libfuzzer_sys;

/// Makes a target: `$run` is called with each input, `$text` says in words what an input is.
///
/// As `libfuzzer_sys::fuzz_target!` does, which has no place for settings that the command line may change.
#[macro_export]
macro_rules! target {
    ($run:path, $text:path) => {
        #[unsafe(no_mangle)]
        extern "C" fn rust_fuzzer_test_input(input: &[u8]) -> std::ffi::c_int {
            match $crate::libfuzzer_sys::rust_libfuzzer_debug_path() {
                // `cargo fuzz` asks what it has found.
                Some(path) => std::fs::write(path, $text(input)).expect("cargo-fuzz names a file that can be written"),
                None => $run(input),
            }
            0
        }

        #[unsafe(no_mangle)]
        unsafe extern "C" fn LLVMFuzzerInitialize(
            argc: *mut std::ffi::c_int,
            argv: *mut *mut *const std::ffi::c_char,
        ) -> std::ffi::c_int {
            // SAFETY: the same promise.
            unsafe { $crate::initialize(argc, argv) }
        }
    };
}

/// Flags of libFuzzer's; those on the command line come later and win. Its weighing of rare features and its search for
/// smaller inputs of the same features take longer than the pools. So does its search for leaks after single inputs, which comes a
/// thousand times and then never again; all that has leaked is looked for once, when the run ends. 512 bytes make a script of full
/// length. The process grows by a kilobyte an execution, as one script in a hundred has a task that swallows every throw: it is
/// given up, and its stack with it.
const FLAGS: [&CStr; 5] =
    [c"-entropic=0", c"-reduce_inputs=0", c"-detect_leaks=0", c"-max_len=512", c"-rss_limit_mb=0"];

/// Before the first input.
///
/// # Safety
/// The arguments are those of libFuzzer's `main`, which nobody else uses meanwhile.
pub unsafe fn initialize(argc: *mut c_int, argv: *mut *mut *const c_char) -> c_int {
    hide_scripted_panics();
    // SAFETY: `argv` points to at least `argc` pointers, the program's name and its arguments.
    let given = unsafe { std::slice::from_raw_parts(*argv, usize::try_from(*argc).unwrap_or(0)) };
    let (program, rest) = given.split_at(given.len().min(1));
    let mut all = program.to_vec();
    all.extend(FLAGS.map(CStr::as_ptr));
    all.extend(rest);
    let count = c_int::try_from(all.len()).expect("a handful of arguments");
    all.push(std::ptr::null());
    // SAFETY: the caller's promise. The list stays for ever.
    unsafe {
        *argv = all.leak().as_mut_ptr();
        *argc = count;
    }
    0
}

/// libFuzzer's own hook aborts at any panic; scripted ones are part of the input. Those that nobody catches abort anyway.
fn hide_scripted_panics() {
    std::panic::set_hook(Box::new(|info| {
        if info.payload().is::<String>() || info.payload().is::<&str>() {
            eprintln!("{info}");
        }
    }));
}

/// AddressSanitizer's settings. Its copies of stack frames belong to threads, so coroutines that unwind or are dropped
/// leave them behind, and the process grows. Where memory was allocated is not kept: that takes a third of the time, and
/// a replay with `ASAN_OPTIONS=malloc_context_size=30` tells it. What was freed stays poisoned for 1 MiB of further
/// memory, which outlasts most executions; more would only be cold, in the thread's own list as in the common one. Leaks are told
/// only with at least two frames kept ([`leaks`]).
#[unsafe(no_mangle)]
extern "C" fn __asan_default_options() -> *const c_char {
    c"detect_stack_use_after_return=0:quarantine_size_mb=1:thread_local_quarantine_size_kb=256:malloc_context_size=0"
        .as_ptr()
}
