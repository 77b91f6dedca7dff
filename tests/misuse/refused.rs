//! Joins that are refused use their handle up, and lose nothing: the error holds the task, and the task its value.

use std::sync::mpsc::channel;
use std::sync::{Arc, Barrier};
use std::thread;
use std::time::Duration;

use copool::spec::Event;
use copool::{CoroutinePool, DriveEnd, JoinError, JoinHandle, Listener, Outcome, TaskRef, park};

use crate::common::within;
use crate::live::{Live, Token};

/// Joins the handle where that is refused.
fn refused<T: Send + 'static>(handle: JoinHandle<T>) -> TaskRef {
    match handle.join() {
        Err(JoinError::WouldBlockSeat(task) | JoinError::SelfJoin(task) | JoinError::Unwinding(task)) => task,
        Err(error) => panic!("{error:?}"),
        Ok(_) => panic!("joined"),
    }
}

fn never() -> u8 {
    crate::forever();
    7
}

#[test]
fn after_a_join_that_would_block_the_seat_one_drives_and_takes_the_value() {
    within("refused join on a seat", || {
        let live = Live::default();
        let mut pool = CoroutinePool::default();
        let token = live.token();
        let task = refused(pool.spawn(move || (token, 7)).unwrap());
        assert!(matches!(task.take::<(Token, i32)>(), Err(JoinError::Timeout(Duration::ZERO))), "there is none yet");
        assert_eq!(pool.wait(&task), Ok(DriveEnd::AllDone));
        assert!(matches!(task.take::<i32>(), Err(JoinError::WrongType)));
        let (token, value) = task.clone().take::<(Token, i32)>().unwrap();
        assert_eq!((value, live.count()), (7, 1));
        drop(token);
        assert!(matches!(task.take::<(Token, i32)>(), Err(JoinError::Taken)));
        assert_eq!(live.count(), 0);
    });
}

#[test]
fn after_a_join_of_itself_the_value_of_a_task_is_there_for_others() {
    within("refused join of oneself", || {
        let mut pool = CoroutinePool::default();
        let (sender, receiver) = channel::<JoinHandle<&str>>();
        let (keep, kept) = channel();
        let own = move || {
            keep.send(refused(receiver.recv().unwrap())).unwrap();
            "its own"
        };
        sender.send(pool.spawn(own).unwrap()).unwrap();
        assert_eq!(pool.drain(None), Ok(DriveEnd::AllDone));
        assert_eq!(kept.recv().unwrap().take::<&str>().unwrap(), "its own");
    });
}

#[test]
fn after_a_join_while_unwinding_the_value_is_still_there() {
    struct JoinsOnDrop(Option<(JoinHandle<String>, std::sync::mpsc::Sender<TaskRef>)>);
    impl Drop for JoinsOnDrop {
        fn drop(&mut self) {
            let (handle, keep) = self.0.take().unwrap();
            keep.send(refused(handle)).unwrap();
        }
    }
    within("refused join while unwinding", || {
        let mut pool = CoroutinePool::default();
        let (keep, kept) = channel();
        let joins = JoinsOnDrop(Some((pool.spawn(|| String::from("kept")).unwrap(), keep)));
        let unwinds = pool.task().priority(-1).spawn(move || {
            let _joins = joins;
            park();
        });
        let unwinds = unwinds.unwrap();
        // The task that is joined waits behind this one.
        pool.task()
            .priority(-1)
            .spawn({
                let unwinds = unwinds.task_ref();
                move || unwinds.cancel()
            })
            .unwrap();
        assert_eq!(pool.drain(None), Ok(DriveEnd::AllDone));
        assert_eq!(unwinds.task_ref().outcome(), Some(Outcome::Cancelled));
        assert_eq!(kept.recv().unwrap().take::<String>().unwrap(), "kept");
    });
}

