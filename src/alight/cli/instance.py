"""The way to a running instance: found by its data folder, asked over HTTP with the folder's admin token."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from http.client import HTTPConnection, HTTPException, HTTPResponse
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlencode, urlsplit

from alight import credentials
from alight.cli.folder import NotRunning, data_folder, is_alive, reachable, read_facts
from alight.errors import AlightError

API = "/_alight/api"
#: Longer than the longest function may run (15 minutes).
LONGEST_ANSWER = 930.0


@dataclass(frozen=True, slots=True)
class Door:
    """The admin API of one running instance. Paths are relative to `/_alight/api/`."""

    url: str
    token: str
    data: Path

    def get(self, path: str, **query: object) -> Any:
        """The JSON answer. Raises `AlightError` with the instance's own words, `NotRunning` where nobody answers."""
        with self._ask("GET", _with_query(path, query)) as response:
            return json.loads(response.read())

    def post(self, path: str, body: Any, timeout: float | None = LONGEST_ANSWER) -> Any:
        """As `get`, with a JSON body; `timeout` None is for what may take hours."""
        with self._ask("POST", path, json.dumps(body).encode(), timeout) as response:
            return json.loads(response.read())

    def lines(self, path: str, body: Any = None, **query: object) -> Iterator[Any]:
        """An answer of JSON lines, each as it comes; the connection may stay open for ever. `body` makes it a POST."""
        method, content = ("GET", None) if body is None else ("POST", json.dumps(body).encode())
        with self._ask(method, _with_query(path, query), content, timeout=None) as response:
            for line in response:
                if line.strip():
                    yield json.loads(line)

    @contextmanager
    def _ask(
        self, method: str, path: str, body: bytes | None = None, timeout: float | None = LONGEST_ANSWER
    ) -> Iterator[HTTPResponse]:
        address = urlsplit(self.url)
        connection = HTTPConnection(reachable(address.hostname or ""), address.port or 80, timeout=timeout)
        headers = {"Authorization": f"Bearer {self.token}", "Content-Type": "application/json"}
        try:
            connection.request(method, f"{API}/{path}", body, headers)
            response = connection.getresponse()
            if response.status >= 400:
                raise refusal(response.status, response.read())
            yield response
        except (OSError, HTTPException) as error:
            raise NotRunning(
                f"Alight at {self.url} does not answer ({type(error).__name__}).",
                f"Is it still running? Start it: alight up --data {self.data}",
            ) from None
        finally:
            connection.close()


def segment(name: str) -> str:
    """`name` as one segment of a path."""
    return quote(name, safe="")


def refusal(status: int, body: bytes) -> AlightError:
    """The error an answer carries: `{"error": sentence, "hint": sentence}`."""
    try:
        given = json.loads(body)
        return AlightError(str(given["error"]), str(given.get("hint") or ""))
    except (ValueError, KeyError, TypeError, AttributeError):
        return AlightError(f"Alight answered {status}.", "Look at what `alight up` printed.")


def open_door(given: Path | None) -> Door:
    """Raises `NotRunning` where the folder has no running instance."""
    data = data_folder(given)
    facts = read_facts(data)
    if facts is None or not is_alive(facts.pid):
        raise NotRunning(f"No Alight is running on {data}.", f"Start one: alight up --data {data}")
    return Door(facts.url, credentials.load(data).admin_token, data)


def _with_query(path: str, query: dict[str, object]) -> str:
    given = {name: value for name, value in query.items() if value is not None}
    return f"{path}?{urlencode(given)}" if given else path
