"""The website door: buckets as websites, for anybody, as far as policy or ACLs open their objects.

An ASGI app for two addresses. By Host (`BUCKET.s3-website.localhost`) a website has an origin of its own. By path
(`/_aws/s3-website/BUCKET/KEY`) it shares the origin of everything that Alight serves; its answers are sandboxed, which
gives its pages an origin that is nobody's (decision 13).
"""

from __future__ import annotations

import base64
import logging
from dataclasses import dataclass, replace
from urllib.parse import unquote

from alight.asgi import SANDBOX, Receive, Scope, Send
from alight.calls import ANONYMOUS, Call
from alight.errors import Fault
from alight.errors.common import AccessDenied
from alight.errors.s3 import (
    MethodNotAllowed,
    NoSuchBucket,
    NoSuchKey,
    NoSuchWebsiteConfiguration,
    NotModified,
)
from alight.errors.store import Damaged
from alight.names import new_request_id
from alight.services.s3.cors import CrossOrigin
from alight.services.s3.naming import check_key
from alight.services.s3.public import Access
from alight.services.s3.site_answers import Answer, of_object, send_answer, validators, whole
from alight.services.s3.site_pages import error_page
from alight.services.s3.site_rules import Home, Redirect, everything, rule_for
from alight.services.s3.site_rules import of_object as object_redirect
from alight.services.s3.websites import WEBSITE
from alight.store.objects import ObjectStore
from alight.store.shapes import Bucket, ObjectRow

log = logging.getLogger(__name__)

PREFIX = "/_aws/s3-website/"
_READS = ("GET", "HEAD")


@dataclass(frozen=True, slots=True)
class Visit:
    """One request to a website; `bare` says that the address ends with the bucket's name, without a slash."""

    method: str
    bucket: str
    key: str
    home: Home
    call: Call
    query: str = ""
    bare: bool = False

    @property
    def by_path(self) -> bool:
        return bool(self.home.path)

    def fault_page(self, fault: Fault, about_document: Fault | None = None) -> Answer:
        """The page that tells of a fault, where the owner has none."""
        request_id = self.call.request_id
        body = error_page(fault, request_id, _host_id(request_id), about_document)
        told = {
            "content-type": "text/html; charset=utf-8",
            "x-amz-error-code": fault.code,
            "x-amz-error-message": fault.message,
        }
        if fault.status == 405:
            told["allow"] = ", ".join(_READS)
        return Answer(fault.status, told, body, len(body))


