static LOCAL: copool::CoroutineLocal<String> = copool::CoroutineLocal::new(String::new);

fn main() {
    let _: Result<&String, _> = LOCAL.with(|value| value); //~ lifetime
}
