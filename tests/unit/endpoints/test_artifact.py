"""Packages: what is unpacked, what is refused, and that nothing is taken on trust later."""

from __future__ import annotations

import asyncio
import gzip
import io
import os
import tarfile
from pathlib import Path
from typing import Any

import pytest

from alight.endpoints.artifact import reopen, sweep, unpack
from alight.endpoints.contract import CannotServe
from tests.unit.endpoints import tiny

GOOD = tiny.entry("code/inference.py", tiny.ECHO.encode())


async def test_an_archive_becomes_a_folder_named_by_its_sum(tmp_path: Path) -> None:
    body = tiny.tar([GOOD, tiny.entry("./labels.txt", b"Hen\n")])
    made = await unpack(body, tmp_path / "store")
    assert made.dir == tmp_path / "store" / made.sha256
    assert (made.dir / "labels.txt").read_bytes() == b"Hen\n"
    assert made.format == "script"
    assert made == await unpack(body, tmp_path / "store")


@pytest.mark.parametrize("mode", ["w", "w:gz"])
async def test_plain_and_gzipped_archives_are_both_taken(tmp_path: Path, mode: str) -> None:
    path = tmp_path / "model.tar.gz"
    path.write_bytes(tiny.tar([GOOD], mode))
    assert (await unpack(path, tmp_path / "store")).format == "script"


async def test_a_folder_is_taken_as_it_stands(tmp_path: Path) -> None:
    folder = tiny.script(tmp_path / "package", helper__py="x = 1")
    made = await unpack(folder, tmp_path / "store")
    assert (made.dir / "code" / "helper.py").read_text() == "x = 1"
    (folder / "code" / "helper.py").write_text("x = 2")
    changed = await unpack(folder, tmp_path / "store")
    assert changed.sha256 != made.sha256


HOSTILE: list[tuple[str, Any, str]] = [
    ("parent", tiny.entry("../evil.py", b"x"), "leads out"),
    ("nested-parent", tiny.entry("code/../../evil.py", b"x"), "leads out"),
    ("absolute", tiny.entry("/tmp/evil.py", b"x"), "leads out"),
    ("backslash", tiny.entry("..\\evil.py", b"x"), "leads out"),
    ("symlink", tiny.entry("link", kind=tarfile.SYMTYPE, target="/etc/passwd"), "neither file nor folder"),
    ("hard-link", tiny.entry("link", kind=tarfile.LNKTYPE, target="code/inference.py"), "neither file nor folder"),
    ("device", tiny.entry("zero", kind=tarfile.CHRTYPE), "neither file nor folder"),
    ("fifo", tiny.entry("pipe", kind=tarfile.FIFOTYPE), "neither file nor folder"),
    ("twice", GOOD, "twice"),
    ("twice-by-dot", tiny.entry("./code/inference.py", b"x"), "twice"),
    ("below-a-file", tiny.entry("code/inference.py/x", b"x"), "cannot be unpacked"),
    ("long-name", tiny.entry("n" * 300, b"x"), "cannot be unpacked"),
]


@pytest.mark.parametrize(("member", "reason"), [case[1:] for case in HOSTILE], ids=[case[0] for case in HOSTILE])
async def test_a_hostile_entry_is_refused_and_leaves_nothing(tmp_path: Path, member: Any, reason: str) -> None:
    with pytest.raises(CannotServe, match=reason):
        await unpack(tiny.tar([GOOD, member]), tmp_path / "store")
    assert sorted(path.name for path in tmp_path.rglob("*")) == ["store"]


async def test_a_bomb_is_stopped_while_it_unpacks(tmp_path: Path) -> None:
    # Given 80 MB of zeros in 80 KB
    bomb = tiny.tar([GOOD, tiny.entry("zeros", b"\0" * 80_000_000)])
    assert len(bomb) < 100_000
    with pytest.raises(CannotServe, match="unpacks to more than"):
        await unpack(bomb, tmp_path / "store")
    assert not list((tmp_path / "store").iterdir())


async def test_a_bomb_in_a_header_is_stopped_before_it_is_in_memory(tmp_path: Path) -> None:
    header = tarfile.TarInfo("pax")
    header.type, header.size = tarfile.XHDTYPE, 1 << 32
    body = gzip.compress(header.tobuf(tarfile.USTAR_FORMAT) + b"\0" * 1_000_000)
    with pytest.raises(CannotServe):
        await unpack(body, tmp_path / "store")


async def test_every_truncation_is_noticed(tmp_path: Path) -> None:
    body = tiny.tar([GOOD, tiny.entry("labels.txt", os.urandom(3000))])
    for end in range(0, len(body) - 1, 97):
        with pytest.raises(CannotServe):
            await unpack(body[:end], tmp_path / "store")


async def test_changed_bytes_are_noticed(tmp_path: Path) -> None:
    whole = tiny.tar([GOOD, tiny.entry("labels.txt", os.urandom(3000))])
    # From behind gzip's header, whose time and system mean nothing to us.
    for place in range(10, len(whole), 97):
        body = bytearray(whole)
        body[place] ^= 0xFF
        with pytest.raises(CannotServe):
            await unpack(bytes(body), tmp_path / "store")


