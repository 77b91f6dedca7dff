//! open-coroutine-core, the pool that copool started from.
//!
//! Names must be unique for ever, so each task gets a number. A pool is forgotten at the end: its drop may wait, or panic.

use std::cell::Cell;
use std::env;
use std::hint::black_box;
use std::mem::ManuallyDrop;
use std::rc::Rc;
use std::sync::Arc;
use std::time::{Duration, Instant};

use open_coroutine_core::co_pool::CoroutinePool;
use open_coroutine_core::scheduler::SchedulableSuspender;

use copool_peers::measure::{Round, alive_figures, cpu_ns, fastest_ns, memory_kib, timed, timer_figures};
use copool_peers::script::{Body, Inside, SEVERAL_POLL, Script, Side, play};
use copool_peers::waits::Waits;
use copool_peers::workload::{self, BATCH, CHAIN, CHAINS, PATIENT, TIMERS, Workload, YIELDERS, delay_ns};

fn run(workload: Workload) -> Round {
    match workload {
        Workload::Spawn => spawn(),
        Workload::Yield => yields().noting("ten yields each"),
        Workload::Alive(count) => alive(count),
        Workload::Timers => timers(),
        Workload::Priority => priority(),
        Workload::Tree(_) => Round::NotOffered("a task that waits for another does not suspend"),
        Workload::PingPong => Round::NotOffered("has no park"),
        Workload::Cancel => Round::NotOffered("a cancelled task has no result, nor its stack an end"),
        Workload::Submit(_) | Workload::Wake | Workload::Steal(_) => Round::NotOffered("its pool is not Sync"),
        Workload::Syscall => Round::NotOffered("has no way to run a blocking call elsewhere"),
    }
}

/// A pool, and the number of the next task.
struct Pool {
    pool: ManuallyDrop<CoroutinePool<'static>>,
    next: u64,
}

impl Pool {
    fn new(stack: usize) -> Self {
        let pool = CoroutinePool::new(String::from("rival"), stack, 0, 1 << 20, 0);
        Self { pool: ManuallyDrop::new(pool), next: 0 }
    }

    fn spawn(&mut self, f: impl FnOnce() -> u64 + 'static) -> String {
        self.next += 1;
        let f = move |_: Option<usize>| Some(f() as usize);
        self.pool.submit_task(Some(self.next.to_string()), f, None, None).expect("accepted")
    }

    /// Drives until this task has its result, and all before it.
    fn take(&mut self, name: &str) -> u64 {
        loop {
            if let Some(result) = self.pool.try_take_task_result(name) {
                return result.expect("returned").expect("a value") as u64;
            }
            self.pool.try_schedule_task().expect("scheduled");
        }
    }
}

fn suspend() {
    SchedulableSuspender::current().expect("in a coroutine").suspend();
}

/// As large as copool's.
const STACK: usize = 64 * 1024;

fn spawn() -> Round {
    let mut pool = Pool::new(STACK);
    let pass = || {
        timed(|| {
            let tasks: Vec<_> = (0..BATCH).map(|i| pool.spawn(move || black_box(i))).collect();
            assert_eq!(tasks.into_iter().map(|task| pool.take(&task)).sum::<u64>(), BATCH * (BATCH - 1) / 2);
        })
    };
    Round::of("ns", fastest_ns(BATCH, pass))
}

/// A yield takes so long here that fewer will do.
const FEW_YIELDS: u64 = 10;

fn yields() -> Round {
    let mut pool = Pool::new(STACK);
    let pass = || {
        let task = |_| {
            pool.spawn(|| {
                (0..FEW_YIELDS).for_each(|_| suspend());
                FEW_YIELDS
            })
        };
        let tasks: Vec<_> = (0..YIELDERS).map(task).collect();
        timed(|| assert_eq!(tasks.into_iter().map(|task| pool.take(&task)).sum::<u64>(), YIELDERS * FEW_YIELDS))
    };
    Round::of("ns", fastest_ns(YIELDERS * FEW_YIELDS, pass))
}

