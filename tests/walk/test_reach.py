"""Who can reach a running instance: the sockets that it and its children listen on, as the kernel lists them; Hosts and
origins on every verb; TLS with boto3, curl's kin and workers; and no plain HTTP beyond this machine without a word.
"""

from __future__ import annotations

import http.client
import io
import json
import os
import ssl
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import boto3
import pytest
from botocore.config import Config
from botocore.exceptions import SSLError
from cryptography.hazmat.primitives import serialization

from alight.assembly.reach import check_reach, tls_of
from alight.errors import AlightError
from alight.notifications.channels.addresses import is_loopback
from alight.settings import Settings
from tests.support import Instance, invoke, run_alight, start_alight, sweep
from tests.unit.notifications.authority import Authority

VERBS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "PROPFIND")
CODE = """
import os, boto3
def handler(event, context):
    return [os.environ["AWS_ENDPOINT_URL"], boto3.client("sts").get_caller_identity()["Arn"]]
"""


@pytest.fixture(scope="module")
def authority() -> Authority:
    return Authority()


@pytest.fixture(scope="module")
def bundle(authority: Authority, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The authority's certificate, as `AWS_CA_BUNDLE` has it."""
    path = tmp_path_factory.mktemp("authority") / "ca.pem"
    path.write_bytes(authority.certificate.public_bytes(serialization.Encoding.PEM))
    return path


@pytest.fixture(scope="module")
def secured(authority: Authority, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Instance]:
    """An instance with TLS, and a function in it."""
    folder = tmp_path_factory.mktemp("tls")
    authority.server(folder, "127.0.0.1")
    pair = str(folder / "server.pem")
    instance = start_alight(folder / "data", ALIGHT_TLS_CERT=pair, ALIGHT_TLS_KEY=pair)
    with_function(instance)
    yield instance
    sweep(instance.process)


def with_function(instance: Instance) -> None:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr("app.py", CODE)
    trust = {"Effect": "Allow", "Principal": {"Service": "lambda.amazonaws.com"}, "Action": "sts:AssumeRole"}
    role = instance.client("iam").create_role(RoleName="r", AssumeRolePolicyDocument=json.dumps({"Statement": [trust]}))
    instance.client("lambda").create_function(
        FunctionName="f", Runtime="python3.11", Role=role["Role"]["Arn"], Handler="app.handler", Timeout=30,
        Code={"ZipFile": buffer.getvalue()},
    )  # fmt: skip


# Sockets -------------------------------------------------------------------------------------------------------------


def descendants(pid: int) -> set[int]:
    """The process and all that it has started, as /proc has it."""
    found = {pid}
    for task in Path(f"/proc/{pid}/task").iterdir():
        for child in (task / "children").read_text().split():
            found |= descendants(int(child))
    return found


def listening(pids: set[int]) -> set[tuple[str, int]]:
    """Addresses (in the kernel's hexadecimal) and ports on which any of these processes listens."""
    own = set()
    for pid in pids:
        for number in os.listdir(f"/proc/{pid}/fd"):
            try:
                own.add(os.readlink(f"/proc/{pid}/fd/{number}"))
            except OSError:
                continue
    found = set()
    for table in ("tcp", "tcp6"):
        path = Path("/proc/net") / table
        for line in path.read_text().splitlines()[1:] if path.exists() else ():
            fields = line.split()
            if fields[3] == "0A" and f"socket:[{fields[9]}]" in own:
                address, _, port = fields[1].partition(":")
                found.add((address, int(port, 16)))
    return found


LOOPBACK = {"0100007F", "00000000000000000000000001000000"}


@pytest.mark.skipif(not Path("/proc/net/tcp").exists(), reason="needs Linux's /proc")
def test_nothing_listens_beyond_this_machine(secured: Instance) -> None:
    """Runtime and worker, with TLS: two sockets of the runtime's, and whatever else there is, on loopback."""
    invoke(secured.client("lambda"), FunctionName="f")
    pids = descendants(secured.process.pid)
    found = listening(pids)
    print(f"\n{len(pids)} processes listen on {sorted(found)}")
    assert len(pids) > 1, "the worker is among them"
    assert urlsplit(secured.url).port in {port for _, port in found}
    assert {address for address, _ in found} <= LOOPBACK


def test_beyond_this_machine_only_with_tls_or_a_word(tmp_path: Path, authority: Authority) -> None:
    authority.server(tmp_path, "127.0.0.1")
    pair = str(tmp_path / "server.pem")
    for host in ("0.0.0.0", "::", "192.168.1.5", "box.lan", "10.0.0.1", "fd00::1", "127.0.0.1.nip.example"):
        assert not is_loopback(host)
        with pytest.raises(AlightError, match="can be reached from other machines"):
            check_reach(Settings(host=host))
        assert check_reach(Settings(host=host, tls_cert=pair, tls_key=pair)) == ""
        assert f"Insecure: plain HTTP on {host}" in check_reach(Settings(host=host, insecure=True))
    for host in ("127.0.0.1", "::1", "localhost", "127.8.8.8"):
        assert check_reach(Settings(host=host)) == ""


def test_a_start_without_either_ends_in_words(tmp_path: Path) -> None:
    done = run_alight("up", "--host", "0.0.0.0", "--port", "0", "--data", str(tmp_path / "data"))
    assert (done.returncode, done.stdout) == (2, "")
    assert "0.0.0.0 can be reached from other machines" in done.stderr
    assert "--tls-cert" in done.stderr
    assert "--insecure" in done.stderr
    assert not (tmp_path / "data" / "instance.json").exists()


def test_files_that_are_no_certificate(tmp_path: Path, authority: Authority) -> None:
    authority.server(tmp_path, "127.0.0.1")
    good, odd = str(tmp_path / "server.pem"), tmp_path / "odd.pem"
    odd.write_text("odd")
    with pytest.raises(AlightError, match="a certificate and its key"):
        check_reach(Settings(tls_cert=good))
    for cert, key in ((good, str(odd)), (str(odd), good), (str(tmp_path / "none"), good)):
        with pytest.raises(AlightError, match="are no certificate with its key"):
            tls_of(Settings(tls_cert=cert, tls_key=key))


# TLS -----------------------------------------------------------------------------------------------------------------


def client(instance: Instance, service: str, verify: Any) -> Any:
    return boto3.client(  # type: ignore[call-overload, unused-ignore]
        service,
        endpoint_url=instance.url,
        aws_access_key_id=instance.variables["AWS_ACCESS_KEY_ID"],
        aws_secret_access_key=instance.variables["AWS_SECRET_ACCESS_KEY"],
        region_name="us-east-1",
        verify=verify,
        config=Config(retries={"total_max_attempts": 1}),
    )


def test_boto3_over_tls(secured: Instance, bundle: Path) -> None:
    assert secured.url.startswith("https://127.0.0.1:")
    s3 = client(secured, "s3", str(bundle))
    s3.create_bucket(Bucket="sealed")
    body = os.urandom(3_000_000)
    s3.put_object(Bucket="sealed", Key="k", Body=body)
    assert s3.get_object(Bucket="sealed", Key="k")["Body"].read() == body
    assert s3.generate_presigned_url("get_object", {"Bucket": "sealed", "Key": "k"}).startswith("https://")
    with pytest.raises(SSLError):
        client(secured, "s3", True).list_buckets()


def test_workers_reach_it_by_the_inner_socket(secured: Instance, bundle: Path) -> None:
    answer = invoke(client(secured, "lambda", str(bundle)), FunctionName="f")
    url, arn = json.loads(answer["Payload"])
    assert url.startswith("http://127.0.0.1:")
    assert arn == "arn:aws:sts::000000000000:assumed-role/r/f"
    assert secured.json("status")["url"] == url, "so does the command line"


def test_what_is_no_tls_is_not_answered(secured: Instance, bundle: Path) -> None:
    """Plain HTTP to the outer socket, old versions, and heads that are too long."""
    port = urlsplit(secured.url).port
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=20)
    connection.request("GET", "/_alight/health")
    with pytest.raises((http.client.HTTPException, OSError)):
        connection.getresponse()
    connection.close()
    context = ssl.create_default_context(cafile=str(bundle))
    over = http.client.HTTPSConnection("127.0.0.1", port, timeout=20, context=context)
    over.request("GET", "/_alight/health")
    answer = over.getresponse()
    assert (answer.status, answer.read() != b"") == (200, True)
    over.request("GET", "/_alight/health", headers={"x-long": "x" * 12_000})
    refused = over.getresponse()
    assert (refused.status, b"RequestHeaderSectionTooLarge" in refused.read()) == (431, True)
    over.close()


