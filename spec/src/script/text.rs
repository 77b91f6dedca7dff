//! The text form of scripts: one operation a line, bodies in braces. What is printed parses back to the same script.
//!
//! ```text
//! pool min 0 max 2 keep-alive 0 helpers 1
//! thread
//!   submit t0 name first priority -1 { suspend; submit t1 { return 2 }; join t1; return 1 }
//!   schedule-for 10
//!   drain
//! ```
//! Times are in nanoseconds. `#` begins a comment.

use core::fmt;
use core::str::FromStr;

use super::{Build, Key, Op, Script, Step, Submission};
use crate::Tick;

/// Why a text is not a script.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ParseError {
    /// The line, counted from 1.
    pub line: usize,
    /// What is wrong with it.
    pub what: String,
}

impl fmt::Display for ParseError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "line {}: {}", self.line, self.what)
    }
}

impl std::error::Error for ParseError {}

/// Writes and parses an enum whose variants have at most plain arguments: one table for both directions.
macro_rules! words {
    ($kind:ident, $($word:literal = $variant:ident $(($($arg:ident),*))?;)*) => {
        impl $kind {
            fn write_word(&self, f: &mut fmt::Formatter<'_>) -> Option<fmt::Result> {
                match self {
                    $($kind::$variant $(($($arg),*))? => Some((|| {
                        f.write_str($word)?;
                        $($(write!(f, " {}", $arg)?;)*)?
                        Ok(())
                    })()),)*
                    _ => None,
                }
            }

            fn parse_word(word: &str, text: &mut Words<'_>) -> Result<Option<Self>, String> {
                match word {
                    $($word => Ok(Some($kind::$variant $(($({ let $arg = text.parse()?; $arg }),*))?)),)*
                    _ => Ok(None),
                }
            }
        }
    };
}

words! { Step,
    "return" = Return(value);
    "panic" = Panic;
    "suspend" = Suspend;
    "checkpoint" = Checkpoint;
    "work" = Work(time);
    "delay" = Delay(time);
    "park" = Park;
    "park-timeout" = ParkTimeout(time);
    "unpark" = Unpark(key);
    "local" = Local;
    "syscall" = Syscall;
    "syscall-panic" = SyscallPanic;
    "cancel" = Cancel(key);
    "join" = Join(key);
    "join-timeout" = JoinTimeout(key, time);
    "set-max" = SetMax(limit);
    "stop" = Stop(grace);
}

words! { Op,
    "look" = Look;
    "schedule" = Schedule;
    "schedule-for" = ScheduleFor(time);
    "schedule-until" = ScheduleUntil(deadline);
    "drain" = Drain;
    "drain-for" = DrainFor(time);
    "wait" = Wait(key);
    "serve" = Serve;
    "advance" = Advance(time);
    "take" = Take(key);
    "detach" = Detach(key);
    "cancel" = Cancel(key);
    "unpark" = Unpark(key);
    "join" = Join(key);
    "join-timeout" = JoinTimeout(key, time);
    "set-min" = SetMin(limit);
    "set-max" = SetMax(limit);
    "set-keep-alive" = SetKeepAlive(time);
    "fail-stack" = FailStack;
    "fail-thread" = FailThread;
    "attach" = Attach;
    "leave" = Leave;
    "stop" = Stop(grace);
}

impl fmt::Display for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "t{}", self.0)
    }
}

impl FromStr for Key {
    type Err = String;

    fn from_str(text: &str) -> Result<Key, String> {
        let number = text.strip_prefix('t').and_then(|number| number.parse().ok());
        number.map(Key).ok_or_else(|| format!("`{text}` is not a task"))
    }
}

impl fmt::Display for Tick {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0)
    }
}

impl FromStr for Tick {
    type Err = std::num::ParseIntError;

    fn from_str(text: &str) -> Result<Tick, Self::Err> {
        text.parse().map(Tick)
    }
}

struct Block<'a>(&'a [Step]);

impl fmt::Display for Block<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("{")?;
        for (at, step) in self.0.iter().enumerate() {
            write!(f, "{} {step}", if at == 0 { "" } else { ";" })?;
        }
        f.write_str(" }")
    }
}

impl fmt::Display for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Step::Submit(submission) => write!(f, "submit {submission}"),
            Step::Guard(steps) => write!(f, "guard {}", Block(steps)),
            Step::Catch(steps) => write!(f, "catch {}", Block(steps)),
            simple => simple.write_word(f).unwrap_or(Err(fmt::Error)),
        }
    }
}

impl fmt::Display for Submission {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.key)?;
        if let Some(name) = &self.name {
            write!(f, " name {name}")?;
        }
        if let Some(priority) = self.priority {
            write!(f, " priority {priority}")?;
        }
        write!(f, " {}", Block(&self.body))
    }
}

impl fmt::Display for Op {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Op::Submit(submission) => write!(f, "submit {submission}"),
            simple => simple.write_word(f).unwrap_or(Err(fmt::Error)),
        }
    }
}

