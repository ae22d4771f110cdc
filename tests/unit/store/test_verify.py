"""What `alight verify` reads beside objects: accounts of attempts; the code of functions and layers, by their seals."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from alight.seal import seal_of
from alight.services.lambda_.layers import KIND as LAYER
from alight.services.lambda_.sealing import seal_what_is_not
from alight.store import journal
from alight.store.database import Database
from alight.store.journal import AttemptRecord
from alight.store.records import Records
from alight.store.verify import verify

FUNCTION, VERSION = "lambda:function", "lambda:version"


def code(database: Database, name: str) -> Path:
    folder = database.folder / "functions" / "code" / name
    (folder / "package").mkdir(parents=True)
    (folder / "app.py").write_text("def handler(event, context): ...\n")
    (folder / "package" / "data.bin").write_bytes(bytes(1000))
    return folder


async def keep(database: Database, kind: str, name: str, member: str, *, sealed: bool = True) -> Path:
    folder = code(database, name.replace(":", "-"))
    place = {"Dir": str(folder.relative_to(database.folder / "functions"))}
    place |= {"Seal": seal_of(folder)} if sealed else {}
    body = {"Code": {"Dir": "", "Seal": ""}} | {member: place}
    await database.write(lambda tx: Records(database).put(tx, kind, name, body))
    return folder


@pytest.mark.parametrize(
    ("kind", "name", "member"), [(FUNCTION, "f", "Code"), (FUNCTION, "f", "Opt"), (VERSION, "f:1", "Code"),
                                 (LAYER, "l:1", "Code")]
)  # fmt: skip
async def test_code_that_is_not_as_it_was_stored_is_found(
    database: Database, kind: str, name: str, member: str
) -> None:
    folder = await keep(database, kind, name, member)
    assert verify(database.folder) == []
    with (folder / "package" / "data.bin").open("r+b") as file:
        file.seek(500)
        file.write(b"\x01")
    [found] = verify(database.folder)
    assert (found.what, found.key) == ("code", f"{kind.partition(':')[2]} {name}: code/{folder.name}")


async def test_a_damaged_account_of_an_attempt_is_found_and_not_shown(database: Database) -> None:
    good = AttemptRecord("e", 1, "request", 1.0, 2.0, "error", {"errorType": "Boom"})
    await database.write(lambda tx: journal.record_attempt(tx, good))
    await database.write(lambda tx: journal.record_attempt(tx, replace(good, fence=2, outcome="ok", error=None)))
    assert verify(database.folder) == []
    assert len(journal.attempts(database.read(), "e")) == 2
    await database.write(lambda tx: tx._connection.execute("UPDATE attempts SET outcome = 'ok' WHERE fence = 1"))
    assert [(found.what, found.key) for found in verify(database.folder)] == [("attempts", "e 1")]
    assert [one.fence for one in journal.attempts(database.read(), "e")] == [2]


async def test_code_that_is_gone_is_found(database: Database) -> None:
    folder = await keep(database, FUNCTION, "f", "Code")
    folder.rename(folder.with_name("elsewhere"))
    assert [found.what for found in verify(database.folder)] == ["code"]


async def test_code_of_an_older_folder_is_sealed_at_the_first_look(database: Database) -> None:
    records = Records(database)
    folders = [
        await keep(database, kind, name, "Code", sealed=False)
        for kind, name in ((FUNCTION, "f"), (VERSION, "f:1"), (LAYER, "l:1"))
    ]
    (folders[0] / "app.py").write_text("changed before anybody looked\n")
    await seal_what_is_not(database, records, database.folder / "functions")
    assert verify(database.folder) == []
    groups = database.groups
    await seal_what_is_not(database, records, database.folder / "functions")
    assert database.groups == groups, "once is enough"
    for folder in folders:
        (folder / "app.py").write_text("changed after\n")
    assert len(verify(database.folder)) == 3
