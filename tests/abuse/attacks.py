"""Each attack once: a function of (port, certs) that gives what the gateway did and whether that is what it should.

Runs as a process of its own: a line with a name in, a line of JSON out. It is an enrolled client of a laboratory, unless it has no certificate.
"""

import json
import os
import socket
import ssl
import subprocess
import sys
import time
import warnings
from pathlib import Path

from hyperframe.frame import ContinuationFrame, HeadersFrame, PriorityFrame, SettingsFrame, WindowUpdateFrame

from wire import H2, LOOK_UP, PREFACE, SEND, WATCH, context, frame, message

ATTACKS: dict = {}
# Old versions of TLS are tried on purpose.
warnings.simplefilter("ignore", DeprecationWarning)


def attack(what: str):
    """`what` the gateway should do, in words; the function gives (what it did, whether that is so)."""

    def add(function):
        ATTACKS[function.__name__.replace("_", " ")] = (function, what)
        return function

    return add


def only(seen, *allowed) -> bool:
    """Whether every answer is one of these."""
    return bool(seen.answers) and set(seen.reasons()) <= set(allowed)


def ended(seen, *codes) -> bool:
    return seen.closed or seen.goaway in codes


@attack("bounded")
def rapid_reset(port, certs):
    h2 = H2(port, certs)
    for _ in range(3000):
        h2.reset(h2.open())
    seen = h2.pump(2)
    return seen.text(), ended(seen, "ENHANCE_YOUR_CALM")


@attack("bounded")
def rapid_reset_of_whole_calls(port, certs):
    h2 = H2(port, certs)
    for _ in range(3000):
        h2.reset(h2.call(SEND, b"\x0a\x01x"))
    seen = h2.pump(2)
    return seen.text(), ended(seen, "ENHANCE_YOUR_CALM") or only(seen, "RATE_LIMITED", "MALFORMED_REQUEST", "BAD_MESSAGE_ID")


@attack("the connection ends")
def continuation_flood(port, certs):
    h2 = H2(port, certs)
    h2.put(HeadersFrame(1, h2.headers()))
    block = h2.encoder.encode([(f"x-{'a' * 200}", "b" * 800)])
    h2.put(b"".join(ContinuationFrame(1, block).serialize() for _ in range(5000)))
    seen = h2.pump(2)
    return seen.text(), ended(seen, "ENHANCE_YOUR_CALM", "PROTOCOL_ERROR", "COMPRESSION_ERROR") or "HTTP 431" in seen.text()


@attack("the connection ends")
def empty_continuation_flood(port, certs):
    h2 = H2(port, certs)
    h2.put(HeadersFrame(1, h2.headers()))
    h2.put(frame(9, 0, 1) * 100_000)
    seen = h2.pump(2)
    return seen.text(), ended(seen, "ENHANCE_YOUR_CALM", "PROTOCOL_ERROR")


@attack("read no faster than the pace")
def ping_flood(port, certs):
    h2 = H2(port, certs)
    h2.put(frame(6, 0, 0, b"12345678") * 400_000)
    seen = h2.pump(3)
    left = len(h2.out)
    return f"{seen.pings} answered in 3 s, {left >> 10} KiB not taken", seen.pings < 400_000 or left > 0 or seen.closed


@attack("read no faster than the pace")
def settings_flood(port, certs):
    h2 = H2(port, certs)
    h2.put(SettingsFrame(0, settings={4: 65535}).serialize() * 400_000)
    seen = h2.pump(3)
    return f"{seen.acks} acknowledged in 3 s, {len(h2.out) >> 10} KiB not taken, {seen.text()}", seen.acks < 400_000


@attack("served on, or the connection ends")
def settings_that_change_all_the_time(port, certs):
    h2 = H2(port, certs)
    for n in range(5000):
        h2.put(SettingsFrame(0, settings={1: (n % 2) * 4096, 3: n % 7, 4: n % 65536, 5: 16384 + n}))
    h2.pump(1)
    stream = h2.call()
    seen = h2.pump(2, lambda seen: stream in seen.answers or stream in seen.resets)
    return seen.text(), stream in seen.answers or seen.closed or seen.goaway is not None or seen.acks > 0


