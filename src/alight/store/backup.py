"""A copy of a data folder from which an instance can go on: of one moment, complete, and read back before it is named.

The database is copied as it is at one commit; then the files that this copy names, each hashed on its way. What is
begun has another name than what is done, so a folder that is called a backup is one.
"""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Iterator
from contextlib import ExitStack, suppress
from dataclasses import asdict, dataclass
from pathlib import Path

import apsw

from alight.errors import AlightError
from alight.seal import CACHES
from alight.store.ballast import FILE_NAME as BALLAST
from alight.store.bodies import TEMPORARY
from alight.store.connections import open_reader, sync_directory
from alight.store.ground import BODIES
from alight.store.ground import FILE_NAME as JOURNAL
from alight.store.lock import FILE_NAME as LOCK
from alight.store.migrations import MIGRATIONS, newest_version
from alight.store.packs import PACKS, Packed
from alight.store.statements import load_statements
from alight.store.telemetry import FILE_NAME as TELEMETRY
from alight.store.verify import Finding, verify
from alight.store.witness import FILE_NAME as WITNESS

#: What says that a folder is a whole backup; written last.
MANIFEST = "backup.json"

#: What the data folder knows of its last backup; no part of any.
RECORD = "last-backup.json"

_DATABASES = (JOURNAL, TELEMETRY)
#: Folders of what functions have uploaded.
_CODE = (("functions", "code"), ("functions", "opt"))
#: What belongs to the life of one process, or is copied in another way.
_LEFT_OUT = frozenset(
    {BODIES, PACKS, TEMPORARY, LOCK, WITNESS, BALLAST, MANIFEST, RECORD, f"{RECORD}.new", "instance.json", "fetched"}
)
_PARTIAL = ".partial"


@dataclass(frozen=True, slots=True)
class Backup:
    """`created` is in seconds since 1970, `size` in bytes; `damage` is what cannot be restored as it was promised."""

    folder: str
    version: str
    created: float
    bodies: int
    size: int
    damage: tuple[Finding, ...] = ()


def back_up(source: Path, target: Path, *, version: str, created: float) -> Backup:
    """Copy the data folder `source` to the new folder `target` (blocks, as long as copying and reading it takes).

    Body files must stay while this runs (`ObjectStore.kept`). Raises `AlightError`; then there is no `target`.
    """
    source, target = source.resolve(), target.absolute()
    if target.resolve().is_relative_to(source):
        raise AlightError(f"{target} lies in the data folder itself.", "Choose a place outside of it.")
    with _made(target) as stack:
        partial = target.with_name(target.name + _PARTIAL)
        for name in _DATABASES:
            _copy_database(source / name, partial / name)
        bodies = _copy_bodies(source, partial)
        _copy_rest(source, partial)
        damage = tuple(verify(partial))
        made = Backup(str(target), version, created, bodies, _size(partial), damage)
        _finish(partial, target, json.dumps(asdict(made), indent=2))
        stack.pop_all()
    _remember(source, made)
    return made


def last_backup(folder: Path) -> Backup | None:
    """The last backup that was made of a data folder; None where there was none, or nothing is known of it."""
    try:
        return _read(folder / RECORD)
    except (OSError, ValueError, TypeError, KeyError):
        return None


def restore(backup: Path, folder: Path) -> Backup:
    """Make the data folder `folder`, which must be missing or empty, from a backup (blocks).

    What ran when the backup was made runs again. Raises `AlightError` where the backup is not whole, is damaged or
    was written by a newer Alight; then nothing was made.
    """
    backup, folder = backup.absolute(), folder.absolute()
    known = read_manifest(backup)
    _check_version(backup / JOURNAL)
    if damage := verify(backup):
        first = f"{damage[0].what} {damage[0].key}"
        raise AlightError(f"{backup} is damaged: {first}{_and_more(len(damage))}.", "Use an earlier backup.")
    with suppress(OSError):
        folder.rmdir()  # An empty one makes way.
    with _made(folder) as stack:
        partial = folder.with_name(folder.name + _PARTIAL)
        shutil.copytree(
            backup, partial, symlinks=True, dirs_exist_ok=True, ignore=lambda at, names: _apart(backup, at, names)
        )
        _copy_bodies(backup, partial)
        _finish(partial, folder, None)
        stack.pop_all()
    return known


def read_manifest(backup: Path) -> Backup:
    """What a backup says about itself. Raises `AlightError` where the folder is none, or not a whole one."""
    try:
        return _read(backup / MANIFEST)
    except (OSError, ValueError, TypeError, KeyError):
        raise AlightError(f"{backup} is no backup.", "Name a folder that `alight backup` has made.") from None


def _read(path: Path) -> Backup:
    given = json.loads(path.read_text())
    return Backup(**{**given, "damage": tuple(Finding(**one) for one in given["damage"])})


