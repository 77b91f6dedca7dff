//! The names of the events, and the methods that tell them.

use super::*;

#[test]
fn the_names_are_distinct_and_begin_with_the_27_arrows() {
    let mut names = Event::NAMES.to_vec();
    assert_eq!(names[0], "schedule_called");
    assert_eq!(names[Event::ARROWS - 1], "thread_resumed");
    assert_eq!(names.len(), Event::ARROWS + 22);
    names.sort_unstable();
    names.dedup();
    assert_eq!(names.len(), Event::NAMES.len());
}

#[test]
fn an_event_bears_the_name_of_its_arrow() {
    let event = Event::TaskStarted { seat: SeatId(1), worker: WorkerId(2), task: TaskId(3) };
    assert_eq!(event.name(), "task_started");
    assert_eq!(format!("{event:?}"), "TaskStarted { seat: S1, worker: W2, task: T3 }");
}

#[test]
fn nobody_listening_builds_no_event() {
    struct Deaf;
    impl Tell for Deaf {
        fn listens(&self) -> bool {
            false
        }
        fn tell(&self, event: Event) {
            panic!("told of {event:?}");
        }
    }
    Deaf.worker_resumed(SeatId(0), WorkerId(0));
}
