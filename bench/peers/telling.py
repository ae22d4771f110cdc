"""How a peer without topics tells somebody: a POST over a connection that stays open, one for each thread."""

from __future__ import annotations

import http.client
import json
import threading
from urllib.parse import urlsplit

_own = threading.local()


def tell(url: str, message: str) -> None:
    if not hasattr(_own, "connection"):
        _own.connection = http.client.HTTPConnection(urlsplit(url).netloc, timeout=30)
    _own.connection.request("POST", "/", json.dumps({"Message": message}), {"Content-Type": "application/json"})
    _own.connection.getresponse().read()
