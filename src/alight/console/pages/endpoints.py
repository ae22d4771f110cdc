"""Endpoints: how they fare, variants with weights to change, and a box to try one in."""

from __future__ import annotations

from typing import Any

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from alight.calls import Members
from alight.console.answers import SHOWN, readable
from alight.console.captured import Kept, newest
from alight.console.charts import Line, chart, figure
from alight.console.forms import goes_to, read_body, read_form, shows_again
from alight.console.pages.buckets import Upload
from alight.console.render import Render, segment
from alight.console.world import World
from alight.errors import Fault
from alight.names import bucket_arn

_NAMESPACE = "AWS/SageMaker"
_SHADOWS = "Alight/Shadow"
HOUR = 60
#: Bytes of what is tried: InvokeEndpoint's own limit.
LONGEST = 6 * 1024 * 1024
#: What the image of an own package is called: what serves it follows from what is in it.
IMAGE = "683313688378.dkr.ecr.us-east-1.amazonaws.com/sagemaker-scikit-learn:1.2-1-cpu-py3"
CHARTS = (
    ("Throughput, invocations a minute", (Line("Invocations", "Sum", "invocations"),)),
    ("Model latency, ms", (Line("ModelLatency", "p50", "p50", 0.001), Line("ModelLatency", "p99", "p99", 0.001))),
    ("Errors", (Line("Invocation4XXErrors", "Sum", "4xx"), Line("Invocation5XXErrors", "Sum", "5xx"))),
)


