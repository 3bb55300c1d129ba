"""Lets every system call that the store makes fail once, with EIO, with ENOSPC, and by SIGKILL, and looks for losses.

    SAMBAND_BINARY=... SAMBAND_STUBS=... python syscalls.py [--only commit,roll,turn,publish,start] [--scenario again] [--fault EIO] [--when-max N] [--reads]

One small day of work is done on a copy of a prepared folder: a start, messages of all kinds up to the largest, a roll-over of the journal, a turn,
a publication, a stop. `strace` writes down every open, write, sync, rename, unlink and mkdir below the data folder and of the high-water mark.
Then the same day is done once for each of them and each fault, `strace` injecting it at exactly that call of that file:

- a failed sync ends the process within two seconds, with exit code 74 and a message;
- any other failure ends it with a message, or it goes on;
- after each, the gateway starts again, `samband audit fsck` finds the folder sound, and everything that the kill test checks holds.

`first` is the start of a gateway without a store; `again` of one that was stopped; `killed` of one that was killed in the midst of a turn.
"""

import argparse
import os
import random
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from dataclasses import dataclass, replace
from pathlib import Path

sys.path[:0] = [str(Path(__file__).resolve().parents[1] / part) for part in ("kill", "python")]

import kill  # noqa: E402
import largest  # noqa: E402
import points  # noqa: E402
from client import BINARY, Gateway, Refusal, result  # noqa: E402

CALLS = "openat,creat,write,pwrite64,writev,fsync,fdatasync,syncfs,rename,renameat,renameat2,unlink,unlinkat,rmdir,mkdir,mkdirat,ftruncate,fallocate"
READS = "read,pread64,getdents64,statx"
SYNCS = {"fsync", "fdatasync", "syncfs"}
# These name their file by a descriptor only; strings in them are content.
BY_DESCRIPTOR = SYNCS | {"write", "pwrite64", "writev", "ftruncate", "fallocate", "read", "pread64", "getdents64"}
FAULTS = {"EIO": "error=EIO", "ENOSPC": "error=ENOSPC", "KILL": "signal=SIGKILL"}
STORAGE_EXIT = 74
SYNC_SECONDS_MAX = 2.0
LINE = re.compile(r"^(\d+) +([\d.]+) (\w+)\((.*)$")
QUOTED = re.compile(r'"([^"]+)"')
DESCRIBED = re.compile(r"<(/[^>]+)>")


@dataclass(frozen=True, order=True)
class Point:
    """The so manieth call of one kind on one file by one thread."""

    part: str
    path: str
    call: str
    when: int

    def __str__(self) -> str:
        return f"{self.part}: {self.call} {self.path} no. {self.when}"


def part_of(path: str, call: str) -> str:
    """To which part of the store's work a call belongs."""
    folder = path.split("/")[1] if path.startswith("data/") else path
    if folder in ("journal", "keys") and "journal" in path:
        return "commit" if path.endswith(".j") and call in ("pwrite64", "write", "fdatasync") else "roll"
    if folder in ("base", "records", "keys") or folder.startswith("CURRENT"):
        return "turn"
    if folder in ("log", "high-water", "high-water.tmp"):
        return "publish"
    return "start"


class Day:
    """One small day of work."""

    def __init__(self, gateway: Gateway, seed: int):
        self.gateway, self.history = gateway, kill.History()
        rng, stop = random.Random(seed), threading.Event()
        names = ("politi-oslo", "ru-oslo", "lab-ous")
        self.police, self.unit, self.laboratory = (kill.Client(gateway, name, self.history, rng.randrange(2**32), stop) for name in names)

    def notice(self, bend=lambda content: content) -> kill.Sent:
        token = self.police.token()
        content = self.police.party.notice("notice-both")
        content["control"].update(invoice_reference=token, laboratories=[])
        content["municipality_of_stay"] = "0301"
        sent = self.police.write_down("notice", self.police.party.request(bend(content)), token)
        self.police.deliver(sent)
        return sent

    def result(self, notice: kill.Sent) -> None:
        label = self.laboratory.token()
        content = largest.result(result(notice.accepted.requisition_id, label))
        token = f"{label} {content['urine_validity']['ph']}"
        self.laboratory.deliver(self.laboratory.write_down("result", self.laboratory.party.request(content), token))

    def work(self) -> None:
        """Ends early, without a word, when the gateway does."""
        current = self.gateway.folder / "data/CURRENT"
        try:
            before = current.read_bytes()
            notice = self.notice(largest.notice)
            self.notice()
            self.unit.fetch()
            # More than a journal file holds, so that it is closed, and a turn is due.
            for _ in range(16):
                self.result(notice)
            self.police.fetch()
            end = time.monotonic() + 4
            while current.read_bytes() == before and time.monotonic() < end and self.gateway.process.poll() is None:
                time.sleep(0.02)
            time.sleep(0.1)
            self.notice()
            self.unit.fetch()
            time.sleep(0.05)
        except Refusal as refusal:
            if not kill.is_open(refusal) and refusal.reason not in ("STORAGE_FULL", "INTERNAL", "DATA_DAMAGED"):
                self.history.lose(str(refusal))
        except FileNotFoundError:
            pass
        finally:
            for client in (self.police, self.unit, self.laboratory):
                client.party.channel.close()


