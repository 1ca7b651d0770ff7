"""The question whether a process is ready, asked once over HTTP."""

from __future__ import annotations

import http.client

_TIMEOUT_S = 2.0


def unready_reason(host: str, port: int, path: str = "") -> str:
    """Return why `<path>/health/ready` does not answer that the process is ready; empty if it does."""
    # http.client knows no proxies, so no proxy setting of the caller's applies.
    connection = http.client.HTTPConnection(host, port, timeout=_TIMEOUT_S)
    try:
        connection.request("GET", f"{path}/health/ready")
        response = connection.getresponse()
        text = response.read().decode(errors="replace").strip()
    except (OSError, http.client.HTTPException) as error:
        return f"no answer from {host}:{port}{path} ({error})"
    finally:
        connection.close()
    return "" if response.status == 200 else f"{response.status} {text}"
