"""Every type of target keeps its promises, whatever its receiver does (delivery 4, 6, 10).

What each type says of itself is in `targets/contracts/`; see `targets.contract`.
"""

from __future__ import annotations

import base64
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import pytest
from sqlalchemy import create_engine, text
from structlog.testing import CapturingLogger

from pipeline import targets
from pipeline.dispatch import TargetEntry
from pipeline.errors import InvalidValue
from pipeline.notification import Delivered, Failed, Outcome, Refused
from pipeline.receiver import Callback, Receiver, Reply
from pipeline.store.settings import DatabaseSettings
from pipeline.store.sql import SqlStore
from pipeline.targets import Targets
from pipeline.targets.base import Target, Tools, heeds_guard
from pipeline.targets.http import KEPT_BYTES
from pipeline.targets.options import HttpSchema, is_secret
from pipeline.targets.settings import DeliverySettings

from builders import NOON, a_delivery, a_notification, an_occurrence
from delivery.notifying import Log, notifier, real_clock, tell
from delivery.receivers import PATIENCE
from targets import scenes
from targets.contract import (
    EXPECTED,
    SECRET,
    Contract,
    HttpContract,
    contract_of,
    types_over_http,
)

TYPES = targets.types()
OVER_HTTP = types_over_http()


@dataclass(frozen=True)
class Made:
    """A target of a type under test, and what it logs to."""

    target: Target
    log: CapturingLogger


@contextmanager
def _made(contract: Contract, type: str, options: Mapping[str, Any]) -> Iterator[Made]:
    log = CapturingLogger()
    settings = DeliverySettings(**{**PATIENCE, **contract.settings})
    tools = Tools.by(settings, lambda: NOON, log)
    target = targets.from_options(type, options, tools)
    yield Made(target, log)
    target.close()
    tools.http.close()


def _outcome_in(scene: Any, type: str) -> tuple[Outcome, CapturingLogger]:
    """What becomes of a delivery in a scene, and what was logged. No secret is in the outcome."""
    contract = contract_of(type)
    with scene as options, _made(contract, type, options) as made:
        outcome = made.target.deliver(a_delivery("target:it"))
    _assert_no_secret(outcome, made.log.calls)
    return outcome, made.log


def _over_http(server: Any, type: str) -> Outcome:
    """What becomes of a delivery to an HTTP server."""
    contract = contract_of(type)
    assert isinstance(contract, HttpContract)

    @contextmanager
    def scene() -> Iterator[Mapping[str, Any]]:
        with server as url:
            yield contract.options(url)

    return _outcome_in(scene(), type)[0]


def _assert_no_secret(*shown: object) -> None:
    said = repr(shown)
    encoded = base64.b64encode(SECRET.encode()).decode()
    assert SECRET not in said
    assert encoded[:-4] not in said


# --- every type ----------------------------------------------------------------------------------


@pytest.mark.parametrize("type", TYPES)
def test_every_type_has_a_contract_with_all_scenes(type: str) -> None:
    contract = contract_of(type)

    known = contract.scenes.keys() | contract.not_applicable.keys()
    if isinstance(contract, HttpContract):
        known |= scenes.HTTP.keys() | {"works"}
    assert known == EXPECTED.keys()
    assert "works" not in contract.not_applicable


@pytest.mark.parametrize("name", EXPECTED)
@pytest.mark.parametrize("type", TYPES)
def test_what_a_receiver_does_is_an_outcome(type: str, name: str) -> None:
    contract = contract_of(type)
    if name in contract.not_applicable:
        return
    outcome, _ = _outcome_in(contract.scene(name), type)

    assert isinstance(outcome, contract.expected(name)), outcome


@pytest.mark.parametrize("type", TYPES)
def test_every_secret_option_is_in_the_contract(type: str) -> None:
    """So that the suite looks for each of them."""
    schema = targets.of_type(type).schema()
    with contract_of(type).scene("works") as options:
        hidden = {name for name, field in schema.fields.items() if is_secret(field)}
        hidden -= HttpSchema().fields.keys()  # see test_proxies.py
        hidden -= contract_of(type).elsewhere.keys()
        without = [name for name in hidden if SECRET not in repr(options.get(name))]
    assert without == []


