fn main() {
    let pool = copool::CoroutinePool::default();
    let _ = pool.handle().drain(None); //~ E0599
}
