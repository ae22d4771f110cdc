"""What a function's zip brings along: compiled packages that fit, and those that were built for another Python."""

from __future__ import annotations

import io
import json
import zipfile
from collections.abc import Iterator, Mapping
from importlib.metadata import distribution, version
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError

from tests.support import Instance, eventually, invoke, start_alight, sweep
from tests.walk.making import ROLE, make_role

NUMPY = {
    "numpy/__init__.py": b"from numpy.core import multiarray\n__version__ = '1.19.5'\n",
    "numpy/core/__init__.py": b"",
    "numpy/core/multiarray.cpython-36m-x86_64-linux-gnu.so": b"\x7fELF",
    "app.py": b"import numpy as np\ndef handler(event, context):\n    return [np.__version__, float(np.ones(3).sum())]",
}


@pytest.fixture(scope="module")
def instance(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Instance]:
    started = start_alight(tmp_path_factory.mktemp("packages") / "data")
    make_role(started)
    yield started
    sweep(started.process)


def zipped(files: Mapping[str, bytes]) -> bytes:
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w") as file:
        for name, content in files.items():
            file.writestr(name, content)
    return archive.getvalue()


def create(instance: Instance, name: str, files: Mapping[str, bytes], **more: Any) -> Any:
    members = {"Runtime": "python3.11", "Handler": "app.handler", "Role": f"arn:aws:iam::000000000000:role/{ROLE}"}
    code = {"Code": {"ZipFile": zipped(files)}} if files else {}
    given = members | code | {"FunctionName": name, "Timeout": 30, "MemorySize": 512} | more
    return instance.client("lambda").create_function(**given)


def test_numpy_for_another_python_is_replaced_by_ours_and_it_is_said(instance: Instance) -> None:
    functions = instance.client("lambda")
    made = create(instance, "classify", NUMPY)
    assert made["State"] == "Active"
    assert "numpy in the package is built for Python 3.6" in made["StateReason"]
    assert f"Alight's own numpy {version('numpy')} is used instead" in made["StateReason"]
    answer = invoke(functions, FunctionName="classify")
    assert json.loads(answer["Payload"]) == [version("numpy"), 3.0]
    logs = instance.client("logs")
    [line] = eventually(
        lambda: logs.filter_log_events(logGroupName="/aws/lambda/classify", filterPattern='"built for"')["events"]
    )
    assert line["message"].strip() == made["StateReason"]
    [check] = [one for one in instance.json("doctor")["checks"] if one["name"] == "functions"]
    assert check["state"] == "warning"
    assert made["StateReason"] in check["detail"]
    other = functions.update_function_code(FunctionName="classify", ZipFile=zipped({"app.py": b""}))
    assert "StateReason" not in other


def test_a_wheel_for_this_python_is_imported_as_it_is(instance: Instance) -> None:
    found = distribution("markupsafe")
    files = {
        file.as_posix(): Path(str(file.locate())).read_bytes()
        for file in found.files or ()
        if file.parts[0] != ".." and file.suffix != ".pyc"
    }
    assert any(name.endswith(".so") for name in files)
    code = b"from markupsafe import _speedups\ndef handler(event, context):\n    return _speedups.__file__\n"
    made = create(instance, "escape", files | {"app.py": code})
    assert "StateReason" not in made
    place = json.loads(invoke(instance.client("lambda"), FunctionName="escape")["Payload"])
    assert "/functions/code/" in place


def test_what_is_no_zip_of_code_is_refused(instance: Instance) -> None:
    def refused(fault: str, files: Mapping[str, bytes], **more: Any) -> str:
        with pytest.raises(ClientError) as caught:
            create(instance, "bad", files, **more)
        assert caught.value.response["Error"]["Code"] == fault, caught.value
        return str(caught.value.response["Error"]["Message"])

    image = {"ImageUri": "000000000000.dkr.ecr.us-east-1.amazonaws.com/app:latest"}
    assert "ImageUri" in refused("NotImplemented", {}, Code=image, PackageType="Image")
    nowhere = {"S3Bucket": "box", "S3Key": "k"}
    assert "S3 Error Code: NoSuchBucket" in refused("InvalidParameterValueException", {}, Code=nowhere)
    refused("InvalidParameterValueException", {"../app.py": b""})
    bomb = io.BytesIO()
    with zipfile.ZipFile(bomb, "w", zipfile.ZIP_DEFLATED) as file:
        file.writestr("zeros", b"\0" * 270_000_000)
    assert "Unzipped size must be smaller than 262144000 bytes" in refused(
        "InvalidParameterValueException", {}, Code={"ZipFile": bomb.getvalue()}
    )


