"""The real model runtime's sessions with frontends: how they are dialled, accepted, lost and found again."""

from __future__ import annotations

import socket
import socketserver
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing, contextmanager, suppress
from itertools import cycle
from pathlib import Path

import dns.flags
import dns.message
import dns.rrset
import pytest

from clipper_container import wire
from clipper_container.addresses import AddressError, SrvName, resolve
from clipper_container.kinds.closure import save_closure
from tests.support.frontends.rpc_frontend import Replica, RpcFrontend
from tests.support.models import row_sums
from tests.support.processes import Container

Start = Callable[..., Container]


@pytest.fixture(scope="module")
def sums(tmp_path_factory: pytest.TempPathFactory) -> Path:
    directory = tmp_path_factory.mktemp("sums")
    save_closure(row_sums(), directory)
    return directory


@pytest.fixture
def start(sums: Path) -> Iterator[Start]:
    """Start containers of the sums model: start(address, **more environment)."""
    with ExitStack() as stack:

        def begin(address: str, **more: str) -> Container:
            environment = {
                "CLIPPER_MODEL_NAME": "sums",
                "CLIPPER_MODEL_VERSION": "1",
                "CLIPPER_INPUT_TYPE": "doubles",
                "CLIPPER_MODEL_PATH": str(sums),
                "CLIPPER_RPC_ADDRESS": address,
                **more,
            }
            return stack.enter_context(Container(environment))

        yield begin


def works(frontend: RpcFrontend, replica: Replica) -> bool:
    return list(frontend.predict(replica.identity, [[1.0, 2.0]]).outputs) == [b"3.0"]


def test_the_metadata_says_what_is_served(start: Start) -> None:
    with RpcFrontend("a") as frontend:
        container = start(frontend.address, CLIPPER_CLUSTER_NAME="tests")
        replica = frontend.accept()
        assert replica.metadata == wire.Metadata("sums", "1", 3, wire.V4, "tests", container.instance_id)
        container.wait_for_line("serving sums:1, inputs of type doubles, Python 3")
        container.wait_for_line(f"query frontend a at {frontend.address} accepted this replica")
        assert works(frontend, replica)


def test_a_frontend_that_is_named_in_the_peers_is_reached(start: Start) -> None:
    with RpcFrontend("a") as first, RpcFrontend("b") as second:
        first.peers = second.peers = {**first.peers, **second.peers}
        start(first.address)
        replicas = (first.accept(), second.accept())
        assert works(first, replicas[0])
        assert works(second, replicas[1])


def test_a_frontend_that_joins_later_is_reached_once_it_is_on_the_list(start: Start) -> None:
    with RpcFrontend("a") as first, RpcFrontend("b") as second:
        start(first.address)
        replica = first.accept()
        first.peers = {**first.peers, **second.peers}
        first.heartbeat(replica.identity)
        assert works(second, second.accept())
        assert works(first, replica)


def test_one_frontend_under_two_addresses_gets_one_session(start: Start) -> None:
    with RpcFrontend("a") as frontend:
        start(f"{frontend.address},localhost:{frontend.port}")
        identity, _ = frontend.expect(wire.Hello)
        other, _ = frontend.expect(wire.Hello)
        replica = frontend.accept_hello(identity)
        frontend.heartbeat(other, wire.SEND_METADATA)
        frontend.expect_nothing(for_s=0.3)
        assert works(frontend, replica)


def test_a_frontend_that_restarts_is_reached_again_soon(start: Start) -> None:
    with RpcFrontend("a") as frontend:
        container = start(frontend.address)
        replica = frontend.accept()
        assert works(frontend, replica)
    container.wait_for_line("lost query frontend a")
    with RpcFrontend("b", port=frontend.port) as fresh:
        identity, _ = fresh.expect(wire.Hello, timeout_s=2.0)
        assert identity != replica.identity, "a fresh socket has an identity of its own"
        assert works(fresh, fresh.accept_hello(identity))


def test_a_frontend_that_was_not_there_yet_is_reached_when_it_comes(start: Start) -> None:
    with closing(socket.create_server(("127.0.0.1", 0))) as held:
        port = held.getsockname()[1]
    container = start(f"127.0.0.1:{port}")
    container.wait_for_line(f"query frontend at 127.0.0.1:{port}: .*; trying again")
    with RpcFrontend("a", port=port) as frontend:
        assert works(frontend, frontend.accept())


def test_a_frontend_that_has_forgotten_the_replica_gets_a_new_session(start: Start) -> None:
    with RpcFrontend("a") as frontend:
        start(frontend.address)
        replica = frontend.accept()
        frontend.heartbeat(replica.identity, wire.SEND_METADATA)
        fresh = frontend.accept()
        assert fresh.identity != replica.identity
        assert works(frontend, fresh)


def test_a_refusal_is_logged_once_and_tried_again(start: Start) -> None:
    with RpcFrontend("a") as frontend:
        container = start(frontend.address)
        for _ in range(3):
            identity, _ = frontend.expect(wire.Hello)
            frontend.heartbeat(identity, wire.SEND_METADATA)
            frontend.expect(wire.Metadata)
            frontend.send(identity, wire.encode_refusal("this cluster is 'other'"))
        assert works(frontend, frontend.accept())
        assert container.log.count("this cluster is 'other'") == 1