@attack("refused, memory flat")
def header_bomb_of_the_compression_table(port, certs):
    h2 = H2(port, certs)
    h2.encoder.header_table_size = 4096
    big = ("x-bomb", "b" * 3800)
    # The first puts it into the table, each later one is a byte.
    h2.open(block=h2.headers(extra=[big]), end=True)
    for _ in range(50):
        h2.open(block=h2.headers() + h2.encoder.encode([big] * 4000)[:15000], end=True)
    seen = h2.pump(2)
    return seen.text(), "OK" not in seen.reasons() and bool(seen.text() != "served on")


@attack("HTTP 431 or the connection ends")
def giant_headers(port, certs):
    h2 = H2(port, certs)
    block = h2.headers(extra=[(f"x-{n}", "v" * 4000) for n in range(300)])
    h2.put(HeadersFrame(1, block[:16000], flags=["END_STREAM"]))
    pieces = [block[at : at + 16000] for at in range(16000, len(block), 16000)]
    for n, piece in enumerate(pieces):
        h2.put(ContinuationFrame(1, piece, flags=["END_HEADERS"] if n == len(pieces) - 1 else []))
    seen = h2.pump(2)
    return seen.text(), ended(seen) or seen.goaway is not None or "431" in seen.text() or bool(seen.resets)


@attack("held without harm")
def slow_headers(port, certs):
    held = []
    for _ in range(60):
        h2 = H2(port, certs)
        h2.polite = False
        h2.put(HeadersFrame(1, h2.headers()[:10]))
        h2.pump(0.01)
        held.append(h2)
    time.sleep(1)
    open_now = sum(not h2.pump(0.01).closed for h2 in held)
    for h2 in held:
        h2.close()
    return f"{open_now} of 60 held open with nothing at work", True


@attack("DEADLINE_EXCEEDED after call_timeout_ms (2 s here)")
def slow_bodies(port, certs):
    h2 = H2(port, certs)
    streams = [h2.open(SEND) for _ in range(100)]
    body = message(b"x" * 60_000)
    for n in range(14):
        for stream in streams:
            if stream not in h2.seen.answers:
                h2.data(stream, body[n : n + 1])
        h2.pump(0.25)
    seen = h2.pump(2, lambda seen: len(seen.answers) >= 100)
    return seen.text(), only(seen, "DEADLINE_EXCEEDED") and len(seen.answers) == 100


@attack("DEADLINE_EXCEEDED after call_timeout_ms (2 s here)")
def slow_request_of_a_stream(port, certs):
    h2 = H2(port, certs)
    for _ in range(8):
        h2.data(h2.open(WATCH), b"\0")
    seen = h2.pump(5, lambda seen: len(seen.answers) >= 8)
    return seen.text(), only(seen, "DEADLINE_EXCEEDED") and len(seen.answers) == 8


@attack("no more than calls_per_participant_max are held")
def window_starvation(port, certs):
    h2 = H2(port, certs, settings={4: 0})
    for _ in range(250):
        h2.call()
    seen = h2.pump(2)
    held = sum(status == "200" for status in seen.http.values()) - len(seen.answers)
    return f"{held} answers held, {seen.text()}", held <= 128 and set(seen.reasons()) <= {"TOO_MANY_CALLS", "RATE_LIMITED"}


@attack("streams stay within their bound")
def streams_without_a_window(port, certs):
    h2 = H2(port, certs, settings={4: 0})
    for _ in range(100):
        h2.call(WATCH, b"\x10\x01")
    seen = h2.pump(1.5)
    return seen.text(), seen.reasons().get("TOO_MANY_STREAMS", 0) >= 80


@attack("the connection ends")
def window_overflow(port, certs):
    h2 = H2(port, certs)
    h2.put(*[WindowUpdateFrame(0, window_increment=2**31 - 1)] * 2)
    seen = h2.pump(2)
    return seen.text(), ended(seen, "FLOW_CONTROL_ERROR")


@attack("the connection ends")
def window_of_zero(port, certs):
    h2 = H2(port, certs)
    h2.put(frame(8, 0, 0, b"\0\0\0\0"))
    seen = h2.pump(2)
    return seen.text(), ended(seen, "PROTOCOL_ERROR")


