"""Code is compiled once for all its workers, beside it and nowhere else; its seal knows nothing of it."""

from __future__ import annotations

import asyncio
import shutil
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from alight.fence import tiers
from alight.functions.bytecode import COMPILING, FEW, Bytecode
from alight.functions.interpreters import Interpreter, running
from alight.functions.seal import Seals
from alight.seal import CACHES, seal_of
from tests.support import eventually
from tests.unit.functions.bench import Bench, answer

#: As behind a fence, it writes nothing beside its library.
HANDLER = """
import os, sys
sys.dont_write_bytecode = True
from lib import part0

def handler(event, context):
    return [os.path.exists(part0.__cached__), part0.VALUE]
"""


def library(folder: Path, parts: int = FEW) -> Path:
    place = folder / "lib"
    place.mkdir(parents=True)
    for number in range(parts):
        (place / f"part{number}.py").write_text(f"VALUE = {number}\n")
    return place


def compiled(folder: Path) -> set[str]:
    return {path.name.partition(".")[0] for path in folder.rglob("*.pyc")}


def compile_now(folder: Path) -> None:
    subprocess.run([sys.executable, "-I", "-S", COMPILING, folder], check=True, env={})


async def test_the_second_worker_finds_its_packages_compiled(make_bench: Callable[..., Bench]) -> None:
    bench = make_bench()
    spec = bench.spec(HANDLER)
    place = library(spec.code_dir)
    spec = replace(spec, seals={spec.code_dir: seal_of(spec.code_dir)})
    assert answer(await bench.call(spec))[1] == 0
    await asyncio.to_thread(eventually, lambda: len(compiled(place)) == FEW, 60)
    await bench.pool.retire(spec.name)
    assert answer(await bench.call(spec)) == [True, 0]
    # Nobody is suspicious of it in this life; the next one begins with none.
    assert Seals().refusal(spec) == ""
    assert not compiled(place)


async def test_a_handful_of_modules_is_not_worth_a_process(tmp_path: Path) -> None:
    library(tmp_path, FEW - 1)
    await Bytecode().make([tmp_path], running())
    assert not compiled(tmp_path)


async def test_behind_a_fence_only_the_code_is_written(tmp_path: Path) -> None:
    if not tiers.offered()["abi"]:
        pytest.skip("this kernel has no Landlock")
    data = tmp_path / "data"
    code, secret = data / "functions" / "code" / "abc", data / "secret"
    library(code)
    secret.write_text("theirs")
    own = tmp_path / "interpreter"
    own.write_text(
        f"#!/bin/sh\ncat {secret} >{code}/read; echo >{code}/written; echo >{data}/escaped\n"
        f'exec {running().path} "$@"\n'
    )
    own.chmod(0o755)
    bytecode = Bytecode(tiers.choose("auto", data, shared=()))
    await bytecode.make([code], running())
    assert compiled(code) == {f"part{number}" for number in range(FEW)}
    shutil.rmtree(code / "lib" / CACHES)
    await bytecode.make([code], Interpreter(own, "3.11.0", native=False))
    assert ((code / "read").read_text(), (code / "written").exists(), (data / "escaped").exists()) == ("", True, False)


async def test_each_folder_is_compiled_once_in_a_life(tmp_path: Path) -> None:
    library(tmp_path)
    bytecode = Bytecode()
    await bytecode.make([tmp_path], running())
    [cache] = tmp_path.rglob(CACHES)
    assert compiled(tmp_path) == {f"part{number}" for number in range(FEW)}
    shutil.rmtree(cache)
    await bytecode.make([tmp_path], running())
    assert not compiled(tmp_path)


async def test_the_end_does_not_wait_for_it(tmp_path: Path) -> None:
    library(tmp_path)
    endless = tmp_path / "endless"
    endless.write_text("#!/bin/sh\nexec sleep 1000\n")
    endless.chmod(0o755)
    bytecode = Bytecode()
    making = asyncio.create_task(bytecode.make([tmp_path], Interpreter(endless, "3.11.0", native=False)))
    while not bytecode._running:
        await asyncio.sleep(0)
    bytecode.close()
    await asyncio.wait_for(making, 20)


async def test_an_interpreter_that_is_not_there_is_no_failure(tmp_path: Path) -> None:
    library(tmp_path)
    await Bytecode().make([tmp_path], Interpreter(tmp_path / "nothing", "3.11.0", native=False))
    assert not compiled(tmp_path)


def test_what_cannot_be_compiled_is_passed_over(tmp_path: Path) -> None:
    place = library(tmp_path, 2)
    (place / "broken.py").write_text("def :\n")
    (place / "nul.py").write_bytes(b"x = 1\0\n")
    (place / "deep.py").write_text("x = " + "(" * 5_000 + "1" + ")" * 5_000)
    compile_now(tmp_path)
    assert compiled(tmp_path) == {"part0", "part1"}


def test_nothing_is_written_through_what_a_package_brings(tmp_path: Path) -> None:
    """A link in the place of a cache would let a package write beside another function's code."""
    victim, code = tmp_path / "victim", tmp_path / "code"
    victim.mkdir()
    (victim / "app.py").write_text("VALUE = 'theirs'\n")
    place = library(code, 2)
    (place / CACHES).symlink_to(victim)
    (code / "others").symlink_to(victim)
    (code / "linked.py").symlink_to(victim / "app.py")
    (code / "own.py").write_text("VALUE = 1\n")
    compile_now(code)
    assert [path.name for path in victim.iterdir()] == ["app.py"]
    assert compiled(code) == {"own"}


def test_nothing_of_it_is_run(tmp_path: Path) -> None:
    place = library(tmp_path, 1)
    (place / "acting.py").write_text(f"open({str(tmp_path / 'acted')!r}, 'w')\n")
    compile_now(tmp_path)
    assert "acting" in compiled(tmp_path)
    assert not (tmp_path / "acted").exists()
