"""The processes of a cluster: command lines, environments, and their supervisord configuration.

Pure functions from a cluster's record to the programs that supervisord runs.
"""

from __future__ import annotations

import hashlib
import json
import re
import shlex
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

from clipper_nomad.errors import ContainerManagerError
from clipper_nomad.managers.local import launcher
from clipper_nomad.managers.local.state import (
    ClusterRecord,
    FrontendRecord,
    ModelRecord,
    ReplicaRecord,
    StateDirectory,
)
from clipper_nomad.types import ModelVersion

REDIS = "redis"
MANAGEMENT_FRONTEND = "management-frontend"
#: The query frontend that answers while others are replaced.
STAND_IN = "query-frontend-stand-in"
#: Redis has no password, and only processes of this machine need it, so it listens to no other machine.
REDIS_HOST = "127.0.0.1"

#: The time in which a frontend or a replica must finish its work, and how much longer supervisord waits.
_DRAIN_TIMEOUT_S = 30
_DRAIN_MARGIN_S = 5
#: A replica may import packages for this long before it fails. A process that ends sooner counts as a failed
#: start, and its next start waits longer. Frontends fail sooner.
_REPLICA_START_S = 10
_FRONTEND_START_S = 3
#: Each failed start waits one second more than the last; this many take years, so supervisord never gives up.
_START_RETRIES = 10_000
_LOG_BYTES = 10_000_000
_LOG_BACKUPS = 2
#: supervisord's parser cuts a value at these, whatever the quotes, or strips them from its ends.
_UNQUOTABLE = re.compile(r"[\n\r\"]|\s[;#]|^'|'$")


@dataclass(frozen=True)
class Program:
    """One process that supervisord keeps. A process whose program stays equal need not restart.

    With `inherits` it has supervisord's environment beside its own, without it only what `launcher` keeps.
    """

    name: str
    argv: tuple[str, ...]
    directory: Path
    log_path: Path
    environment: Mapping[str, str] = field(default_factory=dict)
    start_s: int = _FRONTEND_START_S
    stop_wait_s: float = _DRAIN_TIMEOUT_S + _DRAIN_MARGIN_S
    priority: int = 100
    inherits: bool = True

    @property
    def digest(self) -> str:
        """Return a short hash of what the program does; which interpreter runs it does not count."""
        parts = [self.argv[1:], sorted(self.environment.items()), self.stop_wait_s]
        return hashlib.sha256(json.dumps(parts).encode()).hexdigest()[:8]

    def render(self, process_name: str) -> str:
        """Return the section that runs this program; supervisord's log will call it `process_name`."""
        if self.inherits:
            argv, variables = self.argv, self.environment
        else:
            argv = (*launcher.COMMAND, *self.argv)
            variables = {launcher.VARIABLE: _require_fits(launcher.pack(self.environment))}
        environment = ",".join(f'{key}="{_plain(value)}"' for key, value in sorted(variables.items()))
        settings = {
            "process_name": process_name,
            "command": shlex.join(_plain(part) for part in argv),
            "directory": _plain(str(self.directory)),
            "environment": environment,
            "priority": self.priority,
            "autostart": "true",
            "autorestart": "true",
            "startsecs": self.start_s,
            "startretries": _START_RETRIES,
            "stopsignal": "TERM",
            "stopwaitsecs": int(self.stop_wait_s),
            # TERM goes to the process alone, whose drain may still need its children; KILL goes to all.
            "stopasgroup": "false",
            "killasgroup": "true",
            "redirect_stderr": "true",
            "stdout_logfile": _plain(str(self.log_path)),
            "stdout_logfile_maxbytes": _LOG_BYTES,
            "stdout_logfile_backups": _LOG_BACKUPS,
        }
        lines = (f"{key}={str(value).replace('%', '%%')}" for key, value in settings.items())
        return f"[program:{self.name}]\n" + "\n".join(lines) + "\n"


def _require_fits(packed: str) -> str:
    if len(packed) > launcher.MAX_PACKED_BYTES:
        raise ContainerManagerError(
            f"Cannot give a replica its environment: it has {len(packed)} bytes packed, and a process takes "
            f"{launcher.MAX_PACKED_BYTES}. Put large values into a file of the model's folder."
        )
    return packed


def _plain(text: str) -> str:
    """Return `text`. Raises ContainerManagerError if supervisord's configuration cannot hold it."""
    if _UNQUOTABLE.search(text):
        raise ContainerManagerError(
            f"Cannot run a process with {text!r} in its command line, environment or paths: line breaks, "
            "double quotes, quotes at an end, and ';' or '#' after a space cannot be passed on. Choose "
            "another path (state_dir, python)."
        )
    return text


def query_frontend_name(index: int) -> str:
    """Return the program name of a query frontend."""
    return f"query-frontend-{index}"


def replica_name(model: ModelVersion, index: int) -> str:
    """Return the program name of a replica; it can be parsed, since names and versions have no dot."""
    return f"model.{model.name}.{model.version}.{index}"


def is_replica(name: str, model: ModelVersion | None = None) -> bool:
    """Return whether a program of this name is a replica, of `model` if that is given."""
    return name.startswith(replica_name(model, 0).removesuffix("0") if model else "model.")


