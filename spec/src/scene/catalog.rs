//! The scenes that are explored, each with a sentence on why its bounds suffice.

use super::Scene;
use crate::script::Script;
use crate::state::Params;

/// Everything at one instant, turns of two tasks, and no fairness exceptions: what most scenes need.
const PLAIN: Params = Params { exact: true, lifo: false, polls_per_turn: 2, injector_every: 0, age_every: 0, wrap: 1 };

/// All scenes, in the order in which the diagram's alternatives first matter.
///
/// # Panics
/// If a scene's own text is wrong, which a test would show.
#[must_use]
pub fn all() -> Vec<Scene> {
    let scene = |name, why, params, seats, patient, script: &str| {
        let script: Script = script.parse().unwrap_or_else(|wrong| panic!("scene {name}: {wrong}"));
        Scene { name, why, params, seats, patient, script }
    };
    let age = Params { polls_per_turn: 3, injector_every: 3, age_every: 2, wrap: 6, ..PLAIN };
    vec![
        scene(
            "one seat",
            "a worker's life has one seat; two workers and two tasks show each hand-over between suspending, ending and \
             creating, and a third task would only wait",
            PLAIN,
            1,
            false,
            "pool max 2\nthread\n submit t0 { suspend; submit t1 { suspend } }",
        ),
        scene(
            "turns",
            "three tasks that end at once are one more than a turn of two, so that a worker must go to the back",
            PLAIN,
            1,
            false,
            "pool max 2\nthread\n submit t0 { submit t1 { }; submit t2 { }; suspend }",
        ),
        scene(
            "two seats, one worker",
            "max_size 1 makes every hand-over of the count between seats visible; two tasks keep both seats interested",
            PLAIN,
            2,
            false,
            "pool max 1\nthread\n submit t0 { suspend }\n submit t1 { }",
        ),
        scene(
            "two seats, two workers",
            "one task that submits another is stolen from, or is not; both seats run at once, and no drive has a deadline, \
             so that every wake-up is needed",
            PLAIN,
            2,
            true,
            "pool max 2\nthread\n submit t0 { submit t1 { }; suspend }",
        ),
        scene(
            "panic and replacement",
            "one worker errs while another task waits: replaced, or the other seat's worker takes the count first",
            PLAIN,
            2,
            false,
            "pool max 1\nthread\n submit t0 { panic }\nthread\n submit t1 { panic }",
        ),
        scene(
            "min_size and keep-alive",
            "one worker above min_size: it leaves or stays, and the limits change while it decides",
            PLAIN,
            1,
            false,
            "pool min 1 max 2\nthread\n submit t0 { suspend }\n set-min 0\nthread\n submit t1 { }",
        ),
        scene(
            "cancel",
            "one task that is cancelled at any time of its life, by a thread and by another task",
            PLAIN,
            1,
            true,
            "pool max 2\nthread\n submit t0 { suspend; park }\n submit t1 { cancel t0 }\n cancel t0\n cancel t1",
        ),
        scene(
            "order and ageing",
            "one task in each place of the order and one more to starve; a poll count that wraps within the run",
            age,
            1,
            false,
            "pool max 1\nthread\n submit t0 priority 5 { submit t4 { } }\n submit t1 priority -1 { }\n \
             submit t2 { }\n submit t3 priority -1 { submit t5 priority -2 { } }",
        ),
        scene(
            "system calls and timers",
            "one task in each kind of wait, on as many workers, and no deadline that would hide a lost wake-up",
            PLAIN,
            1,
            true,
            "pool max 2\nthread\n submit t0 { syscall; delay 1 }\n submit t1 { delay 2 }\n cancel t1",
        ),
        scene(
            "parks and wake-ups",
            "two tasks that wake each other on two seats, whichever parks first",
            PLAIN,
            2,
            true,
            "pool max 2\nthread\n submit t0 { park; unpark t1 }\n submit t1 { unpark t0; park }",
        ),
        scene(
            "joins and a stall",
            "one worker waits for a task that needs a worker: it stalls, until the limit is raised",
            PLAIN,
            1,
            true,
            "pool max 1\nthread\n submit t0 { submit t1 { }; join t1 }\n set-max 2",
        ),
        scene(
            "stop during work",
            "a task that runs, one that is queued and one that comes late, against a stop with any deadline",
            PLAIN,
            1,
            false,
            "pool max 2\nthread\n submit t0 { suspend; submit t2 { } }\n submit t1 { }\nthread\n stop 1",
        ),
        scene(
            "two stops, two seats",
            "two threads stop a pool of two seats, one with all the time in the world",
            PLAIN,
            2,
            false,
            "pool max 1\nthread\n submit t0 { suspend }\n stop 18446744073709551615\nthread\n stop 0",
        ),
        scene(
            "seats come and leave",
            "a seat comes, runs what it stole or was given, and leaves at any time with whatever it holds",
            PLAIN,
            1,
            false,
            "pool max 1\nthread\n attach\n submit t0 { suspend }\n submit t1 { }\n leave",
        ),
        scene(
            "no stack",
            "a stack that cannot be had, at any time, for one task that needs one",
            PLAIN,
            1,
            false,
            "pool max 2\nthread\n submit t0 { suspend }\n submit t1 { }\nthread\n fail-stack",
        ),
        scene("L1", "two", PLAIN, 2, false, "pool max 2\nthread\n submit t0 { submit t1 { }; suspend }"),
        scene("L2", "two", PLAIN, 3, true, "pool max 1\nthread\n submit t0 { suspend }\n submit t1 { }"),
        scene("L2b", "two", PLAIN, 3, false, "pool max 1\nthread\n submit t0 { suspend }"),
        scene(
            "L3",
            "two",
            PLAIN,
            2,
            true,
            "pool max 2\nthread\n submit t0 { suspend; panic }\n submit t1 { }\nthread\n stop 1",
        ),
        scene(
            "L4",
            "two",
            PLAIN,
            2,
            true,
            "pool max 2\nthread\n submit t0 { suspend; park }\n submit t1 { panic }\n cancel t0\nthread\n cancel t1",
        ),
        scene(
            "L5",
            "two",
            PLAIN,
            2,
            true,
            "pool max 2\nthread\n submit t0 { syscall }\n submit t1 { delay 2 }\n cancel t1",
        ),
        scene(
            "L6",
            "two",
            PLAIN,
            1,
            false,
            "pool max 2\nthread\n attach\n submit t0 { submit t1 { }; park }\n leave\nthread\n stop 0",
        ),
        scene(
            "L7",
            "two",
            PLAIN,
            2,
            true,
            "pool min 1 max 2\nthread\n submit t0 { submit t1 { }; join t1 }\n set-max 1",
        ),
        scene(
            "L8",
            "two",
            age,
            2,
            true,
            "pool max 1\nthread\n submit t0 priority 5 { submit t2 { } }\n submit t1 priority -1 { submit t3 priority -2 { } }",
        ),
        scene(
            "L9",
            "two",
            PLAIN,
            2,
            true,
            "pool max 2\nthread\n submit t0 { suspend }\n submit t1 { suspend }\n submit t2 { }",
        ),
    ]
}
