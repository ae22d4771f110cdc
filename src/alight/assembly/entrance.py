"""What stands before the operations: the gateway with its keys and policies, the websites and the admin door."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from contextlib import AsyncExitStack
from functools import partial
from pathlib import Path

from alight import __version__
from alight.admin.events import Events
from alight.admin.http import Api
from alight.admin.keeping import Keeping
from alight.admin.privileges import Privileges
from alight.admin.replay import Replay
from alight.admin.routes import About, Admin
from alight.admin.story import Stories
from alight.apis.door import Find
from alight.assembly.apis import build_apis
from alight.assembly.console import build_console, login_link
from alight.assembly.doors import Doors
from alight.assembly.function_urls import build_function_urls
from alight.assembly.reach import open_sockets
from alight.assembly.running import Running, attempt_of
from alight.assembly.store import Store
from alight.assembly.telling import Telling
from alight.assembly.templates import Templates
from alight.calls import Members
from alight.console.app import Console
from alight.console.entry import Entry
from alight.console.guard import HOME
from alight.gateway.asgi import Gateway
from alight.gateway.authorize import Authorizer, strangers
from alight.gateway.hosts import Hosts, configured_hosts
from alight.gateway.inside import Inside
from alight.gateway.keyring import Keyring
from alight.gateway.mounts import Mount
from alight.gateway.policy import allowed
from alight.gateway.route import Router
from alight.gateway.server import Server
from alight.gateway.service_policy import service_may
from alight.gateway.trust import about
from alight.names import REGION, service_in
from alight.services.permissions import condition_keys, needs
from alight.services.resource_policies import ResourcePolicies
from alight.services.s3.cors import CrossOrigin
from alight.services.s3.public import Access
from alight.services.s3.site import Site
from alight.stacks.answers import PREFIX
from alight.stacks.service.entrance import Responses
from alight.store.checksums import checksum


def build_authorizer(store: Store, doors: Doors) -> Authorizer:
    """Judges calls over the wire, and those that a stack's work makes for whoever asked for it."""
    access, policies = Access(store.objects, strangers(store.clock)), ResourcePolicies(store.records, service_may)
    of_services: dict[str, Callable[[str], Sequence[Members]]] = {
        "iam": lambda arn: [*map(about, doors.iam.trusts(arn))],
        "lambda": policies.policies_of,
        "s3": access.policies_of,
        "sns": policies.policies_of,
        "sqs": policies.policies_of,
    }

    def resource_policies_of(arn: str) -> Sequence[Members]:
        asked = of_services.get(service_in(arn))
        return asked(arn) if asked else ()

    return Authorizer(
        needs=needs,
        policies_of=doors.iam.policies_of,
        limits_of=doors.iam.limits_of,
        fill=doors.iam.filled,
        clock=store.clock,
        resource_policies_of=resource_policies_of,
        keys_of=condition_keys,
    )


def build_gateway(
    store: Store,
    running: Running,
    doors: Doors,
    admin: Api,
    console: Console,
    router: Router,
    apis: Mapping[str, Mount],
) -> Gateway:
    settings = store.settings
    access, cross_origin = Access(store.objects, strangers(store.clock)), CrossOrigin(store.objects)
    site = Mount(Site(store.objects, access, cross_origin))
    return Gateway(
        operations=doors.operations,
        keys=Keyring(store.keys, doors.iam.keys.principal, doors.iam.user_called, store.clock.lost_since),
        clock=store.clock,
        hosts=Hosts(configured_hosts(settings.allowed_hosts, settings.public_url)),
        authorize=build_authorizer(store, doors),
        public=access.public,
        cross_origin=cross_origin,
        digest=checksum,
        attempt_of=partial(attempt_of, running.pool),
        mounts={
            f"{HOME}/": Mount(console.app),
            "/_alight/": Mount(admin),
            "/_aws/sns/": Mount(doors.sns.pages, any_origin=True),
            "/_aws/s3-website/": site,
            "s3-website": site,
            f"s3-website-{REGION}": site,
            **apis,
        },
        router=router,
    )


async def listen(
    store: Store,
    running: Running,
    telling: Telling,
    doors: Doors,
    templates: Templates,
    template: Path | None,
    router: Router,
    find: Find,
    entry: Entry,
    exits: AsyncExitStack,
) -> Server:
    """Serve, on the port that was asked for or a free one."""
    stories = Stories(store.database, telling.rows, store.telemetry)
    settings, clock = store.settings, store.clock
    admin = Admin(
        about=lambda: About(
            store.address.local(),
            settings.data.resolve(),
            os.getpid(),
            __version__,
            store.address.since,
            template,
            sandbox=(running.fence.name, running.fence.words()),
        ),
        clock=clock,
        database=store.database,
        objects=store.objects,
        records=store.records,
        telemetry=store.telemetry,
        outbox=telling.rows,
        sender=telling.outbox,
        endpoints=running.endpoints,
        catalogue=running.catalogue,
        runner=running.runner,
        queue=running.queue,
        apis=doors.apis,
        new_link=lambda: login_link(store, entry),
        events=Events(store.database, stories, running.queue, clock, settings.max_event_age),
        replay=Replay(store.database, store.objects, telling.rows, clock, doors.targets),
        privileges=Privileges(running.catalogue, store.records, store.telemetry, doors.iam, allowed),
        keeping=Keeping(settings.data, store.objects, clock, __version__),
        outputs=templates.outputs,
        apply=templates.apply,
    )
    api = Api("/_alight/", store.keys.admin_token, admin.routes())
    keys = Keyring(store.keys, doors.iam.keys.principal, doors.iam.user_called, store.clock.lost_since)
    iam = doors.iam
    apis = build_apis(store, running, telling.gate, keys, iam.policies_of, iam.limits_of, find, exits)
    apis |= build_function_urls(store, running, keys, iam.policies_of, iam.limits_of, doors.urls.find)
    apis = {**apis, PREFIX: Mount(Responses(templates.answers))}
    console = build_console(store, telling, doors, admin, stories, entry, exits)
    gateway = build_gateway(store, running, doors, api, console, router, apis)
    server = await open_sockets(gateway, store, exits)
    running.pool.calls = Inside(gateway, store.address.local()).answer
    store.address.since = clock.now()
    return server
