fn main() {
    let mut pool = copool::CoroutinePool::default();
    let text = String::from("gone before the task");
    let _ = pool.submit_task(None, |_| Some(text.len()), None, None); //~ E0373
    let _ = pool.drain(None);
}
