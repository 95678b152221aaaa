//! The `cmgate` binary.
fn main() {}