def joined(before: kill.History, after: kill.History) -> kill.History:
    """One history of both. Of the first, which is used again, it takes copies: what is unanswered there is answered in each run anew."""
    sent, items = [replace(sent) for sent in before.sent], {key: replace(item) for key, item in before.items.items()}
    return kill.History(sent=sent + after.sent, items={**items, **after.items}, heads={**before.heads, **after.heads})


class Bench:
    """Prepared folders, and one that the days are done in."""

    def __init__(self, work: Path):
        self.work, self.folder, self.trace = work, work / "gateway", work / "trace"
        self.gateway = Gateway(work / "made")
        self.gateway.folder = self.folder
        kill.prepare(self.gateway)
        self.keep("first")
        self.gateway.start()
        self.gateway.wait_until_serving()
        day = Day(self.gateway, 1)
        day.work()
        self.gateway.stop()
        if day.history.losses:
            raise RuntimeError(f"the day does not work: {day.history.losses}")
        self.keep("again")
        killed = self.cut_short(day.history)
        self.histories = {"first": kill.History(), "again": day.history, "killed": killed}

    def cut_short(self, before: kill.History) -> kill.History:
        """The same store after a second day that was killed in the midst of a turn's erasure: what a start sweeps is there."""
        (point,) = [point for point in points.POINTS if point.name == "erasure: key gone, the journal still there"]
        command = points.strace(point, self.folder / "data", self.trace)
        self.gateway.start(command)
        self.gateway.wait_until_serving()
        day = Day(self.gateway, 3)
        day.work()
        self.gateway.kill()
        self.keep("killed")
        return joined(before, day.history)

    def keep(self, name: str) -> None:
        shutil.copytree(self.folder, self.work / name)

    def take(self, scenario: str) -> None:
        shutil.rmtree(self.folder, ignore_errors=True)
        shutil.copytree(self.work / scenario, self.folder)
        self.gateway.log = self.folder / "gateway.log"
        self.gateway.log.write_bytes(b"")

    def day(self, scenario: str, *options: str) -> tuple[Day | None, int]:
        """Does the day under strace; what was done, and the exit code."""
        self.take(scenario)
        self.trace.unlink(missing_ok=True)
        self.gateway.start(["strace", "-f", "-q", "-ttt", "-e", "signal=none", "-o", str(self.trace), *options])
        try:
            self.gateway.wait_until_serving()
        except RuntimeError:
            if self.gateway.process.poll() is None:
                self.gateway.kill()
                raise
            return None, self.code()
        day = Day(self.gateway, 2)
        day.work()
        if self.gateway.process.poll() is None:
            try:
                self.gateway.process.wait(timeout=0.3)
            except subprocess.TimeoutExpired:
                self.gateway.stop()
        return day, self.code()

    def code(self) -> int:
        return self.gateway.process.returncode

    def points(self, scenario: str, calls: str) -> list[Point]:
        """Every call of the day, each of them once."""
        _, code = self.day(scenario, "-y", "-e", f"trace={calls}")
        if code != 0:
            raise RuntimeError(f"{scenario}: the day ends with {code}: {self.gateway.tail()}")
        seen, found = Counter(), set()
        for line in self.trace.read_text(errors="replace").splitlines():
            if not (match := LINE.match(line)):
                continue
            thread, _, call, rest = match.groups()
            path = self.path_in(call, rest)
            if path is not None:
                seen[thread, call, path] += 1
                found.add(Point(part_of(path, call), path, call, seen[thread, call, path]))
        return sorted(found)

    def path_in(self, call: str, rest: str) -> str | None:
        """The file of a call, relative to the gateway's folder, if it is one of the store's. The index may be lost at any time."""
        quoted, described = QUOTED.search(rest), DESCRIBED.search(rest)
        if call not in BY_DESCRIPTOR and quoted and quoted[1].startswith("/"):
            path = quoted[1]
        elif described:
            path = described[1]
        else:
            return None
        prefix = f"{self.folder}/"
        if not path.startswith(prefix):
            return None
        path = path.removeprefix(prefix)
        is_ours = path.startswith(("data", "high-water")) and not path.startswith("data/index")
        return path if is_ours else None

    def try_out(self, scenario: str, point: Point, fault: str) -> tuple[str, list[str]]:
        """Whether the fault came and how the process took it; what was lost."""
        options = ["-P", str(self.folder / point.path), "-e", f"trace={point.call}"]
        options += ["-e", f"inject={point.call}:{FAULTS[fault]}:when={point.when}"]
        if fault != "KILL":
            # Faster; but it knows no signals.
            options.append("--seccomp-bpf")
        day, code = self.day(scenario, *options)
        losses = [] if day is None else day.history.losses
        trace = self.trace.read_text(errors="replace")
        came = "(INJECTED)" in trace if fault != "KILL" else code in (-signal.SIGKILL, 128 + signal.SIGKILL)
        said = self.gateway.tail()
        if not came:
            outcome = "not reached"
        elif fault == "KILL":
            outcome = "killed"
        else:
            outcome = f"ended with {code}" if code else "went on"
            if code not in (0, STORAGE_EXIT):
                losses.append(f"exit code {code} after a failure of storage: {said}")
            if code and "samband:" not in said:
                losses.append("ended without a message")
            if point.call in SYNCS:
                losses += self.sync_took(trace, code)
        losses += self.after(scenario, day)
        return outcome, losses

    def sync_took(self, trace: str, code: int) -> list[str]:
        """A failed sync ends the process at once."""
        times = [float(match[2]) for line in trace.splitlines() if "(INJECTED)" in line and (match := LINE.match(line))]
        ends = [float(line.split()[1]) for line in trace.splitlines() if "+++ exited" in line]
        if code != STORAGE_EXIT:
            return [f"a failed sync, and the exit code is {code}"]
        if times and ends and max(ends) - times[0] > SYNC_SECONDS_MAX:
            return [f"a failed sync, and the process ends after {max(ends) - times[0]:.1f} s"]
        return []

    def after(self, scenario: str, day: Day | None) -> list[str]:
        """A start and a check of everything."""
        gateway = self.gateway
        history = joined(self.histories[scenario], day.history if day else kill.History())
        gateway.start()
        try:
            gateway.wait_until_serving()
            kill.settle(gateway, history, random.Random(1))
            kill.check_delivery(history)
            kill.check_log(gateway, history)
            data, key = self.folder / "data", self.folder / "storage-key"
            fsck = subprocess.run([str(BINARY), "audit", "fsck", str(data), "--storage-key", str(key)], capture_output=True, text=True)
            if fsck.returncode != 0:
                history.lose(f"fsck: {fsck.stdout}{fsck.stderr}")
            if gateway.stop() != 0:
                history.lose("does not stop cleanly")
        except (RuntimeError, Refusal, kill.Lost) as error:
            history.lose(f"{type(error).__name__}: {error}")
            if gateway.process.poll() is None:
                gateway.kill()
        return history.losses


