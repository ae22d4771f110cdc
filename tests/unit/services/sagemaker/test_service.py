"""Models, configurations, endpoints and InvokeEndpoint, in AWS's member names and words."""

from __future__ import annotations

import asyncio
import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import botocore.session
import pytest
from botocore.validate import ParamValidator

from alight.errors import Fault
from alight.errors.common import NotImplemented_
from alight.errors.sagemaker import ModelError, ValidationError, ValidationException
from tests.unit.endpoints import tiny
from tests.unit.services.sagemaker.conftest import Door, open_door, variant

ARN = "arn:aws:sagemaker:us-east-1:000000000000"
URL = "s3://bucket/model.tar.gz"


@pytest.fixture
def package(tmp_path: Path, door: Door) -> Path:
    """A package in the bucket; the answer is what was asked, and the word `one`."""
    return put(door, tmp_path, "one")


def put(door: Door, tmp_path: Path, word: str, url: str = URL) -> Path:
    text = tiny.ECHO.replace("return body, accept", f"return body + b' {word}', 'text/plain'")
    path = tmp_path / f"{word}.tar.gz"
    path.write_bytes(tiny.packed(tiny.script(tmp_path / word, text)))
    door.objects[url] = path
    return path


def conforms(operation: str, answer: dict[str, Any], service: str = "sagemaker") -> None:
    """The answer has the members and types of botocore's model."""
    shape = botocore.session.get_session().get_service_model(service).operation_model(operation).output_shape
    report = ParamValidator().validate(answer, shape)
    assert not report.has_errors(), report.generate_report()
    assert set(answer) <= set(shape.members)


async def test_from_model_to_answer(door: Door, package: Path) -> None:
    made = await door.control(
        "CreateModel",
        ModelName="Birds",
        PrimaryContainer={"Image": "image", "ModelDataUrl": URL, "Environment": {"A": "1"}},
        Tags=[{"Key": "a", "Value": "b"}],
    )
    assert made == {"ModelArn": f"{ARN}:model/birds"}
    described = await door.control("DescribeModel", ModelName="Birds")
    conforms("DescribeModel", described)
    assert described["PrimaryContainer"] == {"Image": "image", "ModelDataUrl": URL, "Environment": {"A": "1"}}

    made = await door.control("CreateEndpointConfig", EndpointConfigName="C", ProductionVariants=[variant("Birds")])
    assert made == {"EndpointConfigArn": f"{ARN}:endpoint-config/c"}
    conforms("DescribeEndpointConfig", await door.control("DescribeEndpointConfig", EndpointConfigName="C"))

    made = await door.control("CreateEndpoint", EndpointName="Birds-1", EndpointConfigName="C")
    assert made == {"EndpointArn": f"{ARN}:endpoint/birds-1"}
    described = await door.control("DescribeEndpoint", EndpointName="Birds-1")
    conforms("DescribeEndpoint", described)
    assert described["EndpointStatus"] == "Creating"

    described = await door.settled("Birds-1")
    conforms("DescribeEndpoint", described)
    assert described["EndpointStatus"] == "InService"
    assert "FailureReason" not in described
    assert described["ProductionVariants"][0]["DeployedImages"][0]["SpecifiedImage"] == "image"

    answer = await door.invoke("Birds-1", b"hello", ContentType="text/x", Accept="text/x", CustomAttributes="c=1")
    conforms("InvokeEndpoint", answer, "sagemaker-runtime")
    assert answer == {
        "Body": b"hello one",
        "ContentType": "text/plain",
        "InvokedProductionVariant": "AllTraffic",
    }


