//! Random scripts on a pool with one seat and a virtual clock: whatever is done to it, its numbers agree with each
//! other after every step, and its end is clean.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use copool::spec::Event;
use copool::{CoroutinePool, DriveEnd, DriveError, JoinHandle, Listener, PoolHandle, PoolState, TaskRef, VirtualClock};
use copool::{LocalOrder, checkpoint, delay, park, park_timeout, suspend, syscall};
use quickcheck::{Arbitrary, Gen};

use crate::common::within;
use crate::draw::draw;
use crate::live::{Live, Token};
use crate::log::Log;

/// What a task of a script does, one after the other.
#[derive(Clone, Copy, Debug)]
enum Act {
    Suspend,
    Delay(u8),
    Park,
    ParkFor(u8),
    Checkpoint,
    Syscall,
    Join(u8),
    JoinFor(u8, u8),
    Spawn,
    Unpark(u8),
    Cancel(u8),
    SetMax(u8),
    /// Catches the cancel, if it is cancelled here, and goes on.
    Swallow,
    Panic,
}

/// What the script does.
#[derive(Clone, Debug)]
enum Step {
    Submit { priority: i8, acts: Vec<Act> },
    SubmitElsewhere { acts: Vec<Act> },
    Drive,
    DriveFor(u8),
    Drain,
    Advance(u8),
    Cancel(u8),
    Unpark(u8),
    Forget(u8),
    TryJoin(u8),
    SetMax(u8),
    SetMin(u8),
    KeepAlive(u8),
}

#[derive(Clone, Debug)]
struct Script {
    auto: bool,
    lifo: bool,
    max: u8,
    steps: Vec<Step>,
    end: u8,
}

impl Arbitrary for Act {
    fn arbitrary(g: &mut Gen) -> Self {
        let n = u8::arbitrary(g) % 8;
        match u8::arbitrary(g) % 18 {
            0..=2 => Self::Suspend,
            3..=4 => Self::Delay(n),
            5 => Self::Park,
            6 => Self::ParkFor(n),
            7 => Self::Checkpoint,
            8 => Self::Syscall,
            9 => Self::Join(n),
            10 => Self::JoinFor(n, n / 2),
            11..=12 => Self::Spawn,
            13 => Self::Unpark(n),
            14 => Self::Cancel(n),
            15 => Self::SetMax(n / 2 + 1),
            16 => Self::Swallow,
            _ => Self::Panic,
        }
    }
}

impl Arbitrary for Step {
    fn arbitrary(g: &mut Gen) -> Self {
        let n = u8::arbitrary(g) % 8;
        let acts = |g: &mut Gen| (0..u8::arbitrary(g) % 5).map(|_| Act::arbitrary(g)).collect();
        match u8::arbitrary(g) % 20 {
            0..=4 => Self::Submit { priority: i8::arbitrary(g) % 2, acts: acts(g) },
            5..=6 => Self::SubmitElsewhere { acts: acts(g) },
            7..=8 => Self::Drive,
            9 => Self::DriveFor(n),
            10 => Self::Drain,
            11 => Self::Advance(n),
            12 => Self::Cancel(n),
            13..=14 => Self::Unpark(n),
            15 => Self::Forget(n),
            16 => Self::TryJoin(n),
            17 => Self::SetMax(n),
            18 => Self::SetMin(n / 2),
            _ => Self::KeepAlive(n),
        }
    }

    fn shrink(&self) -> Box<dyn Iterator<Item = Self>> {
        match self.clone() {
            Self::Submit { priority, acts } => {
                let shorter = (0..acts.len()).map(move |at| {
                    let mut acts = acts.clone();
                    acts.remove(at);
                    Self::Submit { priority, acts }
                });
                Box::new(shorter)
            }
            Self::SubmitElsewhere { acts } => Box::new(std::iter::once(Self::Submit { priority: 0, acts })),
            _ => Box::new(std::iter::empty()),
        }
    }
}

impl Arbitrary for Script {
    fn arbitrary(g: &mut Gen) -> Self {
        Self {
            auto: bool::arbitrary(g),
            lifo: bool::arbitrary(g),
            max: u8::arbitrary(g) % 5,
            steps: Vec::arbitrary(g),
            end: u8::arbitrary(g) % 3,
        }
    }

