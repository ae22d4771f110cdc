"""The Lambda door with real boto3: definitions live and die, and Invoke answers as Lambda does."""

from __future__ import annotations

import base64
import hashlib
import io
import json
import zipfile
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError

from tests.support import Instance, eventually, invoke, start_alight, sweep

ROLE = "arn:aws:iam::000000000000:role/tester"
CODE = """
import json, os, time
print("loaded")
def echo(event, context):
    print("got", json.dumps(event))
    return {"event": event, "who": os.environ.get("WHO"), "id": context.aws_request_id}
def fails(event, context):
    raise KeyError("nothing there")
def slow(event, context):
    time.sleep(30)
def context(event, context):
    return {"client": context.client_context.custom if context.client_context else None,
            "left": context.get_remaining_time_in_millis(), "arn": context.invoked_function_arn}
"""


def package(code: str = CODE) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        entry = zipfile.ZipInfo("app.py")  # without the time, so that equal code is an equal package
        entry.external_attr = 0o644 << 16
        archive.writestr(entry, code)
    return buffer.getvalue()


@pytest.fixture(scope="module")
def instance(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Instance]:
    started = start_alight(tmp_path_factory.mktemp("lambda") / "data", ALIGHT_RETRY_DELAYS="0.05,0.05")
    trust = {
        "Statement": [{"Effect": "Allow", "Principal": {"Service": "lambda.amazonaws.com"}, "Action": "sts:AssumeRole"}]
    }
    started.client("iam").create_role(RoleName="tester", AssumeRolePolicyDocument=json.dumps(trust))
    yield started
    sweep(started.process)


@pytest.fixture
def functions(instance: Instance) -> Any:
    return instance.client("lambda")


@pytest.fixture
def make(functions: Any, request: pytest.FixtureRequest) -> Any:
    def create(handler: str = "app.echo", **members: Any) -> str:
        name: str = request.node.name.replace("[", "-").replace("]", "")[:60]
        given = {"FunctionName": name, "Runtime": "python3.11", "Role": ROLE, "Handler": handler, "Timeout": 10}
        functions.create_function(**given | {"Code": {"ZipFile": package()}} | members)
        return name

    return create


def refused(code: str, call: Any, **given: Any) -> ClientError:
    with pytest.raises(ClientError) as caught:
        call(**given)
    assert caught.value.response["Error"]["Code"] == code, caught.value
    return caught.value


def test_a_request_gets_the_answer_and_the_tail_of_the_log(functions: Any, make: Any) -> None:
    name = make(Environment={"Variables": {"WHO": "me"}})
    answer = functions.invoke(FunctionName=name, Payload=b'{"a": 1}', LogType="Tail")
    payload = json.loads(answer["Payload"].read())
    assert answer["StatusCode"] == 200
    assert answer["ExecutedVersion"] == "$LATEST"
    assert "FunctionError" not in answer
    assert (payload["event"], payload["who"]) == ({"a": 1}, "me")
    assert payload["id"] == answer["ResponseMetadata"]["RequestId"]
    log = base64.b64decode(answer["LogResult"]).decode()
    assert [word in log for word in ("START RequestId", 'got {"a": 1}', "END RequestId", "Init Duration")] == [True] * 4


def test_a_function_error_is_a_200_that_says_so(functions: Any, make: Any) -> None:
    answer = functions.invoke(FunctionName=make("app.fails"))
    assert (answer["StatusCode"], answer["FunctionError"]) == (200, "Unhandled")
    error = json.loads(answer["Payload"].read())
    assert error["errorType"] == "KeyError"
    assert error["errorMessage"] == "'nothing there'"
    assert "app.py" in error["stackTrace"][-1]


def test_a_timeout_is_told_in_lambdas_words(functions: Any, make: Any) -> None:
    answer = functions.invoke(FunctionName=make("app.slow", Timeout=1))
    assert answer["FunctionError"] == "Unhandled"
    assert "Task timed out after 1.00 seconds" in json.loads(answer["Payload"].read())["errorMessage"]


