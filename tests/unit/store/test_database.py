"""The database: durable before the answer, whole or not at all, one owner, closed for ever at the first error."""

from __future__ import annotations

import asyncio
import errno
import itertools
import os
import subprocess
import sys
import threading
from collections.abc import AsyncIterator, Callable
from functools import partial
from pathlib import Path

import apsw
import pytest

from alight.clock import ManualClock
from alight.errors import AlightError
from alight.errors.store import Damaged, InsufficientStorage, StoreUnavailable
from alight.store import database as house
from alight.store import journal, writer
from alight.store.connections import open_writer
from alight.store.database import Database, Reader, Tx
from tests.crash.unsynced import ForgetfulDisk

_names = (f"forgetful-{number}" for number in itertools.count())


@pytest.fixture
def disk() -> ForgetfulDisk:
    return ForgetfulDisk(next(_names))


@pytest.fixture
async def on_disk(disk: ForgetfulDisk, tmp_path: Path) -> AsyncIterator[Database]:
    """A database on a disk that can be told to fail."""
    connect = partial(open_writer, vfs=disk.vfs_name)
    database = await Database.open(tmp_path / "data", ManualClock(), connect=connect)
    yield database
    disk.fail_sync = disk.full = False
    disk.hold = None
    await database.close()


def save(name: str, body: str = "{}") -> Callable[[Tx], str]:
    def job(tx: Tx) -> str:
        tx.run("records.put", kind="test", name=name, body=body, now=1.0)
        return name

    return job


def names(database: Database) -> list[str]:
    rows = database.read().all("records.list", kind="test", start="", end=b"", limit=10_000)
    return [row["name"] for row in rows]


async def test_a_written_row_is_read_and_survives(tmp_path: Path, clock: ManualClock) -> None:
    database = await Database.open(tmp_path, clock)
    assert await database.write(save("one")) == "one"
    assert names(database) == ["one"]
    await database.close()
    again = await Database.open(tmp_path, clock)
    assert names(again) == ["one"]
    await again.close()


async def test_a_failing_job_takes_back_only_itself(database: Database) -> None:
    def failing(tx: Tx) -> None:
        save("lost")(tx)
        raise LookupError("no")

    results = await asyncio.gather(
        database.write(save("first")), database.write(failing), database.write(save("last")), return_exceptions=True
    )
    assert [type(result) for result in results] == [str, LookupError, str]
    assert names(database) == ["first", "last"]


async def test_a_failing_job_that_is_alone_leaves_nothing(database: Database) -> None:
    def failing(tx: Tx) -> None:
        save("lost")(tx)
        raise LookupError("no")

    for _ in range(2):
        with pytest.raises(LookupError):
            await database.write(failing)
        assert await database.write(save("kept")) == "kept"
    assert names(database) == ["kept"]


async def test_what_one_turn_of_the_loop_brings_is_one_group(database: Database) -> None:
    before, ran = database.groups, threading.Event()

    def first(tx: Tx) -> None:
        ran.set()

    async def in_between() -> None:
        assert not ran.wait(0.2), "the turn is not over"

    await asyncio.gather(database.write(first), in_between(), database.write(save("second")))
    assert database.groups == before + 1


