"""What a template asks of this machine is told in the plan: which Python runs a function, which runtime never will."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from alight.functions.interpreters import Interpreters
from tests.support import Instance

TEMPLATE = """\
Resources:
  Worker:
    Type: AWS::Lambda::Function
    Properties:
      Handler: index.handler
      Runtime: {runtime}
      Role: !GetAtt Role.Arn
      Code: {{ZipFile: "def handler(event, context): return 'ran'"}}
  Role:
    Type: AWS::IAM::Role
    Properties:
      AssumeRolePolicyDocument:
        Statement: {{Effect: Allow, Principal: {{Service: lambda.amazonaws.com}}, Action: sts:AssumeRole}}
  Queue:
    Type: AWS::SQS::Queue
"""


def written(folder: Path, runtime: str) -> str:
    path = folder / "template.yaml"
    path.write_text(TEMPLATE.format(runtime=runtime))
    return str(path)


async def missing_python() -> str:
    """A runtime that Lambda has and this machine has not."""
    interpreters = Interpreters()
    for minor in range(14, 9, -1):
        if (await interpreters.choose(f"python3.{minor}")).warning:
            return f"python3.{minor}"
    pytest.skip("every Python that Lambda offers is installed")


def test_a_python_that_is_not_here_is_replaced_and_the_plan_the_log_and_the_doctor_say_so(
    running: Instance, tmp_path: Path
) -> None:
    runtime = asyncio.run(missing_python())
    template = written(tmp_path, runtime)
    plan = running.json("plan", template)
    [warning] = plan["warnings"]
    assert f"{template}:2" in warning
    assert f"There is no {runtime} on this machine" in warning
    applied = running.json("apply", template)
    name = next(step["physical_id"] for step in applied["plan"] if step["logical_id"] == "Worker")
    assert running.json("invoke", name)["payload"] == "ran"
    assert f"There is no {runtime} on this machine" in running.alight("logs", name).stdout
    doctor = running.alight("doctor", template, "--json").stdout
    assert f"There is no {runtime} on this machine" in doctor


def test_a_runtime_that_never_runs_here_is_refused_by_name_before_anything_is_made(
    running: Instance, tmp_path: Path
) -> None:
    template = written(tmp_path, "nodejs20.x")
    answer = running.alight("apply", template)
    assert answer.returncode == 1
    assert f"{template}:2" in answer.stderr
    assert "nodejs20.x" in answer.stderr
    assert running.json("status")["queues"] == []
