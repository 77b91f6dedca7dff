//! One round in a process of its own, with a time limit: a crash or a hang of a rival is an answer, no more.

use std::io::Read;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::thread;
use std::time::{Duration, Instant};

/// What a round came to, as the parent sees it.
pub(crate) enum Answer {
    Measured { values: Vec<(String, f64)>, note: Option<String> },
    NotOffered(String),
    Failed(String),
}

/// A round that takes longer counts as hung.
const LIMIT: Duration = Duration::from_secs(60);
const LOOKS_EVERY: Duration = Duration::from_millis(10);

/// Runs the command, and reads the figures that it prints.
pub(crate) fn run(command: Command) -> Answer {
    match output(command) {
        Ok(output) => parse(&output),
        Err(reason) => Answer::Failed(reason),
    }
}

/// Runs the command, and gives what it prints, or why it failed.
pub(crate) fn output(mut command: Command) -> Result<String, String> {
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().map_err(|error| error.to_string())?;
    let output = child.stdout.take().map(read);
    let errors = child.stderr.take().map(read);
    let status = wait(&mut child)?;
    let text = |reader: Option<thread::JoinHandle<String>>| reader.and_then(|it| it.join().ok()).unwrap_or_default();
    let (output, errors) = (text(output), text(errors));
    if status.success() { Ok(output) } else { Err(format!("{status}: {}", reason(&errors))) }
}

fn wait(child: &mut Child) -> Result<ExitStatus, String> {
    let (begin, mut pause) = (Instant::now(), Duration::from_millis(1));
    while begin.elapsed() < LIMIT {
        if let Some(status) = child.try_wait().map_err(|error| error.to_string())? {
            return Ok(status);
        }
        thread::sleep(pause);
        pause = LOOKS_EVERY.min(pause * 2);
    }
    // It may have ended meanwhile; either way it is gone after this.
    let _ = child.kill();
    let _ = child.wait();
    Err(format!("hung: killed after {} s", LIMIT.as_secs()))
}

fn read(mut from: impl Read + Send + 'static) -> thread::JoinHandle<String> {
    thread::spawn(move || {
        let mut bytes = Vec::new();
        // What was read before an error is still worth showing.
        let _ = from.read_to_end(&mut bytes);
        String::from_utf8_lossy(&bytes).into_owned()
    })
}

/// The line of its last words that says most: a panic's message, or else the last.
fn reason(errors: &str) -> String {
    let mut lines = errors.lines().filter(|line| !line.is_empty() && !line.starts_with("note:"));
    let line = lines.clone().skip_while(|line| !line.contains("panicked at")).nth(1).or_else(|| lines.next_back());
    line.unwrap_or("no message").chars().take(100).collect()
}

fn parse(output: &str) -> Answer {
    let (mut values, mut note) = (Vec::new(), None);
    for line in output.lines() {
        let fields: Vec<_> = line.split('\t').collect();
        match fields[..] {
            ["value", name, value] => match value.parse() {
                Ok(value) => values.push((String::from(name), value)),
                Err(_) => return Answer::Failed(format!("printed {line:?}")),
            },
            ["note", text] => note = Some(String::from(text)),
            ["not offered", reason] => return Answer::NotOffered(String::from(reason)),
            _ => {}
        }
    }
    if values.is_empty() {
        return Answer::Failed(String::from("printed no figure"));
    }
    Answer::Measured { values, note }
}
