"""The website's own pages, for what its owner wrote none for. Pure; everything that a client sent is escaped."""

from __future__ import annotations

from collections.abc import Iterable
from html import escape
from http import HTTPStatus

from alight.errors import Fault

_TITLES = {500: "Internal Server Error"}


def error_page(fault: Fault, request_id: str, host_id: str, about_document: Fault | None = None) -> bytes:
    """What happened, as S3 tells it; `about_document` is why the owner's own error page could not be shown."""
    title = f"{fault.status} {_title(fault.status)}"
    facts = [*_facts(fault), ("RequestId", request_id), ("HostId", host_id)]
    more = ""
    if about_document is not None:
        more = (
            "<h3>An Error Occurred While Attempting to Retrieve a Custom Error Document</h3>\n"
            f"{_list(_facts(about_document))}"
        )
    return (
        f"<html>\n<head><title>{title}</title></head>\n<body>\n<h1>{title}</h1>\n{_list(facts)}{more}<hr/>\n"
        "</body>\n</html>\n"
    ).encode()


def _title(status: int) -> str:
    return _TITLES.get(status) or HTTPStatus(status).phrase


def _facts(fault: Fault) -> list[tuple[str, str]]:
    named = [(name, str(fault.members[name])) for name in ("BucketName", "Key", "Method") if fault.members.get(name)]
    return [("Code", fault.code), ("Message", fault.message), *named]


def _list(facts: Iterable[tuple[str, str]]) -> str:
    items = "".join(f"<li>{name}: {escape(value)}</li>\n" for name, value in facts)
    return f"<ul>\n{items}</ul>\n"
