"""The providers that terraform/ needs, for OpenTofu to find: downloaded, or stand-ins with their schemas.

The stand-ins are in a mirror in the cache folder.
"""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

import requests

from tests.support.docker.engine import MissingServiceError, cache_dir, locked
from tests.support.nomad.tools import require_stand_in
from tests.support.paths import TOOLS
from tests.support.tofu import names as tofu_names
from tests.support.tofu import schemas as tofu_schemas
from tests.support.tofu.names import PROVIDERS, Provider

_REGISTRY = "registry.opentofu.org"
_ASK_TIMEOUT_S = 3.0
_WHEELS = TOOLS / "provider-schemas.txt"


@dataclass(frozen=True)
class Providers:
    """A source of providers for OpenTofu: the settings of its command line, and a description."""

    settings: Path
    are_stand_ins: bool

    def __str__(self) -> str:
        if not self.are_stand_ins:
            return f"providers: downloaded from {_REGISTRY}"
        packages = [line.split()[0] for line in _WHEELS.read_text().splitlines() if "==" in line]
        return f"providers: stand-ins with the schemas of {', '.join(packages)}"


def require_providers() -> Providers:
    """Return the real providers if their registry can be reached, else the stand-ins."""
    return downloaded_providers() if _is_registry_reachable() else require_stand_ins()


def _is_registry_reachable() -> bool:
    try:
        answer = requests.get(f"https://{_REGISTRY}/.well-known/terraform.json", timeout=_ASK_TIMEOUT_S)
        return "providers.v1" in answer.json()
    except requests.RequestException:
        return False


def downloaded_providers() -> Providers:
    """Return the real providers; downloads are cached."""
    kept = cache_dir() / "providers"
    (kept / "downloaded").mkdir(parents=True, exist_ok=True)
    settings = kept / "downloaded.tfrc"
    settings.write_text(f'plugin_cache_dir = "{kept / "downloaded"}"\n')
    return Providers(settings, are_stand_ins=False)


def require_stand_ins() -> Providers:
    """Return providers that know schemas only: enough to validate, and for tests with mocked providers.

    Raises MissingServiceError if Go or the packages with the schemas are missing.
    """
    program = require_stand_in()
    folder = cache_dir() / "providers"
    folder.mkdir(exist_ok=True)
    kept = folder / f"stand-ins-{_key(program)}"
    with locked(folder / "stand-ins.lock"):
        if not kept.exists():
            _make_mirror(program, kept)
    return Providers(kept / "tofu.tfrc", are_stand_ins=True)


def _key(program: Path) -> str:
    """Return a hash of all inputs of the mirror."""
    digest = hashlib.sha256(str(program).encode())
    for path in (_WHEELS, *(Path(str(module.__file__)) for module in (tofu_names, tofu_schemas))):
        digest.update(path.read_bytes())
    return digest.hexdigest()[:12]


def _make_mirror(program: Path, kept: Path) -> None:
    with tempfile.TemporaryDirectory(dir=kept.parent) as folder:
        wheels = _download_wheels(Path(folder))
        result = Path(folder) / "result"
        for provider in PROVIDERS:
            wheel = next(wheels.glob(f"{provider.package}-*.whl"))
            _put_into(result, program, provider, json.dumps(tofu_schemas.read_schema(wheel, provider)))
        # Without `direct`, OpenTofu does not ask a registry that it cannot reach.
        settings = f'provider_installation {{\n  filesystem_mirror {{\n    path = "{kept}"\n  }}\n}}\n'
        (result / "tofu.tfrc").write_text(settings)
        result.replace(kept)


def _download_wheels(folder: Path) -> Path:
    wheels = folder / "wheels"
    options = ["--quiet", "--no-deps", "--only-binary=:all:", "--require-hashes"]
    command = [sys.executable, "-m", "pip", "download", *options, "-r", str(_WHEELS), "-d", str(wheels)]
    done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False)
    if done.returncode != 0:
        raise MissingServiceError(f"pip could not download the packages that {_WHEELS} pins:\n{done.stdout}")
    return wheels


def _put_into(mirror: Path, program: Path, provider: Provider, schema: str) -> None:
    """Put a provider into a filesystem mirror, with its schema beside it."""
    platform = f"{_go('GOOS')}_{_go('GOARCH')}"
    folder = mirror / _REGISTRY / provider.source / provider.version / platform
    folder.mkdir(parents=True)
    os.link(program, folder / f"terraform-provider-{provider.name}_v{provider.version}")
    (folder / "schema.json").write_text(schema)


def _go(setting: str) -> str:
    return subprocess.run(["go", "env", setting], capture_output=True, text=True, check=True).stdout.strip()
