//! Every limit that an operator tunes: `[limits]` of the configuration. docs/limits.md says of each what crossing it answers.

use std::time::Duration;

use serde::Deserialize;

use super::Bounded;
use crate::gateway::{Rate, Settings};
use crate::grpc::caller::CallLimits;
use crate::grpc::server::ServerLimits;
use crate::tls::Limits;

macro_rules! limits {
    ($($(#[$doc:meta])* $name:ident: $min:literal to $max:literal = $default:literal;)*) => {
        /// Bounds of connections, calls and mailboxes. An address is an IPv4 address or an IPv6 network of 64 bits.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
        #[serde(deny_unknown_fields, default)]
        pub struct LimitsSection {
            $($(#[$doc])* pub $name: Bounded<$min, $max>,)*
        }

        impl Default for LimitsSection {
            fn default() -> Self {
                Self { $($name: const { Bounded::of($default) },)* }
            }
        }

        impl LimitsSection {
            /// Every key, with its value.
            #[must_use]
            pub fn entries(&self) -> Vec<(&'static str, u64)> {
                vec![$((stringify!($name), self.$name.get()),)*]
            }
        }
    };
}

limits! {
    /// A handshake takes no longer than this.
    handshake_timeout_ms: 100 to 60_000 = 3_000;
    /// Handshakes under way; the oldest makes way.
    handshakes_max: 1 to 65_536 = 1_024;
    /// Of these from one address.
    handshakes_per_address_max: 1 to 65_536 = 512;
    /// New sockets of one address at once.
    handshakes_per_address_burst: 1 to 1_000_000 = 500;
    /// New sockets of one address in a second; further ones are closed unread.
    handshakes_per_address_per_s: 1 to 1_000_000 = 50;
    /// Handshakes of all addresses together that are worked on at once.
    handshakes_burst: 1 to 1_000_000 = 500;
    /// Handshakes of all addresses together that are worked on in a second; further ones wait.
    handshakes_per_s: 1 to 1_000_000 = 200;
    /// Established connections; an idle one makes way.
    connections_max: 1 to 65_536 = 4_096;
    /// Of these from one address.
    connections_per_address_max: 1 to 65_536 = 1_024;
    /// Connections of one address without a call at work; the longest idle makes way.
    idle_connections_per_address_max: 1 to 65_536 = 256;
    /// A connection without a call at work is closed after this.
    connection_idle_timeout_s: 10 to 86_400 = 900;
    /// Clients of one key are read no faster, in bytes; an HTTP/2 frame costs 64 more.
    received_bytes_per_key_per_s: 16_384 to 1_073_741_824 = 1_048_576;
    /// Calls and streams of one connection.
    streams_per_connection_max: 1 to 4_096 = 256;
    /// All headers of one request.
    header_bytes_max: 4_096 to 65_536 = 16_384;
    /// A call of one answer takes no longer, nor does a request take to arrive.
    call_timeout_ms: 1_000 to 300_000 = 30_000;
    /// Calls of one answer at work, in all.
    calls_max: 1 to 65_536 = 1_024;
    /// Of these of one participant.
    calls_per_participant_max: 1 to 65_536 = 128;
    /// Calls of one participant at once, before its rate holds.
    calls_per_participant_burst: 1 to 1_000_000 = 2_000;
    /// Calls of one participant in a second.
    calls_per_participant_per_s: 1 to 1_000_000 = 500;
    /// Open streams, in all.
    streams_max: 1 to 65_536 = 2_048;
    /// Of these of one participant.
    streams_per_participant_max: 1 to 65_536 = 64;
    /// Readers, and apart from them status feeds, of one participant.
    readers_per_participant_max: 1 to 1_024 = 16;
    /// Items handed out on one stream and not yet acknowledged.
    unacknowledged_per_stream_max: 1 to 4_096 = 256;
    /// Items that may wait for one participant.
    mailbox_items_max: 1 to 10_000_000 = 100_000;
    /// Bytes of requests at work, in all.
    request_bytes_max: 65_541 to 4_294_967_296 = 67_108_864;
    /// Of these of one participant.
    request_bytes_per_participant_max: 65_541 to 4_294_967_296 = 4_194_304;
}

fn size<const MIN: u64, const MAX: u64>(number: Bounded<MIN, MAX>) -> usize {
    usize::try_from(number.get()).unwrap_or(usize::MAX)
}

fn small<const MIN: u64, const MAX: u64>(number: Bounded<MIN, MAX>) -> u32 {
    u32::try_from(number.get()).unwrap_or(u32::MAX)
}

/// What one established connection holds besides the requests and answers at work: TLS and HTTP/2 buffers, tables, tasks; measured, with room to spare.
const CONNECTION_BYTES: u64 = 96 * 1024;
/// What a handshake under way holds.
const HANDSHAKE_BYTES: u64 = 48 * 1024;
/// What an answer under way holds: an encoded piece and the item after it.
const ANSWER_BYTES: u64 = 128 * 1024;

impl LimitsSection {
    /// The bounds as the acceptor takes them.
    #[must_use]
    pub fn acceptor(&self) -> Limits {
        Limits {
            handshake_timeout: Duration::from_millis(self.handshake_timeout_ms.get()),
            handshakes_max: size(self.handshakes_max),
            handshakes_per_address_max: size(self.handshakes_per_address_max),
            handshakes_per_address: Rate::per_second(small(self.handshakes_per_address_burst), small(self.handshakes_per_address_per_s)),
            handshakes: Rate::per_second(small(self.handshakes_burst), small(self.handshakes_per_s)),
            connections_max: size(self.connections_max),
            connections_per_address_max: size(self.connections_per_address_max),
            idle_connections_per_address_max: size(self.idle_connections_per_address_max),
            idle_timeout: Duration::from_secs(self.connection_idle_timeout_s.get()),
            received_bytes_per_key_per_s: self.received_bytes_per_key_per_s.get(),
        }
    }

    /// The bounds as the server takes them.
    #[must_use]
    pub fn server(&self) -> ServerLimits {
        ServerLimits {
            concurrent_streams_max: small(self.streams_per_connection_max),
            header_bytes_max: small(self.header_bytes_max),
            calls: CallLimits {
                call_timeout: Duration::from_millis(self.call_timeout_ms.get()),
                calls_max: size(self.calls_max),
                calls_per_participant_max: size(self.calls_per_participant_max),
                streams_max: size(self.streams_max),
                streams_per_participant_max: size(self.streams_per_participant_max),
                request_bytes_max: size(self.request_bytes_max),
                request_bytes_per_participant_max: size(self.request_bytes_per_participant_max),
                ..CallLimits::default()
            },
            ..ServerLimits::default()
        }
    }

    /// `settings` with the bounds that the gateway itself holds.
    #[must_use]
    pub fn gateway(&self, settings: Settings) -> Settings {
        Settings {
            calls: Rate::per_second(small(self.calls_per_participant_burst), small(self.calls_per_participant_per_s)),
            readers_per_participant_max: size(self.readers_per_participant_max),
            unacknowledged_per_stream_max: size(self.unacknowledged_per_stream_max),
            mailbox_items_max: size(self.mailbox_items_max),
            ..settings
        }
    }

    /// The most memory that strangers and participants together can make the gateway hold for connections and calls, in bytes. The store comes on top:
    /// it grows with undelivered messages and open cases, which `mailbox_items_max` bounds.
    #[must_use]
    pub fn memory_bytes(&self) -> u64 {
        let work = self.calls_max.get() + self.streams_max.get();
        let window = u64::from(ServerLimits::default().connection_window_bytes);
        self.connections_max.get() * (CONNECTION_BYTES + window)
            + self.handshakes_max.get() * HANDSHAKE_BYTES
            + work * (self.header_bytes_max.get() + ANSWER_BYTES)
            + self.request_bytes_max.get() * 2
    }

    /// The open files that the connections and handshakes may need.
    #[must_use]
    pub fn sockets(&self) -> u64 {
        self.connections_max.get() + self.handshakes_max.get()
    }

    /// The same bounds with room for no more than `sockets` at once, in the same proportion.
    #[must_use]
    pub fn fitted(self, sockets: u64) -> Self {
        let wanted = self.sockets();
        if wanted <= sockets {
            return self;
        }
        let share = |number: u64| Bounded::clamped(number.saturating_mul(sockets) / wanted.max(1));
        Self { connections_max: share(self.connections_max.get()), handshakes_max: share(self.handshakes_max.get()), ..self }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn defaults_are_those_of_the_parts_that_hold_them() {
        let limits = LimitsSection::default();
        assert_eq!(limits.acceptor(), Limits::default());
        assert_eq!(limits.server(), ServerLimits::default());
        assert_eq!(limits.gateway(Settings::default()), Settings::default());
    }

    #[test]
    fn every_limit_stands_in_the_document_and_the_sample_with_its_default() {
        let document = include_str!("../../docs/limits.md");
        let sample = include_str!("../../deploy/samband.toml");
        for (key, default) in LimitsSection::default().entries() {
            assert!(document.contains(&format!("| `{key}` | {default} |")), "docs/limits.md has no row of {key} with {default}");
            assert!(sample.lines().any(|line| line == format!("{key} = {default}")), "deploy/samband.toml lacks {key} = {default}");
        }
        let rows = document.lines().filter(|line| line.starts_with("| `") && line.contains("` | ")).count();
        assert_eq!(rows, LimitsSection::default().entries().len() + document.lines().filter(|line| line.ends_with("| fixed |")).count());
    }

    #[test]
    fn fewer_files_make_fewer_connections_in_the_same_proportion() {
        let limits = LimitsSection::default();
        assert_eq!(limits.fitted(limits.sockets()), limits);
        let few = limits.fitted(500);
        assert!(few.sockets() <= 500, "{few:?}");
        assert_eq!((few.connections_max.get(), few.handshakes_max.get()), (400, 100));
        assert_eq!(limits.fitted(0).connections_max.get(), 1, "never none at all");
    }

    #[test]
    fn the_memory_of_the_defaults_fits_a_small_machine() {
        let bytes = LimitsSection::default().memory_bytes();
        assert!((1 << 30..3 << 30).contains(&bytes), "{bytes}");
    }
}
