//! What all targets set before they run.

/// libFuzzer's own hook aborts at any panic; scripted ones are part of the input. Those that nobody catches abort anyway.
pub fn hide_scripted_panics() {
    std::panic::set_hook(Box::new(|info| {
        if info.payload().is::<String>() || info.payload().is::<&str>() {
            eprintln!("{info}");
        }
    }));
}

/// AddressSanitizer's settings: its copies of stack frames belong to threads, so coroutines that unwind or are dropped
/// leave them behind, and the process grows. Where memory was allocated is not kept: that takes a third of the time, and
/// a replay with `ASAN_OPTIONS=malloc_context_size=30` tells it.
#[unsafe(no_mangle)]
extern "C" fn __asan_default_options() -> *const std::ffi::c_char {
    c"detect_stack_use_after_return=0:quarantine_size_mb=64:malloc_context_size=0".as_ptr()
}
