//! Seats that leave while tasks of theirs wait, and what destructors do meanwhile.

use std::cell::RefCell;
use std::sync::mpsc::channel;
use std::thread;
use std::time::Duration;

use copool::{
    CoroutineLocal, CoroutinePool, DriveEnd, JoinError, Outcome, PoolHandle, PoolState, park_timeout, suspend,
};

use crate::common::within;
use crate::forever;

#[test]
fn an_attached_seat_that_leaves_gives_its_queue_back_and_abandons_what_it_has_started() {
    within("leave", || {
        let mut pool = CoroutinePool::default();
        let handle = pool.handle();
        let (started, queued) = thread::spawn(move || {
            let mut seat = handle.attach().unwrap();
            let started = seat.spawn(forever).unwrap();
            seat.try_schedule_task().unwrap();
            let queued = seat
                .spawn(|| {
                    suspend();
                    7
                })
                .unwrap();
            (started, queued)
        })
        .join()
        .unwrap();
        assert!(matches!(started.join(), Err(JoinError::Abandoned)));
        assert_eq!((pool.state(), pool.size()), (PoolState::Running, 1));
        assert_eq!(pool.drain(None), Ok(DriveEnd::AllDone));
        assert_eq!(queued.join().unwrap(), 7);
    });
}

/// Submits a task when it is dropped.
struct SpawnsOnDrop(PoolHandle, std::sync::mpsc::Sender<copool::JoinHandle<i32>>);
impl Drop for SpawnsOnDrop {
    fn drop(&mut self) {
        if let Ok(task) = self.0.spawn(|| 7) {
            self.1.send(task).unwrap();
        }
    }
}

#[test]
fn what_destructors_submit_while_their_seat_leaves_is_run_by_another() {
    within("submissions while leaving", || {
        static LOCAL: CoroutineLocal<RefCell<Option<SpawnsOnDrop>>> = CoroutineLocal::new(|| RefCell::new(None));
        let mut pool = CoroutinePool::default();
        let (sender, receiver) = channel();
        let handle = pool.handle();
        thread::spawn(move || {
            let mut seat = handle.attach().unwrap();
            let spawns = SpawnsOnDrop(handle.clone(), sender.clone());
            let local = SpawnsOnDrop(handle.clone(), sender.clone());
            seat.spawn(move || {
                LOCAL.with(|slot| *slot.borrow_mut() = Some(local)).unwrap();
                let _spawns = spawns;
                forever();
            })
            .unwrap();
            // Its result is held by nothing but a timer that is not due: dropped as the seat looks at its timers for the last time.
            let spawns = SpawnsOnDrop(handle.clone(), sender);
            let timed = seat
                .spawn(move || {
                    park_timeout(Duration::from_secs(3_600));
                    spawns
                })
                .unwrap();
            seat.try_schedule_task().unwrap();
            timed.task_ref().unpark();
            let watch = timed.task_ref();
            drop(timed);
            seat.try_schedule_task().unwrap();
            assert_eq!(watch.outcome(), Some(Outcome::Returned));
            drop(watch);
        })
        .join()
        .unwrap();
        assert_eq!(pool.drain(std::time::Instant::now() + Duration::from_secs(5)), Ok(DriveEnd::AllDone));
        let spawned: Vec<_> = receiver.iter().collect();
        assert_eq!(spawned.len(), 3);
        for task in spawned {
            assert_eq!(task.task_ref().outcome(), Some(Outcome::Returned));
        }
    });
}

#[test]
fn a_stop_from_a_destructor_while_the_seat_leaves_does_not_drive_it_again() {
    struct StopsOnDrop(PoolHandle, std::sync::mpsc::Sender<usize>);
    impl Drop for StopsOnDrop {
        fn drop(&mut self) {
            self.1.send(self.0.stop(Duration::from_millis(10)).abandoned).unwrap();
        }
    }
    within("stop while leaving", || {
        let pool = CoroutinePool::default();
        let (sender, receiver) = channel();
        let handle = pool.handle();
        thread::spawn(move || {
            let mut seat = handle.attach().unwrap();
            let stops = StopsOnDrop(handle.clone(), sender);
            let timed = seat
                .spawn(move || {
                    park_timeout(Duration::from_secs(3_600));
                    stops
                })
                .unwrap();
            seat.try_schedule_task().unwrap();
            timed.task_ref().unpark();
            drop(timed);
            seat.try_schedule_task().unwrap();
        })
        .join()
        .unwrap();
        assert_eq!(receiver.recv(), Ok(0), "the destructor came to its end");
        assert_eq!(pool.state(), PoolState::Stopped);
    });
}
