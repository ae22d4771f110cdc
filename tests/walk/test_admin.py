"""The admin door of a running instance: who gets in, and what the outside may know."""

from __future__ import annotations

import json
import urllib.error
import urllib.request

import pytest

from tests.support import Instance


def ask(instance: Instance, path: str, **headers: str) -> tuple[int, str]:
    request = urllib.request.Request(f"{instance.url}/_alight/{path}", headers=headers)
    try:
        with urllib.request.urlopen(request, timeout=20) as answer:
            return answer.status, answer.read().decode()
    except urllib.error.HTTPError as error:
        return error.code, error.read().decode()


@pytest.mark.parametrize("path", ["api/status", "api/events", "api/outbox", "api/outputs", "api/logs", "metrics"])
def test_nothing_but_health_and_the_welcome_is_open(running: Instance, path: str) -> None:
    assert ask(running, path)[0] == 401
    assert ask(running, path, Authorization="Bearer wrong")[0] == 401
    token = json.loads((running.data / "credentials.json").read_text())["admin_token"]
    assert ask(running, path, Authorization=f"Bearer {token}")[0] == 200
    assert ask(running, "health") == (200, '{"status": "ok"}')
    assert ask(running, "console")[0] == 401
    assert ask(running, "console/static/alight.css")[0] == 200


#: A number larger than any row's, one of thousands of digits, and none.
NO_NUMBERS = (str(1 << 63), "9" * 5000, "x")


@pytest.mark.parametrize("number", NO_NUMBERS, ids=["large", "long", "none"])
def test_a_number_that_no_row_has_is_refused_in_words(running: Instance, number: str) -> None:
    token = json.loads((running.data / "credentials.json").read_text())["admin_token"]
    for path in ("api/outbox?before=", "api/outbox?limit=", "api/events?limit="):
        status, text = ask(running, f"{path}{number}", Authorization=f"Bearer {token}")
        assert (status, "is not a whole number" in text) == (400, True), path
    for name in ("events", "explain"):
        status, text = ask(running, f"api/{name}/{number}", Authorization=f"Bearer {token}")
        assert status == 404, name


def test_a_moment_that_is_none_is_refused_in_words(running: Instance) -> None:
    token = json.loads((running.data / "credentials.json").read_text())["admin_token"]
    for moment in ("x", "-1", "nan"):
        status, text = ask(running, f"api/logs?start={moment}", Authorization=f"Bearer {token}")
        assert (status, "start is not a number" in text) == (400, True), moment


@pytest.mark.timeout(30)
def test_who_follows_a_quiet_log_hears_that_nothing_came(running: Instance) -> None:
    """Python sees a Ctrl-C that comes right before it waits for a line once there is one: none would be a minute."""
    token = json.loads((running.data / "credentials.json").read_text())["admin_token"]
    follow = urllib.request.Request(
        f"{running.url}/_alight/api/logs?follow=1", headers={"Authorization": f"Bearer {token}"}
    )
    with urllib.request.urlopen(follow) as answer:
        assert [answer.readline() for _ in range(2)] == [b"\n", b"\n"]


def test_a_foreign_host_is_not_served_not_even_health(running: Instance) -> None:
    assert ask(running, "health", Host="evil.example")[0] == 421


def test_metrics_are_in_prometheus_form(running: Instance) -> None:
    token = json.loads((running.data / "credentials.json").read_text())["admin_token"]
    _, text = ask(running, "metrics", Authorization=f"Bearer {token}")
    assert 'alight_events{state="accepted"} 0' in text.splitlines()
    assert all(line.startswith("#") or len(line.rsplit(" ", 1)) == 2 for line in text.splitlines())


def test_keys_and_tokens_are_in_no_answer(running: Instance) -> None:
    keys = json.loads((running.data / "credentials.json").read_text())
    shown = running.alight("status", "--json").stdout + running.alight("doctor", "--json").stdout
    assert not [name for name in ("secret_access_key", "admin_token", "session_secret") if keys[name] in shown]
