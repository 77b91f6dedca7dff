//! One run: a pool, threads that drive it, and one that only uses it.

use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread;
use std::time::{Duration, Instant};

use copool::scripted::ScriptedPanic;
use copool::spec::monitor::Stamped;
use copool::{CoroutinePool, JoinHandle, PoolHandle, TaskRef};
use copool_model::stamped::Stamps;

/// More than the usual stack, in bytes.
const LARGER: usize = 128 * 1024;

/// Draws from a seed.
#[derive(Clone)]
pub(crate) struct Draw(u64);

impl Draw {
    pub(crate) fn new(seed: u64) -> Self {
        let mut draw = Self(seed);
        draw.below(2);
        draw
    }

    pub(crate) fn below(&mut self, bound: u64) -> u64 {
        // splitmix64
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (z ^ (z >> 31)) % bound
    }

    fn one_in(&mut self, chances: u64) -> bool {
        self.below(chances) == 0
    }

    fn micros(&mut self, bound: u64) -> Duration {
        Duration::from_micros(self.below(bound))
    }
}

/// What a thread works with.
struct Hand {
    pool: PoolHandle,
    stamps: Stamps,
    draw: Draw,
    /// Its own tasks.
    tasks: Vec<JoinHandle<()>>,
    /// Tasks of others, to cancel and to wake.
    others: Receiver<TaskRef>,
    peers: Vec<Sender<TaskRef>>,
}

/// Runs it, and gives the log of each thread. `scarce`: stacks are too few, now and then.
pub(crate) fn run(seed: u64, scarce: bool) -> Vec<Vec<Stamped>> {
    let mut draw = Draw::new(seed);
    let stamps = Stamps::new();
    stamps.begin();
    let max = 1 + draw.below(4);
    let builder = CoroutinePool::builder()
        .min_size(u32::try_from(draw.below(max)).expect("small"))
        .max_size(u32::try_from(max).expect("small"))
        .keep_alive(if draw.one_in(2) { Duration::ZERO } else { draw.micros(50) })
        .max_syscall_threads(2)
        .listener(stamps.clone());
    let builder = if scarce && draw.one_in(4) { builder.max_stacks(1 + usize::from(draw.one_in(2))) } else { builder };
    let mut pool = builder.build().expect("the settings are valid");
    let count = 2 + draw.below(2);
    let (senders, mut receivers): (Vec<_>, Vec<_>) = (0..=count).map(|_| channel()).unzip();
    let mut hand = |at: u64| Hand {
        pool: pool.handle(),
        stamps: stamps.clone(),
        draw: Draw::new(seed ^ (at + 1) << 32),
        tasks: Vec::new(),
        others: receivers.pop().expect("one each"),
        peers: senders.clone(),
    };
    let mut own = hand(0);
    let threads: Vec<_> = (1..=count).map(hand).map(|hand| thread::spawn(move || hand.work())).collect();
    let steps = 5 + draw.below(15);
    (0..steps).for_each(|_| own.step(Some(&mut pool)));
    if draw.one_in(2) {
        let _end = pool.drain(Some(Instant::now() + Duration::from_millis(2)));
    }
    stamps.begin();
    if draw.one_in(4) {
        own.pool.stop(draw.micros(200));
    }
    drop(pool);
    threads.into_iter().for_each(|thread| thread.join().expect("no thread panics"));
    drop(own);
    stamps.collect()
}

impl Hand {
    /// What a thread does that is not the owner's.
    fn work(mut self) {
        self.stamps.begin();
        let steps = 5 + self.draw.below(20);
        let mut seat = if self.draw.one_in(3) { None } else { self.pool.attach().ok() };
        for _ in 0..steps {
            if self.draw.one_in(12) {
                self.stamps.begin();
                // One seat a thread: the old one leaves first.
                drop(seat.take());
                seat = self.pool.attach().ok();
            }
            self.step(seat.as_mut());
        }
    }

    fn step(&mut self, seat: Option<&mut CoroutinePool>) {
        self.stamps.begin();
        let soon = Instant::now() + self.draw.micros(300);
        match (self.draw.below(16), seat) {
            (0..=5, _) => self.submit(),
            (6..=8, Some(seat)) => {
                let _end = seat.try_schedule_task();
            }
            (9, Some(seat)) => {
                let _end = seat.try_timeout_schedule_task(soon);
            }
            (10, Some(seat)) => {
                let _end = seat.drain(Some(soon));
            }
            (11, _) => {
                if let Some(task) = self.tasks.pop() {
                    task.task_ref().cancel();
                }
            }
            (12, _) => {
                if let Ok(task) = self.others.try_recv() {
                    task.cancel();
                }
            }
            (13, _) => {
                if let Ok(task) = self.others.try_recv() {
                    task.unpark();
                }
            }
            (14, _) if self.draw.one_in(8) => {
                self.pool.stop(self.draw.micros(100));
            }
            (14, None) => {
                if let Some(task) = self.tasks.pop() {
                    let _outcome = task.task_ref().wait_timeout(self.draw.micros(100));
                }
            }
            _ => thread::yield_now(),
        }
    }

    fn submit(&mut self) {
        let (pool, draw) = (self.pool.clone(), Draw(self.draw.below(u64::MAX)));
        let body = move || body(&pool, draw, 2);
        let task = self.pool.task();
        let task = if self.draw.one_in(4) { task.stack_size(LARGER) } else { task };
        let task = match self.draw.below(6) {
            0 => task.priority(-1).spawn(body),
            1 => task.priority(1).spawn(body),
            _ => task.spawn(body),
        };
        if let Ok(task) = task {
            let peer = usize::try_from(self.draw.below(self.peers.len() as u64)).expect("an index");
            // Who has gone needs no task.
            let _sent = self.peers[peer].send(task.task_ref());
            self.tasks.push(task);
        }
    }
}

/// What a task does.
fn body(pool: &PoolHandle, mut draw: Draw, depth: u32) {
    for _ in 0..draw.below(4) {
        match draw.below(12) {
            0..=4 => copool::suspend(),
            5 => copool::delay(draw.micros(50)),
            6 => copool::park_timeout(draw.micros(100)),
            7 => copool::park(),
            8 => copool::syscall("short", || ()),
            9 if depth > 0 => {
                let (inner, child) = (pool.clone(), Draw(draw.below(u64::MAX)));
                if let Ok(task) = pool.spawn(move || body(&inner, child, depth - 1)) {
                    let _outcome = task.join();
                }
            }
            10 if draw.one_in(3) => ScriptedPanic("as drawn".to_owned()).raise(),
            _ => thread::yield_now(),
        }
    }
}