@attack("read no faster than the pace")
def window_update_flood(port, certs):
    h2 = H2(port, certs)
    stream = h2.open(SEND)
    h2.put(frame(8, 0, stream, b"\0\0\0\1") * 400_000)
    seen = h2.pump(2)
    return f"{len(h2.out) >> 10} KiB not taken, {seen.text()}", len(h2.out) > 0 or seen.closed or seen.goaway is not None


@attack("MALFORMED_REQUEST, or the connection ends")
def empty_data_flood(port, certs):
    h2 = H2(port, certs)
    stream = h2.open(SEND)
    h2.put(frame(0, 0, stream) * 100_000)
    seen = h2.pump(3, lambda seen: bool(seen.answers))
    return seen.text(), only(seen, "MALFORMED_REQUEST") or ended(seen, "ENHANCE_YOUR_CALM")


@attack("the connection ends")
def padded_data_beyond_the_window(port, certs):
    h2 = H2(port, certs)
    stream = h2.open(SEND)
    h2.put(frame(0, 8, stream, b"\xff" + bytes(255)) * 3000)
    seen = h2.pump(2)
    return seen.text(), ended(seen, "FLOW_CONTROL_ERROR", "ENHANCE_YOUR_CALM") or bool(seen.resets) or bool(seen.answers)


@attack("the connection ends")
def oversized_frame(port, certs):
    h2 = H2(port, certs)
    h2.put(frame(0, 0, 1, bytes(20_000), length=1 << 20))
    seen = h2.pump(2)
    return seen.text(), ended(seen, "FRAME_SIZE_ERROR", "PROTOCOL_ERROR")


@attack("no answer, no harm")
def truncated_frames(port, certs):
    for cut in range(1, 40):
        h2 = H2(port, certs)
        h2.put((frame(1, 4, 1, h2.headers()) + frame(0, 1, 1, message()))[:cut])
        h2.pump(0.01)
        h2.close()
    return "39 connections cut", True


@attack("MALFORMED_REQUEST")
def truncated_messages(port, certs):
    h2 = H2(port, certs)
    for body in (b"", b"\0", b"\0\0\0\0", message(b"abc", length=4), message(length=1)):
        h2.data(h2.open(), body, end=True)
    seen = h2.pump(2, lambda seen: len(seen.answers) == 5)
    return seen.text(), only(seen, "MALFORMED_REQUEST") and len(seen.answers) == 5


@attack("REQUEST_TOO_LARGE before the rest comes")
def oversized_messages(port, certs):
    h2 = H2(port, certs)
    for length in (65_537, 1 << 30, (1 << 32) - 1):
        h2.data(h2.open(SEND), message(b"x" * 100, length=length))
    seen = h2.pump(2, lambda seen: len(seen.answers) == 3)
    return seen.text(), only(seen, "REQUEST_TOO_LARGE") and len(seen.answers) == 3


@attack("NOT_GRPC")
def wrong_content_types(port, certs):
    h2 = H2(port, certs)
    kinds = [None, "", "text/html", "application/json", "application/grpc+json", "application/grpc-web", "application/grpcx", "APPLICATION"]
    for kind in kinds:
        h2.call(content_type=kind)
    seen = h2.pump(2, lambda seen: len(seen.answers) == len(kinds))
    return f"{seen.text()}, HTTP {sorted(set(seen.http.values()))}", only(seen, "NOT_GRPC") and set(seen.http.values()) == {"415"}


@attack("NOT_GRPC")
def wrong_methods(port, certs):
    h2 = H2(port, certs)
    for method in ("GET", "PUT", "DELETE", "PATCH", "OPTIONS", "TRACE", "BREW"):
        h2.call(method=method)
    seen = h2.pump(2, lambda seen: len(seen.answers) + len(seen.resets) == 7)
    return f"{seen.text()}, HTTP {sorted(set(seen.http.values()))}", only(seen, "NOT_GRPC") and set(seen.http.values()) == {"405"}


@attack("UNIMPLEMENTED or a reset")
def wrong_paths(port, certs):
    h2 = H2(port, certs)
    paths = ["/", "//", "/x", "*", "/samband.v1.LaboratoryService/", "/../etc/passwd", LOOK_UP + "/", "/" + "a" * 8000, "/%00", "/samband.v1.Tiles/Read"]
    for path in paths:
        h2.call(path)
    seen = h2.pump(2, lambda seen: len(seen.answers) + len(seen.resets) == len(paths))
    return seen.text(), only(seen, "UNIMPLEMENTED", "CALL_NOT_ALLOWED") and not seen.closed


