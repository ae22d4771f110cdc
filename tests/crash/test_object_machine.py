"""Objects, versions, uploads and what is told of them, on the real runtime, against a model of a hundred lines.

Steps come in any order: writes of all kinds, kills between and in the middle of them, a target that is down, a clock
that is set. After each restart, and at the end of each story, what can be read is what the model says; each change has
told one event, and each event one message. `ALIGHT_CHAOS_OBJECT_STORIES` and `ALIGHT_CHAOS_OBJECT_STEPS` make it long;
`ALIGHT_TEST_SEED` tells the same stories again, though a kill may meet another moment.
"""

from __future__ import annotations

import hashlib
import json
import os
import random
import threading
import time
import uuid
from collections import Counter, defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import BotoCoreError, ClientError
from hypothesis import HealthCheck, Phase, seed, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, precondition, rule, run_state_machine_as_test

from alight.cli.instance import open_door
from tests.crash.accountant import Balance
from tests.crash.shifted import ShiftedClock
from tests.support import Instance, eventually, start_alight, steady_port, sweep
from tests.walk.making import books, let_in, make_function, make_role
from tests.walk.sinks import Arrival, Webhook, webhook

STORIES = int(os.environ.get("ALIGHT_CHAOS_OBJECT_STORIES") or 3)
STEPS = int(os.environ.get("ALIGHT_CHAOS_OBJECT_STEPS") or 30)
#: Kills of one story: each costs a start.
KILLS = int(os.environ.get("ALIGHT_CHAOS_OBJECT_KILLS") or 1)

NULL = "null"
CODE = """
import json, os
from urllib.parse import unquote_plus
import boto3
sns = boto3.client("sns")
def handler(event, context):
    for record in event["Records"]:
        it = record["s3"]["object"]
        said = [record["s3"]["bucket"]["name"], unquote_plus(it["key"]), record["eventName"],
                it.get("versionId", "null"), it["sequencer"]]
        sns.publish(TopicArn=os.environ["TOPIC"], Message=json.dumps(said))
"""
#: Retries at once, then each second.
POLICY = {"healthyRetryPolicy": {"numRetries": 60, "numNoDelayRetries": 3, "minDelayTarget": 1, "maxDelayTarget": 1}}

keys = st.sampled_from(("a", "a/b", "ä b+c", "z"))
bodies = st.sampled_from((b"", b"small", b"x" * 100_000))


class Sink(Webhook):
    """Notes what it takes; what it refuses has not arrived."""

    def take(self, arrival: Arrival) -> int:
        if self.answers and arrival.envelope.get("Type") == "Notification":
            with self.changed:
                return self.answers.pop(0)
        return super().take(arrival)


@dataclass
class Rig:
    """One runtime for all stories, each of which has a bucket of its own."""

    folder: Path
    sink: Sink
    clock: ShiftedClock
    instance: Instance
    settings: dict[str, Any]
    s3: Any = None
    function: str = ""
    done: Counter[str] = field(default_factory=Counter)

    def prepare(self) -> None:
        make_role(self.instance)
        sns = self.instance.client("sns")
        topic = sns.create_topic(Name="told")["TopicArn"]
        sns.subscribe(
            TopicArn=topic, Protocol="http", Endpoint=self.sink.url, Attributes={"DeliveryPolicy": json.dumps(POLICY)}
        )
        assert self.sink.confirmed.wait(20)
        self.function = make_function(self.instance, "tells", CODE, TOPIC=topic)
        let_in(self.instance, self.function, "s3", "arn:aws:s3:::*")
        self.s3 = self.instance.client("s3")

    def kill(self) -> None:
        self.instance.kill()
        self.done["kills"] += 1
        sweep(self.instance.process)
        self.instance = start_alight(self.instance.data, timeout=60, **self.settings)
        self.s3 = self.instance.client("s3")

    def quiet(self) -> bool:
        found = books(self.instance)
        assert found["accepted"] == found["pending"] + found["running"] + found["succeeded"] + found["dead"]
        assert found["dead"] == 0
        waiting = any(row["state"] in ("ready", "sending") for row in self.deliveries())
        return not (waiting or found["pending"] or found["running"])

    def deliveries(self) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = open_door(self.instance.data).get("outbox", limit=1000)["deliveries"]
        return found

    def uncertain(self) -> set[str]:
        return {row["message_id"] for row in self.deliveries() if row["uncertain"]}