# Names ---------------------------------------------------------------------------------------------------------------


def asked(instance: Instance, verb: str, path: str, host: str, **headers: str) -> int:
    port = urlsplit(instance.variables["AWS_ENDPOINT_URL"]).port
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=20)
    try:
        given = {name.replace("_", "-"): value for name, value in headers.items()}
        connection.putrequest(verb, path, skip_host=True)
        for name, value in {"host": host.replace("PORT", str(port)), **given}.items():
            connection.putheader(name, value.replace("PORT", str(port)))
        connection.endheaders()
        answer = connection.getresponse()
        answer.read()
        return answer.status
    finally:
        connection.close()


PATHS = ("/", "/_alight/health", "/_alight/console/", "/_alight/api/status", "/bucket/key", "/_aws/execute-api/x/y",
         "/_aws/lambda-url/x/", "/_aws/s3-website/x/", "/_aws/sns/x", "/_aws/cloudformation/x",
         "/2015-03-31/functions")  # fmt: skip
STRANGE = ("evil.example", "evil.example:PORT", "localhost.evil.example:PORT", "127.0.0.1:1", "0.0.0.0:PORT",
           "[::ffff:127.0.0.1]:PORT", "2130706433:PORT", "127.1:PORT", "169.254.169.254")  # fmt: skip
