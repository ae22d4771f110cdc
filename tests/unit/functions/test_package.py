"""Code and requirements on disk: what is stored, what is refused, what is made once."""

from __future__ import annotations

import hashlib
import os
import stat
import struct
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest

from alight.errors import AlightError
from alight.functions import archive, venvs
from alight.functions.archive import UnsafeArchive, unpack
from alight.functions.interpreters import running
from alight.functions.package import discard_unused, prepare
from alight.functions.venvs import InstallError
from tests.unit.functions.bench import Bench, answer

HANDLER = "def handler(event, context): return 'packed'"


def quiet(line: str) -> None:
    """Nobody listens."""


def make_zip(path: Path, *entries: tuple[str | zipfile.ZipInfo, bytes]) -> Path:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as file:
        for name, content in entries:
            file.writestr(name, content)
    return path


def entry(name: str, mode: int) -> zipfile.ZipInfo:
    made = zipfile.ZipInfo(name)
    made.create_system = 3
    made.external_attr = mode << 16
    return made


async def test_a_folder(tmp_path: Path) -> None:
    source = tmp_path / "src"
    (source / "inner" / "__pycache__").mkdir(parents=True)
    (source / "app.py").write_text(HANDLER)
    (source / "inner" / "tool.sh").write_text("#!/bin/sh\n")
    (source / "inner" / "tool.sh").chmod(0o700)
    (source / "inner" / "__pycache__" / "x.pyc").write_bytes(b"old")
    (source / "again.py").symlink_to("app.py")
    made = await prepare(source, tmp_path / "store", progress=quiet)
    assert made.code_dir == tmp_path / "store" / "code" / made.code_hash
    assert sorted(path.relative_to(made.code_dir).as_posix() for path in made.code_dir.rglob("*.*")) == [
        "again.py", "app.py", "inner/tool.sh",
    ]  # fmt: skip
    assert not (made.code_dir / "again.py").is_symlink()
    assert os.access(made.code_dir / "inner" / "tool.sh", os.X_OK)
    assert (made.venv, made.size) == (None, 2 * len(HANDLER) + 10)
    assert await prepare(source, tmp_path / "store", progress=quiet) == made
    (source / "app.py").write_text(HANDLER + " ")
    changed = await prepare(source, tmp_path / "store", progress=quiet)
    assert changed.code_hash != made.code_hash
    assert (made.code_dir / "app.py").read_text() == HANDLER
    assert len(list((tmp_path / "store" / "code").iterdir())) == 2


async def test_a_zip_file_that_is_stored_stays_where_it_is(tmp_path: Path) -> None:
    packed = make_zip(tmp_path / "code.zip", ("app.py", HANDLER.encode()))
    first = await prepare(packed, tmp_path / "store", progress=quiet)
    place = first.code_dir.stat().st_ino
    assert await prepare(packed, tmp_path / "store", progress=quiet) == first
    assert first.code_dir.stat().st_ino == place


async def test_a_zip_file_runs(one_bench: Bench, tmp_path: Path) -> None:
    path = make_zip(
        tmp_path / "code.zip", ("app.py", HANDLER.encode()), ("lib/", b""), (entry("bin/x", stat.S_IFREG | 0o755), b"x")
    )
    made = await prepare(path, tmp_path / "store", progress=quiet)
    assert made.code_hash == hashlib.sha256(path.read_bytes()).hexdigest()
    assert made.size == path.stat().st_size
    assert os.access(made.code_dir / "bin" / "x", os.X_OK)
    spec = one_bench.spec("", code_dir=made.code_dir)
    assert answer(await one_bench.call(spec)) == "packed"


