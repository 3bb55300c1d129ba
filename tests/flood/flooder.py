"""The floods, each a process of its own that holds itself to a share of one processor: it sleeps when its own processor clock runs ahead.

    flooder.py calls PORT CERTS SHARE TEMPLATE     as many durable notices as its share allows, on eight connections
    flooder.py receipts PORT CERTS SHARE DAYS      asks as fast for receipts of messages of so many days ago, which nobody sent: a search of a month of records each
    flooder.py evidence PORT CERTS SHARE DAYS      the same for what became of them
    flooder.py searches PORT CERTS SHARE DAYS      an auditor's, for records of such messages, 16 under way
    flooder.py feeds PORT CERTS SHARE DAYS         24 feeds of a prosecution's statuses, read from their beginning again and again
    flooder.py sockets PORT COUNT SHARE            sockets that never speak, from a hundred addresses of 127.0.0.0/8; those closed are opened again
    flooder.py greetings PORT COUNT SHARE          the same, but each begins a handshake and does not go on with it: the server's half is the dear one
    flooder.py sink FILE                           no flood: a program that accepts such sockets and does nothing else; writes its port to FILE

Runs until its standard input ends, then prints what became of it as one line of JSON.
"""

import json
import os
import resource
import select
import socket
import ssl
import struct
import sys
import time
from collections import deque
from pathlib import Path

sys.path[:0] = [str(Path(__file__).resolve().parents[1] / "abuse")]


ASKED = ("receipts", "evidence", "searches", "feeds")


class Share:
    """Sleeps as much as keeps this process's processor time to a share of the time that passed."""

    def __init__(self, share: float):
        self.share, self.begun, self.used = share, time.monotonic(), time.process_time()

    def keep(self) -> None:
        ahead = (time.process_time() - self.used) / self.share - (time.monotonic() - self.begun)
        if ahead > 0.001:
            time.sleep(min(ahead, 0.25))

    def said(self) -> float:
        return (time.process_time() - self.used) / (time.monotonic() - self.begun)


def told_to_end() -> bool:
    return bool(select.select([sys.stdin], [], [], 0)[0])


def message_id(days_ago: float = 0.0) -> bytes:
    """A UUID version 7 of its time."""
    bits = bytearray(int((time.time() - days_ago * 86400) * 1000).to_bytes(6, "big") + os.urandom(10))
    bits[6], bits[8] = 0x70 | bits[6] & 15, 0x80 | bits[8] & 63
    text = bits.hex()
    return "-".join((text[:8], text[8:12], text[12:16], text[16:20], text[20:])).encode()


def asking(kind: str, days: float):
    """Who floods with a kind of question, for what it asks, and how many it has under way on how many connections."""
    # Fields 1 and 7, of 36 bytes, and at most ten records.
    by_id, of_message = (lambda: b"\x0a\x24" + message_id(days)), (lambda: b"\x3a\x24" + message_id(days) + b"\x48\x0a")
    return {
        "receipts": ("politi-innlandet", "ProsecutionService/GetReceipt", by_id, 120, 8),
        "evidence": ("politi-innlandet", "ProsecutionService/GetEvidence", by_id, 120, 8),
        # A feed from its beginning on, again and again.
        "feeds": ("politi-innlandet", "ProsecutionService/WatchStatus", lambda: b"", 6, 4),
        "searches": ("tilsyn", "AuditService/ListRecords", of_message, 4, 4),
    }[kind]


def notices(port: int, certs: Path, share: float, template: Path) -> dict:
    raw = template.read_bytes()
    id_at = raw.index(b"00000000-0000-7000-8000-000000000000")
    salt_at = raw.index(b"S" * 32)

    def fresh() -> bytes:
        body = bytearray(raw)
        body[id_at : id_at + 36], body[salt_at : salt_at + 32] = message_id(), os.urandom(32)
        return bytes(body)

    return calls(port, certs, share, "politi-innlandet", "ProsecutionService/SendConditionNotice", fresh, 120, 8)


