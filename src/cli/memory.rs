//! What the process's memory holds stays in it: keys, and messages on their way. And it holds no more than is used.

use std::io;

use rustix::process::{DumpableBehavior, Resource, Rlimit, set_dumpable_behavior, setrlimit};

/// No core file of this process, whatever ends it; and nobody but root may attach to it or read its memory, its own user neither.
///
/// Called before anything is read. A debugger that started the process stays attached.
///
/// # Errors
/// The system refuses, which a lower limit never is.
pub fn keep_private() -> io::Result<()> {
    setrlimit(Resource::Core, Rlimit { current: Some(0), maximum: Some(0) })?;
    // Where cores are piped to a program, the limit alone does not end them; this does.
    set_dumpable_behavior(DumpableBehavior::NotDumpable)?;
    Ok(())
}

/// Memory comes in small pages, for this process and all its threads.
///
/// The allocator asks for huge ones, of which the system gives two MiB where a few KiB are used, and fills up again what the allocator gave back: 80 to
/// 100 MiB that no message had any part in (docs/soak.md).
///
/// # Errors
/// The system has no such setting; all works without.
pub fn in_small_pages() -> io::Result<()> {
    rustix::thread::disable_transparent_huge_pages(true)?;
    Ok(())
}
