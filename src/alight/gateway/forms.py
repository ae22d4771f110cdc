"""S3's upload by browsers: a form POSTed to a bucket, admitted for the signed policy that it carries.

The form becomes a PutObject: its fields are the headers, its file is the body, and whoever signed the policy is the
principal. No cookie and no header speaks for the sender, so a page of another origin can only send what the owner of
a key has signed for it: that is why these requests alone are not asked for their origin.
"""

from __future__ import annotations

import base64
import binascii
import hmac
import re
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, replace
from urllib.parse import quote, unquote, urlencode, urlsplit

from alight.calls import Members, Principal
from alight.errors.common import AccessDenied, NotImplemented_
from alight.errors.gateway import AuthorizationQueryParametersError, RequestExpired, SignatureDoesNotMatch
from alight.errors.s3 import EntityTooLarge, EntityTooSmall, InvalidArgument, InvalidPolicyDocument, MalformedXML
from alight.gateway.canonical import ALGORITHM, derive_key
from alight.gateway.encode import Response
from alight.gateway.multipart import Form, boundary_of
from alight.gateway.post_policy import Policy, check, read_policy
from alight.gateway.request import Request
from alight.gateway.route import Match, Router
from alight.gateway.signature import MAX_SKEW, Lookup, check_scope, find_key, seconds
from alight.gateway.signed import DATE, MAX_EXPIRES, Signed, read_scope
from alight.gateway.xml import escape, parse_xml

#: The key of the handler in the table of operations; the model has no such operation.
POST_OBJECT = ("s3", "PostObject")

_PATH = re.compile(r"/([^/]+)/?")
_TOKEN = re.compile(r"[!#-'*+.^_`|~0-9a-z-]+")
_SIGNATURE = re.compile(r"[0-9a-f]{64}")

#: Fields that are headers of the object under their own names, or under another one.
_HEADERS = {
    **{name: name for name in ("cache-control", "content-disposition", "content-encoding", "content-language",
                               "content-md5", "content-type", "expires")},
    "acl": "x-amz-acl",
    "x-amz-checksum-algorithm": "x-amz-sdk-checksum-algorithm",
}  # fmt: skip
#: Fields that sign the form: they say nothing of the object.
_SIGNING = frozenset({"x-amz-algorithm", "x-amz-credential", "x-amz-date", "x-amz-security-token", "x-amz-signature"})


@dataclass(frozen=True, slots=True)
class Posted:
    """A form whose policy was believed: the PutObject that it stands for, and how its sender wants to be answered."""

    principal: Principal
    match: Match
    request: Request
    file: File
    status: str
    redirect: str

    def answer(self, written: Response, reply: Members, location: str) -> Response:
        """`written` is what a PUT would have been answered; `reply` are the members of the new object."""
        bucket, key, etag = self.match.labels["Bucket"], self.match.labels["Key"], str(reply["ETag"])
        headers = [pair for pair in written.headers if pair[0] not in (b"content-type", b"content-length")]
        where = f"{location}/{quote(key, safe='')}"
        if self.redirect:
            mark = "&" if "?" in self.redirect else "?"
            where = f"{self.redirect}{mark}{urlencode({'bucket': bucket, 'key': key, 'etag': etag})}"
        headers.append((b"location", where.encode("ascii")))
        if self.redirect:
            return Response(303, headers, b"", 0)
        if self.status != "201":
            return Response(int(self.status), headers, b"", 0)
        named = {"Location": where, "Bucket": bucket, "Key": key, "ETag": etag}
        inner = "".join(f"<{name}>{escape(value)}</{name}>" for name, value in named.items())
        body = f'<?xml version="1.0" encoding="UTF-8"?>\n<PostResponse>{inner}</PostResponse>'.encode()
        return Response(201, [*headers, (b"content-type", b"application/xml")], body, len(body))


class File:
    """The file as a body (`calls.Stream`), held to the sizes that the policy allows."""

    def __init__(self, form: Form, policy: Policy) -> None:
        self._form = form
        self._policy = policy
        self.length: int | None = None
        self.trailers: Mapping[str, str] = {}

    async def __aiter__(self) -> AsyncIterator[bytes]:
        size, policy = 0, self._policy
        async for piece in self._form.file():
            size += len(piece)
            if policy.largest is not None and size > policy.largest:
                raise EntityTooLarge(ProposedSize=size, MaxSizeAllowed=policy.largest)
            yield piece
        if size < policy.smallest:
            raise EntityTooSmall(ProposedSize=size, MinSizeAllowed=policy.smallest)


