"""Ways to say who one is, good ones and false ones: each takes a request and gives it as it would arrive.

`GOOD` are the controls, which have to be let in: without them the forged ones could be refused for another reason.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
from collections.abc import Callable, Mapping
from typing import Any

from botocore.credentials import Credentials

from tests.unit.gateway.asking import Asked
from tests.unit.gateway.signing import ACCESS_KEY, NOW, SECRET, sha256, signed_scope

#: An ASGI scope and the bytes of the body.
Arriving = tuple[dict[str, Any], bytes]
Form = Callable[[Asked], Arriving]

OWNER = Credentials(ACCESS_KEY, SECRET)
WORKER = Credentials("ASIAWORKER", "worker-secret", "tok/en+=")
SIGNED_CHUNKS = "STREAMING-AWS4-HMAC-SHA256-PAYLOAD"
UNSIGNED_TRAILER = "STREAMING-UNSIGNED-PAYLOAD-TRAILER"


def said(asked: Asked, **more: Any) -> Arriving:
    """Signed in a header over the body's hash, unless `more` (of `signed_scope`) says otherwise."""
    given: dict[str, Any] = {"place": "header", "said": sha256(asked.body), "service": asked.signing} | more
    headers = asked.headers | given.pop("headers", {})
    if given["place"] == "query":
        headers.pop("user-agent", None)
    scope = signed_scope(asked.method, asked.url, asked.body, headers=headers, host=asked.host, **given)
    return scope, asked.body


def signed(**more: Any) -> Form:
    return lambda asked: said(asked, **more)


def link(**more: Any) -> Form:
    """A presigned link."""

    def form(asked: Asked) -> Arriving:
        covered = None if asked.signing == "s3" else sha256(asked.body)
        return said(asked, **({"place": "query", "said": covered} | more))

    return form


def unsigned(**headers: str) -> Form:
    written = {name.replace("_", "-"): value for name, value in headers.items()}
    return lambda asked: said(asked, place="none", said=None, headers=written)


def after(form: Form, *changes: Callable[[dict[str, Any]], None]) -> Form:
    """`form`, whose scope is then changed."""

    def changed(asked: Asked) -> Arriving:
        scope, body = form(asked)
        for change in changes:
            change(scope)
        return scope, body

    return changed


def with_header(name: str, make: Callable[[bytes], bytes | None]) -> Callable[[dict[str, Any]], None]:
    """The header (empty where it is not there) made anew; None takes it out."""

    def change(scope: dict[str, Any]) -> None:
        key = name.encode()
        old = dict(scope["headers"]).get(key, b"")
        value = make(old)
        kept = [pair for pair in scope["headers"] if pair[0] != key]
        scope["headers"] = kept if value is None else [*kept, (key, value)]

    return change


def with_query(make: Callable[[bytes], bytes]) -> Callable[[dict[str, Any]], None]:
    def change(scope: dict[str, Any]) -> None:
        scope["query_string"] = make(scope["query_string"])

    return change


def doubled(name: str, value: bytes) -> Callable[[dict[str, Any]], None]:
    def change(scope: dict[str, Any]) -> None:
        scope["headers"].append((name.encode(), value))

    return change


def _also_linked(asked: Asked) -> Arriving:
    """Signed well in a header, and a good link besides."""
    scope, body = said(asked)
    scope["query_string"] = link()(asked)[0]["query_string"]
    return scope, body


def _version_2(asked: Asked) -> Arriving:
    """Version 2 in a header, as it was before 2014: well made."""
    scope, body = said(asked, place="none", said=None)
    text = f"{asked.method}\n\n{asked.headers.get('content-type', '')}\nThu, 01 Jan 2026\n{asked.url.partition('?')[0]}"
    mark = base64.b64encode(hmac.digest(SECRET.encode(), text.encode(), "sha1")).decode()
    scope["headers"] += [(b"authorization", f"AWS {ACCESS_KEY}:{mark}".encode()), (b"date", b"Thu, 01 Jan 2026")]
    return scope, body


def _with_form(asked: Asked) -> Arriving:
    """The fields of a browser's form, well signed, where no form is taken: not POSTed to a bucket."""
    policy = base64.b64encode(b'{"expiration":"2030-01-01T00:00:00Z","conditions":[]}').decode()
    mark = base64.b64encode(hmac.digest(SECRET.encode(), policy.encode(), "sha1")).decode()
    fields = {"key": "k", "AWSAccessKeyId": ACCESS_KEY, "policy": policy, "signature": mark}
    parts = "".join(f'--x\r\ncontent-disposition: form-data; name="{k}"\r\n\r\n{v}\r\n' for k, v in fields.items())
    scope, _ = said(asked, place="none", said=None, headers={"content-type": "multipart/form-data; boundary=x"})
    return scope, f"{parts}--x--\r\n".encode()


