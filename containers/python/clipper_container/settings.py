"""The runtime's settings, read from CLIPPER_* variables: their names, forms and defaults."""

from __future__ import annotations

import base64
import math
import os
import secrets
import socket
import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Optional

from clipper_container.addresses import parse_address
from clipper_container.input_types import InputType

DEFAULT_MODEL_PATH = "/model"
#: The variable of an input that the model answers once before it is ready: zlib's form in base64.
SAMPLE_INPUT = "CLIPPER_SAMPLE_INPUT"
LOG_LEVELS = ("debug", "info", "warning", "error")
_TRUE = ("1", "true", "yes", "on")
_FALSE = ("0", "false", "no", "off", "")


class SettingsError(ValueError):
    """A variable is missing or has a wrong value; the message is one line."""


@dataclass(frozen=True)
class Settings:
    """The settings of one replica. Times are in seconds."""

    model_name: str
    model_version: str
    input_type: InputType
    model_path: Path
    rpc_addresses: tuple[str, ...]
    rpc_proxy_only: bool
    dns_server: Optional[str]
    cluster_name: str
    instance_id: str
    admin_host: str
    admin_port: int
    hang_timeout_s: float
    exit_when_hung: bool
    drain_timeout_s: float
    log_level: str
    sample_input: Optional[bytes] = None

    @classmethod
    def from_environment(cls, environment: Mapping[str, str]) -> Settings:
        """Return the settings in `environment`; raise SettingsError, which names the wrong variable."""
        variables = _Variables(environment)
        return cls(
            model_name=variables.required("CLIPPER_MODEL_NAME"),
            model_version=variables.required("CLIPPER_MODEL_VERSION"),
            input_type=_input_type(variables),
            model_path=model_path(environment),
            rpc_addresses=_rpc_addresses(variables),
            rpc_proxy_only=variables.flag("CLIPPER_RPC_PROXY_ONLY"),
            dns_server=variables.text("CLIPPER_DNS") or None,
            cluster_name=variables.text("CLIPPER_CLUSTER_NAME", "default-cluster"),
            instance_id=_instance_id(variables),
            admin_host=variables.text("CLIPPER_ADMIN_HOST", "0.0.0.0"),
            admin_port=variables.port("CLIPPER_ADMIN_PORT", 1390, minimum=0),
            hang_timeout_s=variables.seconds("CLIPPER_HANG_TIMEOUT_S", 60.0, minimum=0.1),
            exit_when_hung=variables.flag("CLIPPER_EXIT_WHEN_HUNG"),
            drain_timeout_s=variables.seconds("CLIPPER_DRAIN_TIMEOUT_S", 30.0, minimum=0),
            log_level=log_level(environment),
            sample_input=_sample_input(variables),
        )


def model_path(environment: Mapping[str, str]) -> Path:
    """Return the path of the model folder."""
    return Path(_Variables(environment).text("CLIPPER_MODEL_PATH", DEFAULT_MODEL_PATH))


def log_level(environment: Mapping[str, str]) -> str:
    """Return the name of the log level, or raise SettingsError."""
    level = _Variables(environment).text("CLIPPER_LOG_LEVEL", "info").lower()
    if level not in LOG_LEVELS:
        raise SettingsError(f"CLIPPER_LOG_LEVEL is {level!r}: use one of {', '.join(LOG_LEVELS)}")
    return level


def encode_sample(raw: bytes) -> str:
    """Return an input, in the bytes that a model gets, as the value of SAMPLE_INPUT."""
    return base64.b64encode(zlib.compress(raw, 9)).decode()


def _sample_input(variables: _Variables) -> Optional[bytes]:
    text = variables.text(SAMPLE_INPUT)
    if not text:
        return None
    try:
        return zlib.decompress(base64.b64decode(text, validate=True))
    except (ValueError, zlib.error) as exc:
        raise SettingsError(f"{SAMPLE_INPUT} is not compressed data in base64: {exc}") from exc


def _input_type(variables: _Variables) -> InputType:
    try:
        return InputType.parse(variables.required("CLIPPER_INPUT_TYPE"))
    except SettingsError:
        raise
    except ValueError as exc:
        raise SettingsError(f"CLIPPER_INPUT_TYPE: {exc}") from exc


def _rpc_addresses(variables: _Variables) -> tuple[str, ...]:
    listed = variables.text("CLIPPER_RPC_ADDRESS")
    if listed:
        addresses = tuple(item.strip() for item in listed.split(",") if item.strip())
    elif variables.text("CLIPPER_IP"):
        host, port = variables.text("CLIPPER_IP"), variables.port("CLIPPER_PORT", 7000, minimum=1)
        addresses = (f"[{host}]:{port}" if ":" in host else f"{host}:{port}",)
    else:
        addresses = ()
    if not addresses:
        raise SettingsError(
            "no query frontend to connect to: set CLIPPER_RPC_ADDRESS (host:port or srv:NAME, several by "
            "comma), or CLIPPER_IP and CLIPPER_PORT"
        )
    for address in addresses:
        _check_address(address, "CLIPPER_RPC_ADDRESS" if listed else "CLIPPER_IP")
    return addresses


def _check_address(address: str, name: str) -> None:
    try:
        parse_address(address)
    except ValueError as exc:
        raise SettingsError(f"{name}: {exc}") from exc


def _instance_id(variables: _Variables) -> str:
    given = variables.text("CLIPPER_INSTANCE_ID") or variables.text("NOMAD_ALLOC_ID")
    return given or f"{socket.gethostname()}-{os.getpid()}-{secrets.token_hex(4)}"


class _Variables:
    """The variables of an environment by type; an empty one counts as missing."""

    def __init__(self, environment: Mapping[str, str]) -> None:
        self._environment = environment

    def text(self, name: str, default: str = "") -> str:
        return self._environment.get(name, "").strip() or default

    def required(self, name: str) -> str:
        value = self.text(name)
        if not value:
            raise SettingsError(f"{name} is not set: the runtime needs to know it")
        return value

    def flag(self, name: str) -> bool:
        value = self.text(name).lower()
        if value not in _TRUE + _FALSE:
            raise SettingsError(f"{name} is {value!r}: use 1 or 0")
        return value in _TRUE

    def port(self, name: str, default: int, *, minimum: int) -> int:
        value = self.text(name, str(default))
        if not (value.isascii() and value.isdecimal() and minimum <= int(value[:6]) <= 65535):
            raise SettingsError(f"{name} is {value!r}: use a port from {minimum} to 65535")
        return int(value)

    def seconds(self, name: str, default: float, *, minimum: float) -> float:
        value = self.text(name, str(default))
        try:
            number = float(value)
        except ValueError:
            number = math.nan
        if not minimum <= number < math.inf:
            raise SettingsError(f"{name} is {value!r}: use a number of seconds from {minimum:g} up")
        return number