def bucket_of(request: Request, in_host: str | None) -> str | None:
    """The bucket that a form is POSTed to; None where this is no form, or one that is signed in another way."""
    if request.method != "POST":
        return None
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    is_form = kind == "multipart/form-data" and not request.query
    if not is_form or not request.headers.keys().isdisjoint({"authorization", "x-amz-target"}):
        return None
    if in_host is not None:
        return in_host if request.path == "/" else None
    found = _PATH.fullmatch(request.path)
    return unquote(found[1]) if found else None


async def read_form(
    request: Request,
    content: AsyncIterator[bytes],
    bucket: str,
    router: Router,
    keys: Lookup,
    *,
    now: float,
    region: str | None,
) -> Posted:
    """Read up to the file, believe the policy or not, and hold the fields to it. Raises S3's faults."""
    form = Form(content, boundary_of(request.headers["content-type"]))
    front = await form.front()
    name = re.split(r"[/\\]", front.filename)[-1]
    fields = {field: value.replace("${filename}", name) for field, value in front.fields.items()}
    principal, text = _signer(front.fields, keys, now, region)
    policy = read_policy(text)
    # The bucket is a field of every form, whether it is written there or not: the real one counts.
    if fields.get("bucket", bucket) != bucket:
        raise AccessDenied("Invalid according to Policy: the form's bucket is not the one it was sent to.")
    check(policy, {**fields, "bucket": bucket}, now)
    key = _required(fields, "key")
    if not key:
        raise InvalidArgument("User key must have a length greater than 0.", ArgumentName="key", ArgumentValue="")
    service = router.service("s3")
    operation = service.operation("PutObject")
    assert operation is not None
    match = Match(service, operation, "rest-xml", {"Bucket": bucket, "Key": key}, "")
    known = frozenset(item.name for item in operation.inputs.headers)
    return Posted(
        principal=principal,
        match=match,
        request=replace(request, method="PUT", headers=_as_headers(request, fields, known)),
        file=File(form, policy),
        status=fields["success_action_status"] if fields.get("success_action_status") in ("200", "201") else "204",
        redirect=_redirect(fields.get("success_action_redirect", fields.get("redirect", ""))),
    )


def _required(fields: Mapping[str, str], name: str, said: str = "") -> str:
    value = fields.get(name)
    if value is None:
        raise InvalidArgument(
            f"Bucket POST must contain a field named '{said or name}'.  If it is specified, please check the order of "
            "the fields.",
            ArgumentName=said or name,
            ArgumentValue="",
        )
    return value


# Who signed ----------------------------------------------------------------------------------------------------------


def _signer(fields: Mapping[str, str], keys: Lookup, now: float, region: str | None) -> tuple[Principal, bytes]:
    """Who signed the policy, and its text. A form without one is nobody's: refused."""
    versions = [
        "x-amz-signature" in fields or "x-amz-credential" in fields or "x-amz-algorithm" in fields,
        "signature" in fields or "awsaccesskeyid" in fields,
    ]
    if not any(versions) and "policy" not in fields:
        raise AccessDenied
    if all(versions):
        raise InvalidArgument("Only one authentication mechanism is allowed.")
    policy = _required(fields, "policy", "Policy")
    if not policy.isascii():
        raise InvalidPolicyDocument("Invalid Policy: Invalid Base64.")
    principal = (_signer_v2 if versions[1] else _signer_v4)(fields, policy, keys, now, region)
    try:
        return principal, base64.b64decode(policy, validate=True)
    except binascii.Error:
        raise InvalidPolicyDocument("Invalid Policy: Invalid Base64.") from None


