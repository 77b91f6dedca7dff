//! What the compiler has told of each comparison: nothing.
//!
//! Instrumented code calls these functions, by these names, with both values. libFuzzer's own look for comparisons with what
//! the input holds; here all are of decoded values. These are inlined where crates are optimised together, so that nothing
//! is left of a report; elsewhere they are called in the place of libFuzzer's (`build.rs`). The compiler counts no edges in
//! functions of such names. So libFuzzer's value profile and the part of its dictionary that it makes of comparisons stay empty.

macro_rules! unreported {
    ($($name:ident($a:ty, $b:ty);)*) => {
        $(
            #[unsafe(no_mangle)]
            extern "C" fn $name(_: $a, _: $b) {}
        )*
    };
}

unreported! {
    __sanitizer_cov_trace_cmp1(u8, u8);
    __sanitizer_cov_trace_cmp2(u16, u16);
    __sanitizer_cov_trace_cmp4(u32, u32);
    __sanitizer_cov_trace_cmp8(u64, u64);
    __sanitizer_cov_trace_const_cmp1(u8, u8);
    __sanitizer_cov_trace_const_cmp2(u16, u16);
    __sanitizer_cov_trace_const_cmp4(u32, u32);
    __sanitizer_cov_trace_const_cmp8(u64, u64);
    __sanitizer_cov_trace_switch(u64, *const u64);
}
