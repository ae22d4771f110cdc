"""What compiled packages were built for, and which of them the Python that runs a function cannot load."""

from __future__ import annotations

import subprocess
import sysconfig
from pathlib import Path

import pytest

from alight.functions.binaries import compiled_in, misfits, site_packages
from alight.functions.interpreters import Interpreter, running
from tests.unit.functions.bench import Bench, answer

SOABI = str(sysconfig.get_config_var("SOABI"))
SYSTEM = SOABI.split("-", 2)[-1]
OTHER = "cpython-36m-x86_64-linux-gnu"


def touch(folder: Path, *paths: str) -> Path:
    for path in paths:
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).touch()
    return folder


@pytest.mark.parametrize(
    ("files", "compiled"),
    [
        (("app.py", "lib/helper.py"), {}),
        ((f"numpy/core/_umath.{OTHER}.so", f"numpy/random/mtrand.{OTHER}.so"), {"numpy": [OTHER]}),
        ((f"numpy/core/_umath.{OTHER}.so", f"numpy/core/_umath.{SOABI}.so"), {"numpy": sorted([OTHER, SOABI])}),
        (("numpy/core/_umath.cp36-win_amd64.pyd",), {"numpy": ["cp36-win_amd64"]}),
        ((f"_cffi_backend.{OTHER}.so",), {"_cffi_backend": [OTHER]}),
        (("cryptography/hazmat/_rust.abi3.so", "lib/libfoo.so.1", "lib/libbar.so", "numpy.libs/liba-1.2.so"), {}),
        # Some modules for one Python, others for another: there is none that can load them all.
        ((f"p/a.{OTHER}.so", f"p/b.{SOABI}.so"), {"p": ["several"]}),
    ],
)
def test_names_of_modules_say_what_they_are_for(
    tmp_path: Path, files: tuple[str, ...], compiled: dict[str, list[str]]
) -> None:
    assert compiled_in(touch(tmp_path, *files)) == compiled


def test_a_wheel_says_what_its_modules_do_not(tmp_path: Path) -> None:
    touch(tmp_path, "flow/_core.so", "plain/data.so")
    info = tmp_path / "flow-1.0.dist-info"
    info.mkdir()
    (info / "WHEEL").write_text("Wheel-Version: 1.0\nRoot-Is-Purelib: false\nTag: cp36-cp36m-manylinux1_x86_64\n")
    (info / "RECORD").write_text("flow/__init__.py,,\nflow/_core.so,sha256=x,1\n")
    assert compiled_in(tmp_path) == {"flow": [OTHER]}


def test_what_fits_is_not_spoken_of() -> None:
    own = running()
    major, minor = own.version.split(".")[:2]
    tag = f"cpython-{major}{minor}-{SYSTEM}"
    assert misfits({"a": [tag], "b": [tag, OTHER]}, own) == ()
    [odd] = misfits({"a": [f"cpython-{major}{minor}1-{SYSTEM}"]}, own)
    assert odd.name == "a", "3.110 is not 3.11"
    [odd] = misfits({"a": [f"cpython-{major}{minor}-another-system"]}, own)
    assert "another-system" in str(odd)


def test_alights_own_stands_in_where_its_python_runs_the_function() -> None:
    own = running()
    [numpy] = misfits({"numpy": [OTHER]}, own)
    assert numpy.supplied == "numpy"
    assert str(numpy).startswith(f"numpy in the package is built for Python 3.6 ({OTHER}); Python ")
    assert "Alight's own numpy" in str(numpy)
    [unknown] = misfits({"nobodys": [OTHER]}, own)
    assert unknown.supplied == ""
    assert "requirements.txt" in str(unknown)
    [numpy] = misfits({"numpy": [OTHER]}, Interpreter(Path("/python3.8"), "3.8.1", native=False))
    assert numpy.supplied == "", "ours is not built for that one either"


async def test_requirements_stand_before_what_does_not_fit(bench: Bench) -> None:
    own = running()
    venv = bench.folder / "venv"
    subprocess.run([own.path, "-m", "venv", "--without-pip", venv], check=True)
    required = site_packages(venv, own) / "odd"
    required.mkdir()
    (required / "__init__.py").write_text("NAME = 'required'")
    source = "import odd\nimport neighbour\ndef handler(event, context): return [odd.NAME, neighbour.NAME]"
    runtime = f"python{'.'.join(own.version.split('.')[:2])}"
    spec = bench.spec(source, venv=venv, compiled={"odd": [OTHER]}, runtime=runtime)
    (spec.code_dir / "odd").mkdir()
    (spec.code_dir / "odd" / "__init__.py").write_text("raise ImportError('built for another Python')")
    (spec.code_dir / "neighbour.py").write_text("NAME = 'own'")
    assert answer(await bench.call(spec)) == ["required", "own"]
    [odd] = misfits(spec.compiled, own, venv)
    assert str(odd).endswith("the one of requirements.txt is used instead.")
