fn shared<T: Sync>(_: T) {}

fn main() {
    let pool = copool::CoroutinePool::default();
    let task = pool.spawn(|| ()).unwrap();
    shared(task.join().unwrap_err()); //~ E0277
}