def calls(port: int, certs: Path, share: float, who: str, path: str, fresh, window: int, connections: int) -> dict:
    """Calls with the bodies that `fresh` makes, as many under way as fit, their answers read as fast as they come."""
    from wire import H2, message

    held, sent, refused = Share(share), 0, {}

    def connect():
        h2 = H2(port, certs, who, settings={4: 2**31 - 1})
        # The connection's own window; else a few hundred answers close it, and with it every stream.
        h2.out += struct.pack(">I", 4)[1:] + b"\x08\x00" + struct.pack(">II", 0, 2**31 - 70_000)
        # Without the table of headers, so that the same block is good again and again.
        h2.encoder.header_table_size = 0
        h2.block = h2.headers(f"/samband.v1.{path}")
        return h2

    everyone = [connect() for _ in range(connections)]
    failures = 0
    while not told_to_end():
        for at, h2 in enumerate(everyone):
            seen = h2.seen
            for _ in range(max(0, window - (h2.next // 2 - len(seen.answers) - len(seen.resets)))):
                stream = h2.next
                h2.next += 2
                body = message(fresh())
                h2.out += struct.pack(">I", len(h2.block))[1:] + b"\x01\x04" + struct.pack(">I", stream) + h2.block
                h2.out += struct.pack(">I", len(body))[1:] + b"\x00\x01" + struct.pack(">I", stream) + body
                sent += 1
            h2.pump(0.002)
            held.keep()
            if seen.closed or h2.next > 200_000:
                for reason, count in seen.reasons().items():
                    refused[reason] = refused.get(reason, 0) + count
                failures += seen.closed
                h2.close()
                try:
                    everyone[at] = connect()
                except OSError:
                    time.sleep(0.05)
    for h2 in everyone:
        for reason, count in h2.seen.reasons().items():
            refused[reason] = refused.get(reason, 0) + count
    return {"sent": sent, "answers": refused, "closed": failures, "share": round(held.said(), 3)}


def greeting() -> bytes:
    """A ClientHello, to be sent again and again."""
    context, out = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT), ssl.MemoryBIO()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    context.set_alpn_protocols(["h2"])
    try:
        context.wrap_bio(ssl.MemoryBIO(), out, server_hostname="localhost").do_handshake()
    except ssl.SSLWantReadError:
        pass
    return out.read()


def answer_begins(one: socket.socket) -> bool:
    """Whether the server has sent its half, and not an alert or an end."""
    try:
        return one.recv(1) == b"\x16"
    except OSError:
        return False


def sockets(port: int, count: int, share: float, hello: bytes = b"") -> dict:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(hard, count + 200) if hard != resource.RLIM_INFINITY else count + 200, hard))
    count = min(count, resource.getrlimit(resource.RLIMIT_NOFILE)[0] - 100)
    held, opened, failed = Share(share), 0, 0
    poll, silent = select.epoll(), {}
    most = answered = 0
    events = select.EPOLLIN | select.EPOLLHUP | select.EPOLLERR
    while not told_to_end():
        for number, event in poll.poll(0):
            if hello and event == select.EPOLLOUT:
                try:
                    silent[number].send(hello)
                    poll.modify(number, events)
                    continue
                except OSError:
                    # Closed by the server between the event and the sending: it counts as every other that is closed.
                    pass
            answered += bool(hello and event & select.EPOLLIN and answer_begins(silent[number]))
            poll.unregister(number)
            silent.pop(number).close()
        for _ in range(min(200, count - len(silent))):
            one = socket.socket()
            one.setblocking(False)
            one.bind((f"127.{1 + opened % 10}.{opened // 10 % 10}.1", 0))
            try:
                one.connect(("127.0.0.1", port))
            except BlockingIOError:
                pass
            except OSError:
                failed += 1
                one.close()
                continue
            poll.register(one, events | (select.EPOLLOUT if hello else 0))
            silent[one.fileno()] = one
            opened += 1
        most = max(most, len(silent))
        held.keep()
        time.sleep(0.01)
    told = {"handshakes that the gateway worked on": answered} if hello else {}
    return {"at once": most, "opened": opened, "failed": failed, **told, "share": round(held.said(), 3)}


def sink(port_file: Path) -> None:
    """What any program has to do with such sockets and no more: accepts, keeps the newest thousand, closes the oldest."""
    listener = socket.socket()
    listener.bind(("0.0.0.0", 0))
    listener.listen(1024)
    port_file.write_text(str(listener.getsockname()[1]))
    kept: deque = deque()
    while not told_to_end():
        if not select.select([listener, sys.stdin], [], [], 1)[0]:
            continue
        listener.setblocking(False)
        try:
            for _ in range(64):
                kept.append(listener.accept()[0])
                if len(kept) > 1024:
                    kept.popleft().close()
        except BlockingIOError:
            pass


def main() -> None:
    if sys.argv[1] == "sink":
        return sink(Path(sys.argv[2]))
    kind, port = sys.argv[1], int(sys.argv[2])
    if kind == "calls":
        did = notices(port, Path(sys.argv[3]), float(sys.argv[4]), Path(sys.argv[5]))
    elif kind in ASKED:
        did = calls(port, Path(sys.argv[3]), float(sys.argv[4]), *asking(kind, float(sys.argv[5])))
    else:
        did = sockets(port, int(sys.argv[3]), float(sys.argv[4]), greeting() if kind == "greetings" else b"")
    print(json.dumps(did), flush=True)


if __name__ == "__main__":
    main()