class Site:
    """Answers GET and HEAD (and a page's OPTIONS); everything else is 405."""

    def __init__(self, objects: ObjectStore, access: Access, cross_origin: CrossOrigin) -> None:
        self._objects = objects
        self._access = access
        self._cross_origin = cross_origin

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return
        visit = _visit(scope)
        try:
            answer = self._answer(visit)
        except Fault as fault:
            answer = visit.fault_page(fault)
        except Exception:
            log.exception("website request %s failed", visit.call.request_id)
            answer = visit.fault_page(Fault())
        told = {**answer.headers, **self._around(visit)}
        await send_answer(replace(answer, headers=told), visit.method, receive, send)

    def _answer(self, visit: Visit) -> Answer:
        asked = visit.call.headers
        if visit.method == "OPTIONS":
            method, wanted = asked.get("access-control-request-method"), asked.get("access-control-request-headers", "")
            return Answer(200, self._cross_origin.preflight(visit.bucket, asked.get("origin"), method, wanted))
        if visit.method not in _READS:
            raise MethodNotAllowed(Method=visit.method)
        bucket = self._objects.get_bucket(visit.bucket)
        if bucket is None:
            raise NoSuchBucket(BucketName=visit.bucket)
        website = bucket.settings.get(WEBSITE)
        if website is None:
            raise NoSuchWebsiteConfiguration(BucketName=visit.bucket)
        if visit.bare:
            return _redirected(Redirect(302, f"{visit.home.lead('')}{visit.query}"))
        check_key(visit.key)
        if "RedirectAllRequestsTo" in website:
            return _redirected(everything(website["RedirectAllRequestsTo"], visit.key, visit.home))
        rules = website.get("RoutingRules") or ()
        if redirect := rule_for(rules, visit.key, visit.home):
            return _redirected(redirect)
        try:
            return self._found(visit, bucket, website["IndexDocument"]["Suffix"])
        except Fault as fault:
            if redirect := rule_for(rules, visit.key, visit.home, fault.status):
                return _redirected(redirect)
            return self._failed(visit, bucket, (website.get("ErrorDocument") or {}).get("Key"), fault)

    def _found(self, visit: Visit, bucket: Bucket, suffix: str) -> Answer:
        """The object that is meant. Raises why it cannot be shown."""
        is_folder = not visit.key or visit.key.endswith("/")
        key = visit.key + suffix if is_folder else visit.key
        row = self._objects.get(bucket.name, key)
        if row is None and not is_folder and self._has_index(visit, bucket, f"{key}/{suffix}"):
            return _redirected(Redirect(302, visit.home.lead(f"{key}/")))
        row = self._open(visit, bucket, key, row)
        if location := row.headers.get("WebsiteRedirectLocation"):
            return _redirected(object_redirect(location, visit.home))
        try:
            return of_object(self._objects, row, visit.call.headers)
        except NotModified:
            return Answer(304, validators(row))
        except Damaged:
            # As for GetObject: what was replaced between two looks is read as it is now.
            if self._objects.get(bucket.name, key) == row:
                raise
            return self._found(visit, bucket, suffix)

    def _has_index(self, visit: Visit, bucket: Bucket, key: str) -> bool:
        row = self._objects.get(bucket.name, key)
        return row is not None and self._access.may_get(visit.call, bucket, key, row)

    def _open(self, visit: Visit, bucket: Bucket, key: str, row: ObjectRow | None) -> ObjectRow:
        """The object, where anybody may read it; whether a key is there is told to those who may list the bucket."""
        if not self._access.may_get(visit.call, bucket, key, row):
            raise AccessDenied
        if row is None:
            raise NoSuchKey(Key=key) if self._access.may_list(visit.call, bucket) else AccessDenied
        return row

    def _failed(self, visit: Visit, bucket: Bucket, document: str | None, fault: Fault) -> Answer:
        """The owner's error document under the status of the error, or our page."""
        if document is None:
            return visit.fault_page(fault)
        try:
            row = self._open(visit, bucket, document, self._objects.get(bucket.name, document))
        except Fault as about_document:
            return visit.fault_page(fault, about_document)
        return whole(self._objects, row, fault.status)

    def _around(self, visit: Visit) -> dict[str, str]:
        """What goes with every answer: its id, who may read it, and the sandbox of the shared origin."""
        asked, request_id = visit.call.headers, visit.call.request_id
        told = {"x-amz-request-id": request_id, "x-amz-id-2": _host_id(request_id)}
        origin = asked.get("origin")
        if origin is not None:
            told["vary"] = "Origin"
            told |= self._cross_origin.headers(visit.bucket, origin, visit.method)
        if visit.by_path:
            told["content-security-policy"] = SANDBOX
        return told


def _redirected(redirect: Redirect) -> Answer:
    return Answer(redirect.status, {"location": redirect.location})


def _visit(scope: Scope) -> Visit:
    """What is asked for, and where: the gateway says the name in the Host where there is one."""
    told = _headers(scope)
    scheme, host = scope.get("scheme", "http"), told.get("host", "")
    path = scope["raw_path"].decode("latin-1")
    named = scope.get("alight.name")
    bucket, slash, key = (named, "/", path[1:]) if named else path.removeprefix(PREFIX).partition("/")
    client = scope.get("client")
    call = Call(
        "s3",
        "GetObject",
        new_request_id(),
        ANONYMOUS,
        source_ip=client[0] if client else "",
        base_url=f"{scheme}://{host}",
        headers=told,
    )
    home = Home(scheme, host, "" if named else f"{PREFIX}{bucket}")
    query = scope["query_string"].decode("latin-1")
    # What is no UTF-8 is no key: `check_key` says so where it is asked for.
    name = unquote(key, errors="surrogateescape")
    return Visit(scope["method"], bucket, name, home, call, query=f"?{query}" if query else "", bare=not slash)


def _headers(scope: Scope) -> dict[str, str]:
    """By lower-case names, the last of several winning."""
    return {name.decode("latin-1"): value.decode("latin-1") for name, value in scope["headers"]}


def _host_id(request_id: str) -> str:
    return base64.b64encode(request_id.encode()).decode()
