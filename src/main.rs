//! The `samband` command.
fn main() {}