@pytest.mark.parametrize(
    "name",
    ["../evil.py", "a/../../evil.py", "/etc/evil", "a\\..\\evil", "C:/evil", "..", "/", "x" * 1025, "a/./../../evil"],
)
async def test_names_that_lead_out(tmp_path: Path, name: str) -> None:
    info = zipfile.ZipInfo("x")
    info.filename = name
    path = make_zip(tmp_path / "code.zip", ("app.py", b""), (info, b"evil"))
    with pytest.raises(UnsafeArchive, match="names a path outside of itself"):
        await prepare(path, tmp_path / "store", progress=quiet)
    assert list((tmp_path / "store" / "code").iterdir()) == []
    assert not list(tmp_path.rglob("evil*"))


@pytest.mark.parametrize(
    "mode",
    [stat.S_IFLNK | 0o777, stat.S_IFCHR | 0o666, stat.S_IFBLK | 0o666, stat.S_IFIFO | 0o666, stat.S_IFSOCK | 0o666],
    ids=["link", "character device", "block device", "pipe", "socket"],
)
async def test_what_is_not_a_plain_file(tmp_path: Path, mode: int) -> None:
    path = make_zip(tmp_path / "code.zip", (entry("passwords", mode), b"/etc/passwd"))
    with pytest.raises(UnsafeArchive, match="link or a device"):
        await prepare(path, tmp_path / "store", progress=quiet)


async def test_a_link_through_which_a_later_entry_would_write(tmp_path: Path) -> None:
    path = make_zip(tmp_path / "code.zip", (entry("out", stat.S_IFLNK | 0o777), b".."), ("out/evil.py", b"evil"))
    with pytest.raises(UnsafeArchive):
        await prepare(path, tmp_path / "store", progress=quiet)
    assert not list(tmp_path.rglob("evil*"))


@pytest.mark.filterwarnings("ignore:Duplicate name")
@pytest.mark.parametrize("second", ["app.py", "./app.py", "app.py/inner.py"])
async def test_one_name_twice(tmp_path: Path, second: str) -> None:
    path = make_zip(tmp_path / "code.zip", ("app.py", b"a = 1"), (second, b"a = 2"))
    with pytest.raises(UnsafeArchive):
        await prepare(path, tmp_path / "store", progress=quiet)


def test_a_bomb_by_its_own_account(tmp_path: Path) -> None:
    path = make_zip(tmp_path / "bomb.zip", *((f"{number}.bin", bytes(4_000_000)) for number in range(3)))
    (tmp_path / "out").mkdir()
    with pytest.raises(UnsafeArchive, match="Unzipped size must be smaller than 10000000 bytes"):
        unpack(path, tmp_path / "out", limit=10_000_000)


def test_a_bomb_that_lies_about_its_size(tmp_path: Path) -> None:
    path = make_zip(tmp_path / "bomb.zip", ("bomb.bin", bytes(30_000_000)))
    raw = bytearray(path.read_bytes())
    honest = struct.pack("<I", 30_000_000)
    for _ in range(2):  # in the local header and in the directory
        place = raw.find(honest)
        raw[place : place + 4] = struct.pack("<I", 1000)
    path.write_bytes(raw)
    (tmp_path / "out").mkdir()
    with pytest.raises(UnsafeArchive):
        unpack(path, tmp_path / "out", limit=10_000_000)
    assert sum(file.stat().st_size for file in (tmp_path / "out").rglob("*")) <= 11_000_000