@pytest.mark.parametrize(
    "told",
    [
        a_notification(),
        an_occurrence("test", "info"),
        an_occurrence("digest", "error", nested={"a": [1, {"b": None}]}, count=3),
        a_notification(alarm_name="zoë\r\nBcc: x@y\x00 ✓ {{ 7 * 7 }}<b>", reason="\x1b[31m\ud800"),
        a_notification(alarm_name="n" * 5_000, reason="r" * 100_000),
    ],
    ids=["alarm", "bare occurrence", "nested fields", "hostile text", "long"],
)
@pytest.mark.parametrize("type", TYPES)
def test_anything_can_be_told(type: str, told: Any) -> None:
    """Whatever it is of: never an exception, and where it works it is delivered."""
    contract = contract_of(type)
    with contract.scene("works") as options, _made(contract, type, options) as made:
        outcome = made.target.deliver(a_delivery("target:it", notification=told))

    assert isinstance(outcome, contract.outcomes), outcome
    _assert_no_secret(outcome, made.log.calls)


@pytest.mark.parametrize("type", TYPES)
def test_a_target_can_be_used_again_after_closing(type: str) -> None:
    """The entry that it is of may change while an attempt is under way."""
    contract = contract_of(type)
    with contract.scene("works") as options, _made(contract, type, options) as made:
        made.target.deliver(a_delivery("target:it"))
        made.target.close()
        made.target.close()
        outcome = made.target.deliver(a_delivery("target:it"))

    assert isinstance(outcome, contract.outcomes)


@pytest.mark.parametrize("type", TYPES)
def test_an_option_that_is_unknown_is_refused_without_secrets(type: str) -> None:
    with contract_of(type).scene("works") as options:
        given = {**options, "no_such_option": SECRET}
        with pytest.raises(InvalidValue, match="no_such_option") as refusal:
            targets.loaded(targets.of_type(type), given)
    _assert_no_secret(str(refusal.value))


@pytest.mark.parametrize("type", TYPES)
def test_an_option_of_the_wrong_type_is_refused_without_secrets(type: str) -> None:
    found = targets.of_type(type)
    with contract_of(type).scene("works") as options:
        for name in found.schema().fields:
            with pytest.raises(InvalidValue) as refusal:
                targets.loaded(found, {**options, name: {"a": {SECRET: object()}}})
            _assert_no_secret(str(refusal.value))


@pytest.mark.parametrize(
    ("type", "action"),
    [(type, action) for type in TYPES for action in contract_of(type).actions],
)
def test_an_action_of_the_type_can_be_carried_out(type: str, action: str) -> None:
    targets.check_action(action)

    found = targets.of_type(type)
    assert targets.loaded(found, found.options_of(action)) is not None


@pytest.mark.parametrize("name", ["works", "silent", "not_now", "refuses"])
@pytest.mark.parametrize("type", TYPES)
def test_no_secret_is_recorded_or_logged(type: str, name: str, tmp_path: Path) -> None:
    """delivery 10: through the notifier, as in life."""
    contract, log = contract_of(type), Log()
    if name in contract.not_applicable:
        return
    url = f"sqlite:///{tmp_path / 'tocsin.sqlite'}"
    settings = {**PATIENCE, **contract.settings}
    with contract.scene(name) as options, SqlStore.open(DatabaseSettings(url=url)) as store:
        entry = TargetEntry("it", type, options)
        made = Targets(Tools.by(DeliverySettings(**settings), real_clock, log), _Named(entry))
        tell(store, "target:it")
        attempts = notifier(store, targets=made, log=log, **settings).run_once()
        made.close()

    assert attempts == 1
    with create_engine(url).connect() as connection:
        for table in ("attempt", "delivery", "notification"):
            _assert_no_secret(list(connection.execute(text(f"SELECT * FROM {table}"))))
    _assert_no_secret(log.calls)


@dataclass(frozen=True)
class _Named:
    entry: TargetEntry

    def target(self, name: str) -> TargetEntry:
        return self.entry


# --- every type that speaks HTTP -----------------------------------------------------------------


def _judged(type: str, status: int, usual: type[Outcome]) -> tuple[type, ...]:
    contract = contract_of(type)
    assert isinstance(contract, HttpContract)
    return contract.judged.get(status, (usual,))


