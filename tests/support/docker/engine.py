"""A real Docker engine, base image and registry for tests, on a machine that reaches no public registry.

If no engine runs, it starts one (as root on Linux: `dockerd` with a data root of its own in the cache
folder). Debian's base image is made once by debootstrap; the registry is Debian's docker-registry on
loopback. If something is missing, tests are skipped on a laptop, and fail with CI=true.

`python -m tests.support.docker.engine` keeps the engine up between test runs, until it is interrupted.
"""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import http.client
import io
import os
import shutil
import signal
import socket
import struct
import subprocess
import sys
import tarfile
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Self

import docker
import docker.errors
import pytest

from tests.support.processes import Process, eventually

#: The base of all images in tests: Debian bookworm with its Python 3.11, pip and venv.
BASE_IMAGE = "clipper-base:bookworm-py3.11"
_SUITE = "bookworm"
_PACKAGES = ("ca-certificates", "python3", "python3-pip", "python3-venv")
_SOCKET = Path("/var/run/docker.sock")
_START_TIMEOUT_S = 60.0
_STOP_TIMEOUT_S = 60.0
_SIOCGIFADDR = 0x8915
_CA_VARIABLES = ("PIP_CERT", "SSL_CERT_FILE", "REQUESTS_CA_BUNDLE")
# Settings of this machine's pip that hold in builds too: addresses and times. Paths mean nothing there.
_PIP_SETTINGS = ("index-url", "extra-index-url", "trusted-host", "timeout")


# Engines that were started here and that others still use: Popen warns of a process that is forgotten.
_left: list[subprocess.Popen[bytes]] = []


class MissingServiceError(Exception):
    """A service that tests need is missing."""


def cache_dir() -> Path:
    """Return the folder, outside the checkout, of files that are slow to make."""
    base = os.environ.get("XDG_CACHE_HOME")
    path = (Path(base) if base else Path.home() / ".cache") / "clipper-nomad"
    path.mkdir(parents=True, exist_ok=True)
    return path


def give_up(reason: str) -> None:
    """Skip the test for `reason`, or fail it with CI=true."""
    if os.environ.get("CI") == "true":
        pytest.fail(reason)
    pytest.skip(reason)


def connect() -> docker.DockerClient | None:
    """Return a client of the engine that runs (DOCKER_HOST, else the default socket), or None."""
    if "DOCKER_HOST" not in os.environ and not _listens(_SOCKET):
        return None
    try:
        client = docker.from_env(timeout=120)
    except docker.errors.DockerException:
        return None
    try:
        client.ping()
    except (docker.errors.DockerException, OSError):
        client.close()
        return None
    return client


def _listens(path: Path) -> bool:
    """Return whether a Unix socket has a listener: without one, docker's client leaves sockets open."""
    with socket.socket(socket.AF_UNIX) as probe:
        try:
            probe.connect(str(path))
        except OSError:
            return False
    return True


def find_bridge(client: docker.DockerClient) -> tuple[str, str]:
    """Return the interface and the address of an engine's bridge, where containers and this machine meet.

    Raises MissingServiceError if the engine does not run on this machine.
    """
    options = client.networks.get("bridge").attrs["Options"]
    interface = str(options.get("com.docker.network.bridge.name", "docker0"))
    request = struct.pack("256s", interface.encode())
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as any_socket:
        try:
            answer = fcntl.ioctl(any_socket, _SIOCGIFADDR, request)
        except OSError as error:
            raise MissingServiceError(
                f"this machine has no address on {interface}, the bridge of its Docker engine: use an engine "
                "that runs on this machine, as root's on Linux does"
            ) from error
    return interface, socket.inet_ntoa(answer[20:24])