def _signer_v4(fields: Mapping[str, str], policy: str, keys: Lookup, now: float, region: str | None) -> Principal:
    signature = _required(fields, "x-amz-signature", "X-Amz-Signature")
    if _required(fields, "x-amz-algorithm", "X-Amz-Algorithm") != ALGORITHM:
        raise InvalidArgument(f"X-Amz-Algorithm only supports {ALGORITHM}.", ArgumentName="X-Amz-Algorithm")
    credential = _required(fields, "x-amz-credential", "X-Amz-Credential")
    moment = _required(fields, "x-amz-date", "X-Amz-Date")
    if not moment.isascii() or not DATE.fullmatch(moment):
        raise InvalidArgument("X-Amz-Date must be in the format yyyyMMdd'T'HHmmss'Z'.", ArgumentName="X-Amz-Date")
    token = fields.get("x-amz-security-token")
    scope = read_scope(credential, AuthorizationQueryParametersError)
    signed = Signed(scope, (), signature, moment, token, MAX_EXPIRES)
    check_scope(signed, "s3", region)
    _check_age(moment, now)
    key = find_key(keys, scope.access_key_id, token, now)
    expected = hmac.digest(derive_key(key.secret, scope), policy.encode(), "sha256").hex()
    if not _SIGNATURE.fullmatch(signature) or not hmac.compare_digest(expected, signature):
        raise SignatureDoesNotMatch
    return key.principal


def _signer_v2(fields: Mapping[str, str], policy: str, keys: Lookup, now: float, _: str | None) -> Principal:
    """What boto3's `generate_presigned_post` makes where no signature version is configured."""
    access_key_id = _required(fields, "awsaccesskeyid", "AWSAccessKeyId")
    signature = _required(fields, "signature", "Signature")
    key = find_key(keys, access_key_id, fields.get("x-amz-security-token"), now)
    expected = base64.b64encode(hmac.digest(key.secret.encode(), policy.encode(), "sha1"))
    if not hmac.compare_digest(expected, signature.encode()):
        raise SignatureDoesNotMatch
    return key.principal


def _check_age(moment: str, now: float) -> None:
    """A signing key is good for a week, whatever the policy says."""
    try:
        age = now - seconds(moment)
    except ValueError:
        raise InvalidArgument("X-Amz-Date is not a date.", ArgumentName="X-Amz-Date") from None
    if age < -MAX_SKEW:
        raise RequestExpired("Request is not yet valid")
    if age > MAX_EXPIRES:
        raise RequestExpired


# What it says of the object ------------------------------------------------------------------------------------------


def _as_headers(request: Request, fields: Mapping[str, str], known: frozenset[str]) -> dict[str, str]:
    """The headers of the PUT that the form stands for; nothing of the POST's own, which describe the form."""
    headers = {"host": request.headers["host"]}
    for field, value in fields.items():
        name = _HEADERS.get(field, field)
        if field == "tagging":
            headers["x-amz-tagging"] = _tagging(value)
        elif field in _HEADERS or (name.startswith("x-amz-") and field not in _SIGNING):
            if name not in known and not name.startswith("x-amz-meta-"):
                raise NotImplemented_(f"Alight does not support the field {field} of a form.")
            headers[name] = _header(field, value)
    return headers


def _header(field: str, value: str) -> str:
    """The value as it would have come in a header: its bytes one by one, without control characters."""
    if not _TOKEN.fullmatch(field) or any(ord(letter) < 32 or ord(letter) == 127 for letter in value):
        raise InvalidArgument("The field cannot be a header.", ArgumentName=field)
    return value.strip().encode().decode("latin-1")


def _tagging(text: str) -> str:
    """The `tagging` field is XML where a PUT has a query string."""
    tags = []
    root = parse_xml(text.encode())
    sets = root.children
    if root.name != "Tagging" or len(sets) != 1 or sets[0].name != "TagSet":
        raise MalformedXML
    for tag in sets[0].children:
        members = {child.name: child.text for child in tag.children}
        if tag.name != "Tag" or set(members) != {"Key", "Value"} or len(tag.children) != 2:
            raise MalformedXML
        tags.append((members["Key"], members["Value"]))
    return urlencode(tags)


def _redirect(url: str) -> str:
    """As S3 has it, what is no URL is as good as not given."""
    if not url.isascii() or not url.isprintable() or " " in url:
        return ""
    try:
        parts = urlsplit(url)
    except ValueError:
        return ""
    return url if parts.scheme in ("http", "https") and parts.netloc else ""