def test_a_version_of_an_object_may_be_the_code(instance: Instance) -> None:
    functions, s3 = instance.client("lambda"), instance.client("s3")
    s3.create_bucket(Bucket="versioned")
    s3.put_bucket_versioning(Bucket="versioned", VersioningConfiguration={"Status": "Enabled"})
    place = {"S3Bucket": "versioned", "S3Key": "app.zip"}
    ids = []
    for number in (1, 2):
        body = zipped({"app.py": f"def handler(event, context):\n    return {number}\n".encode()})
        ids.append(s3.put_object(Bucket="versioned", Key="app.zip", Body=body)["VersionId"])
    create(instance, "versioned", {}, Code=place | {"S3ObjectVersion": ids[0]})
    assert json.loads(invoke(functions, FunctionName="versioned")["Payload"]) == 1
    before = functions.update_function_code(FunctionName="versioned", **place, DryRun=True)["CodeSha256"]
    assert functions.get_function_configuration(FunctionName="versioned")["CodeSha256"] == before, "nothing has changed"
    functions.update_function_code(FunctionName="versioned", **place)
    assert json.loads(invoke(functions, FunctionName="versioned")["Payload"]) == 2
    with pytest.raises(ClientError, match="NoSuchVersion"):
        functions.update_function_code(FunctionName="versioned", **place, S3ObjectVersion="0" * 32)


def publish(functions: Any, name: str, files: Mapping[str, bytes], **more: Any) -> Any:
    return functions.publish_layer_version(LayerName=name, Content={"ZipFile": zipped(files)}, **more)


LAYERED = b"""
import os, subprocess, sys
import shared, special
def handler(event, context):
    tool = subprocess.run(["tool"], capture_output=True, text=True).stdout.strip()
    with open(os.environ["ALIGHT_OPT"] + "/data/words.txt") as file:
        return {"shared": shared.NAME, "special": special.NAME, "own": __import__("own").NAME, "tool": tool,
                "words": file.read(), "path": [place.split("/opt/")[-1].split("/", 1)[-1] for place in sys.path[1:3]]}
"""


def module(name: str) -> bytes:
    return f"NAME = {name!r}\n".encode()


def test_layers_lie_over_each_other_below_the_functions_own_code(instance: Instance) -> None:
    functions, s3 = instance.client("lambda"), instance.client("s3")
    tool = zipfile.ZipInfo("bin/tool")
    tool.external_attr = 0o755 << 16
    content = io.BytesIO(zipped({"python/shared.py": module("first"), "python/own.py": module("layer")}))
    with zipfile.ZipFile(content, "a") as file:
        file.writestr(tool, b"#!/bin/sh\necho tool\n")
        file.writestr("data/words.txt", b"first")
    s3.create_bucket(Bucket="layers")
    s3.put_object(Bucket="layers", Key="first.zip", Body=content.getvalue())
    first = functions.publish_layer_version(
        LayerName="first", Content={"S3Bucket": "layers", "S3Key": "first.zip"}, Description="one",
        CompatibleRuntimes=["python3.11"], CompatibleArchitectures=["x86_64"],
    )  # fmt: skip
    arn = first["LayerVersionArn"]
    assert arn == "arn:aws:lambda:us-east-1:000000000000:layer:first:1"
    assert first["Content"]["CodeSize"] == len(content.getvalue())
    second = publish(functions, "second", {
        "python/shared.py": module("second"), "data/words.txt": b"second",
        "python/lib/python3.11/site-packages/special.py": module("site"), "python/special.py": module("general"),
    })  # fmt: skip
    layers = [arn, second["LayerVersionArn"]]
    made = create(instance, "layered", {"app.py": LAYERED, "own.py": module("function")}, Layers=layers, Publish=True)
    assert [layer["Arn"] for layer in made["Layers"]] == layers
    expected = {
        "shared": "second", "special": "site", "own": "function", "tool": "tool", "words": "second",
        "path": ["python/lib/python3.11/site-packages", "python"],
    }  # fmt: skip
    assert json.loads(invoke(functions, FunctionName="layered")["Payload"]) == expected
    functions.update_function_configuration(FunctionName="layered", Layers=layers[::-1])
    assert json.loads(invoke(functions, FunctionName="layered")["Payload"])["shared"] == "first"
    functions.delete_layer_version(LayerName="first", VersionNumber=1)
    assert json.loads(invoke(functions, FunctionName="layered:1")["Payload"]) == expected, "a version keeps its layers"
    without = functions.update_function_configuration(FunctionName="layered", Layers=[])
    assert "Layers" not in without
    assert (
        "No module named 'shared'" in json.loads(invoke(functions, FunctionName="layered")["Payload"])["errorMessage"]
    )