async def test_a_patient_job_shares_the_flush_of_the_next_one(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(house, "PATIENCE", 3600.0)
    order, groups = list[str](), database.groups
    first = asyncio.create_task(database.insist(lambda tx: order.append("first"), patient=True))
    second = asyncio.create_task(database.insist(lambda tx: order.append("second"), patient=True))
    for _ in range(10):
        await asyncio.sleep(0)
    assert order == [], "they wait for company"
    await database.write(lambda tx: order.append("in a hurry"))
    await asyncio.gather(first, second)
    assert (order, database.groups) == (["first", "second", "in a hurry"], groups + 1)


async def test_a_patient_job_is_written_though_nobody_comes(database: Database) -> None:
    async with asyncio.timeout(10):
        assert await database.insist(lambda tx: "written", patient=True) == "written"


async def test_a_patient_job_is_written_before_closing(
    tmp_path: Path, clock: ManualClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(house, "PATIENCE", 3600.0)
    database = await Database.open(tmp_path, clock)
    waiting = asyncio.create_task(database.insist(lambda tx: "written", patient=True))
    await asyncio.sleep(0)
    await database.close()
    async with asyncio.timeout(10):
        assert await waiting == "written"


async def test_a_group_shares_its_flush(on_disk: Database, disk: ForgetfulDisk) -> None:
    alone = disk.syncs
    await on_disk.write(save("alone"))
    cost = disk.syncs - alone
    together = disk.syncs
    await asyncio.gather(*[on_disk.write(save(f"name{number}")) for number in range(200)])
    assert cost >= 1
    assert disk.syncs - together <= 4 * cost


async def test_each_write_alone_is_flushed(on_disk: Database, disk: ForgetfulDisk) -> None:
    before = disk.syncs
    for number in range(5):
        await on_disk.write(save(f"name{number}"))
    assert disk.syncs - before >= 5


async def test_no_answer_before_the_flush(on_disk: Database, disk: ForgetfulDisk) -> None:
    disk.hold = threading.Event()
    called: list[str] = []

    def job(tx: Tx) -> None:
        save("held")(tx)
        tx.after_commit(lambda: called.append("committed"))

    waiting = asyncio.ensure_future(on_disk.write(job))
    await asyncio.wait([waiting], timeout=0.1)
    assert not waiting.done()
    assert called == []
    disk.hold.set()
    await waiting
    assert called == ["committed"]


async def test_a_part_that_fails_alone_takes_nothing_else_back(database: Database) -> None:
    def part(tx: Tx, error: Exception) -> str:
        save("part")(tx)
        raise error

    def job(tx: Tx) -> tuple[str | None, str | None]:
        save("before")(tx)
        found = tx.apart(lambda: part(tx, apsw.CorruptError())), tx.apart(lambda: save("other part")(tx))
        save("behind")(tx)
        return found

    assert await database.write(job) == (None, "other part")
    assert names(database) == ["before", "behind", "other part"]
    assert await database.write(lambda tx: tx.apart(lambda: part(tx, LookupError()))) is None
    assert names(database) == ["before", "behind", "other part"]


async def test_a_disk_that_is_full_or_fails_fails_the_job_with_its_part(on_disk: Database) -> None:
    def refused(error: apsw.Error) -> None:
        raise error

    with pytest.raises(InsufficientStorage):
        await on_disk.write(lambda tx: tx.apart(partial(refused, apsw.FullError())))
    await on_disk.write(save("room again"))
    with pytest.raises(StoreUnavailable):
        await on_disk.write(lambda tx: tx.apart(partial(refused, apsw.IOError())))


async def test_directories_are_flushed_once_for_a_group(
    database: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    flushed: list[tuple[Path, int]] = []
    monkeypatch.setattr(writer, "sync_directory", lambda path: flushed.append((path, database.groups)))
    await asyncio.gather(*[database.write(lambda tx: tx.sync_directory(tmp_path)) for _ in range(50)])
    assert 1 <= len(flushed) < 50
    assert len(flushed) == len(set(flushed))


async def test_a_taken_back_job_flushes_no_directory(
    database: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    flushed: list[Path] = []
    monkeypatch.setattr(writer, "sync_directory", flushed.append)
    undone: list[str] = []

    def job(tx: Tx) -> None:
        tx.sync_directory(tmp_path)
        tx.after_rollback(lambda: undone.append("undone"))
        tx.after_commit(lambda: undone.append("never"))
        raise LookupError

    with pytest.raises(LookupError):
        await database.write(job)
    assert (flushed, undone) == ([], ["undone"])


async def test_a_directory_that_cannot_be_flushed_ends_it(database: Database, tmp_path: Path) -> None:
    ended: list[BaseException] = []
    database.on_fatal = ended.append

    def job(tx: Tx) -> None:
        save("unflushed")(tx)
        tx.sync_directory(tmp_path / "missing")

    with pytest.raises(StoreUnavailable):
        await database.write(job)
    with pytest.raises(StoreUnavailable):
        await database.write(save("later"))
    assert len(ended) == 1


async def test_the_first_failed_flush_ends_it(on_disk: Database, disk: ForgetfulDisk, tmp_path: Path) -> None:
    ended: list[BaseException] = []
    on_disk.on_fatal = ended.append
    await on_disk.write(save("before"))
    disk.fail_sync = True
    results = await asyncio.gather(*[on_disk.write(save(str(n))) for n in range(20)], return_exceptions=True)
    assert {type(result) for result in results} == {StoreUnavailable}
    disk.fail_sync = False
    with pytest.raises(StoreUnavailable):
        await on_disk.write(save("after"))
    with pytest.raises(StoreUnavailable):
        on_disk.read()
    assert [type(error) for error in ended] == [apsw.IOError]
    syncs = disk.syncs
    await on_disk.close()
    assert disk.syncs == syncs
    with pytest.raises(StoreUnavailable):
        await on_disk.write(save("closed"))


async def test_a_file_that_fails_beside_it_ends_it_while_a_commit_is_under_way(
    on_disk: Database, disk: ForgetfulDisk
) -> None:
    ended: list[BaseException] = []
    on_disk.on_fatal = ended.append
    disk.hold = threading.Event()
    waiting = asyncio.ensure_future(on_disk.write(save("held")))
    assert await asyncio.to_thread(disk.waits.wait, 20)
    error = OSError(errno.EIO, os.strerror(errno.EIO))
    on_disk.give_up(error)
    assert ended == [error]
    with pytest.raises(StoreUnavailable):
        await on_disk.write(save("later"))
    # What was being committed comes to its end; nothing is written behind it, at the close neither.
    disk.hold.set()
    await waiting
    syncs = disk.syncs
    await on_disk.close()
    assert disk.syncs == syncs


async def test_a_full_disk_fails_the_job_and_not_the_store(on_disk: Database, disk: ForgetfulDisk) -> None:
    undone: list[str] = []

    def job(tx: Tx) -> None:
        save("full")(tx)
        tx.after_rollback(lambda: undone.append("undone"))

    disk.full = True
    with pytest.raises(InsufficientStorage):
        await on_disk.write(job)
    disk.full = False
    await on_disk.write(save("later"))
    assert undone == ["undone"]
    rows = await on_disk.write(lambda tx: tx.all("records.list", kind="test", start="", end=b"", limit=10))
    assert [row["name"] for row in rows] == ["later"]


async def test_readers_see_only_what_is_committed(database: Database) -> None:
    inside, go_on = threading.Event(), threading.Event()

    def job(tx: Tx) -> None:
        save("open")(tx)
        inside.set()
        go_on.wait(20)

    waiting = asyncio.ensure_future(database.write(job))
    await asyncio.to_thread(inside.wait, 20)
    assert names(database) == []
    go_on.set()
    await waiting
    assert names(database) == ["open"]


async def test_what_is_read_apart_is_of_one_moment(database: Database) -> None:
    started, written = threading.Event(), threading.Event()

    def look(reader: Reader) -> list[int]:
        counts = [journal.books(reader).accepted]
        started.set()
        assert written.wait(10)
        return [*counts, journal.books(reader).accepted]

    looking = asyncio.create_task(asyncio.to_thread(database.run_apart, look))
    await asyncio.to_thread(started.wait, 10)
    await database.write(lambda tx: journal.accept(tx, journal.NewEvent("e1", "f", b"{}", {}, 0.0, 1.0)))
    written.set()
    assert await looking == [0, 0]
    assert journal.books(database.read()).accepted == 1


async def test_what_has_happened_is_recorded_once_there_is_room(on_disk: Database, disk: ForgetfulDisk) -> None:
    tries = []

    def job(tx: Tx) -> str:
        tries.append(tx)
        if len(tries) < 3:
            raise InsufficientStorage
        return "recorded"

    recording = asyncio.create_task(on_disk.insist(job))
    clock = on_disk.clock
    assert isinstance(clock, ManualClock)
    async with asyncio.timeout(10):
        while not recording.done():
            await asyncio.sleep(0.002)
            clock.advance(1)
    assert (recording.result(), len(tries)) == ("recorded", 3)


async def test_what_follows_a_commit_comes_before_the_caller_goes_on(database: Database) -> None:
    order: list[str] = []

    def job(tx: Tx) -> None:
        tx.after_commit(lambda: order.append(threading.current_thread().name))

    await database.write(job)
    order.append("caller")
    assert order == [threading.current_thread().name, "caller"]


async def test_a_cancelled_caller_leaves_no_half_job(database: Database) -> None:
    inside, go_on = threading.Event(), threading.Event()

    def slow(tx: Tx) -> None:
        inside.set()
        go_on.wait(20)
        save("begun")(tx)

    begun = asyncio.ensure_future(database.write(slow))
    await asyncio.to_thread(inside.wait, 20)
    queued = asyncio.ensure_future(database.write(save("queued")))
    await asyncio.sleep(0)
    begun.cancel()
    queued.cancel()
    await asyncio.wait([begun, queued])
    go_on.set()
    await database.write(save("later"))
    assert names(database) == ["begun", "later"]


async def test_what_was_queued_is_written_before_closing(tmp_path: Path, clock: ManualClock) -> None:
    database = await Database.open(tmp_path, clock)
    waiting = [asyncio.ensure_future(database.write(save(f"n{number:03}"))) for number in range(300)]
    await asyncio.sleep(0)
    await database.close()
    assert len(await asyncio.gather(*waiting)) == 300
    with pytest.raises(StoreUnavailable):
        await database.write(save("late"))


async def test_the_log_does_not_grow_for_ever(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(writer, "CHECKPOINT_IDLE", 20)
    monkeypatch.setattr(writer, "CHECKPOINT_BUSY", 20)
    for number in range(60):
        await database.write(save("same", body="x" * 20_000 + str(number)))
    assert (database.folder / "alight.db-wal").stat().st_size < 2_000_000


async def test_a_second_instance_is_refused_with_the_pid_of_the_first(database: Database, clock: ManualClock) -> None:
    with pytest.raises(AlightError, match=rf"in use by process {os.getpid()}\b"):
        await Database.open(database.folder, clock)


async def test_a_second_process_is_refused_until_the_first_is_killed(tmp_path: Path, clock: ManualClock) -> None:
    script = (
        "import sys, time; from pathlib import Path; from alight.store.lock import FolderLock;"
        "lock = FolderLock(Path(sys.argv[1])); print('held', flush=True); time.sleep(60)"
    )
    first = subprocess.Popen([sys.executable, "-c", script, str(tmp_path)], stdout=subprocess.PIPE)
    assert first.stdout is not None
    with first.stdout:
        await asyncio.to_thread(first.stdout.readline)
        with pytest.raises(AlightError, match=rf"in use by process {first.pid}\b"):
            await Database.open(tmp_path, clock)
        first.kill()
        first.wait()
    await (await Database.open(tmp_path, clock)).close()


async def test_a_damaged_row_is_named_and_stops_nobody(database: Database) -> None:
    for name in ("a", "b", "c"):
        await database.write(save(name))
    found: list[str] = []
    database.on_damage = lambda damage: found.append(damage.key)
    damage_row(database.folder, "UPDATE records SET body = '{\"x\":1}' WHERE name = 'b'")
    assert names(database) == ["a", "c"]
    with pytest.raises(Damaged, match="records test b"):
        database.read().one("records.get", kind="test", name="b")
    with pytest.raises(Damaged):
        await database.write(lambda tx: tx.one("records.get", kind="test", name="b"))
    assert await database.write(save("b")) == "b"
    assert names(database) == ["a", "b", "c"]
    assert set(found) == {"test b"}


def damage_row(folder: Path, sql: str) -> None:
    """Change a row behind the database's back."""
    connection = apsw.Connection(str(folder / "alight.db"))
    connection.execute(sql)
    connection.close()


async def test_an_unknown_statement_is_our_bug_and_says_so(database: Database) -> None:
    with pytest.raises(KeyError, match=r"no\.such"):
        database.read().one("no.such")


async def test_settings_of_the_connection(database: Database) -> None:
    def look(tx: Tx) -> tuple[object, ...]:
        return tuple(tx._connection.pragma(name) for name in ("journal_mode", "synchronous", "fullfsync"))

    assert await database.write(look) == ("wal", 2, 1)
