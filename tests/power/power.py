"""Cuts the power under the running gateway, again and again, and holds it to the history that its clients wrote down.

    SAMBAND_BINARY=... SAMBAND_STUBS=... python power.py [--rounds 8] [--seconds 1.5] [--seed N] [--model cache|page|both] [--work D] [--lying]

The gateway's whole folder (store, keys, high-water mark) lies on ext4 on a loop device over the disk of `disk.py`. In each round the clients of
the kill test work, the power goes, the process is killed, and the disk comes back with what it had made durable and

    cache   a random share of the unflushed blocks of 4 KiB, some in an earlier version, some torn at sectors of 512 bytes;
    page    all that it was ever given: what is lost is what the kernel had not written yet.

Then the file system is mounted (its journal replayed) and the gateway started. After every cut: it starts, every receipt of the round is of an
entry that is in the log, the published head continues every head seen before, and `samband audit fsck` finds the folder sound. After each 25
cuts, and at the end, everything that the kill test checks; then a new, empty disk. Turns and roll-overs of the journal happen all the while.

With --lying the gateway's syncs do nothing, and the run is good when it finds losses: so it can.

Root, loop devices and /dev/fuse are needed. A seed replays the choices of a run, not the timing of the kernel.
"""

import argparse
import os
import random
import select
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

sys.path[:0] = [str(Path(__file__).resolve().parents[1] / part) for part in ("kill", "python")]

import evidence  # noqa: E402
import kill  # noqa: E402
from client import BINARY, Gateway, Party, audit_pb2  # noqa: E402

DISK_BYTES = 256 * 1024 * 1024
# Cuts on one disk; then everything is checked and a new one is taken.
CUTS_PER_DISK = 25


def run(*command, check: bool = True) -> subprocess.CompletedProcess:
    done = subprocess.run([str(part) for part in command], capture_output=True, text=True)
    if check and done.returncode != 0:
        raise RuntimeError(f"{' '.join(map(str, command))}: {done.stdout}{done.stderr}")
    return done


def missing() -> str | None:
    """What this machine lacks, if anything."""
    if os.geteuid() != 0:
        return "not root"
    for need in ("/dev/fuse", "/dev/loop-control"):
        if not os.path.exists(need):
            return f"no {need}"
    for tool in ("losetup", "mkfs.ext4", "mount", "umount"):
        if not shutil.which(tool):
            return f"no {tool}"
    with tempfile.TemporaryDirectory(prefix="samband-power-") as folder:
        machine = Machine(Path(folder))
        try:
            machine.new_disk()
            machine.power_on()
        except RuntimeError as error:
            return str(error)
        finally:
            machine.remove()
    return None


class Machine:
    """A disk, its file system, and the gateway's folder on it."""

    def __init__(self, work: Path):
        self.work, self.boot, self.loop = work, 0, None
        self.image, self.fuse, self.root = work / "image", work / "fuse", work / "root"
        for folder in (self.fuse, self.root):
            folder.mkdir(parents=True, exist_ok=True)
        self.disk = None

    def new_disk(self) -> None:
        self.image.unlink(missing_ok=True)
        with self.image.open("wb") as image:
            image.truncate(DISK_BYTES)
        run("mkfs.ext4", "-q", "-F", self.image)
        command = [sys.executable, str(Path(__file__).with_name("disk.py")), str(self.image), str(self.fuse)]
        self.disk = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        end = time.monotonic() + 10
        while not os.path.ismount(self.fuse):
            if time.monotonic() > end or self.disk.poll() is not None:
                raise RuntimeError("the disk does not start")
            time.sleep(0.01)

    def tell(self, line: str) -> None:
        self.disk.stdin.write(line + "\n")
        self.disk.stdin.flush()

    def ask(self, line: str) -> str:
        self.tell(line)
        return self.disk.stdout.readline().strip()

    def power_on(self) -> None:
        self.boot += 1
        self.ask(f"on {self.boot}")
        self.loop = run("losetup", "--find", "--show", self.fuse / f"disk-{self.boot}").stdout.strip()
        run("mount", "-t", "ext4", "-o", "noatime,commit=1", self.loop, self.root)

    def unmount(self) -> None:
        run("umount", self.root, check=False)
        if os.path.ismount(self.root):
            run("umount", "-l", self.root, check=False)
        if self.loop:
            run("losetup", "-d", self.loop, check=False)
            self.loop = None

    def cut(self, seed: int, keep: float, writes: int | None) -> list[int]:
        """Unflushed blocks, those that survive, those of them torn; writes and flushes since the power came on."""
        if writes is not None:
            self.tell(f"cut {seed} {keep} {writes}")
            if select.select([self.disk.stdout], [], [], 3)[0]:
                return [int(number) for number in self.disk.stdout.readline().split()]
        # Nothing was written for so long, or the moment is as good as any.
        return [int(number) for number in self.ask(f"cut {seed} {keep}").split()]

    def remove(self) -> None:
        self.unmount()
        if self.disk:
            run("umount", self.fuse, check=False)
            self.disk.stdin.close()
            try:
                self.disk.wait(timeout=10)
            except subprocess.TimeoutExpired:
                self.disk.kill()
            self.disk = None


