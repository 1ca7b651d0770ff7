"""The guard of the admin calls: web pages and rebound names are refused, programs are not."""

from __future__ import annotations

import pytest
from multidict import CIMultiDict

from clipper_frontend.management.guard import Guard, parse_hosts

GUARD = Guard(("0.0.0.0", "node-7"), ("Admin.example.com", "*.internal."))


def status(host: str = "10.0.0.1:1338", **headers: str) -> int:
    """Return the status of the refusal of a request with these headers, 200 if it is let in."""
    given = CIMultiDict({"Host": host} | {name.replace("_", "-"): value for name, value in headers.items()})
    refusal = GUARD.refusal(given)
    return 200 if refusal is None else refusal.status


@pytest.mark.parametrize(
    "host",
    [
        "10.0.0.1:1338",
        "[::1]:1338",
        "[fe80::1]",
        "localhost",
        "LOCALHOST.:1338",
        "node-7:1338",
        "clipper-a-management.service.consul:1338",
        "admin.example.com",
        "a.internal:80",
        "",
    ],
)
def test_the_service_is_asked_for_by_addresses_own_names_and_listed_ones(host: str) -> None:
    assert status(host) == 200


@pytest.mark.parametrize(
    "host",
    [
        "evil.example:1338",
        "consul.evil.example",
        "evilconsul",
        "internal",
        "10.0.0.1.evil.example",
        "localhost.evil.example",
        "x.admin.example.com",
        "[::1",
        "127.1.evil:x",
    ],
)
def test_a_name_that_was_pointed_here_is_refused_with_the_setting_to_change(host: str) -> None:
    refusal = GUARD.refusal({"Host": host})
    assert refusal is not None
    assert refusal.status == 421
    assert "--allowed-hosts (CLIPPER_ALLOWED_HOSTS)" in refusal.text


@pytest.mark.parametrize("origin", ["http://evil.example", "null", "", "http://10.0.0.1:9999", "file://"])
def test_a_page_from_elsewhere_is_refused_whatever_it_sends(origin: str) -> None:
    assert status(Origin=origin, Content_Type="text/plain", Content_Length="2") == 403
    assert status(Origin=origin, Content_Type="application/json") == 403


@pytest.mark.parametrize("site", ["cross-site", "same-site", "unheard-of"])
def test_a_request_that_another_site_causes_is_refused(site: str) -> None:
    assert status(Sec_Fetch_Site=site) == 403


def test_a_page_from_here_or_of_a_listed_host_is_let_in_with_json_only() -> None:
    for origin, host in (
        ("http://10.0.0.1:1338", "10.0.0.1:1338"),
        ("https://admin.example.com", "10.0.0.1:1338"),
        ("https://dash.internal:8443", "localhost:1338"),
    ):
        json = {"Content_Type": "application/json", "Content_Length": "2"}
        text = {"Content_Type": "text/plain", "Content_Length": "2"}
        assert status(host, Origin=origin, **json) == 200
        assert status(host, Origin=origin, **text) == 415
        assert status(host, Origin=origin, Transfer_Encoding="chunked") == 415


def test_a_browser_may_look_and_must_send_json() -> None:
    assert status(Sec_Fetch_Site="none") == 200
    assert status(Sec_Fetch_Site="none", Content_Type="text/plain", Content_Length="2") == 415
    assert status(Sec_Fetch_Site="same-origin", Content_Type="application/json", Content_Length="2") == 200


def test_a_program_may_send_any_type() -> None:
    for kind in ("text/plain", "application/x-www-form-urlencoded", ""):
        assert status(Content_Type=kind, Content_Length="2") == 200


def test_all_hosts_can_be_allowed() -> None:
    assert Guard(allowed=parse_hosts("*")).refusal({"Host": "any.example"}) is None


def test_hosts_are_listed_with_commas() -> None:
    assert parse_hosts(" a.example, *.b ,") == ("a.example", "*.b")
    for wrong in ("http://a", "a/b", "a.*", "a b\n"):
        with pytest.raises(ValueError, match="is not a host"):
            parse_hosts(wrong)
