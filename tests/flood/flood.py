"""How much one participant feels of another's flood, and of sockets that never speak.

    flood.py [--rounds 3] [--seconds 4] [--share 0.25] [--sockets 10000] [--most TIMES] [--years HOME]

Starts the real program with its default limits. A prosecution sends notices one after the other, each answered when it is durable; quiet seconds and seconds of flood take
turns, so that a busy machine is busy in both. Prints the 50th and 99th percentile of both, what became of the flood, and what it left in the log. The flooding client and
all its work are held to a share of one processor. Opening sockets is mostly the system's work, on the processors of the one that is measured: so the same flood also goes
against a program that accepts sockets and does nothing else, and what that costs is told apart. Fails if a call of the other failed, or if its 99th percentile is more
than --most times its quiet one, or the one beside that other program (2; where other work shares the machine, more).

With --years floods of questions are measured, too: for receipts and evidence of messages so old that the gateway has forgotten their ids and looks for each in a month of
records, an auditor's searches for such messages, and status feeds that are read from their beginning again and again: in HOME,
which `cargo bench --bench scale -- generate --home HOME --entries 60_000 --undelivered 0 --recent-cases 100 --months 8` makes.
"""

import argparse
import json
import os
import socket
import ssl
import subprocess
import sys
import tempfile
import time
from pathlib import Path

sys.path[:0] = [str(Path(__file__).resolve().parents[1] / part) for part in ("python", "abuse")]
from abuse import Victim, files, memory_mib, p99  # noqa: E402
from client import Gateway, Party, audit_pb2  # noqa: E402


# Numbers of the records of refusals: one each, sums of the minute, of strangers.
REFUSALS = (40, 41, 42)


def template(gateway: Gateway, folder: Path) -> Path:
    """A notice of the flooding prosecution, whose id and salt are to be overwritten."""
    with Party(gateway, "politi-innlandet") as party:
        request = party.request(party.notice())
    request.message_id, request.content_salt = "00000000-0000-7000-8000-000000000000", b"S" * 32
    file = folder / "notice.bin"
    file.write_bytes(request.SerializeToString())
    return file


def entries(gateway: Gateway) -> dict:
    """How many records of refusals of each kind the log holds."""
    counts: dict = {}
    after = 0
    with Party(gateway, "tilsyn") as auditor:
        while True:
            rows = auditor.call("AuditService", "ListRecords", audit_pb2.ListRecordsRequest(from_index=after, kinds=REFUSALS))
            for row in rows:
                if row.HasField("entry") and row.entry.HasField("record"):
                    kind = row.entry.record.kind_name
                    counts[kind] = counts.get(kind, 0) + 1
            end = rows[-1].end if rows else None
            if end is None or not end.HasField("next_index") or end.next_index <= after:
                return counts
            after = end.next_index


