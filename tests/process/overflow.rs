//! Overflows of a task's stack: a message that names pool and task, and death by a signal. Other faults die as ever.

use copool::spec::Event;
use copool::{CoroutinePool, Listener, suspend, syscall};

use crate::{End, alone, name};

/// Uses up any stack.
fn recurse(depth: usize) -> usize {
    let frame = std::hint::black_box([depth; 64]);
    if depth == usize::MAX { 0 } else { recurse(std::hint::black_box(depth + 1)) + frame[0] }
}

fn overflow() {
    std::hint::black_box(recurse(0));
}

#[track_caller]
fn assert_reported(end: &End, words: &[&str]) {
    let deadly = [libc::SIGSEGV, libc::SIGBUS, libc::SIGABRT];
    assert!(end.signal.is_some_and(|signal| deadly.contains(&signal)), "code {:?}: {}", end.code, end.said);
    let line = end.said.lines().find(|line| line.starts_with("copool: stack overflow in pool"));
    let line = line.unwrap_or_else(|| panic!("signal {:?}, and no message: {}", end.signal, end.said));
    for word in words {
        assert!(line.contains(word), "{word} in: {line}");
    }
}

#[track_caller]
fn assert_not_ours(end: &End) {
    assert!(end.signal.is_some(), "code {:?}: {}", end.code, end.said);
    assert!(!end.said.contains("copool:"), "{}", end.said);
}

#[test]
fn an_overflow_names_pool_and_task() {
    let end = alone(name!(an_overflow_names_pool_and_task), || {
        let mut pool = CoroutinePool::builder().name("the pool").build().unwrap();
        pool.spawn(suspend).unwrap();
        pool.task().name("the task").spawn(overflow).unwrap();
        let _ = pool.drain(None);
    });
    let Some(end) = end else { return };
    assert_reported(&end, &["(the pool)", "task", "(the task)"]);
}

#[test]
fn an_overflow_after_a_suspension_names_the_task_that_went_on() {
    let end = alone(name!(an_overflow_after_a_suspension_names_the_task_that_went_on), || {
        let mut pool = CoroutinePool::builder().name("the pool").build().unwrap();
        let suspends = |then: fn()| {
            move || {
                (0..3).for_each(|_| suspend());
                then();
            }
        };
        pool.task().name("first").spawn(suspends(|| (0..9).for_each(|_| suspend()))).unwrap();
        pool.task().name("second").spawn(suspends(overflow)).unwrap();
        pool.task().name("third").spawn(suspends(suspend)).unwrap();
        let _ = pool.drain(None);
    });
    let Some(end) = end else { return };
    assert_reported(&end, &["(the pool)", "(second)"]);
}

#[test]
fn an_overflow_on_a_background_thread_is_reported_as_well() {
    let end = alone(name!(an_overflow_on_a_background_thread_is_reported_as_well), || {
        let mut pool = CoroutinePool::builder().name("the pool").threads(1).build().unwrap();
        let task = pool.task().name("the task").stack_size(1 << 20).spawn(overflow).unwrap();
        let _ = pool.wait(&task);
    });
    let Some(end) = end else { return };
    assert_reported(&end, &["(the pool)", "(the task)"]);
}

#[test]
fn an_overflow_in_a_pool_inside_a_task_names_the_inner_one() {
    let end = alone(name!(an_overflow_in_a_pool_inside_a_task_names_the_inner_one), || {
        let mut outer = CoroutinePool::builder().name("outer").build().unwrap();
        outer
            .spawn(|| {
                let mut inner = CoroutinePool::builder().name("inner").build().unwrap();
                inner.task().name("the task").spawn(overflow).unwrap();
                let _ = inner.drain(None);
            })
            .unwrap();
        let _ = outer.drain(None);
    });
    let Some(end) = end else { return };
    assert_reported(&end, &["(inner)", "(the task)"]);
}

#[test]
fn an_overflow_in_a_syscall_that_runs_in_place_is_reported_as_well() {
    let end = alone(name!(an_overflow_in_a_syscall_that_runs_in_place_is_reported_as_well), || {
        let mut pool = CoroutinePool::builder().name("the pool").max_syscall_threads(0).build().unwrap();
        pool.task().name("the task").spawn(|| syscall("overflows", overflow)).unwrap();
        let _ = pool.drain(None);
    });
    let Some(end) = end else { return };
    assert_reported(&end, &["(the pool)", "(the task)"]);
}

struct Overflows;
impl Listener for Overflows {
    fn on_event(&self, event: &Event) {
        if matches!(event, Event::TaskInterrupted { .. }) {
            overflow();
        }
    }
}

#[test]
fn an_overflow_in_a_listener_on_a_tasks_stack_is_reported_as_well() {
    let end = alone(name!(an_overflow_in_a_listener_on_a_tasks_stack_is_reported_as_well), || {
        let mut pool = CoroutinePool::builder().name("the pool").listener(Overflows).build().unwrap();
        pool.task().name("the task").spawn(suspend).unwrap();
        let _ = pool.drain(None);
    });
    let Some(end) = end else { return };
    assert_reported(&end, &["(the pool)"]);
}

#[test]
fn a_plain_fault_in_a_task_dies_without_a_word_of_ours() {
    let end = alone(name!(a_plain_fault_in_a_task_dies_without_a_word_of_ours), || {
        let mut pool = CoroutinePool::default();
        pool.spawn(|| {
            let nowhere = std::hint::black_box(std::ptr::without_provenance::<u8>(64));
            // SAFETY: none: the first page is never mapped, and the fault is what the test is about.
            unsafe { nowhere.read_volatile() };
        })
        .unwrap();
        let _ = pool.drain(None);
    });
    let Some(end) = end else { return };
    assert_not_ours(&end);
    assert_eq!(end.signal, Some(libc::SIGSEGV));
}

#[test]
fn an_overflow_of_a_plain_threads_stack_is_stds_to_report() {
    let end = alone(name!(an_overflow_of_a_plain_threads_stack_is_stds_to_report), || {
        let mut pool = CoroutinePool::default();
        pool.spawn(|| ()).unwrap();
        pool.drain(None).unwrap();
        overflow();
    });
    let Some(end) = end else { return };
    assert_not_ours(&end);
    assert!(end.said.contains("has overflowed its stack"), "{}", end.said);
}