@attack("COMPRESSION_NOT_OFFERED")
def compressed_messages(port, certs):
    h2 = H2(port, certs)
    h2.data(h2.open(), message(b"\x1f\x8b" * 10, flag=1), end=True)
    for encoding in ("gzip", "deflate", "zstd", "snappy", "x" * 1000):
        h2.call(extra=[("grpc-encoding", encoding)])
    seen = h2.pump(2, lambda seen: len(seen.answers) == 6)
    return seen.text(), only(seen, "COMPRESSION_NOT_OFFERED") and len(seen.answers) == 6


@attack("ONE_MESSAGE_ONLY")
def two_messages_in_one_call(port, certs):
    h2 = H2(port, certs)
    h2.data(h2.open(), message() * 2, end=True)
    h2.data(h2.open(), message() * 1000, end=True)
    stream = h2.open(WATCH)
    h2.data(stream, message())
    h2.data(stream, message(), end=True)
    seen = h2.pump(2, lambda seen: len(seen.answers) == 3)
    return seen.text(), only(seen, "ONE_MESSAGE_ONLY") and len(seen.answers) == 3


@attack("REFUSED_STREAM beyond streams_per_connection_max")
def stream_count_overflow(port, certs):
    h2 = H2(port, certs)
    h2.pump(0.2)
    for _ in range(1000):
        h2.open(SEND)
    seen = h2.pump(1.5)
    refused = sum(code == "REFUSED_STREAM" for code in seen.resets.values())
    return seen.text(), refused >= 500 or ended(seen, "PROTOCOL_ERROR", "ENHANCE_YOUR_CALM")


@attack("served on")
def priority_and_unknown_frames(port, certs):
    h2 = H2(port, certs)
    h2.put(*[PriorityFrame(n * 2 + 1, depends_on=0, stream_weight=n % 256) for n in range(5000)])
    h2.put(frame(0xFE, 0xFF, 5, bytes(200)) * 5000)
    h2.next = 20_001
    stream = h2.call()
    seen = h2.pump(5, lambda seen: stream in seen.answers)
    return seen.text(), seen.answers.get(stream) == "OK"


@attack("the stream or the connection ends")
def priority_on_itself(port, certs):
    h2 = H2(port, certs)
    h2.put(frame(2, 0, 1, b"\0\0\0\x01\x10"))
    seen = h2.pump(1)
    return seen.text(), True


@attack("the connection ends by itself")
def goaway_games(port, certs):
    h2 = H2(port, certs)
    h2.call()
    h2.put(frame(7, 0, 0, b"\0\0\0\0\0\0\0\0" + bytes(1000)) * 2000)
    for _ in range(100):
        h2.call()
    seen = h2.pump(3, lambda seen: seen.closed)
    return seen.text(), ended(seen, "NO_ERROR", "PROTOCOL_ERROR", "ENHANCE_YOUR_CALM")


@attack("the connection ends")
def frames_where_none_may_be(port, certs):
    did = []
    strange = [
        frame(5, 4, 1, b"\0\0\0\x02"),
        frame(0, 0, 0, b"x"),
        frame(1, 5, 2, b"\x82"),
        frame(3, 0, 0, b"\0\0\0\x08"),
        frame(3, 0, 99, b"\0\0\0\x08"),
        frame(4, 0, 1),
        frame(4, 0, 0, b"\0"),
        frame(4, 1, 0, b"\0\x01\0\0\0\0"),
        frame(6, 0, 0, b"short"),
        frame(6, 0, 1, bytes(8)),
        frame(9, 4, 1, b""),
        frame(0, 0, 7, b"x"),
        frame(4, 0, 0, b"\0\x04\xff\xff\xff\xff"),
        frame(4, 0, 0, b"\0\x05\0\0\0\x01"),
        frame(1, 0x2D, 1, b"\xff\0\0\0\0\0\x82"),
        frame(1, 5, 1, b"\xff\xff\xff\xff\xff\xff\xff"),
    ]
    for bad in strange:
        h2 = H2(port, certs)
        h2.put(bad)
        seen = h2.pump(1, lambda seen: seen.closed or seen.goaway is not None)
        did.append(ended(seen) or seen.goaway is not None or bool(seen.resets))
        h2.close()
    return f"{sum(did)} of {len(did)} connections ended", all(did)