class Engine:
    """The engine that tests use. One that was started here ends with the last process that uses it."""

    def __init__(self) -> None:
        self._directory = cache_dir() / "docker"
        self._directory.mkdir(parents=True, exist_ok=True)
        self._stack = contextlib.ExitStack()
        self._daemon: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> docker.DockerClient:
        """Return a client. Raises MissingServiceError if no engine runs and none can be started."""
        users = self._stack.enter_context((self._directory / "users.lock").open("a"))
        with locked(self._directory / "start.lock"):
            fcntl.flock(users, fcntl.LOCK_SH)
            client = connect() or self._start()
        self._stack.callback(self._leave, users.fileno())
        return self._stack.enter_context(contextlib.closing(client))

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    @property
    def _pid_path(self) -> Path:
        return self._directory / "dockerd.pid"

    def _start(self) -> docker.DockerClient:
        if not sys.platform.startswith("linux") or os.geteuid() != 0 or not shutil.which("dockerd"):
            raise MissingServiceError(
                "no Docker engine runs (DOCKER_HOST, else the default socket), and only root on Linux with "
                "dockerd installed can start one here: start Docker"
            )
        log_path = self._directory / "dockerd.log"
        command = ["dockerd", "--data-root", str(self._directory / "data"), "--pidfile", str(self._pid_path)]
        self._pid_path.unlink(missing_ok=True)
        with log_path.open("wb") as log:
            self._daemon = daemon = subprocess.Popen(
                command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True
            )
        deadline_s = time.monotonic() + _START_TIMEOUT_S
        while daemon.poll() is None and time.monotonic() < deadline_s:
            if client := connect():
                return client
            time.sleep(0.1)
        daemon.kill()
        daemon.wait()
        last_lines = "\n".join(log_path.read_text(errors="replace").splitlines()[-20:])
        raise MissingServiceError(f"dockerd did not start; the last lines of {log_path}:\n{last_lines}")

    def _leave(self, users: int) -> None:
        """Stop the engine if it was started here and no other process uses it."""
        with locked(self._directory / "start.lock"):
            try:
                fcntl.flock(users, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                if self._daemon is not None:
                    _left.append(self._daemon)
                return
            with contextlib.suppress(FileNotFoundError, ProcessLookupError, ValueError):
                pid = int(self._pid_path.read_text())
                os.kill(pid, signal.SIGTERM)
                if self._daemon is not None:
                    self._daemon.wait(_STOP_TIMEOUT_S)
                else:
                    _reap(pid)


def _reap(pid: int) -> None:
    """Wait until a process has ended, whether it is a child of this one or not."""

    def has_ended() -> bool:
        with contextlib.suppress(ChildProcessError):
            os.waitpid(pid, os.WNOHANG)
        return not Path(f"/proc/{pid}").exists()

    eventually(has_ended, f"dockerd, process {pid}, has ended", timeout_s=_STOP_TIMEOUT_S)


@contextlib.contextmanager
def locked(path: Path) -> Iterator[None]:
    """Hold the lock of a file, which other processes wait for."""
    with path.open("a") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def require_base_image(client: docker.DockerClient) -> str:
    """Return the base image's name, once it is built. Raises MissingServiceError if it cannot be made.

    It has the certificates and the package index of this machine's pip, so it is built again when those
    change.
    """
    with locked(cache_dir() / "base-image.lock"):
        bare = _import_debian(client)
        context = _pip_context(bare)
        digest = hashlib.sha256(context).hexdigest()
        with contextlib.suppress(docker.errors.ImageNotFound):
            if client.images.get(BASE_IMAGE).labels.get("clipper.tests.context") == digest:
                return BASE_IMAGE
        client.images.build(
            fileobj=io.BytesIO(context),
            custom_context=True,
            tag=BASE_IMAGE,
            labels={"clipper.tests.context": digest},
            rm=True,
        )
    return BASE_IMAGE


def _import_debian(client: docker.DockerClient) -> str:
    key = hashlib.sha256(" ".join((_SUITE, *_PACKAGES)).encode()).hexdigest()[:12]
    name = f"clipper-base:{_SUITE}-{key}"
    try:
        client.images.get(name)
    except docker.errors.ImageNotFound:
        repository, _, tag = name.partition(":")
        archive = _bootstrap(cache_dir() / f"base-{_SUITE}-{key}.tar")
        client.api.import_image_from_file(str(archive), repository=repository, tag=tag)
    return name


def _bootstrap(archive: Path) -> Path:
    """Make a Debian root file system as a tar, unless it is in the cache."""
    if archive.exists():
        return archive
    if os.geteuid() != 0 or not shutil.which("debootstrap"):
        raise MissingServiceError(
            f"the base image of tests, {BASE_IMAGE}, is missing, and only root with debootstrap installed "
            "can make it"
        )
    with tempfile.TemporaryDirectory(dir=archive.parent) as folder:
        root = Path(folder) / "root"
        # In a mount namespace of its own: the file systems that it mounts end with it.
        command = [
            "unshare",
            "--mount",
            "debootstrap",
            "--variant=minbase",
            f"--include={','.join(_PACKAGES)}",
            _SUITE,
            str(root),
        ]
        made = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        if made.returncode != 0:
            raise MissingServiceError(f"debootstrap failed:\n{made.stdout[-2000:]}")
        for cached in ("var/cache/apt/archives", "var/lib/apt/lists"):
            shutil.rmtree(root / cached)
            (root / cached / "partial").mkdir(parents=True)
        partial = Path(folder) / "root.tar"
        subprocess.run(["tar", "-C", str(root), "--numeric-owner", "-cf", str(partial), "."], check=True)
        partial.replace(archive)
    return archive


def _pip_context(bare_image: str) -> bytes:
    """Return the build context that adds this machine's certificates and pip settings to the bare image."""
    found = next((os.environ[name] for name in _CA_VARIABLES if os.environ.get(name)), None)
    lines = [f"FROM {bare_image}"]
    files: dict[str, bytes] = {}
    settings = _pip_settings()
    if found:
        bundle = "/etc/ssl/certs/ca-certificates.crt"
        files["ca-certificates.crt"] = Path(found).read_bytes()
        lines.append(f"COPY ca-certificates.crt {bundle}")
        settings["cert"] = bundle
    config = "\n".join(f"{name} = {value}" for name, value in settings.items())
    files["pip.conf"] = f"[global]\n{config}\n".encode()
    lines += ["COPY pip.conf /etc/pip.conf", 'CMD ["python3"]']
    files["Dockerfile"] = "\n".join(lines).encode()
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as archive:
        for name, data in files.items():
            info = tarfile.TarInfo(name)
            info.size, info.mode = len(data), 0o644
            archive.addfile(info, io.BytesIO(data))
    return buffer.getvalue()


def _pip_settings() -> dict[str, str]:
    command = [sys.executable, "-m", "pip", "config", "list"]
    listed = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    settings: dict[str, str] = {}
    for line in listed.splitlines():
        scope, _, value = line.partition("=")
        # `global.index-url` and `:env:.index-url`; the environment comes last, and wins.
        name = scope.rpartition(".")[2].replace("default-timeout", "timeout")
        if name in _PIP_SETTINGS:
            settings[name] = value.strip("'\"")
    return settings


class Registry:
    """A real registry on loopback. With a `password`, it asks for that and the user `clipper`."""

    USERNAME = "clipper"

    def __init__(self, directory: Path, *, password: str | None = None) -> None:
        if not shutil.which("docker-registry"):
            raise MissingServiceError("there is no docker-registry: install Debian's package of that name")
        directory.mkdir(parents=True, exist_ok=True)
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self._port: int = probe.getsockname()[1]
        self.password = password
        self._config = directory / "config.yml"
        self._config.write_text(
            "version: 0.1\n"
            "log: {level: warn}\n"
            f"storage: {{filesystem: {{rootdirectory: {directory / 'data'}}}, delete: {{enabled: true}}}}\n"
            f"http: {{addr: '{self.address}'}}\n{self._auth(directory)}"
        )
        self._process: Process | None = None

    def _auth(self, directory: Path) -> str:
        if self.password is None:
            return ""
        # The registry takes bcrypt only, which the C library hashes with.
        script = "print crypt($ARGV[0], '$2y$05$abcdefghijklmnopqrstuu')"
        hashed = subprocess.run(
            ["perl", "-e", script, self.password], check=True, capture_output=True, text=True
        ).stdout
        (directory / "htpasswd").write_text(f"{self.USERNAME}:{hashed}\n")
        return f"auth: {{htpasswd: {{realm: tests, path: {directory / 'htpasswd'}}}}}\n"

    @property
    def address(self) -> str:
        """Return the registry's `host:port`, which image names start with."""
        return f"127.0.0.1:{self._port}"

    def __enter__(self) -> Self:
        self._process = Process("registry", ["docker-registry", "serve", self._config])
        eventually(self._answers, "the registry answers")
        return self

    def __exit__(self, *_: object) -> None:
        assert self._process is not None
        self._process.kill()

    def _answers(self) -> bool:
        connection = http.client.HTTPConnection(self.address, timeout=2)
        try:
            connection.request("GET", "/v2/")
            return connection.getresponse().status in (200, 401)
        except OSError:
            return False
        finally:
            connection.close()


def main() -> None:
    """Keep the engine up, with the base image, until this is interrupted."""
    with Engine() as client:
        print(f"base image: {require_base_image(client)}", flush=True)
        signal.sigwait({signal.SIGINT, signal.SIGTERM})


if __name__ == "__main__":
    main()
