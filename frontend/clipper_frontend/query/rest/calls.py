"""The REST interface of a query frontend: requests of applications, health and metrics.

A predict call is decoded once and goes to `serving`, or to `selecting` if a policy selects the models, as one
query per input. Both calls of an application are found by one look-up of their path; `_other` serves the
paths that are spelt in another way, and explains mistakes.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Final
from urllib.parse import quote, unquote

from clipper_frontend.query.bodies.answers import error_body, render_batch
from clipper_frontend.query.bodies.refusals import BadRequest
from clipper_frontend.query.bodies.requests import PredictRequest
from clipper_frontend.query.feedback.updates import UpdateHandler
from clipper_frontend.query.http import cors
from clipper_frontend.query.http.arrivals import NEGLIGIBLE_S
from clipper_frontend.query.http.cors import allow
from clipper_frontend.query.http.exchange import JSON, RETRY_AFTER, Exchange
from clipper_frontend.query.readiness import Readiness
from clipper_frontend.query.rest.admin import TEXT, AdminHandler
from clipper_frontend.query.rest.starting import StartingQueries
from clipper_frontend.query.serving.application import Application
from clipper_frontend.query.serving.query import Work
from clipper_frontend.query.serving.routes import Routes
from clipper_frontend.query.serving.selecting import Selecting
from clipper_frontend.query.serving.serving import Serving

_NO_BODY: Final = b""
_QUERIES: Final = allow("POST")
_EVERYTHING: Final = allow("GET", "HEAD", "POST")


class RestHandler:
    """The REST port: the calls of applications, and the admin paths that it offers too."""

    def __init__(
        self,
        routes: Routes,
        serving: Serving,
        selecting: Selecting,
        readiness: Readiness,
        admin: AdminHandler,
        updates: UpdateHandler,
    ) -> None:
        self._routes = routes
        self._updates = updates
        self._serving = serving
        self._selecting = selecting
        self._readiness = readiness
        self._admin = admin
        self._starting = StartingQueries(readiness, self._predict)
        self._take = self._take_at_start

    def handle(self, exchange: Exchange) -> None:
        """Answer a request, now or once its predictions have come."""
        routes, path = self._routes, exchange.path
        if exchange.method != b"POST":
            self._other(exchange)
        elif (application := routes.predict_paths.get(path)) is not None:
            if application.cors_origins:
                _let_page_read(application, exchange)
            self._take(application, exchange)
        elif (application := routes.update_paths.get(path)) is not None:
            if application.cors_origins:
                _let_page_read(application, exchange)
            self._updates.update(application, exchange)
        else:
            self._other(exchange)

    def _take_at_start(self, application: Application, exchange: Exchange) -> None:
        """Answer a query, or hold it while replicas are missing; once there are all, hold none any more."""
        if not self._starting.hold(application, exchange):
            self._predict(application, exchange)
        if not self._starting.active:
            self._take = self._predict

    def _predict(self, application: Application, exchange: Exchange) -> None:
        now = time.monotonic()
        waited_s = now - exchange.arrived_at
        if waited_s < NEGLIGIBLE_S:
            waited_s = 0.0
        try:
            request = application.decoder.decode(exchange.body)
        except BadRequest as exc:
            application.statistics.bad_requests += 1
            exchange.respond(400, error_body("Json error", exc.cause))
            return
        target = application.target
        if request.version is not None:
            target = self._routes.registered(application.model, request.version)
            if target is None:
                application.statistics.bad_requests += 1
                exchange.respond(
                    400, error_body("Query processing error", _unknown(application, request.version))
                )
                return
        elif not application.has_one_target:
            if request.is_batch:
                self._select_each(application, request, exchange, now, waited_s)
            else:
                self._selecting.select(application, request.user, request.inputs[0], exchange, now, waited_s)
            return
        inputs = request.inputs
        if not request.is_batch:
            self._serving.submit(application, target, inputs[0], exchange, now, None, waited_s)
        elif not inputs:
            exchange.respond(200, render_batch([]))
        else:
            batch = _BatchReply(exchange, len(inputs))
            for item, payload in zip(batch, inputs, strict=True):
                self._serving.submit(application, target, payload, item, now, None, waited_s)

    def _select_each(
        self,
        application: Application,
        request: PredictRequest,
        exchange: Exchange,
        now: float,
        waited_s: float,
    ) -> None:
        """Answer each input of a batch by the models that the application's policy selects."""
        inputs, user = request.inputs, request.user
        if not inputs:
            exchange.respond(200, render_batch([]))
            return
        batch = _BatchReply(exchange, len(inputs))
        for item, payload in zip(batch, inputs, strict=True):
            self._selecting.select(application, user, payload, item, now, waited_s)

    def _other(self, exchange: Exchange) -> None:
        if self._admin.offers(exchange.path):
            self._admin.handle(exchange)
        elif exchange.path == b"*" and exchange.method == b"OPTIONS":
            exchange.respond(200, _NO_BODY, TEXT, _EVERYTHING)
        elif not self._readiness.followed:
            cause = "this query frontend has not read the registry yet: try again in a moment"
            exchange.respond(503, error_body("Not ready", cause), JSON, RETRY_AFTER)
        else:
            self._other_of_application(exchange)

    def _other_of_application(self, exchange: Exchange) -> None:
        name, _, verb = unquote(exchange.path.decode(errors="replace")).strip("/").rpartition("/")
        application = self._routes.applications.get(name)
        if verb not in ("predict", "update"):
            cause = "queries go to POST /<application>/predict, feedback to POST /<application>/update"
            exchange.respond(404, error_body("Unknown path", cause))
            return
        if application is None:
            cause = f"there is no application {name!r}: register it first, or look for a typing error"
            exchange.respond(404, error_body("Unknown application", cause))
            return
        if application.cors_origins:
            _let_page_read(application, exchange)
        if exchange.method == b"OPTIONS":
            allowed = cors.preflight(application.cors_origins, exchange.head.origin)
            exchange.respond(200, _NO_BODY, TEXT, _QUERIES + allowed)
        elif exchange.method != b"POST":
            cause = f"/{quote(name)}/{verb} takes POST, not {exchange.method.decode(errors='replace')}"
            exchange.respond(405, error_body("Method not allowed", cause), JSON, _QUERIES)
        elif verb == "predict":
            if not (self._starting.active and self._starting.hold(application, exchange)):
                self._predict(application, exchange)
        else:
            self._updates.update(application, exchange)


