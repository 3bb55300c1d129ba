//! The process's own log: structured, on standard error, without content and without persons at any level.
//!
//! Each call is a span with its verb, participant and key label; its end tells reason code and duration: at level `debug`, and a refusal at
//! `info` while it is one of few. At `info` a minute's calls are a line for each participant, verb and answer. Vendors' own debug output stays off
//! at every level, as it may show frames.

use std::io::{self, IsTerminal as _};

use tracing_subscriber::EnvFilter;
use tracing_subscriber::fmt::MakeWriter;

use crate::config::{LogFormat, LogSection};

/// Starts the log; a second call changes nothing.
pub fn init(section: LogSection) {
    // A test or a host program may have its own.
    let _ = tracing::subscriber::set_global_default(subscriber(section, io::stderr));
    std::panic::set_hook(Box::new(tell_panic));
}

/// A panic is told by its place. Its text is shown only when it stood in the source as it is: one that was put together may repeat content.
fn tell_panic(panic: &std::panic::PanicHookInfo<'_>) {
    let place = panic.location().map(ToString::to_string).unwrap_or_default();
    let text = panic.payload().downcast_ref::<&'static str>().copied().unwrap_or("its text is not shown, it may repeat content");
    tracing::error!(%place, thread = std::thread::current().name().unwrap_or_default(), text, "a thread panicked");
}

/// Own events at the level asked for, all others' warnings only.
fn filter(section: LogSection) -> EnvFilter {
    EnvFilter::new(format!("warn,samband={}", section.level.as_str()))
}

fn subscriber<W>(section: LogSection, writer: W) -> Box<dyn tracing::Subscriber + Send + Sync>
where
    W: for<'w> MakeWriter<'w> + Send + Sync + 'static,
{
    let builder = tracing_subscriber::fmt().with_env_filter(filter(section)).with_writer(writer).with_ansi(io::stderr().is_terminal());
    match section.format {
        LogFormat::Text => Box::new(builder.finish()),
        LogFormat::Json => Box::new(builder.json().flatten_event(true).finish()),
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use parking_lot::Mutex;

    use super::*;

    #[derive(Clone, Default)]
    struct Sink(Arc<Mutex<Vec<u8>>>);

    impl io::Write for Sink {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.lock().extend_from_slice(bytes);
            Ok(bytes.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    fn written(section: LogSection, log: impl FnOnce()) -> String {
        let sink = Sink::default();
        let writer = sink.clone();
        tracing::subscriber::with_default(subscriber(section, move || writer.clone()), log);
        let bytes = sink.0.lock().clone();
        String::from_utf8(bytes).unwrap()
    }

    #[test]
    fn a_panic_is_told_by_its_place_and_without_what_was_put_together() {
        let before = std::panic::take_hook();
        std::panic::set_hook(Box::new(tell_panic));
        let text = written(LogSection::default(), || {
            let name = "Testesen";
            drop(std::panic::catch_unwind(|| panic!("content: {name}")));
            drop(std::panic::catch_unwind(|| panic!("a fixed text")));
        });
        std::panic::set_hook(before);
        assert!(text.contains("src/telemetry.rs") && text.contains("a fixed text") && !text.contains("Testesen"), "{text}");
    }

    #[test]
    fn a_json_line_carries_the_span_and_vendors_are_silent_below_warnings() {
        let text = written(LogSection { format: LogFormat::Json, ..LogSection::default() }, || {
            let span = tracing::info_span!("call", verb = "AuditService/GetProof", participant = "tilsyn");
            span.in_scope(|| tracing::info!(reason = "OK", millis = 3, "answered"));
            tracing::info!(target: "h2::codec", "a frame");
        });
        let line: serde_json::Value = serde_json::from_str(text.trim()).unwrap();
        assert_eq!(line["reason"], "OK");
        assert_eq!(line["span"]["participant"], "tilsyn");
        assert!(!text.contains("a frame"));
    }
}
