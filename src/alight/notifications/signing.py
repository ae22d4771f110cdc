"""The signature on what leaves: SNS's canonical text, signed by a key that belongs to this data folder.

Version 1 is RSA with SHA-1, version 2 RSA with SHA-256, as SNS documents them. The certificate is self-signed, made
with the key on first start, and served by the gateway under a name that is derived from it.
"""

from __future__ import annotations

import asyncio
import base64
import datetime
import hashlib
import os
import ssl
from collections.abc import Mapping
from pathlib import Path

from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import padding, rsa

from alight.errors import AlightError
from alight.notifications.message import Kind

KEY_FILE = "sns-key.pem"
CERTIFICATE_FILE = "sns-certificate.pem"
DEFAULT_VERSION = "1"

#: By an envelope's `Type`.
_FIELDS: Mapping[str, tuple[str, ...]] = {
    Kind.NOTIFICATION: ("Message", "MessageId", "Subject", "Timestamp", "TopicArn", "Type"),
    Kind.SUBSCRIBE: ("Message", "MessageId", "SubscribeURL", "Timestamp", "Token", "TopicArn", "Type"),
    Kind.UNSUBSCRIBE: ("Message", "MessageId", "SubscribeURL", "Timestamp", "Token", "TopicArn", "Type"),
}
_YEARS = 30


def canonical_text(envelope: Mapping[str, str]) -> bytes:
    """Name and value, a line each, of the fields that are signed; a subject that is not there is left out."""
    lines: list[str] = []
    for name in _FIELDS[envelope["Type"]]:
        if envelope.get(name) is not None:
            lines += [name, envelope[name]]
    return ("\n".join(lines) + "\n").encode()


class Signer:
    """Holds the folder's key."""

    def __init__(self, key: rsa.RSAPrivateKey, certificate: bytes) -> None:
        self._key = key
        #: PEM.
        self.certificate = certificate
        self.certificate_id = _certificate_id(certificate)

    @property
    def certificate_name(self) -> str:
        return f"SimpleNotificationService-{self.certificate_id}.pem"

    def sign(self, envelope: Mapping[str, str], version: str) -> str:
        """The signature in base64. `version` is "1" or "2"."""
        algorithm = hashes.SHA1() if version == "1" else hashes.SHA256()
        return base64.b64encode(self._key.sign(canonical_text(envelope), padding.PKCS1v15(), algorithm)).decode()


async def load_signer(folder: Path) -> Signer:
    """Read the folder's key and certificate, or make them. Raises `AlightError` where others may read the key."""
    return await asyncio.to_thread(_load_or_create, folder)


def _load_or_create(folder: Path) -> Signer:
    key_path, certificate_path = folder / KEY_FILE, folder / CERTIFICATE_FILE
    if not key_path.exists() or not certificate_path.exists():
        key, certificate = _create()
        _write(certificate_path, certificate, 0o644)
        _write(key_path, key, 0o600)
    if key_path.stat().st_mode & 0o077:
        raise AlightError(f"{key_path} can be read by others.", f"Close it: chmod 600 {key_path}.")
    try:
        # Not validated: that would try for 30 ms whether its numbers are primes. What it signs is looked at instead.
        key_object = serialization.load_pem_private_key(
            key_path.read_bytes(), password=None, unsafe_skip_rsa_key_validation=True
        )
    except (ValueError, UnsupportedAlgorithm):
        key_object = None
    if not isinstance(key_object, rsa.RSAPrivateKey) or not _signs(key_object):
        raise AlightError(f"{key_path} is not an RSA key.", "Remove it: a new one is made at the next start.")
    certificate = certificate_path.read_bytes()
    if not _is_of(certificate, key_object):
        raise AlightError(
            f"{certificate_path} is not the certificate of {key_path}, or the disk has damaged it.",
            "Remove both: new ones are made at the next start.",
        )
    return Signer(key_object, certificate)


def _signs(key: rsa.RSAPrivateKey) -> bool:
    """Whether the key's own public half says yes to what it signs: one flipped bit, and it does not."""
    signature = key.sign(b"Alight", padding.PKCS1v15(), hashes.SHA256())
    try:
        key.public_key().verify(signature, b"Alight", padding.PKCS1v15(), hashes.SHA256())
    except InvalidSignature:
        return False
    return True


def _is_of(certificate: bytes, key: rsa.RSAPrivateKey) -> bool:
    """Whether the key has signed what it says, its own public half among it: else nobody could check what is sent. Read
    by hand, as what reads certificates is not loaded for this."""
    try:
        whole = ssl.PEM_cert_to_DER_cert(certificate.decode("ascii"))
        # A sequence of what it says, which is one too, how that is signed, and the signature at the end.
        said = whole[4 : 8 + int.from_bytes(whole[6:8])]
        key.public_key().verify(whole[-key.key_size // 8 :], said, padding.PKCS1v15(), hashes.SHA256())
    except (ValueError, InvalidSignature):
        return False
    return True


def _create() -> tuple[bytes, bytes]:
    # Once in a folder's life, so not loaded at every start.
    from cryptography import x509
    from cryptography.x509.oid import NameOID

    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "Alight notifications")])
    now = datetime.datetime.now(datetime.UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(days=1))
        .not_valid_after(now + datetime.timedelta(days=365 * _YEARS))
        .sign(key, hashes.SHA256())
    )
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    return private, certificate.public_bytes(serialization.Encoding.PEM)


def _certificate_id(certificate: bytes) -> str:
    """The beginning of its SHA-256."""
    return hashlib.sha256(ssl.PEM_cert_to_DER_cert(certificate.decode("ascii"))).hexdigest()[:32]


def _write(path: Path, content: bytes, mode: int) -> None:
    temporary = path.with_suffix(".new")
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, mode)
    with os.fdopen(descriptor, "wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    temporary.rename(path)
