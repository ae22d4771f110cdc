"""Functions and endpoints: everything that has processes, and the dispatcher that feeds them."""

from __future__ import annotations

import os
from contextlib import AsyncExitStack
from dataclasses import dataclass

from alight import credentials
from alight.assembly.endpoints import shadow_metrics
from alight.assembly.store import FUNCTIONS, Store
from alight.calls import Attempt, Principal
from alight.endpoints.server import Endpoints
from alight.events.dispatch import Dispatcher
from alight.events.takers import Takers, service_of
from alight.fence import tiers
from alight.functions.pool import FunctionPool, FunctionSpec
from alight.notifications.topics import Topics
from alight.services.iam.kinds import ROLE
from alight.services.lambda_.catalogue import Catalogue
from alight.services.lambda_.invocations import Queue
from alight.services.lambda_.metrics import FunctionMetrics
from alight.services.lambda_.runner import Runner
from alight.services.logs.embedded import Embedded
from alight.services.sagemaker.metrics import EndpointMetrics

#: A worker's keys are good for twelve hours, the longest that a link may live, beyond the oldest that a worker gets.
SESSION_SECONDS = (12 + 2) * 3600


@dataclass(frozen=True, slots=True)
class Running:
    """Functions and endpoints: everything that has processes."""

    fence: tiers.Tier
    catalogue: Catalogue
    pool: FunctionPool
    runner: Runner
    takers: Takers
    queue: Queue
    dispatcher: Dispatcher
    endpoints: Endpoints
    endpoint_metrics: EndpointMetrics


def build_running(store: Store, topics: Topics, exits: AsyncExitStack) -> Running:
    settings, clock = store.settings, store.clock
    cores = os.cpu_count() or 1
    fence = tiers.choose(settings.worker_sandbox, settings.data, settings.worker_paths)
    pool = FunctionPool(
        limit=settings.concurrency or cores * 2,
        idle_timeout=settings.idle_timeout,
        clock=clock,
        folder=settings.data / FUNCTIONS,
        credentials=lambda spec, worker: worker_environment(store, spec, worker),
        endpoint_url=store.address.local,
        log=Embedded(store.telemetry, clock).log,
        fence=fence,
        quick_boto3=settings.quick_boto3,
    )
    endpoint_metrics = EndpointMetrics(store.telemetry, clock)
    endpoints = Endpoints(
        folder=settings.data / "endpoints",
        clock=clock,
        cores=cores,
        default_replicas=settings.replicas,
        observe=endpoint_metrics.invoked,
        compare=shadow_metrics(store),
        fence=fence,
        log=store.telemetry.log,
    )
    exits.push_async_callback(endpoints.close)
    exits.push_async_callback(pool.close)
    catalogue = Catalogue(store.database, store.records)
    metrics = FunctionMetrics(store.telemetry)
    runner = Runner(catalogue, pool, store.telemetry, metrics, clock, settings.retry_delays, settings.data / FUNCTIONS)
    takers = Takers(runner)
    dispatcher = Dispatcher(
        store.database,
        clock,
        target=takers.target,
        invoke=takers.event,
        publishes=topics,
        free=runner.at_hand,
        dropped=lambda arn, count: metrics.dropped(arn, count) if service_of(arn) == "lambda" else None,
    )
    # A call that somebody waited for may have held what an event needs.
    pool.on_free = dispatcher.freed
    pool.on_begin = metrics.began
    queue = Queue(
        catalogue,
        clock,
        max_age=settings.max_event_age,
        accept=dispatcher.accept,
        wake=dispatcher.wake,
        received=metrics.received,
        looped=metrics.looped,
    )
    return Running(fence, catalogue, pool, runner, takers, queue, dispatcher, endpoints, endpoint_metrics)


def worker_environment(store: Store, spec: FunctionSpec, worker: str) -> dict[str, str]:
    """A worker's own short-lived keys: they say which role it has and, through the pool, what it works on."""
    now, role = int(store.clock.now()), store.records.get(ROLE.record, spec.role)
    known = {"role_id": role.body["RoleId"], "path": role.body["Path"]} if role is not None else {}
    key = credentials.mint_session(
        store.keys,
        role=spec.role,
        session=spec.name,
        worker=worker,
        expires=now + SESSION_SECONDS,
        issued=now,
        **known,
    )
    variables = {
        "AWS_ACCESS_KEY_ID": key.access_key_id,
        "AWS_SECRET_ACCESS_KEY": key.secret_access_key,
        "AWS_SESSION_TOKEN": key.session_token,
    }
    if store.settings.public_url:
        # Links that a handler presigns leave the machine, so they must name the address that others can reach.
        variables["AWS_ENDPOINT_URL_S3"] = store.address.public()
    return variables


def attempt_of(pool: FunctionPool, principal: Principal) -> Attempt | None:
    """The invocation that a worker's request belongs to. One that arrives after the end of its attempt still does, and
    shares the attempt's fate: what a failed attempt's thread publishes late must not leave, as the retry says it."""
    current = pool.latest(principal.worker) if principal.worker else None
    if current is None:
        return None
    return Attempt(
        request_id=current.request_id,
        function_arn=principal.arn,
        event_id=current.event_id,
        fence=current.fence,
        staged=current.staged,
        chain=current.chain,
    )
