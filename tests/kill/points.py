"""The commit points of the store by name, and how a process is killed at one of them from outside: `strace` sends SIGKILL at a system call on one
of the files that stand for the point, before the call, or after it and before the process knows."""

import itertools
import re
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from zoneinfo import ZoneInfo

# Numbers of files that may be made until the kill.
AHEAD = 48


@dataclass(frozen=True)
class Point:
    """Where a process is killed."""

    name: str
    call: str
    # Below the data folder; see `expand`.
    file: str
    # The so manieth such call of one thread.
    when: int = 1
    # When the call has returned, not before it.
    after: bool = False
    # Only while the store is being made.
    first: bool = False


POINTS = [
    Point("first start: before the folders are made", "mkdir", "journal", first=True),
    Point("first start: CURRENT written, not renamed", "rename", "CURRENT.tmp", first=True),
    Point("first start: FORMAT written, not synced", "fdatasync", "FORMAT.tmp", first=True),
    Point("first start: FORMAT synced, not renamed", "rename", "FORMAT.tmp", first=True),
    Point("first start: FORMAT renamed", "rename", "FORMAT.tmp", first=True, after=True),
    Point("first start: before the first frame", "pwrite64", "journal/000000000001.j", first=True),
    Point("start: before the last frame is written again", "pwrite64", "journal/<last>.j"),
    Point("start: last frame written again, not synced", "fdatasync", "journal/<last>.j"),
    Point("start: before the journal file is made", "openat", "journal/<started>.j"),
    Point("start: journal file made, its key not synced", "fdatasync", "keys/journal-<started>.j.key"),
    Point("start: key synced, names not", "fsync", "keys"),
    Point("start: before its first frame", "pwrite64", "journal/<started>.j"),
    Point("start: first frame written, not synced", "fdatasync", "journal/<started>.j"),
    Point("start: first frame synced, nobody told", "fdatasync", "journal/<started>.j", after=True),
    Point("commit: before a frame is written", "pwrite64", "journal/<open>.j", when=9),
    Point("commit: frame written, not synced", "fdatasync", "journal/<open>.j", when=14),
    Point("commit: frame synced, nobody told", "fdatasync", "journal/<open>.j", when=19, after=True),
    Point("roll-over: before the next file is made", "openat", "journal/<next>.j"),
    Point("roll-over: file made, no key", "openat", "keys/journal-<next>.j.key"),
    Point("roll-over: key written, not synced", "fdatasync", "keys/journal-<next>.j.key"),
    Point("roll-over: key synced, its name not", "fsync", "keys", when=2),
    Point("roll-over: key durable, the file's name not", "fsync", "journal", when=2),
    Point("roll-over: before the first frame of the next file", "pwrite64", "journal/<next>.j"),
    Point("roll-over: first frame of the next file not synced", "fdatasync", "journal/<next>.j"),
    Point("turn: before the key of the new content", "openat", "keys/base-<base>.content.key"),
    Point("turn: that key written, not synced", "fdatasync", "keys/base-<base>.content.key"),
    Point("turn: content written, not synced", "fdatasync", "base/<base>.content"),
    Point("turn: content synced, its name not", "fsync", "base"),
    Point("turn: before record slots are written", "pwrite64", "records/<month>.rec"),
    Point("turn: record slots written, not synced", "fdatasync", "records/<month>.rec"),
    Point("turn: record slots synced, the month's name not", "fsync", "records"),
    Point("turn: held records synced, their names not", "fsync", "holds"),
    Point("turn: held records durable, the state not", "fsync", "holds", after=True),
    Point("turn: before the published log is synced", "syncfs", "log"),
    Point("turn: before the new state", "openat", "base/<base>.state"),
    Point("turn: state written, not synced", "fdatasync", "base/<base>.state"),
    Point("turn: state synced, its name not", "fsync", "base", when=2),
    Point("turn: before CURRENT is written", "openat", "CURRENT.tmp"),
    Point("turn: CURRENT written, not synced", "fdatasync", "CURRENT.tmp"),
    Point("turn: CURRENT synced, not renamed", "rename", "CURRENT.tmp"),
    Point("turn: CURRENT renamed, its name not synced", "rename", "CURRENT.tmp", after=True),
    Point("erasure: before a journal's key is overwritten", "pwrite64", "keys/journal-<old>.j.key"),
    Point("erasure: key overwritten, not synced", "fdatasync", "keys/journal-<old>.j.key"),
    Point("erasure: key destroyed, still there", "unlink", "keys/journal-<old>.j.key"),
    Point("erasure: key gone, the journal still there", "unlink", "journal/<old>.j"),
    Point("erasure: journal gone, names not synced", "unlink", "journal/<old>.j", after=True),
    Point("erasure: before the old state's key is overwritten", "pwrite64", "keys/base-<oldbase>.state.key"),
    Point("erasure: old state's key gone, the state still there", "unlink", "base/<oldbase>.state"),
    Point("erasure: key of old held records gone, their file still there", "unlink", "holds/<held>"),
    Point("publication: before a tile is written", "openat", "log/tile/<tiles>/writing.tmp"),
    Point("publication: tile written, not renamed", "rename", "log/tile/<tiles>/writing.tmp"),
    Point("publication: before the partials of a full tile go", "unlinkat,rmdir", "log/tile/<partials>"),
    Point("publication: checkpoint written, not synced", "fdatasync", "log/checkpoint.tmp", when=2),
    Point("publication: checkpoint synced, not renamed", "rename", "log/checkpoint.tmp", when=2),
    Point("publication: checkpoint renamed, mark not written", "openat", "../high-water.tmp", when=2),
    Point("publication: mark written, not synced", "fdatasync", "../high-water.tmp", when=2),
    Point("publication: mark synced, not renamed", "rename", "../high-water.tmp", when=2),
]


