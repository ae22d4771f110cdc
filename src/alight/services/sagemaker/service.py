"""The operations of SageMaker and of its runtime that Alight serves."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from alight.calls import Attempt, Handler
from alight.endpoints.server import Endpoints
from alight.services.members import guarded
from alight.services.sagemaker.acting import Acting
from alight.services.sagemaker.asynchronous import Asynchronous, Publish
from alight.services.sagemaker.capture import Captures, Say
from alight.services.sagemaker.definitions import Definitions
from alight.services.sagemaker.deployment import Deployments, Fetch
from alight.services.sagemaker.endpoints import EndpointHandlers
from alight.services.sagemaker.invoking import Invoking
from alight.services.sagemaker.ledger import Ledger
from alight.services.sagemaker.tables import CONTROL, RUNTIME
from alight.services.sagemaker.tags import Tags
from alight.store.database import Database
from alight.store.records import Records


class SageMaker:
    """Both services over one set of records. `folder` keeps the unpacked packages."""

    def __init__(
        self,
        database: Database,
        records: Records,
        endpoints: Endpoints,
        *,
        folder: Path,
        fetch: Fetch,
        acting: Acting,
        say: Say,
        publish: Publish,
        wake: Callable[[], None],
        excuse: Callable[[Attempt, bool], None] = lambda attempt, excused: None,
    ) -> None:
        """`say` puts a line into the log of an endpoint's variant, `publish` a message to a topic into a transaction;
        `wake` tells the dispatcher that there is something to do, `excuse` the runner whether an event's call has
        no place at a replica yet."""
        ledger = Ledger(database, records)
        self.captures = Captures(acting.put, say)
        self.deployments = Deployments(ledger, endpoints, folder, fetch, acting)
        self._definitions = Definitions(ledger, self.deployments.inspect)
        self.deployments.on_ended = wake
        self._tags = Tags(ledger)
        self._invoking = Invoking(ledger, endpoints, self.deployments, self.captures, database.clock, excuse)
        self.asynchronous = Asynchronous(
            database, ledger, endpoints, self._invoking, acting, publish=publish, say=say, wake=wake
        )
        self._endpoints = EndpointHandlers(ledger, endpoints, self.deployments, self.asynchronous)

    async def resume(self) -> None:
        """Bring the endpoints of the last run back, in the background; requests for them wait."""
        await self.deployments.resume()

    async def close(self) -> None:
        """Stop deploying, and write what was captured. The replicas are ended by `Endpoints.close`."""
        await self.deployments.close()
        await self.captures.close()

    def operations(self) -> dict[tuple[str, str], Handler]:
        """The services' part of the operations table."""
        definitions, endpoints, tags = self._definitions, self._endpoints, self._tags
        control: dict[str, Handler] = {
            "CreateModel": definitions.create_model,
            "DescribeModel": definitions.describe_model,
            "ListModels": definitions.list_models,
            "DeleteModel": definitions.delete_model,
            "CreateEndpointConfig": definitions.create_endpoint_config,
            "DescribeEndpointConfig": definitions.describe_endpoint_config,
            "ListEndpointConfigs": definitions.list_endpoint_configs,
            "DeleteEndpointConfig": definitions.delete_endpoint_config,
            "CreateEndpoint": endpoints.create_endpoint,
            "DescribeEndpoint": endpoints.describe_endpoint,
            "ListEndpoints": endpoints.list_endpoints,
            "UpdateEndpoint": endpoints.update_endpoint,
            "UpdateEndpointWeightsAndCapacities": endpoints.update_weights_and_capacities,
            "DeleteEndpoint": endpoints.delete_endpoint,
            "AddTags": tags.add_tags,
            "ListTags": tags.list_tags,
            "DeleteTags": tags.delete_tags,
        }
        runtime: dict[str, Handler] = {
            "InvokeEndpoint": self._invoking.invoke_endpoint,
            "InvokeEndpointWithResponseStream": self._invoking.invoke_with_response_stream,
            "InvokeEndpointAsync": self.asynchronous.invoke_endpoint_async,
        }
        return guarded("sagemaker", CONTROL, control) | guarded("sagemaker-runtime", RUNTIME, runtime)
