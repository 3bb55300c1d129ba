"""HTTP/2, gRPC and TLS abuse of a running gateway by an enrolled client, and whether another participant feels it.

    abuse.py [--only WORDS] [--list]

Starts the program with a configuration of its own (call_timeout_ms = 2000), runs every attack of attacks.py in a process with nice 10, and meanwhile lets a
prosecution send notices, each answered durably. Prints a table: the attack, what the gateway did, how much its memory grew, the other's latency. Fails if
the gateway dies, does what it should not, keeps memory or files, or answers the other participant with an error or much more slowly.
"""

import argparse
import json
import os
import socket
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

sys.path[:0] = [str(Path(__file__).resolve().parents[1] / "python")]
import attacks  # noqa: E402
from client import Gateway, Party, Refusal  # noqa: E402

LIMITS = """
[limits]
call_timeout_ms = 2000
handshakes_per_address_burst = 100000
handshakes_per_address_per_s = 100000
handshakes_burst = 100000
handshakes_per_s = 100000
calls_per_participant_burst = 1000
calls_per_participant_per_s = 200
"""
# Memory may grow by this in one attack, and by this from first to last; the allocator keeps some.
GROWTH_MIB, KEPT_MIB = 96, 96
KEPT_FILES = 8
# The other's 99th percentile: so many times its quiet one, or so many milliseconds, whichever is more. A busy machine is no fault.
TIMES, LEAST_MS = 5.0, 400.0


def memory_mib(pid: int) -> float:
    line = next(line for line in Path(f"/proc/{pid}/status").read_text().splitlines() if line.startswith("VmRSS"))
    return int(line.split()[1]) / 1024


def files(pid: int) -> int:
    return len(os.listdir(f"/proc/{pid}/fd"))


class Victim(threading.Thread):
    """A prosecution that sends notices one after the other, and a memory that is looked at between them."""

    def __init__(self, gateway: Gateway):
        super().__init__(daemon=True)
        self.party = Party(gateway, "politi-oslo")
        self.gateway, self.lock, self.times, self.errors, self.peak, self.over = gateway, threading.Lock(), [], [], 0.0, False

    def run(self) -> None:
        while not self.over:
            request = self.party.request(self.party.notice())
            begun = time.perf_counter()
            try:
                self.party.send(request)
                error = None
            except Refusal as refusal:
                error = f"{refusal.code.name} {refusal.reason}"
            took = (time.perf_counter() - begun) * 1000
            try:
                memory = memory_mib(self.gateway.pid())
            except (OSError, StopIteration):
                return
            with self.lock:
                self.times.append(took)
                self.peak = max(self.peak, memory)
                if error:
                    self.errors.append(error)
            time.sleep(0.005)

    def since(self) -> tuple[list, list, float]:
        """What was seen since the last time."""
        with self.lock:
            seen = self.times, self.errors, self.peak
            self.times, self.errors, self.peak = [], [], 0.0
        return seen


def p99(times: list) -> float:
    return statistics.quantiles(times, n=100)[98] if len(times) > 2 else max(times, default=0.0)


def configured(folder: Path) -> Gateway:
    gateway = Gateway(folder)
    gateway.prepare()
    file = folder / "samband.toml"
    file.write_text(file.read_text(encoding="utf-8") + LIMITS, encoding="utf-8")
    gateway.start()
    gateway.wait_until_serving()
    return gateway


