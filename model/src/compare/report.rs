//! A failure that explains itself: the script, what differs, the command that replays it, and both logs as sequence
//! diagrams side by side.

use std::fmt::{self, Write};
use std::hash::{DefaultHasher, Hash, Hasher};
use std::path::{Path, PathBuf};

use copool_spec::script::Script;
use copool_spec::{Event, draw};

/// Two pools, or a pool and the spec, that do not agree.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mismatch {
    /// What was run.
    pub script: Script,
    /// The first observation that differs, or the rule that was broken.
    pub what: String,
    /// Each pool's name and its log.
    pub logs: Vec<(&'static str, Vec<Event>)>,
}

/// More events than these are not drawn in a message; the page has them all.
const DRAWN: usize = 60;

impl Mismatch {
    pub(super) fn new(
        script: &Script,
        left: (&'static str, &[Event]),
        right: (&'static str, &[Event]),
        what: String,
    ) -> Box<Self> {
        let logs = vec![(left.0, left.1.to_vec()), (right.0, right.1.to_vec())];
        Box::new(Self { script: script.clone(), what, logs })
    }

    /// Writes the script, and the page with the diagrams side by side, into `directory`; gives the script's path.
    ///
    /// # Errors
    /// Those of the file system.
    pub fn save(&self, directory: &Path) -> std::io::Result<PathBuf> {
        let mut hasher = DefaultHasher::new();
        self.script.hash(&mut hasher);
        let path = directory.join(format!("{:016x}.script", hasher.finish()));
        std::fs::create_dir_all(directory)?;
        std::fs::write(&path, self.script.to_string())?;
        std::fs::write(path.with_extension("html"), self.page())?;
        Ok(path)
    }

    /// Saves it below the directory for build results, and says where, and how to see it again.
    #[must_use]
    pub fn saved(&self) -> String {
        let target = Path::new(env!("CARGO_MANIFEST_DIR")).join("../target/differential");
        match self.save(&target) {
            Ok(path) => {
                let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
                let page = Path::new(&name).with_extension("html");
                format!(
                    "replay: cargo run -p copool-model --bin differ -- target/differential/{name}\n\
                     drawn:  target/differential/{}\n",
                    page.display()
                )
            }
            Err(error) => format!("the script could not be saved: {error}\n"),
        }
    }

    fn page(&self) -> String {
        let mut page = String::from("<!doctype html><meta charset='utf-8'><title>A difference</title>\n");
        page += "<style>table { border-spacing: 2em 0 } td, th { vertical-align: top; text-align: left }</style>\n";
        let _ = writeln!(page, "<pre>{}</pre><pre>{}</pre>", escaped(&self.script.to_string()), escaped(&self.what));
        page += "<table><tr>";
        self.logs.iter().for_each(|(name, _)| page += &format!("<th>{name}</th>"));
        page += "</tr>\n<tr>";
        self.logs.iter().for_each(|(_, log)| page += &format!("<td>{}</td>\n", draw::svg(log)));
        page + "</tr></table>\n"
    }
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;")
}

impl fmt::Display for Mismatch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{}\n{}", self.script, self.what)?;
        for (name, log) in &self.logs {
            let skipped = log.len().saturating_sub(DRAWN);
            let which = if skipped > 0 { format!("the last {DRAWN} of {} events", log.len()) } else { String::new() };
            writeln!(f, "{name} {which}\n```mermaid\n{}```", draw::mermaid(&log[skipped..]))?;
        }
        Ok(())
    }
}

impl std::error::Error for Mismatch {}
