"""FastAPI apps, made as the requests ask for them.

    uvicorn --app-dir interop/tests/fastapi --lifespan off --root-path /api/v1 servers:app

The request header `fastapi` has the arguments of `FastAPI`, as JSON. Each app has another like it
mounted at `/sub`. The root path is left to uvicorn.
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
