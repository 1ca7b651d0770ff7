"""An application that is registered again with origins of web pages."""

from __future__ import annotations

import pytest

from clipper_nomad.errors import ManagementError
from clipper_nomad.operations.sameness import require_same_application
from clipper_nomad.types import Application

RECORD = {
    "input_type": "doubles",
    "default_output": "-1",
    "latency_slo_micros": 1000,
    "on_default": "default",
    "policy_config": {},
    "cors_origins": ["https://b.example", "https://a.example"],
}


def wanted(*origins: str) -> Application:
    return Application("app", "doubles", "-1", 1000, cors_origins=origins)


@pytest.mark.parametrize("origins", [(), ("https://a.example", "HTTPS://B.example", "https://a.example")])
def test_the_same_origins_in_any_order_and_case_are_no_difference(origins: tuple[str, ...]) -> None:
    require_same_application(wanted(*origins), RECORD)


def test_other_origins_are_named() -> None:
    with pytest.raises(ManagementError, match="cors_origins"):
        require_same_application(wanted("https://a.example"), RECORD)