def chunks(secret: str | None, covered: str = SIGNED_CHUNKS, names: str = "") -> Form:
    """aws-chunked. The head is signed by the owner, the chunks with `secret`; None leaves their signatures out."""

    def form(asked: Asked) -> Arriving:
        content = b"content"
        headers = {"x-amz-decoded-content-length": str(len(content)), "content-encoding": "aws-chunked"}
        headers |= {"x-amz-trailer": names} if names else {}
        scope, _ = said(asked, said=covered, headers=headers)
        return scope, framed(scope, content, secret, asked.signing)

    return form


def framed(scope: dict[str, Any], content: bytes, secret: str | None, service: str = "s3") -> bytes:
    """`content` as one chunk and the last, chained from the signature of the head."""
    head = dict(scope["headers"])
    previous = head[b"authorization"].rpartition(b"Signature=")[2].decode()
    moment = head[b"x-amz-date"].decode()
    place = f"{moment[:8]}/us-east-1/{service}/aws4_request"
    key = b"AWS4" + (secret or "").encode()
    for step in (moment[:8], "us-east-1", service, "aws4_request"):
        key = hmac.digest(key, step.encode(), "sha256")
    body = b""
    for piece in (content, b""):
        hashed = hashlib.sha256(piece).hexdigest()
        text = f"AWS4-HMAC-SHA256-PAYLOAD\n{moment}\n{place}\n{previous}\n{sha256(b'')}\n{hashed}"
        previous = hmac.digest(key, text.encode(), "sha256").hex()
        mark = f";chunk-signature={previous}" if secret is not None else ""
        body += f"{len(piece):x}{mark}\r\n".encode() + (piece + b"\r\n" if piece else b"")
    return body + b"\r\n"