def numbers(folder: Path, suffix: str) -> list[int]:
    return sorted(int(file.name[:12]) for file in folder.glob(f"*{suffix}"))


def tiles(size: int, partial: bool) -> Iterable[str]:
    """Folders in which tiles are written when the log grows beyond `size`: of full ones, and of partial ones."""
    for kind, width in (("entries", 256), ("0", 256), ("1", 65536)):
        if not partial:
            yield kind
        for number in range(size // width, size // width + 12):
            yield f"{kind}/{number:03}.p"


def expand(point: Point, data: Path) -> list[str]:
    """The files that stand for the point at the next start of the store in `data`."""
    journals, bases = numbers(data / "journal", ".j"), numbers(data / "base", ".state")
    last, base = (journals or [0])[-1], (bases or [0])[-1]
    checkpoint = data / "log/checkpoint"
    size = int(checkpoint.read_text().splitlines()[1]) if checkpoint.exists() else 0
    names = {
        "last": [f"{last:012}"],
        "started": [f"{last + 1:012}"],
        "open": [f"{number:012}" for number in range(last + 1, last + AHEAD)],
        "next": [f"{number:012}" for number in range(last + 2, last + AHEAD)],
        # Of a turn that a kill cut short, what lies below CURRENT goes at the start; all of the others goes with the next turn.
        "old": [f"{number:012}" for number in journals],
        "base": [f"{number:012}" for number in range(base + 1, base + AHEAD)],
        "oldbase": [f"{number:012}" for number in bases],
        "held": sorted(file.name for file in (data / "holds").glob("*.rec")),
        "month": [datetime.now(ZoneInfo("Europe/Oslo")).strftime("%Y-%m")],
        "tiles": list(tiles(size, partial=False)),
        "partials": list(tiles(size, partial=True)),
    }
    parts = re.split(r"<(\w+)>", point.file)
    choices = [[part] if at % 2 == 0 else names[part] for at, part in enumerate(parts)]
    return [str((data / "".join(choice)).parent.resolve() / Path("".join(choice)).name) for choice in itertools.product(*choices)]


def strace(point: Point, data: Path, trace: Path) -> list[str] | None:
    """The command that a gateway is started under, or nothing if the point cannot come up yet."""
    files = expand(point, data)
    if not files:
        return None
    command = ["strace", "-f", "-q", "-e", "signal=STOP", "-o", str(trace)]
    for file in files:
        command += ["-P", file]
    # SIGKILL ends the process before the call is done. SIGSTOP is taken when it is done, before the thread gets its result; then the harness kills.
    which = "SIGSTOP" if point.after else "SIGKILL"
    return [*command, "-e", f"trace={point.call}", "-e", f"inject={point.call}:signal={which}:when={point.when}"]


def is_behind(trace: Path) -> bool:
    """Whether the process stands behind the call of an `after` point."""
    return trace.exists() and "SIGSTOP" in trace.read_text(errors="replace")