LYING = """
int fsync(int fd) { return 0; }
int fdatasync(int fd) { return 0; }
"""


def lying(work: Path) -> None:
    """From here on, every process started has syncs that do nothing."""
    source, library = work / "lying.c", work / "lying.so"
    source.write_text(LYING, encoding="ascii")
    run("cc", "-shared", "-fPIC", "-o", library, source)
    os.environ["LD_PRELOAD"] = str(library)


class Totals:
    """What a run has seen."""

    def __init__(self):
        self.cuts = self.blocks = self.kept = self.torn = self.flushes = self.turns = self.files = self.leftovers = self.starting = 0
        self.receipts = self.delivered = self.acknowledged = 0
        self.losses: list[str] = []

    def line(self) -> str:
        return (
            f"{self.cuts} cuts ({self.starting} of a gateway that was starting), {self.blocks} unflushed blocks of which {self.kept} survived, "
            f"{self.torn} of them torn; {self.turns} turns, {self.files} journal files, {self.leftovers} leftovers of unfinished turns swept; "
            f"{self.receipts} receipts, {self.delivered} deliveries, {self.acknowledged} acknowledged, losses {len(self.losses)}"
        )


class Run:
    """One run over as many disks as it takes."""

    def __init__(self, work: Path, seed: int, seconds: float, model: str):
        self.work, self.seconds, self.model = work, seconds, model
        self.rng = random.Random(seed)
        self.machine, self.totals = Machine(work), Totals()
        self.template = work / "template"
        kill.prepare(Gateway(self.template))
        toml = self.template / "samband.toml"
        toml.write_text(toml.read_text(encoding="utf-8").replace('level = "warn"', 'level = "info"'), encoding="utf-8")

    def new_disk(self) -> None:
        self.machine.remove()
        self.machine.new_disk()
        self.machine.power_on()
        folder = self.machine.root / "gateway"
        shutil.copytree(self.template, folder)
        (folder / "gateway.log").unlink(missing_ok=True)
        run("sync", "--file-system", folder)
        self.history = kill.History()
        self.gateway = Gateway(folder)
        # What the process says is ours, and stays.
        self.gateway.log = self.work / "gateway.log"
        self.gateway.log.write_bytes(b"")
        self.checked = 0

    def keep(self) -> float:
        """The share of the unflushed blocks that survives."""
        models = {"cache": ["cache"], "page": ["page"], "both": ["cache", "cache", "cache", "page"]}[self.model]
        return 1.0 if self.rng.choice(models) == "page" else self.rng.choice([0.0, 0.33, 0.66, 0.99])

    def round(self) -> None:
        """From a started gateway to one that was started again after a cut."""
        if self.rng.random() < 0.15:
            self.gateway.stop()
            return self.cut_in_start()
        load = kill.Load(self.gateway, self.history, self.rng)
        time.sleep(self.rng.uniform(0.05, self.seconds))
        if self.rng.random() < 0.4:
            self.await_turn()
        self.cut(load)

    def cut_in_start(self) -> None:
        self.totals.starting += 1
        self.gateway.start()
        time.sleep(self.rng.random() * 0.25)
        self.cut(None)

    def cut(self, load: "kill.Load | None") -> None:
        """The power goes, comes back, and the gateway starts."""
        keep = self.keep()
        # Two of three cuts come with a write, so that something is in the cache.
        writes = self.rng.randrange(1, 40) if self.rng.random() < 0.67 else None
        blocks, kept, torn, _, flushes = self.machine.cut(self.rng.randrange(2**32), keep, writes)
        self.gateway.kill()
        if load:
            load.end()
        totals = self.totals
        totals.cuts += 1
        totals.blocks, totals.kept, totals.torn = totals.blocks + blocks, totals.kept + kept, totals.torn + torn
        totals.flushes += flushes
        self.machine.unmount()
        # As it was at the cut, in case it is asked for.
        run("cp", "--sparse=always", self.machine.image, self.work / "image-at-cut")
        self.machine.power_on()
        self.start(f"after a cut that kept {keep:.0%}")

    def await_turn(self) -> None:
        """Until the next turn begins to write, or long enough."""
        base, end = self.gateway.folder / "data/base", time.monotonic() + 2
        before = set(os.listdir(base))
        while set(os.listdir(base)) <= before and time.monotonic() < end:
            time.sleep(0.001)
        time.sleep(self.rng.random() * 0.03)

    def start(self, when: str) -> None:
        self.gateway.start()
        try:
            self.gateway.wait_until_serving()
        except RuntimeError as error:
            raise kill.Lost(f"{when}: {error}") from None
        self.check_round()

    def check_round(self) -> None:
        history = self.history
        new = [sent for sent in history.sent[self.checked :] if sent.accepted is not None]
        self.checked = max(0, len(history.sent) - 64)
        with Party(self.gateway, "tilsyn") as auditor:
            head = evidence.checkpoint(auditor.call("AuditService", "GetCheckpoint").checkpoint.decode(), self.gateway.vkey())
            if new:
                start = min(sent.accepted.log_index for sent in new)
                entries = {entry.index: entry.record for entry in kill.records(auditor, start)}
                for sent in new:
                    record = entries.get(sent.accepted.log_index)
                    if record is None or record.message_id != sent.request.message_id:
                        history.lose(f"{sent.request.message_id} has a receipt and is not in the log at {sent.accepted.log_index}")
            for size, root in sorted(history.heads.items())[-3:]:
                asked = audit_pb2.GetConsistencyProofRequest(old_size=size, new_size=head.size)
                if size > head.size:
                    history.lose(f"a head of size {size} was seen, and the log has {head.size}")
                    continue
                hashes = auditor.call("AuditService", "GetConsistencyProof", asked).hashes
                try:
                    evidence.consistent(evidence.Head(size, root), head, list(hashes))
                except evidence.Broken as broken:
                    history.lose(str(broken))
            history.see_head(head)
        folder = self.gateway.folder
        fsck = run(BINARY, "audit", "fsck", folder / "data", "--storage-key", folder / "storage-key", check=False)
        if fsck.returncode != 0:
            history.lose(f"fsck: {fsck.stdout}{fsck.stderr}")

    def finish(self) -> None:
        """Everything the kill test checks, over all cuts of this disk."""
        gateway, history, totals = self.gateway, self.history, self.totals
        kill.settle(gateway, history, self.rng)
        kill.check_delivery(history)
        kill.check_log(gateway, history)
        if gateway.stop() != 0:
            history.lose("the gateway does not stop cleanly")
        data = gateway.folder / "data"
        totals.turns += max((int(file.name[:12]) for file in (data / "base").glob("*.state")), default=0)
        totals.files += max((int(file.name[:12]) for file in (data / "journal").glob("*.j")), default=0)
        self.add_up()

    def add_up(self) -> None:
        counts, totals = self.history.counts, self.totals
        totals.leftovers += gateway_says(self.gateway, "a leftover of an unfinished turn is destroyed")
        totals.receipts += counts["receipts"]
        totals.delivered += counts["delivered"]
        totals.acknowledged += counts["acknowledged"]
        totals.losses += self.history.losses

    def all(self, rounds: int) -> None:
        left = rounds
        while left > 0:
            self.new_disk()
            try:
                for number in range(min(left, CUTS_PER_DISK)):
                    left -= 1
                    if number == 0:
                        # Of a store that is being made.
                        self.cut_in_start()
                    else:
                        self.round()
                    if self.history.losses:
                        break
                self.finish()
            except Exception as error:
                self.history.lose(f"{type(error).__name__}: {error}")
                self.add_up()
            if self.gateway.process and self.gateway.process.poll() is None:
                self.gateway.kill()
            print(f"power: {self.totals.line()}", flush=True)
            if self.history.losses:
                for loss in self.history.losses[:5]:
                    print(f"power: LOST: {loss}", flush=True)
                keep = self.work / f"lost-{self.totals.cuts}"
                keep.mkdir()
                for name in ("image-at-cut", "gateway.log"):
                    if (self.work / name).exists():
                        shutil.copy(self.work / name, keep)
                print(f"power: the disk as it was at that cut is {keep}/image-at-cut", flush=True)
        self.machine.remove()


