//! The scripts of the third opinion: what they are made of, how they are drawn, and how either side plays them.
//!
//! They stay in the domain in which open-coroutine-core is sound: one thread, names that are never used again, and neither
//! panic, cancel nor join (`benches/README.md` says why each is left out). A script has fewer tasks than a worker of copool
//! polls in one turn, as its rival's workers never give up their turn.

use std::sync::{Arc, Mutex};

/// One thing that a task does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    /// It suspends, ready again from at once.
    Suspend,
    /// It submits the task of this number.
    Submit(usize),
}

/// What one task does, and how urgent it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Task {
    /// The smaller, the sooner; none counts as 0.
    pub priority: Option<i64>,
    /// It does these, and returns its number.
    pub steps: Vec<Step>,
}

/// One thing that the thread does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Op {
    /// It submits the task of this number.
    Submit(usize),
    /// It runs what can run.
    Drive,
}

/// Tasks, and when the thread submits and drives.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Script {
    /// All tasks, those that others submit included.
    pub tasks: Vec<Task>,
    /// The last is a drive.
    pub ops: Vec<Op>,
}

/// At most so many tasks a script, nested ones included.
const MOST_TASKS: usize = 24;

/// A generator of numbers (splitmix64): the same for a seed on both sides.
struct Numbers(u64);

impl Numbers {
    fn below(&mut self, bound: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (z ^ (z >> 31)) % bound
    }
}

impl Script {
    /// The script of this number.
    pub fn draw(number: u64) -> Self {
        let mut numbers = Numbers(number);
        let mut script = Self { tasks: Vec::new(), ops: Vec::new() };
        for _ in 0..=numbers.below(12) {
            if numbers.below(3) == 0 {
                script.ops.push(Op::Drive);
            } else if let Some(task) = script.task(&mut numbers, 0) {
                script.ops.push(Op::Submit(task));
            }
        }
        script.ops.push(Op::Drive);
        script
    }

    /// Draws a task, and those that it submits.
    fn task(&mut self, numbers: &mut Numbers, depth: u32) -> Option<usize> {
        if self.tasks.len() == MOST_TASKS {
            return None;
        }
        let number = self.tasks.len();
        let priority = [None, None, None, Some(0), Some(-1), Some(1)][numbers.below(6) as usize];
        self.tasks.push(Task { priority, steps: Vec::new() });
        let mut steps = Vec::new();
        for _ in 0..numbers.below(4) {
            if depth < 2 && numbers.below(4) == 0 {
                steps.extend(self.task(numbers, depth + 1).map(Step::Submit));
            } else {
                steps.push(Step::Suspend);
            }
        }
        self.tasks[number].steps = steps;
        Some(number)
    }
}

/// A task's closure.
pub type Body = Box<dyn FnOnce() -> usize + Send>;

/// How a pool is asked from inside its tasks.
#[derive(Clone)]
pub struct Inside {
    /// Suspends the task, one of so many that have started and not ended.
    pub suspend: fn(usize),
    /// Submits a task of this name and priority.
    pub submit: Arc<dyn Fn(String, Option<i64>, Body) + Send + Sync>,
}

/// A pool that plays scripts.
pub trait Side {
    /// What its tasks use.
    fn inside(&self) -> Inside;
    /// Submits a task of this name and priority.
    fn submit(&mut self, name: String, priority: Option<i64>, body: Body);
    /// Runs what can run.
    fn drive(&mut self);
    /// The result of a task, if it has one.
    fn take(&mut self, name: &str) -> Option<usize>;
}

/// What was seen so far.
#[derive(Default)]
struct Seen {
    lines: Vec<String>,
    /// The tasks that have started and not ended.
    begun: usize,
}

type Log = Arc<Mutex<Seen>>;

/// Notes a line, and gives the tasks that have started and not ended.
fn note(log: &Log, line: String) -> usize {
    let mut seen = log.lock().expect("nobody panics with it");
    if line.ends_with(STARTS) {
        seen.begun += 1;
    } else if line.ends_with(ENDS) {
        seen.begun -= 1;
    }
    seen.lines.push(line);
    seen.begun
}

const STARTS: &str = " starts";
const ENDS: &str = " ends";
/// The first line of a log in which several workers polled at once: copool never adds a second one, so the order is bound to
/// differ.
pub const SEVERAL_POLL: &str = "several workers poll at once";
/// How the line of a drive's end reads.
pub const DRIVEN: &str = "driven";

fn body(script: &Arc<Script>, number: usize, inside: &Inside, log: &Log) -> Body {
    let (script, inside, log) = (Arc::clone(script), inside.clone(), Arc::clone(log));
    Box::new(move || {
        let mut begun = note(&log, format!("{number}{STARTS}"));
        for step in &script.tasks[number].steps {
            match *step {
                Step::Suspend => {
                    (inside.suspend)(begun);
                    begun = note(&log, format!("{number} goes on"));
                }
                Step::Submit(child) => {
                    let priority = script.tasks[child].priority;
                    (inside.submit)(child.to_string(), priority, body(&script, child, &inside, &log));
                }
            }
        }
        note(&log, format!("{number}{ENDS}"));
        number
    })
}

/// Plays a script: in order, which tasks start, go on and end in which drive; then the result of each.
pub fn play(script: &Script, side: &mut impl Side) -> String {
    let (script, inside, log) = (Arc::new(script.clone()), side.inside(), Log::default());
    for op in &script.ops {
        match *op {
            Op::Submit(number) => {
                side.submit(number.to_string(), script.tasks[number].priority, body(&script, number, &inside, &log));
            }
            Op::Drive => {
                side.drive();
                note(&log, String::from(DRIVEN));
            }
        }
    }
    let results = (0..script.tasks.len()).map(|number| match side.take(&number.to_string()) {
        Some(value) => format!("{number} returned {value}"),
        None => format!("{number} has no result"),
    });
    let results: Vec<_> = results.collect();
    let log = log.lock().expect("nobody panics with it");
    log.lines.iter().chain(&results).map(String::as_str).collect::<Vec<_>>().join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scripts_have_everything_that_they_can_have() {
        let scripts: Vec<_> = (0..1_000).map(Script::draw).collect();
        let tasks = || scripts.iter().flat_map(|script| &script.tasks);
        let steps = || tasks().flat_map(|task| &task.steps);
        assert!(scripts.iter().all(|script| script.tasks.len() <= MOST_TASKS && script.ops.ends_with(&[Op::Drive])));
        assert!(scripts.iter().any(|script| script.ops[..script.ops.len() - 1].contains(&Op::Drive)));
        assert!(tasks().any(|task| task.priority == Some(-1)) && tasks().any(|task| task.priority == Some(1)));
        assert!(steps().any(|step| *step == Step::Suspend) && steps().any(|step| *step != Step::Suspend));
    }
}
