//! The `samband` command.

use std::process::ExitCode;

fn main() -> ExitCode {
    samband::cli::main()
}
