"""Which API answers at an address: both kinds, by id and stage, as they were deployed.

Asked for every request, so an answer is kept until the API's record changes; then it is made anew, and if nothing
that is served has changed, it is the same object again.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from alight.apis.api import Api
from alight.services.apigateway import compile as rest
from alight.services.apigateway.ledger import Ledger
from alight.services.apigatewayv2 import compile as http

#: (ledger, API's id) → what its stages serve, by name
Make = Callable[[Ledger, str], dict[str, Api]]

#: APIs whose answers are kept; more than that and the least useful thing is to keep them all.
MOST = 1_024
_ID = re.compile(r"[a-z0-9]{1,32}")


@dataclass(frozen=True, slots=True)
class _Kept:
    """What is served of one API, by stage; `revision` is that of the record from which it was made."""

    revision: object
    stages: Mapping[str, Api]


class Served:
    """`find` over the ledgers of REST and HTTP APIs."""

    def __init__(self, rest_apis: Ledger, http_apis: Ledger) -> None:
        self._kinds: tuple[tuple[Ledger, Make], ...] = ((rest_apis, _rest), (http_apis, _http))
        self._kept: dict[str, _Kept] = {}

    def find(self, api_id: str, stage: str) -> Api | None:
        """What is served there, or None where there is no such API or stage, or nothing was deployed to it."""
        return self.stages(api_id).get(stage)

    def stages(self, api_id: str) -> Mapping[str, Api]:
        """What is served of one API, by stage; empty where there is no such API."""
        if not _ID.fullmatch(api_id):
            return {}
        for ledger, make in self._kinds:
            revision = ledger.revision(api_id)
            if revision is not None:
                kept = self._kept.get(api_id)
                if kept is None or kept.revision is not revision:
                    kept = self._kept[api_id] = self._made(ledger, make, api_id, revision, kept)
                return kept.stages
        self._kept.pop(api_id, None)
        return {}

    def all(self) -> list[Api]:
        """Every stage of every API that serves something."""
        ids = [str(body["Api"].get("id") or body["Api"]["ApiId"]) for ledger, _ in self._kinds for body in ledger.all()]
        return [api for api_id in ids for api in self.stages(api_id).values()]

    def _made(self, ledger: Ledger, make: Make, api_id: str, revision: object, before: _Kept | None) -> _Kept:
        if len(self._kept) >= MOST:
            self._kept.clear()
        made = make(ledger, api_id)
        old = before.stages if before else {}
        return _Kept(revision, {name: old[name] if old.get(name) == api else api for name, api in made.items()})


def _rest(ledger: Ledger, api_id: str) -> dict[str, Api]:
    body = ledger.body(api_id)
    found = {name: (stage, ledger.deployed(api_id, stage["deploymentId"])) for name, stage in body["Stages"].items()}
    return {name: rest.compiled(body, stage, held) for name, (stage, held) in found.items() if held}


def _http(ledger: Ledger, api_id: str) -> dict[str, Api]:
    body = ledger.body(api_id)
    stages = {name: stage for name, stage in body["Stages"].items() if stage.get("DeploymentId")}
    found = {name: (stage, ledger.deployed(api_id, stage["DeploymentId"])) for name, stage in stages.items()}
    return {name: http.compiled(body, stage, held) for name, (stage, held) in found.items() if held}