def test_an_event_is_accepted_and_handled_later(instance: Instance, functions: Any, make: Any) -> None:
    answer = invoke(functions, FunctionName=make(), InvocationType="Event", Payload=b'"later"')
    assert answer["StatusCode"] == 202
    id = answer["ResponseMetadata"]["RequestId"]
    event = eventually(lambda: _in_state(instance, id, "succeeded"))
    assert event["result"]["event"] == "later"


def test_a_failing_event_is_a_dead_letter_after_three_attempts_or_as_configured(
    instance: Instance, functions: Any, make: Any
) -> None:
    name = make("app.fails")
    id = invoke(functions, FunctionName=name, InvocationType="Event")["ResponseMetadata"]["RequestId"]
    assert len(eventually(lambda: _in_state(instance, id, "dead"))["history"]) == 3
    functions.put_function_event_invoke_config(FunctionName=name, MaximumRetryAttempts=0)
    assert functions.get_function_event_invoke_config(FunctionName=name)["MaximumRetryAttempts"] == 0
    id = invoke(functions, FunctionName=name, InvocationType="Event")["ResponseMetadata"]["RequestId"]
    assert len(eventually(lambda: _in_state(instance, id, "dead"))["history"]) == 1


def test_a_handler_has_no_space(functions: Any, make: Any) -> None:
    words = r"Member must satisfy regular expression pattern: \[\^\\s\]\+"
    assert refused("ValidationException", make, handler="app.\techo")
    name = make()
    with pytest.raises(ClientError, match=r"Value 'a b' at 'handler'.*" + words):
        functions.update_function_configuration(FunctionName=name, Handler="a b")


def test_events_are_listed_page_by_page(instance: Instance, functions: Any, make: Any) -> None:
    name = make()
    made = [
        invoke(functions, FunctionName=name, InvocationType="Event")["ResponseMetadata"]["RequestId"] for _ in range(3)
    ]
    found: list[str] = []
    for _ in made:
        behind = ["--before", found[-1]] if found else []
        answer = instance.json("events", "list", "--function", name, "--limit", "1", *behind)
        found += [event["id"] for event in answer["events"]]
        assert answer["next"] == (found[-1] if len(found) < len(made) else None)
    assert found == made[::-1]
    assert "There is no event" in instance.alight("events", "list", "--before", "nobody").stderr


def _in_state(instance: Instance, id: str, state: str) -> Any:
    event = instance.json("events", "show", id)
    return event if event["state"] == state else None


def test_a_dry_run_runs_nothing(instance: Instance, functions: Any, make: Any) -> None:
    name = make("app.fails")
    assert invoke(functions, FunctionName=name, InvocationType="DryRun")["StatusCode"] == 204
    groups = instance.client("logs").describe_log_groups(logGroupNamePrefix=f"/aws/lambda/{name}")["logGroups"]
    assert groups == []


def test_the_client_context_and_the_time_left_reach_the_handler(functions: Any, make: Any) -> None:
    context = base64.b64encode(json.dumps({"custom": {"k": "v"}}).encode()).decode()
    answer = functions.invoke(FunctionName=make("app.context"), ClientContext=context)
    payload = json.loads(answer["Payload"].read())
    assert payload["client"] == {"k": "v"}
    assert 0 < payload["left"] <= 10_000
    assert payload["arn"].endswith(":function:test_the_client_context_and_the_time_left_reach_the_handler")


def test_new_code_and_new_configuration_are_in_force_with_the_next_call(functions: Any, make: Any) -> None:
    name = make()
    invoke(functions, FunctionName=name)
    before = functions.get_function_configuration(FunctionName=name)
    functions.update_function_code(FunctionName=name, ZipFile=package("def echo(event, context):\n    return 'new'\n"))
    assert json.loads(functions.invoke(FunctionName=name)["Payload"].read()) == "new"
    functions.update_function_code(FunctionName=name, ZipFile=package())
    functions.update_function_configuration(FunctionName=name, Environment={"Variables": {"WHO": "other"}})
    assert json.loads(functions.invoke(FunctionName=name)["Payload"].read())["who"] == "other"
    after = functions.get_function_configuration(FunctionName=name)
    assert after["CodeSha256"] == before["CodeSha256"]
    assert after["RevisionId"] != before["RevisionId"]
    stale = before["RevisionId"]
    refused("PreconditionFailedException", functions.update_function_configuration, FunctionName=name, RevisionId=stale)


