"""Shows that the verifiers can refuse: damages copies of a good log and its receipts, one thing at a time, and demands that each
verifier, run alone, refuses each of them.

    selftest.py <folder> <verifier> [<argument>...] [-- <verifier> ...]

The folder holds log/, vkey and receipts/ of a log of 257 entries or more. Each verifier is run with <log dir> <vkey file>
<receipts dir> after its arguments; `vkey:` before a verifier's name gives it the key itself instead of the file.
"""

import base64
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path


def flip(path: Path, at: int) -> None:
    data = bytearray(path.read_bytes())
    data[at] ^= 1
    path.write_bytes(bytes(data))


def replace(path: Path, old: bytes, new: bytes) -> None:
    data = path.read_bytes()
    if old not in data:
        raise SystemExit(f"{path} does not hold {old!r}")
    path.write_bytes(data.replace(old, new, 1))


def lines(path: Path, change) -> None:
    rows = path.read_bytes().split(b"\n")
    change(rows)
    path.write_bytes(b"\n".join(rows))


def swap(rows: list, i: int, j: int) -> None:
    rows[i], rows[j] = rows[j], rows[i]


def another_key(vkey: Path) -> None:
    """The same name with another key and the right id for it."""
    import hashlib

    name = vkey.read_text().split("+", 1)[0]
    blob = b"\x01" + bytes.fromhex("d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a")
    key_id = hashlib.sha256(name.encode() + b"\n" + blob).digest()[:4]
    vkey.write_text(f"{name}+{key_id.hex()}+{base64.b64encode(blob).decode()}\n")


def partial(root: Path, pattern: str) -> Path:
    return sorted((root / "log" / "tile").glob(pattern))[0]


def receipt(root: Path) -> Path:
    """A receipt with at least two hashes."""
    return root / "receipts" / "sender-1.tlog-proof"


def size_of(root: Path) -> bytes:
    return (root / "log" / "checkpoint").read_bytes().split(b"\n")[1]


DAMAGES = {
    "an entry's byte": lambda r: flip(r / "log/tile/entries/000", 40),
    "a bundle's length field": lambda r: flip(r / "log/tile/entries/000", 1),
    "bytes after a bundle": lambda r: replace(r / "log/tile/entries/000", b"", b"\0"),
    "a missing bundle": lambda r: (r / "log/tile/entries/000").unlink(),
    "a missing partial bundle": lambda r: partial(r, "entries/*.p/*").unlink(),
    "a byte of a full tile": lambda r: flip(r / "log/tile/0/000", 8191),
    "a byte of a partial tile": lambda r: flip(partial(r, "0/*.p/*"), 0),
    "a byte of an upper tile": lambda r: flip(partial(r, "1/*.p/*"), 31),
    "a missing tile": lambda r: (r / "log/tile/0/000").unlink(),
    "a tile cut short": lambda r: (r / "log/tile/0/000").write_bytes((r / "log/tile/0/000").read_bytes()[:-32]),
    "the checkpoint's size": lambda r: replace(r / "log/checkpoint", b"\n" + size_of(r) + b"\n", b"\n2" + size_of(r) + b"\n"),
    "a leading zero in the size": lambda r: replace(r / "log/checkpoint", b"\n" + size_of(r) + b"\n", b"\n0" + size_of(r) + b"\n"),
    "the checkpoint's root": lambda r: lines(r / "log/checkpoint", lambda rows: rows.__setitem__(2, b"A" + rows[2][:-5] + b"AAA=")),
    "the checkpoint's signature": lambda r: flip(r / "log/checkpoint", -10),
    "a missing checkpoint": lambda r: (r / "log/checkpoint").unlink(),
    "an unsigned checkpoint": lambda r: lines(r / "log/checkpoint", lambda rows: rows.__delitem__(slice(4, 5))),
    "another key of the same name": lambda r: another_key(r / "vkey"),
    "a receipt's index": lambda r: replace(receipt(r), b"\nindex 1\n", b"\nindex 0\n"),
    "a leading zero in a receipt's index": lambda r: replace(receipt(r), b"\nindex 1\n", b"\nindex 01\n"),
    "swapped hashes of a receipt": lambda r: lines(receipt(r), lambda rows: swap(rows, 3, 4)),
    "a dropped hash of a receipt": lambda r: lines(receipt(r), lambda rows: rows.pop(3)),
    "a doubled hash of a receipt": lambda r: lines(receipt(r), lambda rows: rows.insert(3, rows[3])),
    "a receipt's first line": lambda r: replace(receipt(r), b"@v1", b"@v2"),
    "a receipt's signature": lambda r: flip(receipt(r), -10),
    "a receipt's leaf": lambda r: flip(receipt(r).with_suffix(".leaf"), 32),
    "another receipt's leaf": lambda r: shutil.copy(r / "receipts/sender-0.leaf", receipt(r).with_suffix(".leaf")),
    "no receipts": lambda r: [path.unlink() for path in (r / "receipts").iterdir()],
}


def run(verifier: list, root: Path) -> bool:
    vkey = root / "vkey"
    command = [part.removeprefix("vkey:") for part in verifier]
    key = vkey.read_text().strip() if verifier[0].startswith("vkey:") else str(vkey)
    return subprocess.run([*command, root / "log", key, root / "receipts"], capture_output=True).returncode == 0


def main() -> int:
    good = Path(sys.argv[1])
    verifiers = [[]]
    for argument in sys.argv[2:]:
        if argument == "--":
            verifiers.append([])
        else:
            verifiers[-1].append(argument)
    wrong = 0
    for verifier in verifiers:
        if not run(verifier, good):
            print(f"{verifier[-1].removeprefix('vkey:')} refuses the good log")
            return 1
        for name, damage in DAMAGES.items():
            with tempfile.TemporaryDirectory() as folder:
                copy = Path(folder) / "copy"
                shutil.copytree(good, copy)
                damage(copy)
                if run(verifier, copy):
                    wrong += 1
                    print(f"{verifier[-1].removeprefix('vkey:')} accepts {name}")
        print(f"{verifier[-1].removeprefix('vkey:')}: {len(DAMAGES)} damages tried")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