def _remember(folder: Path, made: Backup) -> None:
    """For people who ask when the last one was; a disk that has no room for it takes nothing from the backup."""
    new = folder / f"{RECORD}.new"
    with suppress(OSError):
        new.write_text(json.dumps(asdict(made), indent=2) + "\n")
        new.chmod(0o600)
        new.replace(folder / RECORD)


def _made(target: Path) -> ExitStack:
    """The folder beside `target` in which it grows; it is removed unless the stack is emptied."""
    if target.exists():
        raise AlightError(f"{target} exists already.", "Name a new folder: nothing is written over.")
    partial = target.with_name(target.name + _PARTIAL)
    stack = ExitStack()
    try:
        partial.mkdir(mode=0o700, parents=True)
    except OSError as error:
        raise AlightError(
            f"{partial} cannot be made: {error.strerror}.", "Remove it, where an earlier backup was broken off."
        ) from None
    stack.callback(shutil.rmtree, partial, ignore_errors=True)
    return stack


def _copy_database(source: Path, target: Path) -> None:
    """What is committed at this moment; the writer goes on meanwhile."""
    if not source.exists():
        return
    reading, writing = open_reader(source), apsw.Connection(str(target))
    try:
        with writing.backup("main", reading, "main") as copying:
            copying.step(-1)
        # One file: a log beside it would be a second thing to keep.
        writing.pragma("journal_mode", "DELETE")
    finally:
        writing.close()
        reading.close()
    target.chmod(0o600)


def _copy_bodies(source: Path, target: Path) -> int:
    """What the copied database names and does not hold; what is missing is found by reading back."""
    connection = open_reader(target / JOURNAL)
    number = 0
    try:
        for id in _files_of(connection):
            with suppress(FileNotFoundError):
                _copy_body(source, target, id)
                number += 1
    finally:
        connection.close()
    return number


def _copy_body(source: Path, target: Path, id: str) -> None:
    packed = Packed.of(id)
    place = target / PACKS if packed else target / BODIES / id[:2]
    place.mkdir(mode=0o700, parents=True, exist_ok=True)
    if packed:
        packed.copy(source / PACKS, place)
    else:
        shutil.copyfile(source / BODIES / id[:2] / id, place / id, follow_symlinks=False)
        (place / id).chmod(0o600)


def _files_of(connection: apsw.Connection) -> Iterator[str]:
    for (id,) in connection.execute(load_statements()["backup.files"].sql):
        yield str(id)


def _copy_rest(source: Path, target: Path) -> None:
    """Keys, function code, unpacked models: whatever is written once and named last. Sockets and halves stay behind."""
    for path in sorted(source.iterdir()):
        if path.name in _LEFT_OUT or path.name.startswith(_DATABASES) or not (path.is_dir() or path.is_file()):
            continue
        if path.is_dir():
            shutil.copytree(
                path, target / path.name, symlinks=True, ignore=lambda folder, names: _behind(source, folder, names)
            )
        else:
            shutil.copy2(path, target / path.name)


def _behind(source: Path, folder: str, names: list[str]) -> list[str]:
    """Halves, and what is compiled of functions' code just now, which nobody promised."""
    is_code = Path(folder).relative_to(source).parts[:2] in _CODE

    def stays(name: str) -> bool:
        path = Path(folder, name)
        if name.startswith(".new-") or (is_code and name == CACHES):
            return False
        return path.is_symlink() or path.is_dir() or path.is_file()

    return [name for name in names if not stays(name)]


def _apart(backup: Path, folder: str, names: list[str]) -> list[str]:
    """What a restored folder has no use for, or gets in another way. Only at the top: functions name theirs as they
    like."""
    return [name for name in names if name in (MANIFEST, LOCK, BODIES, PACKS)] if Path(folder) == backup else []


def _finish(partial: Path, target: Path, manifest: str | None) -> None:
    """To the disk, and only then under its name."""
    if manifest is not None:
        (partial / MANIFEST).write_text(manifest + "\n")
    os.sync()
    partial.rename(target)
    sync_directory(target.parent)


def _check_version(path: Path) -> None:
    connection = open_reader(path)
    try:
        version, newest = int(connection.pragma("user_version")), newest_version(MIGRATIONS)
    except apsw.Error as error:
        raise AlightError(f"{path} cannot be read: {error}.", "Use an earlier backup.") from None
    finally:
        connection.close()
    if version > newest:
        raise AlightError(
            f"{path} has schema version {version}, this Alight knows versions up to {newest}.", "Use a newer Alight."
        )


def _size(folder: Path) -> int:
    return sum(_taken(path) for path in folder.rglob("*") if not path.is_dir())


def _taken(path: Path) -> int:
    """Its bytes; of a pack those that are there, as most of it may be a hole."""
    found = path.lstat()
    return min(found.st_size, found.st_blocks * 512) if path.parent.name == PACKS else found.st_size


def _and_more(number: int) -> str:
    return f" and {number - 1} more" if number > 1 else ""
