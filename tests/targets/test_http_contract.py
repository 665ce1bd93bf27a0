"""Every type of target that speaks HTTP keeps its promises, whatever comes (delivery 3 to 9).

What each type says of itself is in `targets/contracts/`; see `targets.contract`.
"""

from __future__ import annotations

import base64
from collections.abc import Callable
from datetime import timedelta
from urllib.parse import unquote

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pipeline import targets
from pipeline.notification import Delivered, Failed, InProgress, Outcome, Refused
from pipeline.receiver import Callback, Receiver, Reply
from pipeline.targets.http import KEPT_BYTES
from pipeline.targets.options import HttpSchema

from builders import a_delivery
from delivery.receivers import Unruly
from targets import scenes
from targets.contract import SECRET, HttpContract, contract_of, types_over_http
from targets.trying import assert_no_secret, made, over_http

OVER_HTTP = types_over_http()


def _judged(type: str, status: int, usual: type[Outcome]) -> tuple[type, ...]:
    contract = contract_of(type)
    assert isinstance(contract, HttpContract)
    return contract.judged.get(status, (usual,))


@pytest.mark.parametrize("status", [408, 409, 425, 429, 500, 502, 503, 504])
@pytest.mark.parametrize("type", OVER_HTTP)
def test_what_may_work_later_has_failed(type: str, status: int) -> None:
    outcome = over_http(scenes.answering(status), type)

    assert isinstance(outcome, _judged(type, status, Failed)), outcome
    assert outcome.status == status


@pytest.mark.parametrize("status", [400, 401, 403, 404, 405, 413, 422])
@pytest.mark.parametrize("type", OVER_HTTP)
def test_what_will_never_work_is_refused(type: str, status: int) -> None:
    outcome = over_http(scenes.answering(status), type)

    assert isinstance(outcome, _judged(type, status, Refused)), outcome
    assert outcome.status == status


@pytest.mark.parametrize("type", OVER_HTTP)
def test_410_is_refused_for_good(type: str) -> None:
    outcome = over_http(scenes.answering(410), type)

    assert isinstance(outcome, Refused)
    assert outcome.gone


@pytest.mark.parametrize("status", [429, 503])
@pytest.mark.parametrize("type", OVER_HTTP)
def test_retry_after_is_heeded(type: str, status: int) -> None:
    outcome = over_http(scenes.answering(status, {"Retry-After": "7"}), type)

    assert isinstance(outcome, Failed)
    assert outcome.retry_after == timedelta(seconds=7)


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
@pytest.mark.parametrize("type", OVER_HTTP)
def test_a_redirect_is_not_followed(type: str, status: int) -> None:
    with Receiver() as elsewhere:
        to = {"Location": f"{elsewhere.url}/?token={SECRET}"}
        outcome = over_http(scenes.answering(status, to), type)

        assert elsewhere.callbacks == []
    assert isinstance(outcome, _judged(type, status, Refused)), outcome


@pytest.mark.parametrize("type", OVER_HTTP)
def test_no_tls_where_it_is_asked_for_has_failed(type: str) -> None:
    outcome = over_http(scenes.no_tls(), type)

    assert isinstance(outcome, Failed)


@pytest.mark.parametrize(
    ("head", "drop"),
    [
        (b"", b"H"),
        (b"HTTP/1.1 200 OK\r\n", b"x: y\r\n"),
        (b"", b"HTTP/1.1 100 Continue\r\n\r\n"),
    ],
    ids=["status", "headers", "continue"],
)
@pytest.mark.parametrize("type", OVER_HTTP)
def test_a_head_that_trickles_in_is_not_waited_for_for_ever(
    type: str, head: bytes, drop: bytes
) -> None:
    outcome = over_http(scenes.trickling(head, drop), type)

    assert isinstance(outcome, Failed)


@pytest.mark.parametrize("status", [200, 201, 400, 500])
@pytest.mark.parametrize("type", OVER_HTTP)
def test_a_body_that_does_not_end_is_cut(type: str, status: int) -> None:
    """delivery 6: of what comes, a KiB is kept."""
    head = b"HTTP/1.1 %d So\r\n\r\n" % status
    for server in (scenes.trickling(head, b"."), scenes.flooding(head)):
        outcome = over_http(server, type)

        assert isinstance(outcome, (Delivered, Refused, Failed))
        assert len(outcome.response_head) <= KEPT_BYTES