async def test_the_image_classifier_answers_an_array(door: Door, tmp_path: Path) -> None:
    path = tmp_path / "colours.tar.gz"
    path.write_bytes(tiny.packed(tiny.colours(tmp_path / "colours")))
    door.objects[URL] = path
    await door.create("colours", URL)
    body = (Path(__file__).resolve().parents[4] / "examples/birds/pictures/flamingo.jpg").read_bytes()
    answer = await door.invoke("colours", body, ContentType="application/x-image")
    assert len(json.loads(answer["Body"])) == 3
    with pytest.raises(ModelError) as error:
        await door.invoke("colours", b"no picture", ContentType="application/x-image")
    assert error.value.members["OriginalStatusCode"] == 400


ABSENT = [
    ("DescribeModel", {"ModelName": "x"}, f'Could not find model "{ARN}:model/x".'),
    ("DeleteModel", {"ModelName": "x"}, f'Could not find model "{ARN}:model/x".'),
    (
        "DescribeEndpointConfig",
        {"EndpointConfigName": "x"},
        f'Could not find endpoint configuration "{ARN}:endpoint-config/x".',
    ),
    (
        "DeleteEndpointConfig",
        {"EndpointConfigName": "x"},
        f'Could not find endpoint configuration "{ARN}:endpoint-config/x".',
    ),
    ("DescribeEndpoint", {"EndpointName": "x"}, f'Could not find endpoint "{ARN}:endpoint/x".'),
    ("DeleteEndpoint", {"EndpointName": "x"}, f'Could not find endpoint "{ARN}:endpoint/x".'),
    (
        "UpdateEndpoint",
        {"EndpointName": "x", "EndpointConfigName": "y"},
        f'Could not find endpoint "{ARN}:endpoint/x".',
    ),
    (
        "CreateEndpoint",
        {"EndpointName": "x", "EndpointConfigName": "y"},
        f'Could not find endpoint configuration "{ARN}:endpoint-config/y".',
    ),
    (
        "CreateEndpointConfig",
        {"EndpointConfigName": "x", "ProductionVariants": [variant("y")]},
        f'Could not find model "{ARN}:model/y".',
    ),
]


@pytest.mark.parametrize(("operation", "given", "message"), ABSENT, ids=[case[0] for case in ABSENT])
async def test_what_is_absent_is_named_by_its_arn(
    door: Door, operation: str, given: dict[str, Any], message: str
) -> None:
    with pytest.raises(ValidationException) as error:
        await door.control(operation, **given)
    assert error.value.message == message


async def test_an_unknown_endpoint_is_not_found_in_the_runtimes_words(door: Door) -> None:
    with pytest.raises(ValidationError) as error:
        await door.invoke("nabirds-species-identifier")
    assert error.value.message == "Endpoint nabirds-species-identifier of account 000000000000 not found."
    assert (error.value.code, error.value.status) == ("ValidationError", 400)


async def test_a_name_is_taken_once(door: Door, package: Path) -> None:
    await door.create("one", URL)
    for operation, given, word in (
        ("CreateModel", {"ModelName": "one", "PrimaryContainer": {"ModelDataUrl": URL}}, "model"),
        ("CreateEndpointConfig", {"EndpointConfigName": "one", "ProductionVariants": [variant("one")]}, "endpoint"),
        ("CreateEndpoint", {"EndpointName": "one", "EndpointConfigName": "one"}, "endpoint"),
    ):
        with pytest.raises(ValidationException, match=rf"^Cannot create already existing {word}"):
            await door.control(operation, **given)


@pytest.mark.parametrize("name", ["-a", "a-", "a_b", "a b", "", "a" * 64, "ä"])
async def test_a_name_has_the_pattern_of_names(door: Door, name: str) -> None:
    with pytest.raises(ValidationException, match="failed to satisfy constraint"):
        await door.control("CreateModel", ModelName=name, PrimaryContainer={"ModelDataUrl": URL})


