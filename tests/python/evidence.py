"""Receipts, checkpoints and proofs, checked with code of our own and with the package proofbundle; none of it is Samband's."""

import base64
import hashlib
import hmac
from dataclasses import dataclass

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from proofbundle.tlogproof import verify_tlog_proof


class Broken(Exception):
    """Evidence that does not hold."""


def sha256(*parts: bytes) -> bytes:
    return hashlib.sha256(b"".join(parts)).digest()


def hmac_sha256(key: bytes, data: bytes) -> bytes:
    return hmac.new(key, data, hashlib.sha256).digest()


@dataclass(frozen=True)
class Head:
    """A signed size and root."""

    size: int
    root: bytes


def checkpoint(text: str, vkey: str) -> Head:
    """C2SP tlog-checkpoint with its Ed25519 signature."""
    name, key_hash, key = vkey.split("+", 2)
    public = base64.b64decode(key, validate=True)
    if public[0] != 1 or sha256(name.encode(), b"\n", public)[:4].hex() != key_hash:
        raise Broken("the verifier key does not fit its own hash")
    body, _, signatures = text.partition("\n\n")
    body += "\n"
    origin, size, root = body.split("\n")[:3]
    if origin != name:
        raise Broken(f"the checkpoint is of {origin}")
    for line in signatures.splitlines():
        dash, signer, blob = line.split(" ")
        raw = base64.b64decode(blob, validate=True)
        if dash == "—" and signer == name and raw[:4].hex() == key_hash:
            try:
                Ed25519PublicKey.from_public_bytes(public[1:]).verify(raw[4:], body.encode())
            except InvalidSignature:
                raise Broken("the checkpoint's signature is wrong") from None
            return Head(int(size), base64.b64decode(root, validate=True))
    raise Broken("the log has not signed the checkpoint")


@dataclass(frozen=True)
class Receipt:
    """A receipt that was verified."""

    index: int
    leaf: bytes
    head: Head
    says: dict
    text: str


def _lines(text: str) -> dict:
    return dict(line.split("=", 1) for line in text.splitlines() if "=" in line)


def receipt(raw: bytes, vkey: str) -> Receipt:
    """Opens the sender's part of a receipt, rebuilds its leaf, and has proofbundle prove that leaf."""
    text = raw.decode("ascii") if raw.isascii() else raw.decode()
    lines = text.split("\n")
    if lines[0] != "c2sp.org/tlog-proof@v1" or not lines[1].startswith("extra ") or not lines[2].startswith("index "):
        raise Broken("this is no receipt")
    opening = base64.b64decode(lines[1].removeprefix("extra "), validate=True)
    if opening[0] != 1:
        raise Broken("the opening is not a sender's")
    key, gateway_commit, sender_part = opening[1:33], opening[33:65], opening[65:]
    leaf = b"\x01" + hmac_sha256(key, sender_part + gateway_commit)
    verdict = verify_tlog_proof(text, leaf, vkey, (), threshold=0, expected_origin=vkey.split("+", 1)[0])
    if any(verdict[part] is not True for part in ("ok", "log_ok", "inclusion_ok")):
        raise Broken(f"proofbundle: {verdict}")
    head = checkpoint(text.split("\n\n", 1)[1], vkey)
    return Receipt(int(lines[2].removeprefix("index ")), leaf, head, _lines(sender_part.decode()), text)


def auditor_leaf(proof: bytes) -> tuple[bytes, dict, dict]:
    """The leaf that an auditor's proof opens, with the sender's and the gateway's part."""
    opening = base64.b64decode(proof.decode().split("\n")[1].removeprefix("extra "), validate=True)
    if opening[0] != 2:
        raise Broken("the opening is not an auditor's")
    key, key2, length = opening[1:33], opening[33:65], int.from_bytes(opening[65:67], "big")
    sender, gateway = opening[67 : 67 + length], opening[67 + length :]
    return b"\x01" + hmac_sha256(key, sender + hmac_sha256(key2, gateway)), _lines(sender.decode()), _lines(gateway.decode())


def canonical(request) -> bytes:
    """Canonical content: the request without id, salt and validate_only."""
    copy = type(request)()
    copy.CopyFrom(request)
    for name in ("message_id", "content_salt", "validate_only"):
        copy.ClearField(name)
    return copy.SerializeToString(deterministic=True)


def content_commit(request) -> str:
    return hmac_sha256(request.content_salt, canonical(request)).hex()


def fields(data: bytes) -> list[tuple[int, bytes]]:
    """Number and whole bytes of each field of a serialised message, in their order."""
    found, at = [], 0
    while at < len(data):
        start = at
        tag, at = _varint(data, at)
        if tag & 7 == 0:
            _, at = _varint(data, at)
        elif tag & 7 == 2:
            length, at = _varint(data, at)
            at += length
        else:
            raise Broken(f"wire type {tag & 7}")
        found.append((tag >> 3, data[start:at]))
    return found


def _varint(data: bytes, at: int) -> tuple[int, int]:
    value = shift = 0
    while True:
        byte = data[at]
        value |= (byte & 0x7F) << shift
        at, shift = at + 1, shift + 7
        if byte < 0x80:
            return value, at


def consistent(old: Head, new: Head, proof: list[bytes]) -> None:
    """RFC 9162 section 2.1.4.2."""
    if old.size == new.size:
        if old.root != new.root:
            raise Broken(f"two roots of size {old.size}: the log is forked")
        return
    if not 0 < old.size < new.size:
        raise Broken("the heads stand in the wrong order")
    path = ([old.root] if old.size & (old.size - 1) == 0 else []) + list(proof)
    first, last = old.size - 1, new.size - 1
    while first & 1:
        first, last = first >> 1, last >> 1
    if not path:
        raise Broken("the consistency proof is empty")
    first_root = last_root = path[0]
    for node in path[1:]:
        if last == 0:
            raise Broken("the consistency proof is too long")
        if first & 1 or first == last:
            first_root, last_root = sha256(b"\x01", node, first_root), sha256(b"\x01", node, last_root)
            while first and not first & 1:
                first, last = first >> 1, last >> 1
        else:
            last_root = sha256(b"\x01", last_root, node)
        first, last = first >> 1, last >> 1
    if last != 0 or first_root != old.root or last_root != new.root:
        raise Broken(f"the log of size {new.size} does not continue that of size {old.size}")
