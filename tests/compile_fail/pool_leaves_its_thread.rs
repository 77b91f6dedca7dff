use copool::CoroutinePool;

fn main() {
    let pool = CoroutinePool::default();
    std::thread::spawn(move || drop(pool)); //~ E0277
}
