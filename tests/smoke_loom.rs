//! What the facade under loom promises to the pool, and what it does not promise.
//!
//! Run by `cargo test --features model --test smoke_loom`; `COPOOL_LOOM_BOUND` sets the bound on the preemptions.

#[path = "smoke_loom/pool.rs"]
mod pool;
#[path = "smoke_loom/takers.rs"]
mod takers;

use std::cell::Cell;
use std::collections::{BTreeSet, VecDeque};
use std::sync::Arc;
use std::sync::Mutex;
use std::time::Duration;

use copool_model::loom::{Bounds, check, thread};
use copool_model::under_loom::checked::pool::Limits;
use copool_model::under_loom::checked::{
    self, Deque, Gate, Handshake, Injector, ScriptedPanic, Steal, Stealer, catch, count_up, on_a_thread, panicking,
};

/// Steals until it gets something or finds nothing.
fn steal_one<T>(mut attempt: impl FnMut() -> Steal<T>) -> Option<T> {
    loop {
        match attempt() {
            Steal::Retry => {}
            result => return result.success(),
        }
    }
}

/// A value with something behind a pointer, so that taking one twice, or before it is written, is an error of memory.
fn boxed(value: u32) -> Box<u32> {
    Box::new(value)
}

/// All programs of `steps` pushes, pops and steals, as digits of base three.
fn programs(steps: u32) -> impl Iterator<Item = Vec<u32>> {
    (0..3_u32.pow(steps)).map(move |number| (0..steps).map(|digit| number / 3_u32.pow(digit) % 3).collect())
}

#[test]
fn alone_a_deque_does_what_a_queue_does() {
    for lifo in [false, true] {
        let name = if lifo { "the LIFO deque against an oracle" } else { "the FIFO deque against an oracle" };
        check(name, Bounds::complete().branches(1_000_000), move || {
            for program in programs(5) {
                let deque = if lifo { Deque::new_lifo() } else { Deque::new_fifo() };
                let stealer = deque.stealer();
                let mut oracle = VecDeque::new();
                for (value, step) in (0..).zip(program) {
                    match step {
                        0 => {
                            deque.push(value);
                            oracle.push_back(value);
                        }
                        1 if lifo => assert_eq!(deque.pop(), oracle.pop_back()),
                        1 => assert_eq!(deque.pop(), oracle.pop_front()),
                        _ => assert_eq!(stealer.steal(), oracle.pop_front().map_or(Steal::Empty, Steal::Success)),
                    }
                    assert_eq!((deque.len(), stealer.len()), (oracle.len(), oracle.len()));
                    assert_eq!((deque.is_empty(), stealer.is_empty()), (oracle.is_empty(), oracle.is_empty()));
                }
            }
        });
    }
}

#[test]
fn alone_an_injector_does_what_a_queue_does() {
    check("the injector against an oracle", Bounds::complete().branches(1_000_000), || {
        for program in programs(5) {
            let injector = Injector::new();
            let mut oracle = VecDeque::new();
            for (value, step) in (0..).zip(program) {
                if step == 0 {
                    injector.push(value);
                    oracle.push_back(value);
                } else {
                    assert_eq!(injector.steal(), oracle.pop_front().map_or(Steal::Empty, Steal::Success));
                }
                assert_eq!((injector.len(), injector.is_empty()), (oracle.len(), oracle.is_empty()));
            }
        }
    });
}

