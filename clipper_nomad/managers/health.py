"""Whether a process answers that it is ready, over HTTP.

Owns one question, asked once. Knows nothing of what runs the process.
"""

from __future__ import annotations

import http.client

_TIMEOUT_S = 2.0


def unready_reason(host: str, port: int, path: str = "") -> str | None:
    """Ask `<path>/health/ready`; return None when it says yes, else its reason, or why it gave none."""
    # No proxy setting of the caller's applies: http.client knows none.
    connection = http.client.HTTPConnection(host, port, timeout=_TIMEOUT_S)
    try:
        connection.request("GET", f"{path}/health/ready")
        response = connection.getresponse()
        text = response.read().decode(errors="replace").strip()
    except (OSError, http.client.HTTPException) as error:
        return f"no answer from {host}:{port}{path} ({error})"
    finally:
        connection.close()
    return None if response.status == 200 else f"{response.status} {text}"
