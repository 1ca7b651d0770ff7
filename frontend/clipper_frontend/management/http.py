"""The management frontend's HTTP: routes, limits, status codes, and the texts around the calls.

The answer to a malformed or impossible call is 400 with a text that explains why, and 503 while Redis is
away.
"""

from __future__ import annotations

import time
from importlib import resources

import msgspec
from aiohttp import HttpVersion10, HttpVersion11, web
from aiohttp.typedefs import Handler, Middleware

from clipper_frontend import health
from clipper_frontend.codings import MIN_COMPRESSED_BYTES, takes_gzip
from clipper_frontend.errors import PolicyRefusal, RegistryRefusal, RegistryUnavailable
from clipper_frontend.management.answers import Reply
from clipper_frontend.management.bodies import BadBodyError, decode
from clipper_frontend.management.calls import CALLS, Call
from clipper_frontend.management.guard import Guard
from clipper_frontend.management.metrics import CONTENT_TYPE, ManagementMetrics
from clipper_frontend.management.reading import MAX_BODY_BYTES, RETRY_AFTER_S, BodyReader
from clipper_frontend.management.state import ServingState

_VERSIONS = (HttpVersion10, HttpVersion11)


def make_rest_app(
    state: ServingState, metrics: ManagementMetrics, guard: Guard, reader: BodyReader
) -> web.Application:
    """Return the application of the REST port: every admin call, health and metrics."""
    app = make_admin_app(state, metrics)
    app.middlewares.append(_guarding(guard))
    for name, call in CALLS.items():
        app.router.add_post(f"/admin/{name}", _handler(state, name, call, reader))
    app.router.add_get("/admin/ping", _ping, allow_head=False)
    app.router.add_get("/admin/openapi.json", _openapi_handler(), allow_head=False)
    app.router.add_get("/admin/metrics", _metrics_handler(metrics), allow_head=False)
    return app


def make_admin_app(state: ServingState, metrics: ManagementMetrics) -> web.Application:
    """Return the application of the admin port: health and metrics only."""
    app = web.Application(middlewares=[_counting(state, metrics), _compressing, _explaining, _speaking_http])

    async def live(_request: web.Request) -> web.Response:
        return web.Response(text=health.OK)

    async def ready(_request: web.Request) -> web.Response:
        reason = await state.why_not_ready()
        ok = f"{health.OK}: {health.REPLACED}" if not reason and await state.is_replaced() else health.OK
        return web.Response(text=reason or ok, status=503 if reason else 200)

    # Some health checks add a slash.
    for end in ("", "/"):
        app.router.add_get(health.LIVE_PATH + end, live)
        app.router.add_get(health.READY_PATH + end, ready)
        app.router.add_get(health.METRICS_PATH + end, _metrics_handler(metrics))
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


def _handler(state: ServingState, name: str, call: Call, reader: BodyReader) -> Handler:
    async def handle(request: web.Request) -> web.Response:
        body = decode(await reader.read(request), call.body_type)
        await state.wait_until_joined()
        answer = await call.run(state.store, body)
        if call.writes:
            await state.barrier.pass_through(name)
        return _response(answer)

    return handle


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
        if request.method == "OPTIONS":
            return web.Response(headers={"Allow": f"{allowed}, OPTIONS"})
        text = f"{request.path} does not take {request.method}: use {allowed}"
        return web.Response(text=text, status=405, headers={"Allow": allowed})
    except web.HTTPRequestEntityTooLarge:
        return web.Response(text=f"The body is larger than {MAX_BODY_BYTES} bytes", status=413)
    except web.HTTPException as exc:
        return web.Response(text=exc.text, status=exc.status, headers=exc.headers)


@web.middleware
async def _speaking_http(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Refuse what the parser takes and this server does not: other versions, and HTTP/1.1 without a Host."""
    # The status line is in the version of the request, which is read from the message once.
    asked = request._message.version
    if asked not in _VERSIONS:
        request._version = HttpVersion11
        text = f"This server speaks HTTP/1.1 and HTTP/1.0, not HTTP/{'.'.join(map(str, asked))}"
        raise web.HTTPVersionNotSupported(text=text, headers={"Connection": "close"})
    hosts = len(request.headers.getall("Host", ()))
    if hosts > 1 or (asked == HttpVersion11 and not hosts):
        text = f"HTTP/1.1 wants one Host header, and there are {hosts}"
        raise web.HTTPBadRequest(text=text, headers={"Connection": "close"})
    return await handler(request)


@web.middleware
async def _compressing(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Compress a large answer for a client that takes it so."""
    response = await handler(request)
    if isinstance(response, web.Response) and (response.content_length or 0) >= MIN_COMPRESSED_BYTES:
        response.headers["Vary"] = "Accept-Encoding"
        accepted = ",".join(request.headers.getall("Accept-Encoding", ())).lower()
        if takes_gzip(accepted.encode(errors="replace")):
            response.enable_compression(web.ContentCoding.gzip)
    return response
