//! Where stacks are few: whoever wants one that another has gets it in the end, in every schedule.

use copool_model::shuttle::{check, thread};
use copool_model::under_shuttle::{CoroutinePool, suspend};

/// In bytes: the usual, and more than that.
const SIZES: [usize; 3] = [64 * 1024, 128 * 1024, 256 * 1024];

/// Two background threads, and a task of each size.
fn serve_with(stacks: usize) {
    let pool = CoroutinePool::builder().threads(2).max_stacks(stacks).build().unwrap();
    let tasks = SIZES.map(|size| {
        let run = move || {
            suspend();
            size
        };
        pool.task().stack_size(size).spawn(run).unwrap()
    });
    // Outside all seats, so that the join blocks.
    let user = thread::spawn(move || tasks.map(|task| task.join().unwrap()));
    assert_eq!(user.join().unwrap(), SIZES);
}

#[test]
fn tasks_of_several_sizes_share_one_stack() {
    check("one stack, two background threads", || serve_with(1));
}

#[test]
fn tasks_of_several_sizes_share_two_stacks() {
    check("two stacks, two background threads", || serve_with(2));
}