def test_the_package_is_hashed_as_lambda_does(functions: Any, make: Any) -> None:
    name = make()
    expected = base64.b64encode(hashlib.sha256(package()).digest()).decode()
    assert functions.get_function(FunctionName=name)["Configuration"]["CodeSha256"] == expected


def test_code_may_lie_in_a_bucket(instance: Instance, functions: Any, make: Any) -> None:
    s3 = instance.client("s3")
    s3.create_bucket(Bucket="packages")
    s3.put_object(Bucket="packages", Key="v1/code.zip", Body=package())
    name = make(Code={"S3Bucket": "packages", "S3Key": "v1/code.zip"})
    assert json.loads(functions.invoke(FunctionName=name, Payload=b"7")["Payload"].read())["event"] == 7


def test_permissions_are_kept_as_a_policy(functions: Any, make: Any) -> None:
    name = make()
    refused("ResourceNotFoundException", functions.get_policy, FunctionName=name)
    statement = {
        "FunctionName": name,
        "StatementId": "s3",
        "Action": "lambda:InvokeFunction",
        "Principal": "s3.amazonaws.com",
        "SourceArn": "arn:aws:s3:::pics",
    }
    refused("PreconditionFailedException", functions.add_permission, **statement, RevisionId="other")
    refused("ValidationException", functions.add_permission, **statement | {"Action": "s3:GetObject"})
    refused("InvalidParameterValueException", functions.add_permission, **statement | {"Principal": "cat"})
    functions.add_permission(**statement)
    refused("ResourceConflictException", functions.add_permission, **statement)
    [kept] = json.loads(functions.get_policy(FunctionName=name)["Policy"])["Statement"]
    assert kept["Principal"] == {"Service": "s3.amazonaws.com"}
    assert kept["Condition"] == {"ArnLike": {"AWS:SourceArn": "arn:aws:s3:::pics"}}
    functions.remove_permission(FunctionName=name, StatementId="s3")
    refused("ResourceNotFoundException", functions.get_policy, FunctionName=name)


def test_a_function_that_is_deleted_is_gone(functions: Any, make: Any) -> None:
    name = make()
    refused("ResourceConflictException", lambda: make())
    listed = functions.get_paginator("list_functions").paginate().build_full_result()["Functions"]
    assert name in [item["FunctionName"] for item in listed]
    assert functions.delete_function(FunctionName=name)["StatusCode"] == 204
    error = refused("ResourceNotFoundException", functions.invoke, FunctionName=name)
    assert (
        error.response["Error"]["Message"]
        == f"Function not found: arn:aws:lambda:us-east-1:000000000000:function:{name}"
    )


def test_bad_input_gets_lambdas_errors(functions: Any, make: Any) -> None:
    name = make()
    refused("InvalidRequestContentException", functions.invoke, FunctionName=name, Payload=b"{not json")
    refused("InvalidRequestContentException", functions.invoke, FunctionName=name, Payload=b"[" * 100_000)
    too_large = b'"' + b"x" * (6 * 1024 * 1024) + b'"'
    refused("RequestTooLargeException", functions.invoke, FunctionName=name, Payload=too_large)
    refused("ResourceNotFoundException", functions.invoke, FunctionName=name, Qualifier="7")
    bad = {"FunctionName": "bad", "Runtime": "python3.11", "Role": ROLE, "Handler": "app.echo"}
    good = {"Code": {"ZipFile": package()}}
    create, invalid = functions.create_function, "InvalidParameterValueException"
    error = refused(invalid, create, **bad, Code={"ZipFile": b"not a zip"})
    assert error.response["Error"]["Message"].startswith("ZipFile cannot be unpacked: File is not a zip file.")
    refused(invalid, create, **bad, **good, Environment={"Variables": {"AWS_REGION": "moon"}})
    refused("NotImplemented", create, **bad, **good, VpcConfig={"SubnetIds": ["x"]})
    assert functions.get_function_configuration(FunctionName=name)["State"] == "Active", "nothing was lost"


