//! The script language: its text form round-trips, and its two interpreters agree.

use std::cell::RefCell;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};

use copool_spec::Tick;
use copool_spec::script::{Build, Ending, Inside, Key, Machine, Observation, Op, Script, Step, Submission, run_body};

fn everything() -> Script {
    let inner = Submission { key: Key(1), name: None, priority: Some(i64::MIN), body: vec![Step::Panic] };
    let body = vec![
        Step::Guard(vec![Step::Suspend, Step::Syscall]),
        Step::Checkpoint,
        Step::Work(3),
        Step::Delay(5),
        Step::Park,
        Step::ParkTimeout(7),
        Step::Unpark(Key(0)),
        Step::Local,
        Step::SyscallPanic,
        Step::Submit(Box::new(inner)),
        Step::Cancel(Key(1)),
        Step::Catch(vec![Step::Join(Key(1)), Step::Catch(vec![])]),
        Step::JoinTimeout(Key(1), 9),
        Step::SetMax(3),
        Step::Stop(1),
        Step::Return(255),
    ];
    let submission = Submission { key: Key(0), name: Some("a-name_1".into()), priority: Some(-1), body };
    let ops = vec![
        Op::Look,
        Op::Submit(submission),
        Op::Schedule,
        Op::ScheduleFor(1),
        Op::ScheduleUntil(Tick(2)),
        Op::Drain,
        Op::DrainFor(3),
        Op::Wait(Key(0)),
        Op::Serve,
        Op::Advance(u64::MAX),
        Op::Take(Key(0)),
        Op::Detach(Key(0)),
        Op::Cancel(Key(0)),
        Op::Unpark(Key(0)),
        Op::Join(Key(0)),
        Op::JoinTimeout(Key(0), 4),
        Op::SetMin(0),
        Op::SetMax(9),
        Op::SetKeepAlive(8),
        Op::FailStack,
        Op::FailThread,
        Op::Attach,
        Op::Leave,
        Op::Stop(0),
    ];
    let build = Build { min: 1, max: 3, keep_alive: 4, slice: Some(5), helpers: 0, lifo: true, auto: true };
    Script { build, threads: vec![ops, vec![], vec![Op::Submit(Submission { key: Key(2), ..Default::default() })]] }
}

#[test]
fn the_text_form_round_trips() {
    let script = everything();
    let text = script.to_string();
    assert_eq!(text.parse::<Script>().as_ref(), Ok(&script), "{text}");
    assert_eq!(script.submissions().len(), 3);
}

#[test]
fn a_wrong_text_names_its_line() {
    let wrong = |text: &str| text.parse::<Script>().unwrap_err().to_string();
    assert_eq!(wrong("pool\nthread\n  jump"), "line 3: no operation is called `jump`");
    assert_eq!(wrong("thread\n  submit t0 { fly }"), "line 2: no step is called `fly`");
    assert_eq!(wrong("thread\n  submit t0 { return"), "line 2: the line ends too early");
    assert_eq!(wrong("thread\n  advance x"), "line 2: `x` is not what belongs here");
    assert_eq!(wrong("thread\n  drain drain"), "line 2: `drain` is too much");
    assert_eq!(wrong("drain"), "line 1: an operation before the first `thread`");
    let twice = "thread\n submit t0 {}\n submit t0 {}";
    assert_eq!(wrong(twice), "line 0: two submissions share the key t0");
    assert_eq!(wrong("thread\n submit t0 { guard { panic } }"), "line 0: `panic` in a destructor");
}

/// A task on the test's own stack: every `park` throws, the rest is only noted.
#[derive(Default)]
struct Noted(RefCell<Vec<Step>>);

struct Thrown;

impl Inside for Noted {
    fn perform(&self, step: &Step) -> Observation {
        self.0.borrow_mut().push(step.clone());
        if *step == Step::Park && !std::thread::panicking() {
            resume_unwind(Box::new(Thrown));
        }
        Observation::Done
    }

    fn seen(&self, step: &Step, observation: Observation) {
        if observation == Observation::Caught {
            self.0.borrow_mut().push(step.clone());
        }
    }

    fn panic(&self) -> ! {
        resume_unwind(Box::new(Thrown))
    }

    fn catch(&self, body: &mut dyn FnMut()) -> bool {
        catch_unwind(AssertUnwindSafe(body)).is_err()
    }
}

fn on_a_stack(body: &[Step]) -> (Vec<Step>, Ending) {
    let noted = Noted::default();
    let ending = catch_unwind(AssertUnwindSafe(|| run_body(body, &noted)));
    (noted.0.into_inner(), ending.map_or(Ending::Unwound, Ending::Returned))
}

fn without_a_stack(body: &[Step]) -> (Vec<Step>, Ending) {
    let mut machine = Machine::new(body);
    let mut noted = Vec::new();
    loop {
        if let Some(step) = machine.take_caught(body) {
            noted.push(step.clone());
        }
        let Some(step) = machine.step(body) else { break };
        if *step != Step::Panic {
            noted.push(step.clone());
        }
        if *step == Step::Panic || *step == Step::Park && !machine.unwinding() {
            machine.throw(body);
        } else {
            machine.advance(body);
        }
    }
    (noted, machine.ending().expect("no step is due"))
}

#[test]
fn both_interpreters_run_a_body_alike() {
    let bodies = [
        "{ }",
        "{ suspend; return 3; local }",
        "{ panic; local }",
        "{ guard { local; suspend }; delay 1; return 4 }",
        "{ guard { local; park; suspend }; park; return 4 }",
        "{ guard { park; suspend }; guard { local }; return 4 }",
        "{ catch { suspend; park; local }; return 5 }",
        "{ catch { guard { local; park; delay 2 }; panic }; suspend }",
        "{ catch { guard { local }; return 6 }; suspend }",
        "{ guard { syscall }; catch { catch { panic }; guard { suspend }; local }; panic }",
        "{ catch { guard { park; local }; guard { suspend }; delay 3 }; checkpoint; return 7 }",
    ];
    for text in bodies {
        let script: Script = format!("thread\n submit t0 {text}").parse().expect(text);
        let body = &script.submissions()[0].body;
        assert_eq!(on_a_stack(body), without_a_stack(body), "{text}");
    }
}