#[test]
fn after_a_join_in_a_listener_the_value_is_still_there() {
    struct Joins(std::sync::Mutex<(std::sync::mpsc::Receiver<JoinHandle<u8>>, std::sync::mpsc::Sender<TaskRef>)>);
    impl Listener for Joins {
        fn on_event(&self, event: &Event) {
            if event.name() == "schedule_called" {
                let joins = self.0.lock().unwrap();
                joins.1.send(refused(joins.0.recv().unwrap())).unwrap();
            }
        }
    }
    within("refused join in a listener", || {
        let ((give, given), (keep, kept)) = (channel(), channel());
        let mut pool = CoroutinePool::builder().listener(Joins(std::sync::Mutex::new((given, keep)))).build().unwrap();
        give.send(pool.spawn(|| 7).unwrap()).unwrap();
        assert_eq!(pool.drain(None), Ok(DriveEnd::AllDone));
        assert_eq!(kept.recv().unwrap().take::<u8>().unwrap(), 7);
    });
}

#[test]
fn a_panic_and_an_outcome_without_a_value_are_told_by_the_reference_too() {
    within("refused joins of tasks without a value", || {
        let mut pool = CoroutinePool::default();
        let panics = refused(pool.spawn(|| -> u8 { std::panic::resume_unwind(Box::new("why")) }).unwrap());
        let cancelled = refused(pool.spawn(|| 7_u8).unwrap());
        let abandoned = refused(pool.spawn(never).unwrap());
        cancelled.cancel();
        assert_eq!(pool.wait(&panics), Ok(DriveEnd::AllDone));
        assert_eq!(panics.take::<u8>().unwrap_err().panic_message(), Some("why"));
        assert!(matches!(panics.take::<u8>(), Err(JoinError::Taken)), "the payload is taken as a value is");
        assert!(matches!(cancelled.take::<u8>(), Err(JoinError::Cancelled)));
        drop(pool);
        assert!(matches!(abandoned.take::<u8>(), Err(JoinError::Abandoned)));
    });
}

#[test]
fn a_reference_takes_nothing_from_a_handle_that_still_has_its_result() {
    let live = Live::default();
    let mut pool = CoroutinePool::default();
    let token = live.token();
    let (handle, other) = (pool.spawn(move || token).unwrap(), pool.spawn(|| ()).unwrap());
    let (task, detached) = (handle.task_ref(), other.task_ref());
    drop(other);
    pool.drain(None).unwrap();
    assert!(matches!(task.take::<Token>(), Err(JoinError::Held)));
    assert!(matches!(detached.take::<()>(), Err(JoinError::Held)), "a dropped handle has given nothing up");
    assert_eq!(live.count(), 1);
    let token = handle.join().unwrap();
    assert!(matches!(task.take::<Token>(), Err(JoinError::Held)));
    drop(token);
    assert_eq!(live.count(), 0);
}

#[test]
fn of_many_references_one_takes_the_value() {
    within("many takers", || {
        const TAKERS: usize = 4;
        for _ in 0..200 {
            let live = Live::default();
            let mut pool = CoroutinePool::default();
            let token = live.token();
            let task = refused(pool.spawn(move || Box::new(token)).unwrap());
            let start = Arc::new(Barrier::new(TAKERS + 1));
            let takers: Vec<_> = (0..TAKERS)
                .map(|_| {
                    let (task, start) = (task.clone(), Arc::clone(&start));
                    thread::spawn(move || {
                        start.wait();
                        task.wait().unwrap();
                        task.take::<Box<Token>>()
                    })
                })
                .collect();
            start.wait();
            pool.drain(None).unwrap();
            let taken: Vec<_> = takers.into_iter().map(|taker| taker.join().unwrap()).collect();
            assert_eq!(taken.iter().filter(|taken| taken.is_ok()).count(), 1);
            let others = taken.iter().filter(|taken| matches!(taken, Err(JoinError::Taken))).count();
            assert_eq!((others, live.count()), (TAKERS - 1, 1));
            drop(taken);
            assert_eq!(live.count(), 0);
        }
    });
}
