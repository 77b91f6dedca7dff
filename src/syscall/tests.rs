//! Helpers that cannot be started, one after the other, while others rely on them.

use std::io::{Error, ErrorKind};

use copool_spec::TaskId;

use super::*;
use crate::CoroutinePool;

/// A call of a task that does not wait for it any more, so that waking it does nothing.
fn call(pool: &CoroutinePool, job: &mut (impl FnMut() + Send + 'static)) -> Call {
    let seat = pool.seat();
    let (task, _) = Task::pair(Some(seat), seat.rooms.home(), (TaskId(0), None), || ());
    let crate::task::Begin::Waits(generation) = task.core().wait.begin(Wait::Syscall) else { unreachable!() };
    assert!(task.core().wait.wake(generation).is_some());
    Call { job, task, generation }
}

/// The calls that were run.
type Run = Arc<Mutex<Vec<u64>>>;

/// What a call runs: it says that it was run.
fn job(run: &Run, id: u64) -> impl FnMut() + Send + 'static {
    let run = Arc::clone(run);
    move || run.lock().push(id)
}

fn taken(run: &Run) -> Vec<u64> {
    std::mem::take(&mut *run.lock())
}

fn refused() -> io::Result<Thread> {
    Err(Error::from(ErrorKind::OutOfMemory))
}

#[test]
fn a_call_that_relied_on_a_helper_which_cannot_be_started_is_run() {
    let pool = CoroutinePool::default();
    let helpers = Helpers::new(2, "none");
    let run = Run::default();
    let [mut first, mut second, mut third] = [1, 2, 3].map(|id| job(&run, id));
    // While the first helper is being started come two more calls: one has a helper started too, which fails but finds
    // the first one counted; the other finds as many as there may be. Then the first one fails.
    let own = helpers.push_or_start(call(&pool, &mut first), |_| {
        assert!(
            helpers
                .push_or_start(call(&pool, &mut second), |_| {
                    assert!(
                        helpers.push_or_start(call(&pool, &mut third), |_| unreachable!("two are counted")).is_ok()
                    );
                    refused()
                })
                .is_ok()
        );
        refused()
    });
    assert_eq!(taken(&run), [2, 3], "those of the others were run");
    own.expect_err("its own comes back, to be run in place").run_job();
    assert_eq!(taken(&run), [1]);
    assert_eq!((helpers.threads(), helpers.0.state.lock().queue.len()), (0, 0));
}

#[test]
fn a_call_whose_helper_cannot_be_started_is_left_to_another_that_lives() {
    let pool = CoroutinePool::default();
    let helpers = Helpers::new(2, "none");
    helpers.0.state.lock().live = 1;
    let run = Run::default();
    let mut queued = job(&run, 1);
    assert!(helpers.push_or_start(call(&pool, &mut queued), |_| refused()).is_ok());
    assert_eq!(helpers.0.state.lock().queue.len(), 1);
    helpers.0.state.lock().closed = true;
    // That other one, here.
    helpers.0.work();
    assert_eq!((taken(&run), helpers.threads()), (vec![1], 0));
}

#[test]
fn a_helper_that_idles_is_relied_on_by_one_call() {
    let pool = CoroutinePool::default();
    let helpers = Helpers::new(2, "none");
    {
        let mut state = helpers.0.state.lock();
        (state.live, state.free) = (1, 1);
    }
    let run = Run::default();
    let [mut first, mut second] = [1, 2].map(|id| job(&run, id));
    assert!(helpers.push_or_start(call(&pool, &mut first), |_| unreachable!("one idles")).is_ok());
    // The one that idles has not woken yet.
    let mut started = false;
    let start = |_| {
        started = true;
        refused()
    };
    assert!(helpers.push_or_start(call(&pool, &mut second), start).is_ok());
    assert!(started, "the second call has another helper started");
    {
        // The one that idles, here; it counts itself.
        let mut state = helpers.0.state.lock();
        (state.free, state.closed) = (0, true);
    }
    helpers.0.work();
    assert_eq!((taken(&run), helpers.threads()), (vec![1, 2], 0));
}

#[test]
fn a_helper_looks_for_its_next_call_before_it_waits_and_not_for_ever() {
    let pool = CoroutinePool::default();
    let helpers = Helpers::new(1, "none");
    {
        let mut state = helpers.0.state.lock();
        (state.live, state.free) = (1, 1);
    }
    assert!(!helpers.0.call_comes_soon(), "there is none");
    let run = Run::default();
    let mut next = job(&run, 1);
    assert!(helpers.push_or_start(call(&pool, &mut next), |_| unreachable!("one idles")).is_ok());
    assert!(helpers.0.call_comes_soon());
    {
        let mut state = helpers.0.state.lock();
        (state.free, state.closed) = (0, true);
    }
    helpers.0.work();
    assert_eq!(taken(&run), vec![1]);
    assert!(!helpers.0.call_comes_soon(), "it was taken");
}

#[test]
fn a_seat_looks_for_the_end_of_a_call_before_it_sleeps_and_not_for_ever() {
    let mut pool = CoroutinePool::default();
    let (begun, go_on) = (std::sync::mpsc::channel(), std::sync::mpsc::channel());
    let mut task = pool
        .spawn(move || {
            syscall("waits", move || {
                begun.0.send(()).expect("the test waits");
                go_on.1.recv().expect("the test goes on");
            });
        })
        .expect("the pool runs");
    let calls_out = |pool: &CoroutinePool| pool.seat().calls_out.get();
    assert!(!pool.seat().call_ends_soon(), "there is none");
    _ = pool.try_schedule_task();
    begun.1.recv().expect("a helper makes the call");
    assert_eq!(calls_out(&pool), 1);
    assert!(!pool.seat().call_ends_soon(), "it goes on for longer than the seat looks");
    go_on.0.send(()).expect("the call waits");
    let sees_it = |_| {
        thread::yield_now();
        pool.seat().call_ends_soon()
    };
    assert!((0..1_000_000).any(sees_it), "it has ended");
    assert!(pool.seat().post.has_mail());
    pool.drain(None).expect("no other drive");
    task.try_join().expect("it has ended").expect("it returned");
    assert_eq!(calls_out(&pool), 0);
    assert!(!pool.seat().call_ends_soon());
}
