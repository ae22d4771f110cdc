"""The named statements: all load, each says what it does, mistakes are named."""

from __future__ import annotations

import re
from pathlib import Path

import apsw
import pytest

from alight.store.connections import open_writer
from alight.store.migrations import MIGRATIONS, TELEMETRY_MIGRATIONS, migrate
from alight.store.statements import SQL_FOLDER, load_statements


def test_every_statement_has_a_line_that_says_what_it_does() -> None:
    silent = [name for name, statement in load_statements().items() if not statement.sql.startswith("-- ")]
    assert silent == []


def test_every_statement_fits_the_schema(tmp_path: Path) -> None:
    main, telemetry = open_writer(tmp_path / "main.db"), open_writer(tmp_path / "telemetry.db")
    migrate(main, MIGRATIONS)
    migrate(telemetry, TELEMETRY_MIGRATIONS)
    broken = []
    for name, statement in load_statements().items():
        connection = telemetry if name.startswith("telemetry.") else main
        given = dict.fromkeys(re.findall(r":([a-z_0-9]+)", statement.sql))
        try:
            connection.execute(f"EXPLAIN {statement.sql}", given)
        except apsw.Error as error:
            broken.append(f"{name}: {error}")
    main.close()
    telemetry.close()
    assert broken == []


def test_no_statement_is_planned_anew_for_other_values(tmp_path: Path) -> None:
    connection = open_writer(tmp_path / "main.db")
    migrate(connection, MIGRATIONS)
    planned: list[int] = []

    def seen(code: int, *names: str | None) -> int:
        planned.append(code)
        return apsw.SQLITE_OK

    def plans(sql: str, value: int) -> bool:
        """Whether a plan is made for these parameters."""
        planned.clear()
        connection.execute(sql, dict.fromkeys(re.findall(r":([a-z_0-9]+)", sql), value)).fetchall()
        return bool(planned)

    connection.authorizer = seen
    asked = {name: statement.sql for name, statement in load_statements().items() if _may_be_asked(name, statement.sql)}
    first = [name for name, sql in asked.items() if plans(sql, 1)]
    again = [name for name, sql in asked.items() if plans(sql, 2)]
    connection.close()
    assert "journal.due" in first
    assert again == []


def _may_be_asked(name: str, sql: str) -> bool:
    return not name.startswith("telemetry.") and "\nSELECT" in sql and "json" not in sql


def test_names_are_unique_over_all_files(tmp_path: Path) -> None:
    (tmp_path / "a.sql").write_text("-- name: x\n-- One.\nSELECT 1;\n")
    (tmp_path / "b.sql").write_text("-- name: x\n-- Two.\nSELECT 2;\n")
    with pytest.raises(ValueError, match=r"b\.sql: x is named twice"):
        load_statements(tmp_path)


def test_text_before_the_first_name_is_refused(tmp_path: Path) -> None:
    (tmp_path / "a.sql").write_text("SELECT 1;\n-- name: x\n-- One.\nSELECT 1;\n")
    with pytest.raises(ValueError, match="before the first name"):
        load_statements(tmp_path)


def test_the_folder_ships_with_the_package() -> None:
    assert (SQL_FOLDER / "objects.sql").is_file()
