//! What the types forbid, and which auto traits they promise: programs that must not compile, and assertions that must.
//!
//! Each program of `compile_fail/` marks the lines that the compiler has to refuse, with the code of the error, as in
//! `//~ E0277`. The compiler is asked directly, with the library that this test is linked to: nothing is built for it,
//! and no message is compared, as messages change with each compiler.

use std::cell::Cell;
use std::collections::BTreeSet;
use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::rc::Rc;
use std::{env, fs};

use copool::{
    AttachError, BuildError, Builder, Clock, CoroutineLocal, CoroutinePool, Counters, DriveError, JoinError,
    JoinHandle, LimitError, LocalError, PoolHandle, RejectReason, Rejected, StopReport, TaskBuilder, TaskRef,
    VirtualClock,
};

/// Compiles only if the type has the traits.
macro_rules! promises {
    ($($type:ty: $($trait:ident)|+;)*) => {
        $(const _: () = {
            const fn promises<T: ?Sized $(+ $trait)+>() {}
            promises::<$type>();
        };)*
    };
}

/// Compiles only if the type does not have the trait: with it, which impl is meant would be ambiguous.
macro_rules! denies {
    ($($type:ty: $trait:ident;)*) => {
        $(const _: fn() = || {
            trait Ambiguous<A> {
                fn exists() {}
            }
            struct WithTheTrait;
            impl<T: ?Sized> Ambiguous<()> for T {}
            impl<T: ?Sized + $trait> Ambiguous<WithTheTrait> for T {}
            let _ = <$type as Ambiguous<_>>::exists;
        };)*
    };
}

promises! {
    PoolHandle: Send | Sync | Unpin | Clone;
    TaskRef: Send | Sync | Unpin | Clone;
    // Whatever the result is: only one thread ever takes it.
    JoinHandle<u8>: Send | Sync | Unpin;
    JoinHandle<Cell<u8>>: Send | Sync | Unpin;
    TaskBuilder<'static>: Send | Sync;
    Builder: Send | Sync;
    Clock: Send | Sync | Clone;
    VirtualClock: Send | Sync | Clone;
    // The value stays with its task, the key does not.
    CoroutineLocal<Rc<u8>>: Send | Sync;
    Rejected<u8>: Send | Sync;
    JoinError: Send;
    BuildError: Send | Sync;
    AttachError: Send | Sync | Copy;
    DriveError: Send | Sync | Copy;
    LimitError: Send | Sync | Copy;
    LocalError: Send | Sync | Copy;
    RejectReason: Send | Sync | Copy;
    StopReport: Send | Sync | Copy;
    Counters: Send | Sync | Copy;
    CoroutinePool: Unpin;
}

denies! {
    CoroutinePool: Send;
    CoroutinePool: Sync;
    CoroutinePool: Clone;
    JoinHandle<u8>: Clone;
    Rejected<Rc<u8>>: Send;
    Rejected<Cell<u8>>: Sync;
    // The payload of a panic need not be.
    JoinError: Sync;
}

/// A line of a program, and the code of an error there.
type Refusals = BTreeSet<(usize, String)>;

#[test]
fn what_the_types_forbid_does_not_compile() {
    let here = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/compile_fail");
    let library = library();
    let mut programs = 0;
    for entry in fs::read_dir(here).unwrap() {
        let program = entry.unwrap().path();
        let text = fs::read_to_string(&program).unwrap();
        let output = compile(&program, &library);
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(!output.status.success(), "{} compiles", program.display());
        assert_eq!(refused(&said), marked(&text), "{}\n{said}", program.display());
        programs += 1;
    }
    assert!(programs > 10, "only {programs} programs were found");
}

/// The refusals that a program asks for.
fn marked(text: &str) -> Refusals {
    let marks =
        text.lines().zip(1..).filter_map(|(line, number)| Some((number, line.split_once("//~ ")?.1.to_string())));
    marks.collect()
}

/// The refusals that the compiler reported: `path:line:column: error[code]: message`.
fn refused(said: &str) -> Refusals {
    let refusal = |line: &str| {
        let (place, message) = line.split_once(": error")?;
        let number = place.rsplit(':').nth(1)?.parse().ok()?;
        let code = match message.strip_prefix('[') {
            Some(coded) => coded.split_once(']')?.0,
            None => message.trim_start_matches(": ").split(' ').next()?,
        };
        Some((number, code.to_string()))
    };
    said.lines().filter_map(refusal).collect()
}

fn compile(program: &Path, library: &Path) -> Output {
    let dependencies = library.parent().expect("the library is in a directory").display();
    Command::new(env::var_os("RUSTC").unwrap_or_else(|| OsString::from("rustc")))
        .args(["--edition=2024", "--crate-type=bin", "--emit=metadata", "--error-format=short"])
        .args(["-L", &format!("dependency={dependencies}"), "--extern", &format!("copool={}", library.display())])
        .args(["--out-dir", env!("CARGO_TARGET_TMPDIR")])
        .arg(program)
        .output()
        .expect("the compiler that built this test can be started")
}

/// The library, newest first, that this compiler can use.
fn library() -> PathBuf {
    let test = env::current_exe().expect("a test knows its executable");
    let built = fs::read_dir(test.parent().expect("the test is in a directory")).unwrap();
    let mut libraries: Vec<_> = built
        .filter_map(|entry| {
            let entry = entry.ok()?;
            let name = entry.file_name().into_string().ok()?;
            let ours = name.starts_with("libcopool-") && name.ends_with(".rlib");
            ours.then_some((entry.metadata().ok()?.modified().ok()?, entry.path()))
        })
        .collect();
    libraries.sort();
    let control = Path::new(env!("CARGO_TARGET_TMPDIR")).join("control.rs");
    fs::write(&control, "fn main() { let _ = copool::CoroutinePool::default(); }").unwrap();
    let fits = |library: &PathBuf| compile(&control, library).status.success();
    libraries.into_iter().rev().map(|(_, library)| library).find(fits).expect("a program that is right compiles")
}
