"""A website from a template: public because the template says so, and closed again when it no longer does."""

from __future__ import annotations

import shutil
import subprocess
import urllib.error
import urllib.request
from pathlib import Path

import pytest

from tests.support import Start, clean_environment

APP = Path(__file__).parent / "apps" / "site"


def get(url: str, **headers: str) -> tuple[int, bytes]:
    request = urllib.request.Request(url, headers={name.replace("_", "-"): value for name, value in headers.items()})
    try:
        with urllib.request.urlopen(request, timeout=10) as answer:
            return answer.status, answer.read()
    except urllib.error.HTTPError as error:
        with error:
            return error.code, error.read()


def test_a_website_from_a_template(start: Start, tmp_path: Path) -> None:
    folder = Path(shutil.copytree(APP, tmp_path / "site"))
    instance = start(folder, tmp_path / "data")
    outputs = instance.json("outputs")
    url, bucket = outputs["WebsiteUrl"], outputs["SiteBucket"]
    assert url == f"{instance.url}/_aws/s3-website/{bucket}"
    s3 = instance.client("s3")
    s3.put_object(Bucket=bucket, Key="index.html", Body=b"<h1>home</h1>", ContentType="text/html")
    s3.put_object(Bucket=bucket, Key="wrong.html", Body=b"<h1>lost</h1>", ContentType="text/html")
    s3.put_object(Bucket=outputs["PrivateBucket"], Key="index.html", Body=b"secret")
    assert get(url) == (200, b"<h1>home</h1>")
    assert get(f"{url}/index.html") == (200, b"<h1>home</h1>")
    # Nobody may list it, so a missing page is a refusal, with the owner's error document.
    assert get(f"{url}/nothing") == (403, b"<h1>lost</h1>")
    assert get(f"{instance.url}/{bucket}/index.html")[0] == 200
    assert get(f"{instance.url}/{bucket}")[0] == 403
    assert get(f"{instance.url}/{outputs['PrivateBucket']}/index.html")[0] == 403
    assert get(f"{instance.url}/_aws/s3-website/{outputs['PrivateBucket']}/")[0] == 404

    planned = instance.json("plan", str(folder))
    assert any(f"makes the bucket {bucket} public: everybody may s3:GetObject." in each for each in planned["warnings"])

    template = folder / "template.yaml"
    template.write_text(template.read_text().replace('Default: "yes"', 'Default: "no"'))
    assert instance.alight("apply", str(folder)).returncode == 0
    assert get(f"{url}/")[0] == 403
    assert get(f"{instance.url}/{bucket}/index.html")[0] == 403
    assert set(s3.get_public_access_block(Bucket=bucket)["PublicAccessBlockConfiguration"].values()) == {True}
    s3.close()


@pytest.mark.tool("curl")
def test_a_website_by_its_own_host(start: Start, tmp_path: Path) -> None:
    instance = start(APP, tmp_path / "data")
    bucket = instance.json("outputs")["SiteBucket"]
    s3 = instance.client("s3")
    s3.put_object(Bucket=bucket, Key="docs/index.html", Body=b"<h1>docs</h1>", ContentType="text/html")
    s3.close()
    port = instance.url.rpartition(":")[2]
    host = f"{bucket}.s3-website.localhost"
    done = subprocess.run(
        ["curl", "-sSL", "--resolve", f"{host}:{port}:127.0.0.1", f"http://{host}:{port}/docs"],
        capture_output=True,
        env=clean_environment(),
        timeout=30,
    )
    assert done.stdout == b"<h1>docs</h1>", done.stderr
