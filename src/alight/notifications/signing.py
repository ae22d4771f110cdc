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
from collections import OrderedDict
from collections.abc import Mapping
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import padding, rsa
from cryptography.x509.oid import NameOID

from alight.errors import AlightError
from alight.notifications.message import Kind

KEY_FILE = "sns-key.pem"
CERTIFICATE_FILE = "sns-certificate.pem"
DEFAULT_VERSION = "1"

_FIELDS = {
    Kind.NOTIFICATION: ("Message", "MessageId", "Subject", "Timestamp", "TopicArn", "Type"),
    Kind.SUBSCRIBE: ("Message", "MessageId", "SubscribeURL", "Timestamp", "Token", "TopicArn", "Type"),
    Kind.UNSUBSCRIBE: ("Message", "MessageId", "SubscribeURL", "Timestamp", "Token", "TopicArn", "Type"),
}
_YEARS = 30
_REMEMBERED = 256


def canonical_text(envelope: Mapping[str, str]) -> bytes:
    """Name and value, a line each, of the fields that are signed; a subject that is not there is left out."""
    lines: list[str] = []
    for name in _FIELDS[Kind(envelope["Type"])]:
        if envelope.get(name) is not None:
            lines += [name, envelope[name]]
    return ("\n".join(lines) + "\n").encode()


class Signer:
    """Holds the folder's key. A message to many subscribers is signed once."""

    def __init__(self, key: rsa.RSAPrivateKey, certificate: bytes) -> None:
        self._key = key
        #: PEM.
        self.certificate = certificate
        self.certificate_id = _certificate_id(certificate)
        self._known: OrderedDict[tuple[str, bytes], str] = OrderedDict()

    @property
    def certificate_name(self) -> str:
        return f"SimpleNotificationService-{self.certificate_id}.pem"

    def sign(self, envelope: Mapping[str, str], version: str) -> str:
        """The signature in base64. `version` is "1" or "2"."""
        text = canonical_text(envelope)
        key = (version, hashlib.sha256(text).digest())
        known = self._known.get(key)
        if known is None:
            algorithm = hashes.SHA1() if version == "1" else hashes.SHA256()
            known = base64.b64encode(self._key.sign(text, padding.PKCS1v15(), algorithm)).decode()
            self._known[key] = known
            if len(self._known) > _REMEMBERED:
                self._known.popitem(last=False)
        return known


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
    key_object = serialization.load_pem_private_key(key_path.read_bytes(), password=None)
    if not isinstance(key_object, rsa.RSAPrivateKey):
        raise AlightError(f"{key_path} is not an RSA key.", "Remove it: a new one is made at the next start.")
    return Signer(key_object, certificate_path.read_bytes())


def _create() -> tuple[bytes, bytes]:
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
    loaded = x509.load_pem_x509_certificate(certificate)
    return loaded.fingerprint(hashes.SHA256()).hex()[:32]


def _write(path: Path, content: bytes, mode: int) -> None:
    temporary = path.with_suffix(".new")
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, mode)
    with os.fdopen(descriptor, "wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    temporary.rename(path)