/// An owner that pushes twice, pops, pushes and pops, against thieves of one value each; what is left, the owner takes.
fn owner_and_thieves(name: &'static str, bounds: Bounds, lifo: bool, thieves: usize) {
    check(name, bounds, move || {
        let deque = if lifo { Deque::new_lifo() } else { Deque::new_fifo() };
        let steal = |stealer: Stealer<Box<u32>>| {
            let stolen = Arc::new(Mutex::new(None));
            let result = Arc::clone(&stolen);
            let thief = thread::spawn(move || *result.lock().unwrap() = steal_one(|| stealer.steal()));
            (thief, stolen)
        };
        let thieves: Vec<_> = (0..thieves).map(|_| steal(deque.stealer())).collect();
        deque.push(boxed(0));
        deque.push(boxed(1));
        let mut taken: Vec<Box<u32>> = deque.pop().into_iter().collect();
        deque.push(boxed(2));
        taken.extend(deque.pop());
        let mut stolen = Vec::new();
        for (thief, result) in thieves {
            thief.join().unwrap();
            stolen.extend(result.lock().unwrap().take());
        }
        taken.extend(std::iter::from_fn(|| deque.pop()));
        assert!(deque.is_empty());
        let all: BTreeSet<u32> = taken.iter().chain(&stolen).map(|value| **value).collect();
        assert_eq!((all.len(), taken.len() + stolen.len()), (3, 3), "each value once: {taken:?}, {stolen:?}");
    });
}

#[test]
fn racing_an_owner_and_a_thief_share_each_value_once() {
    owner_and_thieves("FIFO, owner and thief", Bounds::complete(), false, 1);
    owner_and_thieves("LIFO, owner and thief", Bounds::complete(), true, 1);
}

#[test]
fn racing_an_owner_and_two_thieves_share_each_value_once() {
    owner_and_thieves("FIFO, owner and two thieves", Bounds::preemptions(), false, 2);
    owner_and_thieves("LIFO, owner and two thieves", Bounds::preemptions(), true, 2);
}

#[test]
fn racing_thieves_of_an_injector_get_each_value_once() {
    check("the injector, two pushers and two thieves", Bounds::preemptions(), || {
        let injector = Arc::new(Injector::new());
        let stolen = Arc::new(Mutex::new(None));
        let pusher = thread::spawn({
            let injector = Arc::clone(&injector);
            move || injector.push(boxed(0))
        });
        let thief = thread::spawn({
            let (injector, stolen) = (Arc::clone(&injector), Arc::clone(&stolen));
            move || *stolen.lock().unwrap() = steal_one(|| injector.steal())
        });
        injector.push(boxed(1));
        let mut taken: Vec<_> = steal_one(|| injector.steal()).into_iter().collect();
        pusher.join().unwrap();
        thief.join().unwrap();
        taken.extend(stolen.lock().unwrap().take());
        taken.extend(std::iter::from_fn(|| steal_one(|| injector.steal())));
        assert!(injector.is_empty());
        let all: BTreeSet<u32> = taken.iter().map(|value| **value).collect();
        assert_eq!((all.len(), taken.len()), (2, 2), "each value once: {taken:?}");
    });
}

#[test]
fn what_is_left_in_a_queue_is_dropped_with_it_wherever_that_is() {
    check("queues dropped by another thread", Bounds::complete(), || {
        let counted = Arc::new(());
        let deque = Deque::new_fifo();
        let injector = Arc::new(Injector::new());
        let thief = thread::spawn({
            let (stealer, injector) = (deque.stealer(), Arc::clone(&injector));
            move || {
                drop(steal_one(|| stealer.steal()));
                drop(steal_one(|| injector.steal()));
            }
        });
        for _ in 0..2 {
            deque.push(Arc::clone(&counted));
            injector.push(Arc::clone(&counted));
        }
        // Here or on the thief's thread, whoever is last.
        drop((deque, injector));
        thief.join().unwrap();
        assert_eq!(Arc::strong_count(&counted), 1);
    });
}

#[test]
fn with_its_fences_one_side_of_a_handshake_sees_the_other() {
    check("a handshake", Bounds::complete(), || {
        let handshake = Arc::new(Handshake::new());
        let seen = Arc::new(Mutex::new(false));
        let other = thread::spawn({
            let (handshake, seen) = (Arc::clone(&handshake), Arc::clone(&seen));
            move || *seen.lock().unwrap() = handshake.often()
        });
        let here = handshake.seldom();
        other.join().unwrap();
        assert!(here || *seen.lock().unwrap());
    });
}

