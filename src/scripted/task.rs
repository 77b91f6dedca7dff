//! A script's task from the inside: each step is the call of that name.

use std::cell::Cell;

use copool_spec::script::{Inside, Key, Observation, Refusal, Step, Submission, run_body};

use super::answer::{join, limit, nanos, unpark};
use super::{ScriptedPanic, Seen, World};
use crate::sync::catch;
use crate::{CoroutineLocal, TaskRef};

/// What [`Step::Local`] counts in.
static COUNTER: CoroutineLocal<Cell<u64>> = CoroutineLocal::new(|| Cell::new(0));

/// What a submission runs.
pub(super) fn body(world: World, submission: &Submission) -> impl FnOnce() -> u64 + Send + 'static {
    let (key, steps) = (submission.key, submission.body.clone());
    move || {
        // Before others ask for it by its key, though its submitter may not have got the handle yet.
        world.keep(key, crate::current());
        run_body(&steps, &Within { world, key })
    }
}

/// The pool, as the task of this key sees it.
struct Within {
    world: World,
    key: Key,
}

impl Within {
    fn on(&self, key: Key, f: impl FnOnce(&TaskRef) -> Observation) -> Observation {
        let itself = || if key == self.key { crate::current() } else { None };
        match self.world.task(key).or_else(itself) {
            Some(task) => f(&task),
            None => Observation::Refused(Refusal::NoSuchTask),
        }
    }

    fn payload(&self) -> ScriptedPanic {
        ScriptedPanic(format!("{} panics, as its script says", self.key))
    }
}

impl Inside for Within {
    fn perform(&self, step: &Step) -> Observation {
        match step {
            Step::Suspend => crate::suspend(),
            Step::Checkpoint => crate::checkpoint(),
            Step::Delay(time) => crate::delay(nanos(*time)),
            Step::Park => crate::park(),
            Step::ParkTimeout(time) => crate::park_timeout(nanos(*time)),
            Step::Syscall => crate::syscall("script", || ()),
            Step::SyscallPanic => crate::syscall("script", || self.payload().raise()),
            Step::Work(time) => return self.world.advance(*time),
            Step::Unpark(key) => return self.on(*key, unpark),
            Step::Local => {
                let count = COUNTER.with(|counter| {
                    counter.set(counter.get() + 1);
                    counter.get()
                });
                return Observation::Local(count.expect("a step runs in a task"));
            }
            Step::Submit(submission) => return self.world.submit(submission),
            Step::Cancel(key) => return self.on(*key, |task| Observation::Cancel(task.cancel())),
            Step::Join(key) => return self.on(*key, |task| join(task, None)),
            Step::JoinTimeout(key, time) => return self.on(*key, |task| join(task, Some(nanos(*time)))),
            Step::SetMax(max) => return limit(self.world.handle.set_max_size(*max)),
            Step::Stop(grace) => return self.world.stop(*grace),
            Step::Return(_) | Step::Panic | Step::Guard(_) | Step::Catch(_) => {
                unreachable!("the interpreter does these itself")
            }
        }
        Observation::Done
    }

    fn seen(&self, step: &Step, observation: Observation) {
        self.world.kept.seen.lock().push(Seen { key: self.key, step: step.clone(), observation });
    }

    fn panic(&self) -> ! {
        self.payload().raise()
    }

    fn catch(&self, body: &mut dyn FnMut()) -> bool {
        catch(body).is_err()
    }
}