def test_too_many_entries(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(archive, "ENTRY_LIMIT", 5)
    path = make_zip(tmp_path / "many.zip", *((f"{number}.txt", b"") for number in range(6)))
    with pytest.raises(UnsafeArchive, match="6 entries"):
        unpack(path, tmp_path)


@pytest.mark.parametrize("damage", ["truncated", "flipped", "not a zip", "empty", "encrypted"])
async def test_damaged_archives(tmp_path: Path, damage: str) -> None:
    content = os.urandom(50_000)
    path = make_zip(tmp_path / "code.zip", ("app.py", content))
    raw = bytearray(path.read_bytes())
    match damage:
        case "truncated":
            del raw[20_000:]
        case "flipped":
            raw[25_000] ^= 1
        case "not a zip":
            raw = bytearray(b"GIF89a")
        case "empty":
            raw = bytearray()
        case "encrypted":
            raw[6] |= 1
            raw[raw.rfind(b"PK\x01\x02") + 8] |= 1
    path.write_bytes(raw)
    with pytest.raises(AlightError):
        await prepare(path, tmp_path / "store", progress=quiet)
    assert list((tmp_path / "store" / "code").iterdir()) == []


async def test_links_out_of_a_folder(tmp_path: Path) -> None:
    source = tmp_path / "src"
    source.mkdir()
    (tmp_path / "secret").write_text("key")
    (source / "app.py").symlink_to(tmp_path / "secret")
    with pytest.raises(UnsafeArchive, match="links to a place outside"):
        await prepare(source, tmp_path / "store", progress=quiet)


@pytest.mark.parametrize("target", [".", "../src", "gone"])
async def test_links_that_never_end(tmp_path: Path, target: str) -> None:
    source = tmp_path / "src"
    source.mkdir()
    (source / "app.py").write_text(HANDLER)
    (source / "loop").symlink_to(target)
    with pytest.raises(UnsafeArchive):
        await prepare(source, tmp_path / "store", progress=quiet)


async def test_a_pipe_in_a_folder(tmp_path: Path) -> None:
    source = tmp_path / "src"
    source.mkdir()
    os.mkfifo(source / "pipe")
    with pytest.raises(UnsafeArchive, match="neither file nor folder"):
        await prepare(source, tmp_path / "store", progress=quiet)


async def test_the_data_folder_is_not_part_of_the_code(tmp_path: Path) -> None:
    (tmp_path / "app.py").write_text(HANDLER)
    store = tmp_path / "mine" / "functions"
    first = await prepare(tmp_path, store, progress=quiet)
    assert await prepare(tmp_path, store, progress=quiet) == first


@pytest.mark.parametrize("make", [lambda path: None, lambda path: path.mkdir()], ids=["missing", "empty"])
async def test_no_code(tmp_path: Path, make: Callable[[Path], None]) -> None:
    make(tmp_path / "src")
    with pytest.raises(AlightError, match="There is no function code"):
        await prepare(tmp_path / "src", tmp_path / "store", progress=quiet)


def wheel(folder: Path, version: str) -> str:
    """A wheel made by hand, so that nothing is fetched."""
    name = f"birdsong-{version}-py3-none-any.whl"
    info = f"birdsong-{version}.dist-info"
    make_zip(
        folder / name,
        ("birdsong.py", f"VERSION = {version!r}".encode()),
        (f"{info}/METADATA", f"Metadata-Version: 2.1\nName: birdsong\nVersion: {version}\n".encode()),
        (f"{info}/WHEEL", b"Wheel-Version: 1.0\nGenerator: hand\nRoot-Is-Purelib: true\nTag: py3-none-any\n"),
        (f"{info}/entry_points.txt", b"[console_scripts]\nbirdsong = birdsong:main\n"),
        (f"{info}/RECORD", f"birdsong.py,,\n{info}/METADATA,,\n{info}/WHEEL,,\n{info}/entry_points.txt,,\n".encode()),
    )
    return name


@pytest.mark.parametrize(("installer", "child"), [("uv", "awslambdaric"), ("uv", "bootstrap"), ("pip", "auto")])
async def test_requirements(
    make_bench: Callable[..., Bench], tmp_path: Path, installer: str, child: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    bench = make_bench(child)
    if installer == "pip":
        monkeypatch.setattr(venvs, "find_uv", lambda: None)
    elif venvs.find_uv() is None:
        pytest.skip("uv is not installed")
    source = bench.code(
        """
        import birdsong, boto3

        def handler(event, context):
            return [birdsong.VERSION, birdsong.__file__, boto3.__file__]
        """,
        name="src",
    )
    (source / "requirements.txt").write_text(f"# what it needs\n\n./{wheel(source, '1.2.3')}\n")
    said: list[str] = []
    made = await prepare(source, tmp_path / "store", progress=said.append)
    assert made.venv is not None
    assert made.venv.parent == tmp_path / "store" / "venvs"
    assert f"with {installer}" in said[0]
    assert "Installed" in said[-1]
    spec = bench.spec("", code_dir=made.code_dir, venv=made.venv)
    version, place, boto3 = answer(await bench.call(spec))
    assert version == "1.2.3"
    assert place.startswith(str(made.venv))
    assert "/supplied/" in boto3
    assert str(made.venv) in (made.venv / "bin" / "birdsong").read_text()
    said.clear()
    assert await prepare(source, tmp_path / "store", progress=said.append) == made
    assert said == []
    assert [path.name for path in made.venv.parent.iterdir()] == [made.venv.name]


OUTSIDE = [
    "birdsong", "birdsong==1.2", "birdsong >= 1, < 2",
    "bird_song[loud,far]~=1.0 ; python_version < '4'", "birdsong # for a/b",
    "birdsong==1.2 \\", "--hash=sha256:abcdef", "birdsong==1.2 --hash=sha256:abcdef", "birdsong (>=1)",
    "birdsong @ https://birds.test/birdsong-1.2-py3-none-any.whl", "git+https://birds.test/song.git@main#egg=song",
    "--no-index", "--pre", "-i https://birds.test/simple", "--index-url https://birds.test/simple",
    "--find-links /opt/birds", "--find-links=https://birds.test/list", "-f /opt/birds",
]  # fmt: skip
INSIDE = [
    "./song.whl", "wheels/song-1.0-py3-none-any.whl", "song-1.0-py3-none-any.whl", "song-1.0.tar.gz", ".", "../song",
    "-r more.txt", "-rmore.txt", "--requirement more.txt", "-c limits.txt", "--constraint=limits.txt", "-e .",
    "--editable ./song", "--find-links wheels", "--find-links=./wheels", "-f wheels", "song @ file:///opt/song",
    "file:song.whl", "song @ ./song.whl", "/opt/song.whl",
]  # fmt: skip


@pytest.mark.parametrize(("lines", "again"), [(OUTSIDE, False), (INSIDE, True)])
async def test_new_code_makes_the_venv_anew_where_requirements_mean_its_files(lines: list[str], again: bool) -> None:
    python = running()
    for line in lines:
        keys = {venvs._key([line], python, code_hash) for code_hash in ("one", "other")}
        assert (line, len(keys)) == (line, 2 if again else 1)


async def test_requirements_that_cannot_be_installed(tmp_path: Path) -> None:
    source = tmp_path / "src"
    source.mkdir()
    (source / "app.py").write_text(HANDLER)
    (source / "requirements.txt").write_text("./no-such-bird.whl\n")
    with pytest.raises(InstallError, match=r"no.such.bird"):
        await prepare(source, tmp_path / "store", progress=quiet)
    assert list((tmp_path / "store" / "venvs").iterdir()) == []


async def test_requirements_of_nothing_need_no_venv(tmp_path: Path) -> None:
    source = tmp_path / "src"
    source.mkdir()
    (source / "app.py").write_text(HANDLER)
    (source / "requirements.txt").write_text("# boto3 is there anyway\n\n")
    assert (await prepare(source, tmp_path / "store", progress=quiet)).venv is None


async def test_what_nobody_uses_goes(tmp_path: Path) -> None:
    made = []
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "app.py").write_text(name)
        made.append((await prepare(tmp_path / name, tmp_path / "store", progress=quiet)).code_dir)
    (tmp_path / "store" / "code" / ".new-half").mkdir()
    assert discard_unused(tmp_path / "store", {made[1]}) == 2
    assert list((tmp_path / "store" / "code").iterdir()) == [made[1]]
    assert discard_unused(tmp_path / "nowhere", ()) == 0
