"""A box that is lost: its backup, made while it served, goes on elsewhere, with no template at hand."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from tests.support import Start, eventually, run_alight
from tests.walk.conftest import PICTURES, Birds
from tests.walk.sinks import Webhook

PICTURE = PICTURES["card.jpg"] if "card.jpg" in PICTURES else next(iter(PICTURES.values()))


@pytest.mark.timeout(180)
def test_a_restored_backup_goes_on(birds: Birds, hook: Webhook, start: Start, tmp_path: Path) -> None:
    birds.subscribe(hook)
    birds.put("birds/before.jpg", PICTURE)
    copy = tmp_path / "copy"
    made = birds.instance.json("backup", str(copy))
    assert made["damage"] == []
    assert birds.instance.json("verify") == {"damage": []}
    last = birds.instance.json("status")["backup"]
    assert (last["folder"], last["created"], last["there"]) == (str(copy), made["created"], True)
    birds.put("birds/after.jpg", PICTURE)
    birds.instance.kill()
    shutil.rmtree(birds.instance.data)

    data = tmp_path / "elsewhere" / "data"
    restored = run_alight("restore", str(copy), "--data", str(data))
    assert (restored.returncode, restored.stderr) == (0, "")
    assert "Start it: alight up --data" in restored.stdout
    again = start(data=data, ALIGHT_WEBHOOK_ALLOW="127.0.0.1", timeout=60)
    bucket = birds.outputs["BucketName"]
    keys = [item["Key"] for item in again.client("s3").list_objects_v2(Bucket=bucket)["Contents"]]
    assert keys == ["birds/before.jpg"]
    again.client("s3").put_object(Bucket=bucket, Key="birds/new.jpg", Body=PICTURE)
    with hook.changed:
        assert hook.changed.wait_for(lambda: any("birds/new.jpg" in one.message for one in hook.arrivals), 60)
    books = eventually(lambda: (found := again.json("status")["books"])["succeeded"] == 2 and found, what="both runs")
    assert books["accepted"] == 2


def test_a_stopped_folder_is_copied_and_checked_too(start: Start, tmp_path: Path) -> None:
    instance = start(data=tmp_path / "data")
    instance.client("s3").create_bucket(Bucket="box")
    for size in (100_000, 300_000):
        instance.client("s3").put_object(Bucket="box", Key=str(size), Body=b"x" * size)
    assert instance.stop() == 0
    assert instance.json("backup", str(tmp_path / "copy"))["bodies"] == 2
    assert json.loads((instance.data / "last-backup.json").read_text())["folder"] == str(tmp_path / "copy")
    assert instance.alight("verify").stdout == "All rows and bytes are as they were written.\n"
    beside = [path for name in ("bodies", "packs") for path in (instance.data / name).rglob("*") if path.is_file()]
    assert len(beside) == 2
    for path in beside:
        path.write_bytes(b"y" * path.stat().st_size)
    found = instance.alight("verify")
    assert found.returncode == 1
    assert all(path.name in found.stdout for path in beside)
    again = instance.alight("backup", str(tmp_path / "copy"))
    assert again.returncode == 1
    assert "exists already" in again.stderr
