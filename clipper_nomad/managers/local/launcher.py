"""The first moment of a replica's process: it gets the environment that is meant for it.

supervisord gives its processes its own environment, which is that of whoever started the cluster. Of this a
replica keeps what programs need to run on this machine. Run as a script by any Python, so it imports the
standard library only.
"""

from __future__ import annotations

import base64
import json
import os
import sys
import zlib
from collections.abc import Mapping
from pathlib import Path

#: Carries the variables that a replica is given, since supervisord's configuration cannot hold all texts.
VARIABLE = "CLIPPER_PACKED_ENVIRONMENT"
#: Linux takes 128 KiB for one variable.
MAX_PACKED_BYTES = 130_000
#: Isolated and without site-packages: it starts in milliseconds, and imports nothing of the user's.
COMMAND = (sys.executable, "-I", "-S", str(Path(__file__).resolve()))

_KEPT = frozenset(
    {
        *("PATH", "HOME", "USER", "LOGNAME", "SHELL", "TZ", "TMPDIR", "LANG", "LANGUAGE"),
        *("LD_LIBRARY_PATH", "DYLD_LIBRARY_PATH", "DYLD_FALLBACK_LIBRARY_PATH"),
        *("SSL_CERT_FILE", "SSL_CERT_DIR", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "NODE_EXTRA_CA_CERTS"),
        # The runtime's own settings, and the mark by which the cluster's processes are found.
        *("CLIPPER_DNS", "CLIPPER_LOG_LEVEL", "CLIPPER_LOCAL_CLUSTER"),
    }
)
_KEPT_PREFIXES = ("LC_", "CUDA_", "NVIDIA_")
_KEPT_IN_ANY_CASE = frozenset({"HTTP_PROXY", "HTTPS_PROXY", "FTP_PROXY", "ALL_PROXY", "NO_PROXY"})


def pack(environment: Mapping[str, str]) -> str:
    """Return variables as the value of VARIABLE."""
    return base64.b64encode(zlib.compress(json.dumps(dict(environment)).encode(), 9)).decode()


def unpack(packed: str) -> dict[str, str]:
    """Return the variables that pack() was given."""
    found: dict[str, str] = json.loads(zlib.decompress(base64.b64decode(packed)))
    return found


def kept(environment: Mapping[str, str]) -> dict[str, str]:
    """Return what a replica keeps of the environment of whoever started the cluster."""
    return {name: value for name, value in environment.items() if _is_kept(name)}


def _is_kept(name: str) -> bool:
    return name in _KEPT or name.startswith(_KEPT_PREFIXES) or name.upper() in _KEPT_IN_ANY_CASE


def main(argv: list[str]) -> None:
    """Become the program `argv` with the environment that is meant for it."""
    os.execve(argv[0], argv, {**kept(os.environ), **unpack(os.environ[VARIABLE])})


if __name__ == "__main__":
    main(sys.argv[1:])
