"""What is broken in the chaos tests: a bucket, a function that asks an endpoint, a topic, and three ways to be told.

Everything here is outside the blast radius but the instance itself: the client's threads, the sinks, the books.
"""

from __future__ import annotations

import itertools
import json
import threading
import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from email.message import EmailMessage
from pathlib import Path
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError

from tests.crash.accountant import ALL, Balance, Books, Terms, balance, read_ledger
from tests.support import Instance, eventually, start_alight, steady_port, sweep
from tests.walk.gateways import Mailbox, Phones, Text, link_in, mail_server, sms_gateway
from tests.walk.making import books as counts
from tests.walk.making import let_in, make_endpoint, make_function, make_role
from tests.walk.sinks import Arrival, Webhook, webhook

BUCKET = "chaos"
MAIL, PHONE = "told@example.org", "+4915112345678"

#: How a handler keeps the books: `begun` notes the attempt on disk and gives the object's key, `tell` publishes.
KEEPS_BOOKS = """
import json, os, uuid
from urllib.parse import unquote_plus
import boto3
def begun(event, context):
    records = event.get("Records")
    key = unquote_plus(records[0]["s3"]["object"]["key"]) if records else event["key"]
    line = {"kind": "attempt", "key": key, "event": context.aws_request_id}
    books = os.open(os.environ["BOOKS"], os.O_WRONLY | os.O_APPEND)
    os.write(books, (json.dumps(line) + chr(10)).encode())
    os.fdatasync(books)
    os.close(books)
    return key
def tell(key, context, answer):
    told = f"{key} {context.aws_request_id} {uuid.uuid4().hex} {answer}"
    sns.publish(TopicArn=os.environ["TOPIC"], Message=told)
sns = boto3.client("sns")
"""

#: Notes that it has begun, and no more.
NOTES = (
    KEEPS_BOOKS
    + """
def handler(event, context):
    return begun(event, context)
"""
)

#: Notes the attempt on disk, asks the model, tells the answer, and is a while in coming to its end, so that kills find
#: what was published by attempts that never ended.
CODE = (
    KEEPS_BOOKS
    + """
import random, time
runtime = boto3.client("sagemaker-runtime")
def handler(event, context):
    key = begun(event, context)
    asked = runtime.invoke_endpoint(EndpointName="same", ContentType="text/plain", Body=key.encode())
    tell(key, context, asked["Body"].read().decode())
    time.sleep(random.uniform(0, 0.1))
"""
)

#: A model that answers what it was asked.
INFERENCE = """
def model_fn(model_dir):
    return None
def input_fn(body, content_type):
    return body
def predict_fn(body, model):
    return body if isinstance(body, str) else body.decode()
def output_fn(answer, accept):
    return answer, "text/plain"
"""


@dataclass(frozen=True)
class House:
    """What is broken: the function's code and variables, the model's code on so many replicas (0: there is none), who
    is told, and by which settings it all lives."""

    code: str = CODE
    variables: Mapping[str, str] = field(default_factory=dict)
    timeout: int = 30
    inference: str = INFERENCE
    replicas: int = 2
    model_variables: Mapping[str, str] = field(default_factory=dict)
    settings: Mapping[str, str] = field(default_factory=dict)
    #: The delivery policy of the webhook's subscription.
    policy: Mapping[str, Any] = field(default_factory=dict)
    terms: Terms = ALL


WHOLE = House()
TOLD_BY_WEBHOOK = Terms(channels=("webhook",))
TOLD_TO_NOBODY = Terms(channels=())


@dataclass
class NotedWebhook(Webhook):
    """Each arrival is in the books before it is answered; what it refuses has not arrived."""

    books: Books | None = None
    #: Says 503 to every message.
    down: bool = False

    def take(self, arrival: Arrival) -> int:
        if self.down and arrival.envelope.get("Type") == "Notification":
            return 503
        if self.answers and arrival.envelope.get("Type") == "Notification":
            return self.answers.pop(0)
        if self.books and arrival.envelope.get("Type") == "Notification":
            self.books.arrive("webhook", arrival.message_id, arrival.message)
        return super().take(arrival)


