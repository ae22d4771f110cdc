"""`code/requirements.txt` -> a virtual environment of its own, made once per content and kept.

The environment sees its own packages first and then those of the running one, so that a script finds numpy,
Pillow and ONNX Runtime without asking for them, and gets its own version where it asks.
"""

from __future__ import annotations

import asyncio
import hashlib
import os
import shutil
import site
import sys
from collections.abc import Callable
from pathlib import Path

from alight.endpoints.contract import CannotServe

_DONE = "alight-complete"


async def prepare(code: Path, folder: Path, progress: Callable[[str], None]) -> Path:
    """The interpreter to run the script with. Raises `CannotServe` with the installer's last lines."""
    wanted = code / "requirements.txt"
    if not wanted.is_file():
        return Path(sys.executable)
    mark = hashlib.sha256(wanted.read_bytes() + sys.version.encode() + sys.prefix.encode()).hexdigest()[:32]
    home = folder / mark
    python = home / "bin" / "python"
    if (home / _DONE).exists():
        return python
    progress(f"Installing {wanted.name} of the model package.")
    await asyncio.to_thread(shutil.rmtree, home, ignore_errors=True)
    await asyncio.to_thread(folder.mkdir, parents=True, exist_ok=True)
    uv = shutil.which("uv", path=f"{Path(sys.executable).parent}{os.pathsep}{os.environ.get('PATH', '')}")
    if uv:
        await _run(uv, "venv", "--quiet", "--python", sys.executable, str(home))
        await _run(uv, "pip", "install", "--quiet", "--python", str(python), "-r", str(wanted))
    else:
        await _run(sys.executable, "-m", "venv", str(home))
        await _run(str(python), "-m", "pip", "install", "--quiet", "-r", str(wanted))
    await asyncio.to_thread(_see_ours, home)
    (home / _DONE).touch()
    progress("The packages of the model package are installed.")
    return python


def _see_ours(home: Path) -> None:
    """A `.pth` file puts our packages behind the environment's own."""
    target = next((home / "lib").glob("python3.*/site-packages"))
    lines = [f"import site; site.addsitedir({path!r})" for path in site.getsitepackages()]
    (target / "zz_alight.pth").write_text("\n".join(lines) + "\n")


async def _run(*command: str) -> None:
    process = await asyncio.create_subprocess_exec(
        *command, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT, stdin=asyncio.subprocess.DEVNULL
    )
    output, _ = await process.communicate()
    if process.returncode:
        last = output.decode("utf-8", "replace").strip()[-1500:]
        raise CannotServe(f"requirements.txt of the model package cannot be installed: {last}")
