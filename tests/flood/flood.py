"""How much one participant feels of another's flood, and of sockets that never speak.

    flood.py [--rounds 3] [--seconds 4] [--share 0.25] [--sockets 10000] [--most TIMES]

Starts the real program with its default limits. A prosecution sends notices one after the other, each answered when it is durable; quiet seconds and seconds of flood take
turns, so that a busy machine is busy in both. Prints the 50th and 99th percentile of both, what became of the flood, and what it left in the log. The flooding client and
all its work are held to a share of one processor. Fails if a call of the other failed, or if its 99th percentile is more than --most times its quiet one (2; where
other work shares the machine, more).
"""

import argparse
import json
import os
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


def measure(name: str, gateway: Gateway, victim: Victim, command: list[str], rounds: int, seconds: float) -> dict:
    quiet, flooded, errors, did, peak = [], [], [], [], 0.0
    print(f"\n{name}: {rounds} rounds of {seconds:g} s quiet and {seconds:g} s flood", flush=True)
    for turn in range(rounds):
        # What the flood before has left is not counted as quiet.
        time.sleep(4 if turn else 1)
        victim.since()
        time.sleep(seconds)
        times, failed, _ = victim.since()
        quiet, errors = quiet + times, errors + failed
        flood = subprocess.Popen([sys.executable, str(Path(__file__).with_name("flooder.py")), *command], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        # It begins, and its first burst is among what is measured.
        time.sleep(0.3)
        victim.since()
        time.sleep(seconds)
        times, failed, memory = victim.since()
        flooded, errors, peak = flooded + times, errors + failed, max(peak, memory)
        open_files = files(gateway.pid())
        out, _ = flood.communicate("end\n", timeout=60)
        did.append(json.loads(out))
        print(f"  round {turn + 1}: p99 {p99(times):.1f} ms in the flood; {json.dumps(did[-1])}; the gateway: {memory:.0f} MiB, {open_files} files", flush=True)
    middle = lambda times: sorted(times)[len(times) // 2]  # noqa: E731
    ratio = p99(flooded) / p99(quiet)
    print(f"{name}: quiet p50 {middle(quiet):.2f} p99 {p99(quiet):.2f} ms ({len(quiet)} calls); "
          f"flood p50 {middle(flooded):.2f} p99 {p99(flooded):.2f} ms ({len(flooded)} calls): {ratio:.2f} times; {len(errors)} errors")  # fmt: skip
    return {"ratio": ratio, "errors": errors, "did": did}


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seconds", type=float, default=4.0)
    parser.add_argument("--share", type=float, default=0.25, help="of one processor, for the flooding client")
    parser.add_argument("--sockets", type=int, default=10_000)
    parser.add_argument("--most", type=float, default=2.0, help="times its quiet 99th percentile")
    parser.add_argument("--only", choices=["calls", "sockets"])
    wish = parser.parse_args()
    load = os.getloadavg()[0]
    print(f"flood: {os.cpu_count()} processors, load {load:.1f} before; the flooding client is held to {wish.share:.0%} of one processor")
    failed = []
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        gateway = Gateway(folder / "home")
        gateway.start()
        gateway.wait_until_serving()
        victim = Victim(gateway)
        victim.start()
        time.sleep(1)
        certs, port, results = str(gateway.certs()), str(gateway.port), {}
        if wish.only != "sockets":
            command = ["calls", port, certs, str(wish.share), str(template(gateway, folder))]
            results["a flood of notices"] = measure("a flood of notices", gateway, victim, command, wish.rounds, wish.seconds)
        if wish.only != "calls":
            command = ["sockets", port, str(wish.sockets), str(wish.share)]
            results["silent sockets"] = measure(f"{wish.sockets} silent sockets", gateway, victim, command, wish.rounds, wish.seconds)
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
