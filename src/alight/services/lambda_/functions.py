"""Create, read, update and delete functions."""

from __future__ import annotations

import tempfile
from base64 import b64encode
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path
from typing import Any

from alight.calls import Call, Members
from alight.clock import Clock
from alight.errors import AlightError
from alight.errors.common import NotImplemented_
from alight.errors.lambda_ import InvalidParameterValueException
from alight.functions.package import prepare, unfit
from alight.services.lambda_ import definitions
from alight.services.lambda_.catalogue import Catalogue
from alight.services.lambda_.definitions import at_revision
from alight.services.lambda_.destination_rules import DestinationRules
from alight.services.lambda_.places import named
from alight.services.lambda_.qualifiers import LATEST, is_version, split, whole
from alight.services.members import check

#: Called with a function's name and a version, or "" for all of them, when workers must not go on with what they were
#: started with.
Retire = Callable[[str, str], Awaitable[None]]
#: Called with bucket and key; returns a file that holds the object.
Fetch = Callable[[str, str], Awaitable[Path]]


class Functions:
    """The definitions' handlers. Code is unpacked before a record names it, never after."""

    def __init__(
        self, catalogue: Catalogue, clock: Clock, *, folder: Path, retire: Retire, fetch: Fetch,
        progress: Callable[[str], None], rules: DestinationRules,
    ) -> None:  # fmt: skip
        self._catalogue = catalogue
        self._clock = clock
        self._folder = folder
        self._retire = retire
        self._fetch = fetch
        self._progress = progress
        self._rules = rules

    async def create_function(self, call: Call, given: Members) -> Members:
        name, _ = definitions.parse_name(given["FunctionName"])
        _check_kind(given)
        for member in ("Role", "Handler", "Runtime"):
            if not given.get(member):
                raise InvalidParameterValueException(f"{member} is mandatory for functions of type Zip.", Type="User")
        role = definitions.role_name(given["Role"])
        if self._catalogue.find(name) is not None:
            raise definitions.exists(name)
        self._rules.check_dead_letters(role, given.get("DeadLetterConfig"))
        body = definitions.created(given, await self._code(call, given["Code"], given["Runtime"]), self._clock.now())
        created = await self._catalogue.create(body, publish=bool(given.get("Publish")))
        # Unqualified even where a version was published: so AWS answers this one.
        return _configuration(created) | {"FunctionArn": self._catalogue.arn(name)}

    async def update_function_code(self, call: Call, given: Members) -> Members:
        name = whole(given["FunctionName"])
        runtime = self._catalogue.body(name)["Configuration"]["Runtime"]
        code = await self._code(call, given, runtime)
        if given.get("DryRun"):
            return _configuration(at_revision(self._catalogue.body(name), given))
        now = self._clock.now()
        carry_out = self._catalogue.publish if given.get("Publish") else self._catalogue.change
        body = await carry_out(name, lambda body: definitions.with_code(at_revision(body, given), code, now))
        await self._retire(name, LATEST)
        return _configuration(body)

    async def update_function_configuration(self, call: Call, given: Members) -> Members:
        if "Role" in given:
            definitions.role_name(given["Role"])
        if given.get("DeadLetterConfig"):
            role = given.get("Role") or self._catalogue.body(given["FunctionName"])["Configuration"]["Role"]
            self._rules.check_dead_letters(definitions.role_name(role), given["DeadLetterConfig"])
        name, now = whole(given["FunctionName"]), self._clock.now()
        warnings = await self._warnings(name, given.get("Runtime"))

        def change(body: dict[str, Any]) -> dict[str, Any]:
            changed = definitions.reconfigured(at_revision(body, given), given, now)
            return changed if warnings is None else definitions.warned(changed, warnings)

        body = await self._catalogue.change(name, change)
        await self._retire(name, LATEST)
        return _configuration(body)

    async def get_function(self, call: Call, given: Members) -> Members:
        body = self._catalogue.body(given["FunctionName"], given.get("Qualifier"))
        answer: Members = {
            "Configuration": _configuration(body),
            "Code": {"RepositoryType": "S3", "Location": ""},
            "Tags": body["Tags"],
        }
        if body["Reserved"] is not None:
            answer["Concurrency"] = {"ReservedConcurrentExecutions": body["Reserved"]}
        return answer

    async def get_function_configuration(self, call: Call, given: Members) -> Members:
        return _configuration(self._catalogue.body(given["FunctionName"], given.get("Qualifier")))

    async def list_functions(self, call: Call, given: Members) -> Members:
        limit = min(given.get("MaxItems", 50), 50)
        page = self._catalogue.page(given.get("Marker", ""), limit + 1)
        answer: Members = {"Functions": [_configuration(body) for body in page[:limit]]}
        if len(page) > limit:
            answer["NextMarker"] = page[limit - 1]["Configuration"]["FunctionName"]
        return answer

    async def delete_function(self, call: Call, given: Members) -> Members:
        """The whole function, or one of its versions."""
        name, qualifier = split(given["FunctionName"], given.get("Qualifier"))
        if not qualifier:
            await self._catalogue.delete(name)
        else:
            self._catalogue.body(name)
            _check_deletable(qualifier)
            await self._catalogue.delete_version(name, qualifier)
        await self._retire(name, qualifier)
        return {}

    async def _warnings(self, name: str, runtime: str | None) -> Sequence[str] | None:
        """What another runtime makes of the packages that are there; None where it stays the same."""
        if runtime is None:
            return None
        try:
            return await unfit(self._catalogue.body(name)["Code"].get("Compiled", {}), runtime)
        except AlightError as error:
            raise InvalidParameterValueException(str(error), Type="User") from None

    async def _code(self, call: Call, given: Members, runtime: str) -> Members:
        """Unpack the package that `Code` names; `Local` is for templates, which name a path of their own."""
        if "Local" in given and call.principal.kind == "service":
            return await self._unpack(Path(given["Local"]), runtime)
        if given.get("ZipFile"):
            with tempfile.NamedTemporaryFile(suffix=".zip") as file:
                file.write(given["ZipFile"])
                file.flush()
                return await self._unpack(Path(file.name), runtime)
        if given.get("S3Bucket") and given.get("S3Key"):
            return await self._unpack(await self._fetch(given["S3Bucket"], given["S3Key"]), runtime)
        raise InvalidParameterValueException("Please provide a source for function code.", Type="User")

    async def _unpack(self, source: Path, runtime: str) -> Members:
        try:
            package = await prepare(source, self._folder, progress=self._progress, runtime=runtime)
        except AlightError as error:
            raise InvalidParameterValueException(str(error), Type="User") from None
        for warning in package.warnings:
            self._progress(warning)
        return {
            **named(package, self._folder),
            "Sha256": b64encode(bytes.fromhex(package.code_hash)).decode(),
            "Size": package.size,
        }


def _check_kind(given: Members) -> None:
    """Zip files only, and of a place in a bucket what is honoured."""
    if given.get("PackageType", "Zip") != "Zip" or given["Code"].get("ImageUri"):
        raise NotImplemented_(
            "Alight runs no container images (PackageType Image, ImageUri): give the code as a zip file, in ZipFile "
            "or in S3Bucket and S3Key."
        )
    check("lambda", "CreateFunction", given["Code"], ("ZipFile", "S3Bucket", "S3Key", "Local"))


def _check_deletable(qualifier: str) -> None:
    if qualifier == LATEST:
        raise InvalidParameterValueException(
            "$LATEST version cannot be deleted without deleting the function.", Type="User"
        )
    if not is_version(qualifier):
        raise InvalidParameterValueException("Deletion of aliases is not currently supported.", Type="User")


def _configuration(body: dict[str, Any]) -> Members:
    return dict(body["Configuration"])
