"""Models and endpoint configurations: written down, described, listed, forgotten."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from typing import Any

from alight.calls import Call, Members
from alight.errors.sagemaker import ValidationException
from alight.names import Arn
from alight.services.sagemaker import tables
from alight.store.records import Record, Records

MODEL, CONFIGURATION, ENDPOINT = "sagemaker:model", "sagemaker:endpoint-config", "sagemaker:endpoint"
_NAME = re.compile(r"[a-zA-Z0-9](-*[a-zA-Z0-9]){0,62}")
_WORDS = {MODEL: "model", CONFIGURATION: "endpoint configuration", ENDPOINT: "endpoint"}
_PATHS = {MODEL: "model", CONFIGURATION: "endpoint-config", ENDPOINT: "endpoint"}
PAGE = 10
MOST = 100
ALL = 10_000


class Definitions:
    """Handlers of both kinds; each body in the records is what was given."""

    def __init__(self, records: Records) -> None:
        self._records = records

    async def create_model(self, call: Call, given: Members) -> Members:
        tables.check_model(given)
        name = given["ModelName"]
        containers = given.get("Containers") or []
        if len(containers) > 1:
            raise ValidationException("A model of several containers is not supported; give one PrimaryContainer.")
        container = given.get("PrimaryContainer") or (containers[0] if containers else None)
        if container is None:
            raise ValidationException("A PrimaryContainer or Containers must be given.")
        check_new(self._records, MODEL, name, "modelName")
        check_model_data(call, model_data_url(container))
        await self._records.save(MODEL, name, {**given, "PrimaryContainer": container})
        return {"ModelArn": arn(MODEL, name)}

    async def describe_model(self, call: Call, given: Members) -> Members:
        record = known(self._records, MODEL, given["ModelName"])
        kept = ("ModelName", "PrimaryContainer", "ExecutionRoleArn", "VpcConfig", "EnableNetworkIsolation")
        return {
            **{key: record.body[key] for key in kept if key in record.body},
            "ModelArn": arn(MODEL, record.name),
            "CreationTime": moment(record.created),
        }

    async def list_models(self, call: Call, given: Members) -> Members:
        return listing(self._records.list(MODEL, limit=ALL), given, "Models", lambda record: summary(record, "Model"))

    async def delete_model(self, call: Call, given: Members) -> Members:
        known(self._records, MODEL, given["ModelName"])
        await self._records.remove(MODEL, given["ModelName"])
        return {}

    async def create_endpoint_config(self, call: Call, given: Members) -> Members:
        tables.check_configuration(given)
        name = given["EndpointConfigName"]
        check_new(self._records, CONFIGURATION, name, "endpointConfigName")
        variants = given["ProductionVariants"]
        names = [variant["VariantName"] for variant in variants]
        if not names or len(set(names)) != len(names):
            raise ValidationException("ProductionVariants must have one variant at least, each with a name of its own.")
        for variant in variants:
            if not variant.get("ModelName"):
                raise ValidationException(f"Production variant {variant['VariantName']} names no model.")
            known(self._records, MODEL, variant["ModelName"])
        await self._records.save(CONFIGURATION, name, given)
        return {"EndpointConfigArn": arn(CONFIGURATION, name)}

    async def describe_endpoint_config(self, call: Call, given: Members) -> Members:
        record = known(self._records, CONFIGURATION, given["EndpointConfigName"])
        kept = {key: value for key, value in record.body.items() if key != "Tags"}
        return {**kept, "EndpointConfigArn": arn(CONFIGURATION, record.name), "CreationTime": moment(record.created)}

    async def list_endpoint_configs(self, call: Call, given: Members) -> Members:
        records = self._records.list(CONFIGURATION, limit=ALL)
        return listing(records, given, "EndpointConfigs", lambda record: summary(record, "EndpointConfig"))

    async def delete_endpoint_config(self, call: Call, given: Members) -> Members:
        known(self._records, CONFIGURATION, given["EndpointConfigName"])
        await self._records.remove(CONFIGURATION, given["EndpointConfigName"])
        return {}


def arn(kind: str, name: str) -> str:
    """SageMaker spells its resources in lower case in their ARNs."""
    return str(Arn("sagemaker", f"{_PATHS[kind]}/{name.lower()}"))


def moment(seconds: float) -> datetime:
    return datetime.fromtimestamp(seconds, UTC)


def known(records: Records, kind: str, name: str) -> Record:
    """Raises `ValidationException` in AWS's words where there is none."""
    record = records.get(kind, name)
    if record is None:
        raise ValidationException(f'Could not find {_WORDS[kind]} "{arn(kind, name)}".')
    return record


def check_new(records: Records, kind: str, name: str, member: str) -> None:
    """Raises `ValidationException` where the name is not allowed or taken."""
    if not _NAME.fullmatch(name):
        raise ValidationException(
            f"1 validation error detected: Value '{name}' at '{member}' failed to satisfy constraint: "
            "Member must satisfy regular expression pattern: ^[a-zA-Z0-9](-*[a-zA-Z0-9]){0,62}"
        )
    if records.get(kind, name) is not None:
        raise ValidationException(f'Cannot create already existing {_WORDS[kind]} "{arn(kind, name)}".')


def model_data_url(container: Members) -> str:
    """Where the package is: `ModelDataUrl`, or the S3 object of `ModelDataSource`. Empty where neither is given."""
    source = (container.get("ModelDataSource") or {}).get("S3DataSource") or {}
    return str(container.get("ModelDataUrl") or source.get("S3Uri") or "")


def check_model_data(call: Call, url: str) -> None:
    """A local path is taken from our own template loader only, never from the wire."""
    if url.startswith("s3://"):
        return
    if url.startswith("file:///") and call.principal.kind == "service":
        return
    if not url:
        raise ValidationException("The container names no model data; give ModelDataUrl.")
    raise ValidationException(f"ModelDataUrl must be an s3:// URL; given: {url}")


def summary(record: Record, word: str) -> Members:
    kind = {"Model": MODEL, "EndpointConfig": CONFIGURATION}[word]
    return {
        f"{word}Name": record.name,
        f"{word}Arn": arn(kind, record.name),
        "CreationTime": moment(record.created),
    }


def listing(records: Sequence[Record], given: Members, member: str, show: Callable[[Record], Members]) -> Members:
    """One page of what the filters let through; the token is the number of entries already shown."""
    kept = [record for record in records if _wanted(record, given)]
    by_name = given.get("SortBy") == "Name"
    kept.sort(key=lambda record: record.name if by_name else (record.created, record.name))
    if given.get("SortOrder", "Descending") == "Descending":
        kept.reverse()
    start, size = _start(given.get("NextToken")), min(given.get("MaxResults") or PAGE, MOST)
    page: Members = {member: [show(record) for record in kept[start : start + size]]}
    return {**page, "NextToken": str(start + size)} if start + size < len(kept) else page


def _start(token: str | None) -> int:
    if token and not token.isdigit():
        raise ValidationException("Invalid pagination token.")
    return int(token or 0)


def _wanted(record: Record, given: Members) -> bool:
    def between(value: float, after: Any, before: Any) -> bool:
        return (after is None or value > after.timestamp()) and (before is None or value < before.timestamp())

    return (
        (given.get("NameContains") or "").lower() in record.name.lower()
        and between(record.created, given.get("CreationTimeAfter"), given.get("CreationTimeBefore"))
        and between(record.modified, given.get("LastModifiedTimeAfter"), given.get("LastModifiedTimeBefore"))
    )