@dataclass
class NotedMailbox(Mailbox):
    books: Books | None = None

    def add(self, item: EmailMessage) -> None:
        if self.books and "Confirmation" not in str(item["Subject"]):
            self.books.arrive("email", str(item["Message-ID"]), item.get_content())
        super().add(item)


@dataclass
class NotedPhones(Phones):
    books: Books | None = None

    def add(self, item: Text) -> None:
        if self.books:
            self.books.arrive("sms", "", item.fields["message"])
        super().add(item)


@dataclass
class Rig:
    """One data folder and whoever lives on it. `instance` is None between two lives."""

    folder: Path
    books: Books
    hook: NotedWebhook
    mailbox: Mailbox
    settings: dict[str, Any]
    house: House = WHOLE
    instance: Instance | None = None
    port: int = field(default_factory=steady_port)
    client: Any = None
    function: str = ""
    asked: int = 0
    lock: threading.Lock = field(default_factory=threading.Lock)

    @property
    def data(self) -> Path:
        return self.folder / "data"

    def begin(self, *before: str) -> Instance:
        """The next life, on the same port; `before` is put before the command. Raises `AssertionError` where it ends
        before it serves."""
        if self.instance is not None:
            sweep(self.instance.process)
        # On a machine that others use, a start may take a minute.
        self.instance = start_alight(self.data, timeout=240, port=self.port, before=before, **self.settings)
        return self.instance

    def begin_in_vain(self, seconds: float) -> None:
        """A life that is killed after so many seconds, as a rule before it serves."""
        if self.instance is not None:
            sweep(self.instance.process)
        with suppress(AssertionError):
            sweep(start_alight(self.data, timeout=seconds, port=self.port, **self.settings).process)

    def prepare(self) -> None:
        """The first life: what there is, and who is told."""
        instance = self.begin()
        self.client = instance.client("s3", connect_timeout=5, read_timeout=20)
        make_role(instance)
        topic = instance.client("sns").create_topic(Name="told")["TopicArn"]
        self._subscribe(instance.client("sns"), topic)
        house = self.house
        if house.replicas:
            make_endpoint(instance, "same", house.inference, house.replicas, **house.model_variables)
        variables = {"TOPIC": topic, "BOOKS": str(self.books.path), **house.variables}
        arn = self.function = make_function(instance, "tells", house.code, house.timeout, **variables)
        let_in(instance, arn, "s3", f"arn:aws:s3:::{BUCKET}")
        self.client.create_bucket(Bucket=BUCKET)
        rule = {"LambdaFunctionArn": arn, "Events": ["s3:ObjectCreated:*"]}
        self.client.put_bucket_notification_configuration(
            Bucket=BUCKET, NotificationConfiguration={"LambdaFunctionConfigurations": [rule]}
        )

    def _subscribe(self, sns: Any, topic: str) -> None:
        channels = self.house.terms.channels
        if "webhook" in channels:
            policy = {"DeliveryPolicy": json.dumps(self.house.policy)} if self.house.policy else {}
            sns.subscribe(TopicArn=topic, Protocol="http", Endpoint=self.hook.url, Attributes=policy)
        if "sms" in channels:
            sns.subscribe(TopicArn=topic, Protocol="sms", Endpoint=PHONE)
        if "email" in channels:
            sns.subscribe(TopicArn=topic, Protocol="email", Endpoint=MAIL)
            [question] = self.mailbox.to(MAIL)
            with urllib.request.urlopen(link_in(question.get_content(), "ConfirmSubscription"), timeout=20) as answer:
                answer.read()
        assert "webhook" not in channels or self.hook.confirmed.wait(20)

    def put(self, key: str = "", body: bytes = b"") -> bool:
        """Ask for one object under a key of its own; whether it was answered with 200."""
        return self.status_of_put(key, body) == 200

    def status_of_put(self, key: str = "", body: bytes = b"") -> int:
        """The same; 0 where nobody answered."""
        if not key:
            with self.lock:
                self.asked += 1
                key = f"object-{self.asked:06}"
        self.books.note("ask", key=key)
        status = 200
        try:
            self.client.put_object(Bucket=BUCKET, Key=key, Body=body or key.encode() * 20)
        except BotoCoreError as error:
            status = 0
            self.books.note("answer", key=key, status=0, error=str(error))
        except ClientError as error:
            status = int(error.response["ResponseMetadata"]["HTTPStatusCode"])
            self.books.note("answer", key=key, status=status, error=str(error))
        else:
            self.books.note("answer", key=key, status=200)
        return status

    def waiting(self) -> int:
        """Events that nobody has begun yet; 0 where nobody answers."""
        assert self.instance is not None
        try:
            return int(counts(self.instance)["pending"])
        except Exception:  # whatever a dying door says
            return 0

    def settle(self, timeout: float = 60) -> Balance:
        """Wait until nothing is under way any more, stop the instance, and compare the ledgers."""
        assert self.instance is not None
        instance = self.instance

        def quiet() -> bool:
            found = counts(instance)
            outbox = found["outbox"]
            return not (found["pending"] or found["running"] or outbox["ready"] or outbox["sending"])

        # What does not come to its end is told by the ledgers, by name.
        try:
            eventually(quiet, timeout)
        except AssertionError:
            print(f"not quiet after {timeout:g} s: {counts(instance)}")
        assert instance.stop() == 0
        assert instance.alight("verify", timeout=120).returncode == 0
        return self.compare()

    def compare(self) -> Balance:
        """The ledgers of an instance that has stopped."""
        return balance(self.books.lines(), read_ledger(self.data, BUCKET), self.house.terms)