def _everything(callback: Callback) -> bytes:
    """A request as receivers like to repeat it: as it came, unquoted, and decoded."""
    path, body = callback.path, callback.body.decode("utf-8", "replace")
    credentials = callback.headers.get("authorization", "").removeprefix("Basic ")
    try:
        decoded = base64.b64decode(credentials).decode("utf-8", "replace")
    except ValueError:
        decoded = ""
    headers = "\n".join(f"{name}: {value}" for name, value in callback.headers.items())
    return "\n".join([decoded, path, unquote(path), headers, body, unquote(body)]).encode()


def _at_the_edge(callback: Callback) -> bytes:
    """Cut where the kept part of an answer ends, no secret may be left in part."""
    said = _everything(callback)
    at = said.find(SECRET.encode())
    return b"x" * (KEPT_BYTES - 15) + said[at:] if at >= 0 else said


@pytest.mark.parametrize("echo", [_everything, _at_the_edge])
@pytest.mark.parametrize("status", [200, 400, 410, 500])
@pytest.mark.parametrize("type", OVER_HTTP)
def test_no_secret_that_a_receiver_repeats_is_kept(
    type: str, status: int, echo: Callable[[Callback], bytes]
) -> None:
    outcome = over_http(scenes.echoing(status, echo), type)

    assert SECRET[:12] not in outcome.response_head


@pytest.mark.parametrize("type", OVER_HTTP)
def test_every_attempt_of_a_delivery_carries_its_id(type: str) -> None:
    """delivery 3: so that a receiver can drop a repeat."""
    contract, delivery = contract_of(type), a_delivery("target:it")
    assert isinstance(contract, HttpContract)
    with (
        Receiver(answer=contract.answer) as receiver,
        made(contract, type, contract.options(receiver.url)) as trial,
    ):
        for _ in range(2):
            trial.target.deliver(delivery)
        ids = [callback.headers.get("webhook-id") for callback in receiver.callbacks]

    assert ids.count(delivery.delivery_id) >= 2


@pytest.mark.parametrize("type", OVER_HTTP)
def test_every_type_over_http_has_their_common_options(type: str) -> None:
    """Certificates, proxy and time-out of its own, of which test_ways.py has more."""
    assert issubclass(targets.of_type(type).schema, HttpSchema)


@pytest.mark.parametrize("type", OVER_HTTP)
def test_a_guarded_delivery_goes_to_no_address_that_is_not_public(type: str) -> None:
    """delivery 9."""
    contract = contract_of(type)
    assert isinstance(contract, HttpContract)
    with (
        Receiver(answer=contract.answer) as receiver,
        made(contract, type, contract.options(receiver.url)) as trial,
    ):
        outcome = trial.target.deliver(a_delivery("target:it", guarded=True))

        assert receiver.callbacks == []
    assert isinstance(outcome, Refused)
    assert "a loopback address" in outcome.reason


@pytest.mark.parametrize("type", OVER_HTTP)
def test_all_that_is_sent_goes_through_the_targets_proxy(type: str) -> None:
    contract, asked = contract_of(type), []
    assert isinstance(contract, HttpContract)
    with (
        Receiver(answer=lambda asking: asked.append(asking.path) or Reply(502)) as proxy,
        Receiver(answer=contract.answer) as receiver,
        made(contract, type, {**contract.options(receiver.url), "proxy": proxy.url}) as trial,
    ):
        outcome = trial.target.deliver(a_delivery("target:it"))

        assert receiver.callbacks == []
        assert all(path.startswith(f"{receiver.url}/") for path in asked)
    assert asked != []
    assert isinstance(outcome, Failed)


HEADS = st.sampled_from(
    [
        b"",
        b"HTTP/1.1 200 OK\r\n\r\n",
        b"HTTP/1.1 201 Created\r\nlocation: ",
        b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\n\r\n{",
        b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n",
        b"HTTP/1.1 403 Forbidden\r\ncontent-length: 9\r\n\r\n",
        b"HTTP/1.1 429 Wait\r\nretry-after: ",
        b"HTTP/1.0 500 ",
    ]
)


@pytest.mark.parametrize("type", OVER_HTTP)
@given(head=HEADS, rest=st.binary(max_size=60) | st.just(SECRET.encode()))
@settings(max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_whatever_bytes_come_are_an_outcome(type: str, head: bytes, rest: bytes) -> None:
    contract = contract_of(type)
    assert isinstance(contract, HttpContract)
    with (
        Unruly(lambda connection: connection.sendall(head + rest)) as server,
        made(contract, type, contract.options(server.url.removesuffix("/hook"))) as trial,
    ):
        outcome = trial.target.deliver(a_delivery("target:it"))

    assert isinstance(outcome, (Delivered, InProgress, Refused, Failed))
    assert_no_secret(outcome, trial.log.calls)
