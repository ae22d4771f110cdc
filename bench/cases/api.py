"""An HTTP API before a function that does nothing, beside an application that says `ok` on the same server."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import urlsplit

from bench import ours, wrk
from bench.case import Case, Contender, Counted, Size, Work
from bench.servers import free_port, heard, server

LIMIT = Path(__file__).resolve().parents[1] / "limits" / "asgi.py"
MANY, ONE = "HTTP API, function that does nothing, 16 clients", "HTTP API, function that does nothing, 1 client"
TEMPLATE = """
AWSTemplateFormatVersion: "2010-09-09"
Transform: AWS::Serverless-2016-10-31
Resources:
  Nothing:
    Type: AWS::Serverless::Function
    Properties:
      Runtime: python3.11
      Handler: index.handler
      InlineCode: |
        def handler(event, context):
            return {"statusCode": 200, "body": "ok"}
      Events:
        Ask: {Type: HttpApi, Properties: {Path: /, Method: GET}}
Outputs:
  ApiUrl: {Value: !Sub "https://${ServerlessHttpApi}.execute-api.${AWS::Region}.amazonaws.com/"}
"""


def asking(url: str) -> wrk.Requests:
    to = urlsplit(url)
    return wrk.Requests([f"GET {to.path} HTTP/1.1\r\nHost: {to.netloc}\r\n\r\n".encode()])


def loads(url: str, size: Size) -> dict[str, Callable[[int], Counted]]:
    requests = asking(url)
    wrk.answers(url, requests, [b"ok"])
    wrk.warm(url, requests, size)
    return wrk.many_and_one(url, requests, size, MANY, ONE)


def case(size: Size, folder: Path) -> Case:
    @contextmanager
    def limit(place: Path) -> Iterator[Work]:
        port = free_port()
        url = f"http://127.0.0.1:{port}/"
        with server([sys.executable, LIMIT, str(port)], place / "log", heard(url)) as pid:
            yield Work(loads(url, size), (pid,))

    @contextmanager
    def alight(place: Path) -> Iterator[Work]:
        with ours.running(place, ours.app(place / "app", TEMPLATE)) as instance:
            yield Work(loads(instance.outputs["ApiUrl"], size), (instance.pid,))

    return Case(
        "api", Contender("bare ASGI application", limit, tools=("wrk",)), Contender("Alight", alight, tools=("wrk",))
    )
