"""Templates, and how times, sizes and shares are written. Everything from outside is escaped; there is no exception."""

from __future__ import annotations

import functools
import json
from datetime import UTC, datetime
from importlib.resources import files
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from markupsafe import Markup
from starlette.requests import Request
from starlette.responses import HTMLResponse

from alight.console.entry import Session
from alight.console.guard import HOME

if TYPE_CHECKING:
    from jinja2 import Environment

FOLDER = files("alight.console")
#: The pages in the order of the menu: path, name.
MENU = (
    ("", "Now"),
    ("/functions", "Functions"),
    ("/buckets", "Buckets"),
    ("/endpoints", "Endpoints"),
    ("/topics", "Topics"),
    ("/outbox", "Outbox"),
    ("/apis", "APIs"),
    ("/dead-letters", "Dead letters"),
    ("/system", "System"),
)


class Render:
    """The Jinja2 environment."""

    def __init__(self, version: str, read_only: bool) -> None:
        self._globals = {"home": HOME, "menu": MENU, "version": version, "read_only": read_only}

    @functools.cached_property
    def _environment(self) -> Environment:
        """Made for the first page: until somebody looks, nobody needs the library."""
        from jinja2 import Environment, FileSystemLoader, StrictUndefined, select_autoescape

        made = Environment(
            loader=FileSystemLoader(str(FOLDER / "templates")),
            autoescape=select_autoescape(default=True, default_for_string=True),
            undefined=StrictUndefined,
            trim_blocks=True,
            lstrip_blocks=True,
        )
        made.filters |= {
            "moment": moment, "size": size, "duration": duration, "percent": percent, "segment": segment,
            "pretty": pretty, "excerpt": excerpt, "stamp": stamp, "setting": setting,
        }  # fmt: skip
        made.globals |= self._globals
        return made

    def page(self, request: Request, template: str, code: int = 200, **values: Any) -> HTMLResponse:
        """A whole page, or a part of one, as an answer to a request."""
        session: Session | None = request.scope.get("alight.session")
        shown = {
            "here": request.url.path.removeprefix(HOME).rstrip("/"),
            "token": session.token if session else "",
            **values,
        }
        return HTMLResponse(self._environment.get_template(template).render(shown), code)

    def part(self, template: str, **values: Any) -> str:
        """A piece of a page, for streams."""
        return self._environment.get_template(template).render(values)


def moment(seconds: float | None) -> Markup:
    """A time that the page's script writes in the reader's zone; without script it is UTC."""
    if seconds is None:
        return Markup("-")
    when = datetime.fromtimestamp(seconds, UTC)
    return Markup('<time datetime="{}">{}</time>').format(
        when.isoformat(timespec="milliseconds"), when.strftime("%Y-%m-%d %H:%M:%S UTC")
    )


def stamp(text: str) -> Markup:
    """The same of a time in Lambda's form (`2026-01-02T03:04:05.678+0000`)."""
    return moment(datetime.fromisoformat(text).timestamp())


def size(number: float) -> str:
    """Bytes: `12 KB`."""
    for unit in ("B", "KB", "MB", "GB"):
        if number < 1000:
            return f"{number:.0f} {unit}" if unit == "B" else f"{number:.1f} {unit}"
        number /= 1000
    return f"{number:.1f} TB"


def duration(seconds: float | None) -> str:
    """`0.4 ms`, `12 ms`, `3.20 s`, `5 min`, `2 h`."""
    if seconds is None:
        return "-"
    if seconds < 1:
        return f"{seconds * 1000:.1f} ms" if seconds < 0.01 else f"{seconds * 1000:.0f} ms"
    if seconds < 60:
        return f"{seconds:.2f} s"
    return f"{seconds / 60:.0f} min" if seconds < 5400 else f"{seconds / 3600:.0f} h"


def percent(share: float | None) -> str:
    return "" if share is None else f"{share * 100:.0f} %"


def segment(text: str) -> str:
    """One segment of a path or a query's value."""
    return quote(text, safe="")


def pretty(value: Any) -> str:
    """JSON for reading."""
    return json.dumps(value, indent=2, ensure_ascii=False, default=str)


def setting(value: Any) -> str:
    """A setting's value in words: `on`, `none`, `60, 120`, `not set`."""
    if isinstance(value, bool):
        return "on" if value else "off"
    if isinstance(value, list):
        return ", ".join(setting(one) for one in value) or "none"
    return f"{value:g}" if isinstance(value, float) and abs(value) < 1e6 else str(value) or "not set"


def excerpt(text: str, most: int = 160) -> str:
    """The beginning of a text, in one line."""
    line = " ".join(text.split())
    return line if len(line) <= most else line[: most - 1] + "…"