GOOD: Mapping[str, Form] = {
    "header": signed(),
    "link": link(),
    "worker's header": signed(credentials=WORKER),
    "worker's link": link(credentials=WORKER),
}
GOOD_FOR_S3: Mapping[str, Form] = {"payload not signed": signed(said="UNSIGNED-PAYLOAD")}
#: Where nothing is asked that version 2 does not sign, which botocore writes for the path form.
GOOD_FOR_OBJECTS: Mapping[str, Form] = {"link, version 2": signed(place="query v2", said=None)}
#: Where the body is streamed.
GOOD_FOR_UPLOADS: Mapping[str, Form] = {
    "chunks": chunks(SECRET),
    "unsigned trailer": chunks(None, UNSIGNED_TRAILER),
}
GUESSED = Credentials(ACCESS_KEY, "guessed")
#: Nobody has signed these, whatever else they carry: only the table of unsigned entrances lets them in.
NOBODY: Mapping[str, Form] = {
    "nothing": unsigned(),
    "console cookie": unsigned(cookie="alight=session; alight_session=x"),
    "forwarded by a proxy": unsigned(x_forwarded_for="127.0.0.1", x_forwarded_host="localhost", x_real_ip="::1"),
    "another verb said": unsigned(x_http_method_override="GET", x_original_url="/_alight/health"),
    "key in headers of its own": unsigned(x_api_key=SECRET, x_amz_security_token="tok/en+="),
    "proxy authorization": unsigned(proxy_authorization="Basic QUtJQVRFU1Q6c2UvY3IrZXQ="),
    "form fields": _with_form,
}
FORGED: Mapping[str, Form] = {
    "header, wrong secret": signed(credentials=GUESSED),
    "header, no secret": signed(credentials=Credentials(ACCESS_KEY, "")),
    "header, unknown key": signed(credentials=Credentials("AKIANOBODY", SECRET)),
    "header, expired session": signed(credentials=Credentials("ASIAOLD", "old-secret", "old")),
    "header, session without its token": signed(credentials=Credentials("ASIAWORKER", "worker-secret")),
    "header, session with another token": signed(credentials=Credentials("ASIAWORKER", "worker-secret", "old")),
    "header, owner with a token": signed(credentials=Credentials(ACCESS_KEY, SECRET, "tok/en+=")),
    "header, another service": signed(service="glue"),
    "header, another region": signed(region="eu-west-1"),
    "header, too early": signed(when=NOW + 901),
    "header, too late": signed(when=NOW - 901),
    "header, yesterday": signed(when=NOW - 86_400),
    "header, payload not covered": signed(credentials=GUESSED, said="UNSIGNED-PAYLOAD"),
    "header, another payload": signed(said=sha256(b"another")),
    "header, no such payload": signed(said="STREAMING-AWS4-ECDSA-P256-SHA256-PAYLOAD"),
    "header, events": signed(said="STREAMING-AWS4-HMAC-SHA256-EVENTS"),
    "header, doubled": after(signed(), doubled("authorization", b"AWS4-HMAC-SHA256 x")),
    "header, date doubled": after(signed(), doubled("x-amz-date", b"20260102T030405Z")),
    "header, date gone": after(signed(), with_header("x-amz-date", lambda old: None)),
    "header, more of x-amz than signed": after(signed(), doubled("x-amz-acl", b"public-read-write")),
    "header, token added": after(signed(), doubled("x-amz-security-token", b"tok/en+=")),
    "header, cut": after(signed(), with_header("authorization", lambda old: old[:-1])),
    "header, longer": after(signed(), with_header("authorization", lambda old: old + b"0")),
    "header, upper case": after(signed(), with_header("authorization", lambda old: old[:-64] + old[-64:].upper())),
    "header, empty mark": after(signed(), with_header("authorization", lambda old: old[:-64])),
    "header, zeros": after(signed(), with_header("authorization", lambda old: old[:-64] + b"0" * 64)),
    "header, SHA1": after(signed(), with_header("authorization", lambda old: old.replace(b"SHA256", b"SHA1", 1))),
    "header, none": after(signed(), with_header("authorization", lambda old: old.replace(b"HMAC-SHA256", b"NONE", 1))),
    "header, ECDSA": after(
        signed(), with_header("authorization", lambda old: old.replace(b"AWS4-HMAC", b"AWS4-ECDSA-P256", 1))
    ),
    "header, host not signed": after(
        signed(), with_header("authorization", lambda old: old.replace(b"host;", b"").replace(b";host", b""))
    ),
    "header, another verb": after(signed(), lambda scope: scope.update(method=_other(scope["method"]))),
    "header, empty": unsigned(authorization=""),
    "header, version 2": _version_2,
    "header and link": _also_linked,
    "header and half a link": after(signed(), with_query(lambda old: old + b"&X-Amz-Signature=" + b"0" * 64)),
    "header and version 2": after(signed(), with_query(lambda old: old + b"&AWSAccessKeyId=x&Signature=y&Expires=1")),
    "link, wrong secret": link(credentials=GUESSED),
    "link, unknown key": link(credentials=Credentials("AKIANOBODY", SECRET)),
    "link, expired session": link(credentials=Credentials("ASIAOLD", "old-secret", "old")),
    "link, session without its token": link(credentials=Credentials("ASIAWORKER", "worker-secret")),
    "link, expired": link(when=NOW - 601),
    "link, from the future": link(when=NOW + 901),
    "link, for longer than a week": link(expires=604_801),
    "link, for less than no time": link(expires=-1),
    "link, another service": link(service="glue"),
    "link, another region": link(region="eu-west-1"),
    "link, expiry stretched": after(link(), with_query(lambda old: old.replace(b"Expires=600", b"Expires=6000"))),
    "link, doubled": after(link(), with_query(lambda old: old + b"&X-Amz-Signature=" + b"0" * 64)),
    "link, mark gone": after(link(), with_query(lambda old: old[: old.rindex(b"&X-Amz-Signature=")])),
    "link, lower case": after(link(), with_query(lambda old: old.replace(b"X-Amz-Signature", b"x-amz-signature"))),
    "link, algorithm": after(link(), with_query(lambda old: old.replace(b"AWS4-HMAC-SHA256", b"none"))),
    "link, chunks": link(said=SIGNED_CHUNKS),
    "link, another verb": after(link(), lambda scope: scope.update(method=_other(scope["method"]))),
    "link, version 2, wrong secret": signed(place="query v2", said=None, credentials=GUESSED),
    "link, version 2, expired": signed(place="query v2", said=None, when=NOW - 601),
    "link, version 2, for ever": signed(place="query v2", said=None, expires=10**9),
    "chunks, wrong secret": chunks("guessed"),
    "chunks without marks": chunks(None),
    "trailer, wrong secret": chunks("guessed", f"{SIGNED_CHUNKS}-TRAILER", "x-amz-checksum-crc32"),
    "unsigned trailer, wrong secret": signed(
        credentials=GUESSED, said=UNSIGNED_TRAILER, headers={"x-amz-decoded-content-length": "0"}
    ),
    "Bearer": unsigned(authorization=f"Bearer {SECRET}"),
    "Basic": unsigned(authorization="Basic " + base64.b64encode(f"{ACCESS_KEY}:{SECRET}".encode()).decode()),
    "Digest": unsigned(authorization=f'Digest username="{ACCESS_KEY}"'),
    "Negotiate": unsigned(authorization="Negotiate YII="),
    "a key, bare": unsigned(authorization=ACCESS_KEY),
}
#: Well signed, but not in a way that services besides S3 know.
FORGED_BUT_FOR_S3: Mapping[str, Form] = {**GOOD_FOR_S3, **GOOD_FOR_OBJECTS, **GOOD_FOR_UPLOADS}


def _other(method: str) -> str:
    return {"GET": "DELETE", "HEAD": "DELETE", "DELETE": "GET", "POST": "PUT", "PUT": "POST"}.get(method, "DELETE")
