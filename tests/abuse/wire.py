"""A client that says what it likes over TLS and HTTP/2: raw frames out, what the gateway did back."""

import base64
import select
import socket
import ssl
import struct
import time
from dataclasses import dataclass, field
from pathlib import Path

import hpack
from hyperframe.frame import DataFrame, Frame, HeadersFrame, RstStreamFrame, SettingsFrame

PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
ERRORS = (
    "NO_ERROR PROTOCOL_ERROR INTERNAL_ERROR FLOW_CONTROL_ERROR SETTINGS_TIMEOUT STREAM_CLOSED FRAME_SIZE_ERROR REFUSED_STREAM CANCEL "
    "COMPRESSION_ERROR CONNECT_ERROR ENHANCE_YOUR_CALM INADEQUATE_SECURITY HTTP_1_1_REQUIRED"
).split()
LOOK_UP = "/samband.v1.LaboratoryService/LookUp"
SEND = "/samband.v1.LaboratoryService/SendLabResult"
WATCH = "/samband.v1.LaboratoryService/WatchStatus"


def error_name(code: int) -> str:
    return ERRORS[code] if code < len(ERRORS) else str(code)


def context(certs: Path, who: str | None = "lab-ous", alpn: tuple = ("h2",)) -> ssl.SSLContext:
    made = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    made.load_verify_locations(certs / "ca.pem")
    if who:
        made.load_cert_chain(certs / who / "cert.pem", certs / who / "key.pem")
    made.set_alpn_protocols(list(alpn))
    return made


def reason_of(details: str) -> str | None:
    """ErrorInfo.reason out of grpc-status-details-bin, found by its own field: no protobuf library is needed for it."""
    raw = base64.b64decode(details + "=" * (-len(details) % 4))
    at = raw.find(b"google.rpc.ErrorInfo")
    if at < 0:
        return None
    info = raw[raw.index(b"\x0a", at + 20) :]
    return info[2 : 2 + info[1]].decode()


@dataclass
class Seen:
    """What the gateway did on one connection."""

    closed: bool = False
    goaway: str | None = None
    resets: dict = field(default_factory=dict)
    answers: dict = field(default_factory=dict)
    http: dict = field(default_factory=dict)
    pings: int = 0
    acks: int = 0
    streams: int = 0

    def reasons(self) -> dict:
        counts: dict = {}
        for reason in self.answers.values():
            counts[reason] = counts.get(reason, 0) + 1
        return counts

    def text(self) -> str:
        parts = [f"{count} × {reason}" for reason, count in sorted(self.reasons().items(), key=lambda part: -part[1])]
        bare = {status for stream, status in self.http.items() if stream not in self.answers and status != "200"}
        parts += [f"HTTP {status}" for status in sorted(bare)]
        resets: dict = {}
        for code in self.resets.values():
            resets[code] = resets.get(code, 0) + 1
        parts += [f"{count} × RST {code}" for code, count in resets.items()]
        if self.goaway:
            parts.append(f"GOAWAY {self.goaway}")
        if self.closed:
            parts.append("closed")
        return ", ".join(parts) or "served on"