REFUSED: list[tuple[str, dict[str, Any], str]] = [
    ("CreateModel", {"InferenceExecutionConfig": {"Mode": "Serial"}}, "InferenceExecutionConfig"),
    ("CreateModel", {"EnableNetworkIsolation": True}, "EnableNetworkIsolation"),
    ("CreateModel", {"PrimaryContainer": {"ModelPackageName": "p"}}, "ModelPackageName"),
    (
        "CreateModel",
        {"PrimaryContainer": {"ModelDataUrl": URL, "MultiModelConfig": {"ModelCacheSetting": "Disabled"}}},
        "ModelCacheSetting",
    ),
    (
        "CreateModel",
        {"PrimaryContainer": {"ModelDataUrl": URL, "Environment": {"SAGEMAKER_SUBMIT_DIRECTORY": "s3://b/s.tar.gz"}}},
        "SAGEMAKER_SUBMIT_DIRECTORY",
    ),
    (
        "CreateModel",
        {
            "PrimaryContainer": {
                "ModelDataSource": {
                    "S3DataSource": {"S3Uri": "s3://b/p/", "S3DataType": "S3Prefix", "CompressionType": "None"}
                }
            }
        },
        "S3DataSource",
    ),
    ("CreateEndpointConfig", {"DataCaptureConfig": {"KmsKeyId": "mine"}}, "KmsKeyId"),
    (
        "CreateEndpointConfig",
        {"AsyncInferenceConfig": {"OutputConfig": {"S3OutputPath": "s3://b", "KmsKeyId": "mine"}}},
        "KmsKeyId",
    ),
    (
        "CreateEndpointConfig",
        {"ProductionVariants": [variant("m", ManagedInstanceScaling={"Status": "ENABLED"})]},
        "ManagedInstanceScaling",
    ),
    ("InvokeEndpoint", {"TargetContainerHostname": "h"}, "TargetContainerHostname"),
]


@pytest.mark.parametrize(("operation", "given", "member"), REFUSED, ids=[case[2] for case in REFUSED])
async def test_what_is_not_offered_is_refused_by_name(
    door: Door, operation: str, given: dict[str, Any], member: str
) -> None:
    base: dict[str, dict[str, Any]] = {
        "CreateModel": {"ModelName": "m", "PrimaryContainer": {"ModelDataUrl": URL}},
        "CreateEndpointConfig": {"EndpointConfigName": "c", "ProductionVariants": [variant("m")]},
        "InvokeEndpoint": {"EndpointName": "e"},
    }
    service = "sagemaker-runtime" if operation == "InvokeEndpoint" else "sagemaker"
    with pytest.raises(NotImplemented_, match=member):
        await door(service, operation, **{**base[operation], **given})


@pytest.mark.parametrize("url", ["file:///etc/passwd", "https://elsewhere/model.tar.gz", "/tmp/model", "", "s3:x"])
async def test_a_local_path_is_never_taken_from_the_wire(door: Door, url: str) -> None:
    with pytest.raises(ValidationException):
        await door.control("CreateModel", ModelName="m", PrimaryContainer={"ModelDataUrl": url})


async def test_a_template_may_name_a_local_path(door: Door, package: Path) -> None:
    door.kind = "service"
    assert (await door.create("one", package.as_uri()))["EndpointStatus"] == "InService"
    assert (await door.invoke("one", b"x"))["Body"] == b"x one"


async def test_the_package_may_be_named_as_a_data_source(door: Door, package: Path) -> None:
    source = {"S3DataSource": {"S3Uri": URL, "S3DataType": "S3Object", "CompressionType": "Gzip"}}
    container = {"ModelDataSource": source, "Image": "i"}
    await door.control("CreateModel", ModelName="m", Containers=[container])
    await door.control("CreateEndpointConfig", EndpointConfigName="m", ProductionVariants=[variant("m")])
    await door.control("CreateEndpoint", EndpointName="m", EndpointConfigName="m")
    assert (await door.settled("m"))["EndpointStatus"] == "InService"


