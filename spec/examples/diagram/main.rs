//! Writes the diagrams that the rules make into `spec/diagrams/`: the sequence diagram, and the states of workers, tasks and
//! pools.
//!
//! ```text
//! cargo run -p copool-spec --example diagram
//! ```

mod figures;

use std::path::Path;

fn main() -> std::io::Result<()> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("diagrams");
    std::fs::create_dir_all(&folder)?;
    for (name, text) in figures::all() {
        std::fs::write(folder.join(name), &text)?;
        println!("{name}: {} lines", text.lines().count());
    }
    Ok(())
}
