fn main() {
    let local = copool::CoroutineLocal::new(|| 1);
    let _ = local.with(|n| *n); //~ E0597
}
