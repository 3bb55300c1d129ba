"""Checks a log's folder and receipts with packages from PyPI and none of Samband's code.

    verify.py <log dir> <vkey file> <receipts dir>

aics-tlog (Python 3.12 and later) authenticates the checkpoint, every tile and every entry bundle;
proofbundle (Python 3.10 and later) verifies each NAME.tlog-proof for the leaf in NAME.leaf, and
aics-tlog verifies it a second time. The log dir may be an https:// address: SAMBAND_CA,
SAMBAND_CLIENT_CERT and SAMBAND_CLIENT_KEY then name the files of the authority and the client. A package that is not installed is left out; with neither,
nothing was checked and the program fails.
"""

import base64
import http.client
import importlib.util
import os
import ssl
import sys
import urllib.parse
from pathlib import Path


class Refused(Exception):
    """A check failed."""


class Site:
    """Files of a log over HTTPS, with a client certificate and one connection."""

    def __init__(self, address: str) -> None:
        context = ssl.create_default_context(cafile=os.environ["SAMBAND_CA"])
        context.load_cert_chain(os.environ["SAMBAND_CLIENT_CERT"], os.environ["SAMBAND_CLIENT_KEY"])
        context.minimum_version = ssl.TLSVersion.TLSv1_3
        where = urllib.parse.urlsplit(address)
        self.prefix = where.path.rstrip("/")
        self.connection = http.client.HTTPSConnection(where.netloc, context=context, timeout=30)

    def get(self, path: str) -> bytes | None:
        self.connection.request("GET", f"{self.prefix}/{path}")
        answer = self.connection.getresponse()
        content = answer.read()
        if answer.status == 404:
            return None
        if answer.status != 200:
            raise Refused(f"{path}: status {answer.status}")
        return content


def reader_of(log: str):
    """What aics-tlog reads tiles with, and the checkpoint's bytes."""
    import aics_tlog

    if not log.startswith("https://"):
        return aics_tlog.FileSystemTileReader(Path(log)), (Path(log) / "checkpoint").read_bytes()
    site = Site(log)

    class HttpsReader(aics_tlog.FileSystemTileReader):
        def _read(self, path: str) -> bytes | None:
            return site.get(path)

    return HttpsReader(Path()), site.get("checkpoint") or b""


def check_folder(log: str, vkey: str) -> None:
    import aics_tlog

    key = aics_tlog.parse_vkey(vkey)
    reader, checkpoint = reader_of(log)
    note = aics_tlog.parse_note(checkpoint.decode())
    head = aics_tlog.verify_checkpoint(note, key, expected_origin=key.name)
    if not head.ok:
        raise Refused(f"checkpoint: {head.error}")
    report = aics_tlog.audit_tiles(reader, head.size, head.root)
    print(f"aics-tlog: {head.origin} size {head.size}: {report.tiles} tiles and {report.bundles} bundles verify")


def second_opinion(name: str, text: str, leaf: bytes, vkey: str) -> None:
    """Verifies a receipt with aics-tlog's note and tree functions."""
    import aics_tlog

    key = aics_tlog.parse_vkey(vkey)
    lines, _, checkpoint = text.partition("\n\n")
    _, *rest = lines.split("\n")
    if rest[0].startswith("extra "):
        rest = rest[1:]
    index = int(rest[0].removeprefix("index "))
    proof = [base64.b64decode(line, validate=True) for line in rest[1:]]
    head = aics_tlog.verify_checkpoint(aics_tlog.parse_note(checkpoint), key, expected_origin=key.name)
    if not head.ok:
        raise Refused(f"{name}: aics-tlog: {head.error}")
    if not aics_tlog.verify_leaf_inclusion(leaf, index, head.size, proof, head.root):
        raise Refused(f"{name}: aics-tlog: not included")


def check_receipts(receipts: Path, vkey: str, has_aics: bool, has_proofbundle: bool) -> None:
    names = sorted(receipts.glob("*.tlog-proof"))
    if not names:
        raise Refused(f"{receipts}: no receipts")
    for name in names:
        text = name.read_bytes().decode()
        leaf = name.with_suffix(".leaf").read_bytes()
        if has_proofbundle:
            from proofbundle.tlogproof import verify_tlog_proof

            verdict = verify_tlog_proof(text, leaf, vkey, (), threshold=0, expected_origin=vkey.split("+", 1)[0])
            if verdict["ok"] is not True or verdict["log_ok"] is not True or verdict["inclusion_ok"] is not True:
                raise Refused(f"{name}: proofbundle: {verdict}")
        if has_aics:
            second_opinion(str(name), text, leaf, vkey)
    print(f"python: {len(names)} receipts verify (proofbundle: {has_proofbundle}, aics-tlog: {has_aics})")


def main() -> int:
    if len(sys.argv) != 4:
        print(__doc__, file=sys.stderr)
        return 2
    log, vkey_file, receipts = sys.argv[1], Path(sys.argv[2]), Path(sys.argv[3])
    vkey = vkey_file.read_text(encoding="utf-8").strip()
    has_aics, has_proofbundle = (importlib.util.find_spec(name) is not None for name in ("aics_tlog", "proofbundle"))
    if not (has_aics or has_proofbundle):
        print("python: REFUSED: neither aics-tlog nor proofbundle is installed", file=sys.stderr)
        return 1
    try:
        if has_aics:
            check_folder(log, vkey)
        check_receipts(receipts, vkey, has_aics, has_proofbundle)
    except Exception as error:  # every failure is a refusal
        print(f"python: REFUSED: {type(error).__name__}: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
