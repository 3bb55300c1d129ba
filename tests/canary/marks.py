"""Marked persons and values, in every form in which a careless program might leave them behind."""

import base64
import hashlib
import os
import random
import subprocess
import tempfile
import urllib.parse
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

K1, K2 = (3, 7, 6, 1, 8, 9, 4, 5, 2), (5, 4, 3, 2, 7, 6, 5, 4, 3, 2)
PAGE = os.sysconf("SC_PAGE_SIZE")
WORD = "QZXJKVWY"


def identity_number(rng: random.Random, is_d_number: bool = False) -> str:
    """A synthetic number (month + 80) with both check digits."""
    while True:
        birth = f"{rng.randint(1, 28) + 40 * is_d_number:02}{rng.randint(1, 12) + 80:02}{rng.randint(40, 99):02}"
        digits = [int(digit) for digit in f"{birth}{rng.randint(0, 499):03}"]
        for weights in (K1, K2):
            digits.append(-sum(weight * digit for weight, digit in zip(weights, digits)) % 11)
        if 10 not in digits:
            return "".join(map(str, digits))


def word(rng: random.Random, length: int = 14) -> str:
    return "".join(rng.choice(WORD) for _ in range(length))


@dataclass
class Marks:
    """Values that stand in messages, by what they are. `personal` must be gone from memory, too, once the content is erased."""

    rng: random.Random
    values: dict[str, str] = field(default_factory=dict)
    personal: set[str] = field(default_factory=set)

    def mark(self, what: str, value: str, personal: bool = True) -> str:
        name = f"{what} {len(self.values)}"
        self.values[name] = value
        if personal:
            self.personal.add(name)
        return value

    def name(self, what: str) -> str:
        return self.mark(what, word(self.rng).capitalize())

    def number(self, what: str = "identity number", **kind) -> str:
        return self.mark(what, identity_number(self.rng, **kind))

    def decimal(self, what: str, whole: int) -> str:
        return self.mark(what, f"{whole}.{self.rng.randint(100_000, 999_999)}")


def spellings(value: str) -> dict[str, bytes]:
    """As it is, and as programs write bytes into logs and files."""
    raw = value.encode()
    found = {
        "as it is": raw,
        "UTF-16": value.encode("utf-16-le"),
        "UTF-16 big-endian": value.encode("utf-16-be"),
        "hex": raw.hex().encode(),
        "hex in capitals": raw.hex().upper().encode(),
        "reversed": raw[::-1],
        "reversed hex": raw[::-1].hex().encode(),
        "in a list of numbers": ", ".join(map(str, raw)).encode(),
        "percent-encoded": urllib.parse.quote(raw, safe="").encode(),
    }
    # Base64 has three spellings, by where in a group of three the value begins; what neighbours decide is left out.
    for before in range(3):
        text = base64.b64encode(b"\0" * before + raw)[(0, 2, 3)[before] :]
        for name, spelled in (("base64", text), ("base64url", text.replace(b"+", b"-").replace(b"/", b"_"))):
            found[f"{name} at {before}"] = spelled[: len(spelled) // 4 * 4 - 4] if len(spelled) > 12 else spelled.rstrip(b"=")[:-1]
    if value.isdigit():
        found["digits as numbers"] = bytes(map(int, value))
    return found


def guesses(value: str) -> dict[str, bytes]:
    """Hashes that somebody who guesses the value could compute."""
    raw, found = value.encode(), {}
    for name in ("md5", "sha1", "sha256", "sha512", "sha3_256", "blake2b"):
        digest = hashlib.new(name, raw).digest()
        found[name], found[f"{name} as hex"] = digest, digest.hex().encode()
        found[f"{name} as base64"] = base64.b64encode(digest).rstrip(b"=")
    return found


def needles(values: dict[str, str]) -> dict[str, bytes]:
    found = {}
    for name, value in values.items():
        for form, needle in {**spellings(value), **guesses(value)}.items():
            assert len(needle) >= 8, (name, form)
            found[f"{name}, {form}"] = needle
    return found


def hits(data: bytes, wanted: dict[str, bytes]) -> list[str]:
    return [name for name, needle in wanted.items() if needle in data]


def files(*folders: Path) -> list[Path]:
    return [path for folder in folders for path in ([folder] if folder.is_file() else sorted(folder.rglob("*"))) if path.is_file()]


@dataclass
class Memory:
    """What stands in a process's own pages: mapping, place and bytes. Read as root or as whoever may trace the process."""

    pid: int

    def pieces(self):
        with open(f"/proc/{self.pid}/mem", "rb", 0) as memory, open(f"/proc/{self.pid}/pagemap", "rb", 0) as pages:
            for line in Path(f"/proc/{self.pid}/maps").read_text().splitlines():
                span, rights, _, _, inode, *name = line.split(maxsplit=5)
                if "w" not in rights or name[:1] in (["[vvar]"], ["[vsyscall]"]):
                    continue
                begin, end = (int(part, 16) for part in span.split("-"))
                label = name[0].strip() if name else "anonymous"
                # Pages that were never touched are left out: there may be gigabytes of them.
                pages.seek(begin // PAGE * 8)
                entries = pages.read((end - begin) // PAGE * 8)
                present = [number for number in range(len(entries) // 8) if entries[number * 8 + 7] & 0xC0]
                while present:
                    run = 1
                    while run < len(present) and present[run] == present[0] + run:
                        run += 1
                    try:
                        memory.seek(begin + present[0] * PAGE)
                        yield label, begin + present[0] * PAGE, memory.read(run * PAGE)
                    except OSError:
                        pass
                    present = present[run:]

    def search(self, words: dict[bytes, str], wanted: dict[str, bytes]) -> tuple[dict[str, int], int]:
        """How often each is there, by name and mapping; and the bytes that were looked at. `words` are printable, and may be many: grep finds them."""
        found: Counter = Counter()
        size = 0
        with tempfile.TemporaryDirectory(prefix="samband-memory-") as folder:
            patterns = Path(folder) / "patterns"
            patterns.write_bytes(b"\n".join(words) + b"\n")
            for label, _, data in self.pieces():
                size += len(data)
                grep = subprocess.run(["grep", "-aoF", "-f", patterns], input=data, capture_output=True, env={"LC_ALL": "C", "PATH": os.environ["PATH"]})
                found.update(f"{words[word]} in {label}" for word in grep.stdout.splitlines() if word in words)
                for name, needle in wanted.items():
                    if count := data.count(needle):
                        found[f"{name} in {label}"] += count
        return dict(found), size
