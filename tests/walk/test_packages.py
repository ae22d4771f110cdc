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
    version_of = {"S3Bucket": "box", "S3Key": "k", "S3ObjectVersion": "v"}
    assert "S3ObjectVersion" in refused("NotImplemented", {}, Code=version_of)
    refused("InvalidParameterValueException", {"../app.py": b""})
    bomb = io.BytesIO()
    with zipfile.ZipFile(bomb, "w", zipfile.ZIP_DEFLATED) as file:
        file.writestr("zeros", b"\0" * 270_000_000)
    assert "Unzipped size must be smaller than 262144000 bytes" in refused(
        "InvalidParameterValueException", {}, Code={"ZipFile": bomb.getvalue()}
    )
