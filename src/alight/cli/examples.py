"""Where the example apps lie: `examples/` of the repository, or `alight/examples` of an installed package."""

from __future__ import annotations

from pathlib import Path

from alight.errors import AlightError

TEMPLATE_NAMES = ("template.yaml", "template.yml", "template.json")


def examples_folder() -> Path:
    """The folder that holds one folder for each example."""
    package = Path(__file__).resolve().parents[1]
    for folder in (package / "examples", package.parents[1] / "examples"):
        if folder.is_dir():
            return folder
    raise AlightError(
        "This installation has no examples.", "Install Alight again: pip install --force-reinstall alight"
    )


def example(name: str) -> Path:
    """The folder of one example. Raises `AlightError` that lists them where there is none of this name."""
    folder = examples_folder()
    known = sorted(path.name for path in folder.iterdir() if find_template(path))
    if name not in known:
        raise AlightError(f"There is no example {name!r}.", f"There are: {', '.join(known)}.")
    return folder / name


def find_template(folder: Path) -> Path | None:
    """The template in a folder, if there is one."""
    return next((folder / name for name in TEMPLATE_NAMES if (folder / name).is_file()), None)


def template_at(given: Path) -> Path:
    """The template that `given` is or holds. Raises `AlightError` where it is neither."""
    if given.is_file():
        return given
    if given.is_dir():
        if found := find_template(given):
            return found
        raise AlightError(f"{given} holds no template.", f"It should be called {TEMPLATE_NAMES[0]}.")
    raise AlightError(f"There is no template at {given}.", "Start with an example: alight init birds")
