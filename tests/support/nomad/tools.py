"""The programs of a real cluster: Nomad, Consul, Fabio, a device plugin for tests; OpenTofu, with a provider.

They come from PATH, else from a build of the pins in tests/system/tools, kept in the cache folder.

For another version change a go.mod's `require` line, and run `go build -mod=mod` there with the package that
its `tool` line names: `go mod tidy` fails on the tests of indirect requirements.
"""

from __future__ import annotations

import collections
import hashlib
import os
import shutil
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

from tests.support.docker.engine import MissingServiceError, cache_dir, locked
from tests.support.paths import TOOLS

_REPORT_EVERY_S = 10.0
_LAST_LINES = 20


@dataclass(frozen=True)
class _Program:
    """A Go program: its name, the folder of its go.mod and of our own sources, and its build flags."""

    name: str
    pins: str
    package: str
    tags: str = ""
    variable: str = ""

    def build_command(self, output: Path) -> list[str]:
        tags = ["-tags", self.tags] if self.tags else []
        linked = "-s -w" + (f" -X {self.variable}" if self.variable else "")
        flags = ["-mod=readonly", "-v", f"-ldflags={linked}", *tags]
        return ["go", "build", *flags, "-o", str(output), self.package]

    def sources(self) -> list[Path]:
        folder = TOOLS / self.pins
        return [folder / "go.mod", folder / "go.sum", *sorted(folder.glob("*.go"))]

    def key(self) -> str:
        """Return a hash of all inputs of the build."""
        digest = hashlib.sha256(" ".join(self.build_command(Path(self.name))).encode())
        for path in self.sources():
            digest.update(path.read_bytes())
        return digest.hexdigest()[:12]


# Without its tags Nomad has no web UI, and differs from the release.
_NOMAD_TAGS = "ui,codegen_generated,hashicorpmetrics"
_NOMAD = _Program("nomad", "nomad", "github.com/hashicorp/nomad", _NOMAD_TAGS)
_CONSUL = _Program("consul", "consul", "github.com/hashicorp/consul")
_FABIO = _Program("fabio", "fabio", "github.com/fabiolb/fabio")
_DEVICE_PLUGIN = _Program(
    "example-device", "nomad", "github.com/hashicorp/nomad/plugins/device/cmd/example/cmd", _NOMAD_TAGS
)
# Without its variable OpenTofu reports an older version.
_OPENTOFU = "github.com/opentofu/opentofu"
_TOFU = _Program("tofu", "opentofu", f"{_OPENTOFU}/cmd/tofu", variable=f"{_OPENTOFU}/version.dev=no")
_STAND_IN = _Program("terraform-provider-stand-in", "provider", ".")


@dataclass(frozen=True)
class Tools:
    """The paths of a cluster's programs."""

    nomad: Path
    consul: Path
    fabio: Path
    device_plugin: Path


def require_tools() -> Tools:
    """Return the programs, built if they are not on PATH, which takes minutes the first time.

    The device plugin is always built. Raises MissingServiceError if a program cannot be built.
    """
    return Tools(
        nomad=_find(_NOMAD), consul=_find(_CONSUL), fabio=_find(_FABIO), device_plugin=_built(_DEVICE_PLUGIN)
    )


def require_tofu() -> Path:
    """Return OpenTofu, built if it is not on PATH. Raises MissingServiceError if it cannot be built."""
    return _find(_TOFU)


def require_stand_in() -> Path:
    """Return the provider that has others' schemas. Raises MissingServiceError if it cannot be built."""
    return _built(_STAND_IN)


def _find(program: _Program) -> Path:
    found = shutil.which(program.name)
    return Path(found) if found else _built(program)


def _built(program: _Program) -> Path:
    folder = cache_dir() / "tools"
    folder.mkdir(exist_ok=True)
    kept = folder / f"{program.name}-{program.key()}"
    with locked(folder / f"{program.name}.lock"):
        if not kept.exists():
            _build(program, kept)
    return kept / program.name


def _build(program: _Program, kept: Path) -> None:
    if not shutil.which("go"):
        raise MissingServiceError(
            f"{program.name} is missing, and so is Go, which builds the version that {TOOLS / program.pins} "
            "pins: install Go"
        )
    with tempfile.TemporaryDirectory(dir=kept.parent) as folder:
        # Go must not touch the pins in the checkout.
        for path in program.sources():
            shutil.copy(path, folder)
        result = Path(folder) / "result"
        result.mkdir()
        _run_go(program, program.build_command(result / program.name), folder)
        result.replace(kept)


def _run_go(program: _Program, command: list[str], folder: str) -> None:
    start_s = time.monotonic()
    _report(f"building {program.name} (minutes the first time)")
    last_lines = collections.deque[str](maxlen=_LAST_LINES)
    reported_s, steps = start_s, 0
    environment = {**os.environ, "GOWORK": "off"}
    with subprocess.Popen(
        command, cwd=folder, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    ) as build:
        assert build.stdout is not None
        for line in build.stdout:
            last_lines.append(line)
            steps += 1
            if time.monotonic() - reported_s > _REPORT_EVERY_S:
                reported_s = time.monotonic()
                _report(f"building {program.name}: {steps} modules and packages so far")
    if build.returncode != 0:
        raise MissingServiceError(f"Could not build {program.name}; Go's last lines:\n{''.join(last_lines)}")
    _report(f"built {program.name} in {time.monotonic() - start_s:.0f} s")


def _report(line: str) -> None:
    print(line, file=sys.stderr, flush=True)


def main() -> None:
    """Print the paths of the programs, once all are built."""
    for path in (*vars(require_tools()).values(), require_tofu(), require_stand_in()):
        print(path)


if __name__ == "__main__":
    main()
