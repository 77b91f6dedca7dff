//! Where stacks are few: whoever wants one that another has gets it in the end, in every schedule.

use copool_model::shuttle::{check, thread};
use copool_model::under_shuttle::{CoroutinePool, suspend};

/// In bytes: the usual, and more than that.
const SIZES: [usize; 3] = [64 * 1024, 128 * 1024, 256 * 1024];

/// Two background threads, so many stacks, so many workers that stay, and a task of each size.
fn serve_with(stacks: usize, min_size: u32) {
    let pool = CoroutinePool::builder().threads(2).max_stacks(stacks).min_size(min_size).build().unwrap();
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
    check("one stack, two background threads", || serve_with(1, 0));
}

#[test]
fn tasks_of_several_sizes_share_two_stacks() {
    check("two stacks, two background threads", || serve_with(2, 0));
}

#[test]
fn tasks_of_several_sizes_get_the_stack_of_the_worker_that_stays() {
    check("one stack, one worker stays", || serve_with(1, 1));
}

#[test]
fn tasks_of_several_sizes_share_what_the_worker_that_stays_leaves() {
    check("two stacks, one worker stays", || serve_with(2, 1));
}