class H2:
    """One connection. Everything is sent with `put` and read with `pump`."""

    def __init__(self, port: int, certs: Path, who: str = "lab-ous", settings: dict | None = None, hello: bool = True):
        raw = socket.create_connection(("127.0.0.1", port), timeout=10)
        raw.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.tls = context(certs, who).wrap_socket(raw, server_hostname="localhost")
        self.tls.setblocking(False)
        self.port, self.encoder, self.decoder = port, hpack.Encoder(), hpack.Decoder()
        self.out, self.inside, self.seen, self.next = bytearray(), bytearray(), Seen(), 1
        # Whether settings and pings are answered as they should be.
        self.polite = True
        self.decoder.max_header_list_size = 1 << 20
        if hello:
            self.out += PREFACE + SettingsFrame(0, settings=settings or {}).serialize()

    def close(self) -> None:
        self.tls.close()

    def put(self, *frames) -> None:
        for frame in frames:
            self.out += frame if isinstance(frame, (bytes, bytearray)) else frame.serialize()

    def headers(self, path: str = LOOK_UP, method: str = "POST", content_type: str | None = "application/grpc", extra=()) -> bytes:
        fields = [(":method", method), (":scheme", "https"), (":path", path), (":authority", f"localhost:{self.port}")]
        if content_type:
            fields.append(("content-type", content_type))
        return self.encoder.encode([*fields, ("te", "trailers"), *extra])

    def open(self, path: str = LOOK_UP, end: bool = False, block: bytes | None = None, **kwargs) -> int:
        """A stream that begins with headers; its number."""
        stream, self.next = self.next, self.next + 2
        block = self.headers(path, **kwargs) if block is None else block
        self.put(HeadersFrame(stream, block, flags=["END_HEADERS", "END_STREAM"] if end else ["END_HEADERS"]))
        return stream

    def data(self, stream: int, data: bytes, end: bool = False) -> None:
        self.put(DataFrame(stream, data, flags=["END_STREAM"] if end else []))

    def call(self, path: str = LOOK_UP, body: bytes = b"", **kwargs) -> int:
        stream = self.open(path, **kwargs)
        self.data(stream, message(body), end=True)
        return stream

    def reset(self, stream: int) -> None:
        self.put(RstStreamFrame(stream, error_code=8))

    def pump(self, seconds: float, until=None) -> Seen:
        """Sends what is waiting and reads what comes, until nothing is left to do, the connection ends or the time is up."""
        end = time.monotonic() + seconds
        while not self.seen.closed and time.monotonic() < end:
            if until and until(self.seen):
                break
            want_write = bool(self.out)
            if not self.tls.pending():
                readable, writable, _ = select.select([self.tls], [self.tls] if want_write else [], [], max(0.0, min(0.2, end - time.monotonic())))
            else:
                readable, writable = [self.tls], []
            try:
                if writable:
                    del self.out[: self.tls.send(self.out[:65536])]
                if readable:
                    data = self.tls.recv(65536)
                    self.seen.closed = not data
                    self.inside += data
                    self.frames()
            except (ssl.SSLWantReadError, ssl.SSLWantWriteError):
                continue
            except OSError:
                self.seen.closed = True
        return self.seen

    def frames(self) -> None:
        while len(self.inside) >= 9:
            length = int.from_bytes(self.inside[:3], "big")
            if len(self.inside) < 9 + length:
                return
            kind, flags = self.inside[3], self.inside[4]
            stream = int.from_bytes(self.inside[5:9], "big") & 0x7FFFFFFF
            body = bytes(self.inside[9 : 9 + length])
            del self.inside[: 9 + length]
            self.frame(kind, flags, stream, body)

    def frame(self, kind: int, flags: int, stream: int, body: bytes) -> None:
        seen = self.seen
        if kind == 1:
            fields = dict((str(name), str(value)) for name, value in self.decoder.decode(body))
            if ":status" in fields:
                seen.http[stream] = fields[":status"]
            if "grpc-status" in fields:
                details = fields.get("grpc-status-details-bin")
                seen.answers[stream] = "OK" if fields["grpc-status"] == "0" else (details and reason_of(details)) or f"status {fields['grpc-status']}"
        elif kind == 3:
            seen.resets[stream] = error_name(struct.unpack(">I", body)[0])
        elif kind == 4:
            seen.acks += flags & 1
            if not flags & 1 and self.polite:
                self.out += SettingsFrame(0, flags=["ACK"]).serialize()
        elif kind == 6:
            seen.pings += flags & 1
            if not flags & 1 and self.polite:
                self.out += frame(6, 1, 0, body)
        elif kind == 7:
            seen.goaway = error_name(struct.unpack(">I", body[4:8])[0])


def frame(kind: int, flags: int, stream: int, body: bytes = b"", length: int | None = None) -> bytes:
    """A frame of any kind, with any length."""
    return struct.pack(">I", len(body) if length is None else length)[1:] + bytes([kind, flags]) + struct.pack(">I", stream) + body


def message(body: bytes = b"", flag: int = 0, length: int | None = None) -> bytes:
    return bytes([flag]) + struct.pack(">I", len(body) if length is None else length) + body


__all__ = ["Frame", "H2", "LOOK_UP", "PREFACE", "SEND", "Seen", "WATCH", "context", "error_name", "frame", "message"]
