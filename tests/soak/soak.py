"""Lets the real program run under mixed load while its world changes, and holds it to what its clients wrote down.

    SAMBAND_BINARY=... SAMBAND_STUBS=... python soak.py [--minutes 10] [--seed N] [--plot FILE.svg] [--figures FILE.md]

The first two thirds are one process: all roles at work; a reader that takes items and then stalls; register and revocation list written anew and
SIGHUP, again and again; a participant's certificate renewed, its old key taken out and revoked; the gateway's certificate renewed; the clock set
two hours ahead and back (libfaketime). In that part memory and file descriptors must be flat. The last third is restarts, in turn by SIGTERM and by SIGKILL,
under load. At the end: every receipt verifies, is in the log where it says and is given again byte for byte; every accepted message was delivered exactly
with its content; every head ever seen is one of the log that stands there. `--minutes 60` is an hour, `--minutes 1` fits among the checks.
"""

import argparse
import hashlib
import os
import random
import re
import shutil
import signal
import socket
import ssl
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE.parent / "kill"), str(HERE.parent / "python")]

import authority  # noqa: E402
import evidence  # noqa: E402
import kill  # noqa: E402
import plot  # noqa: E402
from client import BINARY, ROOT, Gateway, Party, Refusal  # noqa: E402
from clients import History, Load  # noqa: E402
from cryptography.x509.oid import ExtendedKeyUsageOID  # noqa: E402

FAKETIME = ("/usr/lib/x86_64-linux-gnu/faketime/libfaketime.so.1", "/usr/lib/aarch64-linux-gnu/faketime/libfaketime.so.1")
SAMPLE_SECONDS = 0.5
# What may stay in memory of each message: its id for 30 days, its place in its case, its sample's label.
BYTES_A_MESSAGE = 512
# And of each log entry in the search index (sled): docs/scale.md measured 100 in living allocations, which the allocator spreads.
BYTES_AN_ENTRY = 320
# How far memory may rise besides, over the steady part: the index's cache, and what the allocator keeps free in each thread.
RISE_BYTES = 16 << 20
DESCRIPTORS_RISE = 5.0
# Memory is judged in runs of so many seconds or more; caches and the allocator's pages fill in the first minutes.
JUDGED_FROM_S = 300
REVOKED_WITHIN_S = 5.0
# At the end so many messages are sent once more.
RESENT_MAX = 4000


def unit_environment() -> dict[str, str]:
    """What deploy/samband.service puts into the program's environment: it is soaked as it is installed."""
    unit = (ROOT / "deploy/samband.service").read_text(encoding="utf-8")
    return dict(line.removeprefix("Environment=").split("=", 1) for line in unit.splitlines() if line.startswith("Environment="))


class SoakGateway(Gateway):
    """The program by its configuration file, with a clock that can be set."""

    def prepare_soak(self) -> None:
        self.prepare(erase_within_s=60, journal_file_bytes=1 << 20, journal_turn_bytes=4 << 20)
        self.authority = authority.Authority(self.certs())
        self.authority.write_crl()
        self.entries = authority.Register(self.certs() / "participants.toml")
        self.offset = self.folder / "clock-offset"
        self.set_clock(0)
        file = self.folder / "samband.toml"
        lines = [line for line in file.read_text(encoding="utf-8").splitlines() if not line.startswith("auditor_listen")]
        at = next(number for number, line in enumerate(lines) if line.startswith("client_ca_files"))
        lines.insert(at + 1, 'crl_files = ["certs-dev/ca.crl.pem"]')
        text = "\n".join(lines).replace('level = "warn"', 'level = "info"')
        file.write_text(text + "\n", encoding="utf-8")
        self.faketime = next((path for path in FAKETIME if Path(path).exists()), None)

    def start(self, under: list[str] | None = None) -> None:
        if not hasattr(self, "faketime"):
            return super().start(under)
        env = dict(os.environ) | unit_environment()
        if self.faketime:
            env |= {"LD_PRELOAD": self.faketime, "FAKETIME_TIMESTAMP_FILE": str(self.offset), "FAKETIME_CACHE_DURATION": "1", "FAKETIME_DONT_FAKE_MONOTONIC": "1", "DONT_FAKE_MONOTONIC": "1"}
        command = [str(BINARY), "serve", "--config", str(self.folder / "samband.toml")]
        self.is_child = False
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, env=env)

    def set_clock(self, seconds: int) -> None:
        authority.replace(self.offset, f"{seconds:+d}\n".encode())

    def reload(self) -> None:
        self.signal(signal.SIGHUP)

    def served_certificate(self) -> bytes:
        """What a stranger is shown before it is refused."""
        context = ssl.create_default_context(cafile=str(self.certs() / "ca.pem"))
        with socket.create_connection(("localhost", self.port), timeout=5) as raw, context.wrap_socket(raw, server_hostname="localhost") as tls:
            return hashlib.sha256(tls.getpeercert(binary_form=True)).digest()


