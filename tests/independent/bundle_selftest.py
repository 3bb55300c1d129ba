"""Shows that the checkers of bundles can refuse: damages copies of a good bundle, one thing at a time, and demands that each checker refuses each.

    bundle_selftest.py <bundle.tar> <vkey file> <checker> [<argument>...] [-- <checker> ...]

Each checker is run with <bundle> <vkey file> after its arguments; `vkey:` before its name gives it the key itself instead of the file, `samband:` runs
Samband's own check. The bundle must be accepted as it is, hold an opened entry after its first, one with a reason and records of two cases, and not
begin at the log's first entry. A bundle is packed again in the very bytes that Samband gives it, so that what is refused is the damage and not a header.
"""

import json
import subprocess
import sys
import tarfile
import tempfile
from pathlib import Path


def read(path: Path) -> dict[str, bytes]:
    with tarfile.open(path) as tar:
        return {member.name: tar.extractfile(member).read() for member in tar.getmembers()}


def write(path: Path, files: dict[str, bytes]) -> None:
    path.write_bytes(b"".join(header(name, len(content)) + content + bytes(-len(content) % 512) for name, content in files.items()) + bytes(1024))


def header(name: str, size: int) -> bytes:
    """A header as a bundle has them: plain files of mode 0644, owner 0, time 0."""
    before = name.encode().ljust(100, b"\0") + b"0000644\0" + b"0000000\0" * 2 + f"{size:011o}\0".encode() + b"00000000000\0"
    after = b"0" + bytes(100) + b"ustar\x0000" + bytes(64) + b"0000000\0" * 2 + bytes(167)
    total = sum(before + b" " * 8 + after)
    return before + f"{total:06o}\0 ".encode() + after


def lines(files: dict[str, bytes], name: str, change) -> None:
    rows = files[name].decode().splitlines()
    change(rows)
    files[name] = "".join(f"{row}\n" for row in rows).encode()


def other(text: str, at: int) -> str:
    return text[:at] + ("B" if text[at] == "A" else "A") + text[at + 1 :]


def in_word(rows: list[str], line: int, word: int, at: int) -> None:
    words = rows[line].split(" ")
    words[word] = other(words[word], at)
    rows[line] = " ".join(words)


def opened(rows: list[str]) -> int:
    return next(at for at, row in enumerate(rows) if " open " in row)


def reasoned(files: dict[str, bytes], change) -> None:
    """Changes the first record with a reason, in the table for programs."""

    def in_row(rows: list[str]) -> None:
        at = next(at for at, row in enumerate(rows) if '"reason"' in row)
        row = json.loads(rows[at])
        change(row)
        rows[at] = json.dumps(row, separators=(",", ":"), ensure_ascii=False)

    lines(files, "records.jsonl", in_row)


def cell(files: dict[str, bytes], name: str, value: str) -> None:
    """Another value in a column of the first record with a reason, in the table for people."""

    def in_row(rows: list[str]) -> None:
        columns = rows[0].split(",")
        at = next(at for at, row in enumerate(rows[1:], 1) if row.split(",")[columns.index("reason")])
        cells = rows[at].split(",")
        cells[columns.index(name)] = value
        rows[at] = ",".join(cells)

    lines(files, "records.csv", in_row)


def count(files: dict[str, bytes], name: str, by: int) -> None:
    rows = files["manifest.txt"].decode().splitlines()
    at = next(at for at, row in enumerate(rows) if row.startswith(f"{name}="))
    rows[at] = f"{name}={int(rows[at].split('=')[1]) + by}"
    files["manifest.txt"] = "".join(f"{row}\n" for row in rows).encode()


def cases(files: dict[str, bytes]) -> list[str]:
    """The cases of the open records, in their order."""
    rows = [json.loads(row) for row in files["records.jsonl"].decode().splitlines()]
    return list(dict.fromkeys(row["case_ref"] for row in rows if "case_ref" in row))


def name_case(files: dict[str, bytes], case: str) -> None:
    """The manifest names this case, whatever it named before."""
    rows = [row for row in files["manifest.txt"].decode().splitlines() if not row.startswith("case_ref=")]
    at = next(at for at, row in enumerate(rows) if row.startswith("open="))
    rows.insert(at, f"case_ref={case}")
    files["manifest.txt"] = "".join(f"{row}\n" for row in rows).encode()


def of_case(files: dict[str, bytes], case: str, is_open: bool = True) -> None:
    """Makes it the bundle of a case: what is not of it is closed."""
    rows = [json.loads(row) for row in files["records.jsonl"].decode().splitlines()]
    open_ones = {row["index"] for row in rows if is_open and row.get("case_ref") == case}

    def close(entries: list[str]) -> None:
        for at, entry in enumerate(entries):
            index, state, leaf, *_ = entry.split(" ")
            if state == "open" and int(index) not in open_ones:
                entries[at] = f"{index} closed {leaf}"

    lines(files, "entries.txt", close)
    for name in ("records.jsonl", "records.csv"):
        first = name == "records.csv"
        text = files[name].decode().splitlines()
        kept = [line for line, row in zip(text[first:], rows) if row["index"] in open_ones]
        files[name] = "".join(f"{line}\n" for line in text[:first] + kept).encode()
    count(files, "open", len(open_ones) - len(rows))
    count(files, "closed", len(rows) - len(open_ones))
    name_case(files, case)


