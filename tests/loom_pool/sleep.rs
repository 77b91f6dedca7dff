//! Idle: announce, look again, sleep; against whatever the sleeper waits for (L2).
//!
//! The seats poll and sleep by the pool's own functions, but run nothing: a task is taken, not started. Timeouts are
//! left out; a wake-up that is lost ends a model in loom's deadlock.

use std::sync::Arc;

use copool_model::loom::{Bounds, check, thread};
use copool_model::under_loom::checked::Gate;
use copool_model::under_loom::checked::pool::{Core, Polled, Witness};
use copool_model::under_loom::checked::seat::{self, Sleeper, Stack};
use copool_model::under_loom::{Cancel, CoroutinePool, DriveEnd, JoinHandle, PoolHandle, park};

/// Polls, and sleeps whenever there is nothing.
fn await_task(seat: &CoroutinePool) -> Polled {
    loop {
        if let Some(task) = seat::poll(seat) {
            return task;
        }
        seat::doze(seat);
    }
}

/// Nobody sleeps, and nothing waits, once `tasks` are cancelled.
fn assert_awake_and_empty(core: &Core, handle: &PoolHandle, tasks: impl IntoIterator<Item = JoinHandle<()>>) {
    assert!(!core.has_sleepers());
    assert_eq!(core.drain(), 0);
    tasks.into_iter().for_each(|task| assert_ne!(task.cancel(), Cancel::AlreadyEnded));
    assert_eq!((handle.size(), handle.outstanding()), (0, 0));
}

/// One seat that waits for a task with this priority, and one submitter.
fn one_submitter(name: &'static str, bounds: Bounds, priority: i64) {
    check(name, bounds, move || {
        let seat = CoroutinePool::builder().build().unwrap();
        let submitter = thread::spawn({
            let handle = seat.handle();
            move || handle.task().priority(priority).spawn(|| ()).unwrap()
        });
        let polled = await_task(&seat);
        let task = submitter.join().unwrap();
        assert_eq!(polled.id(), task.id());
        assert_awake_and_empty(&Core::of(&seat), &seat, [task]);
    });
}

#[test]
fn a_seat_going_to_sleep_misses_no_task_from_elsewhere() {
    let bounds = Bounds::preemptions();
    one_submitter("sleep: a task for the injector", bounds.unreduced(), 0);
    one_submitter("sleep: a task for the lane", bounds.unreduced(), 1);
    one_submitter("sleep: a task for the injector", bounds.uneven(), 0);
}

#[test]
fn a_seat_going_to_sleep_misses_neither_of_two_submitters() {
    check("sleep: two submitters", Bounds::preemptions().at_most(1), || {
        let seat = CoroutinePool::builder().build().unwrap();
        let submitters = [(), ()].map(|()| {
            let handle = seat.handle();
            thread::spawn(move || handle.spawn(|| ()).unwrap())
        });
        let polled = [await_task(&seat), await_task(&seat)];
        let tasks = submitters.map(|submitter| submitter.join().unwrap());
        assert!(tasks.iter().all(|task| polled.iter().any(|polled| polled.id() == task.id())));
        assert_awake_and_empty(&Core::of(&seat), &seat, tasks);
    });
}

#[test]
fn of_two_seats_going_to_sleep_one_takes_the_task_and_the_other_the_next() {
    check("sleep: two seats, and a task for each", Bounds::preemptions().at_most(1), || {
        let seat = CoroutinePool::builder().build().unwrap();
        let other = thread::spawn({
            let handle = seat.handle();
            move || {
                let seat = handle.attach().unwrap();
                await_task(&seat).id()
            }
        });
        let submitter = thread::spawn({
            let handle = seat.handle();
            move || [handle.spawn(|| ()).unwrap(), handle.spawn(|| ()).unwrap()]
        });
        let here = await_task(&seat).id();
        let there = other.join().unwrap();
        let tasks = submitter.join().unwrap();
        assert!(tasks.iter().all(|task| [here, there].contains(&task.id())));
        assert_awake_and_empty(&Core::of(&seat), &seat, tasks);
    });
}

#[test]
fn whoever_takes_an_announcement_back_comes_after_what_the_sleeper_did_before_it() {
    check("sleep: an announcement is taken back", Bounds::complete(), || {
        let seat = CoroutinePool::builder().build().unwrap();
        let (sleeper, before) = (Sleeper::of(&seat), Arc::new(Witness::new()));
        let waker = thread::spawn({
            let before = Arc::clone(&before);
            move || {
                if sleeper.wake() {
                    before.read();
                }
            }
        });
        // In the place of the count of sleepers, which the waker reduces: loom runs the changes of two words in the program's
        // order, but it knows whether one is ordered after the other.
        before.write();
        seat::announce(&seat);
        waker.join().unwrap();
        assert!(!seat::rise(&seat), "nobody has called it");
        assert!(!Core::of(&seat).has_sleepers());
    });
}

