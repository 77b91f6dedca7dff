//! Lets this package's reports of comparisons stand in for libFuzzer's: see `src/guide/unreported.rs`.

fn main() {
    println!("cargo:rerun-if-changed=build.rs");
    if std::env::var("CARGO_CFG_TARGET_OS").as_deref() == Ok("linux") {
        // Of two definitions the first is taken, and a target comes before the libraries that it needs.
        println!("cargo:rustc-link-arg-bins=-Wl,--allow-multiple-definition");
    }
}
