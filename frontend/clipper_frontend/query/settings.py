"""The query frontend's settings, from flags and environment."""

from __future__ import annotations

import argparse
import secrets
from collections.abc import Sequence
from dataclasses import dataclass

from clipper_frontend.query.feedback.loop import FeedbackLimits
from clipper_frontend.query.http.limits import HttpLimits
from clipper_frontend.query.rpc.socket import DEFAULT_MAX_MESSAGE_BYTES
from clipper_frontend.settings import (
    CommonSettings,
    add_common_arguments,
    add_setting,
    add_switch,
    count,
    port,
    seconds,
)

_DEFAULT_ADMIN_PORT = 1390
_FRONTEND_ID_BYTES = 6


@dataclass(frozen=True)
class QuerySettings:
    """The settings of a query frontend. Sizes in bytes, times in seconds; port 0 means any free one.

    Containers reach the RPC port at `advertise_rpc`, the admin library reaches /metrics at `advertise_admin`,
    and other query frontends hand feedback over at `advertise_peer`, each `host:port`. None is the address
    that it listens on, and for `advertise_peer` what the admin library uses.
    """

    common: CommonSettings
    port: int
    rpc_host: str
    rpc_port: int
    advertise_rpc: str | None
    advertise_admin: str | None
    advertise_peer: str | None
    frontend_id: str
    reuse_port: bool
    handover_socket: str | None
    take_listeners: tuple[str, ...]
    stand_in: bool
    prediction_cache_bytes: int
    max_inputs: int
    max_rpc_message_bytes: int
    wait_limit_s: float
    limits: HttpLimits
    feedback: FeedbackLimits


def parse_settings(argv: Sequence[str] | None = None) -> QuerySettings:
    """Read flags and environment; print the usage and exit with code 2 if they are wrong."""
    parser = _parser()
    args = parser.parse_args(argv)
    try:
        common = CommonSettings.from_args(args)
    except ValueError as exc:
        parser.error(str(exc))
    return QuerySettings(
        common=common,
        port=args.port,
        rpc_host=args.rpc_host,
        rpc_port=args.rpc_port,
        advertise_rpc=args.advertise_rpc,
        advertise_admin=args.advertise_admin,
        advertise_peer=args.advertise_peer,
        frontend_id=args.frontend_id or secrets.token_hex(_FRONTEND_ID_BYTES),
        reuse_port=args.reuse_port,
        handover_socket=args.handover_socket,
        take_listeners=tuple(filter(None, args.take_listeners.split(","))),
        stand_in=args.stand_in,
        prediction_cache_bytes=args.prediction_cache_bytes,
        max_inputs=args.max_inputs,
        max_rpc_message_bytes=args.max_rpc_message_bytes,
        wait_limit_s=args.wait_limit_s,
        limits=HttpLimits(
            max_body_bytes=args.max_body_bytes,
            body_memory_bytes=args.body_memory_bytes,
            header_timeout_s=args.header_timeout_s,
            body_timeout_s=args.body_timeout_s,
            idle_timeout_s=args.idle_timeout_s,
        ),
        feedback=FeedbackLimits(
            memory_bytes=args.feedback_memory_bytes,
            lifetime_s=args.feedback_lifetime_s,
            max_users=args.most_users,
        ),
    )


def _parser() -> argparse.ArgumentParser:
    limits, feedback = HttpLimits(), FeedbackLimits()
    parser = argparse.ArgumentParser(
        prog="clipper-query-frontend", description="Answer prediction queries over REST."
    )
    add_common_arguments(parser, admin_port=_DEFAULT_ADMIN_PORT)
    add_setting(parser, "--port", parse=port, default=1337, help="the port that applications query")
    add_switch(parser, "--reuse-port", help="share the query port with other frontends on this host")
    add_setting(parser, "--handover-socket", help="a unix socket where a successor gets the listening socket")
    add_setting(parser, "--take-listeners", default="", help="such sockets to ask first, by comma")
    add_switch(parser, "--stand-in", help="take all that is given there, not the own listening socket alone")
    add_setting(parser, "--rpc-host", default="127.0.0.1", help="the address that containers connect to")
    add_setting(parser, "--rpc-port", parse=port, default=7000, help="the port that containers connect to")
    add_setting(parser, "--advertise-rpc", parse=_advertised, help="host:port at which containers reach it")
    add_setting(parser, "--advertise-admin", parse=_advertised, help="host:port at which /metrics is reached")
    add_setting(
        parser,
        "--advertise-peer",
        parse=_advertised,
        help="host:port at which other query frontends reach the admin port, if that is another",
    )
    add_setting(
        parser, "--frontend-id", parse=_frontend_id, help="the name of this frontend (default: random)"
    )
    for flag, default, text in (
        ("--prediction-cache-bytes", 32 * 1024 * 1024, "memory for the prediction cache, 0: none"),
        ("--max-body-bytes", limits.max_body_bytes, "a longer request body is refused"),
        ("--body-memory-bytes", limits.body_memory_bytes, "memory for the bodies of all requests together"),
        ("--max-inputs", 10_000, "a request with more inputs is refused"),
        (
            "--max-rpc-message-bytes",
            DEFAULT_MAX_MESSAGE_BYTES,
            "a container that sends more at once, as the outputs of a batch, is disconnected",
        ),
        ("--feedback-memory-bytes", feedback.memory_bytes, "memory for answers that feedback may come for"),
        ("--most-users", feedback.max_users, "users of an application who have learnt state of their own"),
    ):
        add_setting(parser, flag, parse=count, default=default, help=text)
    for flag, default_s, text in (
        ("--header-timeout-s", limits.header_timeout_s, "a request's header must be complete by then"),
        ("--body-timeout-s", limits.body_timeout_s, "a request's body must be complete by then"),
        ("--idle-timeout-s", limits.idle_timeout_s, "an idle connection is closed then"),
        ("--feedback-lifetime-s", feedback.lifetime_s, "feedback that comes later than this is late"),
        ("--wait-limit-s", 60.0, "the longest that a query of an application with a soft SLO waits"),
    ):
        add_setting(parser, flag, parse=seconds, default=default_s, help=text)
    return parser


def _advertised(text: str) -> str:
    host, _, number = text.rpartition(":")
    if not host or not number.isdecimal() or any(mark in text for mark in ",= "):
        raise argparse.ArgumentTypeError(f"{text!r} is not of the form host:port")
    return text


def _frontend_id(text: str) -> str:
    if not text or any(mark in text for mark in ",=: "):
        raise argparse.ArgumentTypeError(f"{text!r} may not be empty or hold any of `,` `=` `:` or a space")
    return text