/// Two sides of a handshake under fences as uneven as in production. Says whether both can miss the other.
fn both_sides_can_miss(name: &'static str, here: fn(&Handshake) -> bool, there: fn(&Handshake) -> bool) -> bool {
    let missed = Seen::default();
    let note = missed.clone();
    check(name, Bounds::complete().uneven(), move || {
        let handshake = Arc::new(Handshake::new());
        let other = thread::spawn({
            let handshake = Arc::clone(&handshake);
            move || there(&handshake)
        });
        let seen = here(&handshake);
        note.note(!other.join().unwrap() && !seen);
    });
    missed.ever()
}

#[test]
fn a_light_fence_orders_nothing_but_against_a_heavy_one() {
    let often_alone = |handshake: &Handshake| handshake.often();
    assert!(!both_sides_can_miss("light and heavy fence", Handshake::seldom, often_alone));
    assert!(!both_sides_can_miss("heavy and light fence", often_alone, Handshake::seldom));
    assert!(both_sides_can_miss("two light fences", Handshake::seldom_but_light, often_alone));
}

#[test]
fn a_complete_check_runs_an_exchange_before_what_another_thread_loads() {
    let released = Seen::default();
    let note = released.clone();
    check("a load, against a load and an exchange", Bounds::complete(), move || {
        let limits = Arc::new(Limits::new(0, 1));
        assert!(limits.reserve());
        let other = thread::spawn({
            let limits = Arc::clone(&limits);
            move || limits.release()
        });
        note.note(limits.numbers().running == 0);
        other.join().unwrap();
    });
    assert!(released.ever());
}

/// That an answer occurs in some execution.
#[derive(Clone, Default)]
struct Seen(Arc<std::sync::atomic::AtomicBool>);

impl Seen {
    fn note(&self, it_is_so: bool) {
        self.0.fetch_or(it_is_so, std::sync::atomic::Ordering::Relaxed);
    }

    fn ever(&self) -> bool {
        self.0.load(std::sync::atomic::Ordering::Relaxed)
    }
}

/// A pusher and somebody who looks, each of whom first announces itself to the other, as the pool does before it goes
/// idle. Says whether both can miss the other.
fn both_can_miss(name: &'static str, fenced: bool, queue: impl Fn() -> Queue + Send + Sync + 'static) -> bool {
    let missed = Seen::default();
    let note = missed.clone();
    check(name, Bounds::complete(), move || {
        let idle = Arc::new(copool_model::loom::sync::atomic::AtomicBool::new(false));
        let Queue { push, look } = queue();
        let pusher = thread::spawn({
            let idle = Arc::clone(&idle);
            move || {
                push();
                fence_if(fenced);
                // Ordering: Relaxed; the fence orders it, or nothing does.
                idle.load(copool_model::loom::sync::atomic::Ordering::Relaxed)
            }
        });
        // Ordering: Relaxed; as above.
        idle.store(true, copool_model::loom::sync::atomic::Ordering::Relaxed);
        fence_if(fenced);
        let found = look();
        note.note(!pusher.join().unwrap() && !found);
    });
    missed.ever()
}

struct Queue {
    push: Box<dyn FnOnce() + Send>,
    look: Box<dyn FnOnce() -> bool>,
}

fn fence_if(fenced: bool) {
    if fenced {
        copool_model::loom::sync::atomic::fence(copool_model::loom::sync::atomic::Ordering::SeqCst);
    }
}

fn deque_asked_whether_it_is_empty() -> Queue {
    let deque = Deque::new_fifo();
    let stealer = deque.stealer();
    Queue { push: Box::new(move || deque.push(1)), look: Box::new(move || !stealer.is_empty()) }
}

fn deque_stolen_from() -> Queue {
    let deque = Deque::new_fifo();
    let stealer = deque.stealer();
    Queue { push: Box::new(move || deque.push(1)), look: Box::new(move || steal_one(|| stealer.steal()).is_some()) }
}

fn injector_asked_whether_it_is_empty() -> Queue {
    let injector = Arc::new(Injector::new());
    let same = Arc::clone(&injector);
    Queue { push: Box::new(move || injector.push(1)), look: Box::new(move || !same.is_empty()) }
}