def test_versions_of_layers_are_numbered_and_listed(instance: Instance) -> None:
    functions = instance.client("lambda")
    for number in (1, 2, 3):
        runtimes = ["python3.11"] if number < 3 else ["python3.12"]
        made = publish(functions, "many", {"python/a.py": module(str(number))}, CompatibleRuntimes=runtimes)
        assert made["Version"] == number
    functions.delete_layer_version(LayerName="many", VersionNumber=3)
    assert publish(functions, "many", {"python/a.py": b""})["Version"] == 4, "no number is given twice"
    pages = functions.get_paginator("list_layer_versions").paginate(LayerName="many", PaginationConfig={"PageSize": 1})
    assert [one["Version"] for page in pages for one in page["LayerVersions"]] == [4, 2, 1]
    listed = functions.list_layer_versions(LayerName="many", CompatibleRuntime="python3.11")["LayerVersions"]
    assert [one["Version"] for one in listed] == [2, 1]
    publish(functions, "other", {"python/a.py": b""})
    pages = functions.get_paginator("list_layers").paginate(PaginationConfig={"PageSize": 1})
    latest = {one["LayerName"]: one["LatestMatchingVersion"]["Version"] for page in pages for one in page["Layers"]}
    assert (latest["many"], latest["other"]) == (4, 1)
    one = functions.get_layer_version(LayerName="many", VersionNumber=2)
    assert functions.get_layer_version_by_arn(Arn=one["LayerVersionArn"])["Version"] == 2


def test_what_functions_cannot_have_as_layers(instance: Instance) -> None:
    functions = instance.client("lambda")
    numpy = {f"python/{name}": content for name, content in NUMPY.items() if name != "app.py"}
    arns = [publish(functions, f"l{number}", {"python/a.py": b""})["LayerVersionArn"] for number in range(6)]
    again = publish(functions, "l0", {"python/b.py": b""})["LayerVersionArn"]

    def refused(*layers: str) -> str:
        with pytest.raises(ClientError) as caught:
            create(instance, "bad", {"app.py": b""}, Layers=list(layers))
        assert caught.value.response["Error"]["Code"] == "InvalidParameterValueException", caught.value
        return str(caught.value.response["Error"]["Message"])

    assert "more than 5 layers" in refused(*arns)
    assert "Two different versions of the same layer" in refused(arns[0], again)
    assert f"Layer version {arns[0]}7 does not exist" in refused(f"{arns[0]}7")
    assert "another account" in refused("arn:aws:lambda:us-east-1:336392948345:layer:AWSSDKPandas-Python311:1")
    with pytest.raises(ClientError, match="ResourceNotFoundException"):
        functions.get_layer_version(LayerName="l0", VersionNumber=9)
    layer = publish(functions, "numpy", numpy)["LayerVersionArn"]
    made = create(instance, "with-layer", {"app.py": NUMPY["app.py"]}, Layers=[layer])
    assert "Alight's own numpy" in made["StateReason"]
    assert json.loads(invoke(functions, FunctionName="with-layer")["Payload"]) == [version("numpy"), 3.0]
