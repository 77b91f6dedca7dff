//! Says what failed, at the first panic of a check: the command that replays it, and what the pool told until then.
//!
//! From the panic hook, as the unwinding of a failed execution may end in an abort: the destructors that run meanwhile
//! call into a checker that has given up.

use std::cell::RefCell;
use std::sync::Once;

use copool_spec::{Event, draw};

use crate::judge::unnumbered;

/// What a script's pool is asked for its events by.
struct Scene {
    script: String,
    events: Box<dyn Fn() -> Vec<Event>>,
}

thread_local! {
    /// What to do if the check that runs on this thread fails. A checker runs all its threads on the thread that calls
    /// it.
    static REPORT: RefCell<Option<Box<dyn FnOnce()>>> = const { RefCell::new(None) };
    /// The script of this execution.
    static SCENE: RefCell<Option<Scene>> = const { RefCell::new(None) };
}

/// While it lives, the first panic on this thread makes a report.
pub(crate) struct Watch(());

impl Watch {
    pub(crate) fn new(report: impl FnOnce() + 'static) -> Self {
        static HOOK: Once = Once::new();
        HOOK.call_once(|| {
            let hook = std::panic::take_hook();
            std::panic::set_hook(Box::new(move |info| {
                if let Some(report) = REPORT.take() {
                    report();
                    if let Some(scene) = SCENE.take() {
                        scene.show();
                    }
                }
                hook(info);
            }));
        });
        REPORT.set(Some(Box::new(report)));
        Self(())
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        REPORT.set(None);
        SCENE.set(None);
    }
}

/// From now on a failure of this execution shows the script and draws the events.
pub(crate) fn draw(script: String, events: impl Fn() -> Vec<Event> + 'static) {
    SCENE.set(Some(Scene { script, events: Box::new(events) }));
}

/// An execution begins.
pub(crate) fn begin() {
    SCENE.set(None);
}

impl Scene {
    fn show(self) {
        let events: Vec<Event> = (self.events)().into_iter().map(unnumbered).collect();
        eprintln!("the script:\n{}", self.script);
        eprintln!("what its pool told until then, in {} events:", events.len());
        eprintln!("```mermaid\n{}```", draw::mermaid(&events));
    }
}

/// The command that runs the test of the calling thread once more, with these settings.
pub(crate) fn command(settings: &[(&str, String)]) -> String {
    let mut command = String::new();
    for (name, value) in settings {
        command += &format!("{name}='{value}' ");
    }
    // The name of a test's executable is the test's, a dash and a hash.
    let executable = std::env::current_exe().ok();
    let stem = executable.as_deref().and_then(|path| path.file_stem()?.to_str());
    let target = stem.and_then(|stem| Some(stem.rsplit_once('-')?.0)).unwrap_or("*");
    command += &format!("cargo test --features model --test {target}");
    // The test harness gives its threads the names of their tests.
    if let Some(test) = std::thread::current().name().filter(|name| *name != "main") {
        command += &format!(" -- --exact {test}");
    }
    command
}
