"""The stack traces of requests in the management frontend's log."""

from __future__ import annotations

import logging

import pytest
from aiohttp import ClientConnectionResetError, web
from aiohttp.http_exceptions import BadStatusLine

from clipper_frontend.management.server import NoFaultsOfClients


def is_logged(error: Exception) -> bool:
    record = logging.LogRecord(
        "aiohttp.server", logging.ERROR, "", 0, "Error", (), (type(error), error, None)
    )
    return bool(NoFaultsOfClients().filter(record))


@pytest.mark.parametrize(
    "error",
    [
        ClientConnectionResetError("Cannot write to closing transport"),
        BrokenPipeError(),
        BadStatusLine("x"),
        web.RequestPayloadError(),
    ],
)
def test_a_clients_fault_leaves_no_trace(error: Exception) -> None:
    assert not is_logged(error)


def test_a_fault_of_this_program_leaves_one() -> None:
    assert is_logged(ValueError("a mistake"))
