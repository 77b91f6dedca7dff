use std::rc::Rc;

fn main() {
    let pool = copool::CoroutinePool::default();
    let _ = pool.spawn(|| Rc::new(1)); //~ E0277
}