class Endpoints:
    """`/endpoints` and `/endpoints/NAME`."""

    def __init__(self, world: World, render: Render) -> None:
        self._world = world
        self._render = render

    def routes(self) -> list[Route]:
        one = "/endpoints/{name}"
        return [
            Route("/endpoints", self.index),
            Route("/endpoints", self.create, methods=["PUT"]),
            Route("/endpoints-allowed", self.allowed),
            Route(one, self.page),
            Route(f"{one}/charts/{{variant}}/{{number:int}}", self.charts),
            Route(f"{one}/weights", self.weights, methods=["POST"]),
            Route(f"{one}/try", self.attempt, methods=["POST"]),
            Route(f"{one}/delete", self.delete, methods=["POST"]),
        ]

    async def index(self, request: Request) -> Response:
        found = (await self._world.ask("models", {}))["endpoints"]
        roles = await self._world.roles_for("sagemaker.amazonaws.com")
        buckets = [bucket.name for bucket in self._world.objects.list_buckets()]
        return self._render.page(request, "endpoints.html", endpoints=found, roles=roles, buckets=buckets)

    async def create(self, request: Request) -> Response:
        """A package that is uploaded becomes an object, a model, a configuration and an endpoint of one name."""
        name, role, bucket, key = self._package(request)
        await self._world.call("s3", "PutObject", {"Bucket": bucket, "Key": key, "Body": Upload(request)})
        container = {"Image": IMAGE, "ModelDataUrl": f"s3://{bucket}/{key}"}
        model = {"ModelName": name, "ExecutionRoleArn": role, "PrimaryContainer": container}
        await self._world.call("sagemaker", "CreateModel", model)
        variant = {
            "VariantName": "AllTraffic",
            "ModelName": name,
            "InitialInstanceCount": 1,
            "InstanceType": "ml.m5.large",
        }
        configuration = {"EndpointConfigName": name, "ProductionVariants": [variant]}
        await self._world.call("sagemaker", "CreateEndpointConfig", configuration)
        await self._world.call("sagemaker", "CreateEndpoint", {"EndpointName": name, "EndpointConfigName": name})
        return Response(f"/endpoints/{segment(name)}", 201)

    async def allowed(self, request: Request) -> Response:
        """Asked before a package goes up: would its role be able to read it."""
        self._package(request)
        return Response(status_code=204)

    def _package(self, request: Request) -> tuple[str, str, str, str]:
        """Name, role, bucket and key of what is to be uploaded. Raises 403 where the role could not read it then."""
        given = request.query_params
        name, role, bucket = (given.get(word, "") for word in ("name", "role", "bucket"))
        if not (name and role and bucket):
            raise HTTPException(400, "Name, role and bucket are needed.")
        key, called = f"models/{name}/model.tar.gz", role.rpartition("/")[2]
        arn = bucket_arn(bucket, key)
        if not self._world.role_may(called, "s3:GetObject", arn):
            raise HTTPException(
                403,
                f"The role {called} may not read {key} in {bucket}, so the endpoint would fail. "
                f"Allow it s3:GetObject on {arn} (aws iam put-role-policy), or choose another role or bucket.",
            )
        return name, role, bucket, key

    async def page(self, request: Request) -> Response:
        name = request.path_params["name"]
        endpoint = await self._world.call("sagemaker", "DescribeEndpoint", {"EndpointName": name})
        configuration = await self._configuration(endpoint["EndpointConfigName"])
        shadows = configuration.get("ShadowProductionVariants") or []
        capture = configuration.get("DataCaptureConfig") or {}
        variants = endpoint.get("ProductionVariants") or []
        return self._render.page(
            request,
            "endpoint.html",
            name=name,
            endpoint=endpoint,
            variants=variants,
            figures={one["VariantName"]: await self._figures(name, one["VariantName"]) for one in variants},
            shadows=[await self._shadow(name, variants, one["VariantName"]) for one in shadows],
            replicas=await self._replicas(name),
            capture=capture if capture.get("EnableCapture") else None,
            captured=await self._captured(name, variants, capture) if capture else [],
            charts=[title for title, _ in CHARTS],
        )

    async def _replicas(self, endpoint: str) -> dict[str, int]:
        """How many replicas of each variant answer now."""
        known = (await self._world.ask("models", {}))["endpoints"]
        found = next((one for one in known if one["name"] == endpoint), {"variants": ()})
        return {one["name"]: one["replicas"] for one in found["variants"]}

    async def _captured(self, endpoint: str, variants: list[Members], capture: Members) -> list[Kept]:
        """The newest requests that were captured: their files lie below the endpoint's name, by variant."""
        bucket, _, home = str(capture["DestinationS3Uri"]).removeprefix("s3://").partition("/")
        home = f"{home.rstrip('/')}/" if home else ""
        folders = [f"{home}{endpoint}/{one['VariantName']}/" for one in variants]
        return await newest(self._world.objects, bucket, folders)

    async def _configuration(self, name: str) -> Members:
        """Empty where it was deleted since: the endpoint goes on without."""
        try:
            return await self._world.call("sagemaker", "DescribeEndpointConfig", {"EndpointConfigName": name})
        except Fault:
            return {}

    async def _figures(self, endpoint: str, variant: str) -> dict[str, float | None]:
        where = {"EndpointName": endpoint, "VariantName": variant}
        named = {"invocations": ("Invocations", "Sum"), "p50": ("ModelLatency", "p50"), "p99": ("ModelLatency", "p99")}
        return {
            word: await figure(self._world, _NAMESPACE, metric, statistic, where, HOUR)
            for word, (metric, statistic) in named.items()
        }

    async def _shadow(self, endpoint: str, variants: list[Members], shadow: str) -> dict[str, Any]:
        """How often the shadow answered as the first production variant did."""
        production = variants[0]["VariantName"] if variants else ""
        where = {"EndpointName": endpoint, "VariantName": production, "ShadowVariantName": shadow}
        agreement = await figure(self._world, _SHADOWS, "Agreement", "Average", where, 24 * HOUR)
        return {"name": shadow, "agreement": agreement}

    async def charts(self, request: Request) -> Response:
        _, lines = CHARTS[request.path_params["number"] % len(CHARTS)]
        where = {"EndpointName": request.path_params["name"], "VariantName": request.path_params["variant"]}
        return JSONResponse(await chart(self._world, _NAMESPACE, where, lines, minutes=3 * HOUR))

    async def weights(self, request: Request) -> Response:
        form = await read_form(request)
        try:
            desired = [
                {"VariantName": variant, "DesiredWeight": float(weight)}
                for variant, weight in zip(form.all("variant"), form.all("weight"), strict=True)
            ]
        except ValueError:
            raise HTTPException(400, "A weight is a number.") from None
        given = {"EndpointName": request.path_params["name"], "DesiredWeightsAndCapacities": desired}
        await self._world.call("sagemaker", "UpdateEndpointWeightsAndCapacities", given)
        return shows_again(request)

    async def attempt(self, request: Request) -> Response:
        """What came in goes to the model as it is; back come the raw answer and one to read."""
        body = await read_body(request, LONGEST, "A request may have 6 MB.")
        name = request.path_params["name"]
        given: Members = {"EndpointName": name, "Body": body, "ContentType": request.headers.get("content-type", "")}
        started = self._world.clock.monotonic()
        answer = await self._world.call("sagemaker-runtime", "InvokeEndpoint", given)
        took = self._world.clock.monotonic() - started
        raw = answer["Body"]
        labels = self._world.labels(name, answer["InvokedProductionVariant"])
        return self._render.page(
            request,
            "_answer.html",
            answer=readable(raw, answer.get("ContentType", ""), labels),
            raw=raw.decode("utf-8", "replace")[:SHOWN],
            variant=answer["InvokedProductionVariant"],
            content_type=answer.get("ContentType", ""),
            took=took,
        )

    async def delete(self, request: Request) -> Response:
        await self._world.call("sagemaker", "DeleteEndpoint", {"EndpointName": request.path_params["name"]})
        return goes_to(request, "/endpoints")
