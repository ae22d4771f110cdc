"""A Starlette and a plain WSGI app, each behind the adapter that people put between API Gateway and such apps."""

import json
from contextlib import asynccontextmanager
from urllib.parse import parse_qs

from apig_wsgi import make_lambda_handler
from mangum import Mangum
from starlette.applications import Starlette
from starlette.responses import JSONResponse, Response
from starlette.routing import Route


@asynccontextmanager
async def lifespan(app):
    app.state.ready = True
    yield


async def answer(request):
    return JSONResponse(
        {
            "method": request.method,
            "path": request.url.path,
            "query": {name: request.query_params.getlist(name) for name in request.query_params},
            "header": request.headers.get("header1"),
            "ready": request.app.state.ready,
            "id": request.scope["aws.context"].aws_request_id,
        },
        headers={"x-by": "starlette"},
    )


async def picture(request):
    return Response(b"\xff\xd8\xff", media_type="image/jpeg")


routes = [Route("/picture", picture), Route("/{rest:path}", answer, methods=["GET", "POST"])]
asgi = Mangum(Starlette(routes=routes, lifespan=lifespan), lifespan="auto")


def application(environ, start_response):
    start_response("200 OK", [("Content-Type", "application/json"), ("X-By", "wsgi")])
    said = {
        "method": environ["REQUEST_METHOD"],
        "path": environ["PATH_INFO"],
        "query": parse_qs(environ["QUERY_STRING"]),
        "header": environ.get("HTTP_HEADER1"),
        "id": environ["apig_wsgi.context"].aws_request_id,
    }
    return [json.dumps(said).encode()]


wsgi = make_lambda_handler(application)