async def test_a_model_that_cannot_be_served_is_refused_with_the_reason(door: Door, tmp_path: Path) -> None:
    account = "811284229777.dkr.ecr.us-east-1.amazonaws.com"

    async def refusal(files: dict[str, bytes] | None, image: str = "image", **environment: str) -> str:
        door.objects.pop(URL, None)
        if files is not None:
            path = door.objects[URL] = tmp_path / "package.tar.gz"
            members = [tiny.entry(name, content) for name, content in files.items()]
            path.write_bytes(tiny.tar(members) if files else b"rubbish")
        container = {"Image": image, "ModelDataUrl": URL, "Environment": environment}
        with pytest.raises(ValidationException) as error:
            await door.control("CreateModel", ModelName="one", PrimaryContainer=container)
        return error.value.message

    assert await refusal(None) == "Could not find model data at s3://bucket/model.tar.gz."
    assert "cannot be unpacked" in await refusal({})
    mxnet = {"image-classification-symbol.json": b"{}", "image-classification-0010.params": b"\x12\x01"}
    text = await refusal(mxnet, f"{account}/image-classification:1")
    assert text.startswith(
        "The model data at s3://bucket/model.tar.gz cannot be served. image-classification-0010.params"
    )
    assert "mxnet.onnx.export_model('image-classification-symbol.json', 'image-classification-0010.params'" in text
    assert text.endswith("Packages for image-classification hold MXNet's symbol and parameters.")
    text = await refusal({"model.joblib": b"\x80\x04"}, f"{account}/sagemaker-scikit-learn:1.2-1-cpu-py3")
    assert "skops.io.dump(joblib.load('model.joblib'), 'model.skops')" in text
    for files, step in (
        ({"export/1/saved_model.pb": b"x"}, "tf2onnx.convert --saved-model export/1"),
        ({"model.safetensors": b"x", "config.json": b"{}"}, "optimum-cli export onnx"),
        ({"model.pth": b"PK"}, "torch.onnx.export"),
        ({"model_algo-1": b"PK"}, "built-in algorithms"),
        ({"model.bin": b"\xba\x16\x4f\x2f"}, "fasttext.load_model"),
        ({"README": b"x"}, "none of model.onnx"),
    ):
        assert step in await refusal(files)
    assert (await refusal({"README": b"x"}, f"{account}/mine:2")).endswith("a package is served by what it holds.")
    # And what failed leaves the name free
    put(door, tmp_path, "one")
    await door.control("CreateModel", ModelName="one", PrimaryContainer={"ModelDataUrl": URL})


@pytest.mark.parametrize(
    ("content", "reason"),
    [(None, "Could not find model data at s3://bucket/model.tar.gz"), (b"rubbish", "cannot be unpacked")],
)
async def test_an_endpoint_whose_package_was_changed_since_has_failed_and_says_why(
    door: Door, tmp_path: Path, package: Path, content: bytes | None, reason: str
) -> None:
    await door.control("CreateModel", ModelName="one", PrimaryContainer={"ModelDataUrl": URL})
    del door.objects[URL]
    if content is not None:
        door.objects[URL] = tmp_path / "rubbish"
        door.objects[URL].write_bytes(content)
    described = await door.serve("one")
    conforms("DescribeEndpoint", described)
    assert described["EndpointStatus"] == "Failed"
    assert reason in described["FailureReason"]
    with pytest.raises(ValidationError, match="not found"):
        await door.invoke("one")


async def test_an_update_takes_the_place_of_what_served(door: Door, tmp_path: Path, package: Path) -> None:
    await door.create("one", URL)
    put(door, tmp_path, "two", "s3://bucket/two")
    await door.control("CreateModel", ModelName="two", PrimaryContainer={"ModelDataUrl": "s3://bucket/two"})
    await door.control("CreateEndpointConfig", EndpointConfigName="two", ProductionVariants=[variant("two")])
    await door.control("UpdateEndpoint", EndpointName="one", EndpointConfigName="two")
    assert (await door.control("DescribeEndpoint", EndpointName="one"))["EndpointStatus"] == "Updating"
    with pytest.raises(ValidationException, match="Cannot update in-progress endpoint"):
        await door.control("UpdateEndpoint", EndpointName="one", EndpointConfigName="one")
    assert (await door.invoke("one", b"x"))["Body"] == b"x one"
    described = await door.settled("one")
    assert (described["EndpointStatus"], described["EndpointConfigName"]) == ("InService", "two")
    assert (await door.invoke("one", b"x"))["Body"] == b"x two"