@pytest.mark.parametrize("status", [408, 409, 425, 429, 500, 502, 503, 504])
@pytest.mark.parametrize("type", OVER_HTTP)
def test_what_may_work_later_has_failed(type: str, status: int) -> None:
    outcome = _over_http(scenes.answering(status), type)

    assert isinstance(outcome, _judged(type, status, Failed)), outcome
    assert outcome.status == status


@pytest.mark.parametrize("status", [400, 401, 403, 404, 405, 413, 422])
@pytest.mark.parametrize("type", OVER_HTTP)
def test_what_will_never_work_is_refused(type: str, status: int) -> None:
    outcome = _over_http(scenes.answering(status), type)

    assert isinstance(outcome, _judged(type, status, Refused)), outcome
    assert outcome.status == status


@pytest.mark.parametrize("type", OVER_HTTP)
def test_410_is_refused_for_good(type: str) -> None:
    outcome = _over_http(scenes.answering(410), type)

    assert isinstance(outcome, Refused)
    assert outcome.gone


@pytest.mark.parametrize("status", [429, 503])
@pytest.mark.parametrize("type", OVER_HTTP)
def test_retry_after_is_heeded(type: str, status: int) -> None:
    outcome = _over_http(scenes.answering(status, {"Retry-After": "7"}), type)

    assert isinstance(outcome, Failed)
    assert outcome.retry_after == timedelta(seconds=7)


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
@pytest.mark.parametrize("type", OVER_HTTP)
def test_a_redirect_is_not_followed(type: str, status: int) -> None:
    with Receiver() as elsewhere:
        to = {"Location": f"{elsewhere.url}/?token={SECRET}"}
        outcome = _over_http(scenes.answering(status, to), type)

        assert elsewhere.callbacks == []
    assert isinstance(outcome, _judged(type, status, Refused)), outcome


@pytest.mark.parametrize("type", OVER_HTTP)
def test_no_tls_where_it_is_asked_for_has_failed(type: str) -> None:
    outcome = _over_http(scenes.no_tls(), type)

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
    outcome = _over_http(scenes.trickling(head, drop), type)

    assert isinstance(outcome, Failed)


@pytest.mark.parametrize("status", [200, 201, 400, 500])
@pytest.mark.parametrize("type", OVER_HTTP)
def test_a_body_that_does_not_end_is_cut(type: str, status: int) -> None:
    """delivery 6: of what comes, a KiB is kept."""
    head = b"HTTP/1.1 %d So\r\n\r\n" % status
    for server in (scenes.trickling(head, b"."), scenes.flooding(head)):
        outcome = _over_http(server, type)

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
    outcome = _over_http(scenes.echoing(status, echo), type)

    assert SECRET[:12] not in outcome.response_head


@pytest.mark.parametrize("type", OVER_HTTP)
def test_every_attempt_of_a_delivery_carries_its_id(type: str) -> None:
    """delivery 3: so that a receiver can drop a repeat."""
    contract, delivery = contract_of(type), a_delivery("target:it")
    assert isinstance(contract, HttpContract)
    with (
        Receiver(answer=contract.answer) as receiver,
        _made(contract, type, contract.options(receiver.url)) as made,
    ):
        for _ in range(2):
            made.target.deliver(delivery)
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
        _made(contract, type, contract.options(receiver.url)) as made,
    ):
        outcome = made.target.deliver(a_delivery("target:it", guarded=True))

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
        _made(contract, type, {**contract.options(receiver.url), "proxy": proxy.url}) as made,
    ):
        outcome = made.target.deliver(a_delivery("target:it"))

        assert receiver.callbacks == []
        assert all(path.startswith(f"{receiver.url}/") for path in asked)
    assert asked != []
    assert isinstance(outcome, Failed)


@pytest.mark.parametrize("type", [type for type in TYPES if type not in OVER_HTTP])
def test_who_says_to_heed_the_guard_can_be_reached_without_a_network(type: str) -> None:
    """delivery 9: only what connects to nobody may say so beside what speaks HTTP."""
    contract = contract_of(type)
    with contract.scene("works") as options, _made(contract, type, options) as made:
        if heeds_guard(made.target):
            assert contract.not_applicable.keys() >= {
                "unknown_name",
                "resets",
                "babbles",
                "untrusted",
            }
