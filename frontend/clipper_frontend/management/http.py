"""The management frontend's HTTP: routes, limits, status codes, and the texts around the calls.

The answer to a malformed or impossible call is 400 with a text that explains why, and 503 while Redis is
away.
"""

from __future__ import annotations

import asyncio
import time
from importlib import resources

import msgspec
from aiohttp import web
from aiohttp.typedefs import Handler, Middleware

from clipper_frontend import health
from clipper_frontend.errors import PolicyRefusal, RegistryRefusal, RegistryUnavailable
from clipper_frontend.management.answers import Reply
from clipper_frontend.management.bodies import BadBodyError, decode
from clipper_frontend.management.calls import CALLS, Call
from clipper_frontend.management.guard import Guard
from clipper_frontend.management.metrics import CONTENT_TYPE, ManagementMetrics
from clipper_frontend.management.state import ServingState

#: The largest body of an admin call; names and default outputs are short.
MAX_BODY_BYTES = 1024 * 1024
RETRY_AFTER_S = 1


def make_rest_app(
    state: ServingState, metrics: ManagementMetrics, guard: Guard, *, body_timeout_s: float
) -> web.Application:
    """Return the application of the REST port: every admin call, health and metrics."""
    app = make_admin_app(state, metrics)
    app.middlewares.append(_guarding(guard))
    for name, call in CALLS.items():
        app.router.add_post(f"/admin/{name}", _handler(state, name, call, body_timeout_s))
    app.router.add_get("/admin/ping", _ping, allow_head=False)
    app.router.add_get("/admin/openapi.json", _openapi_handler(), allow_head=False)
    app.router.add_get("/admin/metrics", _metrics_handler(metrics), allow_head=False)
    return app


def make_admin_app(state: ServingState, metrics: ManagementMetrics) -> web.Application:
    """Return the application of the admin port: health and metrics only."""
    app = web.Application(
        middlewares=[_counting(state, metrics), _explaining], client_max_size=MAX_BODY_BYTES
    )

    async def live(_request: web.Request) -> web.Response:
        return web.Response(text=health.OK)

    async def ready(_request: web.Request) -> web.Response:
        reason = await state.why_not_ready()
        return web.Response(text=reason or health.OK, status=503 if reason else 200)

    app.router.add_get(health.LIVE_PATH, live)
    app.router.add_get(health.READY_PATH, ready)
    app.router.add_get(health.METRICS_PATH, _metrics_handler(metrics))
    return app


async def _ping(_request: web.Request) -> web.Response:
    return web.Response(text="PONG")


def _openapi_handler() -> Handler:
    document = resources.files("clipper_frontend.openapi").joinpath("openapi.json").read_bytes()

    async def handle(_request: web.Request) -> web.Response:
        return web.Response(body=document, content_type="application/json")

    return handle


def _metrics_handler(metrics: ManagementMetrics) -> Handler:
    async def handle(_request: web.Request) -> web.Response:
        return web.Response(body=metrics.render(), headers={"Content-Type": CONTENT_TYPE})

    return handle


def _handler(state: ServingState, name: str, call: Call, body_timeout_s: float) -> Handler:
    async def handle(request: web.Request) -> web.Response:
        body = decode(await _read_body(request, body_timeout_s), call.body_type)
        await state.wait_until_joined()
        answer = await call.run(state.store, body)
        if call.writes:
            await state.barrier.pass_through(name)
        return _response(answer)

    return handle


async def _read_body(request: web.Request, timeout_s: float) -> bytes:
    try:
        async with asyncio.timeout(timeout_s):
            return await request.read()
    except TimeoutError:
        text = f"The body did not arrive within {timeout_s:g} s"
        raise web.HTTPRequestTimeout(text=text, headers={"Connection": "close"}) from None
    except web.RequestPayloadError as exc:
        raise BadBodyError(f"The body cannot be read: {' '.join(str(exc).split())}") from None


def _response(answer: Reply) -> web.Response:
    if isinstance(answer, str):
        return web.Response(text=answer)
    return web.Response(body=msgspec.json.encode(answer), content_type="application/json")


def _counting(state: ServingState, metrics: ManagementMetrics) -> Middleware:
    """Count every request while it is in progress and, under its route's path, when it is answered."""

    @web.middleware
    async def count(request: web.Request, handler: Handler) -> web.StreamResponse:
        started_s, status = time.perf_counter(), 500
        try:
            with state.working():
                response = await handler(request)
            status = response.status
            if state.closing:
                response.force_close()
            return response
        finally:
            resource = request.match_info.route.resource
            path = resource.canonical if resource is not None else "unknown"
            metrics.observe(path, status, time.perf_counter() - started_s)

    return count


def _guarding(guard: Guard) -> Middleware:
    """Refuse what a web page makes a browser send to the admin calls."""

    @web.middleware
    async def check(request: web.Request, handler: Handler) -> web.StreamResponse:
        refusal = guard.refusal(request.headers) if request.path.startswith("/admin") else None
        if refusal is not None:
            return web.Response(text=refusal.text, status=refusal.status)
        return await handler(request)

    return check


@web.middleware
async def _explaining(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Turn the exceptions that a handler may raise into answers."""
    try:
        return await handler(request)
    except (BadBodyError, PolicyRefusal, RegistryRefusal) as exc:
        return web.Response(text=str(exc), status=400)
    except RegistryUnavailable as exc:
        return web.Response(text=str(exc), status=503, headers={"Retry-After": str(RETRY_AFTER_S)})
    except web.HTTPNotFound:
        return web.Response(text=f"There is no {request.path}: admin calls are under /admin", status=404)
    except web.HTTPMethodNotAllowed as exc:
        allowed = ", ".join(sorted(exc.allowed_methods))
        text = f"{request.path} does not take {request.method}: use {allowed}"
        return web.Response(text=text, status=405, headers={"Allow": allowed})
    except web.HTTPRequestEntityTooLarge:
        return web.Response(text=f"The body is larger than {MAX_BODY_BYTES} bytes", status=413)
    except web.HTTPException as exc:
        return web.Response(text=exc.text, status=exc.status, headers=exc.headers)
