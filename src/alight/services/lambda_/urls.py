"""Function URLs: CreateFunctionUrlConfig and its kind, and what is served of them.

A URL belongs to a function or to one of its aliases, and goes with it. Record (kind `lambda:url`, named like an
alias'): AWS's members, `Id` (the first label of its host), and its times in seconds since 1970.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime

from alight.apis.api import Cors
from alight.apis.function_urls import PREFIX, FunctionUrl
from alight.calls import Call, Members
from alight.clock import Clock
from alight.errors.common import NotImplemented_, ValidationException
from alight.errors.lambda_ import ResourceConflictException, ResourceNotFoundException
from alight.names import function_arn, new_short_id
from alight.services.lambda_ import qualifiers
from alight.services.lambda_.catalogue import URL, Catalogue
from alight.store.database import Database, Tx
from alight.store.records import Records

MOST = 100_000
MOST_PER_PAGE = 50
_ALIAS = re.compile(r"(?!^\d+$)^[0-9a-zA-Z-_]+$")
_METHODS = ("GET", "PUT", "HEAD", "POST", "PATCH", "DELETE", "*")
_LONGEST_AGE = 86_400


class Urls:
    """The handlers, and `find` for whoever serves."""

    def __init__(self, catalogue: Catalogue, database: Database, records: Records, clock: Clock) -> None:
        self._catalogue = catalogue
        self._database = database
        self._records = records
        self._clock = clock
        #: What is served, by the URL's id, for as long as no definition changes.
        self._served: dict[str, FunctionUrl] = {}
        self._version = -1

    def find(self, url_id: str) -> FunctionUrl | None:
        if self._version != self._records.version:
            self._version = self._records.version
            bodies = [record.body for record in self._records.list(URL, limit=MOST)]
            made = {body["Id"]: _served(body) for body in bodies}
            # What is still the same stays the same object.
            self._served = {id: self._served[id] if self._served.get(id) == url else url for id, url in made.items()}
        return self._served.get(url_id)

    async def create_function_url_config(self, call: Call, given: Members) -> Members:
        name, qualifier = self._place(given)
        now = self._clock.now()
        body: Members = {
            "Id": new_short_id(32),
            "FunctionArn": function_arn(name, qualifier),
            "AuthType": given["AuthType"],
            "InvokeMode": "BUFFERED",
            "CreationTime": now,
            "LastModifiedTime": now,
        }
        body = _changed(body, given, now)

        def job(tx: Tx) -> None:
            # As of now: the function may have gone while we waited.
            self._catalogue.body(name, qualifier or None, tx)
            if self._records.get(URL, qualifiers.place(name, qualifier), tx) is not None:
                raise ResourceConflictException(
                    f"Failed to create function url config for [functionArn = {body['FunctionArn']}]. "
                    "Error message:  FunctionUrlConfig exists for this Lambda function",
                    Type="User",
                )
            self._records.put(tx, URL, qualifiers.place(name, qualifier), body)

        await self._database.write(job)
        shown = _shown(call, body)
        del shown["LastModifiedTime"]
        return shown

    async def get_function_url_config(self, call: Call, given: Members) -> Members:
        return _shown(call, self._found(*self._place(given)))

    async def list_function_url_configs(self, call: Call, given: Members) -> Members:
        name, _ = qualifiers.split(given["FunctionName"])
        self._catalogue.body(name)
        limit = min(given.get("MaxItems") or MOST_PER_PAGE, MOST_PER_PAGE)
        found = self._records.list(URL, prefix=f"{name}:", after=given.get("Marker") or "", limit=limit + 1)
        answer: Members = {"FunctionUrlConfigs": [_shown(call, record.body) for record in found[:limit]]}
        return answer | ({"NextMarker": found[limit - 1].name} if len(found) > limit else {})

    async def update_function_url_config(self, call: Call, given: Members) -> Members:
        name, qualifier = self._place(given)
        now = self._clock.now()

        def job(tx: Tx) -> Members:
            body = _changed(self._found(name, qualifier, tx), given, now)
            self._records.put(tx, URL, qualifiers.place(name, qualifier), body)
            return body

        return _shown(call, await self._database.write(job))

    async def delete_function_url_config(self, call: Call, given: Members) -> Members:
        name, qualifier = self._place(given)

        def job(tx: Tx) -> None:
            self._found(name, qualifier, tx)
            self._records.delete(tx, URL, qualifiers.place(name, qualifier))

        await self._database.write(job)
        return {}

    def _place(self, given: Members) -> tuple[str, str]:
        """Function and alias; a function that is not there is a fault of its own."""
        name, qualifier = qualifiers.split(given["FunctionName"], given.get("Qualifier"))
        if qualifier and not _ALIAS.fullmatch(qualifier):
            raise ValidationException(
                f"1 validation error detected: Value '{qualifier}' at 'qualifier' failed to satisfy constraint: "
                "Member must satisfy regular expression pattern: ((?!^\\d+$)^[0-9a-zA-Z-_]+$)"
            )
        self._catalogue.body(name, qualifier or None)
        return name, qualifier

    def _found(self, name: str, qualifier: str, tx: Tx | None = None) -> Members:
        record = self._records.get(URL, qualifiers.place(name, qualifier), tx)
        if record is None:
            raise ResourceNotFoundException("The resource you requested does not exist.", Type="User")
        return record.body


def _changed(body: Members, given: Members, now: float) -> Members:
    """`body` with what a request gives; raises where that is not valid."""
    if given.get("InvokeMode", "BUFFERED") != "BUFFERED":
        raise NotImplemented_(
            "Alight does not offer InvokeMode RESPONSE_STREAM: answers of function URLs are BUFFERED."
        )
    changed = dict(body)
    if given.get("AuthType") is not None:
        if given["AuthType"] not in ("NONE", "AWS_IAM"):
            raise _bad(given["AuthType"], "authType", "[NONE, AWS_IAM]")
        changed["AuthType"] = given["AuthType"]
    if given.get("Cors") is not None:
        changed.pop("Cors", None)
        changed |= {"Cors": _checked(given["Cors"])} if given["Cors"] else {}
    return changed | {"LastModifiedTime": now}


def _checked(cors: Members) -> Members:
    for method in cors.get("AllowMethods") or []:
        if method not in _METHODS:
            raise _bad(method, "cors.allowMethods", f"[{', '.join(_METHODS)}]")
    age = cors.get("MaxAge")
    if age is not None and not 0 <= age <= _LONGEST_AGE:
        raise ValidationException(
            f"1 validation error detected: Value '{age}' at 'cors.maxAge' failed to satisfy constraint: "
            f"Member must have value less than or equal to {_LONGEST_AGE}"
        )
    return cors


def _bad(value: str, name: str, allowed: str) -> ValidationException:
    return ValidationException(
        f"1 validation error detected: Value '{value}' at '{name}' failed to satisfy constraint: "
        f"Member must satisfy enum value set: {allowed}"
    )


def _served(body: Members) -> FunctionUrl:
    return FunctionUrl(
        body["Id"], body["FunctionArn"], body["AuthType"] == "AWS_IAM", _cors(body["Cors"]) if "Cors" in body else None
    )


def _cors(cors: Members) -> Cors:
    return Cors(
        origins=tuple(cors.get("AllowOrigins") or ()),
        methods=tuple(cors.get("AllowMethods") or ()),
        headers=tuple(cors.get("AllowHeaders") or ()),
        exposed=tuple(cors.get("ExposeHeaders") or ()),
        credentials=bool(cors.get("AllowCredentials")),
        max_age=cors.get("MaxAge"),
    )


def _shown(call: Call, body: Members) -> Members:
    """In AWS's members; the address is the one by which the client reached us."""
    address = f"{call.base_url.rstrip('/')}{PREFIX}{body['Id']}/"
    times = {
        member: datetime.fromtimestamp(body[member], UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
        for member in ("CreationTime", "LastModifiedTime")
    }
    return {member: value for member, value in body.items() if member != "Id"} | times | {"FunctionUrl": address}