    fn shrink(&self) -> Box<dyn Iterator<Item = Self>> {
        let script = self.clone();
        Box::new(self.steps.shrink().map(move |steps| Self { steps, ..script.clone() }))
    }
}

const TICK: Duration = Duration::from_secs(1);

/// What the tasks of a script share.
#[derive(Clone)]
struct World {
    pool: PoolHandle,
    live: Live,
    tasks: Arc<Mutex<Vec<TaskRef>>>,
}

impl World {
    fn pick(&self, n: u8) -> Option<TaskRef> {
        let tasks = self.tasks.lock().unwrap_or_else(PoisonError::into_inner);
        let at = usize::from(n) % tasks.len().max(1);
        // Counted from the last one: the early ones have ended long ago.
        tasks.iter().rev().nth(at).cloned()
    }

    fn submit(&self, priority: i64, acts: Vec<Act>) -> Option<JoinHandle<Token>> {
        let (world, captured) = (self.clone(), self.live.token());
        let task = move || {
            let _captured = captured;
            acts.into_iter().for_each(|act| world.act(act));
            world.live.token()
        };
        let task = self.pool.task().priority(priority).spawn(task).ok()?;
        self.tasks.lock().unwrap_or_else(PoisonError::into_inner).push(task.task_ref());
        Some(task)
    }

    fn act(&self, act: Act) {
        match act {
            Act::Suspend => suspend(),
            Act::Delay(ticks) => delay(TICK * ticks.into()),
            Act::Park => park(),
            Act::ParkFor(ticks) => park_timeout(TICK * ticks.into()),
            Act::Checkpoint => checkpoint(),
            Act::Syscall => syscall("nothing", || ()),
            Act::Join(n) => drop(self.pick(n).map(|task| task.wait())),
            Act::JoinFor(n, ticks) => drop(self.pick(n).map(|task| task.wait_timeout(TICK * ticks.into()))),
            Act::Spawn => drop(self.submit(0, vec![Act::Suspend])),
            Act::Unpark(n) => self.pick(n).iter().for_each(TaskRef::unpark),
            Act::Cancel(n) => self.pick(n).iter().for_each(|task| drop(format!("{:?}", task.cancel()))),
            Act::SetMax(n) => drop(self.pool.set_max_size(n.into())),
            Act::Swallow => drop(std::panic::catch_unwind(suspend)),
            Act::Panic => std::panic::resume_unwind(Box::new("scripted")),
        }
    }
}

/// Sees at each event that there are not more workers than there may be, unless there were before.
struct Bounds(Mutex<(Option<PoolHandle>, u32, Option<String>)>);

impl Listener for Bounds {
    fn on_event(&self, event: &Event) {
        let mut seen = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(pool) = seen.0.clone() else { return };
        let (running, max, before) = (pool.get_running_size(), pool.max_size(), seen.1);
        if running > max.max(before) {
            seen.2.get_or_insert(format!("{event:?}: {before} workers have become {running} of {max}"));
        }
        seen.1 = running;
    }
}

/// Takes one step of a script.
fn take(
    step: &Step,
    pool: &mut CoroutinePool,
    clock: &VirtualClock,
    world: &World,
    handles: &mut Vec<JoinHandle<Token>>,
) {
    match step {
        Step::Submit { priority, acts } => handles.extend(world.submit((*priority).into(), acts.clone())),
        Step::SubmitElsewhere { acts } => {
            let submitted = std::thread::scope(|scope| scope.spawn(|| world.submit(0, acts.clone())).join());
            handles.extend(submitted.unwrap());
        }
        Step::Drive => drop(pool.try_schedule_task()),
        Step::DriveFor(ticks) => see(pool.try_timed_schedule_task(TICK * (*ticks).into()), pool),
        Step::Drain => see(pool.drain(None), pool),
        Step::Advance(ticks) => clock.advance(TICK * (*ticks).into()),
        Step::Cancel(n) => world.act(Act::Cancel(*n)),
        Step::Unpark(n) => world.act(Act::Unpark(*n)),
        Step::Forget(n) if !handles.is_empty() => drop(handles.swap_remove(usize::from(*n) % handles.len())),
        Step::TryJoin(n) if !handles.is_empty() => {
            let at = usize::from(*n) % handles.len();
            drop(handles[at].try_join());
        }
        Step::Forget(_) | Step::TryJoin(_) => {}
        Step::SetMax(n) => drop(pool.set_max_size((*n).into())),
        Step::SetMin(n) => drop(pool.set_min_size((*n).into())),
        Step::KeepAlive(ticks) => pool.set_keep_alive(TICK * (*ticks).into()),
    }
}

