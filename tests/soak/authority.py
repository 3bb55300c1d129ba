"""The development authority at work while a gateway runs: new certificates, a revocation list, and a register with other keys."""

import datetime
import hashlib
import os
import re
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID, ObjectIdentifier

ORGANISATION = ObjectIdentifier("2.5.4.97")
GATEWAY_NAMES = ("localhost", "127.0.0.1", "::1")


def replace(path: Path, data: bytes) -> None:
    """As an operator's tool does: whole, or not at all; secrets for nobody else to read."""
    part = path.with_suffix(".part")
    part.touch(0o600)
    part.write_bytes(data)
    os.replace(part, path)


def pem(key) -> bytes:
    return key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())


def key_hash(public) -> str:
    spki = public.public_bytes(serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo)
    return f"sha256:{hashlib.sha256(spki).hexdigest()}"


class Authority:
    """The CA of the folder that `samband serve --dev` made."""

    def __init__(self, certs: Path):
        self.certs = certs
        self.key = serialization.load_pem_private_key((certs / "ca.key.pem").read_bytes(), None)
        self.certificate = x509.load_pem_x509_certificate((certs / "ca.pem").read_bytes())
        self.crl_file = certs / "ca.crl.pem"
        self.revoked: list[int] = []
        self.crls = 0

    def issue(self, old: x509.Certificate, key, usage: ObjectIdentifier, days: int = 365) -> bytes:
        """A certificate for the same name, this key and so many days."""
        now = datetime.datetime.now(datetime.timezone.utc)
        builder = x509.CertificateBuilder(self.certificate.subject, old.subject, key.public_key(), x509.random_serial_number())
        # An hour back and long ahead: the gateway's clock will be stepped.
        builder = builder.not_valid_before(now - datetime.timedelta(days=1)).not_valid_after(now + datetime.timedelta(days=days))
        usages = dict.fromkeys(
            ("content_commitment", "key_encipherment", "data_encipherment", "key_agreement", "key_cert_sign", "crl_sign", "encipher_only", "decipher_only"), False
        )
        builder = builder.add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        builder = builder.add_extension(x509.KeyUsage(digital_signature=True, **usages), critical=True)
        builder = builder.add_extension(x509.ExtendedKeyUsage([usage]), critical=False)
        builder = builder.add_extension(self.key_identifier(), critical=False)
        if usage == ExtendedKeyUsageOID.SERVER_AUTH:
            names = old.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
            builder = builder.add_extension(names, critical=False)
        return builder.sign(self.key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM)

    def key_identifier(self) -> x509.AuthorityKeyIdentifier:
        own = self.certificate.extensions.get_extension_for_class(x509.SubjectKeyIdentifier).value
        return x509.AuthorityKeyIdentifier.from_issuer_subject_key_identifier(own)

    def renew(self, name: str, usage: ObjectIdentifier = ExtendedKeyUsageOID.CLIENT_AUTH) -> tuple[x509.Certificate, bytes, bytes]:
        """The certificate in use, and a new certificate with a new key for the same name."""
        old = x509.load_pem_x509_certificate((self.certs / name / "cert.pem").read_bytes())
        key = ec.generate_private_key(ec.SECP256R1())
        return old, self.issue(old, key, usage), pem(key)

    def shortened(self, name: str, to: str, days: int) -> None:
        """Another certificate of the same name and key that ends in so many days, under the folder `to`."""
        old = x509.load_pem_x509_certificate((self.certs / name / "cert.pem").read_bytes())
        key = (self.certs / name / "key.pem").read_bytes()
        certificate = self.issue(old, serialization.load_pem_private_key(key, None), ExtendedKeyUsageOID.CLIENT_AUTH, days)
        (self.certs / to).mkdir()
        self.install(to, certificate, key)

    def install(self, name: str, certificate: bytes, key: bytes) -> None:
        replace(self.certs / name / "key.pem", key)
        replace(self.certs / name / "cert.pem", certificate)

    def write_crl(self) -> None:
        now = datetime.datetime.now(datetime.timezone.utc)
        self.crls += 1
        builder = x509.CertificateRevocationListBuilder(self.certificate.subject)
        builder = builder.last_update(now - datetime.timedelta(hours=1)).next_update(now + datetime.timedelta(days=30))
        builder = builder.add_extension(x509.CRLNumber(self.crls), critical=False)
        builder = builder.add_extension(self.key_identifier(), critical=False)
        for serial in self.revoked:
            one = x509.RevokedCertificateBuilder().serial_number(serial).revocation_date(now - datetime.timedelta(hours=1))
            builder = builder.add_revoked_certificate(one.build())
        replace(self.crl_file, builder.sign(self.key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM))


class Register:
    """`participants.toml`, changed as text so that everything else in it stays."""

    def __init__(self, file: Path):
        self.file = file
        self.generation = 0

    def text(self) -> str:
        return self.file.read_text(encoding="utf-8")

    def touch(self) -> None:
        """Another file with the same entries."""
        self.generation += 1
        text = re.sub(r"\n# touched \d+\n\Z", "\n", self.text())
        replace(self.file, f"{text}\n# touched {self.generation}\n".encode())

    def add_key(self, old: str, new: str, label: str) -> None:
        entry = f'hash = "{old}"\n'
        text = self.text()
        assert text.count(entry) == 1, "the register names each key once"
        at = text.index(entry)
        end = text.index("\n\n", at)
        replace(self.file, f'{text[:end]}\n\n[[participant.keys]]\nhash = "{new}"\nlabel = "{label}"{text[end:]}'.encode())

    def remove_key(self, old: str) -> None:
        text, count = re.subn(r'\[\[participant\.keys\]\]\nhash = "' + re.escape(old) + r'"\nlabel = "[^"]*"\n\n?', "", self.text())
        assert count == 1, "the register names each key once"
        replace(self.file, text.encode())
