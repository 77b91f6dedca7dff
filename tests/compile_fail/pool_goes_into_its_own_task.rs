use copool::CoroutinePool;

fn main() {
    let pool = CoroutinePool::default();
    let handle = pool.handle();
    let _ = handle.spawn(move || drop(pool)); //~ E0277
}
