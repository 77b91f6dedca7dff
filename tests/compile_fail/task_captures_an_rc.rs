use std::rc::Rc;

fn main() {
    let pool = copool::CoroutinePool::default();
    let count = Rc::new(1);
    let _ = pool.spawn(move || *count); //~ E0277
}