fn alive(count: u64) -> Round {
    let mut pool = Pool::new(STACK);
    let before = memory_kib();
    let begin = Instant::now();
    let until = Duration::from_secs(5);
    let parked = Rc::new(Cell::new(0));
    let task = |i| {
        let parked = Rc::clone(&parked);
        pool.spawn(move || {
            parked.set(parked.get() + 1);
            SchedulableSuspender::current().expect("in a coroutine").delay(until);
            i
        })
    };
    let tasks: Vec<_> = (0..count).map(task).collect();
    while parked.get() < count {
        let before = parked.get();
        pool.pool.try_schedule_task().expect("scheduled");
        assert!(parked.get() > before, "no more than {before} suspended coroutines");
    }
    let (after, suspended) = (memory_kib(), begin.elapsed());
    assert!(suspended < until, "the first were over before the last began");
    assert_eq!(tasks.into_iter().map(|task| pool.take(&task)).sum::<u64>(), count * (count - 1) / 2);
    alive_figures(count, after - before, suspended)
}

fn timers() -> Round {
    let mut pool = Pool::new(STACK);
    let (cpu, begin) = (cpu_ns(), Instant::now());
    let task = |i| {
        let due = begin + Duration::from_nanos(delay_ns(i, false));
        pool.spawn(move || {
            let suspender = SchedulableSuspender::current().expect("in a coroutine");
            suspender.delay(due.saturating_duration_since(Instant::now()));
            Instant::now().duration_since(due).as_nanos() as u64
        })
    };
    let tasks: Vec<_> = (0..TIMERS).map(task).collect();
    let lateness = tasks.into_iter().map(|task| pool.take(&task) as f64).collect();
    timer_figures(cpu_ns() - cpu, lateness)
}

fn link(waits: Arc<Waits>, chain: u64, left: u64) {
    let submitted = waits.submitted();
    let name = format!("{chain}-{left}");
    let task = move |_: Option<usize>| {
        waits.urgent(submitted);
        if left > 1 {
            link(waits, chain, left - 1);
        }
        None
    };
    let pool = CoroutinePool::current().expect("in a task");
    pool.submit_task(Some(name), task, None, Some(-1)).expect("accepted");
}

fn priority() -> Round {
    let mut pool = Pool::new(STACK);
    let waits = Arc::new(Waits::default());
    let time = timed(|| {
        for _ in 0..PATIENT {
            let (all, submitted) = (Arc::clone(&waits), waits.submitted());
            let task = move |_: Option<usize>| {
                all.patient(submitted);
                None
            };
            pool.next += 1;
            pool.pool.submit_task(Some(pool.next.to_string()), task, None, Some(10)).expect("accepted");
        }
        for chain in 0..CHAINS {
            let all = Arc::clone(&waits);
            let first = move |_: Option<usize>| {
                link(all, chain, CHAIN);
                None
            };
            pool.next += 1;
            pool.pool.submit_task(Some(pool.next.to_string()), first, None, Some(-1)).expect("accepted");
        }
        while !waits.is_done() {
            pool.pool.try_schedule_task().expect("scheduled");
        }
    });
    waits.figures(time)
}

thread_local! {
    static SEVERAL: Cell<bool> = const { Cell::new(false) };
}

struct Theirs(Pool);

fn body(body: Body) -> impl FnOnce(Option<usize>) -> Option<usize> {
    move |_| Some(body())
}

impl Side for Theirs {
    fn inside(&self) -> Inside {
        Inside {
            suspend: |begun| {
                let pool = CoroutinePool::current().expect("in a task");
                // It adds a worker whenever a task suspends while others are queued, even if one polls already.
                if !pool.is_empty() && pool.get_running_size() > begun {
                    SEVERAL.set(true);
                }
                suspend();
            },
            submit: Arc::new(|name, priority, task| {
                let pool = CoroutinePool::current().expect("in a task");
                pool.submit_task(Some(name), body(task), None, priority).expect("accepted");
            }),
        }
    }

    fn submit(&mut self, name: String, priority: Option<i64>, task: Body) {
        self.0.pool.submit_task(Some(name), body(task), None, priority).expect("accepted");
    }

    fn drive(&mut self) {
        self.0.pool.try_schedule_task().expect("scheduled");
    }

    fn take(&mut self, name: &str) -> Option<usize> {
        self.0.pool.try_take_task_result(name)?.expect("returned")
    }
}

fn main() {
    let arguments: Vec<String> = env::args().collect();
    match arguments.iter().map(String::as_str).collect::<Vec<_>>()[1..] {
        ["third-opinion", script] => {
            let script = Script::draw(script.parse().expect("a number"));
            let log = play(&script, &mut Theirs(Pool::new(STACK)));
            if SEVERAL.get() {
                println!("{SEVERAL_POLL}");
            }
            println!("{log}");
        }
        [workload] => run(workload::named(workload).expect("a known workload")).print(),
        _ => panic!("the name of one workload"),
    }
}
