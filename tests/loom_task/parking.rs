//! The wait word: a wait begins on the task's thread, and of all who would end it one does, and sends one note.
//!
//! The task is one that runs on the main thread of the model without a coroutine: it begins a wait, and looks later what
//! has come for it. What loom is to find: a note that is lost or doubled, a token that is, an end of the wrong wait, and
//! what a waker did before it woke not being seen by the task.
//!
//! Left out: the coroutine and its seat (`whole.rs` has them), and generations that wrap, after 2^56 waits.

use std::sync::Arc;

use copool_model::loom::sync::atomic::{AtomicBool, Ordering};
use copool_model::loom::{Bounds, check, thread};
use copool_model::under_loom::checked::task::{Bare, Began, Running, Ticket, Trace, wake};
use copool_model::under_loom::{Cancel, JoinHandle, TaskRef};

/// A task that runs here.
fn running(bare: &Bare) -> (Running, JoinHandle<()>) {
    let (queued, handle) = bare.task(|| ());
    (queued.start().expect("nobody has ended it"), handle)
}

/// Runs `f` with the task elsewhere.
fn elsewhere(handle: &JoinHandle<()>, f: impl FnOnce(TaskRef) + Send + 'static) -> thread::JoinHandle<()> {
    let task = handle.task_ref();
    thread::spawn(move || f(task))
}

fn ticket(began: Began) -> Ticket {
    match began {
        Began::Waits(ticket) => ticket,
        other => panic!("expected a wait, got {other:?}"),
    }
}

#[test]
fn an_unpark_ends_the_park_or_leaves_a_token_and_what_came_before_it_is_seen() {
    check("park, unpark", Bounds::complete(), || {
        let bare = Bare::new();
        let (task, handle) = running(&bare);
        let data = Arc::new(Trace::new());
        let unparker = elsewhere(&handle, {
            let data = Arc::clone(&data);
            move |task| {
                data.write();
                task.unpark();
            }
        });
        let began = task.park();
        if began == Began::Token {
            data.read();
        }
        unparker.join().unwrap();
        assert_eq!(task.notes(), usize::from(began != Began::Token));
        // Either way it is used up.
        assert!(task.waits(ticket(task.park())));
        handle.task_ref().unpark();
        assert_eq!(task.notes(), 1);
        task.finish();
    });
}

#[test]
fn an_unpark_that_finds_a_token_is_not_lost_to_a_park_that_takes_the_token() {
    check("token, park, look, park against set, unpark", Bounds::complete(), || {
        let bare = Bare::new();
        let (task, handle) = running(&bare);
        handle.task_ref().unpark();
        let set = Arc::new(AtomicBool::new(false));
        let unparker = elsewhere(&handle, {
            let set = Arc::clone(&set);
            move |task| {
                // Ordering: Relaxed; the unpark publishes it, the park that takes the token sees it.
                set.store(true, Ordering::Relaxed);
                task.unpark();
            }
        });
        assert_eq!(task.park(), Began::Token);
        // Ordering: Relaxed, see above.
        if set.load(Ordering::Relaxed) {
            unparker.join().unwrap();
        } else {
            let began = task.park();
            unparker.join().unwrap();
            assert_eq!(task.notes(), usize::from(began != Began::Token), "the task sleeps for ever");
        }
    });
}

#[test]
fn of_two_unparks_one_ends_the_park_and_the_other_leaves_a_token_at_most() {
    check("park, unpark, unpark", Bounds::preemptions().unreduced(), || {
        let bare = Bare::new();
        let (task, handle) = running(&bare);
        let unparkers = [(); 2].map(|()| elsewhere(&handle, |task| task.unpark()));
        let began = task.park();
        unparkers.into_iter().for_each(|unparker| unparker.join().unwrap());
        match began {
            Began::Waits(ticket) => {
                assert_eq!((task.notes(), task.waits(ticket)), (1, false));
                assert_eq!(task.park(), Began::Token, "the other one came later");
            }
            Began::Token => {
                assert_eq!(task.notes(), 0);
                // The other one came before this park too, or it left a token for the next.
                match task.park() {
                    Began::Token => ticket(task.park()),
                    other => ticket(other),
                };
            }
            Began::Interrupted => panic!("nobody interrupts it"),
        }
    });
}

#[test]
fn a_cancel_ends_any_wait_but_a_call_and_keeps_the_next_from_beginning() {
    check("park, cancel, unpark", Bounds::preemptions().unreduced(), || {
        let bare = Bare::new();
        let (task, handle) = running(&bare);
        let canceller = elsewhere(&handle, |task| assert_eq!(task.cancel(), Cancel::Requested));
        let unparker = elsewhere(&handle, |task| task.unpark());
        let began = task.park();
        canceller.join().unwrap();
        unparker.join().unwrap();
        assert_eq!(task.notes(), usize::from(matches!(began, Began::Waits(_))));
        assert!(task.must_unwind());
        assert_eq!(task.park(), Began::Interrupted);
        assert_eq!(task.wait(), Began::Interrupted);
        ticket(task.call());
    });
}

#[test]
fn a_call_ends_by_its_own_end_alone() {
    check("call, its end, cancel", Bounds::complete(), || {
        let bare = Bare::new();
        let (task, handle) = running(&bare);
        let canceller = elsewhere(&handle, |task| assert_eq!(task.cancel(), Cancel::Requested));
        let call = ticket(task.call());
        let made = Arc::new(Trace::new());
        let helper = elsewhere(&handle, {
            let made = Arc::clone(&made);
            move |task| {
                made.write();
                wake(&task, call);
            }
        });
        canceller.join().unwrap();
        let early = task.notes();
        if early > 0 {
            made.read();
        }
        helper.join().unwrap();
        assert_eq!((early + task.notes(), task.waits(call)), (1, false));
        assert_eq!(task.park(), Began::Interrupted);
    });
}

/// A wait that the seat's own timer ends, as far as `N` others have not, and then another one.
fn two_waits<const N: usize>(name: &'static str, bounds: Bounds) {
    check(name, bounds, || {
        let bare = Bare::new();
        let (task, handle) = running(&bare);
        let first = ticket(task.wait());
        let wakers = [(); N].map(|()| elsewhere(&handle, move |task| wake(&task, first)));
        // From here on the wait is over, by whomever.
        wake(&handle.task_ref(), first);
        let second = ticket(task.wait());
        wakers.into_iter().for_each(|waker| waker.join().unwrap());
        assert_eq!((task.notes(), task.waits(second)), (1, true));
    });
}

#[test]
fn a_stale_wake_never_ends_a_later_wait() {
    two_waits::<1>("two waits, a wake of the first", Bounds::complete());
    two_waits::<2>("two waits, two wakes of the first", Bounds::preemptions());
}

#[test]
fn an_unpark_does_not_end_a_wait_for_something_else() {
    check("wait, its end, unpark", Bounds::complete(), || {
        let bare = Bare::new();
        let (task, handle) = running(&bare);
        let unparker = elsewhere(&handle, |task| task.unpark());
        let wait = ticket(task.wait());
        let waker = elsewhere(&handle, move |task| wake(&task, wait));
        unparker.join().unwrap();
        waker.join().unwrap();
        assert_eq!((task.notes(), task.waits(wait)), (1, false));
        assert_eq!(task.park(), Began::Token);
    });
}
