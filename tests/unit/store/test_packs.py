"""Bodies in packs: one behind the other, flushed together, and their room comes back."""

from __future__ import annotations

import asyncio
import errno
import os
import threading
from collections.abc import Callable
from functools import partial
from pathlib import Path

import pytest

from alight.clock import ManualClock
from alight.errors.store import Damaged, InsufficientStorage
from alight.store import connections, packs
from alight.store.backup import back_up, restore
from alight.store.database import Database, Tx
from alight.store.objects import ObjectStore
from alight.store.packs import PACKED_LIMIT, Packed
from alight.store.receiving import Incoming
from alight.store.shapes import ObjectInfo, ObjectRow
from alight.store.verify import verify
from tests.unit.store.conftest import Put, chunked, files, read
from tests.unit.store.test_objects import until

SIZE = 150_000


@pytest.fixture(autouse=True)
def _makes_holes(store: ObjectStore) -> None:
    if store._bodies.packs.limit != PACKED_LIMIT:
        pytest.skip("this file system makes no holes")


def packs_of(database: Database) -> list[Path]:
    return sorted((database.folder / "packs").iterdir())


def taken(database: Database) -> int:
    """Bytes of the disk that packs take."""
    return sum(path.stat().st_blocks * 512 for path in packs_of(database))


def place(row: ObjectRow) -> Packed:
    (segment,) = row.segments
    found = Packed.of(segment.body)
    assert found
    return found


async def together(store: ObjectStore, database: Database, bodies: dict[str, bytes]) -> list[ObjectRow]:
    """All of them in one commit group."""
    arrived = {key: await store.receive(chunked(body)) for key, body in bodies.items()}
    return await asyncio.gather(*[
        database.write(partial(store.put, bucket="bucket", key=key, incoming=incoming, info=ObjectInfo()))
        for key, incoming in arrived.items()
    ])  # fmt: skip


async def test_they_lie_one_behind_the_other_each_on_a_block_of_its_own(
    store: ObjectStore, put: Put, database: Database
) -> None:
    bodies = [os.urandom(size) for size in (SIZE, PACKED_LIMIT, 70_000)]
    rows = [await put(str(number), body) for number, body in enumerate(bodies)]
    assert [await read(store, row) for row in rows] == bodies
    assert await read(store, rows[1], 5, 1000) == bodies[1][5:1000]
    assert len({place(row).pack for row in rows}) == len(packs_of(database)) == 1
    assert [place(row).start for row in rows] == [0, 151_552, 151_552 + PACKED_LIMIT]
    assert packs_of(database)[0].stat().st_mode & 0o777 == 0o600
    assert files(database) == []
    assert verify(database.folder) == []


async def test_one_that_is_deleted_gives_its_room_back_and_the_others_stay(
    store: ObjectStore, put: Put, database: Database
) -> None:
    bodies = [os.urandom(SIZE) for _ in range(3)]
    rows = [await put(str(number), body) for number, body in enumerate(bodies)]
    whole = taken(database)
    await database.write(lambda tx: store.delete(tx, "bucket", "1"))
    await until(lambda: taken(database) <= whole - SIZE)
    assert [await read(store, rows[number]) for number in (0, 2)] == [bodies[0], bodies[2]]
    for key in ("0", "2"):
        await database.write(partial(store.delete, bucket="bucket", key=key))
    await until(lambda: taken(database) == 0)
    assert verify(database.folder) == []


async def test_a_place_is_never_used_again(store: ObjectStore, put: Put, database: Database) -> None:
    first = place(await put("key", os.urandom(SIZE)))
    await database.write(lambda tx: store.delete(tx, "bucket", "key"))
    assert place(await put("key", os.urandom(SIZE))).start >= first.end


async def test_a_reader_keeps_its_bytes(store: ObjectStore, put: Put, database: Database) -> None:
    body = os.urandom(SIZE)
    reading = store.open_body(await put("key", body))
    await database.write(lambda tx: store.delete(tx, "bucket", "key"))
    assert b"".join([chunk async for chunk in reading]) == body
    await until(lambda: taken(database) == 0)


