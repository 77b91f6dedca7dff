//! Links what the compiler says about comparisons to nothing: see `src/guide.rs`.

fn main() {
    println!("cargo:rerun-if-changed=build.rs");
    if std::env::var("CARGO_CFG_TARGET_OS").as_deref() != Ok("linux") {
        return;
    }
    for kind in ["cmp", "const_cmp"] {
        for bytes in [1, 2, 4, 8] {
            println!("cargo:rustc-link-arg-bins=-Wl,--wrap=__sanitizer_cov_trace_{kind}{bytes}");
        }
    }
    println!("cargo:rustc-link-arg-bins=-Wl,--wrap=__sanitizer_cov_trace_switch");
}
