"""`docs/reference/coverage.md`, made from the tables by which requests and templates are judged (`make docs`)."""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Iterator, Mapping
from typing import Any

from botocore.loaders import Loader
from botocore.model import ServiceModel

from alight import services
from alight.services.members import Support
from alight.stacks import service as formation
from alight.stacks.properties import Honoured, Matching, Neutral, Only, Refused
from alight.stacks.tables import REFUSED_TYPES, TABLES
from tests.laws.source import ROOT

PAGE = ROOT / "docs" / "reference" / "coverage.md"
SERVICES = (
    "s3", "lambda", "sagemaker", "sagemaker-runtime", "sns", "sqs", "logs", "cloudwatch", "iam", "sts",
    "apigateway", "apigatewayv2", "cloudformation",
)  # fmt: skip

HEAD = """# Coverage

Made from the tables by which Alight judges every request and every template (`make docs`). What stands here is
*honoured* (it does what AWS says) or *neutral* (there is nothing to act on here: taken, kept, returned where AWS
returns it, without effect). Everything else is refused by name: an operation or a member with 501 in the service's own
error format, a property with file, path and line.

## Operations
"""


def operation_tables() -> Iterator[Mapping[str, Support]]:
    """Every table of operations in the services' modules."""
    seen: set[int] = set()
    places = [(services.__path__, f"{services.__name__}."), (formation.__path__, f"{formation.__name__}.")]
    for found in (module for place in places for module in pkgutil.walk_packages(*place)):
        for value in vars(importlib.import_module(found.name)).values():
            if _is_table(value) and id(value) not in seen:
                seen.add(id(value))
                yield value


def _is_table(value: object) -> bool:
    return isinstance(value, Mapping) and bool(value) and all(isinstance(row, Support) for row in value.values())


def by_service() -> dict[str, dict[str, Support]]:
    """The tables joined by the service whose model knows their operations."""
    loader = Loader()
    models = {name: ServiceModel(loader.load_service_model(name, "service-2")) for name in SERVICES}
    joined: dict[str, dict[str, Support]] = {name: {} for name in SERVICES}
    for table in operation_tables():
        owners = [name for name, model in models.items() if set(table) <= set(model.operation_names)]
        if not owners:
            raise ValueError(f"no service has all of {', '.join(table)}")
        joined[owners[0]] |= table
    return joined


def operations() -> Iterator[str]:
    for service, table in by_service().items():
        if not table:
            continue
        yield f"### {service}: {len(table)}\n\n| operation | honoured | neutral |\n|---|---|---|"
        for name, row in sorted(table.items()):
            yield f"| {name} | {_names(row.honoured)} | {_names(row.neutral)} |"
        yield ""


def properties() -> Iterator[str]:
    for kind, table in sorted(TABLES.items()):
        yield f"### {kind}\n\n| property | |\n|---|---|"
        yield from (f"| {path} | {word} |" for path, word in _rows(table, ""))
        yield ""
    yield "### Types that are refused\n\n| type | why |\n|---|---|"
    yield from (f"| {kind} | {why} |" for kind, why in sorted(REFUSED_TYPES.items()))


def _rows(row: Any, path: str) -> Iterator[tuple[str, str]]:
    match row:
        case Honoured():
            yield path, "honoured"
        case Neutral():
            yield path, "neutral"
        case Refused(why):
            yield path, f"refused: {why}"
        case Only(values, why, neutral):
            yield path, f"{'neutral' if neutral else 'honoured'} for {', '.join(values)}; else refused: {why}"
        case Matching(_, why):
            yield path, f"honoured for some; else refused: {why}"
        case list():
            yield from _rows(row[0], f"{path}[]")
        case _:
            for name, inner in row.items():
                yield from _rows(inner, f"{path}.{name}" if path else name)


def _names(members: frozenset[str]) -> str:
    return ", ".join(sorted(members))


def page() -> str:
    return "\n".join([HEAD, *operations(), "\n## Template properties\n", *properties()]) + "\n"


if __name__ == "__main__":
    PAGE.write_text(page())
