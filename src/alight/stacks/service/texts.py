"""The template of a request: its text, from the request or from a bucket of this instance."""

from __future__ import annotations

from urllib.parse import parse_qs, unquote, urlsplit

from alight.calls import Call, Members, pieces
from alight.errors import AlightError, Fault
from alight.errors.common import ValidationError
from alight.stacks.load import Template, parse
from alight.stacks.problems import UNANCHORED
from alight.stacks.service.ground import Ground

LONGEST_BODY = 51_200
LONGEST_OBJECT = 1_000_000


async def text_of(ground: Ground, call: Call, given: Members) -> str:
    """`TemplateBody`, or what lies at `TemplateURL` for this caller. Raises `ValidationError`."""
    body, url = given.get("TemplateBody") or "", given.get("TemplateURL") or ""
    if bool(body) == bool(url):
        raise ValidationError("Either Template URL or Template Body must be specified.")
    if url:
        return await _fetched(ground, call, url)
    if len(body.encode()) > LONGEST_BODY:
        raise ValidationError(
            "1 validation error detected: Value at 'templateBody' failed to satisfy constraint: Member must have "
            f"length less than or equal to {LONGEST_BODY}"
        )
    return body


def parsed(text: str) -> Template:
    """Raises `ValidationError` where it is no template."""
    try:
        template = parse(text, UNANCHORED, anchored=False)
    except AlightError as error:
        raise ValidationError(f"Template format error: {error.message}") from None
    resources = template.body.get("Resources")
    if not isinstance(resources, dict) or not resources:
        raise ValidationError("Template format error: At least one Resources member must be defined.")
    return template


async def _fetched(ground: Ground, call: Call, url: str) -> str:
    bucket, key, version = _place(url, call.base_url, ground.means().base_url)
    asked: Members = {"Bucket": bucket, "Key": key} | ({"VersionId": version} if version else {})
    try:
        answer = await ground.acting(call.principal)("s3", "GetObject", asked)
    except Fault as fault:
        raise ValidationError(f"S3 error: {fault.message}") from None
    text = b""
    async for piece in pieces(answer["Body"]):
        text += piece
        if len(text) > LONGEST_OBJECT:
            raise ValidationError("Template may not exceed 1000000 bytes in size.")
    try:
        return text.decode("utf-8-sig")
    except UnicodeDecodeError:
        raise ValidationError("Template format error: the template is not UTF-8 text.") from None


def _place(url: str, *bases: str) -> tuple[str, str, str]:
    """Bucket, key and version of an address of ours or of AWS's; whose it is decides who may read it."""
    parts = urlsplit(url)
    host, path = parts.hostname or "", unquote(parts.path).lstrip("/")
    version = parse_qs(parts.query).get("versionId", [""])[0]
    if f"{parts.scheme}://{parts.netloc}" in bases or host in ("localhost", "127.0.0.1", "::1") or _is_s3(host):
        bucket, _, key = path.partition("/")
    elif (".s3." in host and host.endswith(("amazonaws.com", "localhost"))) or host.endswith(".localhost"):
        bucket, key = host.split(".s3.")[0].removesuffix(".localhost"), path
    elif parts.scheme == "s3":
        bucket, key = host, path
    else:
        raise ValidationError(f"S3 error: Domain name specified in {host} is not a valid S3 domain")
    if not bucket or not key:
        raise ValidationError("TemplateURL must reference a valid S3 object to which you have access.")
    return bucket, key, version


def _is_s3(host: str) -> bool:
    return host.startswith(("s3.", "s3-")) and host.endswith(".amazonaws.com")
