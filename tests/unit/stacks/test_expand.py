from __future__ import annotations

import asyncio
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from alight.calls import Members
from alight.services.iam.managed import managed_policy_arns
from alight.stacks import expand as expanding
from alight.stacks.expand import expand
from alight.stacks.load import load
from alight.stacks.problems import TemplateRefused

FUNCTION = """\
Transform: AWS::Serverless-2016-10-31
Globals:
  Function: {Runtime: python3.11, Timeout: 9}
Resources:
  Box: {Type: AWS::S3::Bucket}
  Work:
    Type: AWS::Serverless::Function
    Metadata: {Alight: {Publish: immediate}}
    Properties:
      CodeUri: src/
      Handler: app.handler
      Policies: [AmazonS3ReadOnlyAccess]
      Events:
        New: {Type: S3, Properties: {Bucket: !Ref Box, Events: s3:ObjectCreated:*}}
"""


def expanded(folder: Path, text: str, **parameters: str) -> Members:
    (folder / "template.yaml").write_text(text)
    return asyncio.run(expand(load(folder), parameters, managed_policy_arns(), folder / "cache"))


def refused(folder: Path, text: str) -> list[tuple[int, str]]:
    with pytest.raises(TemplateRefused) as told:
        expanded(folder, text)
    return [(problem.line, problem.message) for problem in told.value.problems]


def test_a_serverless_function_becomes_function_role_permission_and_notification(tmp_path: Path) -> None:
    resources = expanded(tmp_path, FUNCTION)["Resources"]
    function = resources["Work"]
    assert function["Type"] == "AWS::Lambda::Function"
    assert function["Properties"]["Code"] == {"Local": "src/"}
    assert function["Properties"]["Timeout"] == 9
    assert function["Metadata"] == {"Alight": {"Publish": "immediate"}}
    assert resources["WorkNewPermission"]["Type"] == "AWS::Lambda::Permission"
    assert resources["WorkRole"]["Properties"]["ManagedPolicyArns"] == [
        "arn:aws:iam::aws:policy/service-role/AWSLambdaBasicExecutionRole",
        "arn:aws:iam::aws:policy/AmazonS3ReadOnlyAccess",
    ]
    [rule] = resources["Box"]["Properties"]["NotificationConfiguration"]["LambdaConfigurations"]
    assert rule["Event"] == "s3:ObjectCreated:*"
    assert "WorkNewPermission" in resources["Box"]["DependsOn"]


def test_the_translator_runs_only_when_something_changed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    runs: list[Members] = []
    run = expanding._run_translator

    async def counted(asked: Members) -> Members:
        runs.append(asked)
        return await run(asked)

    monkeypatch.setattr(expanding, "_run_translator", counted)
    first = expanded(tmp_path, FUNCTION)
    assert expanded(tmp_path, FUNCTION + "# only a remark\n") == first
    assert len(runs) == 1
    expanded(tmp_path, FUNCTION.replace("Timeout: 9", "Timeout: 8"))
    assert len(runs) == 2


def test_a_damaged_cache_is_made_anew(tmp_path: Path) -> None:
    first = expanded(tmp_path, FUNCTION)
    [kept] = (tmp_path / "cache").glob("*.json")
    kept.write_text("{half")
    assert expanded(tmp_path, FUNCTION) == first


def test_the_runtime_does_not_import_the_translator() -> None:
    code = "import sys, alight.stacks.apply; sys.exit('samtranslator' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_a_published_version_follows_the_code(tmp_path: Path) -> None:
    (tmp_path / "src").mkdir()
    text = FUNCTION.replace("CodeUri: src/", "CodeUri: src/\n      AutoPublishAlias: live")

    def versions(content: str) -> list[str]:
        (tmp_path / "src" / "app.py").write_text(content)
        resources: dict[str, Any] = expanded(tmp_path, text)["Resources"]
        return [name for name, one in resources.items() if one["Type"] == "AWS::Lambda::Version"]

    assert versions("one") != versions("two")
    assert versions("one") == versions("one")


def test_findings_of_the_translator_have_the_line_of_their_resource(tmp_path: Path) -> None:
    text = FUNCTION.replace("Handler: app.handler", "Handler: app.handler\n      Nonsense: 1")
    assert refused(tmp_path, text) == [
        (6, "property Nonsense not defined for resource of type AWS::Serverless::Function")
    ]


@pytest.mark.parametrize(
    ("text", "line", "words"),
    [
        ("Resources: {}", 1, "a section Resources"),
        ("Description: x", 1, "a section Resources"),
        ("Transform: Mine\nResources: {A: {Type: AWS::S3::Bucket}}", 1, "the macro Mine"),
        ("Resources:\n  A: {Type: AWS::Serverless::Function}", 2, "needs `Transform"),
        ("Resources:\n  A: 3", 2, "a mapping with a Type"),
        ("Resources:\n  Fn::ForEach::X: [N, [a], {}]", 2, "Fn::ForEach"),
    ],
)
def test_what_cannot_be_expanded(tmp_path: Path, text: str, line: int, words: str) -> None:
    [(found, message)] = refused(tmp_path, text)
    assert (found, words in message) == (line, True)


def test_a_plain_template_goes_through_with_its_local_code(tmp_path: Path) -> None:
    text = "Resources:\n  A: {Type: AWS::Lambda::Function, Properties: {Code: lib/}}\n"
    assert expanded(tmp_path, text)["Resources"]["A"]["Properties"] == {"Code": {"Local": "lib/"}}
    assert not (tmp_path / "cache").exists()