/// A seat with a task and no worker to be had, until `grant` on another thread.
fn wants_a_worker(
    name: &'static str,
    bounds: Bounds,
    grant: impl Fn(&Core, &PoolHandle) + Send + Sync + Clone + 'static,
) {
    check(name, bounds, move || {
        let seat = CoroutinePool::builder().max_size(1).build().unwrap();
        let core = Core::of(&seat);
        assert!(core.reserve());
        let task = seat.spawn(|| ()).unwrap();
        let giver = thread::spawn({
            let (core, handle, grant) = (core.clone(), seat.handle(), grant.clone());
            move || grant(&core, &handle)
        });
        while !seat::obtain(&seat) {
            seat::doze(&seat);
        }
        giver.join().unwrap();
        let now = core.numbers();
        assert_eq!(now.running, now.max);
        assert!(seat::poll(&seat).is_some_and(|polled| polled.id() == task.id()));
        assert_awake_and_empty(&core, &seat, [task]);
        if now.max == 2 {
            core.release();
        }
    });
}

#[test]
fn a_seat_going_to_sleep_for_want_of_a_worker_hears_of_one() {
    for bounds in [Bounds::preemptions().unreduced(), Bounds::preemptions().uneven()] {
        wants_a_worker("sleep: a worker's count is released", bounds, |core, _| core.release());
        wants_a_worker("sleep: max is raised", bounds, |_, handle| handle.set_max_size(2).unwrap());
    }
}

#[test]
fn a_seat_going_to_sleep_for_want_of_a_stack_hears_of_one() {
    check("sleep: the only stack is given back", Bounds::preemptions().uneven(), || {
        let seat = CoroutinePool::builder().max_stacks(1).build().unwrap();
        let task = seat.spawn(|| ()).unwrap();
        let taken = Arc::new(Gate::new());
        let holder = thread::spawn({
            let (handle, taken) = (seat.handle(), Arc::clone(&taken));
            move || {
                let seat = handle.attach().unwrap();
                let _got = seat::obtain(&seat);
                taken.open(1);
                // A worker without a task goes with its seat.
            }
        });
        taken.wait();
        while !seat::obtain(&seat) {
            seat::doze(&seat);
        }
        holder.join().unwrap();
        assert!(seat::poll(&seat).is_some_and(|polled| polled.id() == task.id()));
        assert_awake_and_empty(&Core::of(&seat), &seat, [task]);
    });
}

/// A seat with a task and no stack to be had, until another thread does `gives` with the only one, while so many workers are counted.
fn wants_a_stack(name: &'static str, workers: u32, gives: fn(&Core, Stack)) {
    check(name, Bounds::preemptions().uneven(), move || {
        let seat = CoroutinePool::builder().max_stacks(1).min_size(workers).build().unwrap();
        let core = Core::of(&seat);
        (0..workers).for_each(|_| assert!(core.reserve()));
        let stack = core.take_stack().unwrap();
        let task = seat.spawn(|| ()).unwrap();
        let giver = thread::spawn({
            let core = core.clone();
            move || gives(&core, stack)
        });
        while !seat::obtain(&seat) {
            seat::doze(&seat);
        }
        giver.join().unwrap();
        assert!(seat::poll(&seat).is_some_and(|polled| polled.id() == task.id()));
        assert_awake_and_empty(&core, &seat, [task]);
    });
}

#[test]
fn a_seat_going_to_sleep_for_want_of_a_stack_hears_of_one_that_is_given_back_by_itself() {
    wants_a_stack("sleep: the only stack is given back, and nothing else", 0, Core::return_stack);
}

#[test]
fn a_seat_going_to_sleep_for_want_of_a_stack_hears_of_a_worker_that_idles_with_the_only_one() {
    wants_a_stack("sleep: the only stack idles with its worker", 1, Core::idle_with);
}

/// A seat with a task for which there is no stack, which it keeps in hand, while another thread does `gives` with the only one.
fn task_in_hand(name: &'static str, min_size: u32, gives: fn(&Core, Stack)) {
    const LARGER: usize = 1 << 20;
    check(name, Bounds::preemptions().uneven(), move || {
        let seat = CoroutinePool::builder().max_stacks(1).min_size(min_size).build().unwrap();
        let core = Core::of(&seat);
        let stack = core.take_stack_of(LARGER).unwrap();
        let task = seat.task().stack_size(LARGER).spawn(|| ()).unwrap();
        let polled = seat::poll(&seat).unwrap();
        let giver = thread::spawn({
            let core = core.clone();
            move || gives(&core, stack)
        });
        if seat::enlarge(&seat, polled).is_none() {
            // Nobody but this seat can take the task that it has in hand: no wake-up for a task reaches it.
            loop {
                // As a drive does before it blocks; no stack is wanted then but for the task in hand.
                let _got = seat::obtain(&seat);
                if let Some(polled) = seat::poll(&seat) {
                    assert_eq!(polled.id(), task.id());
                    break;
                }
                seat::doze(&seat);
            }
        }
        giver.join().unwrap();
        assert_awake_and_empty(&core, &seat, [task]);
    });
}

#[test]
fn a_seat_going_to_sleep_with_a_task_in_hand_hears_of_a_stack_for_it() {
    task_in_hand("sleep: a stack for a task in hand", 0, Core::return_stack);
}

