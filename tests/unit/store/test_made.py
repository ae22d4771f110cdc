"""What was made of a definition holds for that one revision, and there is an end to what is kept."""

from __future__ import annotations

import pytest

from alight.store import made
from alight.store.database import Database, Tx
from alight.store.made import Made
from alight.store.records import Records


async def test_a_definition_is_read_once_until_it_changes(database: Database) -> None:
    records, kept, read = Records(database), Made[str](), []

    def text(tx: Tx | None = None) -> str:
        def make() -> str:
            record = records.get("kind", "name", tx)
            read.append(record.body["text"] if record else "")
            return str(read[-1])

        return kept.get(("name", tx is not None), records.revision("kind", "name", tx), make)

    def taken_back(tx: Tx) -> None:
        records.put(tx, "kind", "name", {"text": "never"})
        assert text(tx) == "never"
        raise LookupError

    assert (text(), text()) == ("", "")
    await records.save("kind", "name", {"text": "first"})
    assert [text(), text(), await database.write(text), await database.write(text)] == ["first"] * 4
    with pytest.raises(LookupError):
        await database.write(taken_back)
    assert [text(), await database.write(text)] == ["first"] * 2
    await records.remove("kind", "name")
    assert (text(), await database.write(text)) == ("", "")
    assert read == ["", "first", "first", "never", "first", "", ""]


def test_what_is_kept_has_an_end(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(made, "REMEMBERED", 2)
    kept, revision = Made[int](), object()
    assert [kept.get(place, revision, lambda: 5) for place in (1, 2, 3)] == [5, 5, 5]
    assert list(kept._kept) == [3]
    assert kept.get(4, revision, lambda: 4, lambda _: False) == 4
    assert list(kept._kept) == [3]