@contextmanager
def rig_in(folder: Path) -> Iterator[Rig]:
    clock = ShiftedClock(folder)
    environment: dict[str, Any] = {
        **clock.settings, "ALIGHT_WEBHOOK_ALLOW": "127.0.0.1", "ALIGHT_RETRY_DELAYS": "1,1", "port": steady_port(),
    }  # fmt: skip
    with webhook(Sink()) as sink:
        assert isinstance(sink, Sink)
        made = Rig(folder, sink, clock, start_alight(folder / "data", timeout=60, **environment), environment)
        try:
            made.prepare()
            yield made
        finally:
            sweep(made.instance.process)


@dataclass(frozen=True)
class Version:
    """One version of a key; `body` None says that it is a delete marker."""

    id: str
    body: bytes | None


@dataclass
class Bucket:
    """What must be in a bucket, and what must have been told of it."""

    status: str = ""
    #: Key -> versions, the newest last.
    versions: defaultdict[str, list[Version]] = field(default_factory=lambda: defaultdict(list))
    told: Counter[tuple[str, str, str]] = field(default_factory=Counter)

    def current(self, key: str) -> Version | None:
        found = self.versions[key][-1:]
        return found[0] if found and found[0].body is not None else None

    def add(self, key: str, version: Version, event: str) -> None:
        if self.status != "Enabled":
            self.versions[key] = [old for old in self.versions[key] if old.id != NULL]
        self.versions[key].append(version)
        self.told[key, event, version.id] += 1

    def delete(self, key: str, marker: str) -> None:
        if self.status:
            return self.add(key, Version(marker, None), "ObjectRemoved:DeleteMarkerCreated")
        if self.versions.pop(key, []):
            self.told[key, "ObjectRemoved:Delete", NULL] += 1

    def delete_version(self, key: str, id: str) -> None:
        self.versions[key] = [old for old in self.versions[key] if old.id != id]
        self.told[key, "ObjectRemoved:Delete", id] += 1


