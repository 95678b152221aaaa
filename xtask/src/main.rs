//! cmgate own tasks.
fn main() {}