async def test_a_failed_update_keeps_what_served_also_after_a_restart(
    door: Door, tmp_path: Path, package: Path
) -> None:
    await door.create("one", URL)
    await door.control("CreateModel", ModelName="bad", PrimaryContainer={"ModelDataUrl": URL})
    del door.objects[URL]
    await door.control("CreateEndpointConfig", EndpointConfigName="bad", ProductionVariants=[variant("bad")])
    await door.control("UpdateEndpoint", EndpointName="one", EndpointConfigName="bad")
    described = await door.settled("one")
    assert (described["EndpointStatus"], described["EndpointConfigName"]) == ("InService", "one")
    assert "Could not find model data" in described["FailureReason"]
    await door.close()
    again = await open_door(tmp_path)
    await again.service.resume()
    assert (await again.invoke("one", b"x"))["Body"] == b"x one"
    await again.close()


async def test_after_a_restart_requests_wait_for_the_endpoint_to_return(
    door: Door, tmp_path: Path, package: Path
) -> None:
    # Given an endpoint whose object and definitions have gone since
    await door.create("one", URL)
    await door.control("DeleteEndpointConfig", EndpointConfigName="one")
    await door.control("DeleteModel", ModelName="one")
    await door.close()
    package.unlink()
    # When Alight starts again
    again = await open_door(tmp_path)
    await again.service.resume()
    # Then it is described as before, and a request at once is answered, not refused
    assert (await again.control("DescribeEndpoint", EndpointName="one"))["EndpointStatus"] == "InService"
    assert (await again.invoke("one", b"x"))["Body"] == b"x one"
    await again.close()


async def test_a_creation_that_a_restart_interrupted_is_finished(door: Door, tmp_path: Path, package: Path) -> None:
    await door.control("CreateModel", ModelName="one", PrimaryContainer={"ModelDataUrl": URL})
    await door.control("CreateEndpointConfig", EndpointConfigName="one", ProductionVariants=[variant("one")])
    await door.control("CreateEndpoint", EndpointName="one", EndpointConfigName="one")
    await door.close()
    again = await open_door(tmp_path, door.objects)
    await again.service.resume()
    assert (await again.settled("one"))["EndpointStatus"] == "InService"
    await again.close()


async def test_a_deleted_endpoint_is_gone(door: Door, package: Path) -> None:
    await door.create("one", URL)
    await door.control("DeleteEndpoint", EndpointName="one")
    await door.service.deployments.wait("one")
    with pytest.raises(ValidationException):
        await door.control("DescribeEndpoint", EndpointName="one")
    with pytest.raises(ValidationError):
        await door.invoke("one")
    await door.control("DeleteEndpointConfig", EndpointConfigName="one")
    await door.control("DeleteModel", ModelName="one")


async def test_deleting_while_creating_leaves_no_replica(door: Door, package: Path) -> None:
    await door.control("CreateModel", ModelName="one", PrimaryContainer={"ModelDataUrl": URL})
    await door.control("CreateEndpointConfig", EndpointConfigName="one", ProductionVariants=[variant("one")])
    await door.control("CreateEndpoint", EndpointName="one", EndpointConfigName="one")
    await asyncio.sleep(0)
    await door.control("DeleteEndpoint", EndpointName="one")
    await door.service.deployments.wait("one")
    assert door.endpoints.status("one") is None
    await door.control("CreateEndpoint", EndpointName="one", EndpointConfigName="one")
    assert (await door.settled("one"))["EndpointStatus"] == "InService"


