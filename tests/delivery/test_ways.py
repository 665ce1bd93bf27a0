"""Each target may have certificates, a time-out and secrets of its own (alarms 15)."""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import trustme
from structlog.testing import CapturingLogger

from pipeline import targets
from pipeline.errors import InvalidValue
from pipeline.notification import Delivered, Failed, Outcome
from pipeline.receiver import Receiver
from pipeline.targets.base import Tools
from pipeline.targets.settings import DeliverySettings

from builders import NOON, a_delivery
from delivery.receivers import Certificates, Unruly, say

OK = b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n"


@pytest.fixture
def tools() -> Iterator[Tools]:
    settings = DeliverySettings(connect_timeout_seconds=2.0, read_timeout_seconds=5.0)
    tools = Tools.by(settings, lambda: NOON, CapturingLogger())
    yield tools
    tools.http.close()


def _outcome(tools: Tools, url: str, **options: Any) -> Outcome:
    target = targets.from_options("aodh", {"url": url, **options}, tools)
    return target.deliver(a_delivery("target:it"))


def test_a_target_trusts_its_own_authority(certificates: Certificates, tools: Tools) -> None:
    with Unruly(say(OK), certificates.server()) as server:
        with_it = _outcome(tools, server.url, ca_bundle=certificates.ca_bundle)
        without = _outcome(tools, server.url)

    assert with_it == Delivered(200)
    assert isinstance(without, Failed)


def test_a_target_shows_its_own_certificate(certificates: Certificates, tools: Tools) -> None:
    shown = {
        "ca_bundle": certificates.ca_bundle,
        "client_certificate": certificates.client_certificate,
        "client_key": certificates.client_key,
    }
    with Unruly(say(OK), certificates.server(ask_client=True)) as server:
        with_it = _outcome(tools, server.url, **shown)
        without = _outcome(tools, server.url, ca_bundle=certificates.ca_bundle)

    assert with_it == Delivered(200)
    assert isinstance(without, Failed)


@pytest.mark.parametrize("verify", [True, False])
def test_a_target_may_do_without_verification(
    certificates: Certificates, tools: Tools, verify: bool
) -> None:
    with Unruly(say(OK), certificates.server()) as server:
        outcome = _outcome(tools, server.url, verify=verify)

    assert isinstance(outcome, Failed if verify else Delivered)


def test_targets_with_other_certificates_share_no_connection(
    certificates: Certificates, tools: Tools
) -> None:
    def script(connection: Any) -> None:
        connection.sendall(OK)
        connection.recv(1)

    with Unruly(script, certificates.server()) as server:
        _outcome(tools, server.url, verify=False)
        verified = _outcome(tools, server.url)

    assert isinstance(verified, Failed)


def test_a_certificate_that_is_replaced_is_read_again(
    certificates: Certificates, tools: Tools, tmp_path: Path
) -> None:
    bundle = tmp_path / "ca.pem"
    trustme.CA().cert_pem.write_to_path(bundle)
    with Unruly(say(OK), certificates.server()) as server:
        target = targets.from_options("aodh", {"url": server.url, "ca_bundle": str(bundle)}, tools)
        before = target.deliver(a_delivery("target:it"))
        fresh = tmp_path / "fresh.pem"
        fresh.write_bytes(Path(certificates.ca_bundle).read_bytes())
        os.replace(fresh, bundle)
        after = target.deliver(a_delivery("target:it"))

    assert isinstance(before, Failed)
    assert "its certificate does not verify" in before.reason
    assert after == Delivered(200)


def test_a_certificate_that_cannot_be_used_is_named_and_waited_for(
    tools: Tools, tmp_path: Path
) -> None:
    """It may be put there yet: failed, not refused."""
    outcome = _outcome(tools, "https://127.0.0.1:9/", ca_bundle=str(tmp_path / "absent.pem"))

    assert isinstance(outcome, Failed)
    assert outcome.reason.startswith(f"ca_bundle: cannot use {tmp_path}/absent.pem: ")


def test_a_targets_time_out_is_for_an_attempt_as_a_whole(
    tools: Tools, ended: threading.Event
) -> None:
    with Unruly(lambda connection: (ended.wait(60), None)[1]) as server:
        outcome = _outcome(tools, server.url, timeout=0.3)

    assert isinstance(outcome, Failed)
    assert outcome.reason.endswith("within 0.3 s")


@pytest.mark.parametrize(
    ("options", "why"),
    [
        ({"client_key": "k.pem"}, "client_key needs client_certificate beside it"),
        ({"proxy_credentials": "u:p"}, "proxy_credentials needs proxy beside it"),
        ({"proxy": "https://p:1"}, "Not a proxy: write http://host:port, or direct for none"),
        ({"proxy": "http://u:hunter22@p:1"}, "give user:password as proxy_credentials"),
        ({"timeout": 0}, "Give more than 0 seconds"),
        ({"verify": "perhaps"}, "Not a valid boolean"),
    ],
)
def test_options_that_cannot_be_are_refused(options: dict[str, Any], why: str) -> None:
    with pytest.raises(InvalidValue, match=why) as refusal:
        targets.loaded(targets.of_type("aodh"), {"url": "http://h/", **options})
    assert "hunter22" not in str(refusal.value)


def test_a_targets_proxy_is_asked_with_its_credentials(tools: Tools) -> None:
    with Receiver() as proxy:
        options = {"proxy": proxy.url, "proxy_credentials": "user:hunter22"}
        outcome = _outcome(tools, "http://hooks.example.org/x", **options)
        (asked,) = proxy.callbacks

    assert outcome == Delivered(200)
    assert asked.path == "http://hooks.example.org/x"
    assert asked.headers["host"] == "hooks.example.org"
    assert asked.headers["proxy-authorization"] == "Basic dXNlcjpodW50ZXIyMg=="
