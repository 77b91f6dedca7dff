use std::rc::Rc;

fn main() {
    let count = Rc::new(1);
    copool::syscall("count", || *count); //~ E0277
}