@attack("each stream is reset")
def headers_that_may_not_be(port, certs):
    h2 = H2(port, certs)
    base = [(":method", "POST"), (":scheme", "https"), (":path", LOOK_UP), (":authority", "localhost")]
    bad = [
        [*base, ("connection", "close")],
        [*base, ("transfer-encoding", "chunked")],
        [*base, ("Upper", "x")],
        [*base, ("te", "gzip")],
        [*base, (":path", "/x")],
        [("x", "y"), *base],
        base[1:],
        [*base[:2], base[3]],
        [(":method", "CONNECT"), (":authority", "localhost")],
        [*base, (":unknown", "x")],
        [*base, ("x", "a\r\nb")],
        [*base, ("content-length", "5")],
    ]
    for fields in bad:
        stream = h2.open(block=h2.encoder.encode(fields))
        h2.data(stream, message(), end=True)
    seen = h2.pump(2)
    return seen.text(), "OK" not in seen.reasons()


@attack("answered, nothing acted on")
def content_length_that_lies(port, certs):
    h2 = H2(port, certs)
    for length in ("0", "4", "6", "99999999999"):
        h2.call(extra=[("content-length", length)])
    seen = h2.pump(3, lambda seen: len(seen.answers) + len(seen.resets) == 4)
    return seen.text(), "OK" not in seen.reasons()


@attack("the connection ends")
def no_http2_at_all(port, certs):
    ends = []
    for words in (b"GET / HTTP/1.1\r\nHost: x\r\n\r\n", os.urandom(4000), b"PRI * HTTP/2.0\r\n\r\nXX\r\n\r\n", b"\0" * 4000):
        h2 = H2(port, certs, hello=False)
        h2.put(words)
        ends.append(ended(h2.pump(2, lambda seen: seen.closed)))
        h2.close()
    return f"{sum(ends)} of {len(ends)} ended", all(ends)


@attack("TOO_MANY_STREAMS beyond streams_per_participant_max")
def watches_of_health(port, certs):
    h2 = H2(port, certs)
    for _ in range(200):
        h2.call("/grpc.health.v1.Health/Watch")
    seen = h2.pump(1.5)
    return seen.text(), seen.reasons().get("TOO_MANY_STREAMS", 0) >= 100


@attack("bounded")
def reflection_without_end(port, certs):
    h2 = H2(port, certs)
    stream = h2.open("/grpc.reflection.v1.ServerReflection/ServerReflectionInfo")
    h2.put(frame(0, 0, stream, message(b"\x3a\x00") * 300) * 100)
    seen = h2.pump(2)
    return seen.text(), True


@attack("the socket ends")
def plaintext(port, certs):
    ends = []
    for words in (b"GET / HTTP/1.1\r\n\r\n", PREFACE + frame(4, 0, 0), os.urandom(2000)):
        with socket.create_connection(("127.0.0.1", port), timeout=5) as raw:
            raw.sendall(words)
            try:
                while raw.recv(4096):
                    pass
                ends.append(True)
            except ConnectionError:
                ends.append(True)
            except TimeoutError:
                ends.append(False)
    return f"{sum(ends)} of {len(ends)} ended", all(ends)


@attack("refused")
def tls_of_old(port, certs):
    told = []
    for version in (ssl.TLSVersion.TLSv1, ssl.TLSVersion.TLSv1_1, ssl.TLSVersion.TLSv1_2):
        made = context(certs)
        made.set_ciphers("ALL:@SECLEVEL=0")
        made.minimum_version = ssl.TLSVersion.TLSv1
        made.maximum_version = version
        try:
            with socket.create_connection(("127.0.0.1", port), timeout=5) as raw, made.wrap_socket(raw, server_hostname="localhost") as tls:
                tls.recv(1)
            told.append(None)
        except (ssl.SSLError, ConnectionError) as error:
            told.append(getattr(error, "reason", None) or "closed")
    return ", ".join(map(str, told)), None not in told


@attack("refused")
def no_certificate(port, certs):
    try:
        with socket.create_connection(("127.0.0.1", port), timeout=5) as raw:
            with context(certs, None).wrap_socket(raw, server_hostname="localhost") as tls:
                tls.settimeout(5)
                return "let in" if tls.recv(1) else "closed", False
    except (ssl.SSLError, ConnectionError) as error:
        return getattr(error, "reason", None) or "closed", True


