"""What changes an endpoint that serves, what is written beside it, and how it ends."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from alight.errors.sagemaker import ValidationError, ValidationException
from alight.services.sagemaker import endpoints
from alight.store.records import Records
from tests.unit.endpoints import tiny
from tests.unit.services.sagemaker.conftest import Door, open_door, variant
from tests.unit.services.sagemaker.test_service import ARN, URL, conforms, put


@pytest.fixture
async def shared(door: Door, tmp_path: Path) -> Door:
    """An endpoint `ab` of two variants, and one model, `one`."""
    put(door, tmp_path, "one")
    await door.control("CreateModel", ModelName="one", PrimaryContainer={"ModelDataUrl": URL})
    variants = [variant("one", "A", InitialVariantWeight=1.0), variant("one", "B", InitialVariantWeight=0.0)]
    await door.control("CreateEndpointConfig", EndpointConfigName="ab", ProductionVariants=variants)
    await door.control("CreateEndpoint", EndpointName="ab", EndpointConfigName="ab")
    assert (await door.settled("ab"))["EndpointStatus"] == "InService"
    return door


async def test_weights_and_counts_change_while_it_serves(shared: Door) -> None:
    door = shared
    with pytest.raises(ValidationException, match=r'variant name\(s\) "C" is/are not present'):
        await door.control(
            "UpdateEndpointWeightsAndCapacities",
            EndpointName="ab",
            DesiredWeightsAndCapacities=[{"VariantName": "C", "DesiredWeight": 1.0}],
        )
    made = await door.control(
        "UpdateEndpointWeightsAndCapacities",
        EndpointName="ab",
        DesiredWeightsAndCapacities=[
            {"VariantName": "A", "DesiredWeight": 0.0},
            {"VariantName": "B", "DesiredWeight": 2.0, "DesiredInstanceCount": 2},
        ],
    )
    assert made == {"EndpointArn": f"{ARN}:endpoint/ab"}
    described = await door.control("DescribeEndpoint", EndpointName="ab")
    conforms("DescribeEndpoint", described)
    second = described["ProductionVariants"][1]
    assert (described["EndpointStatus"], second["CurrentWeight"], second["DesiredWeight"]) == ("Updating", 0.0, 2.0)
    assert (await door.invoke("ab"))["InvokedProductionVariant"] == "A"
    described = await door.settled("ab")
    second = described["ProductionVariants"][1]
    assert (described["EndpointStatus"], second["CurrentWeight"], second["CurrentInstanceCount"]) == ("InService", 2, 2)
    assert {(await door.invoke("ab"))["InvokedProductionVariant"] for _ in range(3)} == {"B"}
    # An update may leave them as they are, or take some from its configuration
    await door.control("UpdateEndpoint", EndpointName="ab", EndpointConfigName="ab", RetainAllVariantProperties=True)
    second = (await door.settled("ab"))["ProductionVariants"][1]
    assert (second["CurrentWeight"], second["CurrentInstanceCount"]) == (2.0, 2)
    excluded = [{"VariantPropertyType": "DesiredWeight"}]
    await door.control(
        "UpdateEndpoint",
        EndpointName="ab",
        EndpointConfigName="ab",
        RetainAllVariantProperties=True,
        ExcludeRetainedVariantProperties=excluded,
    )
    described = await door.control("DescribeEndpoint", EndpointName="ab")
    conforms("DescribeEndpoint", described)
    assert [v["VariantName"] for v in described["PendingDeploymentSummary"]["ProductionVariants"]] == ["A", "B"]
    described = await door.settled("ab")
    second = described["ProductionVariants"][1]
    assert (second["CurrentWeight"], second["CurrentInstanceCount"]) == (0.0, 2)
    assert "PendingDeploymentSummary" not in described


async def test_of_two_changes_at_a_time_one_is_refused(shared: Door) -> None:
    change = {"EndpointName": "ab", "EndpointConfigName": "ab"}
    outcomes = await asyncio.gather(
        *(shared.control("UpdateEndpoint", **change) for _ in range(2)), return_exceptions=True
    )
    refused = [outcome for outcome in outcomes if isinstance(outcome, ValidationException)]
    assert len(refused) == 1
    assert refused[0].message == f'Cannot update in-progress endpoint "{ARN}:endpoint/ab".'
    assert (await shared.settled("ab"))["EndpointStatus"] == "InService"


async def test_what_is_being_deleted_answers_what_it_has_and_frees_its_name(
    door: Door, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(endpoints, "FAREWELL", 0.1)
    gate = tmp_path / "gate"
    text = "import os, time\n" + tiny.ECHO.replace(
        "return body\n\ndef output",
        f"\n    while not os.path.exists({str(gate)!r}): time.sleep(0.01)\n    return body\n\ndef output",
    )
    package = tmp_path / "slow.tar.gz"
    package.write_bytes(tiny.packed(tiny.script(tmp_path / "slow", text)))
    door.objects[URL] = package
    await door.create("one", URL)
    held = asyncio.create_task(door.invoke("one", b"held"))
    await asyncio.sleep(0)
    await door.control("DeleteEndpoint", EndpointName="one")
    described = await door.control("DescribeEndpoint", EndpointName="one")
    assert described["EndpointStatus"] == "Deleting"
    with pytest.raises(ValidationError, match="not found"):
        await door.invoke("one")
    for operation in ("DeleteEndpoint", "CreateEndpoint", "UpdateEndpoint"):
        given = {"EndpointName": "one"} | ({} if operation[0] == "D" else {"EndpointConfigName": "one"})
        with pytest.raises(ValidationException, match=r"in-progress|already existing"):
            await door.control(operation, **given)
    gate.touch()
    assert (await held)["Body"] == b"held"
    await door.service.deployments.wait("one")
    with pytest.raises(ValidationException, match="Could not find endpoint"):
        await door.control("DescribeEndpoint", EndpointName="one")


async def test_what_a_restart_finds_half_deleted_is_gone(door: Door, tmp_path: Path) -> None:
    put(door, tmp_path, "one")
    await door.create("one", URL)
    await door.service._endpoints._ledger.amend(
        "sagemaker:endpoint", "one", lambda b: {**b, "EndpointStatus": "Deleting"}
    )
    await door.close()
    again = await open_door(tmp_path)
    await again.service.resume()
    with pytest.raises(ValidationException, match="Could not find endpoint"):
        await again.control("DescribeEndpoint", EndpointName="one")
    await again.close()


async def test_tags_are_kept_beside_what_they_tag(door: Door, tmp_path: Path) -> None:
    put(door, tmp_path, "one")
    tags = [{"Key": "team", "Value": "birds"}, {"Key": "stage", "Value": "test"}]
    made = await door.control("CreateModel", ModelName="M", PrimaryContainer={"ModelDataUrl": URL}, Tags=tags)
    arn = made["ModelArn"]
    listed = await door.control("ListTags", ResourceArn=arn)
    conforms("ListTags", listed)
    assert listed == {"Tags": tags}
    added = await door.control("AddTags", ResourceArn=arn, Tags=[{"Key": "stage", "Value": "live"}])
    assert added == {"Tags": [tags[0], {"Key": "stage", "Value": "live"}]}
    first = await door.control("ListTags", ResourceArn=arn, MaxResults=1)
    assert first["Tags"] == tags[:1]
    rest = await door.control("ListTags", ResourceArn=arn, NextToken=first["NextToken"])
    assert rest == {"Tags": [{"Key": "stage", "Value": "live"}]}
    assert await door.control("DeleteTags", ResourceArn=arn, TagKeys=["team", "unknown"]) == {}
    many = [{"Key": str(number), "Value": ""} for number in range(50)]
    with pytest.raises(ValidationException, match="50 tags at most"):
        await door.control("AddTags", ResourceArn=arn, Tags=many)
    # They live and end with it, and survive a restart
    await door.close()
    again = await open_door(tmp_path, door.objects)
    assert (await again.control("ListTags", ResourceArn=arn))["Tags"] == [{"Key": "stage", "Value": "live"}]
    await again.control("DeleteModel", ModelName="M")
    assert Records(again.database).list("sagemaker:tags") == []
    for absent in (arn, f"{ARN}:endpoint/none"):
        with pytest.raises(ValidationException, match="Could not find"):
            await again.control("ListTags", ResourceArn=absent)
    await again.control("CreateModel", ModelName="M", PrimaryContainer={"ModelDataUrl": URL})
    assert (await again.control("ListTags", ResourceArn=arn)) == {"Tags": []}
    with pytest.raises(ValidationException, match="names nothing"):
        await again.control("AddTags", ResourceArn="arn:aws:s3:::bucket", Tags=[])
    await again.close()


async def test_what_served_comes_back_though_its_replica_is_killed_while_it_starts(door: Door, tmp_path: Path) -> None:
    # Given an endpoint whose replica will be killed once, as soon as it starts after the restart
    mark = tmp_path / "mark"
    there = f"os.path.exists({str(mark)!r})"
    killed = f"import os\nif {there}:\n    os.unlink({str(mark)!r})\n    os.kill(os.getpid(), 9)\n"
    path = tmp_path / "killed.tar.gz"
    path.write_bytes(tiny.packed(tiny.script(tmp_path / "killed", killed + tiny.ECHO)))
    door.objects[URL] = path
    await door.create("one", URL)
    await door.close()
    mark.touch()
    # When Alight starts again
    again = await open_door(tmp_path)
    await again.service.resume()
    # Then a request waits for the second try, and the endpoint has not failed
    assert (await again.invoke("one", b"x"))["Body"] == b"x"
    assert not mark.exists()
    assert (await again.control("DescribeEndpoint", EndpointName="one"))["EndpointStatus"] == "InService"
    await again.close()
