//! The `samband` command.

use std::process::ExitCode;

/// What is freed is wiped: content passes through buffers of rustls, h2 and prost that no code of ours sees.
#[global_allocator]
static ALLOCATOR: zeroizing_alloc::ZeroAlloc<mimalloc::MiMalloc> = zeroizing_alloc::ZeroAlloc(mimalloc::MiMalloc);

fn main() -> ExitCode {
    samband::cli::main()
}
