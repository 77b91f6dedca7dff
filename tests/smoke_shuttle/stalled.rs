//! A stall is told to whoever drains, in every schedule, whichever seat completes it.

use copool_model::shuttle::{check, thread};
use copool_model::under_shuttle::{CoroutinePool, DriveEnd};

use std::time::Duration;

#[test]
fn a_drain_learns_of_a_stall_that_a_serving_seat_completes() {
    check("a stall completed elsewhere", || {
        let mut pool = CoroutinePool::builder().max_size(1).build().unwrap();
        let handle = pool.handle();
        let server = thread::spawn({
            let handle = handle.clone();
            move || {
                if let Ok(mut seat) = handle.attach() {
                    let _ = seat.serve();
                }
            }
        });
        // It waits for one that needs a second worker.
        pool.spawn(move || handle.spawn(|| ()).unwrap().join().unwrap()).unwrap();
        assert_eq!(pool.drain(None).unwrap(), DriveEnd::Stalled);
        pool.set_max_size(2).unwrap();
        assert_eq!(pool.drain(None).unwrap(), DriveEnd::AllDone);
        pool.stop(Duration::ZERO);
        server.join().unwrap();
    });
}
