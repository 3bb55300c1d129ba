"""Checks an evidence bundle with the standard library, its hash functions and aics-tlog, and none of Samband's code.

    bundle.py <bundle.tar> <vkey file>

Opens every opened entry against its leaf, hashes the range from its left edge on, and lets aics-tlog verify the signed head and the consistency
proof from the range's end to it: the steps of README.txt in the bundle. Compares what both tables say of each record with its opening.
"""

import base64
import csv
import hashlib
import hmac
import io
import json
import sys
import tarfile
from pathlib import Path

import aics_tlog


class Refused(Exception):
    """A check failed."""


def demand(holds: bool, what: str) -> None:
    if not holds:
        raise Refused(what)


def leaf_of(opening: bytes) -> tuple[bytes, bytes]:
    """The leaf that an auditor's opening opens, and the record's text."""
    demand(opening[:1] == b"\x02" and len(opening) >= 67, "an opening is of another kind")
    r, r2, length = opening[1:33], opening[33:65], int.from_bytes(opening[65:67], "big")
    sender, gateway = opening[67 : 67 + length], opening[67 + length :]
    inner = hmac.digest(r2, gateway, "sha256")
    return b"\x01" + hmac.digest(r, sender + inner, "sha256"), sender + gateway


def root_of(size: int, peaks: list[bytes], leaves: list[bytes]) -> bytes:
    """The root over `size` leaves, given by their complete subtrees, and the leaves after them."""
    levels = [level for level in range(63, -1, -1) if size >> level & 1]
    demand(len(levels) == len(peaks), "edge.txt has another number of hashes than the range's start demands")
    stack = list(zip(levels, peaks))
    for leaf in leaves:
        level, node = 0, hashlib.sha256(b"\0" + leaf).digest()
        while stack and stack[-1][0] == level:
            node = hashlib.sha256(b"\1" + stack.pop()[1] + node).digest()
            level += 1
        stack.append((level, node))
    root = stack.pop()[1]
    while stack:
        root = hashlib.sha256(b"\1" + stack.pop()[1] + root).digest()
    return root


def fields(text: str) -> dict[str, str]:
    """The record's lines of name=value."""
    return dict(line.split("=", 1) for line in text.splitlines() if "=" in line)


# What a record's text and both tables have alike. `call` and `reason_code` are words for the numbers in the text.
ALIKE = [
    "event", "time", "actor", "key_label", "message_id", "sender", "recipient", "case_ref", "requisition_id", "replaces", "about",
    "content_commit", "reason", "count", "note",
]  # fmt: skip
# The words for the reasons of these events, from number 1 on.
WORDS = {
    "NOTICE_WITHDRAWN": ["SENT_IN_ERROR", "WRONG_SUBJECT", "WRONG_MUNICIPALITY", "SUBJECT_MOVED", "CONDITION_REVOKED", "CASE_TRANSFERRED"],
    "REPORT_WITHDRAWN": ["SENT_IN_ERROR", "WRONG_CASE"],
    "RESULT_WITHDRAWN": ["SENT_IN_ERROR", "WRONG_SAMPLE", "ANALYSIS_ERROR"],
    "NOTICE_RETURNED": ["NOT_STAYING_HERE", "CANNOT_IDENTIFY"],
    "HOLD_PLACED": ["SUPERVISORY_INSPECTION", "COMPLAINT", "COURT_PROCEEDINGS", "DATA_SUBJECT_REQUEST", "SECURITY_INCIDENT"],
}


def same(index: str, opened: dict[str, str], row: dict[str, str], where: str) -> None:
    """What a table says of a record is what the opening says."""
    demand(row["index"] == index, f"{where}: another record stands in the place of {index}")
    for name in ALIKE:
        demand(row.get(name, "") == opened.get(name, ""), f"{where}, entry {index}: {name} is not that of the opening")
    said = row.get("reason_code", "")
    if row["event"] in WORDS and "reason" in opened:
        listed = dict(enumerate(WORDS[row["event"]], 1))
        demand(said == listed.get(int(opened["reason"]), ""), f"{where}, entry {index}: reason_code is not the word of that reason")
    demand("reason" in opened or not said, f"{where}, entry {index}: a word for a reason that there is none of")


def plain(text: str, opened: str) -> str:
    """A cell without the apostrophe in front of what a spreadsheet would take for a formula."""
    return opened if opened.startswith(("=", "+", "-", "@", "\t")) and text == "'" + opened else text


def main() -> int:
    bundle, vkey = Path(sys.argv[1]), aics_tlog.parse_vkey(Path(sys.argv[2]).read_text().strip())
    with tarfile.open(bundle) as tar:
        files = {member.name: tar.extractfile(member).read() for member in tar.getmembers()}
    manifest = dict(line.split("=", 1) for line in files["manifest.txt"].decode().splitlines()[1:])
    first, last = int(manifest["from_index"]), int(manifest["to_index"])
    head = aics_tlog.verify_checkpoint(aics_tlog.parse_note(files["checkpoint"].decode()), vkey, expected_origin=vkey.name)
    demand(head.ok, f"checkpoint: {head.error}")
    demand(manifest["size"] == str(head.size), "the manifest names another size than the checkpoint")
    leaves, texts = [], []
    for at, line in enumerate(files["entries.txt"].decode().splitlines()):
        index, state, leaf, *opening = line.split(" ")
        demand(int(index) == first + at, f"entry {index} stands in another's place")
        leaves.append(base64.b64decode(leaf, validate=True))
        demand((state == "open") == bool(opening), f"entry {index} is open without an opening")
        if opening:
            opened, text = leaf_of(base64.b64decode(opening[0], validate=True))
            demand(opened == leaves[-1], f"entry {index} does not open to its leaf")
            texts.append((index, text.decode()))
    demand(len(leaves) == last - first, "entries are missing")
    demand(len(texts) == int(manifest["open"]), "the manifest counts other entries")
    if "case_ref" in manifest:
        opened = [(index, fields(text)) for index, text in texts]
        demand(any(row.get("case_ref") == manifest["case_ref"] for _, row in opened), "a bundle of a case opens none of its records")
        for index, row in opened:
            # A succession goes with every case: it tells whose the case is.
            fits = row.get("case_ref") == manifest["case_ref"] or row["event"] == "SUCCEEDED"
            demand(fits, f"entry {index} is open and not of the case that the manifest names")
    hashes = {name: [base64.b64decode(line, validate=True) for line in files[name].split()] for name in ("edge.txt", "consistency.txt")}
    root = root_of(first, hashes["edge.txt"], leaves)
    holds = aics_tlog.verify_consistency(last, head.size, root, head.root, hashes["consistency.txt"])
    demand(holds, "the leaves do not lead to the signed root")
    rows = [json.loads(line, parse_int=str) for line in files["records.jsonl"].decode().splitlines()]
    table = list(csv.DictReader(io.StringIO(files["records.csv"].decode(), newline="")))
    demand(len(rows) == len(texts) and len(table) == len(texts), "records.jsonl or records.csv holds other records")
    for (index, text), row, cells in zip(texts, rows, table):
        opened = fields(text)
        same(index, opened, row, "records.jsonl")
        same(index, opened, {name: plain(value, opened.get(name, "")) for name, value in cells.items()}, "records.csv")
    print(f"python: bundle of entries {first} to {last - 1}: {len(texts)} opened, {len(leaves)} leaves verify (aics-tlog)")
    return 0


if __name__ == "__main__":
    try:
        sys.exit(main())
    except Exception as error:  # every failure is a refusal
        print(f"python: REFUSED: {type(error).__name__}: {error}", file=sys.stderr)
        sys.exit(1)