@pytest.mark.parametrize("body", [b"", b"PK\x03\x04" + b"\0" * 600, b"not an archive at all" * 100])
async def test_what_is_no_archive_is_said_to_be_none(tmp_path: Path, body: bytes) -> None:
    with pytest.raises(CannotServe):
        await unpack(body, tmp_path / "store")


async def test_a_missing_package_is_named(tmp_path: Path) -> None:
    with pytest.raises(CannotServe, match=r"no model package at .*nowhere"):
        await unpack(tmp_path / "nowhere.tar.gz", tmp_path / "store")


async def test_a_link_in_a_folder_is_refused(tmp_path: Path) -> None:
    folder = tiny.script(tmp_path / "package")
    (folder / "model.onnx").symlink_to("/etc/passwd")
    with pytest.raises(CannotServe, match="link or a device"):
        await unpack(folder, tmp_path / "store")


@pytest.mark.parametrize("damage", ["changed", "added", "removed", "list"])
async def test_a_package_that_was_changed_in_the_store_is_not_reopened(tmp_path: Path, damage: str) -> None:
    store = tmp_path / "store"
    body = tiny.tar([GOOD, tiny.entry("labels.txt", b"Hen\n")])
    made = await unpack(body, store)
    assert await reopen(made.sha256, store) == made
    # When somebody touches it
    match damage:
        case "changed":
            (made.dir / "labels.txt").write_bytes(b"Cat\n")
        case "added":
            (made.dir / "code" / "onnxruntime.py").write_text("")
        case "removed":
            (made.dir / "labels.txt").unlink()
        case "list":
            (store / f"{made.sha256}.json").unlink()
    # Then it is not taken, and unpacking brings it back
    assert await reopen(made.sha256, store) is None
    again = await unpack(body, store)
    assert (again.dir / "labels.txt").read_bytes() == b"Hen\n"
    assert not (again.dir / "code" / "onnxruntime.py").exists()


async def test_a_sweep_keeps_what_is_used(tmp_path: Path) -> None:
    store = tmp_path / "store"
    kept = await unpack(tiny.tar([GOOD]), store)
    await unpack(tiny.tar([GOOD, tiny.entry("more", b"x")]), store)
    (store / ".new-interrupted").mkdir()
    await sweep(store, {kept.sha256})
    assert sorted(path.name for path in store.iterdir()) == sorted([kept.sha256, f"{kept.sha256}.json"])
    assert await reopen(kept.sha256, store) == kept


SAFE_WAY = r"model_fn of your own in code/inference.py"


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("model.pkl", b"x"),
        ("model.pickle", b"x"),
        ("model.joblib", b"x"),
        ("model.pt", b"x"),
        ("model.pth", b"x"),
        ("weights.ckpt", b"x"),
        ("model.h5", b"x"),
        ("model.bin", b"\x80\x04\x95\x10\x00"),
        ("model", b"PK\x03\x04archive/data.pkl"),
        ("model.onnx", b"\x80\x04\x95\x10\x00"),
        ("model.onnx", b"PK\x03\x04archive/data.pkl"),
    ],
)
async def test_a_pickle_is_refused_by_name_with_the_safe_way(tmp_path: Path, name: str, content: bytes) -> None:
    with pytest.raises(CannotServe, match=SAFE_WAY) as refused:
        await unpack(tiny.tar([tiny.entry(name, content)]), tmp_path / "store")
    assert name in str(refused.value)


async def test_a_pickle_beside_a_script_is_the_scripts_own_matter(tmp_path: Path) -> None:
    made = await unpack(tiny.tar([GOOD, tiny.entry("model.pkl", b"\x80\x04")]), tmp_path / "store")
    assert made.format == "script"


async def test_an_empty_package_says_what_was_looked_for(tmp_path: Path) -> None:
    with pytest.raises(CannotServe, match=r"none of model\.onnx, .* and no code/inference\.py; it has README"):
        await unpack(tiny.tar([tiny.entry("README", b"hello")]), tmp_path / "store")


@pytest.mark.parametrize(
    ("environment", "expected"),
    [({}, "script"), ({"ALIGHT_MODEL_FORMAT": "onnx"}, "onnx"), ({"ALIGHT_MODEL_FORMAT": "script"}, "script")],
)
async def test_a_script_goes_first_unless_the_environment_says_otherwise(
    tmp_path: Path, environment: dict[str, str], expected: str
) -> None:
    folder = tiny.script(tiny.colours(tmp_path / "package"))
    assert (await unpack(folder, tmp_path / "store", environment)).format == expected


async def test_unpacking_does_not_hold_the_loop(tmp_path: Path) -> None:
    body = tiny.tar([GOOD, tiny.entry("weights", os.urandom(20_000_000))])
    task = asyncio.create_task(unpack(io.BytesIO(body).getvalue(), tmp_path / "store"))
    turns = 0
    while not task.done():
        await asyncio.sleep(0)
        turns += 1
    await task
    assert turns > 100