def test_garbage_ends_the_session_and_not_the_container(start: Start) -> None:
    with RpcFrontend("a") as frontend:
        start(frontend.address)
        for frames in (
            [b"\xff" * 8],
            [b""],
            [b"", b"1", b"2"],
            [wire.encode_v4_request(1, 3, [b"x"], 1)[0], b""],
        ):
            frontend.send(frontend.accept().identity, frames)
        assert works(frontend, frontend.accept())


# -- behind a proxy ----------------------------------------------------------------------------------------


@contextmanager
def round_robin_proxy(*ports: int) -> Iterator[int]:
    """Forward each new TCP connection to the next of `ports`."""
    following = cycle(ports)

    class Forward(socketserver.BaseRequestHandler):
        def handle(self) -> None:
            with socket.create_connection(("127.0.0.1", next(following))) as backend:
                back = threading.Thread(target=pump, args=(backend, self.request))
                back.start()
                pump(self.request, backend)
                back.join()

    with socketserver.ThreadingTCPServer(("127.0.0.1", 0), Forward) as server:
        server.daemon_threads = True
        server.block_on_close = False
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        yield server.server_address[1]
        server.shutdown()
        thread.join()


def pump(source: socket.socket, target: socket.socket) -> None:
    with suppress(OSError):
        while data := source.recv(65536):
            target.sendall(data)
    with suppress(OSError):
        target.shutdown(socket.SHUT_RDWR)


def test_behind_a_proxy_every_frontend_is_reached_by_the_proxy_alone(start: Start) -> None:
    nowhere = {"a": "127.0.0.1:1", "b": "127.0.0.1:1"}
    with RpcFrontend("a") as first, RpcFrontend("b") as second:
        first.peers = second.peers = nowhere
        with round_robin_proxy(first.port, first.port, second.port) as port:
            container = start(f"127.0.0.1:{port}", CLIPPER_RPC_PROXY_ONLY="1")
            replica = first.accept()
            identity, _ = first.expect(wire.Hello)
            first.heartbeat(identity, wire.SEND_METADATA)
            assert works(second, second.accept())
            assert works(first, replica)
            container.kill()


# -- by SRV record -----------------------------------------------------------------------------------------


@contextmanager
def dns_server(*ports: int, with_addresses: bool = True) -> Iterator[str]:
    """Serve SRV records of rpc.tests. over TCP, one for each port, the first of them preferred."""

    class Answer(socketserver.StreamRequestHandler):
        def handle(self) -> None:
            while size := self.rfile.read(2):
                query = dns.message.from_wire(self.rfile.read(int.from_bytes(size)))
                answer = answer_to(query).to_wire()
                self.wfile.write(len(answer).to_bytes(2) + answer)

    def answer_to(query: dns.message.Message) -> dns.message.Message:
        name, kind = query.question[0].name.to_text(), query.question[0].rdtype.name
        answer = dns.message.make_response(query)
        answer.flags |= dns.flags.RA
        a_record = dns.rrset.from_text("node.tests.", 1, "IN", "A", "127.0.0.1")
        if (name, kind) == ("rpc.tests.", "SRV"):
            records = [f"{place} 1 {port} node.tests." for place, port in enumerate(ports)]
            answer.answer.append(dns.rrset.from_text(name, 1, "IN", "SRV", *records))
            if with_addresses:
                answer.additional.append(a_record)
        elif (name, kind) == ("node.tests.", "A"):
            answer.answer.append(a_record)
        elif name != "node.tests.":
            answer.set_rcode(dns.rcode.NXDOMAIN)
        return answer

    with socketserver.ThreadingTCPServer(("127.0.0.1", 0), Answer) as server:
        server.daemon_threads = True
        server.block_on_close = False
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        yield f"127.0.0.1:{server.server_address[1]}"
        server.shutdown()
        thread.join()


@pytest.mark.parametrize("with_addresses", [True, False])
def test_srv_records_are_asked_over_tcp_and_ordered_by_priority(with_addresses: bool) -> None:
    with dns_server(7001, 7002, with_addresses=with_addresses) as server:
        assert resolve(SrvName("rpc.tests"), server) == [("127.0.0.1", 7001), ("127.0.0.1", 7002)]


def test_an_unknown_name_says_who_was_asked() -> None:
    with (
        dns_server(7001) as server,
        pytest.raises(AddressError, match=f"srv:other.tests at .*{server}.*NXDOMAIN"),
    ):
        resolve(SrvName("other.tests"), server)


def test_a_dns_server_that_is_not_there_is_an_address_error() -> None:
    with closing(socket.create_server(("127.0.0.1", 0))) as held:
        port = held.getsockname()[1]
    with pytest.raises(AddressError, match=r"cannot look up srv:rpc\.tests"):
        resolve(SrvName("rpc.tests"), f"127.0.0.1:{port}", timeout_s=0.5)


def test_a_container_finds_its_frontend_by_srv_name_and_tries_the_next_record(start: Start) -> None:
    with closing(socket.create_server(("127.0.0.1", 0))) as held:
        closed_port = held.getsockname()[1]
    with RpcFrontend("a") as frontend, dns_server(closed_port, frontend.port) as server:
        start("srv:rpc.tests", CLIPPER_DNS=server)
        assert works(frontend, frontend.accept())


def test_a_name_that_cannot_be_looked_up_does_not_hold_up_another_frontend(start: Start) -> None:
    with RpcFrontend("a") as frontend, closing(socket.create_server(("127.0.0.1", 0))) as silent:
        silent_dns = f"127.0.0.1:{silent.getsockname()[1]}"
        start(f"srv:rpc.tests,{frontend.address}", CLIPPER_DNS=silent_dns)
        assert works(frontend, frontend.accept())
