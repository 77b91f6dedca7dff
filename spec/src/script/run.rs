//! Two interpreters of one language: [`run_body`] for tasks that have a stack, [`Machine`] for those that have none.

use super::{Inside, Observation, Step};

/// Interprets a body on the task's own stack; gives the value that the task returns.
pub fn run_body(body: &[Step], inside: &impl Inside) -> u64 {
    run(body, inside).unwrap_or_default()
}

/// Gives a value if the body said `return`.
fn run(body: &[Step], inside: &impl Inside) -> Option<u64> {
    for (at, step) in body.iter().enumerate() {
        match step {
            Step::Return(value) => return Some(u64::from(*value)),
            Step::Panic => inside.panic(),
            Step::Guard(steps) => {
                let _guard = AtEnd { steps, inside };
                return run(&body[at + 1..], inside);
            }
            Step::Catch(steps) => {
                let mut value = None;
                if inside.catch(&mut || value = run(steps, inside)) {
                    inside.seen(step, Observation::Caught);
                } else if value.is_some() {
                    return value;
                }
            }
            simple => {
                let observation = inside.perform(simple);
                inside.seen(simple, observation);
            }
        }
    }
    None
}

/// A destructor with steps in it.
struct AtEnd<'a, I: Inside> {
    steps: &'a [Step],
    inside: &'a I,
}

impl<I: Inside> Drop for AtEnd<'_, I> {
    fn drop(&mut self) {
        for step in self.steps {
            let observation = self.inside.perform(step);
            self.inside.seen(step, observation);
        }
    }
}

/// How a body ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Ending {
    /// It returned this value.
    Returned(u64),
    /// It unwound out of its last frame.
    Unwound,
}

/// A body that is interpreted without a stack: where it stands, and which destructors and catches are open.
///
/// The owner looks at the [`step`](Machine::step) that is due, does it, and then either [`advance`]s or [`throw`]s. The
/// machine does by itself what needs no pool: returns, guards and catches.
///
/// [`advance`]: Machine::advance
/// [`throw`]: Machine::throw
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Machine {
    /// The open blocks, outermost first: the body, and the catches in it.
    blocks: Vec<Block>,
    /// How the body ends, once it is on its way out.
    out: Option<Ending>,
    /// Which catch has swallowed an unwinding since the owner last asked.
    caught: Option<Vec<u8>>,
}

#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
struct Block {
    /// Where its steps are: indices from the body down.
    path: Vec<u8>,
    /// The next step.
    at: u8,
    /// The guards whose destructors run at the block's end, the last first.
    armed: Vec<u8>,
    /// The next step of the last armed destructor, if it runs.
    destructor: Option<u8>,
}

impl Machine {
    /// A body that has not begun.
    #[must_use]
    pub fn new(body: &[Step]) -> Machine {
        let mut machine = Machine { blocks: vec![Block::default()], out: None, caught: None };
        machine.settle(body);
        machine
    }

    /// The simple step, or [`Step::Panic`], that is due; `None` once the body has ended.
    #[must_use]
    pub fn step<'a>(&self, body: &'a [Step]) -> Option<&'a Step> {
        let block = self.blocks.last()?;
        let steps = steps(body, &block.path);
        match (block.destructor, block.armed.last()) {
            (Some(at), Some(&guard)) => inner(steps, guard).get(usize::from(at)),
            _ => steps.get(usize::from(block.at)),
        }
    }

    /// How the body ended, once [`step`](Machine::step) gives nothing more.
    #[must_use]
    pub fn ending(&self) -> Option<Ending> {
        if self.blocks.is_empty() { self.out } else { None }
    }

    /// Whether the body is on its way out by a throw: no step may suspend or throw now.
    #[must_use]
    pub fn unwinding(&self) -> bool {
        !self.blocks.is_empty() && self.out == Some(Ending::Unwound)
    }

    /// The step that has swallowed an unwinding since this was last asked, if any has.
    pub fn take_caught<'a>(&mut self, body: &'a [Step]) -> Option<&'a Step> {
        let (last, outer) = self.caught.as_deref()?.split_last()?;
        let step = steps(body, outer).get(usize::from(*last));
        self.caught = None;
        step
    }

    /// The step is done.
    pub fn advance(&mut self, body: &[Step]) {
        if let Some(block) = self.blocks.last_mut() {
            match &mut block.destructor {
                Some(at) => *at += 1,
                None => block.at += 1,
            }
        }
        self.settle(body);
    }

    /// The step threw: a panic, or a cancel. Unwinds towards the nearest catch; a destructor that throws is left.
    pub fn throw(&mut self, body: &[Step]) {
        if let Some(block) = self.blocks.last_mut() {
            if block.destructor.take().is_some() {
                block.armed.pop();
            }
            self.out = Some(Ending::Unwound);
        }
        self.settle(body);
    }

    /// Goes on until a step of the owner's is due, or the body has ended.
    fn settle(&mut self, body: &[Step]) {
        while let Some(block) = self.blocks.last_mut() {
            let steps = steps(body, &block.path);
            if let (Some(at), Some(&guard)) = (block.destructor, block.armed.last()) {
                if usize::from(at) < inner(steps, guard).len() {
                    return;
                }
                block.armed.pop();
                block.destructor = None;
                continue;
            }
            let next = if self.out.is_none() { steps.get(usize::from(block.at)) } else { None };
            match next {
                Some(Step::Return(value)) => self.out = Some(Ending::Returned(u64::from(*value))),
                Some(Step::Guard(_)) => {
                    block.armed.push(block.at);
                    block.at += 1;
                }
                Some(Step::Catch(_)) => {
                    let path = block.path.iter().copied().chain([block.at]).collect();
                    block.at += 1;
                    self.blocks.push(Block { path, ..Block::default() });
                }
                Some(_) => return,
                None if block.armed.is_empty() => self.close(),
                None => block.destructor = Some(0),
            }
        }
    }

    /// The innermost block is over, its destructors have run.
    fn close(&mut self) {
        let closed = self.blocks.pop();
        if self.blocks.is_empty() {
            self.out.get_or_insert(Ending::Returned(0));
        } else if self.out == Some(Ending::Unwound) {
            self.out = None;
            self.caught = closed.map(|block| block.path);
        }
    }
}

/// The steps at a path.
fn steps<'a>(body: &'a [Step], path: &[u8]) -> &'a [Step] {
    path.iter().fold(body, |steps, &at| inner(steps, at))
}

/// The steps inside a composite step.
fn inner(steps: &[Step], at: u8) -> &[Step] {
    match steps.get(usize::from(at)) {
        Some(Step::Guard(inner) | Step::Catch(inner)) => inner,
        _ => &[],
    }
}
