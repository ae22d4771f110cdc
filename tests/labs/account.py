"""What an account still holds, by the lists that `everything` names, which the scripts read too."""

from __future__ import annotations

from typing import Any

import jmespath

from tests.labs.driving import LABS
from tests.support import Instance

#: Names of the command line that boto3 spells otherwise.
SERVICES = {"s3api": "s3"}


def left(instance: Instance) -> dict[str, Any]:
    """`service operation` to what it shows; nothing in an empty account."""
    found = {}
    for line in (LABS / "everything").read_text().splitlines():
        if line.startswith("#"):
            continue
        service, operation, query = line.split(" ", 2)
        client = instance.client(SERVICES.get(service, service))
        method = operation.replace("-", "_")
        if client.can_paginate(method):
            answer = client.get_paginator(method).paginate().build_full_result()
        else:
            answer = getattr(client, method)()
        if shown := jmespath.search(query, answer):
            found[f"{service} {operation}"] = shown
    return found
