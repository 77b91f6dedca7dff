//! Wake-ups on the thread of the task that they are for: each is a note on its seat, which names where the task is kept. So
//! the one for a task that has not suspended yet has to go another way.
//!
//! On a virtual clock no drive blocks: one that misses a wake-up says that it waits.

use std::sync::{Arc, OnceLock};
use std::thread;
use std::time::Duration;

use copool::spec::Event;
use copool::{CoroutinePool, DriveEnd, Listener, Outcome, TaskRef, VirtualClock, delay, park, suspend, syscall};

use crate::common::within;

/// What a listener does to a task.
type Deed = fn(&TaskRef);

fn unpark(task: &TaskRef) {
    task.unpark();
}

fn unpark_from_elsewhere(task: &TaskRef) {
    let task = task.clone();
    thread::spawn(move || task.unpark()).join().unwrap();
}

fn cancel(task: &TaskRef) {
    task.cancel();
}

/// Does something to a task while that suspends: its wait has begun, and its worker still runs.
#[derive(Clone)]
struct Hurries {
    task: Arc<OnceLock<TaskRef>>,
    deed: Deed,
}

impl Listener for Hurries {
    fn on_event(&self, event: &Event) {
        if let (Event::TaskInterrupted { task, .. }, Some(hurried)) = (event, self.task.get())
            && *task == hurried.id()
        {
            (self.deed)(hurried);
        }
    }
}

/// A task that waits by `wait` beside two parked ones, and to which `deed` is done each time that it is about to.
fn hurry(wait: fn(), deed: Deed) -> Option<Outcome> {
    let hurries = Hurries { task: Arc::default(), deed };
    let builder = CoroutinePool::builder().clock(VirtualClock::new()).listener(hurries.clone());
    let mut pool = builder.build().unwrap();
    let others = [(), ()].map(|()| pool.spawn(park).unwrap().task_ref());
    pool.try_schedule_task().unwrap();
    let task = pool.spawn(move || (0..3).for_each(|_| wait())).unwrap().task_ref();
    hurries.task.set(task.clone()).unwrap();
    assert_eq!(pool.wait(&task), Ok(DriveEnd::AllDone));
    assert_eq!(others.each_ref().map(TaskRef::is_finished), [false, false], "no other task was woken");
    others.iter().for_each(TaskRef::unpark);
    assert_eq!(pool.drain(None), Ok(DriveEnd::AllDone));
    task.outcome()
}

#[test]
fn a_task_whose_wait_ends_before_it_has_suspended_goes_on_and_no_other_does() {
    within("woken while it suspends", || {
        assert_eq!(hurry(park, unpark), Some(Outcome::Returned));
        assert_eq!(hurry(park, unpark_from_elsewhere), Some(Outcome::Returned));
        assert_eq!(hurry(|| delay(Duration::MAX), cancel), Some(Outcome::Cancelled));
    });
}

#[test]
fn a_task_that_is_woken_here_has_its_turn_although_others_are_always_ready() {
    within("woken beside a busy one", || {
        let mut pool = CoroutinePool::builder().clock(VirtualClock::new()).build().unwrap();
        let parked = pool.spawn(park).unwrap().task_ref();
        pool.try_schedule_task().unwrap();
        let woken = parked.clone();
        let turns = move || {
            woken.unpark();
            let mut turns = 0;
            while !woken.is_finished() && turns < 100 {
                suspend();
                turns += 1;
            }
            turns
        };
        let turns = pool.spawn(turns).unwrap();
        assert_eq!(pool.drain(None), Ok(DriveEnd::AllDone));
        // The busy one is queued again first.
        assert_eq!(turns.join().unwrap(), 2);
    });
}

#[test]
fn a_drive_goes_on_with_what_a_call_has_woken_that_its_seat_runs_itself() {
    within("woken by a call on the seat", || {
        let mut pool = CoroutinePool::builder().clock(VirtualClock::new()).build().unwrap();
        let parked = pool.spawn(park).unwrap().task_ref();
        pool.try_schedule_task().unwrap();
        pool.spawn(move || syscall("wakes", || parked.unpark())).unwrap();
        assert_eq!(pool.drain(None), Ok(DriveEnd::AllDone));
    });
}
