"""A picture to a model, over HTTP: signed requests to InvokeEndpoint, plain ones to the others."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from functools import partial
from hashlib import sha256
from pathlib import Path

from bench import ours, wrk
from bench.case import Case, Contender, Counted, Size, Work
from bench.pipeline.case import DECODES, bare, both, pictures, unpacked
from bench.servers import free_port, heard, server
from bench.venvs import FASTAPI, MOSEC, Venv

PEERS = Path(__file__).resolve().parents[1] / "peers"
MANY, ONE = "InvokeEndpoint, picture, 16 clients", "InvokeEndpoint, picture, 1 client"


def loads(url: str, requests: wrk.Requests, size: Size) -> dict[str, Callable[[int], Counted]]:
    """The same for everybody; before, each picture has been asked about once."""
    scores: Callable[[bytes], bool] = lambda body: body.startswith(b"[") and body.count(b",") >= 50  # noqa: E731
    wrk.answers(url, requests, [scores] * len(requests.bodies))
    wrk.warm(url, requests, size)
    return wrk.many_and_one(url, requests, size, MANY, ONE)


def asking(instance: ours.Instance) -> wrk.Requests:
    """Each picture, signed, to the endpoint of `ours.ENDPOINT`."""
    heads = [
        instance.signed(
            "POST", ours.INVOCATIONS, "sagemaker", body,
            **{"Content-Type": "application/x-image", "X-Amz-Content-SHA256": sha256(body).hexdigest()},
        )
        for body in pictures()
    ]  # fmt: skip
    return wrk.Requests(heads, pictures())


def case(size: Size, folder: Path) -> Case:
    @contextmanager
    def limit(place: Path) -> Iterator[Work]:
        one, many = both(bare(place, min(size.pictures, 200)))
        yield Work({MANY: lambda number: many, ONE: lambda number: one})

    @contextmanager
    def alight(place: Path) -> Iterator[Work]:
        app = ours.app(place / "app", ours.ENDPOINT.replace("SERVED_AS", "onnx"), ours.BIRDS / "model.tar.gz")
        with ours.running(place, app) as instance:
            yield Work(loads(instance.url, asking(instance), size), (instance.pid,))

    @contextmanager
    def fastapi(place: Path, more: Mapping[str, str]) -> Iterator[Work]:
        port = free_port()
        url, env = f"http://127.0.0.1:{port}/", {"MODEL": str(unpacked(place)), **more}
        command: list[str | Path] = [FASTAPI.bin / "uvicorn", "--factory", "fastapi_image:service", "--port", str(port)]
        with server([*command, "--no-access-log"], place / "log", heard(url), cwd=PEERS, env=env) as pid:
            yield Work(loads(url, wrk.post(url, pictures(), "image/jpeg"), size), (pid,))

    @contextmanager
    def mosec(place: Path, more: Mapping[str, str]) -> Iterator[Work]:
        port = free_port()
        url, env = f"http://127.0.0.1:{port}", {"MODEL": str(unpacked(place)), **more}
        command: list[str | Path] = [MOSEC.python, "mosec_image.py", "--address", "127.0.0.1", "--port", str(port)]
        with server(command, place / "log", heard(f"{url}/"), cwd=PEERS, env=env) as pid:
            requests = wrk.post(f"{url}/inference", pictures(), "image/jpeg")
            yield Work(loads(url, requests, size), (pid,))

    cores = os.cpu_count() or 1
    peers: tuple[tuple[str, Callable[..., AbstractContextManager[Work]], Venv], ...] = (
        (f"mosec, {cores} processes", mosec, MOSEC),
        (f"FastAPI, {cores} threads", fastapi, FASTAPI),
    )
    return Case(
        "image",
        Contender("bare decode + infer, a process a core", limit),
        Contender("Alight", alight, tools=("wrk",)),
        tuple(
            Contender(f"{name}{how}", partial(start, more=more), venv, ("wrk",))
            for name, start, venv in peers
            for how, more in DECODES.items()
        ),
    )
