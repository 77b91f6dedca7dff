fn main() {
    let mut pool = copool::CoroutinePool::default();
    let task = pool.spawn(|| ()).unwrap();
    let drive = || pool.wait(&task);
    drop(pool); //~ E0505
    let _ = { drive }();
}