@dataclass
class Sample:
    at: float
    rss: int
    descriptors: int
    threads: int
    receipts: int
    process: int
    entries: int = 0


@dataclass
class Soak:
    gateway: SoakGateway
    history: History
    seconds: float
    begun: float = field(default_factory=time.monotonic)
    samples: list[Sample] = field(default_factory=list)
    marks: list[tuple[float, str]] = field(default_factory=list)
    done: threading.Event = field(default_factory=threading.Event)
    starts: int = 1
    figures: dict[str, str] = field(default_factory=dict)

    def now(self) -> float:
        return time.monotonic() - self.begun

    def until(self, share: float) -> None:
        time.sleep(max(0.0, share * self.seconds - self.now()))

    def mark(self, what: str) -> None:
        self.marks.append((self.now(), what))
        print(f"soak: {self.now():6.1f} s: {what}", flush=True)

    def demand(self, holds: bool, what: str) -> None:
        if not holds:
            self.history.lose(what)

    def entries(self) -> int:
        """The log's size as it is published."""
        try:
            return int((self.gateway.folder / "data/log/checkpoint").read_text().splitlines()[1])
        except (OSError, IndexError, ValueError):
            return 0

    def sample(self) -> None:
        while not self.done.wait(SAMPLE_SECONDS):
            process = self.gateway.process
            folder = Path(f"/proc/{process.pid}")
            try:
                status = dict(line.split(":", 1) for line in (folder / "status").read_text().splitlines())
                descriptors = len(os.listdir(folder / "fd"))
                rss, threads = int(status["VmRSS"].split()[0]) * 1024, int(status["Threads"])
            except (OSError, KeyError, ValueError):
                continue
            self.samples.append(Sample(self.now(), rss, descriptors, threads, self.history.counts["receipts"], process.pid, self.entries()))


def wait_for(what: Callable[[], bool], seconds: float) -> float | None:
    begun = time.monotonic()
    while time.monotonic() - begun < seconds:
        if what():
            return time.monotonic() - begun
        time.sleep(0.05)
    return None


def stall(soak: Soak, name: str, until: float) -> None:
    """A reader of its own that takes what it is given, acknowledges nothing, and then stops reading."""
    with Party(soak.gateway, name) as party:
        kind = kill.sys.modules["client"].request_type(party.service, "Receive")
        stream = party.stub().Receive(kind(reader_id="stalled"))
        try:
            next(stream)
        except Exception as error:
            soak.history.lose(f"the stalled reader got nothing: {type(error).__name__}")
            return
        soak.mark(f"a reader of {name} stalls")
        soak.until(until)
        stream.cancel()
    soak.mark("the stalled reader is gone; its items are free again")


def renew_participant(soak: Soak, load: Load, name: str) -> None:
    """New key beside the old one, then the old one out and revoked; whoever still uses it is cut off."""
    gateway = soak.gateway
    old, certificate, key = gateway.authority.renew(name)
    new_hash = authority.key_hash(authority.x509.load_pem_x509_certificate(certificate).public_key())
    gateway.entries.add_key(authority.key_hash(old.public_key()), new_hash, "soak")
    gateway.reload()
    with Party(gateway, name) as straggler:
        gateway.authority.install(name, certificate, key)
        client = load.clients[name]
        client.renew = True
        soak.demand(client.renewed.wait(30), f"{name} does not come to use its new certificate")
        straggler.call("LaboratoryService", "LookUp")
        gateway.entries.remove_key(authority.key_hash(old.public_key()))
        gateway.authority.revoked.append(old.serial_number)
        gateway.authority.write_crl()
        gateway.reload()

        def is_out() -> bool:
            try:
                straggler.call("LaboratoryService", "LookUp", timeout=2)
                return False
            except Refusal:
                return True

        took = wait_for(is_out, REVOKED_WITHIN_S)
    soak.demand(took is not None, f"the old key of {name} still works {REVOKED_WITHIN_S} s after it was taken out and revoked")
    soak.figures["a revoked key is cut off"] = f"{took:.2f} s after SIGHUP" if took is not None else "not"
    soak.mark(f"{name} has a new certificate, the old one is revoked")


def renew_gateway(soak: Soak) -> None:
    gateway = soak.gateway
    before = gateway.served_certificate()
    _, certificate, key = gateway.authority.renew("gateway", ExtendedKeyUsageOID.SERVER_AUTH)
    gateway.authority.install("gateway", certificate, key)
    gateway.reload()
    took = wait_for(lambda: gateway.served_certificate() != before, 5)
    soak.demand(took is not None, "the gateway still serves its old certificate 5 s after SIGHUP")
    soak.mark("the gateway has a new certificate")


