"""Signatures, verified by an implementation of our own documentation reading that shares no code with the signer."""

from __future__ import annotations

import asyncio
import base64
import ssl
import stat
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from alight.errors import AlightError
from alight.notifications.signing import CERTIFICATE_FILE, KEY_FILE, Signer, load_signer

TEXT = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=60)


def verify(envelope: dict[str, Any], certificate: bytes) -> None:
    """What a receiver does. Raises `InvalidSignature`."""
    if envelope["Type"] == "Notification":
        parts = "Message\n" + envelope["Message"] + "\nMessageId\n" + envelope["MessageId"] + "\n"
        if "Subject" in envelope:
            parts += "Subject\n" + envelope["Subject"] + "\n"
        parts += "Timestamp\n" + envelope["Timestamp"] + "\nTopicArn\n" + envelope["TopicArn"] + "\n"
        parts += "Type\nNotification\n"
    else:
        parts = "Message\n" + envelope["Message"] + "\nMessageId\n" + envelope["MessageId"] + "\n"
        parts += "SubscribeURL\n" + envelope["SubscribeURL"] + "\nTimestamp\n" + envelope["Timestamp"] + "\n"
        parts += "Token\n" + envelope["Token"] + "\nTopicArn\n" + envelope["TopicArn"] + "\n"
        parts += "Type\n" + envelope["Type"] + "\n"
    key = x509.load_pem_x509_certificate(certificate).public_key()
    assert isinstance(key, RSAPublicKey)
    digest = {"1": hashes.SHA1(), "2": hashes.SHA256()}[envelope["SignatureVersion"]]
    key.verify(base64.b64decode(envelope["Signature"]), parts.encode("utf-8"), padding.PKCS1v15(), digest)


@pytest.fixture(scope="module")
def signer(tmp_path_factory: pytest.TempPathFactory) -> Signer:
    return asyncio.run(load_signer(tmp_path_factory.mktemp("keys")))


def signed(signer: Signer, envelope: dict[str, Any], version: str) -> dict[str, Any]:
    return envelope | {"SignatureVersion": version, "Signature": signer.sign(envelope, version)}


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(message=TEXT, subject=st.none() | TEXT, version=st.sampled_from(["1", "2"]))
def test_notifications_verify(signer: Signer, message: str, subject: str | None, version: str) -> None:
    envelope = {"Type": "Notification", "MessageId": "id", "TopicArn": "arn", "Message": message, "Timestamp": "now"}
    if subject is not None:
        envelope["Subject"] = subject
    verify(signed(signer, envelope, version), signer.certificate)


@settings(max_examples=20, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(message=TEXT, token=TEXT, kind=st.sampled_from(["SubscriptionConfirmation", "UnsubscribeConfirmation"]))
def test_confirmations_verify(signer: Signer, message: str, token: str, kind: str) -> None:
    envelope = {
        "Type": kind,
        "MessageId": "id",
        "TopicArn": "arn",
        "Message": message,
        "Timestamp": "now",
        "Token": token,
        "SubscribeURL": "http://x/",
    }
    verify(signed(signer, envelope, "1"), signer.certificate)


@pytest.mark.parametrize("field", ["Message", "MessageId", "Subject", "Timestamp", "TopicArn"])
def test_an_altered_envelope_does_not_verify(signer: Signer, field: str) -> None:
    envelope = {
        "Type": "Notification",
        "MessageId": "id",
        "TopicArn": "arn",
        "Subject": "s",
        "Message": "m",
        "Timestamp": "t",
    }
    good = signed(signer, envelope, "2")
    verify(good, signer.certificate)
    with pytest.raises(InvalidSignature):
        verify(good | {field: good[field] + "x"}, signer.certificate)
    with pytest.raises(InvalidSignature):
        verify(good | {"SignatureVersion": "1"}, signer.certificate)


async def test_another_folder_has_another_key(signer: Signer, tmp_path: Path) -> None:
    other = await load_signer(tmp_path)
    envelope = {"Type": "Notification", "MessageId": "id", "TopicArn": "arn", "Message": "m", "Timestamp": "t"}
    assert other.certificate_name != signer.certificate_name
    with pytest.raises(InvalidSignature):
        verify(signed(signer, envelope, "2"), other.certificate)


async def test_the_key_is_kept_and_closed_to_others(tmp_path: Path) -> None:
    first = await load_signer(tmp_path)
    again = await load_signer(tmp_path)
    assert first.certificate == again.certificate
    assert stat.S_IMODE((tmp_path / KEY_FILE).stat().st_mode) == 0o600
    (tmp_path / KEY_FILE).chmod(0o640)
    with pytest.raises(AlightError, match="can be read by others"):
        await load_signer(tmp_path)


@pytest.mark.parametrize("place", [40, 120, 250])
async def test_a_key_of_which_a_bit_has_turned_over_is_refused(tmp_path: Path, place: int) -> None:
    """In its modulus: what it signs then, nobody could check."""
    await load_signer(tmp_path)
    path = tmp_path / KEY_FILE
    whole = bytearray(ssl.PEM_cert_to_DER_cert(path.read_text().replace("PRIVATE KEY", "CERTIFICATE")))
    whole[place] ^= 1
    path.write_text(ssl.DER_cert_to_PEM_cert(bytes(whole)).replace("CERTIFICATE", "PRIVATE KEY"))
    with pytest.raises(AlightError, match="not an RSA key"):
        await load_signer(tmp_path)


@pytest.mark.parametrize("place", [6, 40, 120, 400, -1])
async def test_a_certificate_of_which_a_bit_has_turned_over_is_refused(tmp_path: Path, place: int) -> None:
    await load_signer(tmp_path)
    path = tmp_path / CERTIFICATE_FILE
    whole = bytearray(ssl.PEM_cert_to_DER_cert(path.read_text()))
    whole[place] ^= 1
    path.write_text(ssl.DER_cert_to_PEM_cert(bytes(whole)))
    with pytest.raises(AlightError, match="is not the certificate of"):
        await load_signer(tmp_path)


@pytest.mark.parametrize(
    "content", [b"", b"-----BEGIN CERTIFICATE-----\n", b"\xff" * 40, None], ids=["empty", "torn", "no text", "another"]
)
async def test_what_is_not_the_keys_certificate_is_refused(
    signer: Signer, tmp_path: Path, content: bytes | None
) -> None:
    await load_signer(tmp_path)
    (tmp_path / CERTIFICATE_FILE).write_bytes(content if content is not None else signer.certificate)
    with pytest.raises(AlightError, match="is not the certificate of"):
        await load_signer(tmp_path)
    # When both are removed, as it says, then there are new ones
    (tmp_path / CERTIFICATE_FILE).unlink()
    (tmp_path / KEY_FILE).unlink()
    assert (await load_signer(tmp_path)).certificate != signer.certificate


async def test_the_certificates_name_is_its_fingerprint(signer: Signer) -> None:
    certificate = x509.load_pem_x509_certificate(signer.certificate)
    assert signer.certificate_id == certificate.fingerprint(hashes.SHA256()).hex()[:32]
