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