def gateway_says(gateway: Gateway, what: str) -> int:
    return gateway.log.read_text(encoding="utf-8", errors="replace").count(what)


def main() -> int:
    parser = argparse.ArgumentParser(description="Cuts the power under the gateway and looks for losses.")
    parser.add_argument("--rounds", type=int, default=8)
    parser.add_argument("--seconds", type=float, default=1.5, help="the longest time under load before a cut")
    parser.add_argument("--seed", type=int, default=None)
    parser.add_argument("--model", choices=("cache", "page", "both"), default="both")
    parser.add_argument("--lying", action="store_true", help="with syncs that do nothing: losses must be found")
    parser.add_argument("--work", type=Path, default=None, help="a folder for the disk; the last image stays there")
    args = parser.parse_args()
    if lack := missing():
        print(f"power: SKIPPED: {lack}; root, loop devices and /dev/fuse are needed", flush=True)
        return 77
    seed = int.from_bytes(os.urandom(4), "big") if args.seed is None else args.seed
    work = args.work or Path(tempfile.mkdtemp(prefix="samband-power-"))
    work.mkdir(parents=True, exist_ok=True)
    print(f"power: {args.rounds} rounds, seed {seed}, model {args.model}", flush=True)
    begun = time.monotonic()
    runs = Run(work, seed, args.seconds, args.model)
    try:
        if args.lying:
            lying(work)
        runs.all(args.rounds)
    finally:
        runs.machine.remove()
    print(f"power: {runs.totals.line()} in {time.monotonic() - begun:.0f} s", flush=True)
    is_good = bool(runs.totals.losses) == args.lying
    if args.lying:
        print(f"power: with syncs that do nothing, {len(runs.totals.losses)} losses were found", flush=True)
    if args.work is None and is_good:
        shutil.rmtree(work)
    return 0 if is_good else 1


if __name__ == "__main__":
    sys.exit(main())