#[test]
fn no_queue_orders_memory_where_the_pool_must_fence() {
    assert!(both_can_miss("a deque's is_empty, no fence", false, deque_asked_whether_it_is_empty));
    assert!(!both_can_miss("a deque's is_empty, fenced", true, deque_asked_whether_it_is_empty));
    assert!(both_can_miss("a deque's steal, no fence", false, deque_stolen_from));
    assert!(!both_can_miss("a deque's steal, fenced", true, deque_stolen_from));
    assert!(both_can_miss("an injector's is_empty, no fence", false, injector_asked_whether_it_is_empty));
    assert!(!both_can_miss("an injector's is_empty, fenced", true, injector_asked_whether_it_is_empty));
}

#[test]
fn a_gate_passes_its_value() {
    check("a gate", Bounds::complete(), || {
        let gate = Arc::new(Gate::new());
        let opener = thread::spawn({
            let gate = Arc::clone(&gate);
            move || gate.open(7)
        });
        assert_eq!(gate.wait(), 7);
        opener.join().unwrap();
        assert_eq!(Arc::into_inner(gate).map(Gate::into_value), Some(7));
    });
}

#[test]
fn a_timed_wait_ends_though_nobody_notifies() {
    let (passed, late) = (Seen::default(), Seen::default());
    let (on_time, timed_out) = (passed.clone(), late.clone());
    check("a gate with a deadline", Bounds::complete(), move || {
        let gate = Arc::new(Gate::new());
        let opener = thread::spawn({
            let gate = Arc::clone(&gate);
            move || gate.open(7)
        });
        let value = gate.wait_until(checked::now() + Duration::from_secs(3600));
        on_time.note(value == Some(7));
        timed_out.note(value.is_none());
        opener.join().unwrap();
    });
    assert!(passed.ever() && late.ever());
}

#[test]
fn within_a_bound_a_new_thread_comes_first_and_last() {
    let (before, after) = (Seen::default(), Seen::default());
    let (comes_first, comes_last) = (before.clone(), after.clone());
    check("a new thread", Bounds::preemptions().at_most(0), move || {
        let come = Arc::new(copool_model::loom::sync::atomic::AtomicBool::new(false));
        let new = thread::spawn({
            let come = Arc::clone(&come);
            move || come.store(true, copool_model::loom::sync::atomic::Ordering::Relaxed)
        });
        let is_first = come.load(copool_model::loom::sync::atomic::Ordering::Relaxed);
        comes_first.note(is_first);
        comes_last.note(!is_first);
        new.join().unwrap();
    });
    assert!(before.ever() && after.ever());
}

#[test]
fn each_thread_has_its_own_locals() {
    check("locals", Bounds::complete(), || {
        assert_eq!((count_up(), count_up()), (0, 1));
        assert!(on_a_thread(Duration::from_secs(1), || assert_eq!(count_up(), 0)));
        assert_eq!(count_up(), 2);
    });
}

#[test]
fn only_scripted_panics_are_kept_and_mark_their_thread() {
    check("payloads", Bounds::complete(), || {
        let drops = Cell::new(0);
        let payload = catch(|| {
            let _drop = OnDrop(|| drops.set(drops.get() + u32::from(panicking())));
            ScriptedPanic("on purpose".to_owned()).raise();
        })
        .unwrap_err();
        assert_eq!(*payload.downcast::<ScriptedPanic>().unwrap(), ScriptedPanic("on purpose".to_owned()));
        assert_eq!((drops.get(), panicking()), (1, false));
        let other = std::panic::catch_unwind(|| drop(catch(|| std::panic::resume_unwind(Box::new("a failure")))));
        assert_eq!(*other.unwrap_err().downcast::<&str>().unwrap(), "a failure");
    });
}

struct OnDrop<F: Fn()>(F);

impl<F: Fn()> Drop for OnDrop<F> {
    fn drop(&mut self) {
        (self.0)();
    }
}