def few_files(folder: Path) -> tuple[str, bool]:
    """A gateway that may open 400 files, and 600 sockets that want them: it keeps those that the store needs, and serves on."""
    gateway = Gateway(folder)
    gateway.start(under=["sh", "-c", 'ulimit -n 400; "$@"; exit $?', "sh"])
    gateway.wait_until_serving()
    silent = [socket.socket() for _ in range(600)]
    for one in silent:
        one.setblocking(False)
        one.connect_ex(("127.0.0.1", gateway.port))
    answered, most = 0, 0
    with Party(gateway, "politi-oslo") as other:
        end = time.monotonic() + 4
        while time.monotonic() < end and gateway.process.poll() is None:
            most = max(most, files(gateway.pid()))
            try:
                other.send(other.request(other.notice()))
                answered += 1
            except Refusal as refusal:
                # Its connection may have to wait for a free file; its message may not be lost.
                if refusal.code.name != "UNAVAILABLE":
                    raise
            time.sleep(0.02)
    alive = gateway.process.poll() is None
    for one in silent:
        one.close()
    stopped = gateway.stop() if alive else None
    return f"{most} files of 400 open, {answered} notices of the other answered, ended with {stopped}", alive and answered > 0 and stopped == 0


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--only", default="", help="attacks whose name contains this")
    parser.add_argument("--list", action="store_true")
    arguments = parser.parse_args()
    names = [name for name in attacks.ATTACKS if arguments.only in name]
    if arguments.list:
        print("\n".join(f"{name}: {attacks.ATTACKS[name][1]}" for name in names))
        return 0
    failed = []
    with tempfile.TemporaryDirectory() as folder:
        gateway = configured(Path(folder) / "home")
        command = ["nice", "-n", "10", sys.executable, str(Path(__file__).with_name("attacks.py")), str(gateway.port), str(gateway.certs())]
        worker = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        victim = Victim(gateway)
        victim.start()
        time.sleep(0.7)
        victim.since()
        time.sleep(2)
        quiet = p99(victim.since()[0])
        pid = gateway.pid()
        first_memory, first_files = memory_mib(pid), files(pid)
        print(f"abuse: the other participant's quiet p99 is {quiet:.1f} ms, the gateway's memory {first_memory:.0f} MiB\n")
        print(f"{'attack':42} {'grew':>8} {'other p99':>10} {'':6} what the gateway did")
        for name in names:
            before = memory_mib(pid)
            victim.since()
            worker.stdin.write(name + "\n")
            worker.stdin.flush()
            line = worker.stdout.readline()
            result = json.loads(line) if line else {"did": "the attacker died", "right": False}
            time.sleep(0.05)
            times, errors, peak = victim.since()
            faults = []
            if gateway.process.poll() is not None:
                print(f"{name}: THE GATEWAY DIED with {gateway.process.returncode}: {gateway.tail()}")
                return 1
            grew = max(0.0, peak - before)
            late = p99(times)
            if not result["right"]:
                faults.append(f"should be: {attacks.ATTACKS[name][1]}")
            if errors:
                faults.append(f"the other heard {errors[0]} {len(errors)} times")
            if late > max(TIMES * quiet, LEAST_MS):
                faults.append("the other was held up")
            if grew > GROWTH_MIB:
                faults.append("memory")
            print(f"{name:42} {grew:5.1f} MiB {late:7.1f} ms {'FAULT' if faults else 'ok':6} {result['did']}", flush=True)
            for fault in faults:
                print(f"{'':42} {'':8} {'':10} {'':6} {fault}")
            failed += [name] if faults else []
        worker.stdin.close()
        worker.wait()
        end = time.monotonic() + 10
        while files(pid) > first_files + KEPT_FILES and time.monotonic() < end:
            time.sleep(0.2)
        kept, open_files = memory_mib(pid) - first_memory, files(pid)
        print(f"\nabuse: afterwards {kept:+.0f} MiB of memory, {open_files - first_files:+d} files")
        if kept > KEPT_MIB:
            failed.append("memory kept")
        if open_files > first_files + KEPT_FILES:
            failed.append("files kept")
        victim.over = True
        victim.join()
        victim.party.channel.close()
        if gateway.stop() != 0:
            failed.append("the stop")
        if not arguments.only:
            did, right = few_files(Path(folder) / "few")
            print(f"out of files: {'ok' if right else 'FAULT'}: {did}")
            failed += [] if right else ["out of files"]
    print(f"abuse: {len(names)} attacks, {len(failed)} faults{': ' + ', '.join(failed) if failed else ''}")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
