//! Scripts written by hand, each for one part of the diagram.

use std::fmt::Write;

/// A name and a script's text.
pub(crate) type Entry = (&'static str, String);

const WRITTEN: &[(&str, &str)] = &[
    ("nothing to do, and a refused drive", "pool\nthread\n schedule\n stop 0\n schedule\n drain\n submit t0 {}"),
    ("one task returns", "pool\nthread\n submit t0 { return 7 }\n schedule\n take t0\n take t0"),
    ("two tasks take turns", "pool max 2\nthread\n submit t0 { suspend; suspend }\n submit t1 { suspend }\n drain"),
    ("a suspended task gets a successor", "pool max 3\nthread\n submit t0 { park }\n submit t1 { unpark t0 }\n drain"),
    (
        "a panic, and the worker is recreated",
        "pool max 1\nthread\n submit t0 { panic }\n submit t1 {}\n drain\n take t0",
    ),
    (
        "workers of min_size stay, surplus ones leave",
        "pool min 1 max 3 keep-alive 5\nthread\n submit t0 { suspend }\n submit t1 { suspend }\n submit t2 {}\n schedule\n \
         advance 10\n schedule\n set-min 0\n schedule\n look",
    ),
    (
        "timers in their order, on a clock that stands",
        "pool max 3\nthread\n submit t0 { delay 5 }\n submit t1 { delay 3 }\n submit t2 { park-timeout 4 }\n drain\n advance 3\n \
         drain\n advance 9\n drain",
    ),
    ("timers on a clock that jumps", "pool max 2 auto\nthread\n submit t0 { delay 5 }\n submit t1 { delay 3 }\n drain"),
    (
        "deadlines: of a call, of a drain, in the past",
        "pool max 2 keep-alive 9\nthread\n submit t0 { work 4; suspend; work 4 }\n submit t1 {}\n schedule-for 2\n \
         schedule-until 0\n drain-for 3\n drain",
    ),
    (
        "cancels: queued, suspended, running, ended",
        "pool max 2\nthread\n submit t0 { park }\n submit t1 { cancel t1; suspend }\n schedule\n submit t2 {}\n cancel t2\n \
         cancel t0\n cancel t2\n drain\n take t0\n take t1\n take t2",
    ),
    (
        "system calls, one that panics, one that is cancelled",
        "pool max 3\nthread\n submit t0 { syscall }\n submit t1 { catch { syscall-panic }; return 1 }\n submit t2 { cancel t2; \
         syscall }\n drain",
    ),
    (
        "joins, a join of itself, a join with a timeout",
        "pool max 3\nthread\n submit t0 { join t1; join t0 }\n submit t1 { join-timeout t2 2 }\n submit t2 { delay 9 }\n \
         schedule\n advance 5\n schedule\n advance 5\n drain\n join t0",
    ),
    (
        "a stall, resolved by a larger max_size",
        "pool max 1\nthread\n submit t0 { submit t1 {}; join t1 }\n drain\n set-max 2\n drain",
    ),
    (
        "urgent before usual before late",
        "pool max 1\nthread\n submit t0 priority 5 {}\n submit t1 {}\n submit t2 priority -5 {}\n submit t3 priority -5 {}\n drain",
    ),
    ("the youngest first", "pool max 1 lifo\nthread\n submit t0 {}\n submit t1 { submit t2 {} }\n drain"),
    (
        "a slice that is used up",
        "pool max 2 slice 3\nthread\n submit t0 { checkpoint; work 5; checkpoint }\n submit t1 {}\n drain",
    ),
    (
        "a stop abandons what waits, and unwinds it",
        "pool max 2\nthread\n submit t0 { guard { local; suspend }; park }\n submit t1 {}\n submit t2 { delay 5 }\n schedule\n \
         submit t3 {}\n stop 0\n schedule\n schedule\n look",
    ),
    (
        "a stop with grace lets them finish",
        "pool max 2 auto\nthread\n submit t0 { delay 5 }\n submit t1 {}\n schedule\n stop 9\n look",
    ),
    (
        "a stop from inside",
        "pool max 2\nthread\n submit t0 { stop 5 }\n submit t1 { suspend }\n schedule\n advance 9\n drain\n look",
    ),
    (
        "the owner leaves",
        "pool max 3\nthread\n submit t0 { park }\n submit t1 { guard { syscall }; delay 5 }\n schedule\n submit t2 {}\n leave\n look",
    ),
    (
        "a lowered max_size, workers above it go",
        "pool max 3 keep-alive 50\nthread\n submit t0 { suspend; suspend }\n submit t1 { suspend }\n submit t2 {}\n schedule\n \
         set-max 1\n submit t3 {}\n schedule\n look",
    ),
    (
        "no stack for the first worker, none for a second, and none for one that is recreated",
        "pool max 3\nthread\n submit t0 { suspend }\n fail-stack\n schedule\n submit t1 { suspend; panic }\n fail-stack\n drain",
    ),
    (
        "throws that are swallowed",
        "pool max 2\nthread\n submit t0 { catch { park }; catch { suspend }; return 3 }\n schedule\n cancel t0\n drain\n take t0",
    ),
];

/// All of them.
pub(crate) fn entries() -> Vec<Entry> {
    let mut entries: Vec<Entry> = WRITTEN.iter().map(|(name, text)| (*name, (*text).to_owned())).collect();
    entries.push(("a turn is over after 32 tasks", turns()));
    entries.push(("ageing polls of lane and deque", ageing("")));
    entries.push(("ageing polls of a deque whose youngest is first", ageing("lifo")));
    entries
}

/// More tasks than two turns take, and one that waits behind them.
fn turns() -> String {
    let mut text = "pool max 2\nthread\n submit t255 { suspend; suspend }\n".to_owned();
    for n in 0..70 {
        let _ = writeln!(text, " submit t{n} {{}}");
    }
    text + " drain\n"
}

/// Brings a seat close to each of its first four ageing polls and gives it the choice there: late tasks, usual ones, and
/// urgent ones that come first in all other polls.
fn ageing(order: &str) -> String {
    const AGE: usize = 257;
    const URGENT: usize = 8;
    let mut text = format!("pool max 3 {order}\nthread\n submit t255 {{ park }}\n schedule\n");
    let mut polls = 1;
    let mut key = 0;
    for aged in 1..=4 {
        // A worker that is there for `min_size` alone polls once, in vain, and then has to leave.
        while polls + URGENT / 2 < aged * AGE {
            text += " set-min 2\n drain\n set-min 0\n schedule\n";
            polls += 1;
        }
        let priorities = [5, 4, 0, 0].into_iter().chain([-1; URGENT]);
        for priority in priorities {
            let _ = writeln!(text, " submit t{key} priority {priority} {{}}");
            key += 1;
            polls += 1;
        }
        text += " schedule\n";
        polls += 1;
    }
    text + " unpark t255\n drain\n"
}