class Objects(RuleBasedStateMachine):
    """One bucket's story."""

    def __init__(self, rig: Rig) -> None:
        super().__init__()
        self.rig, self.model, self.kills = rig, Bucket(), 0
        self.name = f"story-{uuid.uuid4().hex[:12]}"
        #: Upload id -> (key, part number -> body).
        self.uploads: dict[str, tuple[str, dict[int, bytes]]] = {}
        self.rig.s3.create_bucket(Bucket=self.name)
        rule = {"LambdaFunctionArn": rig.function, "Events": ["s3:ObjectCreated:*", "s3:ObjectRemoved:*"]}
        self.rig.s3.put_bucket_notification_configuration(
            Bucket=self.name, NotificationConfiguration={"LambdaFunctionConfigurations": [rule]}
        )

    def ask(self, operation: str, **given: Any) -> dict[str, Any]:
        self.rig.done["steps"] += 1
        answer: dict[str, Any] = getattr(self.rig.s3, operation)(Bucket=self.name, **given)
        return answer

    # Writes -----------------------------------------------------------------------------------------------------

    @rule(key=keys, body=bodies)
    def put(self, key: str, body: bytes) -> None:
        answer = self.ask("put_object", Key=key, Body=body)
        self.model.add(key, Version(answer.get("VersionId", NULL), body), "ObjectCreated:Put")

    @rule(key=keys)
    def delete(self, key: str) -> None:
        answer = self.ask("delete_object", Key=key)
        assert answer.get("DeleteMarker", False) == bool(self.model.status)
        self.model.delete(key, answer.get("VersionId", NULL))

    @rule(key=keys, which=st.integers(0, 100))
    def delete_version(self, key: str, which: int) -> None:
        versions = self.model.versions[key]
        if versions:
            id = versions[which % len(versions)].id
            self.ask("delete_object", Key=key, VersionId=id)
            self.model.delete_version(key, id)

    @rule(source=keys, key=keys)
    def copy(self, source: str, key: str) -> None:
        there = self.model.current(source)
        given = {"Key": key, "CopySource": {"Bucket": self.name, "Key": source}, "MetadataDirective": "REPLACE"}
        if there is None:
            with pytest.raises(ClientError, match="NoSuchKey"):
                self.ask("copy_object", **given)
            return
        answer = self.ask("copy_object", **given)
        self.model.add(key, Version(answer.get("VersionId", NULL), there.body), "ObjectCreated:Copy")

    @rule(status=st.sampled_from(("Enabled", "Enabled", "Suspended")))
    def keep_versions(self, status: str) -> None:
        self.ask("put_bucket_versioning", VersioningConfiguration={"Status": status})
        self.model.status = status

    @rule(key=keys)
    def create_upload(self, key: str) -> None:
        self.uploads[self.ask("create_multipart_upload", Key=key)["UploadId"]] = (key, {})

    @precondition(lambda self: self.uploads)
    @rule(which=st.integers(0, 100), number=st.integers(1, 2), body=bodies)
    def upload_part(self, which: int, number: int, body: bytes) -> None:
        id, (key, parts) = list(self.uploads.items())[which % len(self.uploads)]
        self.ask("upload_part", Key=key, UploadId=id, PartNumber=number, Body=body)
        parts[number] = body

    @precondition(lambda self: any(parts for _, parts in self.uploads.values()))
    @rule(which=st.integers(0, 100))
    def complete_upload(self, which: int) -> None:
        """Of one part: only the last may be small."""
        ready = [(id, key, parts) for id, (key, parts) in self.uploads.items() if parts]
        id, key, parts = ready[which % len(ready)]
        number = max(parts)
        listed = [{"PartNumber": number, "ETag": hashlib.md5(parts[number]).hexdigest()}]
        answer = self.ask("complete_multipart_upload", Key=key, UploadId=id, MultipartUpload={"Parts": listed})
        del self.uploads[id]
        version = Version(answer.get("VersionId", NULL), parts[number])
        self.model.add(key, version, "ObjectCreated:CompleteMultipartUpload")

    @precondition(lambda self: self.uploads)
    @rule(which=st.integers(0, 100))
    def abort_upload(self, which: int) -> None:
        id, (key, _) = list(self.uploads.items())[which % len(self.uploads)]
        self.ask("abort_multipart_upload", Key=key, UploadId=id)
        del self.uploads[id]

    # What goes wrong --------------------------------------------------------------------------------------------

    @rule(answers=st.lists(st.sampled_from((500, 503)), min_size=1, max_size=4))
    def target_is_down(self, answers: list[int]) -> None:
        with self.rig.sink.changed:
            self.rig.sink.answers = list(answers)

    @rule(seconds=st.integers(-300, 300))
    def clock_is_set(self, seconds: int) -> None:
        self.rig.clock.set(seconds)

    @precondition(lambda self: self.kills < KILLS)
    @rule()
    def kill(self) -> None:
        self.kills += 1
        self.rig.kill()
        self.compare()

    @precondition(lambda self: self.kills < KILLS)
    @rule(key=keys, moment=st.floats(0, 0.012))
    def kill_while_it_is_put(self, key: str, moment: float) -> None:
        """Nobody knows what became of it: the object and its event are both there, or neither is."""
        self.kills += 1
        body = uuid.uuid4().hex.encode()
        answers: list[dict[str, Any]] = []

        def put() -> None:
            try:
                answers.append(self.rig.s3.put_object(Bucket=self.name, Key=key, Body=body))
            except (ClientError, BotoCoreError):
                self.rig.done["puts without an answer"] += 1

        thread = threading.Thread(target=put)
        thread.start()
        time.sleep(moment)
        self.rig.instance.process.kill()
        thread.join()
        self.rig.kill()
        found = [entry for entry in self._listed("Versions") if entry["Key"] == key and entry["IsLatest"]]
        if found and found[0]["ETag"].strip('"') == hashlib.md5(body).hexdigest():
            self.model.add(key, Version(found[0]["VersionId"], body), "ObjectCreated:Put")
        else:
            assert not answers, f"{key} was answered with 200 and is lost"
        self.compare()

    # What must be true ------------------------------------------------------------------------------------------

    @rule()
    def compare(self) -> None:
        """All that can be read of the bucket."""
        current = {key: found for key in self.model.versions if (found := self.model.current(key))}
        listed = self.ask("list_objects_v2").get("Contents", [])
        assert [(entry["Key"], entry["Size"]) for entry in listed] == [
            (key, len(current[key].body or b"")) for key in sorted(current, key=str.encode)
        ]
        for key, version in current.items():
            assert self.ask("get_object", Key=key)["Body"].read() == version.body
        kept = [
            (key, version.id)
            for key in sorted(self.model.versions, key=str.encode)
            for version in reversed(self.model.versions[key])
        ]
        shown = self.ask("list_object_versions")
        found = shown.get("Versions", []) + shown.get("DeleteMarkers", [])
        assert sorted((entry["Key"], entry["VersionId"]) for entry in found) == sorted(kept)
        markers = {(entry["Key"], entry["VersionId"]) for entry in shown.get("DeleteMarkers", [])}
        assert markers == {
            (key, version.id)
            for key, versions in self.model.versions.items()
            for version in versions
            if version.body is None
        }
        latest = {(entry["Key"], entry["VersionId"]) for entry in found if entry["IsLatest"]}
        assert latest == {(key, versions[-1].id) for key, versions in self.model.versions.items() if versions}
        uploads = self.ask("list_multipart_uploads").get("Uploads", [])
        assert {entry["UploadId"] for entry in uploads} == self.uploads.keys()

    def _listed(self, kind: str) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = self.ask("list_object_versions").get(kind, [])
        return found

    def teardown(self) -> None:
        """All is quiet: each change was told once, in messages of their own, and the last one is what is there."""
        self.compare()
        eventually(self.rig.quiet, 60, "quiet")
        told: Counter[tuple[str, str, str]] = Counter()
        last: dict[str, tuple[str, str, str]] = {}
        mine = [arrival for arrival in self.rig.sink.arrivals if self.name in arrival.message]
        for text in {arrival.message_id: arrival.message for arrival in mine}.values():
            _, key, event, version, sequencer = json.loads(text)
            told[key, event, version] += 1
            last[key] = max(last.get(key, ("", "", "")), (sequencer, event, version))
        assert told == +self.model.told
        for key, (_, event, version) in last.items():
            current = self.model.current(key)
            assert not event.startswith("ObjectCreated") or (current and current.id == version)
        often = {id for id, count in Counter(arrival.message_id for arrival in mine).items() if count > 1}
        assert often <= self.rig.uncertain()
        self.rig.done["repeats, flagged"] += len(often)
        self.rig.done["events"] += told.total()
        self.rig.done["stories"] += 1


@pytest.mark.tool("cc")
@pytest.mark.slow
@pytest.mark.timeout(120 + STORIES * 30)
def test_objects_and_what_is_told_of_them_are_as_the_model_says(tmp_path: Path) -> None:
    chosen = int(os.environ.get("ALIGHT_TEST_SEED") or random.randrange(1 << 32))
    print(f"\nseed {chosen}: ALIGHT_TEST_SEED={chosen} tells the same stories")
    with rig_in(tmp_path) as rig:
        run_state_machine_as_test(
            seed(chosen)(partial(Objects, rig)),  # type: ignore[arg-type]
            settings=settings(
                max_examples=STORIES,
                stateful_step_count=STEPS,
                deadline=None,
                suppress_health_check=list(HealthCheck),
                # A kill comes at another moment each time, so a story cannot be made shorter by telling it again.
                phases=[Phase.generate],
                print_blob=True,
                database=None,
            ),
        )
        print(f"\nstories of objects, each as the model says{Balance(dict(sorted(rig.done.items()))).table(chosen)}")
