//! Threads that the system refuses to start: std asks for stacks that no memory holds.

use std::thread;
use std::time::Duration;

use copool::{BuildError, CoroutinePool, DriveEnd, syscall};

use crate::{alone_on_main, name};

#[test]
fn background_threads_that_cannot_be_started_are_a_build_error_with_the_systems_reason() {
    let test = name!(background_threads_that_cannot_be_started_are_a_build_error_with_the_systems_reason);
    let end = alone_on_main(test, || {
        assert!(thread::Builder::new().spawn(|| ()).is_err(), "the system refuses threads");
        for threads in [1, 3] {
            let error = CoroutinePool::builder().name("none").threads(threads).build().unwrap_err();
            let BuildError::Spawn(reason) = &error else { panic!("{error:?}") };
            assert!(reason.raw_os_error().is_some(), "{reason:?}");
            assert!(std::error::Error::source(&error).is_some());
        }
        let mut pool = CoroutinePool::default();
        let task = pool.spawn(|| 7).unwrap();
        assert_eq!(pool.drain(None), Ok(DriveEnd::AllDone));
        assert_eq!(task.join().unwrap(), 7);
    });
    let Some(end) = end else { return };
    end.succeeded();
}

#[test]
fn syscalls_run_in_place_where_no_helper_can_be_started() {
    let test = name!(syscalls_run_in_place_where_no_helper_can_be_started);
    let end = alone_on_main(test, || {
        let mut pool = CoroutinePool::default();
        let here = thread::current().id();
        let tasks: Vec<_> =
            (0..5).map(|n| pool.spawn(move || (n, syscall("in place", || thread::current().id()))).unwrap()).collect();
        assert_eq!(pool.drain(None), Ok(DriveEnd::AllDone));
        for (n, task) in tasks.into_iter().enumerate() {
            assert_eq!(task.join().unwrap(), (n, here));
        }
        assert_eq!(pool.counters().threads, 0);
        assert_eq!(pool.stop(Duration::MAX).abandoned, 0);
    });
    let Some(end) = end else { return };
    end.succeeded();
}
