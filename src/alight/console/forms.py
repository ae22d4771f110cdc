"""What a button or a form sends, and what it gets back."""

from __future__ import annotations

from dataclasses import dataclass
from urllib.parse import parse_qs

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from alight.console.guard import HOME

#: Bytes of the longest form: a file that is edited.
LONGEST = 1 << 20


@dataclass(frozen=True, slots=True)
class Form:
    """The fields of a form; several values where a name is there several times."""

    fields: dict[str, list[str]]

    def __getitem__(self, name: str) -> str:
        """The one value, without spaces around it; empty where there is none."""
        return self.fields.get(name, [""])[0].strip()

    def all(self, name: str) -> list[str]:
        return [value.strip() for value in self.fields.get(name, [])]

    def raw(self, name: str) -> str:
        """The value as it was typed, with line ends as files have them."""
        return self.fields.get(name, [""])[0].replace("\r\n", "\n")


async def read_form(request: Request) -> Form:
    """Raises 413 for what is too long."""
    body = await read_body(request, LONGEST, "The form is too long.")
    return Form(parse_qs(body.decode("utf-8", "replace"), keep_blank_values=True))


async def read_body(request: Request, longest: int, refusal: str) -> bytes:
    """All bytes of a request. Raises 413 with `refusal` as soon as there are more than `longest`."""
    body = b""
    async for chunk in request.stream():
        body += chunk
        if len(body) > longest:
            raise HTTPException(413, refusal)
    return body


def goes_to(request: Request, path: str) -> Response:
    """Where a button leads (a path below the console): htmx follows a header, a form a redirect."""
    if "hx-request" in request.headers:
        return Response(status_code=204, headers={"HX-Redirect": f"{HOME}{path}"})
    return RedirectResponse(f"{HOME}{path}", 303)


def shows_again(request: Request) -> Response:
    """The page as it is now."""
    return Response(status_code=204, headers={"HX-Refresh": "true"})
