"""Databases as each version of their schemas leaves them, as SQL beside this file: what upgrades are tested with.

`.venv/bin/python -m tests.schemas.make` starts the runtime of this tree, gives it something of everything, kills it
while events wait and run, and writes `journal-N.sql` and `telemetry-N.sql`. Whoever adds a migration runs it once and
commits what is new; files of earlier versions were written by the code of their time and stay as they are.
"""

from __future__ import annotations

import sqlite3
import tempfile
from pathlib import Path
from typing import Any

from tests.support import Instance, eventually, start_alight, sweep
from tests.walk.making import let_in, make_function, make_role, open_queue

HERE = Path(__file__).parent
#: What the objects hold that every folder has; the last one is not in the database.
SMALL, LARGE = b"small" * 10, b"large" * 40_000
WAITING = 3

#: Events whose key begins with `waits` run until somebody puts an object into the bucket `signs`.
CODE = """import os
import time
import boto3
s3 = boto3.client("s3")
def handler(event, context):
    key = event["Records"][0]["s3"]["object"]["key"]
    if key == "fails":
        os._exit(1)
    while key.startswith("waits") and not s3.list_objects_v2(Bucket="signs").get("Contents"):
        time.sleep(0.1)
    return key
"""


def furnish(instance: Instance) -> None:
    """Something of everything that a journal keeps."""
    s3, sns, sqs = (instance.client(service) for service in ("s3", "sns", "sqs"))
    make_role(instance)
    arn = make_function(instance, "keeps", CODE)
    let_in(instance, arn, "s3", "arn:aws:s3:::kept")
    s3.create_bucket(Bucket="signs")
    s3.create_bucket(Bucket="kept")
    rule = {"LambdaFunctionArn": arn, "Events": ["s3:ObjectCreated:*"]}
    s3.put_bucket_notification_configuration(
        Bucket="kept", NotificationConfiguration={"LambdaFunctionConfigurations": [rule]}
    )
    s3.put_object(Bucket="kept", Key="small", Body=SMALL, ContentType="text/x-small", Metadata={"who": "me"})
    s3.put_object(Bucket="kept", Key="large", Body=LARGE)
    s3.put_object(Bucket="kept", Key="fails", Body=b"fails")
    upload = s3.create_multipart_upload(Bucket="signs", Key="parts")["UploadId"]
    s3.upload_part(Bucket="signs", Key="parts", UploadId=upload, PartNumber=1, Body=b"part")
    topic = sns.create_topic(Name="told")["TopicArn"]
    queue = open_queue(sqs, "told")
    sns.subscribe(TopicArn=topic, Protocol="sqs", Endpoint="arn:aws:sqs:us-east-1:000000000000:told")
    sns.publish(TopicArn=topic, Message="from the topic")
    sqs.send_message(QueueUrl=queue, MessageBody="to the queue")
    sns.publish(PhoneNumber="+4915112345678", Message="to a phone")
    s3.create_bucket(Bucket="versions")
    s3.put_bucket_versioning(Bucket="versions", VersioningConfiguration={"Status": "Enabled"})
    for body in (b"first", b"second"):
        s3.put_object(Bucket="versions", Key="kept", Body=body)
    s3.delete_object(Bucket="versions", Key="kept")


def ask(path: Path, question: str) -> list[tuple[Any, ...]]:
    connection = sqlite3.connect(f"file:{path}?mode=ro", uri=True)
    try:
        return connection.execute(question).fetchall()
    finally:
        connection.close()


def states(data: Path) -> dict[str, int]:
    """How many events are pending, running, succeeded, dead."""
    return dict(ask(data / "alight.db", "SELECT state, count(*) FROM events GROUP BY state"))


def dump(path: Path, name: str) -> None:
    """The whole database; of logs and spans, a few lines will do."""
    connection = sqlite3.connect(path)
    version = connection.execute("PRAGMA user_version").fetchone()[0]
    if name == "telemetry":
        for table in ("log_events", "spans"):
            connection.execute(f"DELETE FROM {table} WHERE id NOT IN (SELECT id FROM {table} LIMIT 5)")
        connection.commit()
    text = "\n".join([*connection.iterdump(), f"PRAGMA user_version = {version};", ""])
    connection.close()
    (HERE / f"{name}-{version}.sql").write_text(text)


def main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        data = Path(folder, "data")
        instance = start_alight(data, ALIGHT_RETRY_DELAYS="0.05,0.05")
        try:
            furnish(instance)
            eventually(lambda: states(data) == {"succeeded": 2, "dead": 1})
            for number in range(WAITING):
                instance.client("s3").put_object(Bucket="kept", Key=f"waits/{number}", Body=b"waits")
            eventually(lambda: states(data).get("running"))
            # What explains is written a little later: two calls that went well, and one that was tried three times.
            eventually(lambda: ask(data / "telemetry.db", "SELECT count(*) FROM invocations") == [(5,)])
        finally:
            sweep(instance.process)
        dump(data / "alight.db", "journal")
        dump(data / "telemetry.db", "telemetry")


if __name__ == "__main__":
    main()
