"""The checks of evidence.py find what is wrong: they are held against a plain tree of their own."""

import base64
import unittest

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from evidence import Broken, Head, checkpoint, consistent, fields, sha256


def split(size: int) -> int:
    """The largest power of two below size."""
    return 1 << ((size - 1).bit_length() - 1)


def root(leaves: list[bytes]) -> bytes:
    if len(leaves) == 1:
        return sha256(b"\x00", leaves[0])
    k = split(len(leaves))
    return sha256(b"\x01", root(leaves[:k]), root(leaves[k:]))


def proof(old: int, leaves: list[bytes], whole: bool = True) -> list[bytes]:
    if old == len(leaves):
        return [] if whole else [root(leaves)]
    k = split(len(leaves))
    if old <= k:
        return [*proof(old, leaves[:k], whole), root(leaves[k:])]
    return [*proof(old - k, leaves[k:], False), root(leaves[:k])]


class Evidence(unittest.TestCase):
    def test_true_heads_are_consistent_and_changed_ones_are_not(self):
        leaves = [bytes([at]) for at in range(35)]
        for new in range(1, 36):
            for old in range(1, new + 1):
                heads = Head(old, root(leaves[:old])), Head(new, root(leaves[:new]))
                good = proof(old, leaves[:new])
                consistent(*heads, good)
                fork = Head(new, sha256(b"fork")), Head(old, sha256(b"fork"))
                bad = [(heads[0], fork[0], good), (fork[1], heads[1], good)]
                if old < new:
                    bad += [(*heads, [*good, bytes(32)]), (*heads, good[:-1]), (heads[1], heads[0], good)]
                    bad += [(*heads, [*good[:at], bytes(32), *good[at + 1 :]]) for at in range(len(good))]
                for case in bad:
                    with self.assertRaises(Broken, msg=f"{old} of {new}"):
                        consistent(*case)

    def test_a_checkpoint_is_believed_with_its_signature_only(self):
        key = Ed25519PrivateKey.generate()
        public = b"\x01" + key.public_key().public_bytes_raw()
        key_hash = sha256(b"log.example\n", public)[:4]
        vkey = f"log.example+{key_hash.hex()}+{base64.b64encode(public).decode()}"
        body = f"log.example\n7\n{base64.b64encode(bytes(32)).decode()}\n"
        line = base64.b64encode(key_hash + key.sign(body.encode())).decode()
        note = f"{body}\n— log.example {line}\n"
        self.assertEqual(checkpoint(note, vkey), Head(7, bytes(32)))
        for changed in (note.replace("\n7\n", "\n8\n"), note.replace("— log", "— log2"), f"{body}\n", note.replace("log.example\n7", "other\n7")):
            with self.assertRaises((Broken, ValueError)):
                checkpoint(changed, vkey)

    def test_fields_are_read_one_after_the_other(self):
        self.assertEqual(fields(b"\x08\x96\x01\x12\x01x"), [(1, b"\x08\x96\x01"), (2, b"\x12\x01x")])


if __name__ == "__main__":
    unittest.main()
