"""A folder of the first schema under today's runtime: what it kept is there, what waited is done, it works on."""

from __future__ import annotations

import time
from pathlib import Path

from alight.store.connections import open_writer
from tests.schemas.laying import lay
from tests.schemas.make import LARGE, SMALL, WAITING
from tests.support import Start, eventually, run_alight
from tests.walk.making import books

#: As the journal covers an event that has not ended. The fixture's are long over by now.
_YOUNG = """
UPDATE events SET accepted = :now, not_before = :now, expires = :now + 21600,
                  crc = row_crc(id, function, payload, source, :now, :now + 21600, retries)
WHERE state IN ('pending', 'running')
"""


def test_a_folder_of_the_first_version_goes_on(start: Start, tmp_path: Path) -> None:
    data = tmp_path / "data"
    lay(data, 1, 1)
    connection = open_writer(data / "alight.db")
    connection.execute(_YOUNG, {"now": time.time()})
    connection.close()
    instance = start(data=data)
    s3, sqs = instance.client("s3"), instance.client("sqs")

    small = s3.get_object(Bucket="kept", Key="small")
    assert (small["Body"].read(), small["ContentType"], small["Metadata"]) == (SMALL, "text/x-small", {"who": "me"})
    assert s3.get_object(Bucket="kept", Key="large")["Body"].read() == LARGE
    [upload] = s3.list_multipart_uploads(Bucket="signs")["Uploads"]
    [part] = s3.list_parts(Bucket="signs", Key="parts", UploadId=upload["UploadId"])["Parts"]
    s3.complete_multipart_upload(
        Bucket="signs", Key="parts", UploadId=upload["UploadId"],
        MultipartUpload={"Parts": [{"PartNumber": 1, "ETag": part["ETag"]}]},
    )  # fmt: skip
    # That was the sign that the events have waited for.
    eventually(lambda: books(instance)["succeeded"] == 2 + WAITING, what="the end of what ran when it was killed")
    assert books(instance)["dead"] == 1

    queue = sqs.get_queue_url(QueueName="told")["QueueUrl"]
    bodies = [item["Body"] for item in sqs.receive_message(QueueUrl=queue, MaxNumberOfMessages=10)["Messages"]]
    assert sorted("to the queue" in body or "from the topic" in body for body in bodies) == [True, True]

    s3.put_bucket_versioning(Bucket="kept", VersioningConfiguration={"Status": "Enabled"})
    s3.put_object(Bucket="kept", Key="small", Body=b"new")
    eventually(lambda: books(instance)["succeeded"] == 3 + WAITING, what="a new event")
    assert len(s3.list_object_versions(Bucket="kept", Prefix="small")["Versions"]) == 2
    assert instance.stop() == 0
    assert instance.alight("verify").returncode == 0

    # And an Alight that knows less than the folder does not touch it.
    connection = open_writer(data / "alight.db")
    connection.pragma("user_version", 1_000)
    connection.close()
    before = (data / "alight.db").read_bytes()
    refused = run_alight("up", "--port", "0", "--data", str(data))
    assert refused.returncode == 2
    assert "schema version 1000" in refused.stderr
    assert "newer Alight" in refused.stderr
    assert "Traceback" not in refused.stderr
    assert (data / "alight.db").read_bytes() == before