def cpu_seconds(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def newcomer(gateway: Gateway, number: int) -> float | None:
    """How long a participant waits for its first bytes from an address that was never seen before; None if it is cut off."""
    certs = gateway.certs()
    context = ssl.create_default_context(cafile=str(certs / "ca.pem"))
    context.load_cert_chain(certs / "politi-innlandet" / "cert.pem", certs / "politi-innlandet" / "key.pem")
    context.set_alpn_protocols(["h2"])
    begun = time.monotonic()
    try:
        with socket.create_connection(("127.0.0.1", gateway.port), timeout=10, source_address=(f"127.200.0.{number + 1}", 0)) as plain:
            with context.wrap_socket(plain, server_hostname="localhost") as tls:
                tls.sendall(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + b"\0\0\0\x04\0\0\0\0\0")
                return time.monotonic() - begun if tls.recv(1) else None
    except OSError:
        return None


def measure(name: str, gateway: Gateway, victim: Victim, commands: dict, rounds: int, seconds: float) -> dict:
    """Quiet seconds and seconds of each of `commands` take turns: the flood, and before it what the same flood costs where no gateway is."""
    kinds = ["quiet", *commands]
    times, used, errors, did, came = {kind: [] for kind in kinds}, dict.fromkeys(kinds, 0.0), [], [], []
    print(f"\n{name}: {rounds} rounds of {seconds:g} s each of {', '.join(kinds)}", flush=True)
    for turn in range(rounds):
        for kind in kinds:
            # What the flood before has left is counted nowhere.
            time.sleep(1 if kind == "quiet" and not turn else 4)
            flood = None
            if kind != "quiet":
                command = [sys.executable, str(Path(__file__).with_name("flooder.py")), *commands[kind]]
                flood = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
                # It begins, and its first burst is among what is measured.
                time.sleep(0.3)
            victim.since()
            before = cpu_seconds(gateway.pid())
            time.sleep(seconds / 2)
            if kind == "flood" and commands[kind][0] != "calls":
                came.append(newcomer(gateway, turn))
            time.sleep(seconds / 2)
            took, failed, memory = victim.since()
            used[kind] += cpu_seconds(gateway.pid()) - before
            times[kind], errors = times[kind] + took, errors + failed
            if flood is None:
                continue
            open_files = files(gateway.pid())
            out, _ = flood.communicate("end\n", timeout=60)
            if kind == "flood":
                did.append(json.loads(out))
                print(f"  round {turn + 1}: p99 {p99(took):.1f} ms in the flood; {out.strip()}; the gateway: {memory:.0f} MiB, {open_files} files", flush=True)
    middle = lambda found: sorted(found)[len(found) // 2]  # noqa: E731
    for kind in kinds:
        found = times[kind]
        print(f"  {kind}: p50 {middle(found):.2f} p99 {p99(found):.2f} ms ({len(found)} calls), the gateway's processor time {used[kind] / rounds / seconds:.0%}")
    quiet, flooded = p99(times["quiet"]), p99(times["flood"])
    # The flood's own work, most of it the system's, is on the same processors: what it costs without the gateway is not the gateway's.
    own = max(quiet, p99(times["elsewhere"])) if "elsewhere" in times else quiet
    note = f"; {own / quiet:.2f} times against a program that only accepts, so {flooded / own:.2f} times are the gateway's" if own > quiet else ""
    print(f"{name}: quiet p50 {middle(times['quiet']):.2f} p99 {quiet:.2f} ms; flood p50 {middle(times['flood']):.2f} p99 {flooded:.2f} ms: "
          f"{flooded / quiet:.2f} times{note}; {len(errors)} errors")  # fmt: skip
    if came:
        print(f"{name}: newcomers from addresses of their own got in within {', '.join('NOT' if took is None else f'{took * 1000:.0f} ms' for took in came)}")
    errors += ["a newcomer did not get in" for took in came if took is None]
    return {"ratio": flooded / own, "errors": errors, "did": did}


# Whose ids a history of eight months has forgotten, and of whose month it keeps all records: 15,000 of 60,000.
OLD_DAYS = 190
# Floods of questions, what each is called, and how those are answered that were gone into.
QUESTIONS = {
    "receipts": ("a flood of old ids", "MESSAGE_UNKNOWN"),
    "evidence": ("a flood of old ids' evidence", "MESSAGE_UNKNOWN"),
    "searches": ("an auditor's flood of searches", "OK"),
    "feeds": ("a flood of status feeds", "OK"),
}


def rest(pid: int, seconds: float = 60.0) -> None:
    """Waits until a gateway that was started on a long log has built its search index."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        before = cpu_seconds(pid)
        time.sleep(1)
        if cpu_seconds(pid) - before < 0.05:
            return


def questions(home: Path, wish: argparse.Namespace) -> dict:
    """Floods of questions beside another's notices, in a home that has past months."""
    gateway = Gateway(home)
    gateway.start()
    gateway.wait_until_serving()
    rest(gateway.pid())
    victim = Victim(gateway)
    victim.start()
    time.sleep(1)
    results = {}
    for kind, (what, counted) in QUESTIONS.items():
        command = [kind, str(gateway.port), str(gateway.certs()), str(wish.share), str(OLD_DAYS)]
        result = measure(what, gateway, victim, {"flood": command}, wish.rounds, wish.seconds)
        answered = sum(did["answers"].get(counted, 0) for did in result["did"])
        print(f"{what}: {answered} were answered {counted}")
        if not answered:
            result["errors"].append("nothing was answered, so nothing was measured")
        results[what] = result
    victim.over = True
    victim.join()
    victim.party.channel.close()
    if gateway.stop() != 0:
        results[what]["errors"].append("the gateway did not stop as it should")
    return results


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seconds", type=float, default=4.0)
    parser.add_argument("--share", type=float, default=0.25, help="of one processor, for the flooding client")
    parser.add_argument("--sockets", type=int, default=10_000)
    parser.add_argument("--most", type=float, default=2.0, help="times its quiet 99th percentile")
    parser.add_argument("--only", choices=["calls", "sockets", "greetings", "years"])
    parser.add_argument("--years", type=Path, metavar="HOME", help="a home whose log is months old, to be flooded with calls for old ids")
    wish = parser.parse_args()
    load = os.getloadavg()[0]
    print(f"flood: {os.cpu_count()} processors, load {load:.1f} before; the flooding client is held to {wish.share:.0%} of one processor")
    failed, results = [], {}
    # By itself, as the other's notices to two gateways would be in each other's way.
    if wish.years and wish.only in (None, "years"):
        results.update(questions(wish.years, wish))
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        gateway = Gateway(folder / "home")
        gateway.start()
        gateway.wait_until_serving()
        victim = Victim(gateway)
        victim.start()
        time.sleep(1)
        certs, port = str(gateway.certs()), str(gateway.port)
        elsewhere = subprocess.Popen([sys.executable, str(Path(__file__).with_name("flooder.py")), "sink", str(folder / "port")], stdin=subprocess.PIPE)
        while not (folder / "port").exists() or not (folder / "port").read_text():
            time.sleep(0.05)
        other = (folder / "port").read_text()
        if wish.only in (None, "calls"):
            command = ["calls", port, certs, str(wish.share), str(template(gateway, folder))]
            results["a flood of notices"] = measure("a flood of notices", gateway, victim, {"flood": command}, wish.rounds, wish.seconds)
        for kind, what in (("sockets", "silent sockets"), ("greetings", "handshakes that are not gone on with")):
            if wish.only not in (None, kind):
                continue
            commands = {way: [kind, to, str(wish.sockets), str(wish.share)] for way, to in (("elsewhere", other), ("flood", port))}
            results[what] = measure(f"{wish.sockets} {what}", gateway, victim, commands, wish.rounds, wish.seconds)
        elsewhere.communicate(b"end\n", timeout=10)
        for what, result in results.items():
            if result["errors"]:
                failed.append(f"{what}: the other heard {result['errors'][:3]}")
            if result["ratio"] > wish.most:
                failed.append(f"{what}: {result['ratio']:.2f} times the quiet p99, more than {wish.most:g}")
        victim.over = True
        victim.join()
        victim.party.channel.close()
        print(f"\nmemory {memory_mib(gateway.pid()):.0f} MiB, {files(gateway.pid())} files afterwards")
        if gateway.stop() != 0:
            failed.append("the gateway did not stop as it should")
        gateway.start()
        gateway.wait_until_serving()
        counts = entries(gateway)
        print(f"in the log, of refusals: {counts}")
        if sum(counts.values()) > 200:
            failed.append(f"the flood filled the log: {counts}")
        gateway.stop()
    print(f"flood: {'holds' if not failed else '; '.join(failed)}")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
