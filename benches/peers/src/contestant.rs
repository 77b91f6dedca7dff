//! Who takes part, and what a child process does for one of them.

use std::env;
use std::error::Error;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::{on_corosensei, on_may, on_rayon, on_tokio, ours};
use copool_peers::measure::Round;
use copool_peers::workload::{self, Workload};

/// The one that the others are compared with comes first.
pub(crate) const ALL: [&str; 7] = ["copool", "corosensei", "open-coroutine", "may", "tokio", "rayon", "go"];
pub(crate) const OURS: &str = ALL[0];

/// How a child's round begins: the flag before contestant and workload.
pub(crate) const CHILD: &str = "--child";

/// The first argument by which the rival's program plays a script.
const THIRD_OPINION: &str = "third-opinion";

/// The programs of the contestants that are not in this one.
pub(crate) struct Programs {
    open_coroutine: PathBuf,
    /// None if `go` is not installed.
    go: Option<PathBuf>,
}

impl Programs {
    /// Builds that of open-coroutine-core.
    pub(crate) fn build() -> Result<Self, Box<dyn Error>> {
        let this = env::current_exe()?;
        let package = Path::new(env!("CARGO_MANIFEST_DIR"));
        let mut cargo = Command::new(env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
        cargo.args(["build", "--quiet", "--release", "--locked", "--bin", "open-coroutine", "--manifest-path"]);
        if !cargo.arg(package.join("Cargo.toml")).status()?.success() {
            return Err("the program of open-coroutine-core cannot be built".into());
        }
        Ok(Self { open_coroutine: this.with_file_name("open-coroutine"), go: None })
    }

    /// Builds that of Go too, if `go` is installed; if not, that is printed.
    pub(crate) fn with_go(mut self) -> Self {
        let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("go/peers.go");
        let go = build_go(&source, &self.open_coroutine.with_file_name("peers-go"));
        self.go = go.inspect_err(|reason| eprintln!("Go does not take part: {reason}")).ok();
        self
    }

    /// The command that runs one round of a workload for a contestant in a process of its own.
    pub(crate) fn command(&self, workload: &str, contestant: &str) -> Option<Command> {
        let mut command = match contestant {
            "go" => Command::new(self.go.as_ref()?),
            "open-coroutine" => Command::new(&self.open_coroutine),
            _ => {
                let mut command = Command::new(env::current_exe().expect("this program has a path"));
                command.args([CHILD, contestant]);
                command
            }
        };
        command.arg(workload);
        Some(command)
    }

    /// The command that plays the script of this number.
    pub(crate) fn third_opinion(&self, script: u64) -> Command {
        let mut command = Command::new(&self.open_coroutine);
        command.args([THIRD_OPINION, &script.to_string()]);
        command
    }
}

fn build_go(source: &Path, program: &Path) -> Result<PathBuf, String> {
    match Command::new("go").arg("build").arg("-o").arg(program).arg(source).output() {
        Err(error) => Err(format!("`go` cannot be run: {error}")),
        Ok(output) if !output.status.success() => Err(String::from_utf8_lossy(&output.stderr).into_owned()),
        Ok(_) => Ok(program.to_path_buf()),
    }
}

/// Runs the round of a child, and prints its figures for the parent.
pub(crate) fn child(contestant: &str, workload: &str) {
    let workload = workload::named(workload).expect("a known workload");
    round(contestant, workload).print();
}

fn round(contestant: &str, workload: Workload) -> Round {
    match contestant {
        "copool" => ours::run(workload),
        "corosensei" => on_corosensei::run(workload),
        "may" => on_may::run(workload),
        "tokio" => on_tokio::run(workload),
        "rayon" => on_rayon::run(workload),
        other => panic!("nobody is called {other}"),
    }
}
