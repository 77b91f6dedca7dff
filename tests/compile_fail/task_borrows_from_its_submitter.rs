fn main() {
    let mut pool = copool::CoroutinePool::default();
    let text = String::from("gone before the task");
    let _ = pool.spawn(|| text.len()); //~ E0373
    let _ = pool.drain(None);
}
