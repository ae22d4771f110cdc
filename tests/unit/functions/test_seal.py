"""Code that is no longer what was uploaded is not run: a bit, a mode, a file too many. Another upload mends it."""

from __future__ import annotations

import os
import random
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from alight.functions.layers import lay
from alight.functions.package import keep, prepare
from alight.functions.seal import Seals
from alight.seal import seal_of
from tests.unit.functions.bench import Bench, answer, error
from tests.unit.functions.test_package import HANDLER, make_zip, quiet

SEED = int(os.environ.get("ALIGHT_TEST_SEED") or random.randrange(1 << 32))


def flip(path: Path, chance: random.Random) -> None:
    """One bit, as a disk does it: nobody's clock has noticed."""
    status = path.stat()
    data = bytearray(path.read_bytes())
    data[chance.randrange(len(data))] ^= 1 << chance.randrange(8)
    path.write_bytes(data)
    os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns))


@pytest.mark.parametrize("kind", ["folder", "zip"])
async def test_a_flipped_bit_is_noticed_before_it_runs_and_an_upload_mends_it(
    kind: str, make_bench: Callable[..., Bench], tmp_path: Path
) -> None:
    source = tmp_path / "source"
    (source / "lib").mkdir(parents=True)
    (source / "app.py").write_text(HANDLER)
    (source / "lib" / "data.txt").write_text("weights " * 100)
    if kind == "zip":
        source = make_zip(
            tmp_path / "code.zip", ("app.py", HANDLER.encode()), ("lib/data.txt", b"weights " * 100)
        )  # fmt: skip
    made = await prepare(source, tmp_path / "store", progress=quiet)
    one, two = make_bench(name="one"), make_bench(name="two")
    spec = one.spec(HANDLER, code_dir=made.code_dir, seals={made.code_dir: made.seal})
    assert answer(await one.call(spec)) == "packed"

    flip(made.code_dir / "lib" / "data.txt", random.Random(SEED))
    # In the same life, whose last look was good, and in the next one.
    await one.pool.retire(spec.name)
    for bench in (one, two):
        outcome = await bench.call(spec)
        assert outcome.kind == "init"
        assert "is not what was uploaded" in error(outcome)["errorMessage"]
        assert any("It was not run" in message for message in bench.messages())

    assert await prepare(source, tmp_path / "store", progress=quiet) == made
    assert answer(await one.call(spec)) == "packed"


async def test_any_bit_of_any_file_is_in_the_seal_and_nothing_else(tmp_path: Path) -> None:
    code = tmp_path / "code"
    (code / "inner").mkdir(parents=True)
    files = [code / "app.py", code / "inner" / "data"]
    for path in files:
        path.write_bytes(bytes(range(64)))
    seal, chance, noticed = seal_of(code), random.Random(SEED), 0
    for _ in range(200):
        path = chance.choice(files)
        before = path.read_bytes()
        flip(path, chance)
        noticed += seal_of(code) != seal
        path.write_bytes(before)
    print(f"seed {SEED}: 200 bits of code flipped, {noticed} noticed")
    assert noticed == 200
    assert seal_of(code) == seal
    (code / "__pycache__").mkdir()
    (code / "__pycache__" / "app.pyc").write_bytes(b"made by Python")
    assert seal_of(code) == seal
    files[0].chmod(0o755)
    assert seal_of(code) != seal
    files[0].chmod(0o644)
    (code / "more.py").touch()
    assert seal_of(code) != seal


async def test_what_python_has_left_is_made_anew_and_what_was_read_is_only_looked_at(
    one_bench: Bench, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    source = tmp_path / "source"
    source.mkdir()
    (source / "app.py").write_text(HANDLER)
    made = await prepare(source, tmp_path / "store", progress=quiet)
    cache = made.code_dir / "__pycache__"
    cache.mkdir()
    (cache / "app.cpython-311.pyc").write_bytes(b"of other code")
    spec = one_bench.spec(HANDLER, code_dir=made.code_dir, seals={made.code_dir: made.seal})
    seals = Seals()
    assert seals.refusal(spec) == ""
    assert not cache.exists()
    monkeypatch.setattr("alight.functions.seal.seal_of", None)
    assert seals.refusal(spec) == ""


async def test_layers_are_under_seal_too(one_bench: Bench, tmp_path: Path) -> None:
    store = tmp_path / "store"
    packed = make_zip(tmp_path / "layer.zip", ("python/below.py", b"WORD = 'layer'\n"))
    layer = await keep(packed, store)
    opt, seal = lay([layer.code_dir], store)
    spec = one_bench.spec("def handler(event, context): import below; return below.WORD", opt=opt, seals={opt: seal})
    assert answer(await one_bench.call(spec)) == "layer"
    flip(layer.code_dir / "python" / "below.py", random.Random(SEED))
    await one_bench.pool.retire(spec.name)
    assert "is not what was uploaded" in error(await one_bench.call(spec))["errorMessage"]
    assert (await keep(packed, store)).seal == layer.seal
    assert lay([layer.code_dir], store) == (opt, seal)
    assert answer(await one_bench.call(spec)) == "layer"


def test_workers_that_start_together_look_at_their_code_one_after_the_other(
    one_bench: Bench, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What an earlier life has compiled goes with the first look: no other one is to find it half gone."""
    code, looked = tmp_path / "code", list[Path]()
    for name in ("a", "b", "c"):
        (code / name).mkdir(parents=True)
        (code / name / "module.py").write_text(HANDLER)
    seal = seal_of(code)
    spec = one_bench.spec(HANDLER, code_dir=code, seals={code: seal})

    def looking(folder: Path) -> str:
        looked.append(folder)
        return seal_of(folder)

    monkeypatch.setattr("alight.functions.seal.seal_of", looking)
    for round_ in range(1, 31):
        for name in ("a", "b", "c"):
            (code / name / "__pycache__").mkdir()
            (code / name / "__pycache__" / "module.cpython-311.pyc").write_bytes(b"of an earlier life")
        seals, together = Seals(), threading.Barrier(4)

        def start(seals: Seals = seals, together: threading.Barrier = together) -> str:
            together.wait(30)
            return seals.refusal(spec)

        with ThreadPoolExecutor(4) as pool:
            assert {one.result() for one in [pool.submit(start) for _ in range(4)]} == {""}
        assert len(looked) == round_
