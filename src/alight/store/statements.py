"""The named statements of `sql/*.sql`, so that every question the house asks its database stands in one folder.

A statement is introduced by `-- name: records.get`, a comment line that says what it does, then SQL with
`:named` parameters. A statement that reads rows with a checksum also selects `... AS intact`.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from pathlib import Path

SQL_FOLDER = Path(__file__).parent / "sql"

_PARAMETER = re.compile(r":(\w+)")
_HEADER = re.compile(r"^-- name: *(\S+) *$", re.MULTILINE)


@dataclass(slots=True)
class Statement:
    """`columns` are learnt from the first row that comes back."""

    name: str
    sql: str
    columns: tuple[str, ...] = field(default=())
    _many: dict[int, tuple[tuple[str, ...], str]] = field(default_factory=dict)

    def many(self, count: int) -> tuple[tuple[str, ...], str]:
        """An INSERT of one row as one of `count` rows: the parameters' names in their order, and its text."""
        if count not in self._many:
            before, values, row = self.sql.partition("VALUES")
            names = tuple(_PARAMETER.findall(row))
            self._many[count] = names, before + values + ", ".join([_PARAMETER.sub("?", row)] * count)
        return self._many[count]


class Statements(dict[str, Statement]):
    """All statements by name; an unknown one is a bug of ours and says which."""

    def __missing__(self, name: str) -> Statement:
        raise KeyError(f"no statement named {name!r} in {SQL_FOLDER}")


def load_statements(folder: Path = SQL_FOLDER) -> Statements:
    """Read every `*.sql` file of `folder`. Raises `ValueError` where a name comes twice or text stands outside."""
    found = Statements()
    for path in sorted(folder.glob("*.sql")):
        before, *parts = _HEADER.split(path.read_text(encoding="utf-8"))
        if any(line.strip() and not line.startswith("--") for line in before.splitlines()):
            raise ValueError(f"{path.name}: SQL before the first name")
        for name, text in zip(parts[::2], parts[1::2], strict=True):
            if name in found:
                raise ValueError(f"{path.name}: {name} is named twice")
            found[name] = Statement(name, text.strip().rstrip(";"))
    return found