def test_log_events_are_paged_and_filtered(instance: Instance, functions: Any, make: Any) -> None:
    name = make()
    for number in range(5):
        invoke(functions, FunctionName=name, Payload=json.dumps(number).encode())
    logs = instance.client("logs")
    group = f"/aws/lambda/{name}"
    found = logs.filter_log_events(logGroupName=group, filterPattern='"got"')["events"]
    assert [event["message"].strip() for event in found] == [f"got {number}" for number in range(5)]
    pages = logs.get_paginator("filter_log_events").paginate(logGroupName=group, PaginationConfig={"PageSize": 3})
    everything = [event["eventId"] for page in pages for event in page["events"]]
    assert len(everything) == len(set(everything)) > 15
    [stream] = {event["logStreamName"] for event in found}
    first = logs.get_log_events(logGroupName=group, logStreamName=stream, limit=4, startFromHead=True)
    rest = logs.get_log_events(logGroupName=group, logStreamName=stream, nextToken=first["nextForwardToken"])
    assert len(first["events"]) + len(rest["events"]) == len(everything)
    refused("ResourceNotFoundException", logs.filter_log_events, logGroupName="/aws/lambda/nobody")


def test_reserved_concurrency_of_none_at_all_buries_events(instance: Instance, functions: Any, make: Any) -> None:
    name = make()
    functions.put_function_concurrency(FunctionName=name, ReservedConcurrentExecutions=0)
    id = invoke(functions, FunctionName=name, InvocationType="Event")["ResponseMetadata"]["RequestId"]
    event = eventually(lambda: _in_state(instance, id, "dead"))
    assert event["error"]["type"] == "ZeroReservedConcurrency"
    error = refused("TooManyRequestsException", functions.invoke, FunctionName=name)
    assert error.response["Error"]["Message"] == "Rate Exceeded."
    functions.delete_function_concurrency(FunctionName=name)
    assert invoke(functions, FunctionName=name)["StatusCode"] == 200


def test_an_event_begins_as_soon_as_its_function_may_run_more_at_a_time(
    instance: Instance, functions: Any, make: Any
) -> None:
    name = make("app.slow", Timeout=60)
    functions.put_function_concurrency(FunctionName=name, ReservedConcurrentExecutions=1)
    first, second = (
        invoke(functions, FunctionName=name, InvocationType="Event")["ResponseMetadata"]["RequestId"] for _ in range(2)
    )
    eventually(lambda: _in_state(instance, first, "running"))
    assert _in_state(instance, second, "pending")
    functions.put_function_concurrency(FunctionName=name, ReservedConcurrentExecutions=2)
    assert eventually(lambda: _in_state(instance, second, "running"))["attempts"] == 0
    assert _in_state(instance, first, "running"), "nobody has had to end for it"
    functions.delete_function(FunctionName=name)


def test_a_role_cannot_be_anything(functions: Any) -> None:
    bad = {"FunctionName": "bad", "Runtime": "python3.11", "Role": "me", "Handler": "app.echo"}
    refused("InvalidParameterValueException", functions.create_function, **bad, Code={"ZipFile": package()})


def test_the_folder_of_the_data_holds_no_default_keys(instance: Instance) -> None:
    path = Path(instance.data) / "credentials.json"
    assert path.stat().st_mode & 0o777 == 0o600


def test_of_two_updates_of_one_revision_one_succeeds(instance: Instance, functions: Any, make: Any) -> None:
    name = make()
    revision = functions.get_function_configuration(FunctionName=name)["RevisionId"]

    def update(number: int) -> bool:
        try:
            instance.client("lambda").update_function_configuration(
                FunctionName=name, RevisionId=revision, Description=str(number)
            )
        except ClientError as error:
            if error.response["Error"]["Code"] != "PreconditionFailedException":
                raise
            return False
        return True

    with ThreadPoolExecutor(8) as pool:
        assert sum(pool.map(update, range(8))) == 1


