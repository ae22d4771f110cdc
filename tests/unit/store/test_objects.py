"""Objects: bytes and rows stay together, whatever is overwritten, copied, removed or read meanwhile."""

from __future__ import annotations

import asyncio
import hashlib
import os
import threading
from collections.abc import AsyncIterator
from dataclasses import replace
from functools import partial
from pathlib import Path

import pytest

from alight.clock import ManualClock
from alight.errors.store import Damaged, InsufficientStorage
from alight.store import connections, receiving, writer
from alight.store.checksums import checksum
from alight.store.database import Database, Tx
from alight.store.objects import ObjectStore
from alight.store.packs import PACKED_LIMIT, Packed
from alight.store.reading import CHUNK_SIZE
from alight.store.receiving import INLINE_LIMIT, NEIGHBOURS, SPOOL_SIZE, Names
from alight.store.shapes import ObjectInfo, ObjectRow
from alight.store.verify import verify
from tests.unit.store.conftest import Put, chunked, files, read
from tests.unit.store.test_database import damage_row

SIZES = [0, 1, INLINE_LIMIT, INLINE_LIMIT + 1, PACKED_LIMIT, PACKED_LIMIT + 1, SPOOL_SIZE - 1, 2 * SPOOL_SIZE + 77]


@pytest.mark.parametrize("size", SIZES)
async def test_bytes_come_back(size: int, store: ObjectStore, put: Put, database: Database) -> None:
    data = os.urandom(size)
    row = await put("a/../key ü", data)
    assert store.get("bucket", "a/../key ü") == row
    assert (row.size, row.etag) == (size, hashlib.md5(data).hexdigest())
    assert row.crc64nvme == checksum("crc64nvme", data)
    assert await read(store, row) == data
    assert len(files(database)) == (1 if size > PACKED_LIMIT else 0)
    assert verify(database.folder) == []


@pytest.mark.parametrize("size", [1_000, 200_000, 2 * SPOOL_SIZE])
async def test_ranges(size: int, store: ObjectStore, put: Put) -> None:
    data = os.urandom(size)
    row = await put("key", data)
    for start, end in [(0, 1), (1, size), (size - 1, size), (3, size - 3), (500, 500), (0, size), (size, size)]:
        assert await read(store, row, start, end) == data[start:end]


