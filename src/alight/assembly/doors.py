"""The AWS services over the rooms, as one table of operations."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from alight.assembly.endpoints import build_sagemaker
from alight.assembly.functions import build_lambda
from alight.assembly.roles import callers_that_take, services_that_take, what_roles_may
from alight.assembly.running import Running
from alight.assembly.store import FETCHED, MODELS, Store
from alight.assembly.telling import Telling
from alight.calls import Handler
from alight.gateway.service_policy import service_may
from alight.services import passing
from alight.services.apigateway import service as rest_service
from alight.services.apigateway.ledger import HTTP, REST, Ledger
from alight.services.apigateway.served import Served
from alight.services.apigatewayv2 import service as http_service
from alight.services.cloudwatch.service import CloudWatch
from alight.services.cloudwatch.watching import Watch
from alight.services.fetch import Fetcher
from alight.services.iam.service import Iam
from alight.services.iam.uses import noted
from alight.services.lambda_.pollers import Pollers
from alight.services.lambda_.urls import Urls
from alight.services.logs.service import Logs
from alight.services.logs.tailing import Tailing
from alight.services.predictions import Predictions
from alight.services.resource_policies import ResourcePolicies
from alight.services.s3.service import S3
from alight.services.sagemaker.acting import Acting
from alight.services.sagemaker.service import SageMaker
from alight.services.sns import Sns
from alight.services.sqs import Sqs
from alight.services.sts import Sts
from alight.services.targets import Targets
from alight.services.tracing import traced


@dataclass(frozen=True, slots=True)
class Doors:
    """The AWS services as one table of operations, and the APIs that they describe."""

    operations: dict[tuple[str, str], Handler]
    sns: Sns
    sagemaker: SageMaker
    iam: Iam
    apis: Served
    targets: Targets
    pollers: Pollers
    watch: Watch
    tails: Tailing
    #: (endpoint, variant) -> the names of the classes of what it serves.
    labels: Callable[[str, str], tuple[str, ...]]
    s3: S3
    urls: Urls
    #: (a role's name, action, the resource's ARN) -> may it.
    role_may: Callable[[str, str, str], bool]


def build_doors(
    store: Store, running: Running, telling: Telling, targets: Targets, sqs: Sqs, say: Callable[[str], None]
) -> Doors:
    fetcher = Fetcher(store.objects, store.settings.data / FETCHED)
    iam = Iam(store.database, store.records, store.keys)
    sts = Sts(iam, store.keys, store.clock, callers_that_take(store.clock))
    resources = ResourcePolicies(store.records, service_may)
    role_may = what_roles_may(store, iam.policies_of_role, resources)
    functions = build_lambda(store, running, targets, sqs, role_may, fetcher, say)
    acting, excuse = Acting(lambda: operations, role_may), running.runner.excuse
    sagemaker = build_sagemaker(
        store, running.endpoints, fetcher.url, acting, targets.send, running.takers, running.dispatcher.wake, excuse
    )
    sns = Sns(
        store.database,
        store.records,
        telling.topics,
        telling.subscriptions,
        signer=telling.signer,
        check_url=telling.gate.check_url,
    )
    s3 = S3(store.database, store.objects, clock=store.clock, emit=targets.emit, target_exists=targets.refusal)
    rest_apis = Ledger(store.database, store.records, store.clock, REST)
    http_apis = Ledger(store.database, store.records, store.clock, HTTP)
    cloudwatch = CloudWatch(store.database, store.records, store.telemetry, telling.topics, store.clock)
    logs = Logs(store.database, store.records, store.telemetry, store.clock)
    operations = (
        s3.operations()
        | functions.operations
        | sagemaker.operations()
        | sns.operations()
        | sqs.operations()
        | logs.operations()
        | cloudwatch.operations()
        | iam.operations()
        | sts.operations()
        | rest_service.operations(rest_apis, store.records)
        | http_service.operations(http_apis)
    )
    asked = ("sagemaker-runtime", "InvokeEndpoint")
    predictions = Predictions(store.telemetry, store.records, store.settings.data / MODELS, store.clock)
    operations[asked] = predictions.kept(running.endpoint_metrics.timed(operations[asked]))
    served = Served(rest_apis, http_apis)
    operations = noted(passing.checked(operations, services_that_take(iam.roles)), iam.keys)
    operations = traced(operations, store.telemetry, store.clock)
    return Doors(
        operations,
        sns,
        sagemaker,
        iam,
        served,
        targets,
        functions.pollers,
        cloudwatch.watch,
        logs.tailing,
        predictions.labels,
        s3,
        functions.urls,
        role_may,
    )