@contextmanager
def rig(folder: Path, house: House = WHOLE) -> Iterator[Rig]:
    """Sinks, books, and an instance that is ready to be broken."""
    books = Books(folder / "books")
    sinks = NotedWebhook(books=books), NotedMailbox(books=books), NotedPhones(books=books)
    hook, *_ = sinks
    with webhook(hook), mail_server(sinks[1]) as box, sms_gateway(sinks[2]) as phones:
        settings: dict[str, Any] = {
            "ALIGHT_SMTP_URL": box.url,
            "ALIGHT_SMTP_FROM": "chaos@example.org",
            "ALIGHT_SMS_URL": phones.url("json"),
            "ALIGHT_WEBHOOK_ALLOW": "127.0.0.1",
            "ALIGHT_RETRY_DELAYS": "0.05,0.2",
            "ALIGHT_WORKER_PATHS": str(books.path),
            **house.settings,
        }
        made = Rig(folder, books, hook, box, settings, house)
        try:
            made.prepare()
            yield made
        finally:
            if made.instance is not None:
                sweep(made.instance.process)
            books.close()


#: How many events may wait before nobody asks for more: kills shall meet those that come in, not a long queue.
MOST_WAITING = 100


class Load:
    """Threads that put objects one after another, each with a pause after an answer, until `end`."""

    def __init__(self, rig: Rig, threads: int, pause: float) -> None:
        self.answered = 0
        self._enough = threading.Event()
        self._rig, self._pause = rig, pause
        self._threads = [threading.Thread(target=self._work, daemon=True) for _ in range(threads)]
        for thread in self._threads:
            thread.start()

    def _work(self) -> None:
        for number in itertools.count():
            if self._enough.is_set():
                return
            if number % 10 == 9:
                self._let_it_follow()
            answered = self._rig.put()
            with self._rig.lock:
                self.answered += answered
            # Nobody hammers at a door that is closed for a second.
            self._enough.wait(self._pause if answered else 0.3)

    def _let_it_follow(self) -> None:
        while self._rig.waiting() > MOST_WAITING and not self._enough.wait(0.3):
            continue

    def end(self) -> None:
        self._enough.set()
        for thread in self._threads:
            thread.join(60)
            assert not thread.is_alive()


def say(found: Balance, seed: int | None, what: str) -> None:
    """The table on stdout; fails where the books do not balance. `seed` is None where nothing was drawn."""
    print(f"\n{what}{found.table(seed)}")
    assert found.wrong == [], f"seed {seed}"
    # The handler never fails by itself: each of a dead letter's three attempts was ended by a kill, a pause, a fault.
    disturbed = sum(found.numbers[kind] for kind in ("kills", "pauses", "other faults"))
    assert found.numbers["of them dead letters"] * 3 <= disturbed, f"seed {seed}"