@pytest.mark.skipif(not hasattr(os, "RWF_NOWAIT"), reason="asks Linux what is in memory")
@pytest.mark.parametrize("size", SIZES)
async def test_a_few_bytes_are_read_at_once(size: int, store: ObjectStore, put: Put) -> None:
    data = os.urandom(size)
    row = await put("key", data)
    assert store.read_at_once(row.segments, 0, size) == (data if size <= CHUNK_SIZE else None)
    size = min(size, CHUNK_SIZE)
    assert store.read_at_once(row.segments, size // 3, size // 2) == data[size // 3 : size // 2]


@pytest.mark.parametrize("cached", [0, 4_096])
async def test_what_is_not_in_memory_is_not_waited_for(
    cached: int, store: ObjectStore, put: Put, monkeypatch: pytest.MonkeyPatch
) -> None:
    data = os.urandom(100_000)
    row = await put("key", data)

    def preadv(descriptor: int, buffers: list[bytearray], position: int, flags: int) -> int:
        if not cached:
            raise BlockingIOError
        buffers[0][:cached] = os.pread(descriptor, cached, position)
        return cached

    monkeypatch.setattr(os, "preadv", preadv)
    assert store.read_at_once(row.segments, 0, row.size) is None
    assert await read(store, row) == data


async def test_what_is_said_about_an_object(store: ObjectStore, put: Put, clock: ManualClock) -> None:
    info = ObjectInfo(
        content_type="image/jpeg",
        headers={"CacheControl": "no-cache"},
        metadata={"vogel": "Kärntner"},
        checksums={"sha256": "x"},
        checksum_type="FULL_OBJECT",
        storage={"StorageClass": "STANDARD"},
        owner="root",
        acl={"Grants": []},
        tags={"a": "b"},
    )
    row = await put("key", b"x", info)
    assert row.info == info
    assert store.get("bucket", "key") == row
    assert row.last_modified == clock.now()


async def test_asked_for_digests_are_those_of_the_bytes(store: ObjectStore) -> None:
    data = os.urandom(3 * SPOOL_SIZE)
    incoming = await store.receive(chunked(data), algorithms=("sha256", "xxhash128", "md5"))
    assert incoming.digests == {name: checksum(name, data) for name in ("sha256", "xxhash128", "md5", "crc64nvme")}
    incoming.discard()


async def test_overwriting_removes_the_old_bytes(store: ObjectStore, put: Put, database: Database) -> None:
    await put("key", os.urandom(400_000))
    second = await put("key", b"small")
    await until(lambda: files(database) == [])
    assert await read(store, second) == b"small"
    third = await put("key", os.urandom(300_000))
    await until(lambda: [path.name for path in files(database)] == [third.segments[0].body])
    await database.write(lambda tx: store.delete(tx, "bucket", "key"))
    await until(lambda: files(database) == [])
    assert store.get("bucket", "key") is None
    assert verify(database.folder) == []


async def until(condition: object, seconds: float = 10) -> None:
    """Wait for what a thread does behind our back."""
    assert callable(condition)
    deadline = asyncio.get_running_loop().time() + seconds
    while not condition():
        assert asyncio.get_running_loop().time() < deadline, "it did not happen"
        await asyncio.sleep(0.005)


@pytest.mark.parametrize("size", [100, 2_000_000])
async def test_a_reader_keeps_its_bytes(size: int, store: ObjectStore, put: Put, database: Database) -> None:
    data = os.urandom(size)
    row = await put("key", data)
    body = store.open_body(row)
    never_read = store.open_body(row)
    await put("key", os.urandom(size))
    await database.write(lambda tx: store.delete(tx, "bucket", "key"))
    assert b"".join([chunk async for chunk in body]) == data
    await never_read.aclose()
    await until(lambda: files(database) == [])


async def test_an_abandoned_reader_lets_go(store: ObjectStore, put: Put, database: Database) -> None:
    body = store.open_body(await put("key", os.urandom(1_000_000)))
    assert len(await anext(body)) > 0
    await database.write(lambda tx: store.delete(tx, "bucket", "key"))
    assert len(files(database)) == 1
    del body
    await until(lambda: files(database) == [])


async def test_a_refused_put_leaves_nothing(store: ObjectStore, database: Database) -> None:
    incoming = await store.receive(chunked(os.urandom(400_000)))

    def job(tx: Tx) -> None:
        store.put(tx, "bucket", "key", incoming, ObjectInfo())
        raise LookupError

    with pytest.raises(LookupError):
        await database.write(job)
    incoming.discard()
    assert files(database) == []
    assert temporary(database) == []
    assert store.get("bucket", "key") is None


async def test_discarding_what_was_put_is_harmless(store: ObjectStore, database: Database) -> None:
    data = os.urandom(400_000)
    incoming = await store.receive(chunked(data))
    row = await database.write(lambda tx: store.put(tx, "bucket", "key", incoming, ObjectInfo()))
    incoming.discard()
    assert await read(store, row) == data


def temporary(database: Database) -> list[Path]:
    return list((database.folder / "tmp").iterdir())


@pytest.mark.parametrize("size", [1_000, 3 * SPOOL_SIZE])
async def test_a_broken_upload_leaves_nothing(size: int, store: ObjectStore, database: Database) -> None:
    async def broken() -> AsyncIterator[bytes]:
        async for chunk in chunked(os.urandom(size)):
            yield chunk
        raise ConnectionResetError("client went away")

    with pytest.raises(ConnectionResetError):
        await store.receive(broken())
    await until(lambda: temporary(database) == [])


async def test_a_cancelled_upload_leaves_nothing(store: ObjectStore, database: Database) -> None:
    begun = asyncio.Event()

    async def stalled() -> AsyncIterator[bytes]:
        yield os.urandom(SPOOL_SIZE)
        begun.set()
        await asyncio.Event().wait()

    upload = asyncio.ensure_future(store.receive(stalled()))
    await begun.wait()
    assert len(temporary(database)) == 1
    upload.cancel()
    await asyncio.wait([upload])
    await until(lambda: temporary(database) == [])


async def test_no_room_is_said_and_leaves_nothing(
    store: ObjectStore, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(descriptor: int, data: bytes) -> int:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "write", full)
    with pytest.raises(InsufficientStorage) as refused:
        await store.receive(chunked(os.urandom(400_000)))
    assert (refused.value.status, refused.value.code) == (507, "InsufficientStorage")
    monkeypatch.undo()
    await until(lambda: temporary(database) == [])


async def test_the_last_of_the_room_is_kept_for_what_was_accepted(database: Database) -> None:
    store = ObjectStore(database, database.folder, reserve=1 << 62)
    with pytest.raises(InsufficientStorage):
        await store.receive(chunked(b"x"))
    store.close()


async def test_bytes_are_flushed_then_named_then_promised(
    store: ObjectStore, put: Put, monkeypatch: pytest.MonkeyPatch
) -> None:
    order: list[str] = []

    def note(name: str, real: object) -> object:
        def call(*arguments: object, **named: object) -> object:
            order.append(name)
            assert callable(real)
            return real(*arguments, **named)

        return call

    monkeypatch.setattr(receiving, "sync_descriptor", note("file", connections.sync_descriptor))
    monkeypatch.setattr(os, "rename", note("rename", os.rename))
    monkeypatch.setattr(writer, "sync_directory", note("directory", connections.sync_directory))
    await put("key", os.urandom(400_000))
    order.append("answer")
    assert order == ["file", "rename", "directory", "answer"]


@pytest.mark.parametrize("size", [5_000, 100_000, 300_000, 1_000_000])
@pytest.mark.parametrize("place", [0.0, 0.5, 0.999])
async def test_a_flipped_bit_is_no_object(
    size: int, place: float, store: ObjectStore, put: Put, database: Database
) -> None:
    data = os.urandom(size)
    row = await put("key", data)
    other = await put("other", data)
    flip(database, row.segments[0].body, int(size * place))
    got: list[bytes] = []
    with pytest.raises(Damaged, match=row.segments[0].body):
        await collect(store, row, got)
    assert sum(map(len, got)) < size
    if size <= CHUNK_SIZE:
        with pytest.raises(Damaged, match=row.segments[0].body):
            store.read_at_once(row.segments, 0, size)
    assert await read(store, other) == data
    assert [finding.key for finding in verify(database.folder)] == [row.segments[0].body]


async def collect(store: ObjectStore, row: ObjectRow, into: list[bytes]) -> None:
    async for chunk in store.open_body(row):
        into.append(chunk)


def flip(database: Database, body: str, at: int) -> None:
    path = database.folder / "bodies" / body[:2] / body
    if packed := Packed.of(body):
        path, at = database.folder / "packs" / packed.pack, packed.start + at
    if path.exists():
        changed = bytearray(path.read_bytes())
        changed[at] ^= 1
        path.write_bytes(changed)
    else:
        piece = f"substr(data, {at + 1}, 1)"
        turned = f"CASE {piece} WHEN x'00' THEN x'01' ELSE x'00' END"
        head, tail = f"substr(data, 1, {at})", f"substr(data, {at + 2})"
        whole = f"unhex(hex({head}) || hex({turned}) || hex({tail}))"
        damage_row(database.folder, f"UPDATE bodies SET data = {whole} WHERE id = '{body}'")


async def test_missing_and_shortened_files(store: ObjectStore, put: Put, database: Database) -> None:
    row = await put("key", os.urandom(500_000))
    (path,) = files(database)
    os.truncate(path, 400_000)
    with pytest.raises(Damaged):
        await read(store, row)
    path.unlink()
    with pytest.raises(Damaged):
        await read(store, row)
    assert [finding.what for finding in verify(database.folder)] == ["body"]


async def test_a_link_in_the_place_of_a_body_is_not_followed(store: ObjectStore, put: Put, database: Database) -> None:
    data = os.urandom(300_000)
    row = await put("key", data)
    (path,) = files(database)
    path.rename(database.folder / "elsewhere")
    path.symlink_to(database.folder / "elsewhere")
    with pytest.raises(Damaged):
        await read(store, row)


async def test_a_damaged_row_is_not_served_not_listed_and_can_be_replaced(
    store: ObjectStore, put: Put, database: Database
) -> None:
    for key in ("a", "b", "c"):
        await put(key, b"bytes of " + key.encode())
    found: list[str] = []
    database.on_damage = lambda damage: found.append(damage.key)
    damage_row(database.folder, "UPDATE objects SET size = 3 WHERE key = 'b'")
    with pytest.raises(Damaged, match="objects bucket b"):
        store.get("bucket", "b")
    assert [row.key for row in store.list("bucket")] == ["a", "c"]
    page = store.list_page("bucket", limit=2)
    assert ([row.key for row in page.rows], page.next) == (["a", "c"], None)
    assert found.count("bucket b") == 3
    assert [(finding.what, finding.key) for finding in verify(database.folder)] == [("objects", "bucket b")]
    assert await read(store, await put("b", b"new")) == b"new"


async def test_sequencers_grow_over_keys_and_restarts(tmp_path: Path, clock: ManualClock) -> None:
    seen: list[str] = []
    for _ in range(3):
        seen += await some_sequencers(tmp_path, clock)
    assert seen == sorted(set(seen))
    assert {len(text) for text in seen} == {16}
    assert seen == [text.upper() for text in seen]


async def some_sequencers(folder: Path, clock: ManualClock) -> list[str]:
    database = await Database.open(folder, clock)
    store = ObjectStore(database, folder)
    seen = []
    for key in ("x", "y", "x"):
        incoming = await store.receive(chunked(b"data"))
        row = await database.write(partial(store.put, bucket="bucket", key=key, incoming=incoming, info=ObjectInfo()))
        seen.append(row.sequencer)
    seen.append(await database.write(store.next_sequencer))
    store.close()
    await database.close()
    return seen


async def test_copies_share_bytes_until_the_last_goes(store: ObjectStore, put: Put, database: Database) -> None:
    data = os.urandom(300_000)
    first = await put("first", data, ObjectInfo(metadata={"a": "1"}))
    copy = await database.write(lambda tx: store.copy(tx, ("bucket", "first"), "bucket", "copy"))
    assert copy is not None
    assert (copy.info, copy.etag, copy.segments) == (first.info, first.etag, first.segments)
    assert copy.version_id != first.version_id
    again = await database.write(
        lambda tx: store.copy(tx, ("bucket", "first"), "bucket", "first", ObjectInfo(metadata={"b": "2"}))
    )
    assert again is not None
    assert again.metadata == {"b": "2"}
    await database.write(lambda tx: store.delete(tx, "bucket", "first"))
    assert verify(database.folder) == []
    assert await read(store, store.get("bucket", "copy")) == data
    await database.write(lambda tx: store.delete(tx, "bucket", "copy"))
    await until(lambda: files(database) == [])
    assert await database.write(lambda tx: store.copy(tx, ("bucket", "no"), "bucket", "x")) is None


async def test_changing_what_is_said(store: ObjectStore, put: Put, database: Database) -> None:
    row = await put("key", b"x")
    changed = await database.write(lambda tx: store.change(tx, "bucket", "key", tags={"a": "b"}))
    assert changed == replace(row, tags={"a": "b"}) == store.get("bucket", "key")
    assert await database.write(lambda tx: store.change(tx, "bucket", "no", tags={})) is None


async def test_the_sweep_removes_orphans_and_nothing_else(store: ObjectStore, put: Put, database: Database) -> None:
    kept = await put("kept", os.urandom(300_000))
    await put("small", b"small")
    orphan = database.folder / "bodies" / "ab" / ("ab" + "0" * 30)
    orphan.write_bytes(b"orphan")
    (database.folder / "tmp" / "left").write_bytes(b"left by a crash")
    restarted = ObjectStore(database, database.folder)
    under_way = await restarted.receive(chunked(os.urandom(300_000)))
    assert await restarted.sweep() == 2
    await until(lambda: [path.name for path in files(database)] == [kept.segments[0].body])
    assert temporary(database) == [under_way.path]
    assert await restarted.sweep() == 0
    restarted.close()


async def test_the_sweep_spares_what_is_just_being_put(store: ObjectStore, database: Database) -> None:
    data = os.urandom(300_000)
    incoming = await store.receive(chunked(data))
    placed, go_on = threading.Event(), threading.Event()

    def job(tx: Tx) -> ObjectRow:
        row = store.put(tx, "bucket", "key", incoming, ObjectInfo())
        placed.set()
        go_on.wait(20)
        return row

    putting = asyncio.ensure_future(database.write(job))
    await asyncio.to_thread(placed.wait, 20)
    sweeping = asyncio.ensure_future(store.sweep())
    await until(lambda: len(database._writer._queue) > 0)
    go_on.set()
    assert await sweeping == 0
    assert await read(store, await putting) == data


async def test_buckets(store: ObjectStore, put: Put, database: Database) -> None:
    assert await database.write(lambda tx: store.create_bucket(tx, "bucket")) is None
    made = await database.write(lambda tx: store.create_bucket(tx, "another", {"region": "x"}))
    assert made == store.get_bucket("another")
    assert [bucket.name for bucket in store.list_buckets()] == ["another", "bucket"]
    assert [bucket.name for bucket in store.list_buckets(after="another")] == ["bucket"]
    assert [bucket.name for bucket in store.list_buckets(prefix="a")] == ["another"]
    changed = await database.write(lambda tx: store.set_setting(tx, "another", "policy", {"Version": "1"}))
    assert changed is not None
    assert changed.settings == {"region": "x", "policy": {"Version": "1"}}
    assert store.get_bucket("another") == changed
    await database.write(lambda tx: store.set_setting(tx, "another", "policy", None))
    kept = store.get_bucket("another")
    assert kept is not None
    assert kept.settings == {"region": "x"}
    await put("key", b"x")
    assert not await database.write(lambda tx: store.delete_bucket(tx, "bucket"))
    await database.write(lambda tx: store.delete(tx, "bucket", "key"))
    assert await database.write(lambda tx: store.delete_bucket(tx, "bucket"))
    assert not await database.write(lambda tx: store.delete_bucket(tx, "bucket"))
    assert store.get_bucket("bucket") is None


async def test_puts_that_come_together_have_one_folder_to_flush(database: Database, store: ObjectStore) -> None:
    """Each folder is a flush of the disk of its own, one after the other, before their commit."""
    arrived = [await store.receive(chunked(bytes(270_000 + number))) for number in range(40)]
    folders = {incoming.version_id[:2] for incoming in arrived}
    assert len(folders) <= 2, "at most one border lies between them"
    assert len({incoming.version_id[2:] for incoming in arrived}) == 40


def test_names_go_round_all_folders() -> None:
    names = Names()
    given = [names.next() for _ in range(256 * NEIGHBOURS)]
    assert {name[:2] for name in given} == {f"{number:02x}" for number in range(256)}
    assert {len(name) for name in given} == {32}
