"""Listings against a model: a sorted dict, for any keys, prefixes, delimiters, pages."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from alight.errors.store import Damaged
from alight.store.connections import open_writer
from alight.store.listing import list_objects, list_page
from alight.store.migrations import MIGRATIONS, migrate
from alight.store.rows import Reader, Tx
from alight.store.statements import load_statements

letters = st.characters(exclude_categories=["Cs"]) | st.sampled_from("/a b%\0\U0010ffff\ud7ff\ue000")
keys = st.text(letters, min_size=1, max_size=6)
pieces = st.text(letters, max_size=3)
delimiters = st.sampled_from(["", "/", "a", "//", "\U0010ffff"]) | st.text(letters, min_size=1, max_size=2)


@pytest.fixture(scope="module")
def tx() -> Iterator[Tx]:
    connection = open_writer(Path(":memory:"))
    migrate(connection, MIGRATIONS)
    yield Tx(connection, load_statements(), unexpected)
    connection.close()


def unexpected(damage: Damaged) -> None:
    raise damage


def fill(tx: Tx, names: list[str]) -> None:
    tx._connection.execute("DELETE FROM objects")
    for name in names:
        add(tx, name)


def add(tx: Tx, key: str, bucket: str = "bucket") -> None:
    tx.run(
        "objects.put",
        bucket=bucket,
        key=key,
        version_id="",
        size=0,
        etag="",
        last_modified=0.0,
        sequencer="",
        crc64nvme="",
        segments="[]",
        info="{}",
        parts="",
    )


def expected(names: set[str], prefix: str, delimiter: str, start_after: str) -> list[tuple[str, str]]:
    """The whole listing: ("key" or "prefix", text), as S3 describes it."""
    found: list[tuple[str, str]] = []
    for name in sorted(names, key=str.encode):
        if not name.startswith(prefix) or name.encode() <= start_after.encode():
            continue
        common = roll_up(name, prefix, delimiter)
        if common is None:
            found.append(("key", name))
        elif common != start_after and ("prefix", common) not in found:
            found.append(("prefix", common))
    return found


def roll_up(name: str, prefix: str, delimiter: str) -> str | None:
    head, found, _ = name[len(prefix) :].partition(delimiter) if delimiter else (name, "", "")
    return prefix + head + found if found else None


def pages(reader: Reader, prefix: str, delimiter: str, start_after: str, limit: int) -> Iterator[list[tuple[str, str]]]:
    place: str | None = start_after
    while place is not None:
        page = list_page(reader, "bucket", prefix, delimiter, place, limit)
        place = page.next
        yield [("key", row.key) for row in page.rows] + [("prefix", text) for text in page.common_prefixes]


@settings(max_examples=300, deadline=None)
@given(
    names=st.sets(keys, max_size=40),
    prefix=pieces,
    delimiter=delimiters,
    start_after=keys | st.just(""),
    limit=st.integers(1, 12),
)
def test_pages_together_are_the_listing(
    tx: Tx, names: set[str], prefix: str, delimiter: str, start_after: str, limit: int
) -> None:
    fill(tx, list(names))
    add(tx, "foreign", bucket="another")
    found = list(pages(tx, prefix, delimiter, start_after, limit))
    wanted = expected(names, prefix, delimiter, start_after)
    assert sorted(entry for page in found for entry in page) == sorted(wanted)
    assert all(len(page) == limit for page in found[:-1])
    assert len(found[-1]) > 0 or len(wanted) == 0
    keys_only = [text for page in found for kind, text in page if kind == "key"]
    assert keys_only == sorted(keys_only, key=str.encode)


@settings(max_examples=100, deadline=None)
@given(names=st.sets(keys, max_size=40), prefix=pieces, after=keys | st.just(""), limit=st.integers(1, 50))
def test_plain_lists(tx: Tx, names: set[str], prefix: str, after: str, limit: int) -> None:
    fill(tx, list(names))
    wanted = sorted((name for name in names if name.startswith(prefix) and name > after), key=str.encode)
    assert [row.key for row in list_objects(tx, "bucket", prefix, after, limit)] == wanted[:limit]


def test_a_page_of_no_entries_is_the_end(tx: Tx) -> None:
    fill(tx, ["a"])
    assert list_page(tx, "bucket", "", "", "", 0).next is None


def test_a_common_prefix_costs_a_jump_not_a_walk(tx: Tx) -> None:
    fill(tx, [f"{folder:02}/{number:05}" for folder in range(20) for number in range(1_000)])
    counter = Counting(tx)
    page = list_page(counter, "bucket", "", "/", "", 1000)
    assert page.common_prefixes == [f"{folder:02}/" for folder in range(20)]
    assert counter.rows < 500


class Counting(Reader):
    """Counts the rows that are read."""

    def __init__(self, tx: Tx) -> None:
        super().__init__(tx._connection, tx._statements, unexpected)
        self.rows = 0

    def _rows(self, *arguments: object) -> list[dict[str, object]]:
        found = super()._rows(*arguments)  # type: ignore[arg-type]
        self.rows += len(found)
        return found