def _let_page_read(application: Application, exchange: Exchange) -> None:
    if exchange.head.origin:
        exchange.add_headers(cors.readable_by(application.cors_origins, exchange.head.origin))


class _BatchReply:
    """Collects the answers to the inputs of one request, in input order."""

    __slots__ = ("_exchange", "_items", "_missing", "_parts", "_status")

    def __init__(self, exchange: Exchange, count: int) -> None:
        self._exchange = exchange
        self._parts = [b""] * count
        self._missing = count
        self._status = 200
        self._items = tuple(_BatchItem(self, index) for index in range(count))
        exchange.work = self

    def __iter__(self) -> Iterator[_BatchItem]:
        """Return the replies to its inputs, in their order."""
        return iter(self._items)

    def abandon(self) -> None:
        """Stop the work for all inputs: the client has gone."""
        items, self._items = self._items, ()
        for item in items:
            if item.work is not None:
                item.work.abandon()
                item.work = None

    def put(self, index: int, status: int, body: bytes) -> None:
        """Take the answer to one input. The whole request fails if one of its inputs fails."""
        self._parts[index] = body
        self._status = max(self._status, status)
        self._missing -= 1
        if not self._missing:
            self._items = ()
            self._exchange.respond(self._status, render_batch(self._parts))


class _BatchItem:
    """The reply to one input of a request with several."""

    __slots__ = ("_batch", "_index", "work")

    def __init__(self, batch: _BatchReply, index: int) -> None:
        self.work: Work | None = None
        self._batch = batch
        self._index = index

    def respond(self, status: int, body: bytes) -> None:
        """Take the answer, once."""
        self.work = None
        self._batch.put(self._index, status, body)


def _unknown(application: Application, version: str) -> str:
    if len(application.linked) > 1:
        models = ", ".join(application.linked)
        return (
            f"version {version!r} was asked for, and application {application.name!r} is linked to several "
            f"models: {models}. Leave the version out: its policy chooses"
        )
    if application.model is None:
        return f"version {version!r} was asked for, and application {application.name!r} has no linked model"
    # Clipper's clients compare this text.
    return f"Requested version: {version} does not exist for model: {application.model}"
