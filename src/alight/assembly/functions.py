"""Lambda's door: definitions, invocations, and the readers of queues that wake functions."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from alight.assembly.running import Running
from alight.assembly.store import FUNCTIONS, Store
from alight.calls import Handler
from alight.gateway.role_policy import RoleMay
from alight.services.fetch import Fetcher
from alight.services.lambda_ import service
from alight.services.lambda_.account import Account
from alight.services.lambda_.aliases import Aliases
from alight.services.lambda_.behaviour import Behaviour
from alight.services.lambda_.chains import Chains
from alight.services.lambda_.destination_rules import DestinationRules
from alight.services.lambda_.destinations import Destinations
from alight.services.lambda_.functions import Functions
from alight.services.lambda_.invocations import Invocations
from alight.services.lambda_.layers import Layers
from alight.services.lambda_.mapping_rules import MappingRules
from alight.services.lambda_.mappings import Mappings
from alight.services.lambda_.permissions import Permissions
from alight.services.lambda_.pollers import Means, Pollers
from alight.services.lambda_.sources import Sources
from alight.services.lambda_.tags import Tags
from alight.services.lambda_.urls import Urls
from alight.services.lambda_.versions import Versions
from alight.services.sqs import Sqs
from alight.services.targets import Targets


@dataclass(frozen=True, slots=True)
class LambdaDoor:
    """Its part of the operations table, what reads queues for functions, and what is served at URLs."""

    operations: dict[tuple[str, str], Handler]
    pollers: Pollers
    urls: Urls


def build_lambda(
    store: Store,
    running: Running,
    targets: Targets,
    sqs: Sqs,
    role_may: RoleMay,
    fetcher: Fetcher,
    say: Callable[[str], None],
) -> LambdaDoor:
    catalogue, clock = running.catalogue, store.clock
    rules = DestinationRules(targets.missing, role_may)
    running.runner.tell_of = Destinations(targets.send, role_may, store.telemetry).tell_of
    sources = Sources(store.settings.data / FUNCTIONS, fetcher.object, say)
    layers = Layers(store.database, store.records, clock, sources)
    functions = Functions(
        catalogue,
        clock,
        sources=sources,
        layers=layers,
        retire=running.pool.retire,
        say=say,
        rules=rules,
    )
    pollers = build_pollers(store, running, sqs, role_may)
    mappings = Mappings(
        store.database,
        store.records,
        clock,
        checks=MappingRules(catalogue, role_may, sqs.consumer.hiding),
        wake=pollers.wake,
    )
    urls = Urls(catalogue, store.database, store.records, clock)

    def limited() -> None:
        running.dispatcher.wake()
        pollers.freed()

    operations = service.operations(
        functions,
        Invocations(catalogue, store.database, running.queue, run=running.runner.request),
        Permissions(catalogue),
        Behaviour(catalogue, clock, rules, limited),
        Versions(catalogue),
        Aliases(catalogue),
        layers,
        Tags(store.database, store.records),
        Account(catalogue, store.records, running.pool.limit),
        mappings,
        urls,
    )
    return LambdaDoor(operations, pollers, urls)


def build_pollers(store: Store, running: Running, sqs: Sqs, role_may: RoleMay) -> Pollers:
    means = Means(
        sqs.consumer,
        running.runner,
        role_may,
        store.telemetry,
        store.clock,
        Chains(running.catalogue),
        running.queue.looped,
    )
    pollers = Pollers(store.database, store.records, means)

    def freed(event_id: str) -> None:
        """A worker has ended a call: events first, then messages of queues."""
        running.dispatcher.freed(event_id)
        pollers.freed()

    running.pool.on_free = freed
    return pollers
