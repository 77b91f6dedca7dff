//! The program under "Usage" in the overview that the pool was made from, with only its `use` line changed.

use copool::CoroutinePool;

fn usage(task_name: &str) -> std::io::Result<()> {
    let mut pool = CoroutinePool::default();
    assert!(pool.is_empty());
    pool.submit_task(
        Some(String::from(task_name)),
        |_| {
            println!("Hello, world!");
            Some(2)
        },
        None,
        None,
    )?;
    assert!(!pool.is_empty());
    pool.try_schedule_task()
}

#[test]
fn the_usage_program_runs() {
    usage("greeting").unwrap();
}