def s_client(port, certs, *options, feed: bytes = b"", seconds: float = 2.0) -> str:
    command = ["openssl", "s_client", "-connect", f"127.0.0.1:{port}", "-servername", "localhost", "-CAfile", str(certs / "ca.pem"), "-alpn", "h2"]
    command += ["-cert", str(certs / "lab-ous/cert.pem"), "-key", str(certs / "lab-ous/key.pem"), *options]
    process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    try:
        time.sleep(0.5)
        for line in feed.splitlines(keepends=True):
            process.stdin.write(line)
            process.stdin.flush()
            time.sleep(0.005)
        return process.communicate(timeout=seconds)[0].decode(errors="replace")
    except (subprocess.TimeoutExpired, BrokenPipeError):
        process.kill()
        return process.communicate()[0].decode(errors="replace")


@attack("there is none in TLS 1.3")
def renegotiation(port, certs):
    said = s_client(port, certs, feed=b"R\n")
    return "refused by the protocol" if "TLSv1.3" in said and "RENEGOTIATING" in said else "TLSv1.3" in said and "no" or said[-60:], "TLSv1.3" in said


@attack("no ticket, no early data")
def early_data(port, certs):
    said = s_client(port, certs, "-sess_out", "/dev/null")
    tickets = said.count("Post-Handshake New Session Ticket")
    return f"{tickets} tickets, {'Early data was not sent' in said and 'not sent' or 'sent'}", tickets == 0 and "Early data was accepted" not in said


@attack("the connection ends or is slowed")
def key_update_flood(port, certs):
    said = s_client(port, certs, feed=b"K\n" * 200)
    asked = said.count("KEYUPDATE")
    return f"{asked} asked for, {'closed' if 'error' in said.lower() or 'closed' in said else 'served on'}", asked > 1


@attack("closed after handshake_timeout_ms")
def slow_and_silent_handshakes(port, certs):
    sockets = [socket.create_connection(("127.0.0.1", port), timeout=5) for _ in range(150)]
    hello = bytes.fromhex("160301020001000200") + bytes(500)
    for n in range(33):
        for one in sockets[:75]:
            try:
                one.send(hello[n : n + 1])
            except OSError:
                pass
        time.sleep(0.1)
    closed = 0
    time.sleep(0.3)
    for one in sockets:
        one.settimeout(0.05)
        try:
            closed += not one.recv(1)
        except ConnectionError:
            closed += 1
        except TimeoutError:
            pass
        one.close()
    return f"{closed} of 150 closed within 3.6 s", closed == 150


@attack("closed unread beyond the address's rate")
def connection_churn(port, certs):
    made = refused = 0
    end = time.monotonic() + 2
    while time.monotonic() < end:
        try:
            H2(port, certs).close()
            made += 1
        except OSError:
            refused += 1
    return f"{made} handshakes, {refused} refused in 2 s", True


@attack("RATE_LIMITED or TOO_MANY_CALLS beyond the limits")
def as_many_calls_as_one_can(port, certs):
    h2 = H2(port, certs)
    # The last attack, as it leaves no call to spend. Its window is open, or that and not the limits would hold the calls.
    h2.put(WindowUpdateFrame(0, window_increment=2**30))
    end = time.monotonic() + 2.5
    while time.monotonic() < end and not h2.seen.closed:
        for _ in range(100):
            h2.call()
        h2.pump(0.5, lambda seen: h2.next // 2 - len(seen.answers) < 100)
    return h2.seen.text(), only(h2.seen, "OK", "RATE_LIMITED", "TOO_MANY_CALLS") and "RATE_LIMITED" in h2.seen.reasons()


def main() -> None:
    port, certs = int(sys.argv[1]), Path(sys.argv[2])
    for line in sys.stdin:
        function, _ = ATTACKS[line.strip()]
        try:
            did, right = function(port, certs)
        except Exception as error:  # noqa: BLE001 - it is this attack's result
            did, right = f"{type(error).__name__}: {error}", False
        print(json.dumps({"did": did, "right": bool(right)}), flush=True)


if __name__ == "__main__":
    main()
