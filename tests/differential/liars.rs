//! Pools that lie: each is the production pool with one fault, and the comparison finds it, and shrinks it to a script
//! that a person can read.

use std::time::{Duration, Instant};

use copool::scripted::{Remote, Scripted};
use copool::spec::script::{Build, Observation, Op, Pool, Script, Seen, Step, Submission};
use copool::spec::{Cancel, Event};
use copool_model::Logged;
use copool_model::choices::Seeded;
use copool_model::compare::exact;
use copool_model::generate::{Size, script, shrunk};

/// What each liar does wrong, by its number.
const LIES: [&str; 16] = [
    "a value is one too large",
    "a wake-up is not told",
    "a queued task that is cancelled is said to have been asked to stop",
    "priorities are ignored",
    "the youngest comes first where the oldest should, and the other way round",
    "a change of max_size is ignored",
    "the clock is slow",
    "size is one too large from 2 on",
    "no stack ever fails",
    "dropping a handle cancels its task",
    "a join with a timeout waits for ever",
    "a stop has no grace",
    "keep_alive is ignored",
    "a drain is over when nothing can run at once",
    "an unpark from outside is lost",
    "a destructor does not run",
];

/// The production pool with the fault of this number.
struct Liar<const LIE: usize>(Scripted);

impl<const LIE: usize> Pool for Liar<LIE> {
    type Remote = Remote;

    fn build(build: &Build) -> Self {
        let mut build = build.clone();
        match LIE {
            4 => build.lifo = !build.lifo,
            12 => build.keep_alive = 0,
            _ => {}
        }
        Self(Scripted::build(&build))
    }

    fn apply(&mut self, op: &Op) -> Observation {
        let ignored = matches!(
            (LIE, op),
            (5, Op::SetMax(_)) | (8, Op::FailStack) | (12, Op::SetKeepAlive(_)) | (14, Op::Unpark(_))
        );
        if ignored {
            return Observation::Done;
        }
        let done = match (LIE, op) {
            (3, Op::Submit(it)) => self.0.apply(&Op::Submit(Submission { priority: None, ..it.clone() })),
            (10 | 15, Op::Submit(it)) => self.0.apply(&Op::Submit(rewritten::<LIE>(it))),
            (6, Op::Advance(time)) => self.0.apply(&Op::Advance(time.saturating_sub(1))),
            (9, Op::Detach(key)) => {
                self.0.apply(&Op::Cancel(*key));
                self.0.apply(op)
            }
            (11, Op::Stop(_)) => self.0.apply(&Op::Stop(0)),
            (13, Op::Drain) => self.0.apply(&Op::Schedule),
            _ => self.0.apply(op),
        };
        said::<LIE>(done)
    }

    fn remote(&self) -> Remote {
        self.0.remote()
    }

    fn arrive(remote: Remote) -> Self {
        Self(Scripted::arrive(remote))
    }
}

fn said<const LIE: usize>(done: Observation) -> Observation {
    match (LIE, done) {
        (0, Observation::Ended(outcome, Some(value))) if value > 0 => Observation::Ended(outcome, Some(value + 1)),
        (2, Observation::Cancel(Cancel::NeverRuns)) => Observation::Cancel(Cancel::Requested),
        (7, Observation::Numbers(mut numbers)) => {
            numbers.size += usize::from(numbers.size >= 2);
            Observation::Numbers(numbers)
        }
        (_, done) => done,
    }
}

fn rewritten<const LIE: usize>(submission: &Submission) -> Submission {
    let body = submission.body.iter().filter_map(|step| match (LIE, step) {
        (10, Step::JoinTimeout(key, _)) => Some(Step::Join(*key)),
        (15, Step::Guard(_)) => None,
        (_, step) => Some(step.clone()),
    });
    Submission { body: body.collect(), ..submission.clone() }
}

impl<const LIE: usize> Logged for Liar<LIE> {
    const NAME: &'static str = LIES[LIE];

    fn log(&self) -> Vec<Event> {
        let mut log = Logged::log(&self.0);
        if LIE == 1
            && let Some(at) = log.iter().position(|event| matches!(event, Event::TaskWoken { .. }))
        {
            log.remove(at);
        }
        log
    }

    fn seen(&self) -> Vec<Seen> {
        Logged::seen(&self.0)
    }
}

/// So many scripts may be drawn before a lie is found out.
const DRAWN: u64 = 4_000;

/// Finds a lie out; says by how many scripts, how many operations the last one has, and how long that took.
fn found<const LIE: usize>() -> (u64, usize, Duration) {
    let lies = |script: &Script| exact::<Scripted, Liar<LIE>>(script).is_err();
    let begin = Instant::now();
    let draw = |seed| (seed, script(&mut Seeded::new(seed), Size::SINGLE));
    let Some((seed, script)) = (0..DRAWN).map(draw).find(|(_, script)| lies(script)) else {
        panic!("not found out by {DRAWN} scripts: {}", LIES[LIE]);
    };
    let small = shrunk(script, lies);
    let took = begin.elapsed();
    let why = exact::<Scripted, Liar<LIE>>(&small).expect_err("it still lies");
    let ops = small.threads[0].len();
    println!(
        "{}: script {}, {ops} operations, {:.2} s\n{small}{}\n",
        LIES[LIE],
        seed + 1,
        took.as_secs_f64(),
        why.what
    );
    (seed + 1, ops, took)
}

#[test]
fn lies_are_found_out_and_shrink_to_a_few_operations() {
    let found = [
        found::<0>(),
        found::<1>(),
        found::<2>(),
        found::<3>(),
        found::<4>(),
        found::<5>(),
        found::<6>(),
        found::<7>(),
        found::<8>(),
        found::<9>(),
        found::<10>(),
        found::<11>(),
        found::<12>(),
        found::<13>(),
        found::<14>(),
        found::<15>(),
    ];
    assert_eq!(found.len(), LIES.len());
    let mut lengths: Vec<usize> = found.iter().map(|(_, ops, _)| *ops).collect();
    lengths.sort_unstable();
    println!("operations once shrunk: {lengths:?}");
    assert!(lengths[lengths.len() / 2] <= 8, "{lengths:?}");
    let slowest = found.iter().map(|(_, _, took)| *took).max().unwrap_or_default();
    assert!(slowest < Duration::from_secs(30), "the slowest took {slowest:?}");
}

#[test]
fn a_difference_explains_itself() {
    let text = "pool\nthread\n submit t0 { return 7 }\n schedule\n take t0\n";
    let script: Script = text.parse().expect("it is a script");
    let why = exact::<Scripted, Liar<0>>(&script).expect_err("it lies");
    let said = why.to_string();
    for part in ["submit t0 { return 7 }", "operation 3: the answers differ", "Some(7)", "Some(8)", "production"] {
        assert!(said.contains(part), "no `{part}` in: {said}");
    }
    assert_eq!(said.matches("sequenceDiagram").count(), 2, "{said}");
    let directory = std::env::temp_dir().join(format!("copool-{}", std::process::id()));
    let path = why.save(&directory).expect("it can be written");
    let (kept, page) = (std::fs::read_to_string(&path), std::fs::read_to_string(path.with_extension("html")));
    std::fs::remove_dir_all(&directory).expect("it was written");
    assert_eq!(kept.expect("it was saved").parse(), Ok(script));
    assert_eq!(page.expect("it was drawn").matches("<svg").count(), 2);
}