def step_clock(soak: Soak, back: float) -> None:
    gateway = soak.gateway
    if not gateway.faketime:
        soak.figures["clock"] = "not stepped: libfaketime is not installed"
        return soak.mark("the clock is not stepped: libfaketime is not installed")
    gateway.set_clock(7200)
    soak.mark("the clock is set two hours ahead")
    held = gateway.folder / "data/CALENDAR-HELD"
    took = wait_for(held.exists, 20)
    soak.demand(took is not None, "the clock was set by two hours and erasure by date did not stop")
    soak.figures["clock"] = f"erasure by date stopped {took:.1f} s after the step" if took is not None else "erasure by date did not stop"
    soak.until(back)
    gateway.set_clock(0)
    soak.mark("the clock is set back")


def reloads(soak: Soak, end: float, every: float) -> int:
    count = 0
    while soak.now() < end * soak.seconds:
        soak.gateway.entries.touch()
        soak.gateway.authority.write_crl()
        soak.gateway.reload()
        count += 1
        time.sleep(every)
    return count


def restarts(soak: Soak) -> None:
    """In turn by SIGTERM and by SIGKILL, under load, to the end."""
    every = max(4.0, soak.seconds / 40)
    while soak.now() < 0.97 * soak.seconds - every:
        time.sleep(every)
        is_clean = soak.starts % 2 == 1
        if is_clean:
            soak.demand(soak.gateway.stop() == 0, "the gateway does not stop cleanly under load")
        else:
            soak.gateway.kill()
        begun = time.monotonic()
        soak.gateway.start()
        soak.gateway.wait_until_serving(60)
        soak.starts += 1
        soak.mark(f"{'stopped' if is_clean else 'killed'} and started again in {time.monotonic() - begun:.2f} s")


def fit(samples: list[Sample], value: Callable[[Sample], float]) -> float:
    """Rise over the samples by a straight line of least squares."""
    slope = statistics.linear_regression([sample.at for sample in samples], [value(sample) for sample in samples]).slope
    return slope * (samples[-1].at - samples[0].at)


def judge(soak: Soak, begin: float, end: float) -> None:
    steady = [sample for sample in soak.samples if begin * soak.seconds <= sample.at <= end * soak.seconds]
    if len({sample.process for sample in steady}) != 1 or len(steady) < 10:
        return soak.history.lose("the steady part is not one process, or too short to judge")
    messages = steady[-1].receipts - steady[0].receipts
    rss = statistics.median(sample.rss for sample in steady)
    rise = fit(steady, lambda sample: sample.rss)
    entries = steady[-1].entries - steady[0].entries
    allowed = RISE_BYTES + BYTES_A_MESSAGE * messages + BYTES_AN_ENTRY * entries
    descriptors = fit(steady, lambda sample: sample.descriptors)
    span = steady[-1].at - steady[0].at
    mib = 1 << 20
    is_long = soak.seconds >= JUDGED_FROM_S
    judged = f"allowed {allowed / mib:.1f}" if is_long else "not judged: too short, the program is still warming up"
    soak.figures["memory, steady part"] = f"median {rss / mib:.1f} MiB, rise {rise / mib:+.2f} MiB in {span:.0f} s, {messages} messages and {entries} entries ({judged})"
    soak.figures["file descriptors, steady part"] = (
        f"{min(sample.descriptors for sample in steady)} to {max(sample.descriptors for sample in steady)}, rise {descriptors:+.2f} (allowed {DESCRIPTORS_RISE:.0f})"
    )
    soak.demand(messages > 0, "no message was accepted in the steady part")
    soak.demand(rise <= allowed or not is_long, f"memory rises: {soak.figures['memory, steady part']}")
    soak.demand(descriptors <= DESCRIPTORS_RISE, f"file descriptors rise: {soak.figures['file descriptors, steady part']}")


def play(soak: Soak, rng: random.Random, pace: float) -> Load:
    gateway = soak.gateway
    load = Load(gateway, soak.history, rng, pace)
    threading.Thread(target=soak.sample, daemon=True).start()
    soak.until(0.15)
    soak.mark("steady part begins")
    counted: list[int] = []
    reloading = threading.Thread(target=lambda: counted.append(reloads(soak, 0.62, max(2.0, soak.seconds / 60))))
    reloading.start()
    stalled = threading.Thread(target=stall, args=(soak, "politi-oslo", 0.35))
    soak.until(0.2)
    stalled.start()
    soak.until(0.28)
    # The renewal changes the same register; both write whole files, so the reloads wait.
    renew_gateway(soak)
    stalled.join()
    soak.until(0.45)
    step_clock(soak, 0.55)
    reloading.join()
    soak.figures["reloads"] = f"{counted[0]} with a register and a revocation list written anew"
    renew_participant(soak, load, "lab-st-olav")
    soak.until(0.66)
    soak.mark("steady part ends")
    judge(soak, 0.35, 0.65)
    restarts(soak)
    return load