#[test]
fn a_seat_going_to_sleep_with_a_task_in_hand_hears_of_a_worker_that_idles_with_a_stack_for_it() {
    task_in_hand("sleep: a worker idles with a stack for a task in hand", 1, |core, stack| {
        assert!(core.reserve());
        core.idle_with(stack);
    });
}

#[test]
fn a_seat_going_to_sleep_for_want_of_a_worker_is_not_kept_from_it_by_one_that_is_refused_a_stack() {
    check("sleep: another seat is refused a stack", Bounds::preemptions(), || {
        let seat = CoroutinePool::builder().max_stacks(1).max_size(1).build().unwrap();
        let core = Core::of(&seat);
        let stack = core.take_stack().unwrap();
        let task = seat.spawn(|| ()).unwrap();
        let [attached, over] = [(), ()].map(|()| Arc::new(Gate::new()));
        let other = thread::spawn({
            let (handle, attached, over) = (seat.handle(), Arc::clone(&attached), Arc::clone(&over));
            move || {
                let mut seat = handle.attach().unwrap();
                attached.open(1);
                if seat::obtain(&seat) {
                    let _end = seat.drain(None);
                }
                // It is busy with something else.
                over.wait();
            }
        });
        attached.wait();
        core.return_stack(stack);
        while !task.is_finished() && !seat::obtain(&seat) {
            seat::doze_until(&seat, &task.task_ref());
        }
        over.open(1);
        other.join().unwrap();
        drop(task);
        assert!(!core.has_sleepers());
    });
}

#[test]
fn a_seat_going_to_sleep_hears_of_what_a_leaving_one_hands_back() {
    check("sleep: a seat leaves with a task in its queue", Bounds::preemptions().uneven().at_most(1), || {
        let seat = CoroutinePool::builder().build().unwrap();
        let leaver = thread::spawn({
            let handle = seat.handle();
            move || handle.attach().unwrap().spawn(|| ()).unwrap()
        });
        let polled = await_task(&seat);
        let task = leaver.join().unwrap();
        assert_eq!(polled.id(), task.id());
        assert_awake_and_empty(&Core::of(&seat), &seat, [task]);
    });
}

#[test]
fn a_seat_that_waits_for_quiet_hears_of_the_last_outcome() {
    check("sleep: a drain, and the last outcome", Bounds::preemptions().unreduced().uneven(), || {
        let seat = CoroutinePool::builder().build().unwrap();
        let task = seat.spawn(|| ()).unwrap();
        assert!(seat::poll(&seat).is_some());
        let canceller = thread::spawn(move || assert_eq!(task.cancel(), Cancel::NeverRuns));
        while seat.outstanding() > 0 {
            seat::doze_until_quiet(&seat);
        }
        canceller.join().unwrap();
        assert_awake_and_empty(&Core::of(&seat), &seat, []);
        assert!(!Core::of(&seat).has_watchers());
    });
}

#[test]
fn a_seat_going_to_sleep_hears_of_a_task_of_its_own_that_is_unparked() {
    check("sleep: a task parks, and is unparked", Bounds::preemptions().uneven().at_most(1), || {
        let mut seat = CoroutinePool::builder().max_size(1).build().unwrap();
        let mut task = seat.spawn(park).unwrap();
        let parked = task.task_ref();
        let other = thread::spawn(move || parked.unpark());
        assert_eq!(seat.wait(&task).unwrap(), DriveEnd::AllDone);
        other.join().unwrap();
        task.try_join().unwrap().unwrap();
        assert!(!Core::of(&seat).has_sleepers());
    });
}

#[test]
fn a_seat_that_waits_for_a_task_hears_of_its_outcome() {
    check("sleep: a wait for a task, and its outcome", Bounds::preemptions().unreduced().uneven(), || {
        let seat = CoroutinePool::builder().build().unwrap();
        let task = seat.spawn(|| ()).unwrap();
        assert!(seat::poll(&seat).is_some());
        let task_ref = task.task_ref();
        let canceller = thread::spawn(move || assert_eq!(task.cancel(), Cancel::NeverRuns));
        while !task_ref.is_finished() {
            seat::doze_until(&seat, &task_ref);
        }
        canceller.join().unwrap();
        assert_awake_and_empty(&Core::of(&seat), &seat, []);
    });
}

#[test]
fn a_seat_that_drains_hears_of_a_stall_that_another_completes() {
    check("sleep: a drain, and a stall", Bounds::preemptions().unreduced().uneven(), || {
        let seat = CoroutinePool::builder().max_size(1).build().unwrap();
        let core = Core::of(&seat);
        assert!(core.reserve());
        let task = seat.spawn(|| ()).unwrap();
        let server = thread::spawn({
            let core = core.clone();
            move || core.join_beside_a_server()
        });
        while !core.is_stalled() {
            seat::doze_until_quiet(&seat);
        }
        server.join().unwrap();
        assert!(seat::poll(&seat).is_some_and(|polled| polled.id() == task.id()));
        assert_awake_and_empty(&core, &seat, [task]);
        core.release();
    });
}
