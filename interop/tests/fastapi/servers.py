"""FastAPI apps with the arguments that a request sends.

    uvicorn --app-dir interop/tests/fastapi --lifespan off --root-path /api/v1 servers:app

The request header `fastapi` contains the arguments of `FastAPI` as JSON. Each app has a second one
with the same arguments mounted at `/sub`. uvicorn sets the root path.
"""

import json
from functools import cache

from fastapi import FastAPI


@cache
def configured(arguments: bytes) -> FastAPI:
    app, sub = (FastAPI(**json.loads(arguments)) for _ in range(2))
    app.mount("/sub", sub)
    return app


async def app(scope, receive, send):
    arguments = dict(scope["headers"])[b"fastapi"]
    await configured(arguments)(scope, receive, send)