impl fmt::Display for Build {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Build { min, max, keep_alive, slice, helpers, lifo, auto } = self;
        write!(f, "pool min {min} max {max} keep-alive {keep_alive} helpers {helpers}")?;
        if let Some(slice) = slice {
            write!(f, " slice {slice}")?;
        }
        f.write_str(if *lifo { " lifo" } else { "" })?;
        f.write_str(if *auto { " auto" } else { "" })
    }
}

impl fmt::Display for Script {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{}", self.build)?;
        for thread in &self.threads {
            writeln!(f, "thread")?;
            for op in thread {
                writeln!(f, "  {op}")?;
            }
        }
        Ok(())
    }
}

/// The words that are still to be read.
struct Words<'a>(core::iter::Peekable<std::vec::IntoIter<&'a str>>);

impl<'a> Words<'a> {
    fn new(line: &'a str) -> Words<'a> {
        let line = line.split('#').next().unwrap_or("");
        let mut words = Vec::new();
        for word in line.split_whitespace() {
            let mut rest = word;
            while let Some(at) = rest.find(['{', '}', ';']) {
                words.extend([&rest[..at], &rest[at..=at]].into_iter().filter(|w| !w.is_empty()));
                rest = &rest[at + 1..];
            }
            words.extend(Some(rest).filter(|w| !w.is_empty()));
        }
        Words(words.into_iter().peekable())
    }

    fn word(&mut self) -> Result<&'a str, String> {
        self.0.next().ok_or_else(|| "the line ends too early".to_owned())
    }

    fn parse<T: FromStr>(&mut self) -> Result<T, String> {
        let word = self.word()?;
        word.parse().map_err(|_| format!("`{word}` is not what belongs here"))
    }

    fn skip(&mut self, word: &str) -> bool {
        self.0.next_if(|next| *next == word).is_some()
    }

    fn expect(&mut self, word: &str) -> Result<(), String> {
        let found = self.word()?;
        if found == word { Ok(()) } else { Err(format!("`{found}` where `{word}` belongs")) }
    }

    fn block(&mut self, depth: u8) -> Result<Vec<Step>, String> {
        let depth = depth.checked_add(1).filter(|d| *d <= 32).ok_or("nested too deeply")?;
        self.expect("{")?;
        let mut steps = Vec::new();
        while !self.skip("}") {
            steps.push(self.step(depth)?);
            if !self.skip(";") {
                self.expect("}")?;
                break;
            }
        }
        Ok(steps)
    }

    fn step(&mut self, depth: u8) -> Result<Step, String> {
        match self.word()? {
            "submit" => Ok(Step::Submit(Box::new(self.submission(depth)?))),
            "guard" => Ok(Step::Guard(self.block(depth)?)),
            "catch" => Ok(Step::Catch(self.block(depth)?)),
            word => Step::parse_word(word, self)?.ok_or_else(|| format!("no step is called `{word}`")),
        }
    }

    fn submission(&mut self, depth: u8) -> Result<Submission, String> {
        let key = self.parse()?;
        let name = if self.skip("name") { Some(self.word()?.to_owned()) } else { None };
        let priority = if self.skip("priority") { Some(self.parse()?) } else { None };
        Ok(Submission { key, name, priority, body: self.block(depth)? })
    }

    fn op(&mut self) -> Result<Op, String> {
        match self.word()? {
            "submit" => Ok(Op::Submit(self.submission(0)?)),
            word => Op::parse_word(word, self)?.ok_or_else(|| format!("no operation is called `{word}`")),
        }
    }

    fn build(&mut self) -> Result<Build, String> {
        let mut build = Build::default();
        while let Some(word) = self.0.next() {
            match word {
                "min" => build.min = self.parse()?,
                "max" => build.max = self.parse()?,
                "keep-alive" => build.keep_alive = self.parse()?,
                "helpers" => build.helpers = self.parse()?,
                "slice" => build.slice = Some(self.parse()?),
                "lifo" => build.lifo = true,
                "auto" => build.auto = true,
                _ => return Err(format!("no setting of a pool is called `{word}`")),
            }
        }
        Ok(build)
    }
}

impl FromStr for Op {
    type Err = String;

    fn from_str(line: &str) -> Result<Op, String> {
        let mut words = Words::new(line);
        let op = words.op()?;
        words.0.next().map_or(Ok(op), |word| Err(format!("`{word}` is too much")))
    }
}

impl FromStr for Script {
    type Err = ParseError;

    fn from_str(text: &str) -> Result<Script, ParseError> {
        let mut script = Script::default();
        for (number, line) in text.lines().enumerate() {
            let wrong = |what| ParseError { line: number + 1, what };
            let mut words = Words::new(line);
            if words.skip("pool") {
                script.build = words.build().map_err(wrong)?;
            } else if words.skip("thread") {
                script.threads.push(Vec::new());
            } else if words.0.peek().is_some() {
                let op = words.op().map_err(wrong)?;
                let thread = script.threads.last_mut();
                thread.ok_or_else(|| wrong("an operation before the first `thread`".to_owned()))?.push(op);
            }
            if let Some(word) = words.0.next() {
                return Err(wrong(format!("`{word}` is too much")));
            }
        }
        script.check().map_err(|what| ParseError { line: 0, what })?;
        Ok(script)
    }
}
