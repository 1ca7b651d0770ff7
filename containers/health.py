"""The health check of an image: exit code 0 if /health/live of the process in this container answers 200.

The arguments are the name of the variable that holds the port, and the port if the variable is not set. It
uses a bare socket, since a check that runs every few seconds must start fast.
"""

import os
import socket
import sys

TIMEOUT_S = 3.0


def main() -> None:
    """Ask the process, and exit."""
    variable, default = sys.argv[1:]
    port = int(os.environ.get(variable) or default)
    with socket.create_connection(("127.0.0.1", port), timeout=TIMEOUT_S) as connection:
        connection.sendall(b"GET /health/live HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
        answer = connection.recv(1024)
    # Docker records the output of a failed check.
    sys.exit(None if answer.split()[1:2] == [b"200"] else answer.decode(errors="replace"))


if __name__ == "__main__":
    main()