async def test_a_job_that_fails_gives_its_room_back(store: ObjectStore, put: Put, database: Database) -> None:
    kept = os.urandom(SIZE)
    row = await put("kept", kept)
    before = taken(database)
    incoming = await store.receive(chunked(os.urandom(SIZE)))

    def job(tx: Tx) -> None:
        store.put(tx, "bucket", "key", incoming, ObjectInfo())
        raise LookupError

    with pytest.raises(LookupError):
        await database.write(job)
    assert await read(store, row) == kept
    await put("after", b"small")
    assert taken(database) == before


async def held_up(
    store: ObjectStore, monkeypatch: pytest.MonkeyPatch, first: Callable[[Path], None]
) -> tuple[list[asyncio.Task[Incoming]], list[Path]]:
    """Three bodies, of which two are written while the flush of one is under way; it ends as `first` does."""
    flushes: list[Path] = []
    begun, go_on = threading.Event(), threading.Event()

    def flush(path: Path) -> None:
        flushes.append(path)
        if len(flushes) > 1:
            return connections.sync_file(path)
        begun.set()
        go_on.wait(20)
        first(path)

    monkeypatch.setattr(packs, "sync_file", flush)
    arriving = [asyncio.create_task(store.receive(chunked(os.urandom(SIZE))))]
    await asyncio.to_thread(begun.wait, 20)
    arriving += [asyncio.create_task(store.receive(chunked(os.urandom(SIZE)))) for _ in range(2)]
    await until(lambda: store._bodies.packs._written == 3)
    assert not any(one.done() for one in arriving)
    go_on.set()
    return arriving, flushes