def another_case(files: dict[str, bytes]) -> None:
    first, other_one, *_ = cases(files)
    of_case(files, first)
    name_case(files, other_one)


DAMAGES = {
    "the case of a case's bundle is another": another_case,
    "several cases are open and the manifest names one": lambda files: name_case(files, cases(files)[0]),
    "a case is named and none of its records is open": lambda files: of_case(files, cases(files)[0], is_open=False),
    "the range begins elsewhere": lambda files: count(files, "from_index", 1),
    "the range ends elsewhere": lambda files: count(files, "to_index", -1),
    "another size": lambda files: count(files, "size", 1),
    "one opened more": lambda files: count(files, "open", 1),
    "another root": lambda files: lines(files, "checkpoint", lambda rows: rows.__setitem__(2, other(rows[2], 5))),
    "another signature": lambda files: lines(files, "checkpoint", lambda rows: rows.__setitem__(4, other(rows[4], len(rows[4]) - 9))),
    "another hash in the edge": lambda files: lines(files, "edge.txt", lambda rows: rows.__setitem__(0, other(rows[0], 5))),
    "a hash of the edge is gone": lambda files: lines(files, "edge.txt", lambda rows: rows.pop()),
    "another hash in the proof": lambda files: lines(files, "consistency.txt", lambda rows: rows.__setitem__(0, other(rows[0], 5))),
    "another leaf": lambda files: lines(files, "entries.txt", lambda rows: in_word(rows, 0, 2, 9)),
    "another opening": lambda files: lines(files, "entries.txt", lambda rows: in_word(rows, opened(rows), 3, 120)),
    "an entry is gone": lambda files: lines(files, "entries.txt", lambda rows: rows.pop(1)),
    "two entries are exchanged": lambda files: lines(files, "entries.txt", lambda rows: rows.insert(0, rows.pop(1))),
    "an entry says that it is erased": lambda files: lines(
        files, "entries.txt", lambda rows: rows.__setitem__(opened(rows), " ".join([rows[opened(rows)].split(" ")[0], "erased", rows[opened(rows)].split(" ")[2]]))
    ),
    "a record is gone": lambda files: lines(files, "records.jsonl", lambda rows: rows.pop()),
    "a record has another reason": lambda files: reasoned(files, lambda row: row.update(reason=row["reason"] + 1)),
    "a record has no reason": lambda files: reasoned(files, lambda row: row.pop("reason")),
    "a record has another word for its reason": lambda files: reasoned(files, lambda row: row.update(reason_code="WRONG_PLACE")),
    "a record of the table has another reason": lambda files: cell(files, "reason", "9"),
    "a record of the table has another word for its reason": lambda files: cell(files, "reason_code", "WRONG_PLACE"),
}


def main() -> int:
    bundle, vkey = Path(sys.argv[1]), Path(sys.argv[2])
    checkers: list[list[str]] = [[]]
    for word in sys.argv[3:]:
        checkers.append([]) if word == "--" else checkers[-1].append(word)

    def accepts(checker: list[str], file: Path) -> bool:
        name, *arguments = checker
        if name.startswith("samband:"):
            line = [name.removeprefix("samband:"), *arguments, "audit", "verify", str(file), "--vkey", str(vkey)]
        elif name.startswith("vkey:"):
            line = [name.removeprefix("vkey:"), *arguments, str(file), vkey.read_text().strip()]
        else:
            line = [name, *arguments, str(file), str(vkey)]
        ran = subprocess.run(line, capture_output=True, text=True)
        if ran.returncode not in (0, 1):
            raise SystemExit(f"{name}: ended with {ran.returncode}: {ran.stderr}")
        # What is refused for its archive was not looked at.
        if ran.returncode == 1 and ("archive" in ran.stderr or "tarfile" in ran.stderr):
            raise SystemExit(f"{name}: refuses the archive and not what is in it: {ran.stderr}")
        return ran.returncode == 0

    failed = 0
    with tempfile.TemporaryDirectory() as folder:
        changed, of_one = Path(folder) / "changed.tar", Path(folder) / "case.tar"
        write(changed, read(bundle))
        if changed.read_bytes() != bundle.read_bytes():
            raise SystemExit("the good bundle packed again is not the same bytes")
        files = read(bundle)
        of_case(files, cases(files)[0])
        write(of_one, files)
        for checker in checkers:
            for good in (bundle, of_one):
                if not accepts(checker, good):
                    raise SystemExit(f"{checker[0]} refuses the good bundle, {good.name}")
            for what, damage in DAMAGES.items():
                files = read(bundle)
                damage(files)
                write(changed, files)
                if accepts(checker, changed):
                    print(f"{checker[0]} accepts a bundle in which {what}", file=sys.stderr)
                    failed += 1
    print(f"bundles: {len(DAMAGES)} damages put to {len(checkers)} checkers; all verdicts agree" if not failed else f"{failed} damages were not seen")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
