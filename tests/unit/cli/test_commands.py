"""Each command: `--json` gives the instance's answer as it is, the other form shows it to people, escapes included."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from alight.cli.logs import seconds
from alight.errors import AlightError
from tests.unit.cli.conftest import Ask
from tests.unit.cli.double import Answers

EVIL = "birds/\x1b[2Jcard.jpg"
SHOWN = "birds/\\x1b[2Jcard.jpg"
EVENT: dict[str, Any] = {
    "id": "11111111-2222-3333-4444-555555555555",
    "function": "arn:aws:lambda:us-east-1:000000000000:function:birds",
    "state": "dead",
    "attempts": 3,
    "accepted": 1_700_000_000.25,
    "finished": 1_700_000_180.0,
    "source": {"service": "s3", "key": EVIL},
    "error": {"type": "KeyError", "message": EVIL},
    "payload": {"Records": [EVIL]},
    "history": [{"started": 1_700_000_000.3, "ended": 1_700_000_000.4, "outcome": "error", "request_id": "r-1"}],
}
DELIVERY: dict[str, Any] = {
    "id": 7,
    "message_id": "m-1",
    "protocol": "sms",
    "target": "+15550100",
    "state": "held",
    "attempts": 0,
    "created": 1_700_000_000.9,
    "body": f"Bird [{EVIL}] is a: Hen(0.98)",
    "last_error": None,
}
ANSWERS: dict[str, Any] = {
    "GET status": {
        "url": "http://127.0.0.1:1", "pid": 1, "version": "0.1.0", "started": 1_700_000_000.0,
        "books": {"accepted": 5, "dead": 1}, "buckets": [EVIL], "warnings": [EVIL],
        "backup": {"created": 1_700_000_000.0, "folder": EVIL, "size": 1, "damage": 2, "there": False},
        "functions": [{"name": EVIL, "runtime": "python3.11", "nested": [1]}],
    },
    "GET outputs": {"Key": EVIL},
    "GET events": {"events": [EVENT], "next": "x"},
    f"GET events/{EVENT['id']}": EVENT,
    f"POST events/{EVENT['id']}/replay": {"id": EVIL},
    "POST events/redrive": {"ids": [EVIL], "count": 1},
    f"GET explain/{EVENT['id']}": {
        "event": EVENT,
        "steps": [
            {"at": 1_700_000_000.25, "what": f"PUT {EVIL}", "duration": 0.004,
             "steps": [{"at": 1_700_000_000.3, "what": "attempt", "detail": EVIL, "status": "error"}]},
        ],
        "messages": [DELIVERY],
        "logs": [{"timestamp": 1_700_000_000.35, "message": f"msg: {EVIL}\n"}],
    },
    "GET outbox": {"deliveries": [DELIVERY]},
    "GET models": {"endpoints": [{"name": EVIL, "status": "InService", "variants": [{"name": "v", "format": "onnx"}]}]},
    "POST invoke": {"status": 200, "payload": {"key": EVIL}, "function_error": None, "log_tail": f"START\n{EVIL}\n"},
    "GET logs": [{"timestamp": 1_700_000_000.0, "group": "/aws/lambda/birds", "message": f"msg: {EVIL}\n"}],
    "POST apply": {
        "plan": [{"action": "create", "logical_id": "Bucket", "type": "AWS::S3::Bucket", "physical_id": EVIL}],
        "warnings": [EVIL], "outputs": {"Name": EVIL},
    },
}  # fmt: skip
COMMANDS: list[tuple[list[str], str]] = [
    (["status"], "GET status"),
    (["outputs"], "GET outputs"),
    (["events", "list"], "GET events"),
    (["events", "show", EVENT["id"]], f"GET events/{EVENT['id']}"),
    (["events", "replay", EVENT["id"]], f"POST events/{EVENT['id']}/replay"),
    (["events", "redrive", EVENT["id"]], "POST events/redrive"),
    (["explain", EVENT["id"]], f"GET explain/{EVENT['id']}"),
    (["outbox"], "GET outbox"),
    (["models"], "GET models"),
    (["invoke", "birds", "{}"], "POST invoke"),
]


@pytest.fixture(autouse=True)
def _answers(answers: Answers) -> None:
    answers.by_path |= ANSWERS


@pytest.mark.parametrize(("words", "asked"), COMMANDS, ids=[" ".join(words[:2]) for words, _ in COMMANDS])
def test_json_is_the_instances_answer(ask: Ask, words: list[str], asked: str) -> None:
    said = ask(*words, "--json")
    assert (said.code, json.loads(said.out)) == (0, ANSWERS[asked])


@pytest.mark.parametrize(("words", "asked"), COMMANDS, ids=[" ".join(words[:2]) for words, _ in COMMANDS])
def test_people_see_data_but_no_escapes(ask: Ask, words: list[str], asked: str) -> None:
    said = ask(*words)
    assert said.code == 0
    assert SHOWN in said.out or "\\u001b[2J" in said.out
    assert "\x1b" not in said.out + said.err


@pytest.mark.parametrize("name", ["plan", "apply"])
def test_templates_are_planned_and_applied_by_the_instance(
    ask: Ask, answers: Answers, tmp_path: Path, name: str
) -> None:
    (tmp_path / "template.yaml").write_text("Resources: {}\n")
    assert json.loads(ask(name, str(tmp_path), "--json").out) == ANSWERS["POST apply"]
    assert answers.asked[0].body == {"template": str(tmp_path / "template.yaml"), "plan_only": name == "plan"}
    said = ask(name, str(tmp_path))
    assert SHOWN in said.out
    assert "\x1b" not in said.out


def test_a_template_that_is_not_there(ask: Ask, tmp_path: Path) -> None:
    said = ask("plan", str(tmp_path / "nowhere"))
    assert said.code == 1
    assert "no template" in said.err


def test_explain_tells_times_from_the_start(ask: Ask) -> None:
    lines = ask("explain", EVENT["id"]).out.splitlines()
    assert any("+0.0 ms" in line and "PUT" in line and "(4.0 ms)" in line for line in lines)
    assert any("+50 ms" in line and "attempt" in line for line in lines)
    assert any("+650 ms" in line and "message to sms +15550100: held" in line for line in lines)


def test_long_errors_are_cut_in_lists_and_whole_in_show(ask: Ask, answers: Answers) -> None:
    trace = "ModelError: " + "x" * 200 + "\nTraceback\n  File app.py"
    failed = EVENT | {"error": {"type": "ModelError", "message": trace}}
    answers.by_path |= {"GET events": {"events": [failed]}, f"GET events/{EVENT['id']}": failed}
    listed, shown = ask("events", "list").out, ask("events", "show", EVENT["id"]).out
    assert "Traceback" not in listed
    assert "xxx..." in listed
    assert "\nTraceback\n  File app.py\n" in shown


def test_events_are_asked_for_by_state(ask: Ask, answers: Answers) -> None:
    ask("events", "list", "--state", "dead", "--limit", "3")
    assert answers.asked[0].path == "events?state=dead&limit=3"


def test_redrive_needs_a_choice(ask: Ask, answers: Answers) -> None:
    assert ask("events", "redrive").code == 1
    assert ask("events", "redrive", "x", "--all").code == 1
    assert answers.asked == []
    ask("events", "redrive", "--function", "birds", "--dry-run")
    assert answers.asked[0].body == {"filter": {"function": "birds"}, "dry_run": True}
    ask("events", "redrive", "--all")
    assert answers.asked[1].body == {"filter": {}, "dry_run": False}
    ask(
        "events",
        "redrive",
        "--reason",
        "KeyError",
        "--bucket",
        "b",
        "--prefix",
        "p/",
        "--since",
        "2h",
        "--before",
        "1h",
    )
    given = answers.asked[2].body["filter"]
    assert (given["reason"], given["bucket"], given["prefix"]) == ("KeyError", "b", "p/")
    assert given["before"] - given["since"] == pytest.approx(3600)
    assert ask("events", "redrive", "--all", "--rate", "-1").code == 2


def test_invoke_shows_the_log_apart_from_the_answer(ask: Ask, answers: Answers) -> None:
    said = ask("invoke", "birds", '{"a": 1}')
    assert answers.asked[0].body == {"function": "birds", "payload": {"a": 1}, "type": "RequestResponse"}
    assert said.err.startswith("START\n")
    assert json.loads(said.out) == {"key": EVIL}


def test_invoke_fails_with_the_function(ask: Ask, answers: Answers) -> None:
    answers.by_path["POST invoke"] = {"status": 200, "payload": {"errorMessage": "no"}, "function_error": "Unhandled"}
    said = ask("invoke", "birds")
    assert said.code == 1
    assert "Unhandled" in said.err
    assert ask("invoke", "birds", "--json").code == 1


def test_logs_go_back_to_the_beginning_of_time_and_not_behind_it(ask: Ask, answers: Answers) -> None:
    assert ask("logs", "--since", "999999d").code == 0
    assert answers.asked[0].path == "logs?start=0.0"
    assert "is no length of time" in ask("logs", "--since", "9" * 5000 + "d").err


def test_invoke_takes_no_payload_that_is_nested_without_end(ask: Ask, answers: Answers) -> None:
    said = ask("invoke", "birds", "[" * 5000 + "]" * 5000)
    assert said.code != 0
    assert "PAYLOAD is not JSON" in said.err
    assert answers.asked == []


def test_invoke_asynchronously(ask: Ask, answers: Answers) -> None:
    answers.by_path["POST invoke"] = {"status": 202, "event_id": "e-1"}
    assert ask("invoke", "birds", "--event").out == "Accepted as event e-1.\n"
    assert answers.asked[0].body["type"] == "Event"


def test_invoke_refuses_what_is_not_json(ask: Ask, tmp_path: Path) -> None:
    assert "not JSON" in ask("invoke", "birds", "{oops").err
    assert "cannot be read" in ask("invoke", "birds", "--file", str(tmp_path / "none")).err


def test_logs_are_lines(ask: Ask, answers: Answers) -> None:
    said = ask("logs", "birds", "--since", "10m", "--request", "r-1")
    assert said.out.rstrip().endswith(f"birds  msg: {SHOWN}")
    assert answers.asked[0].path.startswith("logs?function=birds&request_id=r-1&start=")
    assert json.loads(ask("logs", "--json").out) == ANSWERS["GET logs"][0]


def test_lengths_of_time() -> None:
    assert [seconds(text) for text in ("90s", "10m", "2h", "7d")] == [90, 600, 7200, 604_800]
    with pytest.raises(AlightError, match="no length of time"):
        seconds("soon")


def test_empty_lists_say_so(ask: Ask, answers: Answers) -> None:
    answers.by_path |= {"GET events": {}, "GET outbox": {}, "GET models": {}, "GET outputs": {}}
    for words in (["events", "list"], ["outbox"], ["models"], ["outputs"]):
        assert ask(*words).out.startswith("No ")


def test_dead_deliveries_are_sent_again(ask: Ask, answers: Answers) -> None:
    answers.by_path["POST outbox/redrive"] = {"count": 2}
    assert ask("outbox", "--redrive", "7", "--redrive", "8").out == "2 will be sent again.\n"
    assert answers.asked[0].body == {"ids": [7, 8]}


def test_held_messages_say_what_they_wait_for(ask: Ask) -> None:
    assert "Held until there is a gateway (1): set smtp_url or sms_url" in ask("outbox").out


def test_more_than_a_page_of_deliveries_is_one_list(ask: Ask, answers: Answers) -> None:
    answers.by_path["GET outbox"] = {"deliveries": [DELIVERY] * 1000, "next": 7}
    said = ask("outbox", "--limit", "1500", "--before", "9000")
    assert "alight outbox --before 7" in said.out
    assert [one.path.partition("?")[2] for one in answers.asked] == ["before=9000&limit=1000", "before=7&limit=500"]


def test_older_events_are_asked_for(ask: Ask, answers: Answers) -> None:
    answers.by_path["GET events"] = {"events": [{"id": "e2"}], "next": "e2"}
    said = ask("events", "list", "--before", "e9")
    assert "alight events list --before e2" in said.out
    assert "before=e9" in answers.asked[0].path


def test_status_says_where_the_last_backup_lies(ask: Ask, answers: Answers) -> None:
    assert f"{SHOWN} (not there any more), with 2 things damaged" in " ".join(ask("status").out.split())
    answers.by_path["GET status"] = {"backup": None}
    assert "none was made yet: alight backup FOLDER" in ask("status").out