fn play(script: &Script) {
    let (live, log, bounds) = (Live::default(), Log::default(), Arc::new(Bounds(Mutex::default())));
    let clock = if script.auto { VirtualClock::auto() } else { VirtualClock::new() };
    let order = if script.lifo { LocalOrder::Lifo } else { LocalOrder::Fifo };
    let builder = CoroutinePool::builder().clock(clock.clone()).max_size(script.max.into()).local_order(order);
    let mut pool = builder.slice(TICK).listener(log.clone()).listener(Arc::clone(&bounds)).build().unwrap();
    bounds.0.lock().unwrap().0 = Some(pool.handle());
    let world = World { pool: pool.handle(), live: live.clone(), tasks: Arc::default() };
    let mut handles = Vec::new();
    for step in &script.steps {
        take(step, &mut pool, &clock, &world, &mut handles);
        agree(&pool, &world, &log);
    }
    let handle = pool.handle();
    match script.end {
        0 => drop(pool),
        1 => {
            pool.stop(Duration::ZERO);
            drop(pool);
        }
        _ => {
            pool.stop(TICK * 3);
            assert_eq!(pool.outstanding(), 0, "a stop leaves no task without an outcome");
            drop(pool);
        }
    }
    assert_eq!(bounds.0.lock().unwrap().2.take(), None);
    bounds.0.lock().unwrap().0 = None;
    assert!(world.tasks.lock().unwrap().iter().all(TaskRef::is_finished));
    drop((handles, world));
    assert_eq!((handle.state(), handle.get_running_size()), (PoolState::Stopped, 0));
    assert_eq!((handle.size(), handle.outstanding(), live.count()), (0, 0, 0));
    log.assert_complete("script");
}

/// What a drive says agrees with what it left.
fn see(end: Result<DriveEnd, DriveError>, pool: &CoroutinePool) {
    match end.unwrap() {
        DriveEnd::AllDone => assert_eq!(pool.size(), 0),
        DriveEnd::Stalled => assert!(pool.size() > 0 && pool.get_running_size() >= pool.max_size()),
        DriveEnd::Waiting { .. } => assert!(pool.outstanding() > 0),
        DriveEnd::Deadline => {}
        DriveEnd::Stopped => panic!("nobody has stopped the pool"),
    }
}

/// The pool's numbers agree with the tasks and with the events.
fn agree(pool: &PoolHandle, world: &World, log: &Log) {
    let tasks = world.tasks.lock().unwrap_or_else(PoisonError::into_inner);
    let unfinished = tasks.iter().filter(|task| !task.is_finished()).count();
    let started = log.events().iter().filter(|event| event.name() == "task_started").count();
    let counters = pool.counters();
    assert_eq!(pool.outstanding(), unfinished);
    assert_eq!((counters.accepted, counters.started), (tasks.len() as u64, started as u64));
    assert_eq!(counters.accepted - counters.ended, unfinished as u64);
    let never = |task: &&TaskRef| {
        !log.events().iter().any(|event| matches!(event, Event::TaskStarted { task: id, .. } if *id == task.id()))
    };
    assert_eq!(pool.size(), tasks.iter().filter(|task| !task.is_finished()).filter(never).count());
    assert_eq!(pool.is_empty(), pool.size() == 0);
    assert!(pool.min_size() <= pool.max_size());
    assert_eq!(pool.state(), PoolState::Running);
}

#[test]
fn any_script_keeps_the_numbers_and_ends_clean() {
    fn clean(script: Script) -> bool {
        let what = format!("{script:?}");
        within(what, move || play(&script));
        true
    }
    draw(1_000, 30).quickcheck(clean as fn(Script) -> bool);
}
