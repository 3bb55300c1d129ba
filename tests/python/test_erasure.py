"""Acknowledged content is off the disk of the real program within `erase_within_s`, here a minute: every byte is looked at.

    SAMBAND_BINARY=... SAMBAND_STUBS=... python -m unittest -v test_erasure
"""

import hashlib
import hmac
import subprocess
import tempfile
import time
import unittest
from pathlib import Path

import evidence
from client import ROOT, Gateway, Party, result
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

ERASE_WITHIN_S = 60


def files(folder: Path) -> list[Path]:
    return [path for path in folder.rglob("*") if path.is_file()]


class Erasure(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory(prefix="samband-erasure-")
        self.addCleanup(folder.cleanup)
        self.gateway = Gateway(Path(folder.name) / "gateway")
        self.gateway.prepare(erase_within_s=ERASE_WITHIN_S)
        self.data = self.gateway.folder / "data"
        self.backup = Path(folder.name) / "backup"
        self.storage_key = bytes.fromhex((self.gateway.folder / "storage-key").read_text())
        self.gateway.start()
        self.addCleanup(lambda: self.gateway.process.poll() is None and self.gateway.kill())
        self.gateway.wait_until_serving()

    def keys(self) -> dict[str, tuple[bytes, bytes]]:
        """Each sealed file's key, wrapped and not."""
        found = {}
        for path in files(self.data / "keys"):
            folder, name = path.name.removesuffix(".key").split("-", 1)
            wrapped = path.read_bytes()
            raw = AESGCM(self.storage_key).decrypt(wrapped[:12], wrapped[12:], f"{folder}/{name}".encode())
            found[f"{folder}/{name}"] = (wrapped, raw)
        return found

    def searched(self) -> list[Path]:
        return [path for path in [*files(self.data), *files(self.backup), self.gateway.folder / "high-water"] if path.exists()]

    def holders(self, needles: dict[str, bytes]) -> list[str]:
        contents = {path: path.read_bytes() for path in self.searched()}
        return [f"{label} in {path.name}" for path, content in contents.items() for label, needle in needles.items() if needle in content]

    def back_up(self):
        with self.gateway.held_still():
            subprocess.run(["bash", ROOT / "deploy/backup.sh", self.data, self.backup / "archive", self.backup / "keys"], check=True)

    def guesses(self, values: dict[str, bytes]) -> dict[str, bytes]:
        """The values, and every hash of them that somebody who guesses them could compute with the keys that are there."""
        keys = {"storage key": self.storage_key, **{name: raw for name, (_, raw) in self.keys().items()}}
        needles = dict(values)
        for label, value in values.items():
            hashes = {f"SHA-256 of {label}": hashlib.sha256(value).digest(), f"SHA-512 of {label}": hashlib.sha512(value).digest()}
            hashes.update({f"HMAC of {label} by {name}": hmac.digest(key, value, "sha256") for name, key in keys.items()})
            needles.update(hashes)
            needles.update({f"{name}, as text": digest.hex().encode() for name, digest in hashes.items()})
        return needles

    def test_acknowledged_content_is_gone_with_its_keys(self):
        with Party(self.gateway, "politi-oslo") as police, Party(self.gateway, "ru-oslo") as unit, Party(self.gateway, "lab-ous") as lab:
            content = police.notice()
            accepted = police.send(police.request(content))
            lab.send(lab.request(result(accepted.requisition_id, "PR-98765432")))
            subject = content["subject"]
            values = {"fnr": subject["fnr"], "family name": subject["family_name"], "label": "PR-98765432"}
            values = {label: value.encode() for label, value in values.items()}
            (notice,) = unit.receive()
            delivered = notice.SerializeToString()
            self.assertIn(values["fnr"], delivered, "it is there before it is erased, for whoever may read it")
            old = self.keys()
            self.assertTrue(old)
            self.assertEqual(self.holders(self.guesses(values)), [], "sealed from the start")
            self.back_up()
            begun = time.monotonic()
            unit.acknowledge(notice)
            police.take()
        journals = [self.data / name for name in old if name.startswith("journal/")]
        while any(journal.exists() for journal in journals):
            self.assertLess(time.monotonic() - begun, ERASE_WITHIN_S, "acknowledged content is still there")
            time.sleep(0.2)
        print(f"gone {time.monotonic() - begun:.1f} s after it was acknowledged", flush=True)
        self.back_up()
        self.assertEqual(self.holders(self.guesses(values)), [])
        gone = {}
        for name, (wrapped, raw) in old.items():
            if not name.startswith("records/"):
                gone[f"wrapped key of {name}"], gone[f"key of {name}"] = wrapped, raw
        self.assertEqual(self.holders(gone), [], "a backup made before the erasure included")
        evidence.receipt(accepted.receipt, self.gateway.vkey())
        self.assertEqual(self.gateway.stop(), 0)
        # That the search finds what is there: a file as a careless program would have left it.
        (self.data / "log" / "left").write_bytes(delivered)
        self.assertTrue(any(found.startswith("fnr in") for found in self.holders(values)))


if __name__ == "__main__":
    unittest.main()