def redis_program(state: StateDirectory, record: ClusterRecord, executable: str) -> Program:
    """Return the cluster's own Redis: writes reach the disk within a second, and changes are published."""
    options = {
        "port": str(record.redis_port),
        "bind": REDIS_HOST,
        "dir": str(state.redis_dir),
        "appendonly": "yes",
        "appendfsync": "everysec",
        "save": "",
        "notify-keyspace-events": "AKE",
        "daemonize": "no",
    }
    argv = [executable]
    for option, value in options.items():
        argv += [f"--{option}", value]
    return Program(
        REDIS, tuple(argv), state.work_dir, _log_path(state, REDIS), priority=1, start_s=1, stop_wait_s=30
    )


def frontend_programs(state: StateDirectory, record: ClusterRecord) -> dict[str, Program]:
    """Return the management frontend and the query frontends, by program name."""
    programs = [_management_program(state, record)]
    programs += [_query_program(state, record, frontend) for frontend in record.frontends]
    return {program.name: program for program in programs}


def _management_program(state: StateDirectory, record: ClusterRecord) -> Program:
    argv = (
        *_python_entry_point("clipper_frontend.management.main"),
        *_common_flags(state, record),
        *("--port", str(record.management_port)),
    )
    return _frontend(state, record, MANAGEMENT_FRONTEND, argv)


def stand_in_program(state: StateDirectory, record: ClusterRecord, frontend: FrontendRecord) -> Program:
    """Return the query frontend that takes the listening sockets of all others, on ports of its own."""
    others = [str(state.socket_dir / query_frontend_name(each.index)) for each in record.frontends]
    program = _query_program(state, record, frontend, STAND_IN)
    return replace(program, argv=(*program.argv, "--take-listeners", ",".join(others), "--stand-in"))


def _query_program(
    state: StateDirectory, record: ClusterRecord, frontend: FrontendRecord, name: str | None = None
) -> Program:
    spec = record.spec
    name = name or query_frontend_name(frontend.index)
    argv = [
        *_python_entry_point("clipper_frontend.query.main"),
        *_common_flags(state, record),
        *("--port", str(record.query_port), "--reuse-port"),
        *("--rpc-host", record.host, "--rpc-port", str(frontend.rpc_port)),
        *("--advertise-rpc", _rpc_address(record, frontend)),
        *("--admin-host", record.host, "--admin-port", str(frontend.admin_port)),
        *("--prediction-cache-bytes", str(spec.prediction_cache_bytes)),
        *("--handover-socket", str(state.socket_dir / name)),
        *("--take-listeners", str(state.socket_dir / STAND_IN)),
    ]
    if spec.header_timeout_s is not None:
        argv += ["--header-timeout-s", str(spec.header_timeout_s)]
    if spec.body_timeout_s is not None:
        argv += ["--body-timeout-s", str(spec.body_timeout_s)]
    return _frontend(state, record, name, tuple(argv))


def _frontend(state: StateDirectory, record: ClusterRecord, name: str, argv: tuple[str, ...]) -> Program:
    return Program(
        name,
        argv,
        state.work_dir,
        _log_path(state, name),
        # The version is part of the program, so that a new version rolls the frontends.
        environment={"CLIPPER_NOMAD_VERSION": record.version},
        stop_wait_s=record.drain_delay_s + _DRAIN_TIMEOUT_S + _DRAIN_MARGIN_S,
        priority=20,
    )


def _python_entry_point(module: str) -> tuple[str, ...]:
    return (sys.executable, "-c", f"import sys; from {module} import main; sys.exit(main())")


def _common_flags(state: StateDirectory, record: ClusterRecord) -> tuple[str, ...]:
    return (
        *("--cluster-name", state.cluster_name),
        *("--redis", f"{record.redis_ip or REDIS_HOST}:{record.redis_port}"),
        *("--host", record.host),
        *("--drain-delay-s", str(record.drain_delay_s), "--drain-timeout-s", str(_DRAIN_TIMEOUT_S)),
    )


def _rpc_address(record: ClusterRecord, frontend: FrontendRecord) -> str:
    return f"{record.dial_host}:{frontend.rpc_port}"


def replica_program(
    state: StateDirectory, record: ClusterRecord, model: ModelRecord, replica: ReplicaRecord, python: str
) -> Program:
    """Return one replica of a deployed version, run by the interpreter that its build chose."""
    name = replica_name(model.model, replica.index)
    environment = {
        **model.environment,
        "CLIPPER_MODEL_NAME": model.model.name,
        "CLIPPER_MODEL_VERSION": model.model.version,
        "CLIPPER_INPUT_TYPE": model.input_type,
        "CLIPPER_MODEL_PATH": str(Path(model.image) / "model"),
        "CLIPPER_CLUSTER_NAME": state.cluster_name,
        "CLIPPER_RPC_ADDRESS": ",".join(_rpc_address(record, frontend) for frontend in record.frontends),
        "CLIPPER_ADMIN_HOST": "127.0.0.1",
        "CLIPPER_ADMIN_PORT": str(replica.admin_port),
        "CLIPPER_EXIT_WHEN_HUNG": "1",
        "CLIPPER_DRAIN_TIMEOUT_S": str(_DRAIN_TIMEOUT_S),
        # A model's output reaches its log at once.
        "PYTHONUNBUFFERED": "1",
    }
    return Program(
        name,
        (python, "-c", "import sys; from clipper_container.main import main; sys.exit(main())"),
        state.work_dir,
        _log_path(state, name),
        environment,
        start_s=_REPLICA_START_S,
        priority=10,
        inherits=False,
    )


def _log_path(state: StateDirectory, name: str) -> Path:
    return state.logs_dir / f"{name}.log"
