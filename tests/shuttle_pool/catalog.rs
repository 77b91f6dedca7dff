//! Scripts of several threads, written by hand, each for one kind of meeting.
//!
//! On a blocking clock a drive waits for whatever is outstanding, so there a script must come to its end whichever thread
//! is first: a task that parks is unparked by one that it submits itself, and what another thread cancels also ends alone.

use copool_model::shuttle::scripts::Clock::{self, Blocking, Virtual};

/// A name, a clock, a script's text.
pub(crate) type Entry = (&'static str, Clock, &'static str);

pub(crate) const ENTRIES: &[Entry] = &[
    (
        "two seats share tasks that suspend",
        Blocking,
        "pool max 2\nthread\n submit t0 { suspend; return 1 }\n submit t1 { suspend }\n submit t2 {}\n drain\n\
         thread\n attach\n submit t3 { suspend }\n drain\n leave",
    ),
    (
        "three seats and one worker",
        Blocking,
        "pool max 1\nthread\n submit t0 { suspend }\n submit t1 {}\n drain\n\
         thread\n attach\n submit t2 {}\n drain\nthread\n attach\n drain",
    ),
    (
        "served seats, submissions and a stop from a plain thread",
        Blocking,
        "pool min 1 max 2 keep-alive 3000000\nthread\n serve\nthread\n attach\n serve\n\
         thread\n submit t0 { suspend; submit t1 { syscall } }\n submit t2 { delay 4000000 }\n join t0\n stop 90000000000",
    ),
    (
        "a join across seats, and a wait for one task",
        Blocking,
        "pool max 3\nthread\n submit t0 { submit t1 { suspend; return 3 }; submit t2 { join t1 }; join t1 }\n wait t0\n drain\n\
         thread\n attach\n drain",
    ),
    (
        "a wake-up from another seat, before the park and after",
        Blocking,
        "pool max 3\nthread\n submit t0 { submit t1 { unpark t0 }; park; submit t2 { suspend; unpark t0 }; park }\n drain\n\
         thread\n attach\n drain",
    ),
    (
        "a cancel from another seat, before the start, in a park, after",
        Blocking,
        "pool max 2\nthread\n submit t0 { guard { local; suspend }; park-timeout 9000000 }\n submit t1 { cancel t0 }\n drain\n\
         take t0\nthread\n attach\n drain\n cancel t1\n cancel t0",
    ),
    (
        "timers, told short by wake-ups and cancels from a plain thread",
        Blocking,
        "pool max 2\nthread\n submit t0 { delay 5000000 }\n submit t1 { park-timeout 3000000; suspend }\n drain\n\
         thread\n unpark t1\n cancel t0\n join-timeout t1 1000000",
    ),
    (
        "system calls on helper threads, one that panics, one that is cancelled",
        Blocking,
        "pool max 3 helpers 1\nthread\n submit t0 { syscall; suspend }\n submit t1 { catch { syscall-panic }; return 1 }\n \
         submit t2 { syscall }\n drain\nthread\n cancel t2\n cancel t0",
    ),
    (
        "system calls without a helper",
        Virtual,
        "pool max 2 helpers 0\nthread\n submit t0 { syscall }\n drain\n drain\nthread\n attach\n submit t1 { syscall }\n drain\n \
         leave",
    ),
    (
        "system calls whose helper thread cannot be started",
        Blocking,
        "pool max 3 helpers 1\nthread\n fail-thread\n submit t0 { syscall }\n submit t1 { syscall }\n drain\n\
         thread\n attach\n submit t2 { syscall; syscall }\n drain\n leave",
    ),
    (
        "panics, and workers that are recreated for what waits",
        Blocking,
        "pool max 1\nthread\n submit t0 { suspend; panic }\n submit t1 { panic }\n submit t2 {}\n drain\n take t0\n\
         thread\n attach\n submit t3 { panic }\n drain",
    ),
    (
        "a stop with grace against one without, from a seat and from outside",
        Blocking,
        "pool max 2\nthread\n submit t0 { suspend; suspend }\n submit t1 { delay 5000000 }\n schedule\n stop 20000000\n drain\n\
         thread\n submit t2 { suspend }\n stop 0\nthread\n attach\n schedule",
    ),
    (
        "a stop from inside, while another seat works",
        Blocking,
        "pool max 3\nthread\n submit t0 { submit t1 { suspend; suspend }; stop 9000000000 }\n submit t2 { submit t3 {} }\n drain\n\
         thread\n attach\n submit t4 { suspend }\n drain\n leave",
    ),
    (
        "a cancel meets a task on its way into a stop",
        Blocking,
        "pool max 3\nthread\n submit t0 { stop 9000000000 }\n submit t1 { cancel t0; suspend }\n drain\nthread\n attach\n drain\n\
         thread\n cancel t0",
    ),
    (
        "the owner leaves under everybody's feet",
        Blocking,
        "pool max 3\nthread\n submit t0 { park }\n submit t1 { guard { suspend }; suspend }\n schedule\n leave\n schedule\n\
         thread\n attach\n submit t2 { suspend; park }\n submit t3 { join t2 }\n drain\nthread\n submit t4 { syscall }\n join t4",
    ),
    (
        "a seat leaves with tasks suspended and queued",
        Blocking,
        "pool max 3\nthread\n submit t0 { submit t1 { park }; suspend }\n schedule\n drain-for 4000000\nthread\n attach\n \
         submit t2 { guard { local }; park }\n submit t3 { join t2 }\n submit t4 {}\n schedule\n leave\n attach\n schedule",
    ),
    (
        "a leave against a stop",
        Virtual,
        "pool max 2\nthread\n submit t0 { park }\n schedule\n stop 0\n schedule\nthread\n attach\n submit t1 { park }\n schedule\n \
         submit t2 {}\n leave\nthread\n stop 0",
    ),
    (
        "idle workers, min_size and keep-alive between seats",
        Blocking,
        "pool min 1 max 3 keep-alive 2000000\nthread\n submit t0 { suspend }\n submit t1 {}\n schedule\n set-min 0\n schedule\n\
         thread\n attach\n submit t2 { suspend }\n schedule\n set-keep-alive 0\n schedule\n leave",
    ),
    (
        "a seat blocks for a keep-alive that another seat ends",
        Blocking,
        "pool max 2 keep-alive 4000000\nthread\n schedule\n schedule\nthread\n attach\n schedule\n schedule\n\
         thread\n submit t0 {}\n submit t1 {}",
    ),
    (
        "a seat blocks for a keep-alive, and another leaves no worker above min_size",
        Blocking,
        "pool min 1 max 3 keep-alive 4000000\nthread\n schedule\n schedule\nthread\n attach\n schedule\n schedule\n\
         thread\n submit t0 { suspend }\n submit t1 {}\n submit t2 {}",
    ),
    (
        "limits that move",
        Blocking,
        "pool max 3\nthread\n submit t0 { suspend; suspend }\n submit t1 { suspend }\n submit t2 {}\n set-max 1\n drain\n\
         thread\n attach\n submit t3 { suspend }\n set-max 2\n drain\n set-min 2",
    ),
    (
        "a stall that another thread resolves",
        Blocking,
        "pool max 1\nthread\n submit t0 { submit t1 {}; join t1 }\n drain\n drain-for 5000000\nthread\n set-max 2",
    ),
    (
        "priorities, and polls that age",
        Blocking,
        "pool max 2\nthread\n submit t0 priority 5 {}\n submit t1 {}\n submit t2 priority -5 { suspend }\n submit t3 {}\n drain\n\
         thread\n submit t4 {}\n submit t5 priority 5 {}\nthread\n attach\n submit t6 {}\n submit t7 priority -1 {}\n drain",
    ),
    (
        "the youngest first, and thieves",
        Virtual,
        "pool max 2 lifo\nthread\n submit t0 {}\n submit t1 { submit t2 {} }\n submit t3 {}\n drain\nthread\n attach\n schedule\n \
         submit t4 {}\n schedule",
    ),
    (
        "a clock that is advanced from elsewhere",
        Virtual,
        "pool max 2\nthread\n submit t0 { delay 5 }\n submit t1 { park-timeout 3 }\n drain\n drain\nthread\n advance 3\n advance 9\n\
         thread\n attach\n submit t2 { delay 2 }\n drain\n advance 2\n drain",
    ),
    (
        "a clock that jumps",
        Virtual,
        "pool max 2 auto\nthread\n submit t0 { delay 5 }\n submit t1 { suspend }\n drain\nthread\n attach\n submit t2 { delay 3 }\n \
         drain",
    ),
    (
        "stacks that cannot be had",
        Blocking,
        "pool max 3\nthread\n submit t0 { suspend }\n fail-stack\n schedule\n submit t1 { suspend; panic }\n schedule\n\
         thread\n attach\n fail-stack\n schedule\n submit t2 {}\n schedule",
    ),
    (
        "a stack is refused while a worker asks whether it is surplus",
        Blocking,
        "pool min 1 max 2\nthread\n fail-stack\n schedule\n schedule\nthread\n attach\n submit t0 { suspend }\n schedule\n \
         schedule",
    ),
    (
        "throws that are swallowed, on two seats",
        Blocking,
        "pool max 2\nthread\n submit t0 { catch { park-timeout 9000000 }; catch { suspend }; return 3 }\n submit t1 { cancel t0 }\n \
         drain\n take t0\nthread\n attach\n drain\n cancel t0",
    ),
    (
        "refusals: drives, seats and submissions after a stop",
        Virtual,
        "pool\nthread\n stop 0\n schedule\n submit t0 {}\n drain\nthread\n attach\n schedule\n submit t1 { suspend }\n schedule\n\
         thread\n submit t2 {}\n attach\n schedule\n leave",
    ),
];