async def test_two_variants_share_and_answer_by_name(door: Door, tmp_path: Path, package: Path) -> None:
    put(door, tmp_path, "two", "s3://bucket/two")
    for name, url in (("one", URL), ("two", "s3://bucket/two")):
        await door.control("CreateModel", ModelName=name, PrimaryContainer={"ModelDataUrl": url})
    variants = [variant("one", "A", InitialVariantWeight=3.0), variant("two", "B", InitialVariantWeight=1.0)]
    await door.control("CreateEndpointConfig", EndpointConfigName="ab", ProductionVariants=variants)
    await door.control("CreateEndpoint", EndpointName="ab", EndpointConfigName="ab")
    described = await door.settled("ab")
    assert [(v["VariantName"], v["CurrentWeight"]) for v in described["ProductionVariants"]] == [("A", 3.0), ("B", 1.0)]
    answers = [(await door.invoke("ab", b""))["InvokedProductionVariant"] for _ in range(4)]
    assert sorted(answers) == ["A", "A", "A", "B"]
    assert (await door.invoke("ab", b"x", TargetVariant="B"))["Body"] == b"x two"


async def test_variants_of_one_name_are_refused(door: Door, package: Path) -> None:
    await door.control("CreateModel", ModelName="one", PrimaryContainer={"ModelDataUrl": URL})
    for variants in ([], [variant("one"), variant("one")]):
        with pytest.raises(ValidationException):
            await door.control("CreateEndpointConfig", EndpointConfigName="c", ProductionVariants=variants)


async def test_lists_have_pages_filters_and_orders(door: Door, package: Path) -> None:
    for number in range(12):
        container = {"ModelDataUrl": URL}
        await door.control("CreateModel", ModelName=f"model-{number:02}", PrimaryContainer=container)
    first = await door.control("ListModels")
    conforms("ListModels", first)
    assert [model["ModelName"] for model in first["Models"]] == [f"model-{n:02}" for n in range(11, 1, -1)]
    rest = await door.control("ListModels", NextToken=first["NextToken"])
    assert [model["ModelName"] for model in rest["Models"]] == ["model-01", "model-00"]
    assert "NextToken" not in rest
    named = await door.control("ListModels", NameContains="L-1", SortBy="Name", SortOrder="Ascending", MaxResults=5)
    assert [model["ModelName"] for model in named["Models"]] == ["model-10", "model-11"]
    later = datetime(2100, 1, 1, tzinfo=UTC)
    assert (await door.control("ListModels", CreationTimeAfter=later))["Models"] == []
    assert len((await door.control("ListModels", CreationTimeBefore=later))["Models"]) == 10
    with pytest.raises(ValidationException):
        await door.control("ListModels", NextToken="x")


async def test_endpoints_are_listed_by_status(door: Door, package: Path) -> None:
    await door.create("one", URL)
    await door.control("CreateModel", ModelName="two", PrimaryContainer={"ModelDataUrl": URL})
    del door.objects[URL]
    assert (await door.serve("two"))["EndpointStatus"] == "Failed"
    by_status = await door.control("ListEndpoints", SortBy="Status", SortOrder="Ascending")
    assert [endpoint["EndpointName"] for endpoint in by_status["Endpoints"]] == ["two", "one"]
    listed = await door.control("ListEndpoints", StatusEquals="Failed")
    conforms("ListEndpoints", listed)
    assert [endpoint["EndpointName"] for endpoint in listed["Endpoints"]] == ["two"]
    conforms("ListEndpointConfigs", await door.control("ListEndpointConfigs"))


async def test_every_fault_of_the_runtime_is_one_that_boto3_knows() -> None:
    shapes = botocore.session.get_session().get_service_model("sagemaker-runtime").operation_model("InvokeEndpoint")
    modelled = {shape.name: shape.metadata["error"]["httpStatusCode"] for shape in shapes.error_shapes}
    ours: list[type[Fault]] = [ModelError, ValidationError]
    assert {fault.code: fault.status for fault in ours}.items() <= modelled.items()
