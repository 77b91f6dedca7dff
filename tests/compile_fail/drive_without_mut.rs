fn drive(pool: &copool::CoroutinePool) {
    let _ = pool.try_schedule_task(); //~ E0596
    let _ = pool.drain(None); //~ E0596
    let _ = pool.serve(); //~ E0596
}

fn main() {
    drive(&copool::CoroutinePool::default());
}