ODD = ("", "x/", "localhost/", "localhost?x", "localhost#x", "user@localhost", "localhost:PORT:1", "local host", "[::1")


def test_other_names_are_refused_before_anything_else(secured: Instance) -> None:
    wrong, count = [], 0
    for verb in VERBS:
        for path in PATHS:
            for hosts, status in ((STRANGE, 421), (ODD, 400)):
                # Each name at each verb; the paths take turns.
                host = hosts[(VERBS.index(verb) + PATHS.index(path)) % len(hosts)]
                found = asked(secured, verb, path, host)
                count += 1
                if found != status:
                    wrong.append((verb, path, host, found))
    print(f"\n{len(VERBS)} verbs, {len(PATHS)} paths, {len(STRANGE) + len(ODD)} names not ours: {count} asked, "
          f"{len(wrong)} let in")  # fmt: skip
    assert wrong == []
    assert asked(secured, "GET", "/_alight/health", "localhost:PORT") == 200


def test_pages_of_other_origins_change_nothing(secured: Instance) -> None:
    wrong, count = [], 0
    foreign: tuple[dict[str, str], ...] = (
        {"origin": "http://evil.example"}, {"origin": "null"}, {"origin": "http://127.0.0.1:1"},
        {"sec_fetch_site": "cross-site"}, {"sec_fetch_site": "same-site"},
        {"origin": "http://127.0.0.1:PORT", "sec_fetch_site": "cross-site"},
    )  # fmt: skip
    for verb in ("POST", "PUT", "PATCH", "DELETE", "PROPFIND"):
        for path in ("/", "/_alight/console/", "/_alight/api/invoke", "/bucket/key", "/2015-03-31/functions"):
            for headers in foreign:
                found = asked(secured, verb, path, "127.0.0.1:PORT", **headers)
                count += 1
                if found != 403:
                    wrong.append((verb, path, headers, found))
    print(f"\n{count} requests of foreign pages: {len(wrong)} let in")
    assert wrong == []
