"""Connections to Redis: passwords, TLS, and a Redis that does not answer."""

from __future__ import annotations

import asyncio
import socketserver
import struct
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import dns.message
import dns.rrset
import pytest

from clipper_frontend.errors import RegistryUnavailable
from clipper_frontend.registry.connection import RedisSettings
from clipper_frontend.registry.store import Store
from tests.functional.conftest import RedisFactory
from tests.support.frontends.redis_server import Certificate


async def test_the_password_opens_redis(make_redis_server: RedisFactory) -> None:
    server = make_redis_server(password="s3cret")
    async with Store(RedisSettings(server.address, password="s3cret")) as store:
        await store.join_cluster("tests")
    async with Store(RedisSettings(server.address, username="default", password="s3cret")) as store:
        await store.ping()


@pytest.mark.parametrize("password", [None, "wrong"])
async def test_without_the_password_redis_is_unavailable(
    make_redis_server: RedisFactory, password: str | None
) -> None:
    server = make_redis_server(password="s3cret")
    async with Store(RedisSettings(server.address, password=password)) as store:
        with pytest.raises(RegistryUnavailable, match=r"[Aa]uth|password"):
            await store.join_cluster("tests")


def test_settings_do_not_show_the_password() -> None:
    assert "s3cret" not in repr(RedisSettings(password="s3cret"))


async def test_tls_with_the_certificate_that_is_trusted(
    make_redis_server: RedisFactory, tmp_path: Path
) -> None:
    certificate = Certificate.make(tmp_path)
    server = make_redis_server(certificate=certificate)
    settings = RedisSettings(server.address, tls=True, ca_file=str(certificate.certificate_file))
    async with Store(settings) as store:
        await store.join_cluster("tests")


async def test_tls_with_a_certificate_that_is_not_trusted(
    make_redis_server: RedisFactory, tmp_path: Path
) -> None:
    server = make_redis_server(certificate=Certificate.make(tmp_path))
    async with Store(RedisSettings(server.address, tls=True)) as store:
        with pytest.raises(RegistryUnavailable, match="certificate verify failed"):
            await store.ping()


async def test_a_restarted_redis_is_used_again(make_redis_server: RedisFactory) -> None:
    server = make_redis_server()
    async with Store(RedisSettings(server.address)) as store:
        await store.join_cluster("tests")
        server.stop()
        with pytest.raises(RegistryUnavailable):
            await store.get_models()
        server.start()
        await store.join_cluster("tests")


async def test_scripts_survive_their_loss_in_redis(make_redis_server: RedisFactory) -> None:
    server = make_redis_server()
    async with Store(RedisSettings(server.address)) as store:
        await store.get_models()
        with server.client() as client:
            client.script_flush()
        assert await store.get_models() == []


async def test_a_silent_redis_is_given_up_within_three_seconds(make_redis_server: RedisFactory) -> None:
    server = make_redis_server()
    async with Store(RedisSettings(server.address)) as store:
        await store.ping()
        server.pause()
        started_s = time.monotonic()
        # More at a time than there are connections: those that wait for one are answered in time too.
        results = await asyncio.gather(*(store.get_models() for _ in range(40)), return_exceptions=True)
        # With an allowance for a busy machine.
        assert time.monotonic() - started_s < 3.0 + 1.0
        assert all(isinstance(result, RegistryUnavailable) for result in results)
        server.resume()
        assert await store.get_models() == []


async def test_an_unknown_host_is_unavailable() -> None:
    async with Store(RedisSettings("no-such-host.invalid:6379")) as store:
        with pytest.raises(RegistryUnavailable):
            await store.ping()


def test_an_address_that_cannot_be_read_is_refused_at_once() -> None:
    with pytest.raises(ValueError, match="nowhere"):
        RedisSettings("nowhere")


class _SrvServer(socketserver.ThreadingTCPServer):
    """A DNS server that answers every SRV question with 127.0.0.1 and its `redis_port`."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _SrvHandler)
        self.redis_port = 0

    @property
    def address(self) -> str:
        return f"127.0.0.1:{self.server_address[1]}"


class _SrvHandler(socketserver.StreamRequestHandler):
    def handle(self) -> None:
        assert isinstance(self.server, _SrvServer)
        (size,) = struct.unpack("!H", self.rfile.read(2))
        query = dns.message.from_wire(self.rfile.read(size))
        reply = dns.message.make_response(query)
        name = query.question[0].name
        target = f"0 0 {self.server.redis_port} redis.test."
        reply.answer.append(dns.rrset.from_text(name, 0, "IN", "SRV", target))
        reply.additional.append(dns.rrset.from_text("redis.test.", 0, "IN", "A", "127.0.0.1"))
        wire = reply.to_wire()
        self.wfile.write(struct.pack("!H", len(wire)) + wire)


@pytest.fixture
def srv_server() -> Iterator[_SrvServer]:
    with _SrvServer() as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield server
        server.shutdown()
        thread.join()


async def test_an_srv_name_is_asked_for_at_each_connect(
    make_redis_server: RedisFactory, srv_server: _SrvServer
) -> None:
    first, second = make_redis_server(), make_redis_server()
    settings = RedisSettings("srv:redis.service.test", dns_server=srv_server.address)
    srv_server.redis_port = int(first.address.rpartition(":")[2])
    async with Store(settings) as store:
        await store.join_cluster("first")
        await asyncio.to_thread(first.kill)
        srv_server.redis_port = int(second.address.rpartition(":")[2])
        # The new Redis has no name yet, so that any may join.
        await store.join_cluster("second")
