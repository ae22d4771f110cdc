"""The runtime's log: a name that somebody chose stays within its record, and does nothing to the terminal."""

from __future__ import annotations

import logging
import sys

import apsw
import pytest
from botocore.exceptions import ClientError

from alight.assembly.log import INDENT, OneLine, say
from tests.support import Instance, eventually

FORGED = "2026-01-01 00:00:00,000 ERROR alight: all is lost"
HOSTILE = f"a\x1b]0;title\x07\x1b[2J\r\n{FORGED}"
SHOWN = f"a\\x1b]0;title\\x07\\x1b[2J\\x0d\\x0a{FORGED}"


def test_a_damaged_object_is_told_by_its_name_on_one_line(running: Instance) -> None:
    s3 = running.client("s3")
    s3.create_bucket(Bucket="birds")
    s3.put_object(Bucket="birds", Key=HOSTILE, Body=b"small")
    connection = apsw.Connection(str(running.data / "alight.db"))
    connection.set_busy_timeout(20_000)
    connection.execute("UPDATE objects SET size = 3")
    connection.close()
    with pytest.raises(ClientError, match="InternalError"):
        s3.get_object(Bucket="birds", Key=HOSTILE)
    said = eventually(lambda: "damaged" in (text := running.stderr.read_bytes().decode()) and text, what="the record")
    (told,) = {line.partition(" ERROR ")[2] for line in said.splitlines() if "damaged" in line}
    assert told == f"alight: damaged: Stored data is damaged: objects birds {SHOWN}."
    assert not any(line.startswith("2026-01-01") for line in said.splitlines())
    assert not {"\x1b", "\x07", "\r"} & set(said)


def test_a_traceback_is_readable_and_set_in() -> None:
    try:
        try:
            raise KeyError(HOSTILE)
        except KeyError as error:
            raise ValueError(HOSTILE) from error
    except ValueError:
        record = logging.LogRecord(
            "alight", logging.ERROR, "", 1, "%s failed", (HOSTILE,), sys.exc_info(), None, "at\x1b"
        )
    first, *more = OneLine().format(record).split("\n")
    assert first.endswith(f" ERROR alight: {SHOWN} failed")
    assert all(line.startswith(INDENT) for line in more)
    assert "raise ValueError(HOSTILE) from error" in [line.strip() for line in more]
    assert f"{INDENT}{FORGED}" in more
    assert more[-1] == f"{INDENT}at\\x1b"
    assert all(line.isprintable() for line in (first, *more))


def test_what_is_said_of_a_template_is_harmless_too(capsys: pytest.CaptureFixture[str]) -> None:
    say(f"  create   {HOSTILE}")
    say("one problem\nand another\x1b[0m")
    assert capsys.readouterr().err.split("\n") == [
        "  create   a\\x1b]0;title\\x07\\x1b[2J\\x0d", f"{INDENT}{FORGED}",
        "one problem", f"{INDENT}and another\\x1b[0m", "",
    ]  # fmt: skip