async def test_one_flush_serves_all_that_were_written_meanwhile(
    store: ObjectStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    arriving, flushes = await held_up(store, monkeypatch, connections.sync_file)
    await asyncio.gather(*arriving)
    assert len(flushes) == 2


async def test_what_was_written_until_a_flush_has_failed_is_lost(
    store: ObjectStore, put: Put, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The next flush may say nothing of it."""

    def full(path: Path) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    arriving, flushes = await held_up(store, monkeypatch, full)
    for one in arriving:
        with pytest.raises(InsufficientStorage):
            await one
    assert len(flushes) == 1
    await put("key", os.urandom(SIZE))
    assert len(packs_of(database)) == 2


def test_what_is_lost_is_lost_for_who_hears_of_it_after_the_next_flush(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made, waiting = packs.Packs(tmp_path), list[int]()
    with monkeypatch.context() as late:
        late.setattr(made, "_flush", waiting.append)
        made.add(b"waits for its turn to flush")
    with monkeypatch.context() as full:
        full.setattr(packs, "sync_file", no_room)
        with pytest.raises(OSError, match="space"):
            made.add(b"flushes both")
    made.add(b"in another pack")
    with pytest.raises(OSError, match="space"):
        made._flush(*waiting)
    made.close()


def no_room(*given: object) -> int:
    raise OSError(errno.ENOSPC, "No space left on device")


async def test_an_upload_that_is_cut_off_gives_its_room_back(
    store: ObjectStore, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    arriving, _ = await held_up(store, monkeypatch, connections.sync_file)
    for one in arriving:
        one.cancel()
    await asyncio.wait(arriving)
    await until(lambda: taken(database) == 0)


async def test_giving_up_what_is_an_object_already_is_harmless(store: ObjectStore, database: Database) -> None:
    """A client that goes away while its job commits."""
    body = os.urandom(SIZE)
    incoming = await store.receive(chunked(body))
    row = await database.write(partial(store.put, bucket="bucket", key="key", incoming=incoming, info=ObjectInfo()))
    incoming.discard()
    assert await read(store, row) == body


async def test_what_was_given_up_is_no_object(store: ObjectStore, database: Database) -> None:
    incoming = await store.receive(chunked(os.urandom(SIZE)))
    incoming.discard()
    assert taken(database) == 0
    with pytest.raises(FileNotFoundError):
        await database.write(partial(store.put, bucket="bucket", key="key", incoming=incoming, info=ObjectInfo()))


async def test_the_name_of_a_pack_is_on_the_disk_before_anything_is_in_it(
    store: ObjectStore, put: Put, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    order: list[Path] = []
    monkeypatch.setattr(packs, "sync_directory", order.append)
    await put("key", os.urandom(SIZE))
    await put("other", os.urandom(SIZE))
    assert order == [database.folder / "packs"]


async def test_a_pack_whose_name_could_not_be_flushed_is_not_written_to(
    store: ObjectStore, put: Put, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    order: list[Path] = []

    def full(path: Path) -> None:
        order.append(path)
        if len(order) == 1:
            raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(packs, "sync_directory", full)
    with pytest.raises(InsufficientStorage):
        await put("key", os.urandom(SIZE))
    body = os.urandom(SIZE)
    assert await read(store, await put("key", body)) == body
    assert order == [database.folder / "packs"] * 2


@pytest.mark.parametrize("at", ["write", "flush"])
async def test_no_room_is_said_and_it_goes_on(
    at: str, store: ObjectStore, put: Put, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    await put("there", os.urandom(SIZE))

    def full(*given: object) -> int:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(*(os, "pwrite") if at == "write" else (packs, "sync_file"), full)
    with pytest.raises(InsufficientStorage):
        await put("key", os.urandom(SIZE))
    monkeypatch.undo()
    body = os.urandom(SIZE)
    assert await read(store, await put("key", body)) == body
    assert verify(database.folder) == []


async def test_a_disk_that_fails_under_a_flush_ends_it(
    store: ObjectStore, put: Put, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(path: Path) -> None:
        raise OSError(errno.EIO, "Input/output error")

    ended: list[BaseException] = []
    database.on_fatal = ended.append
    monkeypatch.setattr(packs, "sync_file", broken)
    with pytest.raises(OSError, match="Input/output error"):
        await put("key", os.urandom(SIZE))
    await until(lambda: len(ended) == 1)


async def test_a_full_pack_is_followed_by_another(
    store: ObjectStore, put: Put, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(packs, "PACK_SIZE", 2 * SIZE + 10_000)
    bodies = {str(number): os.urandom(SIZE) for number in range(5)}
    rows = await together(store, database, bodies)
    assert [await read(store, row) for row in rows] == list(bodies.values())
    assert len(packs_of(database)) == 3
    assert verify(database.folder) == []


async def test_a_start_frees_what_nobody_refers_to_in_packs_of_earlier_lives(
    store: ObjectStore, put: Put, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    bodies = [os.urandom(SIZE) for _ in range(3)]
    rows = [await put(str(number), body) for number, body in enumerate(bodies)]
    (lost,) = packs_of(database)
    # A crash: its rows are gone and its holes were not made, behind it lies what was never promised.
    monkeypatch.setattr(store._bodies.packs, "free", lambda places: None)
    for key in ("0", "2"):
        await database.write(partial(store.delete, bucket="bucket", key=key))
    with lost.open("ab") as file:
        file.write(bytes(50_000))
    (empty := database.folder / "packs" / "0123456789ab").write_bytes(os.urandom(SIZE))
    restarted = ObjectStore(database, database.folder)
    assert await restarted.sweep() == 1
    assert not empty.exists()
    assert taken(database) == place(rows[1]).end - place(rows[1]).start
    assert await read(restarted, rows[1]) == bodies[1]
    assert verify(database.folder) == []
    assert await restarted.sweep() == 0
    restarted.close()


async def test_a_start_leaves_alone_what_somebody_still_reads(store: ObjectStore, put: Put, database: Database) -> None:
    body = os.urandom(SIZE)
    row = await put("key", body)
    restarted = ObjectStore(database, database.folder)
    reading = restarted.open_body(row)
    await database.write(lambda tx: restarted.delete(tx, "bucket", "key"))
    assert await restarted.sweep() == 0
    assert b"".join([chunk async for chunk in reading]) == body
    with restarted.kept():
        assert await restarted.sweep() == 0
    assert await restarted.sweep() == 1
    restarted.close()


def held_open(database: Database) -> int:
    """Descriptors of packs."""
    links = [link for link in Path("/proc/self/fd").iterdir() if link.is_symlink()]
    return sum(str(link.readlink()).startswith(str(database.folder / "packs")) for link in links)


@pytest.mark.skipif(not hasattr(os, "RWF_NOWAIT"), reason="asks Linux what is in memory")
async def test_a_pack_of_this_life_stays_open_to_be_read_one_of_an_earlier_life_does_not(
    store: ObjectStore, put: Put, database: Database
) -> None:
    bodies = [os.urandom(SIZE) for _ in range(3)]
    rows = [await put(str(number), body) for number, body in enumerate(bodies)]
    before = held_open(database)
    assert [store.read_at_once(row.segments, 0, SIZE) for row in rows] == bodies
    assert held_open(database) == before + 1
    restarted = ObjectStore(database, database.folder)
    assert [restarted.read_at_once(row.segments, 0, SIZE) for row in rows] == bodies
    assert held_open(database) == before + 1, "it may go, and has to be let go then"
    restarted.close()
    store.close()
    assert held_open(database) == 0


async def test_where_no_holes_are_made_each_has_a_file(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    def refused(descriptor: int, start: int, size: int) -> None:
        raise OSError(errno.EOPNOTSUPP, "Operation not supported")

    monkeypatch.setattr(packs, "_find_punch", lambda: refused)
    store = ObjectStore(database, database.folder)
    incoming = await store.receive(chunked(os.urandom(SIZE)))
    await database.write(lambda tx: store.put(tx, "bucket", "key", incoming, ObjectInfo()))
    assert (len(files(database)), packs_of(database)) == (1, [])
    store.close()


async def test_a_backup_has_those_that_are_promised_and_holes_for_the_others(
    store: ObjectStore, put: Put, database: Database, tmp_path: Path, clock: ManualClock
) -> None:
    body = os.urandom(SIZE)
    for number in range(10):
        await put(str(number), os.urandom(SIZE))
    await put("kept", body)
    for number in range(10):
        await database.write(partial(store.delete, bucket="bucket", key=str(number)))
    made = back_up(database.folder, tmp_path / "copy", version="1", created=5.0)
    assert (made.bodies, made.damage) == (1, ())
    assert made.size < sum(path.stat().st_size for path in packs_of(database)), "holes take no room"
    restore(tmp_path / "copy", tmp_path / "again")
    again = await Database.open(tmp_path / "again", clock)
    other = ObjectStore(again, again.folder)
    assert await read(other, other.get("bucket", "kept")) == body
    assert taken(again) < 2 * SIZE
    other.close()
    await again.close()


async def test_what_is_missing_is_damage(store: ObjectStore, put: Put, database: Database) -> None:
    row = await put("key", os.urandom(SIZE))
    (pack,) = packs_of(database)
    os.truncate(pack, SIZE - 1)
    with pytest.raises(Damaged, match=row.segments[0].body):
        await read(store, row)
    pack.unlink()
    with pytest.raises(Damaged, match=row.segments[0].body):
        await read(store, row)
    assert [finding.key for finding in verify(database.folder)] == [row.segments[0].body]


def test_names_say_where_a_body_lies() -> None:
    one = Packed("0123456789ab", 8192, 5)
    assert Packed.of(one.name) == one
    assert one.end == 12288
    for other in ("0" * 32, "", "p0123456789ab-0000200-5", f"{one.name}\n", "p../../etc/pass-00002000-5"):
        assert Packed.of(other) is None
