use copool::CoroutinePool;

fn main() {
    let pool = CoroutinePool::default();
    std::thread::scope(|scope| {
        scope.spawn(|| pool.size()); //~ E0277
    });
}
