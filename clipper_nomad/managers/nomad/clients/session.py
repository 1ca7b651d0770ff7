"""The HTTP session of all requests to Nomad, and the meaning of its failures.

Sets token, authentication and proxies, for python-nomad and our own requests alike, and overrules what
python-nomad reads from the environment by itself.
"""

from __future__ import annotations

import ipaddress
import ssl
from collections.abc import Mapping
from typing import Any

import requests

from clipper_nomad.errors import ContainerManagerError
from clipper_nomad.managers.nomad.clients.access import NomadAccess
from clipper_nomad.managers.nomad.clients.tls import TLSAdapter

_TOKEN_HEADER = "X-Nomad-Token"
_HTTP_TO_HTTPS = "Client sent an HTTP request to an HTTPS server"
#: The capabilities in its namespace that the manager's token needs, and those for Redis' volume.
CAPABILITIES = ("list-jobs", "read-job", "submit-job", "read-logs")
VOLUME_CAPABILITIES = ("host-volume-create", "host-volume-delete")


class RefusedError(ContainerManagerError):
    """Nomad refused a request, with this HTTP `status` and `text`."""

    def __init__(self, msg: str, status: int, text: str) -> None:
        super().__init__(msg)
        self.status = status
        self.text = text


class NomadSession(requests.Session):
    """A session with one Nomad: its token, its TLS settings, its namespace and region."""

    def __init__(self, access: NomadAccess) -> None:
        super().__init__()
        self._access = access
        self.auth = access.http_auth
        # As Go's tools do: no proxy for this machine itself, the environment's proxies for others.
        self.trust_env = not _is_loopback(access.host)
        self.headers["User-Agent"] = "clipper-nomad"
        # Some of python-nomad's requests omit these.
        self.params = {"namespace": access.namespace}
        if access.region:
            self.params["region"] = access.region
        if access.address.startswith("https://"):
            self.mount("https://", TLSAdapter(access.tls, "NOMAD"))

    def request(self, method: str | bytes, url: str | bytes, **arguments: Any) -> requests.Response:  # type: ignore[override]
        """Send a request with this access's token and no other."""
        headers = dict(arguments.pop("headers", None) or {})
        headers[_TOKEN_HEADER] = self._access.token
        return super().request(method, url, headers=headers, **arguments)


def _settings(**values: str | None) -> str:
    return ", ".join(f"{name}={value}" for name, value in values.items() if value)


def _is_loopback(host: str) -> bool:
    try:
        return host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def describe_refusal(attempt: str, access: NomadAccess, response: requests.Response) -> RefusedError:
    """Return the error for an answer that is not a success."""
    text = response.text.strip()
    status = response.status_code
    where = f"{attempt}: Nomad at {access.address}"
    if _HTTP_TO_HTTPS in text:
        msg = f"{where} speaks HTTPS but was asked over HTTP: set NOMAD_ADDR to an https:// address"
    elif status in (401, 403):
        msg = f"{where} refuses ({status} {text or response.reason}): {_advise_token(access)}"
    else:
        msg = f"{where} answered {status}: {text or response.reason}"
    return RefusedError(msg, status, text)


def _advise_token(access: NomadAccess) -> str:
    capabilities = ", ".join(CAPABILITIES)
    policy = (
        f"whose policy has, in the namespace {access.namespace}, the capabilities {capabilities}, and for a "
        f'volume also {", ".join(VOLUME_CAPABILITIES)}, and host_volume "VOLUME" {{ policy = "write" }}'
    )
    if access.token is None:
        return f"no token was given; set NOMAD_TOKEN to one {policy}"
    return f"the token in NOMAD_TOKEN does not suffice; set it to one {policy}"


def describe_failure(
    attempt: str, access: NomadAccess, error: requests.RequestException
) -> ContainerManagerError:
    """Return the error for a request that got no answer."""
    where = f"{attempt}: Nomad at {access.address}"
    cause = _find_cause(error)
    if isinstance(error, requests.exceptions.ProxyError):
        return ContainerManagerError(
            f"{where} cannot be reached through the proxy that HTTP_PROXY or HTTPS_PROXY names ({cause}): "
            f"put {access.host} into NO_PROXY, or correct the proxy"
        )
    if isinstance(error, requests.exceptions.InvalidJSONError):
        return ContainerManagerError(f"{where} does not answer as Nomad does: check NOMAD_ADDR")
    is_cut_off = access.address.startswith("https://") and isinstance(
        cause, (ConnectionResetError, BrokenPipeError)
    )
    if is_cut_off or isinstance(error, requests.exceptions.SSLError):
        return ContainerManagerError(f"{where}: {_describe_tls(cause, access)}")
    if isinstance(error, requests.exceptions.Timeout):
        return ContainerManagerError(
            f"{where} does not answer in time ({cause}). Check the address (nomad_ip, NOMAD_ADDR), and "
            "that the network lets you reach it."
        )
    return ContainerManagerError(
        f"{where} cannot be reached ({cause}). Check that Nomad runs there, and the address "
        "(nomad_ip, NOMAD_ADDR)."
    )


def _describe_tls(cause: BaseException, access: NomadAccess) -> str:
    reason = getattr(cause, "verify_message", "") or getattr(cause, "reason", "") or str(cause)
    # urllib3 compares a name that was set, and its error is not an SSLError.
    if "match" in reason:
        return (
            f"its certificate is for another name ({reason}). Set NOMAD_TLS_SERVER_NAME to the name in "
            "it, which for Nomad is server.REGION.nomad or client.REGION.nomad"
        )
    if isinstance(cause, ssl.SSLCertVerificationError):
        trusted = _settings(NOMAD_CACERT=access.tls.ca_cert, NOMAD_CAPATH=access.tls.ca_path)
        return (
            f"its certificate is not trusted ({reason}). Set NOMAD_CACERT to the file of the CA that signed "
            f"it ({trusted or 'neither NOMAD_CACERT nor NOMAD_CAPATH is set'})"
        )
    if "WRONG_VERSION_NUMBER" in reason or "HTTP_REQUEST" in reason:
        return f"it does not speak HTTPS ({reason}): set NOMAD_ADDR to an http:// address"
    # The alert may come too late to be read: then the connection is just closed.
    return (
        f"it ends the connection ({reason}), as it does if it requires a client's certificate: set "
        "NOMAD_CLIENT_CERT and NOMAD_CLIENT_KEY to one that its CA signed"
    )


def _find_cause(error: BaseException) -> BaseException:
    """Return the innermost cause of an error; requests and urllib3 wrap it several times."""
    reason = getattr(error, "reason", None)
    for inner in (reason, *error.args, error.__cause__, error.__context__):
        if isinstance(inner, BaseException) and inner is not error:
            return _find_cause(inner)
    return error


def read_settings(access: NomadAccess) -> Mapping[str, Any]:
    """Return the arguments of python-nomad's client."""
    return {
        "address": access.address,
        "namespace": access.namespace,
        "region": access.region,
        "token": access.token,
        "secure": access.address.startswith("https://"),
        "verify": access.tls.verify,
    }