def main() -> int:
    parser = argparse.ArgumentParser(description="Lets every system call of the store fail once.")
    parser.add_argument("--only", default="commit,roll,turn,publish,start", help="parts of the store's work, by comma")
    parser.add_argument("--scenario", default="again", help="first, again, killed; by comma")
    parser.add_argument("--fault", default=",".join(FAULTS), help="EIO, ENOSPC, KILL; by comma")
    parser.add_argument("--when-max", type=int, default=4, help="of calls of one kind on one file, so many of the first")
    parser.add_argument("--reads", action="store_true", help="not what changes something but what is read: reads, lists, stats")
    parser.add_argument("--list", action="store_true", help="the points, and nothing else")
    parser.add_argument("--work", type=Path, default=None)
    args = parser.parse_args()
    if not shutil.which("strace"):
        print("syscalls: SKIPPED: no strace")
        return 77
    work = args.work or Path(tempfile.mkdtemp(prefix="samband-syscalls-"))
    work.mkdir(parents=True, exist_ok=True)
    begun, outcomes = time.monotonic(), Counter()
    bench = Bench(work)
    try:
        lost = go_through(bench, args, outcomes)
    finally:
        if bench.gateway.process.poll() is None:
            bench.gateway.kill()
    ways = ", ".join(f"{count} {way}" for way, count in sorted(outcomes.items()))
    print(f"syscalls: {sum(outcomes.values())} faults tried: {ways}; losses {lost}, in {time.monotonic() - begun:.0f} s", flush=True)
    if not lost and args.work is None:
        shutil.rmtree(work)
    return 1 if lost else 0


def go_through(bench: Bench, args: argparse.Namespace, outcomes: Counter) -> int:
    """Every point with every fault; how many of them lost something."""
    lost = 0
    for scenario in args.scenario.split(","):
        chosen = [point for point in bench.points(scenario, READS if args.reads else CALLS) if point.part in args.only.split(",") and point.when <= args.when_max]
        print(f"syscalls: {scenario}: {len(chosen)} calls", flush=True)
        for point in chosen:
            if args.list:
                print(f"  {point}")
                continue
            for fault in args.fault.split(","):
                outcome, losses = bench.try_out(scenario, point, fault)
                outcomes[outcome] += 1
                if sum(outcomes.values()) % 50 == 0:
                    print(f"syscalls: {sum(outcomes.values())} faults, losses {lost}", flush=True)
                lost += bool(losses)
                if losses:
                    print(f"syscalls: LOST: {scenario}: {point}: {fault}: {outcome}", flush=True)
                    for loss in losses[:5]:
                        print(f"    {loss}", flush=True)
    return lost


if __name__ == "__main__":
    sys.exit(main())