def test_tags_belong_to_the_function(instance: Instance, functions: Any, make: Any) -> None:
    name = make(Tags={"team": "birds"})
    arn = functions.get_function_configuration(FunctionName=name)["FunctionArn"]
    revision = functions.publish_version(FunctionName=name)["RevisionId"]
    functions.tag_resource(Resource=arn, Tags={"stage": "test", "team": "bees"})
    functions.untag_resource(Resource=arn, TagKeys=["team", "nobody"])
    assert functions.list_tags(Resource=arn)["Tags"] == {"stage": "test"}
    assert functions.get_function(FunctionName=name)["Tags"] == {"stage": "test"}
    assert functions.publish_version(FunctionName=name)["RevisionId"] == revision, "a tag makes no new version"
    refused("InvalidParameterValueException", functions.tag_resource, Resource=f"{arn}:1", Tags={"a": "b"})
    refused("InvalidParameterValueException", functions.tag_resource, Resource=arn, Tags={"aws:a": "b"})
    many = {str(number): "" for number in range(50)}
    refused("InvalidParameterValueException", functions.tag_resource, Resource=arn, Tags=many)
    refused("ResourceNotFoundException", functions.list_tags, Resource=f"{arn}x")
    mapping = "arn:aws:lambda:us-east-1:000000000000:event-source-mapping:11111111-2222-3333-4444-555555555555"
    refused("ResourceNotFoundException", functions.tag_resource, Resource=mapping, Tags={"a": "b"})
    code = "arn:aws:lambda:us-east-1:000000000000:code-signing-config:csc-0123456789abcdef0"
    refused("NotImplemented", functions.list_tags, Resource=code)
    functions.put_function_concurrency(FunctionName=name, ReservedConcurrentExecutions=1)
    assert functions.get_function(FunctionName=name)["Concurrency"] == {"ReservedConcurrentExecutions": 1}


def test_the_account_and_all_versions_of_its_functions(functions: Any, make: Any) -> None:
    before = functions.get_account_settings()
    name = make(Publish=True)
    functions.put_function_concurrency(FunctionName=name, ReservedConcurrentExecutions=1)
    after = functions.get_account_settings()
    assert after["AccountUsage"]["FunctionCount"] == before["AccountUsage"]["FunctionCount"] + 1
    assert after["AccountUsage"]["TotalCodeSize"] == before["AccountUsage"]["TotalCodeSize"] + 2 * len(package())
    limit = after["AccountLimit"]
    assert limit["UnreservedConcurrentExecutions"] == before["AccountLimit"]["UnreservedConcurrentExecutions"] - 1
    assert (limit["CodeSizeUnzipped"], limit["CodeSizeZipped"]) == (262_144_000, 52_428_800)
    functions.update_function_code(FunctionName=name, ZipFile=package("def echo(event, context): ..."), Publish=True)
    pages = functions.get_paginator("list_functions").paginate(FunctionVersion="ALL", PaginationConfig={"PageSize": 1})
    listed = [(one["FunctionName"], one["Version"]) for page in pages for one in page["Functions"]]
    assert [version for function, version in listed if function == name] == ["$LATEST", "1", "2"]
    assert len(listed) == len(set(listed))
    functions.delete_function(FunctionName=name)


def test_code_that_the_disk_has_changed_is_not_run(instance: Instance, functions: Any, make: Any) -> None:
    zipped = package(CODE + "# of its own\n")
    name = make(Code={"ZipFile": zipped})
    stored = instance.data / "functions" / "code" / hashlib.sha256(zipped).hexdigest() / "app.py"
    text = bytearray(stored.read_bytes())
    text[text.index(b"loaded")] ^= 1  # still good Python
    stored.write_bytes(text)
    answer = invoke(functions, FunctionName=name, Payload=b"{}")
    assert answer["FunctionError"] == "Unhandled"
    assert f"The code of {name}" in json.loads(answer["Payload"])["errorMessage"]
    functions.update_function_code(FunctionName=name, ZipFile=zipped)
    assert json.loads(invoke(functions, FunctionName=name, Payload=b"{}")["Payload"])["event"] == {}
