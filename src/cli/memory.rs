//! What the process's memory holds stays in it: keys, and messages on their way.

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
