//! The scenes that are explored, each with a sentence on why its bounds suffice, and with its exact number of states.

use super::Scene;
use crate::script::Script;
use crate::{Goal, Params, TaskId};

/// Everything at one instant, turns of two tasks, and no fairness exceptions: what most scenes need.
const PLAIN: Params = Params { exact: true, lifo: false, polls_per_turn: 2, injector_every: 0, age_every: 0, wrap: 1 };

/// Every second poll is an ageing poll, every third looks at the injector first, and the count wraps after six.
const AGEING: Params = Params { polls_per_turn: 3, injector_every: 3, age_every: 2, wrap: 24, ..PLAIN };

/// What drives are asked for, and whether they wait for it without end.
type Drives = (&'static [Goal], bool);

/// Drives run what can run, and may end at any time: at a deadline, or since what is left waits.
const HASTY: Drives = (&[Goal::Ready], false);

/// Drives end when all is done, stopped or stalled: whoever blocks must be woken.
const PATIENT: Drives = (&[Goal::Drained], true);

/// Each drive is asked for one thing or another, and those that wait do so without end.
const ANY: Drives = (&[Goal::Ready, Goal::Drained, Goal::Ended(TaskId(0)), Goal::Stopped], true);

type Row = (&'static str, &'static str, usize, Params, u32, Drives, &'static str);

/// Small scenes, one for each alternative of the diagram: seconds together, even in a debug build.
#[must_use]
pub fn small() -> Vec<Scene> {
    set(SMALL)
}

/// Large scenes, in which the alternatives meet: for a release build.
#[must_use]
pub fn large() -> Vec<Scene> {
    set(LARGE)
}

/// All scenes.
#[must_use]
pub fn all() -> Vec<Scene> {
    let mut all = small();
    all.extend(large());
    all
}

fn set(rows: &[Row]) -> Vec<Scene> {
    let scene = |&(name, why, states, params, seats, (goals, patient), script): &Row| {
        let script: Script = script.parse().unwrap_or_else(|wrong| panic!("scene {name}: {wrong}"));
        Scene { name, why, states, params, seats, goals, patient, script }
    };
    rows.iter().map(scene).collect()
}

const SMALL: &[Row] = &[
    (
        "one seat",
        "two workers and two tasks show each hand-over between suspending, ending and creating; a third would only wait",
        131,
        PLAIN,
        1,
        HASTY,
        "pool max 2\nthread\n submit t0 { suspend; submit t1 { suspend } }",
    ),
    (
        "turns",
        "three tasks are one more than a turn of two, so that a worker must go to the back",
        652,
        PLAIN,
        1,
        HASTY,
        "pool max 2\nthread\n submit t0 { submit t1 { }; submit t2 { }; suspend }",
    ),
    (
        "two seats, one worker",
        "max_size 1 makes every hand-over of the count between seats visible; two tasks keep both seats interested",
        9937,
        PLAIN,
        2,
        HASTY,
        "pool max 1\nthread\n submit t0 { suspend }\n submit t1 { }",
    ),
    (
        "two seats, two workers",
        "one task that submits another is stolen from, or is not; both seats run at once, and every wake-up is needed",
        61257,
        PLAIN,
        2,
        PATIENT,
        "pool max 2\nthread\n submit t0 { submit t1 { }; suspend }",
    ),
    (
        "panic and replacement",
        "one worker errs while another task waits: replaced, or the other seat takes the count first",
        10765,
        PLAIN,
        2,
        HASTY,
        "pool max 1\nthread\n submit t0 { panic }\nthread\n submit t1 { panic }",
    ),
    (
        "min_size and keep-alive",
        "one worker above min_size leaves or stays, and the limits change while it decides",
        1077,
        PLAIN,
        1,
        HASTY,
        "pool min 1 max 2\nthread\n submit t0 { suspend }\n set-min 0\nthread\n submit t1 { }",
    ),
    (
        "cancel",
        "one task is cancelled at any time of its life, by a thread and by another task",
        2084,
        PLAIN,
        1,
        PATIENT,
        "pool max 2\nthread\n submit t0 { suspend; park }\n submit t1 { cancel t0 }\n cancel t0\n cancel t1",
    ),
    (
        "order and ageing",
        "one task in each place of the order and some more to starve; the count of polls wraps within the run",
        2462,
        AGEING,
        1,
        HASTY,
        "pool max 1\nthread\n submit t0 priority 5 { submit t4 { } }\n submit t1 priority -1 { }\n submit t2 { }\n \
         submit t3 priority -1 { submit t5 priority -2 { } }",
    ),
    (
        "every poll ages",
        "four tasks in the four places that an ageing poll looks at in turn, until the count of polls wraps",
        933,
        Params { age_every: 1, injector_every: 0, wrap: 4, ..AGEING },
        1,
        HASTY,
        "pool max 1\nthread\n submit t0 priority 5 { submit t3 { } }\n submit t1 priority -1 { }\n submit t2 { }",
    ),
    (
        "system calls and timers",
        "one task in each kind of timed or foreign wait, on as many workers, and no deadline to hide a lost wake-up",
        3130,
        PLAIN,
        1,
        PATIENT,
        "pool max 2\nthread\n submit t0 { syscall; delay 1 }\n submit t1 { delay 2 }\n cancel t1",
    ),
    (
        "parks and wake-ups",
        "two tasks wake each other on two seats, whichever parks first",
        35331,
        PLAIN,
        2,
        PATIENT,
        "pool max 2\nthread\n submit t0 { park; unpark t1 }\n submit t1 { unpark t0; park }",
    ),
    (
        "joins and a stall",
        "one worker waits for a task that needs a worker: stalled, until the limit is raised",
        239,
        PLAIN,
        1,
        PATIENT,
        "pool max 1\nthread\n submit t0 { submit t1 { }; join t1 }\n set-max 2",
    ),
    (
        "stop during work",
        "a task that runs, one that is queued and one that comes late, against a stop with any deadline",
        7670,
        PLAIN,
        1,
        HASTY,
        "pool max 1\nthread\n submit t0 { suspend; submit t2 { } }\n submit t1 { }\nthread\n stop 1",
    ),
    (
        "seats come and leave",
        "a seat comes, runs what it stole or was given, and leaves at any time with whatever it holds",
        12648,
        PLAIN,
        1,
        HASTY,
        "pool max 1\nthread\n attach\n submit t0 { suspend }\n submit t1 { }\n leave",
    ),
    (
        "no stack",
        "a stack cannot be had, at any time, for the first of two tasks or for the second",
        1486,
        PLAIN,
        1,
        HASTY,
        "pool max 2\nthread\n submit t0 { suspend }\n submit t1 { }\nthread\n fail-stack",
    ),
    (
        "each kind of drive",
        "one task to wait for and one that is late, so that no kind of drive ends when another does",
        1717,
        PLAIN,
        1,
        ANY,
        "pool max 1\nthread\n submit t0 { suspend }\n submit t1 { }\n stop 18446744073709551615",
    ),
];

const LARGE: &[Row] = &[
    (
        "two stops, two seats",
        "two threads stop a pool of two seats, one at once and one with all the time in the world",
        75930,
        PLAIN,
        2,
        HASTY,
        "pool max 1\nthread\n submit t0 { suspend }\n stop 18446744073709551615\nthread\n stop 0",
    ),
    (
        "three seats, one worker",
        "a third seat shows that two contenders do not lose the count between them",
        337589,
        PLAIN,
        3,
        PATIENT,
        "pool max 1\nthread\n submit t0 { suspend }\n submit t1 { }",
    ),
    (
        "two seats, three tasks",
        "one task more than workers, two of them suspended at once: each seat's FIFO holds more than one",
        306703,
        PLAIN,
        2,
        PATIENT,
        "pool max 2\nthread\n submit t0 { suspend }\n submit t1 { suspend }\n submit t2 { }",
    ),
    (
        "stop, panic and suspension",
        "all 27 arrows meet: a worker errs, one is suspended, and the pool is stopped at any time",
        1400486,
        PLAIN,
        2,
        PATIENT,
        "pool max 2\nthread\n submit t0 { suspend; panic }\n submit t1 { }\nthread\n stop 1",
    ),
    (
        "cancel against start, two seats",
        "a cancel from outside against the start, the park and the panic of two tasks on two seats",
        368198,
        PLAIN,
        2,
        PATIENT,
        "pool max 2\nthread\n submit t0 { suspend; park }\n submit t1 { panic }\n cancel t0\nthread\n cancel t1",
    ),
    (
        "timer against cancel, two seats",
        "a delay is cancelled while its timer fires, and a system call goes on beside it",
        470177,
        PLAIN,
        2,
        PATIENT,
        "pool max 2\nthread\n submit t0 { syscall }\n submit t1 { delay 2 }\n cancel t1",
    ),
    (
        "leave against stop",
        "a seat comes and leaves with what it holds while the pool is stopped under it",
        66201,
        PLAIN,
        1,
        HASTY,
        "pool max 1\nthread\n attach\n submit t0 { submit t1 { }; park }\n leave\nthread\n stop 0",
    ),
    (
        "ageing on two seats",
        "two seats count their polls apart, and tasks of four priorities overtake each other",
        82661,
        AGEING,
        2,
        PATIENT,
        "pool max 1\nthread\n submit t0 priority 5 { submit t2 { } }\n \
         submit t1 priority -1 { submit t3 priority -2 { } }",
    ),
    (
        "join and min_size, two seats",
        "a join across seats, a worker that min_size keeps, and a max_size that sinks below the count",
        72396,
        PLAIN,
        2,
        PATIENT,
        "pool min 1 max 2\nthread\n submit t0 { submit t1 { }; join t1 }\n set-max 1",
    ),
    (
        "each kind of drive, two seats",
        "what one seat waits for the other may bring, whatever that was asked for, and each must be woken in time",
        368453,
        PLAIN,
        2,
        ANY,
        "pool max 1\nthread\n submit t0 { suspend }\n submit t1 { }\n stop 18446744073709551615",
    ),
];
