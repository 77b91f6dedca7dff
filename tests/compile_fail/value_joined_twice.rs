fn main() {
    let pool = copool::CoroutinePool::default();
    let task = pool.spawn(|| 1).unwrap();
    let _ = task.join();
    let _ = task.join(); //~ E0382
}