def check(soak: Soak, rng: random.Random) -> None:
    gateway, history = soak.gateway, soak.history
    accepted = [sent for sent in history.sent if sent.accepted is not None]
    everything = history.sent
    if len(accepted) > RESENT_MAX:
        # Receipts, delivery and log are checked for all; sending once more is for some.
        chosen = set(map(id, rng.sample(accepted, RESENT_MAX)))
        history.sent = [sent for sent in everything if sent.accepted is None or id(sent) in chosen]
    kill.settle(gateway, history, rng)
    history.sent = everything
    kill.check_delivery(history)
    soak.figures["log"] = f"{kill.check_log(gateway, history)} entries, {len(history.heads)} heads seen, all of one log"
    vkey = gateway.vkey()
    for sent in history.sent:
        if sent.accepted is not None:
            evidence.receipt(sent.accepted.receipt, vkey)
    times = sorted(took for _, took in history.times)
    if times:
        soak.figures["answers"] = f"p50 {times[len(times) // 2] * 1e3:.1f} ms, p99 {times[len(times) * 99 // 100] * 1e3:.0f} ms, over mutual TLS from Python on the same machine"


def main() -> int:
    parser = argparse.ArgumentParser(description="A soak of the real program; see the head of this file.")
    parser.add_argument("--minutes", type=float, default=10.0, help="how long the load lasts (10; 60 for the long run, 1 among the checks)")
    parser.add_argument("--seed", type=int, default=None)
    parser.add_argument("--pace", type=float, default=0.12, help="seconds between two acts of one client, on average")
    parser.add_argument("--plot", type=Path, default=None, help="draw the plot here, as SVG")
    parser.add_argument("--figures", type=Path, default=None, help="write the figures here, as a Markdown table")
    args = parser.parse_args()
    seed = int.from_bytes(os.urandom(4), "big") if args.seed is None else args.seed
    rng = random.Random(seed)
    print(f"soak: {args.minutes:g} minutes, seed {seed}", flush=True)
    folder = Path(tempfile.mkdtemp(prefix="samband-soak-"))
    gateway, history = SoakGateway(folder), History()
    gateway.prepare_soak()
    gateway.start()
    gateway.wait_until_serving()
    soak = Soak(gateway, history, args.minutes * 60)
    # None where the kernel has no huge pages to give.
    huge_pages = re.search(r"^THP_enabled:\s+(\d)", Path(f"/proc/{gateway.process.pid}/status").read_text(), re.MULTILINE)
    soak.demand(huge_pages is None or huge_pages[1] == "0", "the system may give the gateway huge pages")
    try:
        load = play(soak, rng, args.pace)
        soak.done.set()
        load.end()
        check(soak, rng)
        soak.demand(gateway.stop() == 0, "the gateway does not stop cleanly")
    except Exception as error:
        history.lose(f"{type(error).__name__}: {error}; {gateway.tail()[-600:]}")
    finally:
        soak.done.set()
        if gateway.process and gateway.process.poll() is None:
            gateway.kill()
    counts = history.counts
    soak.demand(counts["receipts"] > 0 and counts["delivered"] > 0, "nothing was relayed: nothing was tested")
    soak.figures = {
        "load": f"{args.minutes:g} minutes, {len(kill.NAMES)} clients, {counts['receipts']} receipts, {counts['retries']} sent once more, {counts['delivered']} deliveries, {counts['acknowledged']} acknowledged",
        "starts": f"{soak.starts}, of which {soak.starts // 2} after a clean stop and {(soak.starts - 1) // 2} after SIGKILL, under load",
        **soak.figures,
        "lost": str(len(history.losses)),
    }
    for loss in history.losses[:40]:
        print(f"soak: LOSS: {loss}", flush=True)
    for name, figure in soak.figures.items():
        print(f"soak: {name}: {figure}", flush=True)
    if args.plot:
        plot.draw(args.plot, soak.samples, soak.marks)
    if args.figures:
        args.figures.write_text("| what | figure |\n|---|---|\n" + "".join(f"| {name} | {figure} |\n" for name, figure in soak.figures.items()), encoding="utf-8")
    if not history.losses:
        shutil.rmtree(folder, ignore_errors=True)
    print(f"soak: {args.minutes:g} minutes, {counts['receipts']} receipts, {soak.starts} starts, {len(history.losses)} losses, seed {seed}")
    return 1 if history.losses else 0


if __name__ == "__main__":
    sys.exit(main())
